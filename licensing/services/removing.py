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
from licensing.models import ModuleLicense, Package
from licensing.selectors import seats_held
from licensing.services.commit import customer_commit
from licensing.services.periods import rewrite_customer
from licensing.services.seats import UserOutcome, write_outcomes


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
        packages = list(
            Package.objects.filter(
                customer=customer, owner__code__iexact=owner, state__in=[Package.State.ACTIVE, Package.State.PENDING]
            ).select_related("owner")
        )
        if not packages:
            raise NotFound("licence of owner", owner)
        issuer = packages[0].owner
        rows = ModuleLicense.objects.filter(package__in=packages, package__state=Package.State.ACTIVE)
        features = {code: data.get("name") or code for row in rows for code, data in row.grants.items()}
        losses = _losses(customer, issuer)
        held = seats_held(loss.user for loss in losses)
        Package.objects.filter(pk__in=[p.pk for p in packages], state=Package.State.PENDING).update(
            state=Package.State.WITHDRAWN
        )
        Package.objects.filter(pk__in=[p.pk for p in packages], state=Package.State.ACTIVE).update(
            state=Package.State.SUPERSEDED, ended_at=commit.at
        )
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
            object_type="owner",
            object_code=issuer.code,
            customer=customer,
            changes={"packages": [str(package) for package in packages], "users": len(losses)},
            reason=reason,
            at=commit.at,
        )
    return Removed(issuer, tuple(packages), losses, features, commit.head.number)


def _losses(customer: Customer, owner: Owner) -> tuple[Loss, ...]:
    users = list(
        CustomerUser.objects.filter(customer=customer, seats__owner=owner, seats__released_at=None)
        .distinct()
        .order_by("code")
    )
    held = seats_held(users)
    return tuple(
        Loss(user, tuple(module for module in sorted(held[user.pk]) if owner_of(module) == owner.code))
        for user in users
    )
