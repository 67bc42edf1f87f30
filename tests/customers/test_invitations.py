"""Kari invites Ida to Fjordlys: by mail, once, for seven days. Rules Y-1 to Y-6."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from customers.actor import SYSTEM, Actor
from customers.models import Account, AuditEvent, Customer, Invitation, Membership, OutboxMessage
from customers.outbox import deliver_due
from customers.services import invitations, members
from customers.services.invitations import AlreadyInvited, AlreadyMember, InvitationGone, InvitedAnother
from tests.factories.customers import NOON, AccountFactory, CustomerFactory, MembershipFactory

IDA = "ida@fjordlys.example"
PASSWORD = "lighthouse in the fog"


def invite(by: Account, customer: Customer, email: str = IDA, role: str = "admin", **how: Any) -> Invitation:
    said: dict[str, Any] = {"actor": Actor(account=by), "link": "https://plans.example/{}/".format, "at": NOON, **how}
    return invitations.invite(customer=customer, email=email, role=role, **said)


def letter() -> str:
    """Returns the newest letter, as it arrives."""
    deliver_due(now=timezone.now())
    return str(mail.outbox[-1].body)


def token() -> str:
    found = re.search(r"plans\.example/([^/]+)/", letter())
    assert found is not None
    return found[1]


# ── Inviting ────────────────────────────────────────────────────────────────
def test_the_letter_says_who_invites_to_what_and_until_when(kari: Account, fjordlys: Customer) -> None:
    invite(kari, fjordlys)
    body = letter()
    assert mail.outbox[-1].to == [IDA]
    assert mail.outbox[-1].subject == "Planarium: Fjordlys AS invites you"
    assert "Kari Nordmann invites you to administer Fjordlys AS" in body
    assert "until 12 January 2026, 12:00 (UTC)" in body


def test_what_is_kept_opens_nothing(kari: Account, fjordlys: Customer) -> None:
    """Y-2: neither the row nor the outbox, which auditors may read, tells the link."""
    invitation = invite(kari, fjordlys)
    kept = str(OutboxMessage.objects.get().payload) + str(Invitation.objects.values().get())
    assert token() not in kept
    assert "plans.example" not in kept
    assert invitations.find_invitation(token(), at=NOON) == invitation


@pytest.mark.parametrize("email", ["", "ida", "ida@", "\0", "i" * 300 + "@fjordlys.example"])
def test_an_address_has_to_be_one(kari: Account, fjordlys: Customer, email: str) -> None:
    with pytest.raises(ValidationError):
        invite(kari, fjordlys, email=email)
    assert not OutboxMessage.objects.exists()


def test_a_role_is_admin_or_viewer(kari: Account, fjordlys: Customer) -> None:
    with pytest.raises(ValidationError):
        invite(kari, fjordlys, role="owner")


def test_nobody_is_invited_twice_nor_a_member_at_all(kari: Account, fjordlys: Customer, nordvik: Customer) -> None:
    """Y-3: ignoring case; another customer's invitation is no hindrance, an old one gives way."""
    first = invite(kari, fjordlys)
    with pytest.raises(AlreadyInvited):
        invite(kari, fjordlys, email="IDA@Fjordlys.example")
    with pytest.raises(AlreadyMember):
        invite(kari, fjordlys, email="Kari@fjordlys.example")
    invite(kari, nordvik)
    again = invite(kari, fjordlys, at=NOON + timedelta(days=8))
    first.refresh_from_db()
    assert first.withdrawn_at == NOON + timedelta(days=8)
    assert list(Invitation.objects.of(fjordlys).open()) == [again]


def test_it_makes_no_difference_whether_the_address_has_an_account(
    kari: Account, fjordlys: Customer, nils: Account
) -> None:
    """Y-1: nobody learns by inviting who else is here."""
    told = [invite(kari, fjordlys, email=email) for email in (nils.email, "stranger@nordvik.example")]
    letters = OutboxMessage.objects.order_by("pk")
    assert len({(row.role, row.inviter, row.expires_at) for row in told}) == 1
    assert len({(row.payload["subject"], row.topic, row.next_attempt_at) for row in letters}) == 1


