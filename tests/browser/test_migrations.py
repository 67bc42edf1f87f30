"""Pia proposes to move customers, Cara looks at the preview, starts it, watches it, and rolls one of them back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from catalog.models import Version
from customers.models import Account, OutboxMessage
from customers.outbox import deliver_due
from tests.factories.customers import AccountFactory
from tests.licensing.market import Market, Town, hours
from tests.licensing.moving import drafted, on_version, published


@pytest.fixture
def towns(transactional_db: None) -> list[Town]:
    market = Market()
    there = [Town("fjordlys"), Town("nordvik", ["uma"])]
    for town in there:
        town.buys(sales_premium=2, at=hours(1))
    there[0].gives("ola", "ten-sales-premium", at=hours(2))
    published(drafted(market, quotes=None))
    return there


def worker() -> None:
    """What the worker does in the background, until nothing is due."""
    while OutboxMessage.objects.filter(delivered_at=None, next_attempt_at__lte=timezone.now()).exists():
        deliver_due(now=timezone.now())


def test_from_a_proposal_to_a_moved_cohort_and_one_back(
    page: Page, towns: list[Town], sign_in: Callable[[Account], None], axe: Callable[[Page], None]
) -> None:
    sign_in(AccountFactory(name="Pia Product", roles=["product_manager"]))
    page.goto("/migrations/")
    page.get_by_role("link", name="Move customers…").click()
    axe(page)
    second = Version.objects.get(offer__code="sales-premium", number=2)
    page.get_by_label("Version", exact=True).select_option(str(second.pk))
    page.get_by_role("textbox", name="Why").fill("Quotes have a plan of their own.")
    page.get_by_label("as soon as it is started").check()
    page.get_by_label("Only these customers").fill("fjordlys\nnordvik")
    page.get_by_role("button", name="Propose and preview").click()
    expect(page.get_by_text("Customers looked at: 0 of 2")).to_be_visible()
    worker()
    expect(page.get_by_role("heading", name="2 customers")).to_be_visible()  # the page asks by itself
    expect(page.get_by_role("link", name="Start…")).to_have_count(0)
    axe(page)

    sign_in(AccountFactory(name="Cara Care", roles=["customer_success"]))
    page.reload()
    page.get_by_role("link", name="By feature").click()
    expect(page.get_by_role("row", name="Quotes")).to_contain_text("4")
    page.go_back()
    page.get_by_role("link", name="Start…").click()
    axe(page)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("0 of 2 customers")).to_be_visible()
    worker()
    expect(page.get_by_text("2 of 2 customers")).to_be_visible()
    assert [on_version(town) for town in towns] == [{2}, {2}]
    axe(page)

    page.get_by_role("link", name=re.compile("Roll back.*Nordvik AS")).click()
    expect(page.get_by_text("gained: 1")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Nordvik AS is back on v1.")).to_be_visible()
    expect(page.get_by_role("row", name="Nordvik AS")).to_contain_text("rolled back")
    assert [on_version(town) for town in towns] == [{2}, {1}]
