"""Accounts: who can sign in, and which staff roles they have."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Q

from customers import audit
from customers.actor import Actor
from customers.errors import Invalid
from customers.models import Account, CustomerUser, StaffRole


@transaction.atomic
def create_account(
    *, actor: Actor, email: str, at: datetime, name: str = "", password: str | None = None, roles: Collection[str] = ()
) -> Account:
    """Returns a new account with these staff roles; without a password it can't sign in until one is set.

    Raises ValidationError for a bad or taken address, Invalid for an unknown role.
    """
    account = Account.objects.create_user(email, password, name=name, date_joined=at)
    audit.record(
        actor=actor,
        action="account.created",
        object_type="account",
        object_code=account.email,
        changes={"name": [None, account.name]},
        at=at,
    )
    if roles:
        set_staff_roles(actor=actor, account=account, roles=roles, at=at)
    return account


@transaction.atomic
def edit_account(*, actor: Actor, account: Account, at: datetime, email: str, name: str, is_active: bool) -> Account:
    """Returns the account with a changed address or name, or shut. Raises ValidationError."""
    recorded = Account.objects.select_for_update().get(pk=account.pk)
    wanted = {"email": email.strip(), "name": name, "is_active": is_active}
    changes = {field: [getattr(recorded, field), value] for field, value in wanted.items()}
    changes = {field: pair for field, pair in changes.items() if pair[0] != pair[1]}
    for field, value in wanted.items():
        setattr(account, field, value)
    if changes:
        account.full_clean(exclude={"password"})
        account.save(update_fields=list(changes))
        audit.record(
            actor=actor,
            action="account.edited",
            object_type="account",
            object_code=account.email,
            changes=changes,
            at=at,
        )
    return account


@transaction.atomic
def set_staff_roles(*, actor: Actor, account: Account, roles: Collection[str], at: datetime) -> Account:
    """Returns the account holding exactly these staff roles; with any, it may open the admin. Raises Invalid."""
    unknown = sorted(set(roles) - set(StaffRole.Role.values))
    if unknown:
        message = f"There is no staff role {', '.join(map(repr, unknown))}."
        raise Invalid(message, [{"field": "roles", "message": message}])
    Account.objects.select_for_update().get(pk=account.pk)
    held = set(account.staff_roles.values_list("role", flat=True))
    if held == set(roles):
        return account
    account.staff_roles.exclude(role__in=roles).delete()
    StaffRole.objects.bulk_create(StaffRole(account=account, role=role) for role in sorted(set(roles) - held))
    account.is_staff = bool(roles) or account.is_superuser
    account.save(update_fields=["is_staff"])
    audit.record(
        actor=actor,
        action="account.roles_set",
        object_type="account",
        object_code=account.email,
        changes={"roles": [sorted(held), sorted(set(roles))]},
        at=at,
    )
    return account


@transaction.atomic
def set_password(*, actor: Actor, account: Account, password: str, at: datetime) -> Account:
    """Returns the account with this password; its other sessions end. The trail keeps the fact only."""
    account.set_password(password)
    account.save(update_fields=["password"])
    audit.record(actor=actor, action="account.password_set", object_type="account", object_code=account.email, at=at)
    return account


def record_own_change(*, account: Account, what: str, at: datetime) -> None:
    """Tells the trail what people changed about their own sign-in: `password_changed`, `totp_activated`, …"""
    audit.record(
        actor=Actor(account=account), action=f"account.{what}", object_type="account", object_code=account.email, at=at
    )


@transaction.atomic
def remove_second_step(*, actor: Actor, second_step: Authenticator, at: datetime) -> None:
    """Removes a second step that somebody has lost; they sign in without it, and can set up another."""
    account = Account.objects.get(pk=second_step.user_id)
    audit.record(
        actor=actor,
        action="account.second_step_removed",
        object_type="account",
        object_code=account.email,
        changes={"second_step": [second_step.type, None]},
        at=at,
    )
    second_step.delete()


def note_seen(*, account: Account, at: datetime) -> int:
    """Remembers that the account signed in, with every user linked to it; returns how many. Never moves it back.

    It changes no answer, and so counts no revision (docs/adr/0017).
    """
    seen_before = Q(last_seen_at=None) | Q(last_seen_at__lt=at)
    linked = CustomerUser.objects.able_to_hold_seats().filter(seen_before, account=account)
    return int(linked.update(last_seen_at=at))