# ── The link ────────────────────────────────────────────────────────────────
def test_a_link_works_once(kari: Account, fjordlys: Customer) -> None:
    invite(kari, fjordlys)
    opened = token()
    invitations.accept_as_new(token=opened, name="Ida Iversen", password=PASSWORD, at=NOON)
    with pytest.raises(InvitationGone):
        invitations.accept_as_new(token=opened, name="Somebody", password=PASSWORD, at=NOON)


def test_a_link_works_for_seven_days(kari: Account, fjordlys: Customer) -> None:
    invite(kari, fjordlys)
    opened = token()
    assert invitations.find_invitation(opened, at=NOON + timedelta(days=7, microseconds=-1)).email == IDA
    with pytest.raises(InvitationGone):
        invitations.find_invitation(opened, at=NOON + timedelta(days=7))


def test_sent_again_the_old_link_is_dead_and_the_new_one_lives(kari: Account, fjordlys: Customer) -> None:
    invitation = invite(kari, fjordlys)
    old, later = token(), NOON + timedelta(days=9)
    link: Any = "https://plans.example/{}/".format
    invitations.resend_invitation(actor=Actor(account=kari), invitation=invitation, link=link, at=later)
    with pytest.raises(InvitationGone):
        invitations.find_invitation(old, at=later)
    assert invitations.find_invitation(token(), at=later + timedelta(days=6)) == invitation


def test_withdrawn_it_opens_nothing(kari: Account, fjordlys: Customer) -> None:
    invitation = invite(kari, fjordlys)
    invitations.withdraw_invitation(actor=SYSTEM, invitation=invitation, at=NOON)
    with pytest.raises(InvitationGone):
        invitations.find_invitation(token(), at=NOON)
    with pytest.raises(InvitationGone):
        invitations.withdraw_invitation(actor=SYSTEM, invitation=invitation, at=NOON)


# ── Accepting ───────────────────────────────────────────────────────────────
def test_whoever_is_new_gets_an_account_and_the_membership(kari: Account, fjordlys: Customer) -> None:
    invite(kari, fjordlys)
    ida = invitations.accept_as_new(token=token(), name="Ida Iversen", password=PASSWORD, at=NOON)
    assert (ida.email, ida.check_password(PASSWORD)) == (IDA, True)
    assert Membership.objects.get(account=ida).role == "admin"
    told = AuditEvent.objects.filter(object_code=IDA).order_by("pk").values_list("action", "actor")
    assert list(told) == [
        ("invitation.sent", "Kari Nordmann"),
        ("account.created", "Kari Nordmann"),
        ("invitation.accepted", "Ida Iversen"),
        ("member.added", "Ida Iversen"),
    ]


def test_an_account_accepts_for_its_own_address_alone(kari: Account, fjordlys: Customer, nils: Account) -> None:
    """Y-5"""
    ida: Account = AccountFactory(name="Ida", email="Ida@Fjordlys.example")
    invite(kari, fjordlys)
    opened = token()
    with pytest.raises(InvitedAnother):
        invitations.accept_as(token=opened, account=nils, at=NOON)
    assert invitations.accept_as(token=opened, account=ida, at=NOON).customer == fjordlys


@pytest.mark.parametrize(("held", "invited", "then"), [("admin", "viewer", "admin"), ("viewer", "admin", "admin")])
def test_of_two_roles_the_higher_stays(kari: Account, fjordlys: Customer, held: str, invited: str, then: str) -> None:
    ida = AccountFactory(name="Ida", email=IDA)
    invite(kari, fjordlys, role=invited)
    MembershipFactory(customer=fjordlys, account=ida, role=held)
    assert invitations.accept_as(token=token(), account=ida, at=NOON).role == then


# ── The page ────────────────────────────────────────────────────────────────
@pytest.fixture
def opened(kari: Account, fjordlys: Customer) -> str:
    """The address that Ida's letter names."""
    invite(kari, fjordlys, at=timezone.now())
    return f"/account/invitation/{token()}/"


def test_looking_changes_nothing(opened: str) -> None:
    """Y-4: what scans mail for danger opens links as well."""
    for _ in range(2):
        assert "Fjordlys AS invites you" in Client().get(opened).text
    assert Invitation.objects.get().accepted_at is None


