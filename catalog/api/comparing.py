"""Plans side by side, as data: `GET catalog/compare/?plans=sales-premium,sales-premium@1`. Rule T-9 of docs/rules.md.

Whatever the answer depends on is read first, without any content, and makes the ETag: 304 costs that one look-up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Final

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.http import HttpResponse, HttpResponseNotModified
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from catalog.api.serializers import ComparisonSerializer
from catalog.content.table import Cell, Column, Row, tabulate
from catalog.models import Offer, Solution, Version
from customers.api.params import bad_parameter, flag, instant, refuse_unknown
from customers.errors import NotFound

MOST: Final = 50  # plans in one answer
KEPT_FOR: Final = 60  # seconds, where what is live has a say
KEPT_FOR_LONG: Final = 24 * 3600  # what named versions say never changes
_REFERENCE: Final = re.compile(r"(?P<code>[a-z0-9][a-z0-9._-]*)(?:@(?P<number>[1-9][0-9]{0,8}))?")
_PARAMETERS: Final = [
    OpenApiParameter(
        "plans",
        str,
        description="Codes of plans, with commas between them, in the order of the answer: `code` is its live version, "
        "`code@3` that version, retired ones too. Absent: every plan for sale.",
    ),
    OpenApiParameter("at", datetime, description="Live at this instant, past or to come, with its offset."),
    OpenApiParameter("solution", str, description="Only plans that cover this solution."),
    OpenApiParameter("differences", bool, description="Leave out the features on which all plans agree."),
]


@dataclass(frozen=True, slots=True)
class Reference:
    """A plan as the request names it; without a number its live version is meant."""

    code: str
    number: int | None

    def __str__(self) -> str:
        return self.code if self.number is None else f"{self.code}@{self.number}"


@dataclass(frozen=True, slots=True)
class Head:
    """A version that is compared, without its content, which the digest names."""

    pk: int
    code: str
    number: int
    digest: str
    effective_from: datetime
    changelog: str


_OF_HEAD: Final = ("pk", "offer__code", "number", "digest", "effective_from", "changelog")
_OF_CONTENT: Final = ("content__offer", "content__features")
Chosen = dict[str, Head]  # by reference, in the order of the answer


class Comparison(APIView):
    finds_by_parameter = True  # what `plans` names may not be there
    required_scopes: ClassVar[dict[str, str]] = {"GET": "catalog:read"}

    @extend_schema(parameters=_PARAMETERS, responses=ComparisonSerializer)
    def get(self, request: Request) -> HttpResponse:
        """Plans side by side: each feature that any of them gives, with the value of each."""
        refuse_unknown(request, ["plans", "at", "solution", "differences"])
        references, at = _references(request), instant(request)
        solution, differences = _solution(request), flag(request, "differences")
        chosen = _chosen(references, at or timezone.now())
        asked = (at, solution, differences)
        tag = f'W/"{hashlib.sha256(repr((_release(), chosen, asked)).encode()).hexdigest()[:32]}"'
        if _is_known(request, tag):
            response: HttpResponse = HttpResponseNotModified()
        else:
            body = _body(chosen, at, solution, differences)
            response = HttpResponse(JSONRenderer().render(body), content_type="application/json")
        response["ETag"] = tag
        is_for_good = bool(references) and all(reference.number for reference in references)
        response["Cache-Control"] = f"private, max-age={KEPT_FOR_LONG if is_for_good else KEPT_FOR}"
        return response


# ── What is asked for ───────────────────────────────────────────────────────
def _references(request: Request) -> list[Reference]:
    """Returns the plans named, each once; none where all are meant. Raises Invalid."""
    raw = request.query_params.get("plans")
    if raw is None:
        return []
    found: dict[Reference, None] = {}
    for name in raw.split(","):
        match = _REFERENCE.fullmatch(name.strip().lower())
        if match is None:
            raise bad_parameter("plans", f"Codes like sales-premium or sales-premium@3, not {name.strip()[:80]!r}.")
        found[Reference(match["code"], int(match["number"]) if match["number"] else None)] = None
    if len(found) > MOST:
        raise bad_parameter("plans", f"At most {MOST} of them, not {len(found)}.")
    return list(found)


def _solution(request: Request) -> str | None:
    raw = request.query_params.get("solution")
    if raw is None:
        return None
    solution = raw.strip().lower()
    if not Solution.objects.filter(code=solution).exists():
        raise bad_parameter("solution", f"There is no solution {raw[:80]!r}.")
    return solution


def _chosen(references: Sequence[Reference], at: datetime) -> Chosen:
    """Returns the version of each reference; of none, those of all plans for sale. Raises NotFound. One query."""
    live = Q(pk__in=Version.objects.offered(at).values("pk"))
    plans = Version.objects.frozen().filter(offer__type=Offer.Type.PLAN).order_by("offer__position", "offer__code")
    if not references:
        heads = [Head(*row) for row in plans.filter(live, offer__for_sale=True).values_list(*_OF_HEAD)]
        return {head.code: head for head in heads}
    wanted = live & Q(offer__code__in={each.code for each in references if each.number is None})
    for reference in references:
        if reference.number is not None:
            wanted |= Q(offer__code=reference.code, number=reference.number)
    named = plans.filter(wanted).annotate(is_live=ExpressionWrapper(live, BooleanField()))
    found: dict[Reference, Head] = {}
    for *fields, is_live in named.values_list(*_OF_HEAD, "is_live"):
        head = Head(*fields)
        found[Reference(head.code, head.number)] = head
        if is_live:
            found[Reference(head.code, None)] = head
    for reference in references:
        if reference not in found:
            raise NotFound("published plan" if reference.number is None else "published version", str(reference))
    return {str(reference): found[reference] for reference in references}


# ── What is answered ────────────────────────────────────────────────────────
def _body(chosen: Chosen, at: datetime | None, solution: str | None, differences: bool) -> dict[str, Any]:
    """Returns the answer as ComparisonSerializer describes it. One query."""
    rows = Version.objects.filter(pk__in={head.pk for head in chosen.values()}).order_by()
    contents = {pk: (words, features) for pk, words, features in rows.values_list("pk", *_OF_CONTENT)}
    kept = {
        name: head for name, head in chosen.items() if solution is None or solution in contents[head.pk][0]["solutions"]
    }
    table = tabulate(Column(name, head.effective_from, contents[head.pk][1]) for name, head in kept.items())
    if differences and len(kept) > 1:
        table = table.differences()
    return {
        "at": at,
        "solution": solution,
        "plans": [_plan(name, head, contents[head.pk][0]) for name, head in kept.items()],
        "hidden": table.hidden,
        "groups": [
            {"code": group.code, "name": group.name, "features": [_feature(row, list(kept)) for row in group.rows]}
            for group in table.groups
        ],
    }


def _plan(name: str, head: Head, words: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ref": name,
        **{key: words[key] for key in ("code", "name", "description", "solutions", "tier", "tier_name")},
        "version": head.number,
        "effective_from": head.effective_from,
        "changelog": head.changelog,
    }


def _feature(row: Row, names: Sequence[str]) -> dict[str, Any]:
    about = {key: getattr(row, key) for key in ("code", "name", "description", "kind", "counts", "differs")}
    return about | {"values": {name: _value(cell) for name, cell in zip(names, row.cells, strict=True)}}


def _value(cell: Cell) -> dict[str, Any] | None:
    if cell.is_absent:
        return None
    return {"value": cell.value, "unlimited": bool(cell.unlimited), "text": cell.text}


def _is_known(request: Request, tag: str) -> bool:
    known = request.META.get("HTTP_IF_NONE_MATCH", "")
    return any(part.strip() in (tag, tag.removeprefix("W/"), "*") for part in known.split(","))


@cache
def _release() -> str:
    """Returns a name for how this release draws the answer, so that no copy outlives it."""
    sources = (Path(__file__), Path(tabulate.__code__.co_filename))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
