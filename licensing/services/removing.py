"""Takes a partner's licence away from a customer: its package ends, and the seats of its modules are given back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from catalog.models import Owner
from customers import audit
from customers.actor import Actor
from customers.errors import NotFound
from customers.models import Customer, CustomerUser
from licensing.errors import OwnLicenseStays
from licensing.facts import owner_of
from licensing.models import ModuleLicense, Package, Seat
from licensing.selectors import seats_held
from licensing.services.change_sets import UserOutcome, write_outcomes
from licensing.services.commit import Commit, customer_commit
from licensing.services.packages import supersede, withdraw
from licensing.services.periods import rewrite_customer


@dataclass(frozen=True, slots=True)
class Loss:
    """What one user would lose: the seats, by `owner.module`."""

    user: CustomerUser
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal takes: the packages, each user's seats, and the features that the rows granted, code → name."""

    owner: Owner
    packages: tuple[Package, ...]
    losses: tuple[Loss, ...]
    features: Mapping[str, str]
    revision: int


def remove_license(
    *,
    customer: Customer,
    actor: Actor,
    owner: str,
    reason: str = "",
    at: datetime | None = None,
    dry_run: bool = False,
) -> Removed:
    """Ends the package of a partner, and withdraws one that waits. Raises OwnLicenseStays (C-38), NotFound."""
    if owner.upper() == settings.OWN_OWNER:
        raise OwnLicenseStays(settings.OWN_OWNER)
    with customer_commit(customer=customer, actor=actor, cause="license.removed", at=at, dry_run=dry_run) as commit:
        mine = Package.objects.filter(customer=customer, owner__code__iexact=owner)
        in_force, to_come = mine.active(commit.at), mine.pending() | mine.scheduled()
        packages = list((in_force | to_come).select_related("owner"))
        if not packages:
            raise NotFound("licence of owner", owner)
        issuer = packages[0].owner
        rows = ModuleLicense.objects.filter(customer=customer, package__owner=issuer).active(commit.at)
        features = {code: data.get("name") or code for row in rows for code, data in row.grants.items()}
        losses = _losses(commit, issuer)
        held = seats_held([loss.user for loss in losses], commit.at)
        commit.moves_contract = True
        withdraw(commit, to_come)
        supersede(commit, in_force)
        commit.changed()
        outcomes = [
            UserOutcome(loss.user, before := frozenset(held[loss.user.pk]), before - frozenset(loss.modules))
            for loss in losses
        ]
        write_outcomes(commit, outcomes, held, reason or f"The licence of {issuer.code} was removed.")
        rewrite_customer(commit)
        audit.record(
            actor=actor,
            action="license.removed",
            object_type="license",
            object_code=issuer.code,
            customer=customer,
            changes={"packages": [str(package) for package in packages], "users": len(losses)},
            reason=reason,
            at=commit.at,
        )
    return Removed(issuer, tuple(packages), losses, features, commit.head.number)


def _losses(commit: Commit, owner: Owner) -> tuple[Loss, ...]:
    seats = Seat.objects.held(commit.at).filter(customer=commit.customer, owner=owner)
    users = list(
        CustomerUser.objects.filter(pk__in=seats.order_by().values("user")).select_related("customer").order_by("code")
    )
    held = seats_held(users, commit.at)
    return tuple(
        Loss(user, tuple(module for module in sorted(held[user.pk]) if owner_of(module) == owner.code))
        for user in users
    )
