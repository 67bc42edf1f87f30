"""The page of usage: what is used of limits, by whom, and how near they are. Rules L-1, L-2, L-4."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from customers.models import Account
from licensing.services.metering import reserve, set_usage
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.counting import of, open_counting_market
from tests.licensing.market import Town

HOME = "/portal/fjordlys/usage/"


@pytest.fixture(scope="module")
def _open_town(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Town]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield open_counting_market()
        transaction.set_rollback(True)


@pytest.fixture
def here(_open_town: Town, db: Any) -> Town:
    set_usage(subject=of(_open_town, "storage", None), used=86)
    set_usage(subject=of(_open_town, "projects"), used=5)
    set_usage(subject=of(_open_town, "projects", "ida"), used=1)
    reserve(subject=of(_open_town, "projects", "ida"), amount=2, expires_in=timedelta(minutes=5))
    return _open_town


def visitor(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def vera(here: Town) -> Client:
    account: Account = AccountFactory(name="Vera Vik")
    MembershipFactory(customer=here.customer, account=account, role="viewer")
    return visitor(account)


def rows(client: Client, query: str = "") -> list[str]:
    page = client.get(HOME + query)
    assert page.status_code == 200
    body = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return [
        " ".join(strip_tags(row.replace("<td", " <td")).split())
        for row in body.split("</tr>")
        if strip_tags(row).strip()
    ]


def test_who_has_used_how_much_of_what_and_how_near_that_is(vera: Client) -> None:
    first, second, third = rows(vera)
    assert first.startswith("Everybody Storage 86 of 100 GB")
    assert "Near the limit Never" in first
    assert second.startswith("Ola Projects 5 of 5 projects")
    assert "Reached" in second
    assert third.startswith("Ida Projects 1 of 5 projects")
    assert "2 Within" in third


def test_search_and_filters(vera: Client) -> None:
    assert [row.split()[0] for row in rows(vera, "?search=ola")] == ["Ola"]
    assert [row.split()[0] for row in rows(vera, "?of=customer")] == ["Everybody"]
    assert rows(vera, "?search=nobody") == []


def test_what_has_started_again_since_is_not_shown(here: Town, vera: Client) -> None:
    set_usage(subject=of(here, "mails"), used=3, at=datetime.now(UTC) - timedelta(days=40))
    assert len(rows(vera)) == 3
    set_usage(subject=of(here, "mails"), used=4)
    assert "Ola Mails 4 of 100 mails" in " ".join(rows(vera))


def test_a_stranger_is_told_nothing(here: Town) -> None:
    stranger = AccountFactory(name="Nils Nord")
    MembershipFactory(customer=Town("nordvik", people=()).customer, account=stranger, role="admin")
    assert visitor(stranger).get(HOME).status_code == 404
    assert visitor(AccountFactory(name="Pia Product", roles=["product_manager"])).get(HOME).status_code == 403


def test_more_rows_take_no_more_queries(here: Town, vera: Client) -> None:
    vera.get(HOME)
    with CaptureQueriesContext(connection) as few:
        vera.get(f"{HOME}?of=user&search=ola")
    for name in here.users:
        set_usage(subject=of(here, "mails", name), used=3)
    with CaptureQueriesContext(connection) as many:
        vera.get(f"{HOME}?of=user")
    # Who asks (three), the customer, the contract, count and page, what is reserved, who holds what, what that gives.
    assert len(few) == len(many)