def test_somebody_new_chooses_a_password_and_is_in(opened: str) -> None:
    client, said = Client(), {"name": "Ida Iversen", "password1": PASSWORD, "password2": PASSWORD}
    answer = client.post(opened, said)
    assert answer["Location"] == "/portal/fjordlys/"
    assert "Welcome to Fjordlys AS." in client.get("/portal/fjordlys/").text
    assert client.session["_auth_user_id"] == str(Account.objects.get(email=IDA).pk)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password1": "password", "password2": "password"}, "too common"),
        ({"password1": IDA, "password2": IDA}, "too similar"),
        ({"password2": "another lighthouse"}, "not the same"),
        ({"name": ""}, "This field is required"),
        ({"password1": "", "password2": ""}, "This field is required"),
    ],
)
def test_the_rules_of_passwords_hold_here_too(opened: str, said: dict[str, str], told: str) -> None:
    whole = {"name": "Ida Iversen", "password1": PASSWORD, "password2": PASSWORD, **said}
    answer = Client().post(opened, whole)
    assert answer.status_code == 400
    assert told in answer.text
    assert not Account.objects.filter(email=IDA).exists()


def test_an_account_that_is_there_signs_in_first(opened: str) -> None:
    ida = AccountFactory(name="Ida", email=IDA)
    client, said = Client(), {"name": "Thief", "password1": PASSWORD, "password2": PASSWORD}
    assert "Sign in, then accept" in client.post(opened, said).text
    ida.refresh_from_db()
    assert (ida.name, ida.check_password(PASSWORD)) == ("Ida", False)
    client.force_login(ida, backend="django.contrib.auth.backends.ModelBackend")
    assert "Accept" in client.get(opened).text
    assert client.post(opened)["Location"] == "/portal/fjordlys/"


def test_somebody_else_is_told_whom_it_is_for_and_can_not_take_it(opened: str, nils: Account) -> None:
    client = Client()
    client.force_login(nils, backend="django.contrib.auth.backends.ModelBackend")
    assert "You are signed in as nils@nordvik.example" in client.get(opened).text
    assert client.post(opened).status_code == 403
    assert Invitation.objects.get().accepted_at is None


@pytest.mark.django_db
@pytest.mark.parametrize("guess", ["x", "a" * 43, "%00", "ø", "a" * 600])
def test_what_was_never_a_link_is_answered_like_an_old_one(guess: str) -> None:
    for answer in (Client().get(f"/account/invitation/{guess}/"), Client().post(f"/account/invitation/{guess}/")):
        assert answer.status_code in (404, 410)


def test_a_withdrawn_one_is_answered_so_too(opened: str) -> None:
    invitations.withdraw_invitation(actor=SYSTEM, invitation=Invitation.objects.get(), at=timezone.now())
    withdrawn, never = Client().get(opened), Client().get("/account/invitation/never/")
    assert withdrawn.status_code == never.status_code == 410
    assert "This link no longer works" in withdrawn.text


# ── The last admin ──────────────────────────────────────────────────────────
def test_the_last_admin_who_can_sign_in_stays_one(kari: Account, vera: Account, fjordlys: Customer) -> None:
    """Y-6: our own people may, who can invite another."""
    MembershipFactory(
        customer=fjordlys, account=AccountFactory(name="Closed", is_active=False), role=Membership.Role.ADMIN
    )
    MembershipFactory(customer=CustomerFactory(), account=vera, role=Membership.Role.ADMIN)
    hers = Membership.objects.get(account=kari)
    for act in (lambda: members.remove_member(actor=SYSTEM, membership=hers, at=NOON), lambda: _demote(hers)):
        with pytest.raises(members.LastAdmin):
            act()
    hers.refresh_from_db()
    members.change_member(
        actor=SYSTEM, membership=Membership.objects.get(account=vera, customer=fjordlys), role="admin", at=NOON
    )
    _demote(hers)
    assert Membership.objects.get(account=kari).role == "viewer"


def _demote(membership: Membership) -> Membership:
    return members.change_member(actor=SYSTEM, membership=membership, role="viewer", at=NOON)
