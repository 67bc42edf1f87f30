"""Kari gives her people at Fjordlys what they need; Vera looks on. In a real browser, as people do it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from customers.models import Account, Membership
from licensing.services.people import edit_user
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Market, Town

PAGE = "/portal/fjordlys/users/"
SignIn = Callable[[Account], None]


@pytest.fixture
def fjordlys(transactional_db: None) -> Town:
    """Two seats of each Sales plan, one for Sales and Service together, which Ida holds; Per has left."""
    Market()
    town = Town()
    town.buys(sales_essentials=2, sales_premium=2, service_premium=2, sales_service_premium=1, calendar=2, chat=1)
    town.gives("ida", "ten-sales-service-premium")
    edit_user(customer=town.customer, actor=town.actor, user=town.users["per"], is_former_employee=True)
    return town


def member(town: Town, name: str, role: str) -> Account:
    account: Account = AccountFactory(name=name, email=f"{name.split(maxsplit=1)[0].lower()}@fjordlys.example")
    account.set_password("lighthouse in the fog")
    account.save()
    MembershipFactory(customer=town.customer, account=account, role=role)
    return account


@pytest.fixture
def kari(fjordlys: Town) -> Account:
    return member(fjordlys, "Kari Nordmann", Membership.Role.ADMIN)


@pytest.fixture
def vera(fjordlys: Town) -> Account:
    return member(fjordlys, "Vera Vik", Membership.Role.VIEWER)


def picker(page: Page, solution: str, name: str) -> Locator:
    return page.get_by_role("combobox", name=f"{solution}, {name}")


def meter(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_text(name, exact=True))


def chosen(select: Locator) -> Locator:
    return select.locator("option:checked")


def test_kari_signs_in_and_gives_a_plan(page: Page, kari: Account, fjordlys: Town) -> None:
    page.goto("/")
    page.get_by_label("E-mail address").fill("KARI@fjordlys.example")
    page.get_by_label("Password").fill("lighthouse in the fog")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/portal/fjordlys/")  # her only customer: straight there
    page.get_by_role("main").get_by_role("link", name="Users & seats").click()

    page.get_by_label("Search").fill("ola")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row")).to_have_count(2)  # the head, and Ola

    expect(meter(page, "Ten Sales Premium")).to_contain_text("0 / 2")
    picker(page, "Sales", "Ola").select_option(label="Ten Sales Premium · 2 left")
    expect(meter(page, "Ten Sales Premium")).to_contain_text("1 / 2")
    expect(page.get_by_text("1 unsaved change")).to_be_visible()
    page.get_by_placeholder("Reason").fill("New in Sales")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text(re.compile(r"^1 user changed\. Change set \d+\.$"))).to_be_visible()
    expect(meter(page, "Ten Sales Premium")).to_contain_text("1 / 2")
    page.reload()
    expect(chosen(picker(page, "Sales", "Ola"))).to_have_text("Ten Sales Premium")
    expect(page.get_by_label("Search")).to_have_value("ola")

    picker(page, "Sales", "Ola").select_option(label="Ten Sales Essentials · 2 left")
    page.get_by_role("button", name="Save").click()
    expect(meter(page, "Ten Sales Essentials")).to_contain_text("1 / 2")
    expect(meter(page, "Ten Sales Premium")).to_contain_text("0 / 2")
    assert fjordlys.holds("ola") == {"ten-sales-essentials"}


def test_a_full_plan_cannot_be_chosen_until_a_seat_is_given_back(
    page: Page, sign_in: SignIn, kari: Account, fjordlys: Town
) -> None:
    sign_in(kari)
    page.goto(PAGE)
    full = picker(page, "Sales", "Ola").locator("option", has_text="Ten Sales Service Premium")
    expect(meter(page, "Ten Sales Service Premium")).to_contain_text("Full")
    expect(full).to_have_text("Ten Sales Service Premium · full")
    expect(full).to_be_disabled()

    for solution in ("Sales", "Service"):
        picker(page, solution, "Ida").select_option("")
    expect(full).to_be_enabled()
    picker(page, "Sales", "Ola").select_option(label="Ten Sales Service Premium · 1 left")
    expect(chosen(picker(page, "Service", "Ola"))).to_have_text("Ten Sales Service Premium")  # it covers both
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("2 users changed.")).to_be_visible()
    assert fjordlys.holds("ola") == {"ten-sales-service-premium"}
    assert fjordlys.holds("ida") == set()


def test_a_solution_goes_only_after_a_question(
    page: Page, sign_in: SignIn, kari: Account, fjordlys: Town, complaints: list[str]
) -> None:
    sign_in(kari)
    page.goto(PAGE)
    picker(page, "Sales", "Ida").select_option(label="Ten Sales Premium · 2 left")
    page.get_by_label("Nebula, Ida").check()
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved yet")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(chosen(picker(page, "Sales", "Ida"))).to_have_text("Ten Sales Premium")
    expect(page.get_by_label("Nebula, Ida")).to_be_checked()
    assert [said for said in complaints if "409" not in said] == []
    complaints.clear()

    page.get_by_label("Ida may lose Service").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("1 user changed.")).to_be_visible()
    assert fjordlys.holds("ida") == {"ten-sales-premium", "nebula"}


def test_choices_are_discarded_at_a_click(page: Page, sign_in: SignIn, kari: Account, fjordlys: Town) -> None:
    sign_in(kari)
    page.goto(PAGE)
    discard = page.get_by_role("link", name="Discard")
    expect(discard).to_be_hidden()
    picker(page, "Sales", "Ola").select_option(label="Ten Sales Premium · 2 left")
    discard.click()
    expect(discard).to_be_hidden()
    expect(chosen(picker(page, "Sales", "Ola"))).to_have_text("None")
    assert fjordlys.holds("ola") == set()


def test_vera_looks_and_cannot_change(page: Page, sign_in: SignIn, vera: Account) -> None:
    sign_in(vera)
    page.goto(PAGE)
    ida = page.get_by_role("row", name="Ida")
    expect(ida.get_by_role("cell", name="Ten Sales Service Premium")).to_have_count(2)
    expect(page.get_by_role("row", name="Per")).to_contain_text("Former employee")
    expect(page.locator("table").get_by_role("combobox")).to_have_count(0)
    expect(page.get_by_role("button", name="Save")).to_have_count(0)


@pytest.fixture
def plain_page(browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A browser that runs no script."""
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_all_of_it_works_without_javascript(plain_page: Page, kari: Account, fjordlys: Town) -> None:
    page = plain_page
    page.goto(PAGE)
    page.get_by_label("E-mail address").fill("kari@fjordlys.example")
    page.get_by_label("Password").fill("lighthouse in the fog")
    page.get_by_role("button", name="Sign in").click()
    picker(page, "Sales", "Ola").select_option(label="Ten Sales Premium · 2 left")
    picker(page, "Sales", "Ida").select_option("")
    page.get_by_role("button", name="Save").click()
    page.get_by_label("Ida may lose Service").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("2 users changed.")).to_be_visible()
    assert fjordlys.holds("ola") == {"ten-sales-premium"}
    assert fjordlys.holds("ida") == set()


