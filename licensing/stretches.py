"""What was, is and will be answered, stretch by stretch, and what of it changed when (rules W-1, W-2).

Read from the two period tables alone, so it says what was really answered, whatever is recorded by now.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from customers.models import Customer, CustomerUser
from licensing.models import CustomerRevision, EntitlementSet, HoldingPeriod, UserPeriod
from licensing.reading import SetDamaged

SETS_AT_ONCE: Final = 50
_FIELDS: Final = ("starts_at", "ends_at", "set", "owners")
Answers = Mapping[str, Mapping[str, Any]]  # feature code → its answer, as the API spells it


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `starts_at` to `ends_at` (none: for good, as far as is known) the set and the date states are these."""

    starts_at: datetime
    ends_at: datetime | None
    set_id: int
    owners: Mapping[str, str]  # every owner's date state


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """At `at` the answer to one feature became another; `before` is none where nothing had been recorded."""

    at: datetime
    before: Mapping[str, Any] | None
    after: Mapping[str, Any]


def stretches_of(customer: Customer, user: CustomerUser | None) -> list[Stretch]:
    """Returns the stretches of a user (none: of the customer as a whole), oldest first, without a gap. Two queries."""
    if user is None:
        own = CustomerRevision.objects.filter(customer=customer).values("own_holding")
        return [Stretch(*fields) for fields in _rows(own).values_list(*_FIELDS)]
    periods = UserPeriod.objects.filter(user=user).order_by("starts_at")
    spans = list(periods.values_list("starts_at", "ends_at", "holding"))
    given: dict[int, list[Stretch]] = defaultdict(list)
    for holding, *fields in _rows({holding for _, _, holding in spans}).values_list("holding", *_FIELDS):
        given[holding].append(Stretch(*fields))
    return _joined([part for start, end, holding in spans for part in _within(given[holding], start, end)])


def _rows(holdings: Any) -> QuerySet[HoldingPeriod]:
    return HoldingPeriod.objects.filter(holding__in=holdings).order_by("starts_at")


def _within(stretches: Sequence[Stretch], start: datetime, end: datetime | None) -> Iterator[Stretch]:
    """Yields what of a holding's stretches lies in a user's period."""
    first = max(bisect_right(stretches, start, key=lambda stretch: stretch.starts_at) - 1, 0)
    for stretch in stretches[first:]:
        if end is not None and stretch.starts_at >= end:
            break
        starts = max(stretch.starts_at, start)
        ends = min((at for at in (stretch.ends_at, end) if at is not None), default=None)
        if ends is None or ends > starts:
            yield Stretch(starts, ends, stretch.set_id, stretch.owners)


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Returns the stretches with equal neighbours made one: another holding may give the very same."""
    found: list[Stretch] = []
    for stretch in stretches:
        if found and (found[-1].set_id, found[-1].owners) == (stretch.set_id, stretch.owners):
            found[-1] = Stretch(found[-1].starts_at, stretch.ends_at, stretch.set_id, stretch.owners)
        else:
            found.append(stretch)
    return found


def stretch_at(stretches: Sequence[Stretch], at: datetime) -> Stretch | None:
    """Returns the stretch that covers `at`; none before the first."""
    begun = [stretch for stretch in stretches if stretch.starts_at <= at]
    return begun[-1] if begun and (begun[-1].ends_at is None or at < begun[-1].ends_at) else None


def answers_in(sets: Collection[int]) -> dict[int, Answers]:
    """Returns the features of each entitlement set, by its id, in one query. Raises SetDamaged."""
    found: dict[int, Answers] = {}
    for pk, body, digest in EntitlementSet.objects.filter(pk__in=sets).values_list("pk", "body", "digest"):
        if hashlib.sha256(body.encode()).hexdigest() != digest:
            raise SetDamaged(
                "A stored entitlement set was changed by somebody; it is not told.",
                blocking={"kind": "entitlement_set", "code": digest},
                next_action="Tell whoever operates Planarium.",
            )
        found[pk] = json.loads(body)["features"]
    return found


def last_change(stretches: Sequence[Stretch], feature: str, at: datetime) -> AnswerChange | None:
    """Returns at which instant up to `at` the answer to `feature` became what it is at `at`; none if nothing is known.

    Looks back as far as it must, at fifty distinct sets a query.
    """
    begun = [stretch for stretch in stretches if stretch.starts_at <= at]
    if not begun:
        return None
    wanted = list(dict.fromkeys(stretch.set_id for stretch in reversed(begun)))
    known: dict[int, Mapping[str, Any]] = {}
    since = begun[-1]
    for stretch in reversed(begun):
        if stretch.set_id not in known:  # then it is the next one wanted
            found = answers_in(wanted[len(known) : len(known) + SETS_AT_ONCE])
            known |= {pk: _told(answers.get(feature)) for pk, answers in found.items()}
        if known[stretch.set_id] != known[begun[-1].set_id]:
            return AnswerChange(since.starts_at, known[stretch.set_id], known[begun[-1].set_id])
        since = stretch
    return AnswerChange(since.starts_at, None, known[begun[-1].set_id])


def _told(answer: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {"access": "none"} if answer is None else answer
