"""Kari adds somebody, gives her plans, asks for more seats, and lets her go; Cara grants. In a real browser.

By keyboard where a mouse isn't needed, as `PlansByKeyboard` does it all.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from customers.models import Account, CustomerUser, Membership
from licensing.models import SeatRequest
from tests.browser.test_portal import member
from tests.factories.customers import AccountFactory
from tests.licensing.market import Market, Town

SignIn = Callable[[Account], None]


@pytest.fixture
def fjordlys(transactional_db: None) -> Town:
    """One seat of Service Premium, which Ola holds; one of Sales and Service together is free."""
    Market()
    town = Town()
    town.buys(sales_premium=2, service_premium=1, sales_service_premium=1, calendar=2, chat=1)
    town.gives("ola", "ten-service-premium")
    return town


@pytest.fixture
def kari(fjordlys: Town) -> Account:
    return member(fjordlys, "Kari Nordmann", Membership.Role.ADMIN)


def test_a_user_from_the_first_day_to_the_last(page: Page, sign_in: SignIn, kari: Account, fjordlys: Town) -> None:
    sign_in(kari)
    page.goto("/portal/fjordlys/users/")
    page.get_by_role("link", name="Add a user…").click()
    page.get_by_label("Name").fill("Nora Lie")
    page.get_by_label("Code").fill("nora.lie")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="Nora Lie", exact=True)).to_be_visible()

    # What she gains is told while it is chosen.
    page.get_by_role("group", name="Sales").get_by_label("Ten Sales Premium").check()
    expect(page.locator("#gains")).to_contain_text("Quotes (can now be edited)")
    page.get_by_label("Reason").fill("First day")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nora Lie is changed.")).to_be_visible()
    assert set(CustomerUser.objects.get(code="nora.lie").seats.values_list("module_name", flat=True)) == {
        "ten-sales-premium"
    }

    page.get_by_role("link", name="Former employee…").click()
    expect(page.get_by_role("listitem").filter(has_text="Ten Sales Premium")).to_be_visible()
    page.get_by_role("button", name="Free 1 seat").click()
    expect(page.get_by_text("Freed: Ten Sales Premium.")).to_be_visible()

    page.get_by_role("link", name="Erase…").click()
    page.get_by_label("Type nora.lie to confirm").fill("nora.lie")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("The person is erased.")).to_be_visible()
    expect(page.get_by_role("main")).not_to_contain_text("Nora")


def test_a_plan_for_two_solutions_is_chosen_in_both_by_keyboard(
    page: Page, sign_in: SignIn, kari: Account, fjordlys: Town
) -> None:
    sign_in(kari)
    page.goto("/portal/fjordlys/users/ida/")
    sales, service = (page.get_by_role("group", name=name) for name in ("Sales", "Service"))
    sales.get_by_label("None").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    both = sales.get_by_label("Ten Sales Service Premium")
    expect(both).to_be_checked()
    expect(service.get_by_label("Ten Sales Service Premium")).to_be_checked()
    expect(page.locator("#gains")).to_contain_text("Raised")
    page.get_by_label("Reason").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Ida is changed.")).to_be_visible()
    assert fjordlys.holds("ida") == {"ten-sales-service-premium"}

    # Away from it in one solution: the other would be lost, and that is asked here.
    page.get_by_role("group", name="Sales").get_by_label("Ten Sales Premium").check()
    expect(page.locator("#gains")).to_contain_text("Ida would lose Service")
    page.get_by_label("Ida may lose Service").check()
    expect(page.locator("#gains")).to_contain_text("Lowered")
    expect(page.get_by_label("The loss is accepted")).to_be_checked()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Ida is changed.")).to_be_visible()
    assert fjordlys.holds("ida") == {"ten-sales-premium"}


def test_more_seats_are_asked_for_and_granted(page: Page, sign_in: SignIn, kari: Account, fjordlys: Town) -> None:
    sign_in(kari)
    page.goto("/portal/fjordlys/users/ida/")
    expect(page.get_by_text("Ten Service Premium is full:")).to_be_visible()
    page.get_by_role("link", name="Ask for more seats…").click()
    page.get_by_label("How many more").fill("2")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("Customer success has not answered yet.")).to_be_visible()
    address = page.url

    page.context.clear_cookies()
    sign_in(AccountFactory(name="Cara Care", roles=["customer_success"]))
    page.goto("/requests/")
    page.get_by_role("link", name="2 more of Ten Service Premium").click()
    page.get_by_role("button", name="See what changes").click()
    expect(page.get_by_role("heading", name="Grant 2 more of Ten Service Premium")).to_be_visible()
    page.locator("button[name=confirm]").click()
    expect(page.get_by_text("The request is granted.")).to_be_visible()
    assert SeatRequest.objects.get().state == "granted"
    page.goto(address)
    expect(page.get_by_text("by Cara Care")).to_be_visible()
    fjordlys.gives("ida", "ten-service-premium")
