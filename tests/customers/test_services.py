"""Accounts, members and clients: what the services write, refuse and put on the trail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from customers.access import access_of_account
from customers.actor import Actor
from customers.errors import Invalid
from customers.models import Account, ApiClient, AuditEvent, Customer, Membership
from customers.services import accounts, keys, members
from customers.services.customers import edit_customer
from tests.factories.customers import NOON, AccountFactory

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=1)


def trail(action: str) -> AuditEvent:
    event: AuditEvent = AuditEvent.objects.get(action=action)
    return event


@pytest.fixture
def by(root: Account) -> Actor:
    return Actor(account=root)


# ── Accounts ────────────────────────────────────────────────────────────────
def test_a_new_colleague_may_open_the_admin(by: Actor) -> None:
    account = accounts.create_account(
        actor=by,
        email=" New@Planarium.Example ",
        name="New One",
        password="a long password",
        roles=["auditor"],
        at=NOON,
    )
    assert (account.email, account.date_joined, account.is_staff) == ("New@Planarium.Example", NOON, True)
    assert account.check_password("a long password")
    assert access_of_account(account).allows("audit:read")
    assert (trail("account.created").actor, trail("account.created").at) == ("Root", NOON)
    assert trail("account.roles_set").changes == {"roles": [[], ["auditor"]]}


def test_without_a_password_nobody_can_sign_in(by: Actor) -> None:
    account = accounts.create_account(actor=by, email="kari@fjordlys.example", at=NOON)
    assert not account.has_usable_password()
    assert not account.is_staff


@pytest.mark.parametrize("email", ["KARI@fjordlys.example", "not an address", ""])
def test_an_address_is_unique_in_any_case_and_an_address(by: Actor, kari: Account, email: str) -> None:
    with pytest.raises(ValidationError):
        accounts.create_account(actor=by, email=email, at=NOON)
    assert not AuditEvent.objects.filter(action="account.created").exists()


def test_a_role_that_is_none_leaves_nothing_behind(by: Actor) -> None:
    with pytest.raises(Invalid):
        accounts.create_account(actor=by, email="x@y.example", roles=["emperor"], at=NOON)
    assert not Account.objects.filter(email="x@y.example").exists()


def test_roles_are_set_to_exactly_these(by: Actor, pia: Account) -> None:
    accounts.set_staff_roles(actor=by, account=pia, roles=["publisher", "auditor"], at=NOON)
    assert set(pia.staff_roles.values_list("role", flat=True)) == {"publisher", "auditor"}
    assert trail("account.roles_set").changes == {"roles": [["product_manager"], ["auditor", "publisher"]]}
    accounts.set_staff_roles(actor=by, account=pia, roles=["auditor", "publisher"], at=LATER)
    assert AuditEvent.objects.filter(action="account.roles_set").count() == 1


def test_who_loses_every_role_loses_the_admin(by: Actor, pia: Account, root: Account) -> None:
    accounts.set_staff_roles(actor=by, account=pia, roles=[], at=NOON)
    pia.refresh_from_db()
    assert not pia.is_staff
    accounts.set_staff_roles(actor=by, account=root, roles=["auditor"], at=NOON)
    accounts.set_staff_roles(actor=by, account=root, roles=[], at=NOON)
    root.refresh_from_db()
    assert root.is_staff  # a superuser stays


def test_editing_an_account_records_what_changed(by: Actor, kari: Account) -> None:
    accounts.edit_account(actor=by, account=kari, at=NOON, email=kari.email, name="Kari N. Berg", is_active=True)
    assert trail("account.edited").changes == {"name": ["Kari Nordmann", "Kari N. Berg"]}


def test_a_new_password_is_on_the_trail_without_its_text(by: Actor, kari: Account) -> None:
    accounts.set_password(actor=by, account=kari, password="correct horse", at=NOON)
    assert kari.check_password("correct horse")
    assert trail("account.password_set").changes == {}


# ── Members ─────────────────────────────────────────────────────────────────
def test_a_member_comes_changes_and_goes(by: Actor, fjordlys: Customer) -> None:
    vera: Account = AccountFactory(name="Vera Vik")
    membership = members.add_member(actor=by, customer=fjordlys, account=vera, role="viewer", at=NOON)
    assert access_of_account(vera).allows("seats:read", fjordlys.pk)

    members.change_member(actor=by, membership=membership, role="admin", at=NOON)
    assert access_of_account(Account.objects.get(pk=vera.pk)).allows("seats:write", fjordlys.pk)

    members.remove_member(actor=by, membership=membership, at=NOON, even_the_last=True)
    assert not access_of_account(Account.objects.get(pk=vera.pk)).allows("seats:read", fjordlys.pk)
    events = AuditEvent.objects.filter(customer=fjordlys).order_by("pk")
    assert [(event.action, event.changes["role"]) for event in events] == [
        ("member.added", [None, "viewer"]),
        ("member.changed", ["viewer", "admin"]),
        ("member.removed", ["admin", None]),
    ]


def test_nobody_is_a_member_twice(by: Actor, kari: Account, fjordlys: Customer) -> None:
    with pytest.raises(ValidationError, match="member of the customer already"):
        members.add_member(actor=by, customer=fjordlys, account=kari, role="viewer", at=NOON)


def test_a_member_is_admin_or_viewer(by: Actor, kari: Account, fjordlys: Customer) -> None:
    with pytest.raises(ValidationError):
        members.change_member(actor=by, membership=Membership.objects.get(), role="owner", at=NOON)
    assert Membership.objects.get().role == "admin"


# ── Customers ───────────────────────────────────────────────────────────────
def test_a_customer_is_renamed(by: Actor, fjordlys: Customer) -> None:
    edit_customer(actor=by, customer=fjordlys, at=NOON, name="Fjordlys Holding AS", serial_number="1010000014")
    assert Customer.objects.get().name == "Fjordlys Holding AS"
    assert trail("customer.edited").changes == {"name": ["Fjordlys AS", "Fjordlys Holding AS"]}


def test_a_serial_number_is_one_customers(by: Actor, fjordlys: Customer, nordvik: Customer) -> None:
    with pytest.raises(ValidationError, match="Another customer has this serial number"):
        edit_customer(actor=by, customer=nordvik, at=NOON, name="Nordvik", serial_number=fjordlys.serial_number)
    assert not AuditEvent.objects.exists()


def test_nothing_changed_is_nothing_recorded(by: Actor, fjordlys: Customer) -> None:
    edit_customer(actor=by, customer=fjordlys, at=NOON, name=fjordlys.name, serial_number=fjordlys.serial_number)
    assert not AuditEvent.objects.exists()


# ── Clients ─────────────────────────────────────────────────────────────────
def test_a_client_says_what_it_may(by: Actor, fjordlys: Customer) -> None:
    client = keys.create_client(
        actor=by, name="Mail", scopes=["seats:read", "catalog:read", "seats:read"], customer=fjordlys, at=NOON
    )
    assert ApiClient.objects.get() == client
    assert client.scopes == ["catalog:read", "seats:read"]
    assert (trail("client.created").customer, trail("client.created").object_code) == (fjordlys, "Mail")


@pytest.mark.parametrize(("name", "scopes"), [("mail", ["seats:read"]), ("New", ["seats:steal"]), ("", ["seats:read"])])
def test_a_client_is_refused(by: Actor, name: str, scopes: Any) -> None:
    keys.create_client(actor=by, name="Mail", scopes=["seats:read"], at=NOON)
    with pytest.raises(ValidationError):
        keys.create_client(actor=by, name=name, scopes=scopes, at=NOON)


def test_editing_a_client_records_what_changed(by: Actor) -> None:
    client = keys.create_client(actor=by, name="Mail", scopes=["seats:read"], at=NOON)
    keys.edit_client(actor=by, client=client, at=NOON, name="Mail", scopes=["catalog:read"], is_active=False)
    assert trail("client.edited").changes == {"scopes": [["seats:read"], ["catalog:read"]], "is_active": [True, False]}
