"""Who administers a customer, or may look at it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from customers import audit
from customers.actor import Actor
from customers.errors import Refusal
from customers.models import Account, Customer, Membership


class LastAdmin(Refusal):
    code = "last_admin"
    title = "The last admin"

    def __init__(self, membership: Membership) -> None:
        super().__init__(
            f"{membership.account.email} is the last admin of {membership.customer.name} who can sign in.",
            blocking={"kind": "membership", "code": membership.account.email},
            next_action="Make somebody else an admin first.",
        )


@transaction.atomic
def add_member(*, actor: Actor, customer: Customer, account: Account, role: str, at: datetime) -> Membership:
    """Returns the new membership. Raises ValidationError for an unknown role or a second membership."""
    membership = Membership(customer=customer, account=account, role=role)
    membership.full_clean()
    membership.save()
    _record(actor, membership, "member.added", [None, role], at)
    return membership


@transaction.atomic
def change_member(
    *, actor: Actor, membership: Membership, role: str, at: datetime, even_the_last: bool = False
) -> Membership:
    """Returns the membership with another role. Raises ValidationError for an unknown one.

    Without `even_the_last`, which is for our own people, it raises LastAdmin rather than leave nobody who can invite.
    """
    recorded = _locked(membership)
    was = recorded.role
    membership.role = role
    if was == role:
        return membership
    membership.full_clean()
    if not even_the_last and was == Membership.Role.ADMIN:
        _refuse_last(recorded)
    membership.save(update_fields=["role"])
    _record(actor, membership, "member.changed", [was, role], at)
    return membership


@transaction.atomic
def remove_member(*, actor: Actor, membership: Membership, at: datetime, even_the_last: bool = False) -> None:
    """Ends a membership; the account itself stays. Raises LastAdmin as `change_member` does."""
    recorded = _locked(membership)
    if not even_the_last and recorded.role == Membership.Role.ADMIN:
        _refuse_last(recorded)
    _record(actor, membership, "member.removed", [recorded.role, None], at)
    membership.delete()


def _locked(membership: Membership) -> Membership:
    """Returns the membership as recorded; nobody else changes who administers the customer meanwhile."""
    Customer.objects.select_for_update().get(pk=membership.customer_id)
    recorded: Membership = Membership.objects.select_related("account", "customer").get(pk=membership.pk)
    return recorded


def _refuse_last(membership: Membership) -> None:
    others = Membership.objects.of(membership.customer_id).administering().exclude(pk=membership.pk)
    if not others.exists():
        raise LastAdmin(membership)


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
