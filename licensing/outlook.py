"""What is and what is to come at a customer: each package, what it brings, whose seats go, what is gained and lost.

Reads what a commit has derived; inside a dry run that is what would come of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from customers.models import Customer
from licensing.differences import Difference, differences
from licensing.facts import HolderKind, Holding, full_name
from licensing.models import ModuleLicense, Package, Seat
from licensing.recorded import SEALED, rows_of, trusted
from licensing.resolution import resolve
from licensing.selectors import Timeline, load_timeline, users_per_module


@dataclass(frozen=True, slots=True)
class ModuleChange:
    """A module in the package before and in this one (C-27). Totals are 0 where it isn't in it."""

    module: str
    name: str
    is_visible: bool
    is_site: bool
    before: int
    total: int
    was_unrestricted: bool
    unrestricted: bool
    in_use: int

    @property
    def added(self) -> int:
        """How many more there are, or fewer (below 0); what stays unrestricted has neither."""
        return 0 if self.unrestricted and self.was_unrestricted else self.total - self.before

    @property
    def free(self) -> int:
        """How many are left; says nothing of unrestricted ones, nor of what everybody has."""
        return max(self.total - self.in_use, 0)

    @property
    def superfluous(self) -> int:
        """How many seats are to be released before the package fits; 0 for hidden ones, which follow."""
        return 0 if self.unrestricted or not self.is_visible else max(self.in_use - self.total, 0)

    @property
    def is_other(self) -> bool:
        return self.added != 0 or self.was_unrestricted != self.unrestricted


@dataclass(frozen=True, slots=True)
class Leaving:
    """A seat that goes with a package."""

    user: str
    name: str
    module: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A package from when it is in force (none: it waits), what changes with it, and for whom."""

    package: Package
    starts_at: datetime | None
    modules: tuple[ModuleChange, ...]
    leaving: tuple[Leaving, ...]
    differences: tuple[Difference, ...]

    @property
    def changes(self) -> list[ModuleChange]:
        """The visible modules whose number is another one: what people are given first, then what all have."""
        found = [module for module in self.modules if module.is_other and module.is_visible]
        return sorted(found, key=lambda module: (module.is_site, module.name))


@dataclass(frozen=True, slots=True)
class Outlook:
    """The own owner's stages that begin at `at` or later, and the package that waits, if any."""

    at: datetime
    stages: tuple[Stage, ...]

    @property
    def pending(self) -> Stage | None:
        return next((stage for stage in self.stages if stage.starts_at is None), None)

    @property
    def leaving(self) -> list[tuple[datetime, Leaving]]:
        return [(stage.starts_at, seat) for stage in self.stages if stage.starts_at for seat in stage.leaving]


def outlook_of(customer: Customer, at: datetime, *, since: datetime | None = None) -> Outlook:
    """Returns what is to come after `at`; with `since`, also what begins there. Queries grow with stages alone."""
    timeline = load_timeline(customer, at, ahead=True)
    own = sorted((p for p in timeline.packages if p.owner.code == timeline.own_owner), key=_begins)
    present = next((package for package in own if package.is_in_force(at)), None)
    before: Package | None = None
    if since is not None and present is not None and present.activated_at == since:
        before = _before(present)
        later = own
    else:
        before = present
        later = [package for package in own if package is not present]
    stages = []
    for package in [*_waiting(customer, timeline.own_owner), *later]:
        stages.append(_stage(customer, timeline, before if package.activated_at else present, package, at))
        if package.activated_at:
            before = package
    return Outlook(at, tuple(stages))


def compare(package: Package, before: Package | None, used: Mapping[str, int]) -> tuple[ModuleChange, ...]:
    """Returns every module of either package with how it changes; `used` per `owner.module`. Two queries."""
    new, old = _rows(package), _rows(before) if before is not None else {}
    owner = package.owner.code
    found = []
    for name in sorted(new.keys() | old.keys()):
        row, was = new.get(name), old.get(name)
        known = row or was
        if known is None:
            raise AssertionError("it is in one of the two")
        module = full_name(owner, name)
        found.append(
            ModuleChange(
                module=module,
                name=known.module_description or name,
                is_visible=not known.hidden,
                is_site=known.license_type == ModuleLicense.Type.SITE,
                before=was.license_number if was is not None else 0,
                total=row.license_number if row is not None else 0,
                was_unrestricted=was is not None and was.unrestricted,
                unrestricted=row is not None and row.unrestricted,
                in_use=used.get(module, 0),
            )
        )
    return tuple(found)


def _stage(customer: Customer, timeline: Timeline, before: Package | None, package: Package, at: datetime) -> Stage:
    starts = package.activated_at
    instant = max(starts, at) if starts is not None else at
    modules = compare(package, before, users_per_module(customer, instant))
    return Stage(
        package,
        starts,
        modules,
        _leaving(customer, package, starts) if starts is not None else (),
        _differences(timeline, before, package, instant),
    )


def _leaving(customer: Customer, package: Package, at: datetime) -> tuple[Leaving, ...]:
    """Returns the seats that go with the package: planned, or released with it."""
    seats = Seat.objects.filter(customer=customer, owner=package.owner_id)
    found = list(seats.filter(leaves_at=at)) if package.state == Package.State.SCHEDULED else []
    found = found or list(seats.filter(released_at=at))
    names = dict(ModuleLicense.objects.filter(customer=customer).values_list("module_name", "module_description"))
    users = customer.users.in_bulk({seat.user_id for seat in found})
    listed = [
        Leaving(users[seat.user_id].code, users[seat.user_id].name, names.get(seat.module_name, seat.module_name))
        for seat in found
    ]
    return tuple(sorted(listed, key=lambda seat: (seat.module, seat.name, seat.user)))


def _differences(timeline: Timeline, before: Package | None, package: Package, at: datetime) -> tuple[Difference, ...]:
    """Returns what the customer as a whole gains and loses with the package."""
    holding = Holding(HolderKind.CUSTOMER)
    was = resolve(_with(timeline, before, at).facts(at), holding)
    return differences(was, resolve(_with(timeline, package, at).facts(at), holding))


def _with(timeline: Timeline, package: Package | None, at: datetime) -> Timeline:
    """Returns the timeline as if `package` were the own owner's from `at` on, as far as it is what was sealed."""
    others = [p for p in timeline.packages if p.owner.code != timeline.own_owner]
    rows = [row for row in timeline.rows if row.package.owner.code != timeline.own_owner]
    if package is None:
        return replace(timeline, packages=tuple(others), rows=tuple(rows))
    as_if = Package.objects.select_related(*SEALED).get(pk=package.pk)
    own = trusted(as_if, rows_of([as_if])[as_if.pk])
    if own is None:
        return _with(timeline, None, at)
    as_if.activated_at, as_if.ended_at = at, None
    for row in own:
        row.package = as_if
    return replace(timeline, packages=(*others, as_if), rows=(*rows, *own))


def _begins(package: Package) -> datetime:
    if package.activated_at is None:
        raise AssertionError("a timeline has no package that waits")
    return package.activated_at


def _before(package: Package) -> Package | None:
    """Returns the package whose place this one took."""
    mine = Package.objects.filter(customer=package.customer_id, owner=package.owner_id, ended_at=package.activated_at)
    found: Package | None = mine.select_related("owner").first()
    return found


def _waiting(customer: Customer, owner: str) -> list[Package]:
    return list(Package.objects.filter(customer=customer, owner__code=owner).pending().select_related("owner"))


def _rows(package: Package) -> dict[str, ModuleLicense]:
    return {row.module_name: row for row in ModuleLicense.objects.filter(package=package).defer("grants")}
