"""Who administers a customer, or may look at it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from customers import audit
from customers.actor import Actor
from customers.models import Account, Customer, Membership


@transaction.atomic
def add_member(*, actor: Actor, customer: Customer, account: Account, role: str, at: datetime) -> Membership:
    """Returns the new membership. Raises ValidationError for an unknown role or a second membership."""
    membership = Membership(customer=customer, account=account, role=role)
    membership.full_clean()
    membership.save()
    _record(actor, membership, "member.added", [None, role], at)
    return membership


@transaction.atomic
def change_member(*, actor: Actor, membership: Membership, role: str, at: datetime) -> Membership:
    """Returns the membership with another role. Raises ValidationError for an unknown one."""
    recorded = Membership.objects.select_for_update().get(pk=membership.pk)
    membership.role = role
    if recorded.role == role:
        return membership
    membership.full_clean()
    membership.save(update_fields=["role"])
    _record(actor, membership, "member.changed", [recorded.role, role], at)
    return membership


@transaction.atomic
def remove_member(*, actor: Actor, membership: Membership, at: datetime) -> None:
    """Ends a membership; the account itself stays."""
    _record(actor, membership, "member.removed", [membership.role, None], at)
    membership.delete()


def _record(actor: Actor, membership: Membership, action: str, role: list[str | None], at: datetime) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_type="membership",
        object_code=membership.account.email,
        changes={"role": role},
        customer=membership.customer,
        at=at,
    )
