"""Every page of the portal, asked for by who administers another customer: it is not there.

The pages are those of the URL configuration, so a new one is asked too. Whatever its address names besides the
customer is given as it is at Fjordlys where `WORLD` knows it; else it is made up, and the refusal must be about the
customer all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from customers.models import Membership
from tests.factories.customers import AccountFactory, CustomerFactory, MembershipFactory
from tests.project.endpoints import WORLD, open_world

# What the portal's addresses call it → what WORLD calls it.
NAMES: Final = {"request": "seat-requests"}
METHODS: Final = ("get", "post")


def portal_patterns(
    below: Any = None, before: str = "", namespace: str = "", given: Any = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (name, converters) of every page below a customer's address."""
    for pattern in get_resolver().url_patterns if below is None else below:
        route, converters = before + str(pattern.pattern), {**dict(given), **pattern.pattern.converters}
        if isinstance(pattern, URLResolver):
            inner = ":".join(filter(None, (namespace, pattern.namespace)))
            yield from portal_patterns(pattern.url_patterns, route, inner, converters)
        elif isinstance(pattern, URLPattern) and route.startswith("portal/<code:customer>/"):
            yield ":".join(filter(None, (namespace, str(pattern.name)))), converters


PAGES: Final = dict(portal_patterns())


def address_of(page: str, customer: str) -> str:
    given = {}
    for name, converter in PAGES[page].items():
        known = WORLD.get("seat-requests" if page == "portal:request" else NAMES.get(name, name))
        made_up = "4711" if type(converter).__name__ == "IntConverter" else "made-up"
        given[name] = customer if name == "customer" else known or made_up
    return reverse(page, kwargs=given)


@pytest.fixture(scope="module")
def _open_world(django_db_setup: Any, django_db_blocker: Any) -> Iterator[dict[str, Client]]:
    with django_db_blocker.unblock(), transaction.atomic():
        own, other = open_world(), CustomerFactory(code="nordvik")
        visitors = {}
        for customer in (own, other):
            account = AccountFactory(name=f"Admin of {customer.code}")
            MembershipFactory(customer=customer, account=account, role=Membership.Role.ADMIN)
            client = Client()
            client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
            visitors[customer.code] = client
        yield visitors
        transaction.set_rollback(True)


@pytest.fixture
def visitors(_open_world: dict[str, Client], db: Any) -> dict[str, Client]:
    return _open_world


def ask(client: Client, method: str, address: str) -> tuple[int, str]:
    """Returns the status of a request that leaves no trace, and what a 404 is about."""
    with transaction.atomic():
        answer = getattr(client, method)(address)
        transaction.set_rollback(True)
    return answer.status_code, str(answer.context["exception"]) if answer.status_code == 404 else ""


def test_the_portal_has_pages() -> None:
    assert len(PAGES) > 20
    assert "portal:user_erase" in PAGES


@pytest.mark.parametrize("page", PAGES)
def test_another_customers_admin_finds_nothing(visitors: dict[str, Client], page: str) -> None:
    nils = visitors["nordvik"]
    for method in METHODS:
        status, why = ask(nils, method, address_of(page, "fjordlys"))
        # 405: there is no such method for anybody.
        assert (status, why) in [(405, ""), (404, "There is no customer 'fjordlys' here.")], method


@pytest.mark.parametrize("page", PAGES)
def test_the_customers_own_admin_finds_the_page(visitors: dict[str, Client], page: str) -> None:
    """Or is told anything but that there is no such customer: so the refusals above are about who asks."""
    answers = [ask(visitors["fjordlys"], method, address_of(page, "fjordlys")) for method in METHODS]
    assert any(status != 405 for status, _ in answers)
    for status, why in answers:
        assert status < 500
        assert "There is no customer" not in why
