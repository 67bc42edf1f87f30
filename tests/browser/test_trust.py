"""Paul comments on Pia's draft; both find it in the audit trail and take it along as CSV; the workbench tells of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from catalog.models import Version
from customers.actor import Actor
from customers.models import Account, Membership
from tests.factories.catalog import draft
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Market, Town, hours

SIZES = ((1360, 900), (390, 844))


@pytest.fixture
def begun(transactional_db: Any, pia: Account) -> Version:
    market = Market()
    Town("fjordlys").buys(sales_premium=2, at=hours(1))
    return draft(market.sales_premium, by=Actor(account=pia), grants={"quotes": True}, includes=("sales-essentials",))


def look(page: Page, axe: Callable[[Page], None]) -> None:
    """Looks at the page in both schemes and both widths; nothing may stick out sideways."""
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            axe(page)
    page.set_viewport_size({"width": 1360, "height": 900})


def test_a_comment_is_made_found_and_taken_along(
    page: Page,
    begun: Version,
    paul: Account,
    pia: Account,
    sign_in: Callable[[Account], None],
    axe: Callable[[Page], None],
) -> None:
    sign_in(paul)
    page.goto(f"/admin/catalog/version/{begun.pk}/change/")
    page.get_by_role("tab", name="Steps and comments").click()
    page.get_by_label("Say something about this draft").fill('Why <b>quotes</b> only?\n=HYPERLINK("x")')
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.get_by_text("Your comment is there.")).to_be_visible()
    remarks = page.locator("#comments")
    expect(remarks).to_contain_text("Why <b>quotes</b> only?")
    expect(remarks).to_contain_text("Paul Publisher")
    look(page, axe)

    # It stands in the draft's history, and from there in the whole trail.
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("row", name="Draft commented")).to_contain_text("Why <b>quotes</b> only?")
    page.get_by_role("link", name="In the audit trail").click()
    expect(page.get_by_role("heading", name="History of sales-premium")).to_be_visible()
    page.get_by_role("link", name="The whole trail").click()
    page.get_by_label("Search").first.fill("quotes only")
    page.get_by_role("button", name="Show", exact=True).click()
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Draft commented")
    look(page, axe)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    text = Path(str(download.value.path())).read_text(encoding="utf-8-sig")
    assert 'Paul Publisher,Draft commented,sales-premium,,,"Why <b>quotes</b> only?' in text

    # Pia meets it on her workbench.
    sign_in(pia)
    page.goto("/catalog/")
    expect(page.locator("section", has=page.get_by_role("heading", name="Drafts waiting"))).to_contain_text("1 comment")
    expect(page.get_by_role("row", name="Sales Premium").first).to_be_visible()
    look(page, axe)


def test_who_administers_a_customer_reads_its_history(
    page: Page, begun: Version, sign_in: Callable[[Account], None], axe: Callable[[Page], None]
) -> None:
    town = Town("nordvik")
    kari: Account = AccountFactory(name="Kari Nordmann")
    MembershipFactory(customer=town.customer, account=kari, role=Membership.Role.ADMIN)
    sign_in(kari)
    page.goto("/portal/nordvik/")
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("row", name="Customer created")).to_contain_text("nordvik")
    expect(page.get_by_text("sales-premium")).to_have_count(0)
    page.get_by_role("link", name="nordvik/ola").first.click()
    page.get_by_role("link", name="History").last.click()
    expect(page.get_by_role("heading", name="History of nordvik/ola")).to_be_visible()
    look(page, axe)