def test_the_keyboard_finds_its_way(page: Page, sign_in: SignIn, kari: Account) -> None:
    sign_in(kari)
    page.goto(PAGE)
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_the_colours_chosen_by_hand_stay(page: Page, sign_in: SignIn, kari: Account) -> None:
    sign_in(kari)
    page.emulate_media(color_scheme="light")
    page.goto(PAGE)
    switch = page.get_by_role("button", name="Dark colours")
    expect(switch).to_have_attribute("aria-pressed", "false")
    switch.click()
    page.reload()
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(page.locator("html")).to_have_css("color-scheme", "dark")


@pytest.mark.parametrize("width", [390, 1360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read_by_everybody(
    page: Page,
    sign_in: SignIn,
    kari: Account,
    fjordlys: Town,
    axe: Callable[[Page], None],
    complaints: list[str],
    scheme: str,
    width: int,
) -> None:
    """axe finds nothing, and nothing has to be scrolled sideways."""
    page.set_viewport_size({"width": width, "height": 850})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")

    def check() -> None:
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
        assert [said for said in complaints if " 404 " not in said and " 409 " not in said] == []
        complaints.clear()

    for path in ("/account/login/", "/account/password/reset/", "/account/password/reset/done/", "/account/signup/"):
        page.goto(path)
        check()
    sign_in(kari)
    for path in (PAGE, f"{PAGE}?search=nobody", "/portal/", "/portal/nobody/users/", "/account/logout/"):
        page.goto(path)
        check()
    page.goto(PAGE)
    picker(page, "Sales", "Ola").select_option(label="Ten Sales Premium · 2 left")
    picker(page, "Sales", "Ida").select_option("")
    check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check()
    sign_in(AccountFactory(name="Cara Care", roles=["customer_success"]))
    page.goto("/")
    check()
