"""What stands beside a customer's pages, in which order, and where one is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Market, Town, hours

pytestmark = pytest.mark.django_db
LINK = re.compile(r'<a class="nav-link" href="(?P<to>[^"]+)"(?P<current> aria-current="page")?>(?P<title>[^<]+)<')
HERE = "/portal/fjordlys/"


def visitor(**how: Any) -> Client:
    client = Client()
    client.force_login(AccountFactory(**how), backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def kari() -> Client:
    Market()
    town = Town("fjordlys", people=("ola",))
    town.buys(sales_premium=5, at=hours(1))
    account, client = AccountFactory(), Client()
    MembershipFactory(customer=town.customer, account=account, role="admin")
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


def links(client: Client, page: str) -> dict[str, bool]:
    """Returns the titles of the links to pages about the customer, and whether one stands there."""
    nav = client.get(page).text.partition('id="nav"')[2].partition("</nav>")[0]
    about = [link for link in LINK.finditer(nav) if "fjordlys" in link["to"]]
    return {link["title"]: link["current"] is not None for link in about}


def test_an_admin_finds_every_page_by_its_task(kari: Client) -> None:
    shown = links(kari, HERE)
    assert list(shown) == [
        *("Overview", "Users &amp; seats", "Changes", "Seat requests", "Usage", "Explain"),
        *("Subscription", "Licences", "Packages", "Overrides", "People", "Integrations", "History"),
    ]
    assert [title for title, current in shown.items() if current] == ["Overview"]


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("users/ola/", "Users &amp; seats"),
        ("subscription/", "Subscription"),
        ("clients/", "Integrations"),
        ("webhooks/new/", "Integrations"),
        ("people/invite/", "People"),
    ],
)
def test_one_link_says_where_one_is(kari: Client, page: str, title: str) -> None:
    assert [each for each, current in links(kari, f"{HERE}{page}").items() if current] == [title]


def test_a_product_manager_is_shown_what_they_may_open(kari: Client) -> None:
    pia = visitor(roles=["product_manager"])
    shown = links(pia, HERE)
    assert list(shown) == ["Overview", "Explain", "Subscription", "Licences", "Packages", "Overrides", "History"]
