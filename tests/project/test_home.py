"""Where people start: what waits for them, by role; and the style guide."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from catalog.services import drafting
from config.navigation import groups
from customers.actor import Actor
from customers.models import Account
from licensing.facts import Mode
from licensing.services.overrides import grant_override
from tests.factories.customers import MembershipFactory
from tests.licensing.market import Market, Town, hours


def as_(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


def waits(account: Account) -> list[tuple[str, str]]:
    return [(task.badge, task.text) for task in as_(account).get("/").context["tasks"]]


@pytest.fixture
def market(db: Any) -> Market:
    return Market()


def test_drafts_wait_for_who_finishes_and_who_approves_them(
    market: Market, pia: Account, paul: Account, cara: Account
) -> None:
    begun = drafting.draft_from(offer=market.calendar, actor=Actor(account=pia), at=hours(1))
    sent = drafting.draft_from(offer=market.chat, actor=Actor(account=pia), at=hours(2))
    drafting.update_draft(version=sent, actor=Actor(account=pia), at=hours(2), changelog="Chat in more languages.")
    drafting.submit(version=sent, actor=Actor(account=pia), at=hours(3))
    assert waits(pia) == [
        ("In review", f"{sent.offer.name}, submitted by {pia}"),
        ("Draft", f"{begun.offer.name}, begun by {pia}"),
    ]
    assert [badge for badge, _ in waits(paul)] == ["To approve", "Draft"]
    assert waits(cara) == []


def test_packages_and_ends_wait_for_who_looks_after_customers(
    market: Market, cara: Account, aud: Account, kari: Account
) -> None:
    town = Town("tindra")
    town.buys(sales_premium=2, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    town.gives("ida", "ten-sales-premium", at=hours(3))
    town.buys(sales_premium=1, at=hours(4))
    soon = timezone.now() + timedelta(days=5)
    grant_override(
        customer=town.customer, actor=town.actor, feature="quotes", mode=Mode.DENY, reason="Audit", ends_at=soon
    )
    for account in (cara, aud):
        assert [badge for badge, _ in waits(account)] == ["Does not fit", "Ends soon"]
    MembershipFactory(account=kari, customer=Town("havbris", []).customer)
    assert waits(kari) == []  # neither of her two customers is Tindra


def test_the_auditor_sees_what_happened_last(market: Market, aud: Account, cara: Account) -> None:
    Town("tindra")
    assert as_(aud).get("/").context["events"][0].action == "user.created"
    assert as_(cara).get("/").context["events"] is None


def test_everybody_is_led_to_what_they_may_open(pia: Account, aud: Account, kari: Account, root: Account) -> None:
    def titles(account: Account) -> list[str]:
        request = as_(account).get("/search/").wsgi_request
        return [link.title for group in groups(request) for link in group.links]

    assert "Figures" in titles(pia)
    assert "API clients" not in titles(pia)
    assert {"Audit trail", "API clients"} <= set(titles(aud))
    everybody = ["Home", "Search", "Compare plans", "Compatibility", "Audit trail", "API documentation"]
    assert titles(kari) == everybody
    assert "Accounts" in titles(root)


def test_the_navigation_says_where_one_is(pia: Account) -> None:
    request = as_(pia).get("/figures/").wsgi_request
    assert [link.title for group in groups(request) for link in group.links if link.is_current] == ["Figures"]
    change = as_(pia).get("/admin/catalog/feature/?q=a").wsgi_request
    assert [link.title for group in groups(change) for link in group.links if link.is_current] == ["Features"]


def test_the_style_guide_is_for_who_builds_the_product(pia: Account, kari: Account, settings: Any) -> None:
    assert "Every piece that pages are put together from" in as_(pia).get("/styleguide/").text
    assert as_(kari).get("/styleguide/").status_code == 404
    settings.TESTING = False
    assert as_(pia).get("/styleguide/").status_code == 404
