"""Many questions at once: may these users do these things? `POST /api/v1/entitlements/check/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.models import Feature
from customers.access import Access, access_of, not_allowed
from customers.api.params import refuse_unknown
from customers.errors import Invalid, NotFound, Refusal
from licensing.api.check_serializers import CheckAnswerSerializer, CheckSerializer
from licensing.api.entitlements import READ, nothing_of
from licensing.checking import Pair, read_many
from licensing.errors import NotRecorded
from licensing.freshness import refuse_older
from licensing.reading import HeldSet, Reading, SetDamaged, sets_or_damage

MOST: Final = 1000
_LONGEST: Final = 512  # characters of a code
_LARGEST: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Question:
    """One item: may this user (none: the customer as a whole) use so much of a feature?"""

    customer: str
    user: str | None
    feature: str
    needed: int | None
    min_revision: int | None

    @property
    def pair(self) -> Pair:
        return self.customer, self.user


class EntitlementCheck(APIView):
    required_scopes: ClassVar[dict[str, str]] = {"POST": READ}
    only_reads = True

    @extend_schema(request=CheckSerializer, responses=CheckAnswerSerializer)
    def post(self, request: Request) -> Response:
        """Up to 1,000 questions about any users of any customers, answered in their order at the cost of one look-up.

        What can't be answered has a `problem` in its place; the others are answered all the same.
        """
        refuse_unknown(request, [])
        asked = [_question(item) for item in _items(request.data)]
        questions = [item for item in asked if isinstance(item, Question)]
        answers = iter(_answers(questions, access_of(request)))
        results = [next(answers) if isinstance(item, Question) else _refused({}, item) for item in asked]
        return Response({"results": results})


# ── What is asked ───────────────────────────────────────────────────────────
def _items(data: Any) -> list[Any]:
    """Returns the items of the body. Raises Invalid for another shape, none, or too many."""
    if not isinstance(data, dict) or data.keys() != {"items"} or not isinstance(data["items"], list):
        raise Invalid('The body is {"items": [...]}.', [{"field": "items", "message": "A list of questions."}])
    if not 1 <= len(data["items"]) <= MOST:
        raise Invalid(
            f"There are {len(data['items'])} items.", [{"field": "items", "message": f"Send 1 to {MOST} at once."}]
        )
    return list(data["items"])


def _question(item: Any) -> Question | Invalid:
    """Returns the question, or why it is none."""
    if not isinstance(item, dict):
        return Invalid("An item is an object.", [{"field": "", "message": "Send an object."}])
    faults = [{"field": name, "message": message} for name, message in _faults(item)]
    if faults:
        return Invalid("The item is wrong.", faults)
    known: dict[str, Any] = {name: item.get(name) for name in _MEMBERS}
    return Question(**known)


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST  # True is no number, though Python says so


_MEMBERS: Final = {
    "customer": (_is_code, True, "A code."),
    "user": (_is_code, False, "A code, or null for the customer as a whole."),
    "feature": (_is_code, True, "A code."),
    "needed": (_is_number, False, f"A whole number from 0 to {_LARGEST}."),
    "min_revision": (_is_number, False, f"A whole number from 0 to {_LARGEST}."),
}


def _faults(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in item.keys() - _MEMBERS.keys():
        yield name, "Not known."
    for name, (is_right, is_required, message) in _MEMBERS.items():
        value = item.get(name)
        if (value is None and is_required) or (value is not None and not is_right(value)):
            yield name, message


# ── What is answered ────────────────────────────────────────────────────────
def _answers(questions: Sequence[Question], access: Access) -> Iterator[dict[str, Any]]:
    """Yields an answer to each question. Three queries: the readings, sets not in memory, features not in a set."""
    pairs = list(dict.fromkeys(question.pair for question in questions))
    readings = dict(zip(pairs, read_many(pairs) if pairs else (), strict=True))
    held = sets_or_damage({r.set_id for r in readings.values() if r is not None and r.set_id is not None})
    others = _features(questions, readings, held)
    for question in questions:
        named = {"customer": question.customer, "user": question.user, "feature": question.feature}
        try:
            reading = _allowed(question, readings[question.pair], access)
            code, entitlement = _entitlement(question.feature, _whole(held[reading.set_id or 0]), others)
            allowed = _is_enough(entitlement, question)
        except Refusal as refusal:
            yield _refused(named, refusal)
        else:
            known = {"customer": reading.customer, "user": reading.user, "feature": code}
            yield known | entitlement | {"allowed": allowed, "revision": reading.revision}


def _features(
    questions: Sequence[Question], readings: Mapping[Pair, Reading | None], held: Mapping[int, HeldSet | SetDamaged]
) -> dict[str, Feature]:
    """Returns, by code, the published features that are asked about and not in the set of who is asked about."""
    missing = set()
    for question in questions:
        reading = readings[question.pair]
        known = None if reading is None or reading.set_id is None else held[reading.set_id]
        if isinstance(known, HeldSet) and not known.spelled(question.feature):
            missing.add(question.feature.lower())
    if not missing:
        return {}
    return {feature.code: feature for feature in Feature.objects.published().filter(code__in=missing)}


def _allowed(question: Question, reading: Reading | None, access: Access) -> Reading:
    """Returns the reading. Raises, as a read of this one would: unknown customers and foreign ones look alike."""
    if reading is None or not access.allows(READ, reading.customer_id):
        if reading is not None and access.sees(reading.customer_id):
            raise not_allowed()
        raise NotFound("customer", question.customer)
    refuse_older(question.min_revision, reading.recorded, reading.customer)
    if question.user is not None and reading.user is None:
        raise NotFound("user", question.user)
    if reading.set_id is None:
        kind, code = ("customer", question.customer) if question.user is None else ("user", question.user)
        raise NotRecorded(kind, code, reading.as_of)
    return reading


def _whole(held: HeldSet | SetDamaged) -> HeldSet:
    if isinstance(held, SetDamaged):
        raise held
    return held


def _entitlement(code: str, held: HeldSet, others: Mapping[str, Feature]) -> tuple[str, dict[str, Any]]:
    known = held.spelled(code)
    if known is not None:
        return known, dict(held.features[known])
    feature = others.get(code.lower())
    if feature is None:
        raise NotFound("feature", code)
    return feature.code, nothing_of(feature)


def _is_enough(entitlement: Mapping[str, Any], question: Question) -> bool:
    """Whether it may be used; of a limit, so much of it. Raises Invalid where an amount means nothing."""
    if question.needed is not None and entitlement["kind"] != "limit":
        message = f"{question.feature} is a {entitlement['kind']}: only of a limit an amount is needed."
        raise Invalid(message, [{"field": "needed", "message": "Leave it out."}])
    if entitlement["access"] != "edit":
        return False
    return question.needed is None or entitlement["unlimited"] or entitlement["value"] >= question.needed


def _refused(named: Mapping[str, Any], refusal: Refusal) -> dict[str, Any]:
    problem = {
        "type": f"urn:planarium:problem:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.message,
        "code": refusal.code,
        "blocking": refusal.blocking or None,
        "next_action": refusal.next_action,
    }
    return {**named, "problem": refusal.details | problem}
