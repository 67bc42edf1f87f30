"""What changed at a customer after a revision, in order and whole (H-12): what keeps a snapshot up to date.

Read off what is recorded: the instants of revisions, and the periods that begin at them. What the clock has changed and
nobody has written down yet has its revision here already, the one that it will be written down with.

The past of a customer never changes: whoever commits in the meantime does so after the last instant that is told. So
these few queries need no transaction to agree with each other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from licensing.errors import ChangesGone, RevisionNotReached
from licensing.models import CustomerRevision, HoldingPeriod, RevisionEntry, UserPeriod
from licensing.models.revision import ERASING
from licensing.passed import instants_passed
from licensing.snapshots import State

MOST_USERS: Final = 10_000  # told per page; the revision in which there are more still comes whole


@dataclass(frozen=True, slots=True)
class Change:
    """What a revision brought: the users whose set is another than before, and what it is now; and the customer's."""

    revision: int
    at: datetime
    status: str
    owners: Mapping[str, str]
    whole: int | None
    users: Mapping[str, int]  # user code → set id


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of changes, up to `revision`; there are more while that is below the customer's own."""

    revision: int
    changes: Sequence[Change] = ()


def changes_after(state: State, after: int, *, most: int) -> Changes:
    """Returns what changed after the revision `after` and up to the state's instant, at most `most` revisions of it.

    Raises RevisionNotReached for a revision to come, ChangesGone where one in between is not recorded, or erased a
    user: who kept the old code would keep all that it had. No query where nothing changed.
    """
    if after > state.revision:
        raise RevisionNotReached(state.customer, asked=after, reached=state.revision)
    if after == state.revision:
        return Changes(after)
    head = CustomerRevision.objects.get(customer=state.customer_id)
    instants, erasing = _instants(head, after, state.as_of)
    if set(range(max(after, 1), state.revision + 1)) - instants.keys():
        raise ChangesGone(state.customer, after)
    if any(after < number <= state.revision for number in erasing):
        raise ChangesGone(state.customer, after, erased=True)
    page = range(after + 1, min(after + most, state.revision) + 1)
    history = _History(head, instants.get(after), instants[page[-1]])
    changes: list[Change] = []
    users = 0
    for number in page:
        change = history.change(number, instants.get(number - 1), instants[number])
        users += len(change.users)
        if changes and users > MOST_USERS:
            break
        changes.append(change)
    return Changes(changes[-1].revision, changes)


def _instants(head: CustomerRevision, after: int, at: datetime) -> tuple[dict[int, datetime], list[int]]:
    """Returns the instants of the revision `after` and of those that follow, up to `at`; and which erased a user."""
    recorded = RevisionEntry.objects.filter(customer=head.customer_id, number__gte=after, at__lte=at)
    entries = list(recorded.order_by().values_list("number", "at", "cause"))
    found: dict[int, datetime] = {number: instant for number, instant, _ in entries}
    if head.due_at is not None and head.due_at <= at:
        passed = enumerate(instants_passed(head.customer_id, head.stamp, at), start=head.number + 1)
        found |= {number: instant for number, instant in passed if number >= after}
    return found, [number for number, _, cause in entries if cause == ERASING]


class _Line:
    """What applied when: values in the order of the instants from which they do."""

    __slots__ = ("starts", "values")

    def __init__(self) -> None:
        self.starts: list[datetime] = []
        self.values: list[Any] = []

    def add(self, start: datetime, value: Any) -> None:
        self.starts.append(start)
        self.values.append(value)

    def at(self, instant: datetime | None) -> Any:
        place = bisect_right(self.starts, instant) if instant is not None else 0
        return self.values[place - 1] if place else None


class _History:
    """The periods of a customer that say what changed after `since` (none: ever) and up to `until`.

    Queries: the holdings' periods, and those of the users whom any change may concern.
    """

    def __init__(self, head: CustomerRevision, since: datetime | None, until: datetime) -> None:
        self.own = head.own_holding_id
        began = Q(starts_at__lte=until)
        new = began if since is None else began & Q(starts_at__gte=since)
        touching = began if since is None else began & (Q(ends_at=None) | Q(ends_at__gte=since))
        self.holdings: dict[int, _Line] = defaultdict(_Line)
        others = set()
        periods = HoldingPeriod.objects.filter(touching, customer=head.customer_id).order_by("starts_at")
        for holding, start, *given in periods.values_list("holding", "starts_at", "set", "status", "owners"):
            self.holdings[holding].add(start, tuple(given))
            if since is None or start >= since:
                others.add(holding)
        mine = UserPeriod.objects.filter(customer=head.customer_id)
        concerned = mine.filter(new | (touching & Q(holding__in=others))).order_by().values("user")
        rows = mine.filter(touching, user__in=concerned).order_by("starts_at")
        self.users: dict[str, _Line] = defaultdict(_Line)
        for code, start, holding in rows.values_list("user__code", "starts_at", "holding"):
            self.users[code].add(start, holding)

    def change(self, revision: int, before: datetime | None, at: datetime) -> Change:
        """Returns what is otherwise at `at` than at `before` (none: than nothing)."""
        whole, status, owners = self._given(self.own, at) or (None, "none", {})
        users = {}
        for code, line in self.users.items():
            now = self._set(line, at)
            if now is not None and (now != self._set(line, before) or before == at):
                users[code] = now
        return Change(revision, at, status, owners, whole, dict(sorted(users.items())))

    def _given(self, holding: int | None, at: datetime | None) -> tuple[int, str, dict[str, str]] | None:
        line = self.holdings.get(holding) if holding is not None else None
        found: tuple[int, str, dict[str, str]] | None = None if line is None else line.at(at)
        return found

    def _set(self, line: _Line, at: datetime | None) -> int | None:
        given = self._given(line.at(at), at)
        return None if given is None else given[0]
