"""Somebody at support finds out why, takes the answer along, and looks at what happened; then at the licences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from customers.models import Account, Membership
from tests.browser.test_portal import member
from tests.licensing.market import Market, Town, hours

SignIn = Callable[[Account], None]


@pytest.fixture
def kari(transactional_db: None) -> Account:
    """Fjordlys has two Sales Premium; Ola holds one, and gave back Service Premium."""
    Market()
    town = Town()
    town.buys(sales_premium=2, service_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", "ten-service-premium", at=hours(2), reason="First team")
    town.takes("ola", "ten-service-premium", at=hours(3))
    return member(town, "Kari Nordmann", Membership.Role.ADMIN)


def test_a_support_agent_finds_out_why_and_takes_the_answer_along(
    page: Page, context: BrowserContext, kari: Account, sign_in: SignIn
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(kari)
    page.goto("/portal/fjordlys/")
    page.get_by_role("link", name="Explain", exact=True).click()

    page.get_by_label("User", exact=True).fill("ola")
    page.get_by_label("Feature", exact=True).fill("escal")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name="Why: Escalations")).to_be_visible()
    why = page.get_by_role("region", name="Why: Escalations")
    expect(why).to_contain_text("1 of 1 free")
    expect(why).to_contain_text("Included → To look at only")

    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "Feature: Escalations (escalations)" in copied
    page.goto(copied.rpartition("Link: ")[2])
    assert page.get_by_role("textbox", name="To paste into a ticket").input_value() == copied

    page.get_by_role("link", name="Timeline of Ola").click()
    step = page.get_by_role("listitem").filter(has_text="Change set 2")
    expect(step).to_contain_text("− Ten Service Premium")
    step.get_by_role("link", name="Escalations").click()
    expect(page.get_by_role("heading", name="Why: Escalations")).to_be_visible()


def test_licences_by_keyboard(page: Page, kari: Account, sign_in: SignIn) -> None:
    sign_in(kari)
    page.goto("/portal/fjordlys/licenses/")
    hidden = page.get_by_role("checkbox", name="Hidden ones too")
    hidden.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="1 hold Ten Sales Premium").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ten Sales Premium")).to_be_visible()
    expect(page.get_by_role("link", name="Ola")).to_be_visible()
