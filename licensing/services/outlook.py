"""What moving one customer to a content would do there: to its users, and what would be in the way (rules I-1 to I-7).

Everything is at hand; nothing here asks the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from catalog.models import Owner
from licensing.bundling import Member, judge
from licensing.compiling import USER, CompiledItem, Row, compile_rows
from licensing.differences import Difference, differences
from licensing.facts import HolderKind, full_name, owner_of
from licensing.facts import Holding as HoldingFact
from licensing.impact import Impact, impact
from licensing.models import ImpactProblem, Package, SubscriptionItem
from licensing.resolution import resolve
from licensing.seating import Inventory
from licensing.selectors import Timeline, row_likeness
from licensing.services.packages import compiled_items, license_of
from licensing.services.seats import inventory_of

MOST_REMEMBERED: Final = 20_000
Kind = ImpactProblem.Kind
Holdings = Sequence[tuple[HoldingFact, int]]


@dataclass(frozen=True, slots=True)
class Step:
    """To what the plan or add-on would be moved: a version (by id and number; 0: a draft's) with its content."""

    version: int
    number: int
    content: Mapping[str, Any]

    @property
    def offer(self) -> str:
        return str(self.content["offer"]["code"])

    @property
    def module(self) -> str | None:
        """The `owner.module` that its users hold; none where it is for the whole site."""
        return self.content["module"] if self.content["offer"]["scope"] == "user" else None


@dataclass(frozen=True, slots=True)
class At:
    """A customer at an instant: what is known of it, its holdings with how many users have each, its items."""

    customer: int
    at: datetime
    timeline: Timeline
    holdings: Holdings
    items: Sequence[SubscriptionItem]


@dataclass(frozen=True, slots=True)
class Problem:
    """The fields of an ImpactProblem."""

    kind: ImpactProblem.Kind
    subject: str
    message: str
    other: str = ""
    in_use: int | None = None
    new_total: int | None = None
    remove: int | None = None
    users: int | None = None

    @property
    def fields(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_blocking(self) -> bool:
        return self.kind in ImpactProblem.BLOCKING


@dataclass(frozen=True, slots=True)
class Outlook:
    """`versions` are the numbers that the customer is on now."""

    customer: int
    versions: list[int]
    impact: Impact
    problems: list[Problem]

    @property
    def is_stopped(self) -> bool:
        return any(problem.is_blocking for problem in self.problems)


class Seer:
    """Foresees one step, customer after customer.

    Customers who bought the same, and users who hold the same there, fare the same (rule I-8): each distinct case is
    resolved once and remembered, up to `MOST_REMEMBERED`.
    """

    def __init__(self, step: Step, owner: Owner, ranks: Mapping[str, int]) -> None:
        """`ranks` are those of the tiers, by code."""
        self.step, self.owner, self.ranks = step, owner, ranks
        self._seen: dict[Hashable, _Fate] = {}

    def outlook(self, known: At) -> Outlook:
        """Returns what the step would do to the customer."""
        now = compiled_items(known.items)
        moved = [_moved(item, self.step) for item in now]
        has_package = any(package.owner_id == self.owner.pk for package in known.timeline.packages)
        after = _After(known, self.owner, compile_rows(moved)) if has_package else None
        people = [(holding, users) for holding, users in known.holdings if holding.kind is HolderKind.USER]
        fates = self._fates(known, after, [holding for holding, _ in people])
        found = impact(lambda holding: fates[holding].differences, people, self.step.module)
        problems = [*_misfits(moved, self.ranks)]
        if after is not None:
            problems += _too_few(after, known.holdings)
        problems += _missed((fates[holding].missed, users) for holding, users in people)
        versions = sorted({item.number for item in now if item.code == self.step.offer})
        return Outlook(known.customer, versions, found, problems)

    def _fates(self, known: At, after: _After | None, holdings: Sequence[HoldingFact]) -> dict[HoldingFact, _Fate]:
        if after is None:
            return dict.fromkeys(holdings, _Fate((), ()))
        alike = (known.timeline.likeness(known.at), after.likeness)
        case: _Case | None = None
        fates = {}
        for holding in holdings:
            fate = self._seen.get((alike, holding))
            if fate is None:
                case = case or _Case(known.timeline, after.timeline, known.at)
                fate = case.fate(holding)
                if len(self._seen) >= MOST_REMEMBERED:
                    self._seen.clear()
                self._seen[alike, holding] = fate
            fates[holding] = fate
        return fates


@dataclass(frozen=True, slots=True)
class _Fate:
    """What happens to whoever holds something: what differs, and (module, what it needs and would no longer have)."""

    differences: tuple[Difference, ...]
    missed: tuple[tuple[str, str], ...]


class _Case:
    """A customer before and after, to be asked about its holdings."""

    def __init__(self, before: Timeline, after: Timeline, at: datetime) -> None:
        self.before, self.after = before.facts(at), after.facts(at)
        self.then, self.now = _inventory(before), _inventory(after)

    def fate(self, holding: HoldingFact) -> _Fate:
        found = differences(resolve(self.before, holding), resolve(self.after, holding))
        return _Fate(found, tuple(self._missed(holding)))

    def _missed(self, holding: HoldingFact) -> Iterator[tuple[str, str]]:
        for module in sorted(holding.modules):
            assignable = self.now.assignables.get(module)
            needed = assignable.prerequisite if assignable is not None else None
            had = needed is not None and self.then.has(holding.modules, needed)
            if needed is not None and had and not self.now.has(holding.modules, needed):
                yield module, needed


class _After:
    """A customer once the own owner's package is compiled from other items; the packages of others stay."""

    def __init__(self, known: At, owner: Owner, rows: Sequence[Row]) -> None:
        self.known, self.owner, self.rows = known, owner, rows
        self.kept = [row for row in known.timeline.rows if row.package.owner_id != owner.pk]

    @property
    def likeness(self) -> Hashable:
        likes = [row_likeness(self.owner.code, row) for row in self.rows]
        likes += [row_likeness(row.package.owner.code, row) for row in self.kept]
        return frozenset(likes)

    @property
    def timeline(self) -> Timeline:
        package = Package(customer_id=self.known.customer, owner=self.owner, activated_at=self.known.at)
        new = [license_of(package, row, self.known.at) for row in self.rows]
        return replace(self.known.timeline, rows=(*self.kept, *new))


def _moved(item: CompiledItem, step: Step) -> CompiledItem:
    if item.code != step.offer:
        return item
    return replace(item, version_id=step.version, number=step.number, content=step.content)


def _misfits(items: Sequence[CompiledItem], ranks: Mapping[str, int]) -> Iterator[Problem]:
    """Yields what the items would need or exclude of each other, be they plans or add-ons."""
    members = {item.code: Member.of_content(item.content, item.quantity) for item in items}
    for misfit in judge(members.values(), ranks):
        yield Problem(
            Kind(misfit.code),
            misfit.offer,
            misfit.message,
            other=misfit.target,
            in_use=members[misfit.offer].quantity if misfit.code == "too_many" else None,
            new_total=misfit.most,
        )


def _too_few(after: _After, holdings: Holdings) -> Iterator[Problem]:
    """Yields the own modules of which more seats are held than the new package would have: it would stay pending."""
    used: Counter[str] = Counter()
    for holding, users in holdings:
        for module in holding.modules:
            used[module] += users
    owner = after.owner.code
    rows = {full_name(owner, row.module_name): row for row in after.rows if row.license_type == USER and not row.hidden}
    for module, in_use in sorted(used.items()):
        row = rows.get(module)
        total = row.license_number if row is not None else 0
        if owner_of(module) == owner and in_use > total and not (row is not None and row.unrestricted):
            remove = in_use - total
            message = f"{module}: {in_use} in use, {total} in the new package, so {remove} would have to be given back."
            yield Problem(Kind.DOES_NOT_FIT, module, message, in_use=in_use, new_total=total, remove=remove)


def _missed(fates: Iterable[tuple[Sequence[tuple[str, str]], int]]) -> Iterator[Problem]:
    """Yields the modules whose holders would no longer have what they need; what lacked it before is no news."""
    users: Counter[tuple[str, str]] = Counter()
    for pairs, count in fates:
        users.update(dict.fromkeys(pairs, count))
    for (module, needed), count in sorted(users.items()):
        who = "1 user" if count == 1 else f"{count} users"
        message = f"{module} needs {needed}, which {who} would no longer have."
        yield Problem(Kind.PREREQUISITE, module, message, other=needed, users=count)


def _inventory(timeline: Timeline) -> Inventory:
    return inventory_of({row.full_name: row for row in timeline.rows})
