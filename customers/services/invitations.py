"""Inviting people to administer a customer or to look at it; by mail, once, for seven days (rules Y-1 to Y-6)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.validators import validate_email
from django.db import transaction
from django.template.loader import render_to_string

from customers import audit
from customers.actor import Actor
from customers.errors import Refusal
from customers.letters import seal
from customers.models import Account, Customer, Invitation, Membership
from customers.outbox import enqueue
from customers.services.accounts import create_account
from customers.services.members import add_member, change_member

VALID_FOR: Final = timedelta(days=7)
# Turns a token into the address that the letter names.
Link = Callable[[str], str]


class AlreadyMember(Refusal):
    code = "already_member"
    title = "Already a member"

    def __init__(self, membership: Membership) -> None:
        super().__init__(
            f"{membership.account.email} is {membership.get_role_display()} here already.",
            blocking={"kind": "membership", "code": membership.account.email},
            next_action="Change the role of the member instead.",
        )


class AlreadyInvited(Refusal):
    code = "already_invited"
    title = "Already invited"

    def __init__(self, invitation: Invitation) -> None:
        super().__init__(
            f"{invitation.email} has been invited already.",
            blocking={"kind": "invitation", "code": invitation.email},
            next_action="Send that invitation again, or withdraw it first.",
        )


class InvitationGone(Refusal):
    """One answer for a link that was never one, was used, is too old, or was withdrawn."""

    code = "invitation_gone"
    status = 410
    title = "Invitation gone"

    def __init__(self) -> None:
        super().__init__(
            "This invitation has been used or withdrawn, or is too old.",
            next_action="Ask whoever invited you to send it again.",
        )


class InvitedAnother(Refusal):
    code = "invited_another"
    status = 403
    title = "Meant for another address"

    def __init__(self) -> None:
        super().__init__(
            "This invitation was sent to another address than that of your account.",
            next_action="Sign out, then open the link again.",
        )


# ── Those who invite ────────────────────────────────────────────────────────
@transaction.atomic
def invite(*, actor: Actor, customer: Customer, email: str, role: str, link: Link, at: datetime) -> Invitation:
    """Returns the invitation; its letter waits in the outbox. One that has run out gives way to the new one.

    Raises AlreadyMember, AlreadyInvited, and ValidationError for a bad address or an unknown role. Whether the address
    has an account elsewhere makes no difference.
    """
    email = email.strip()
    validate_email(email)  # before anybody is asked for it
    Customer.objects.select_for_update().get(pk=customer.pk)
    member = Membership.objects.of(customer).filter(account__email__iexact=email).select_related("account").first()
    if member is not None:
        raise AlreadyMember(member)
    before = Invitation.objects.of(customer).to(email).open().first()
    if before is not None and before.is_usable(at):
        raise AlreadyInvited(before)
    if before is not None:
        withdraw_invitation(actor=actor, invitation=before, at=at)
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        customer=customer,
        email=email,
        role=role,
        invited_by=actor.account,
        inviter=actor.label,
        invited_at=at,
        token_digest=digest_of(token),
        sent_at=at,
        expires_at=at + VALID_FOR,
    )
    invitation.full_clean()
    invitation.save()
    _send(invitation, token, link, at)
    _record(actor, invitation, "invitation.sent", at, role=[None, role])
    return invitation


@transaction.atomic
def resend_invitation(*, actor: Actor, invitation: Invitation, link: Link, at: datetime) -> Invitation:
    """Returns the invitation with a new link, good for seven days from now; the old link opens nothing any more.

    Raises InvitationGone for one that was accepted or withdrawn.
    """
    recorded = _locked(invitation.pk)
    token = secrets.token_urlsafe(32)
    was = recorded.expires_at
    recorded.token_digest, recorded.sent_at, recorded.expires_at = digest_of(token), at, at + VALID_FOR
    recorded.save(update_fields=["token_digest", "sent_at", "expires_at"])
    _send(recorded, token, link, at)
    expires: list[str | None] = [was.isoformat(), recorded.expires_at.isoformat()]
    _record(actor, recorded, "invitation.sent_again", at, expires_at=expires)
    return recorded


@transaction.atomic
def withdraw_invitation(*, actor: Actor, invitation: Invitation, at: datetime) -> Invitation:
    """Returns the invitation, whose link opens nothing any more. Raises InvitationGone."""
    recorded = _locked(invitation.pk)
    recorded.withdrawn_at = at
    recorded.save(update_fields=["withdrawn_at"])
    _record(actor, recorded, "invitation.withdrawn", at, role=[recorded.role, None])
    return recorded


# ── Those who are invited ───────────────────────────────────────────────────
def find_invitation(token: str, *, at: datetime) -> Invitation:
    """Returns the invitation that this link opens. Raises InvitationGone. One query."""
    found: Invitation | None = (
        Invitation.objects.usable(at).select_related("customer").filter(token_digest=digest_of(token)).first()
    )
    if found is None:
        raise InvitationGone
    return found


def invited_account(invitation: Invitation) -> Account | None:
    """Returns the account of the address, if there is one."""
    return Account.objects.filter(email__iexact=invitation.email).first()


@transaction.atomic
def accept_as_new(*, token: str, name: str, password: str, at: datetime) -> Account:
    """Returns the new account of the invited address, a member of the customer. Whoever has the link reads its mail.

    Raises InvitationGone, and ValidationError where the address has got an account in the meantime. The password is
    the caller's to check.
    """
    invitation = _found_and_locked(token, at)
    inviter = Actor(account=invitation.invited_by)
    account = create_account(actor=inviter, email=invitation.email, name=name, password=password, at=at)
    _accept(invitation, account, at)
    return account


@transaction.atomic
def accept_as(*, token: str, account: Account, at: datetime) -> Membership:
    """Returns the membership of an account whose address is the invited one; the higher of two roles stays.

    Raises InvitationGone, InvitedAnother.
    """
    invitation = _found_and_locked(token, at)
    if account.email.lower() != invitation.email.lower():
        raise InvitedAnother
    return _accept(invitation, account, at)


def digest_of(token: str) -> str:
    """Returns the SHA-256 of a token, hex: what is kept of it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _accept(invitation: Invitation, account: Account, at: datetime) -> Membership:
    actor, customer = Actor(account=account), invitation.customer
    invitation.accepted_at, invitation.accepted_by = at, account
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    _record(actor, invitation, "invitation.accepted", at, role=[None, invitation.role])
    held: Membership | None = Membership.objects.filter(customer=customer, account=account).first()
    if held is None:
        return add_member(actor=actor, customer=customer, account=account, role=invitation.role, at=at)
    if invitation.role == Membership.Role.ADMIN:
        return change_member(actor=actor, membership=held, role=invitation.role, at=at)
    return held


