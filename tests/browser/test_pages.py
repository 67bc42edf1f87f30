"""What pages do beyond links and forms: the palette, the menu of small screens, hints, explanations, columns."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from customers.models import Account, Membership
from tests.browser.test_portal import PAGE, SignIn, member, picker
from tests.licensing.market import Market, Town

PHONE = {"width": 390, "height": 800}


@pytest.fixture
def fjordlys(transactional_db: None) -> Town:
    Market()
    town = Town()
    town.buys(sales_essentials=2, sales_premium=2, service_premium=2, calendar=2)
    town.gives("ola", "ten-sales-essentials")
    return town


@pytest.fixture
def kari(fjordlys: Town) -> Account:
    return member(fjordlys, "Kari Nordmann", Membership.Role.ADMIN)


def test_ctrl_k_leads_anywhere_by_keyboard_alone(page: Page, sign_in: SignIn, kari: Account) -> None:
    sign_in(kari)
    page.goto("/portal/fjordlys/")
    page.keyboard.press("Control+k")
    words = page.get_by_role("searchbox", name="Plan, customer or user")
    expect(words).to_be_focused()
    words.press_sequentially("premium")
    found = page.get_by_role("dialog").get_by_role("link")
    expect(found).to_have_count(3)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(found.nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    words.fill("ola")
    expect(found).to_have_text([re.compile("Ola")])
    words.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ola")


def test_without_the_script_search_is_a_page(page: Page, sign_in: SignIn, kari: Account) -> None:
    sign_in(kari)
    page.goto("/search/?q=ola")
    page.get_by_role("link", name="Ola").click()
    expect(page).to_have_url(re.compile("/portal/fjordlys/users/ola/$"))


def test_the_menu_of_a_phone_opens_and_closes(page: Page, sign_in: SignIn, kari: Account) -> None:
    sign_in(kari)
    page.set_viewport_size(PHONE)
    page.goto("/portal/fjordlys/")
    link, menu = page.get_by_role("link", name="Users & seats").first, page.get_by_role("button", name="Menu")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    menu.click()
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Users & seats")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(menu).to_be_focused()
    expect(link).to_be_attached()


def test_a_choice_says_what_it_would_change(
    page: Page, sign_in: SignIn, kari: Account, fjordlys: Town, axe: Callable[[Page], None]
) -> None:
    sign_in(kari)
    page.goto(PAGE)
    picker(page, "Sales", "Ola").select_option(label="Ten Sales Premium · 2 left")
    hint = page.locator("#user-ola + .row-hint")
    expect(hint).to_contain_text("Raised 2 Dashboards (Default tiles → Custom tiles), Quotes (can now be edited)")
    axe(page)
    picker(page, "Sales", "Ola").select_option("superoffice.ten-sales-essentials")
    expect(hint).to_be_hidden()
    assert fjordlys.holds("ola") == {"ten-sales-essentials"}


def test_why_opens_in_place_and_has_an_address(
    page: Page, sign_in: SignIn, kari: Account, axe: Callable[[Page], None]
) -> None:
    sign_in(kari)
    page.goto("/portal/fjordlys/users/ola/")
    page.get_by_role("link", name="Dashboards").click()
    why = page.get_by_role("region", name=re.compile("^Why"))
    expect(why).to_be_visible()
    expect(page).to_have_url(re.compile("feature="))
    axe(page)
    said = why.inner_text()
    page.reload()
    expect(why).to_have_text(re.compile(re.escape(said.split("\n")[0])))


def test_columns_are_chosen_and_stay(page: Page, sign_in: SignIn, kari: Account) -> None:
    sign_in(kari)
    page.goto(PAGE)
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name="Last seen").check()
    page.get_by_role("checkbox", name="Service").uncheck()
    page.get_by_role("button", name="Show these").click()
    expect(page.get_by_role("columnheader", name="Last seen")).to_be_visible()
    page.goto(PAGE)
    expect(page.get_by_role("columnheader", name="Last seen")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Service")).to_have_count(0)
    page.get_by_role("link", name="Last seen").click()
    expect(page.get_by_role("columnheader", name="Last seen")).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("tbody tr")).to_have_count(3)
