"""Who may do what, and where; who may know of which customer."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from customers.access import (
    Access,
    NotAuthenticated,
    access_of,
    access_of_account,
    access_of_client,
    access_of_system,
    get_customer,
)
from customers.errors import Forbidden, NotFound, Refusal
from customers.models import Account, ApiClient, Customer, Membership
from customers.scopes import SCOPES
from tests.factories.customers import AccountFactory, ApiClientFactory, MembershipFactory

pytestmark = pytest.mark.django_db


def refusal(access: Access, code: str, scope: str) -> Refusal:
    with pytest.raises(Refusal) as refused:
        get_customer(access, code, scope)
    return refused.value


# ── What is held where ──────────────────────────────────────────────────────
def test_a_staff_role_counts_everywhere(cara: Account, fjordlys: Customer) -> None:
    access = access_of_account(cara)
    assert access.allows("seats:write")
    assert access.allows("seats:write", fjordlys.pk)
    assert not access.allows("catalog:publish")


def test_two_staff_roles_add_up(db: Any) -> None:
    both = access_of_account(AccountFactory(roles=["product_manager", "auditor"]))
    assert both.allows("catalog:draft")
    assert both.allows("audit:read")


def test_a_membership_counts_at_its_customer_only(kari: Account, fjordlys: Customer, nordvik: Customer) -> None:
    access = access_of_account(kari)
    assert access.allows("seats:write", fjordlys.pk)
    assert not access.allows("seats:write", nordvik.pk)
    assert not access.allows("seats:write")
    assert access.allows_somewhere("seats:write")
    assert not access.allows_somewhere("overrides:write")


def test_a_member_of_two_customers_keeps_them_apart(kari: Account, fjordlys: Customer, nordvik: Customer) -> None:
    MembershipFactory(customer=nordvik, account=kari, role=Membership.Role.VIEWER)
    access = access_of_account(kari)
    assert access.allows("seats:write", fjordlys.pk)
    assert not access.allows("seats:write", nordvik.pk)
    assert access.allows("seats:read", nordvik.pk)


def test_a_superuser_may_do_everything(root: Account) -> None:
    assert access_of_account(root).scopes == frozenset(SCOPES)


def test_a_shut_account_may_do_nothing(cara: Account) -> None:
    cara.is_active = False
    with pytest.raises(NotAuthenticated):
        access_of_account(cara)


def test_nobody_is_nobody(db: Any) -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    with pytest.raises(NotAuthenticated):
        access_of(request)


def test_a_bound_client_holds_its_scopes_at_its_customer(fjordlys: Customer, nordvik: Customer) -> None:
    client: ApiClient = ApiClientFactory(scopes=["seats:read"], customer=fjordlys)
    access = access_of_client(client)
    assert access.allows("seats:read", fjordlys.pk)
    assert not access.allows("seats:read", nordvik.pk)
    assert not access.allows("seats:read")


def test_a_scope_that_was_abolished_is_ignored(db: Any) -> None:
    client: ApiClient = ApiClientFactory(scopes=["seats:read", "seats:steal"])
    assert access_of_client(client).scopes == {"seats:read"}


def test_the_system_may_do_everything() -> None:
    access = access_of_system()
    assert access.actor.label == "system"
    assert access.allows("audit:read")


def test_a_page_works_it_out_once(kari: Account, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    request = RequestFactory().get("/")
    request.user = kari
    with django_assert_num_queries(2):  # staff roles; memberships
        first = access_of(request)
    with django_assert_num_queries(0):
        assert access_of(request) is first


def test_another_account_on_the_same_request_is_worked_out_anew(kari: Account, cara: Account) -> None:
    request = RequestFactory().get("/")
    request.user = kari
    access_of(request)
    request.user = cara
    assert access_of(request).actor.account == cara


# ── Which customers ─────────────────────────────────────────────────────────
def test_customers_are_those_where_the_scope_is_held(
    kari: Account, pia: Account, fjordlys: Customer, nordvik: Customer
) -> None:
    assert set(access_of_account(kari).customers("customers:read")) == {fjordlys}
    assert set(access_of_account(kari).customers("overrides:write")) == set()
    assert set(access_of_account(pia).customers("customers:read")) == {fjordlys, nordvik}


@pytest.mark.parametrize("spelling", ["fjordlys", "FJORDLYS", "Fjordlys"])
def test_a_customer_is_found_in_any_case(
    kari: Account, fjordlys: Customer, spelling: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    access = access_of_account(kari)
    with django_assert_num_queries(1):  # the customer
        assert get_customer(access, spelling, "seats:write") == fjordlys


def test_a_foreign_customer_is_refused_like_an_unknown_one(kari: Account, nordvik: Customer) -> None:
    access = access_of_account(kari)
    foreign, unknown = refusal(access, "nordvik", "seats:write"), refusal(access, "nowhere", "seats:write")
    assert isinstance(foreign, NotFound)
    assert isinstance(unknown, NotFound)
    assert foreign.message == unknown.message.replace("nowhere", "nordvik")
    assert foreign.blocking == {"kind": "customer", "code": "nordvik"}


def test_also_when_the_scope_is_held_nowhere(vera: Account, nordvik: Customer) -> None:
    access = access_of_account(vera)
    assert isinstance(refusal(access, "nordvik", "seats:write"), NotFound)
    assert isinstance(refusal(access, "nowhere", "seats:write"), NotFound)


def test_a_visible_customer_without_the_scope_is_forbidden(vera: Account, pia: Account, fjordlys: Customer) -> None:
    assert isinstance(refusal(access_of_account(vera), "fjordlys", "seats:write"), Forbidden)
    assert isinstance(refusal(access_of_account(pia), "fjordlys", "seats:write"), Forbidden)
    assert isinstance(refusal(access_of_account(pia), "nowhere", "seats:write"), NotFound)


def test_a_key_for_something_else_learns_nothing(fjordlys: Customer) -> None:
    client: ApiClient = ApiClientFactory(scopes=["catalog:read"])
    access = access_of_client(client)
    known, unknown = refusal(access, "fjordlys", "customers:read"), refusal(access, "nowhere", "customers:read")
    assert isinstance(known, Forbidden)
    assert isinstance(unknown, Forbidden)
    assert (known.message, known.blocking) == (unknown.message, unknown.blocking)


def test_an_account_without_any_role_learns_nothing(fjordlys: Customer) -> None:
    access = access_of_account(AccountFactory())
    assert isinstance(refusal(access, "fjordlys", "customers:read"), Forbidden)
    assert isinstance(refusal(access, "nowhere", "customers:read"), Forbidden)
