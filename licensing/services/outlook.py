"""What moving one customer to a content would do there: to its users, and what would be in the way (rules I-1 to I-7).

Everything is at hand; nothing here asks the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from catalog.models import Owner
from licensing.compiling import CompiledItem, compile_rows
from licensing.facts import HolderKind
from licensing.facts import Holding as HoldingFact
from licensing.impact import Impact, impact
from licensing.models import ImpactProblem, Package, SubscriptionItem
from licensing.seating import Inventory
from licensing.selectors import Timeline
from licensing.services.packages import compiled_items, license_of
from licensing.services.seats import inventory_of
from licensing.services.subscriptions import content_faults

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
    owner: Owner


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


def outlook(step: Step, known: At) -> Outlook:
    """Returns what the step would do to the customer."""
    now = compiled_items(known.items)
    moved = [_moved(item, step) for item in now]
    after = _with_package(known, moved)
    people = [(holding, users) for holding, users in known.holdings if holding.kind is HolderKind.USER]
    found = impact(known.timeline.facts(known.at), after.facts(known.at), people, step.module)
    versions = sorted({item.number for item in now if item.code == step.offer})
    problems = [*_faults(moved), *_too_few(after, known), *_missed(known.timeline, after, people)]
    return Outlook(known.customer, versions, found, problems)


def _moved(item: CompiledItem, step: Step) -> CompiledItem:
    if item.code != step.offer:
        return item
    return replace(item, version_id=step.version, number=step.number, content=step.content)


def _with_package(known: At, items: Sequence[CompiledItem]) -> Timeline:
    """Returns the timeline with the own owner's package compiled from other items; the others' stay."""
    timeline, owner = known.timeline, known.owner
    own = next((package for package in timeline.packages if package.owner_id == owner.pk), None)
    if own is None:
        return timeline
    package = Package(customer_id=known.customer, owner=owner, license_version=own.license_version)
    kept = [row for row in timeline.rows if row.package.owner_id != owner.pk]
    new = [license_of(package, row, known.at) for row in compile_rows(items)]
    return replace(timeline, rows=(*kept, *new))


def _faults(items: Sequence[CompiledItem]) -> Iterator[Problem]:
    """Yields what the items would need or exclude of each other, be they plans or add-ons."""
    for fault in content_faults({item.code: (item.content, item.quantity) for item in items}):
        quantity = next((item.quantity for item in items if item.code == fault["offer"]), None)
        too_many = fault["code"] == "too_many"
        yield Problem(
            Kind(fault["code"]),
            fault["offer"],
            fault["message"],
            other=str(fault.get("needs", fault.get("excludes", ""))),
            in_use=quantity if too_many else None,
            new_total=fault.get("most"),
        )


def _too_few(after: Timeline, known: At) -> Iterator[Problem]:
    """Yields the own modules of which more seats are held than the new package would have: it would stay pending."""
    used: dict[str, int] = defaultdict(int)
    ours = f"{known.owner.code.lower()}."
    for holding, users in known.holdings:
        for module in holding.modules:
            if module.startswith(ours):
                used[module] += users
    rows = {row.full_name: row for row in after.rows if row.assignable}
    for module, in_use in sorted(used.items()):
        row = rows.get(module)
        total = row.license_number if row is not None else 0
        if in_use > total and not (row is not None and row.unrestricted):
            remove = in_use - total
            message = f"{module}: {in_use} in use, {total} in the new package, so {remove} would have to be given back."
            yield Problem(Kind.DOES_NOT_FIT, module, message, in_use=in_use, new_total=total, remove=remove)


def _missed(before: Timeline, after: Timeline, people: Holdings) -> Iterator[Problem]:
    """Yields the modules whose holders would no longer have what it needs; what lacked it before is no news."""
    then, now = _inventory(before), _inventory(after)
    users: dict[tuple[str, str], int] = defaultdict(int)
    for holding, count in people:
        for module in holding.modules:
            assignable = now.assignables.get(module)
            needed = assignable.prerequisite if assignable is not None else None
            if needed and then.has(holding.modules, needed) and not now.has(holding.modules, needed):
                users[module, needed] += count
    for (module, needed), count in sorted(users.items()):
        who = "1 user" if count == 1 else f"{count} users"
        message = f"{module} needs {needed}, which {who} would no longer have."
        yield Problem(Kind.PREREQUISITE, module, message, other=needed, users=count)


def _inventory(timeline: Timeline) -> Inventory:
    return inventory_of({row.full_name: row for row in timeline.rows})