def _found_and_locked(token: str, at: datetime) -> Invitation:
    found = find_invitation(token, at=at)
    Customer.objects.select_for_update().get(pk=found.customer_id)
    locked = _locked(found.pk)
    if locked.token_digest != found.token_digest:
        raise InvitationGone
    return locked


def _locked(pk: int) -> Invitation:
    """Returns an open invitation that nobody else is changing. Raises InvitationGone."""
    rows = Invitation.objects.select_for_update(of=("self",)).select_related("customer", "invited_by").open()
    found: Invitation | None = rows.filter(pk=pk).first()
    if found is None:
        raise InvitationGone
    return found


def _send(invitation: Invitation, token: str, link: Link, at: datetime) -> None:
    context: dict[str, Any] = {"invitation": invitation, "link": link(token)}
    enqueue(
        topic="mail",
        payload={
            "to": [invitation.email],
            "subject": f"Planarium: {invitation.customer.name} invites you",
            "sealed": seal(render_to_string("customers/invitation_letter.txt", context)),
        },
        customer=invitation.customer,
        at=at,
    )


def _record(actor: Actor, invitation: Invitation, action: str, at: datetime, **changes: list[str | None]) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_type="invitation",
        object_code=invitation.email,
        changes=changes,
        customer=invitation.customer,
        at=at,
    )
