"""Activates a package that waits, once it fits; and releases what is superfluous for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from django.conf import settings

from customers.actor import Actor
from customers.errors import NotFound
from customers.models import Customer
from licensing.errors import NothingToActivate, WouldNotFit
from licensing.models import ChangeSet, Package
from licensing.recorded import SEALED
from licensing.services.commit import Commit, customer_commit
from licensing.services.packages import Superfluous, activate, named_seats, release_seats, superfluous_of
from licensing.services.sealing import refuse_damaged


@dataclass(frozen=True, slots=True)
class Released:
    """What came of removing the superfluous: the change set, what is left to remove, and whether it is active now."""

    package: Package
    change_set: ChangeSet | None
    left: tuple[Superfluous, ...]

    @property
    def is_active(self) -> bool:
        return self.package.state == Package.State.ACTIVE


def activate_package(
    *,
    customer: Customer,
    actor: Actor,
    owner: str | None = None,
    number: int | None = None,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Package:
    """Activates the pending package (of that `number`, if given) once it fits.

    Raises NothingToActivate, WouldNotFit, PackageDamaged, and NotFound where no package has that number.
    """
    with customer_commit(customer=customer, actor=actor, cause="package.activated", at=at, dry_run=dry_run) as commit:
        package = pending_package(commit, owner, number)
        superfluous = superfluous_of(package, commit.at)
        if superfluous:
            raise WouldNotFit(str(package), [asdict(row) for row in superfluous])
        activate(commit, package)
    return package


def release_superfluous(
    *,
    customer: Customer,
    actor: Actor,
    release: Mapping[str, Collection[str]],
    owner: str | None = None,
    number: int | None = None,
    reason: str = "",
    at: datetime | None = None,
    dry_run: bool = False,
) -> Released:
    """Releases seats (`owner.module` → user codes) in one change set; activates the pending package if it fits then.

    Whoever doesn't hold the seat is skipped. Raises NothingToActivate, PackageDamaged, NotFound.
    """
    with customer_commit(customer=customer, actor=actor, cause="seats.changed", at=at, dry_run=dry_run) as commit:
        package = pending_package(commit, owner, number)
        seats = named_seats(commit, package, release)
        change_set = release_seats(commit, seats, reason or f"Released for {package}.") if seats else None
        left = superfluous_of(package, commit.at)
        if not left:
            activate(commit, package)
    return Released(package, change_set, left)


def pending_package(commit: Commit, owner: str | None, number: int | None) -> Package:
    """Returns the package that waits. Raises NotFound (no such number), NothingToActivate (it doesn't wait),
    PackageDamaged."""
    code = owner or settings.OWN_OWNER
    mine = Package.objects.filter(customer=commit.customer, owner__code__iexact=code).select_related(*SEALED)
    if number is not None and not mine.filter(number=number).exists():
        raise NotFound("package", str(number))
    waiting = mine.pending() if number is None else mine.pending().filter(number=number)
    package: Package | None = waiting.first()
    if package is None:
        which = f"Package {number}" if number is not None else "No package"
        raise NothingToActivate(
            f"{which} of {code} is {'not ' if number is not None else ''}pending.",
            blocking={"kind": "owner", "code": code},
            next_action="Nothing needs to be done: what is bought is active, or becomes so on its day.",
        )
    refuse_damaged(package)
    return package
