"""Pia edits the matrix as one edits a spreadsheet, Paul does so at the same time, Aud looks on. In a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from catalog.models import Feature, Grant, Version
from catalog.services import drafting
from catalog.services.cells import CellEdit, ColumnEdit, save_cells
from catalog.services.columns import heads
from customers.actor import Actor
from customers.models import Account
from tests.factories.catalog import NOON, FeatureFactory, FeatureGroupFactory, PlanFactory, Shop

PAGE = "/catalog/matrix/"
SignIn = Callable[[Account], None]


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    return Shop()


@pytest.fixture
def matrix(shop: Shop, page: Page, sign_in: SignIn, pia: Account) -> Page:
    """The page as Pia opens it."""
    sign_in(pia)
    page.goto(PAGE)
    page.wait_for_load_state("networkidle")
    return page


def cell(page: Page, offer: str, feature: str) -> Locator:
    at = page.locator("thead th").evaluate_all(f"heads => heads.findIndex(head => head.dataset.offer === '{offer}')")
    return page.locator(f"tr[data-feature='{feature}'] > :nth-child({at + 1})")


def text(offer: str, feature: str, page: Page) -> Locator:
    return cell(page, offer, feature).locator("span")


def unsaved(page: Page, count: int) -> None:
    words = f"{count} unsaved change{'s' * (count != 1)}" if count else "No unsaved changes"
    expect(page.locator("[data-count]")).to_have_text(words)


def save(page: Page) -> None:
    page.keyboard.press("Control+s")
    expect(page.locator("[data-count]")).to_contain_text("saved.")
    page.wait_for_load_state("networkidle")


def grants(offer: Any) -> dict[str, object]:
    rows = Grant.objects.filter(version=heads([offer])[offer.pk]).select_related("feature")
    return {row.feature.code: "unlimited" if row.unlimited else row.value for row in rows}


def paste(page: Page, block: str) -> None:
    page.evaluate(
        """block => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", block);
          const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
          document.activeElement.dispatchEvent(paste);
        }""",
        block,
    )


def copied(page: Page) -> str:
    found: str = page.evaluate(
        """() => {
          const clipboardData = new DataTransfer();
          const copy = new ClipboardEvent("copy", { clipboardData, bubbles: true, cancelable: true });
          document.activeElement.dispatchEvent(copy);
          return clipboardData.getData("text/plain");
        }"""
    )
    return found


# ── By keyboard ─────────────────────────────────────────────────────────────
def test_arrows_move_and_typing_edits(matrix: Page, shop: Shop) -> None:
    cell(matrix, "common", "dashboards").click()
    for key, (offer, feature) in {
        "ArrowRight": ("sales-essentials", "dashboards"),
        "ArrowDown": ("sales-essentials", "email-limit"),
        "End": ("service-essentials", "email-limit"),
        "Control+ArrowDown": ("service-essentials", "requests"),
        "Control+Home": ("common", "dashboards"),
        "Control+End": ("service-essentials", "requests"),
        "PageUp": ("service-essentials", "dashboards"),
        "Home": ("common", "dashboards"),
    }.items():
        matrix.keyboard.press(key)
        expect(cell(matrix, offer, feature)).to_be_focused()
    assert matrix.locator("td[tabindex='0']").count() == 1

    cell(matrix, "sales-premium", "email-limit").click()
    expect(cell(matrix, "sales-premium", "email-limit")).to_have_accessible_name(
        "Sales Premium, Email limit: 500 recipients per call, inherited from common v1"
    )
    matrix.keyboard.type("1,200")
    matrix.keyboard.press("Enter")
    expect(text("sales-premium", "email-limit", matrix)).to_have_text("1,200")
    expect(cell(matrix, "sales-premium", "sales")).to_be_focused()  # Enter goes on below
    matrix.keyboard.press("Space")
    expect(text("sales-premium", "sales", matrix)).to_have_text("✕")
    matrix.keyboard.press("Control+Home")
    matrix.keyboard.press("Enter")
    matrix.get_by_role("combobox", name="Common, Dashboards").select_option(label="Custom tiles")
    matrix.keyboard.press("Enter")
    unsaved(matrix, 3)
    cell(matrix, "sales-essentials", "email-limit").click()
    matrix.keyboard.press("F2")
    matrix.get_by_role("button", name="Unlimited").click()
    expect(text("sales-essentials", "email-limit", matrix)).to_have_text("Unlimited")
    expect(matrix.locator("[data-about]")).to_contain_text("own value Unlimited; without it 500 recipients per call")

    save(matrix)
    assert grants(shop.sales_premium) == {
        "dashboards": "custom-tiles",
        "quotes": True,
        "email-limit": 1200,
        "sales": False,
    }
    assert grants(shop.common)["dashboards"] == "custom-tiles"
    assert grants(shop.sales_essentials)["email-limit"] == "unlimited"
    expect(matrix.locator("thead th[data-offer='sales-premium'] .badge")).to_have_text("draft")
    expect(cell(matrix, "sales-essentials", "email-limit")).to_have_class("own")


def test_the_tick_and_delete(matrix: Page) -> None:
    premium = text("sales-premium", "sales", matrix)
    premium.click()
    expect(premium).to_have_text("✕")  # an own value that takes away what is inherited
    premium.click()
    expect(premium).to_have_text("✓")
    unsaved(matrix, 0)  # what is inherited need not be repeated
    cell(matrix, "sales-premium", "quotes").click()
    matrix.keyboard.press("Delete")
    expect(text("sales-premium", "quotes", matrix)).to_have_text("")
    matrix.keyboard.press("y")
    unsaved(matrix, 0)


def test_a_wrong_value_is_told_in_its_cell(matrix: Page, shop: Shop) -> None:
    cell(matrix, "common", "email-limit").click()
    matrix.keyboard.type("9x")
    matrix.keyboard.press("Enter")
    editor = matrix.get_by_role("textbox", name="Common, Email limit")
    expect(editor).to_have_attribute("aria-invalid", "true")
    expect(matrix.get_by_role("alert").filter(visible=True)).to_have_text(
        "A limit is a whole number from 0, or unlimited."
    )
    matrix.keyboard.press("Escape")
    unsaved(matrix, 0)

    paste(matrix, "lots")
    expect(cell(matrix, "common", "email-limit")).to_have_class(re.compile("wrong"))
    expect(matrix.locator("[data-count]")).to_have_text("1 unsaved change, 1 to correct")
    matrix.keyboard.press("Control+s")
    expect(matrix.locator("[data-problems]")).to_contain_text("Common · Email limit: A limit is a whole number")
    assert not Version.objects.drafts().exists()
    matrix.keyboard.type("7")
    matrix.keyboard.press("Enter")
    save(matrix)
    assert grants(shop.common)["email-limit"] == 7


# ── Blocks ──────────────────────────────────────────────────────────────────
def test_a_block_from_a_spreadsheet_and_back(matrix: Page, shop: Shop) -> None:
    cell(matrix, "sales-essentials", "dashboards").click()
    paste(matrix, "Custom tiles\tdefault-charts\r\n1 000\tunlimited\r\nno\tTRUE\r\n")
    unsaved(matrix, 5)  # Sales Premium inherits the tick already
    expect(text("sales-essentials", "dashboards", matrix)).to_have_text("Custom tiles")
    expect(text("sales-premium", "email-limit", matrix)).to_have_text("Unlimited")
    expect(matrix.locator("td[aria-selected=true]")).to_have_count(6)
    assert copied(matrix) == "Custom tiles\tDefault charts\n1000\tunlimited\n\tyes"
    save(matrix)
    assert grants(shop.sales_essentials) == {"dashboards": "custom-tiles", "email-limit": 1000}
    assert grants(shop.sales_premium) == {"dashboards": "default-charts", "email-limit": "unlimited", "quotes": True}


def test_one_value_fills_all_that_is_selected(matrix: Page) -> None:
    cell(matrix, "common", "email-limit").click()
    matrix.keyboard.press("Shift+End")
    expect(matrix.locator("td[aria-selected=true]")).to_have_count(4)
    matrix.keyboard.type("42")
    matrix.keyboard.press("Enter")
    for offer in ("common", "sales-essentials", "sales-premium", "service-essentials"):
        expect(text(offer, "email-limit", matrix)).to_have_text("42")
    matrix.keyboard.press("Control+z")
    unsaved(matrix, 0)
    cell(matrix, "common", "sales").click()
    cell(matrix, "service-essentials", "requests").click(modifiers=["Shift"])
    paste(matrix, "x")
    expect(matrix.locator("tr[data-kind=switch] td.changed")).to_have_count(8)  # the others have it, or inherit it
    matrix.keyboard.press("Control+z")
    cell(matrix, "sales-premium", "dashboards").click()
    paste(matrix, "a\tb\tc")
    expect(matrix.locator("[data-said]")).to_have_text("2 cells pasted. 2 cells to correct. 1 cell did not fit.")


# ── Undo, and the list of changes ───────────────────────────────────────────
def test_undo_redo_and_the_list(matrix: Page) -> None:
    limit = text("common", "email-limit", matrix)
    for value in ("600", "700"):
        cell(matrix, "common", "email-limit").click()
        matrix.keyboard.type(value)
        matrix.keyboard.press("Enter")
    expect(limit).to_have_text("700")
    matrix.keyboard.press("Control+z")
    expect(limit).to_have_text("600")
    matrix.keyboard.press("Control+z")
    expect(limit).to_have_text("500")
    unsaved(matrix, 0)
    matrix.keyboard.press("Control+y")
    matrix.keyboard.press("Control+Shift+z")
    expect(limit).to_have_text("700")
    matrix.locator("[data-list] summary").click()
    expect(matrix.locator(".matrix-changes li")).to_contain_text("Common · Email limit 500 → 700")
    matrix.get_by_role("button", name="Undo Common, Email limit").click()
    expect(limit).to_have_text("500")
    matrix.get_by_role("button", name="Undo", exact=True).click()
    expect(limit).to_have_text("700")
    matrix.get_by_role("button", name="Discard").click()
    unsaved(matrix, 0)


def test_leaving_with_unsaved_changes_is_asked_about(matrix: Page) -> None:
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    matrix.on("dialog", leave)
    cell(matrix, "common", "sales").click()
    matrix.keyboard.press("Space")
    matrix.goto("/plans/")
    assert asked == ["beforeunload"]


def test_what_cannot_be_saved_now_is_still_there(
    matrix: Page, shop: Shop, context: BrowserContext, complaints: list[str]
) -> None:
    cell(matrix, "common", "email-limit").click()
    matrix.keyboard.type("600")
    matrix.keyboard.press("Enter")
    matrix.route("**/catalog/matrix/save/", lambda route: route.abort())
    matrix.keyboard.press("Control+s")
    expect(matrix.locator("[data-problems]")).to_contain_text("The server can’t be reached")
    matrix.unroute("**/catalog/matrix/save/")
    session = context.cookies()
    context.clear_cookies(name="sessionid")
    matrix.keyboard.press("Control+s")
    expect(matrix.locator("[data-problems]")).to_contain_text("Sign in in another tab")
    unsaved(matrix, 1)
    cookies: Any = session
    context.add_cookies(cookies)
    complaints.clear()
    save(matrix)
    assert grants(shop.common)["email-limit"] == 600


def test_how_a_limit_may_be_typed(matrix: Page) -> None:
    numbers = {"1,500": "1,500", "1 500 000": "1,500,000", "007": "7"}
    for typed, shown in {**numbers, "∞": "Unlimited", "u": "Unlimited", "": "500", "–": "500"}.items():
        cell(matrix, "sales-premium", "email-limit").click()
        paste(matrix, typed)
        expect(text("sales-premium", "email-limit", matrix)).to_have_text(shown)
    for typed in ("1,5", "1.5", "-3", "many", "9007199254740992", "12,34"):
        paste(matrix, typed)
        expect(text("sales-premium", "email-limit", matrix)).to_have_text(typed)
        expect(cell(matrix, "sales-premium", "email-limit")).to_have_class(re.compile("wrong"))
        matrix.keyboard.press("Control+z")


# ── Two people ──────────────────────────────────────────────────────────────
def paul_saves(paul: Account, offer: Any, feature: str, seen: Any, value: Any) -> None:
    version = heads([offer])[offer.pk]
    edit = ColumnEdit(offer.code, version.pk, not version.is_frozen, [CellEdit(feature, seen, value)])
    save_cells(columns=[edit], actor=Actor(account=paul), at=NOON)


def test_of_two_people_nobody_loses_a_change(matrix: Page, shop: Shop, paul: Account, complaints: list[str]) -> None:
    for value, offer in (("700", "common"), ("800", "sales-essentials"), ("900", "sales-premium")):
        cell(matrix, offer, "email-limit").click()
        matrix.keyboard.type(value)
        matrix.keyboard.press("Enter")
    paul_saves(paul, shop.common, "email-limit", 500, 555)
    paul_saves(paul, shop.sales_essentials, "email-limit", None, 666)
    paul_saves(paul, shop.sales_essentials, "sales", True, None)  # elsewhere: it merges
    matrix.keyboard.press("Control+s")
    problems = matrix.get_by_role("alert").filter(has_text="Somebody else changed the same")
    expect(problems.get_by_role("listitem")).to_have_count(2)
    expect(problems).to_contain_text("Common · Email limit: theirs 555 (Paul Publisher, 5 Jan 2026, ")
    expect(problems).to_contain_text("yours 700")
    expect(cell(matrix, "common", "email-limit")).to_have_class(re.compile("conflict"))
    expect(matrix.get_by_role("button", name="Save drafts")).to_be_disabled()
    assert "email-limit" not in grants(shop.sales_premium)  # nothing half done
    assert [each for each in complaints if "409" not in each] == []
    complaints.clear()

    matrix.get_by_role("button", name="Keep theirs: Common · Email limit").click()
    matrix.get_by_role("button", name="Keep mine: Sales Essentials · Email limit").click()
    expect(problems).to_be_hidden()
    save(matrix)
    assert grants(shop.common)["email-limit"] == 555
    assert grants(shop.sales_essentials) == {"dashboards": "default-tiles", "email-limit": 800}
    assert grants(shop.sales_premium)["email-limit"] == 900
    expect(text("common", "email-limit", matrix)).to_have_text("555")
    expect(cell(matrix, "sales-essentials", "sales")).to_have_class("none")


def test_a_draft_that_somebody_discarded(matrix: Page, shop: Shop, paul: Account, complaints: list[str]) -> None:
    draft = shop.draft(shop.common, grants={"email-limit": 300})
    matrix.reload()
    cell(matrix, "common", "email-limit").click()
    matrix.keyboard.type("400")
    matrix.keyboard.press("Enter")
    drafting.discard_draft(version=draft, actor=Actor(account=paul), at=NOON)
    matrix.keyboard.press("Control+s")
    expect(matrix.locator("[data-problems]")).to_contain_text(
        re.compile(
            r"The draft of Common was discarded by Paul Publisher, .*\. Keeping yours begins a new draft from v1\."
        )
    )
    complaints.clear()
    matrix.get_by_role("button", name="Keep mine").click()
    save(matrix)
    assert grants(shop.common) == {"dashboards": "default-charts", "email-limit": 400}


# ── Groups, search, cleaning up ─────────────────────────────────────────────
def test_groups_open_and_close_and_search_keeps_changes(matrix: Page) -> None:
    work = matrix.get_by_role("link", name="Work", exact=True)
    expect(work).to_have_attribute("aria-expanded", "true")
    cell(matrix, "common", "sales").click()
    matrix.keyboard.press("Space")
    work.click()
    expect(work).to_have_attribute("aria-expanded", "false")
    expect(matrix.locator("tr[data-feature='sales']")).to_have_count(0)
    expect(matrix.locator("tbody[data-group=work] [data-unsaved]")).to_have_text("1 unsaved")
    work.click()
    expect(text("common", "sales", matrix)).to_have_text("✓")
    matrix.get_by_label("Features", exact=True).fill("mail")
    matrix.keyboard.press("Enter")
    expect(matrix.locator("tr[data-feature]")).to_have_count(1)
    unsaved(matrix, 1)
    assert "search=mail" in matrix.url
    matrix.get_by_label("Features", exact=True).fill("")
    matrix.get_by_label("Solution").select_option("service")
    matrix.get_by_role("button", name="Show").click()
    expect(matrix.locator("thead th[data-offer]")).to_have_count(2)
    expect(text("common", "sales", matrix)).to_have_text("✓")
    save(matrix)


def test_the_least_recently_opened_group_makes_room(page: Page, shop: Shop, sign_in: SignIn, pia: Account) -> None:
    """13 columns: 192 rows of a group at a time, two groups of them fit into 5,000 cells."""
    for n in range(9):
        PlanFactory(code=f"more-{n}")
    for n in range(3):
        group = FeatureGroupFactory(code=f"big-{n}", name=f"Big {n}", position=10 + n)
        Feature.objects.bulk_create(FeatureFactory.build(code=f"b{n}-{m}", group=group, position=m) for m in range(200))

    def is_open(*numbers: int) -> None:
        for n in range(3):
            link = page.get_by_role("link", name=f"Big {n}", exact=True)
            expect(link).to_have_attribute("aria-expanded", "true" if n in numbers else "false")

    sign_in(pia)
    page.goto(f"{PAGE}?open=big-0")
    page.get_by_role("link", name="Big 1", exact=True).click()
    is_open(0, 1)
    page.get_by_role("link", name="Big 2", exact=True).click()
    is_open(1, 2)
    assert page.locator("td").count() == 2 * 192 * 13
    assert page.url.endswith("?open=big-1&open=big-2")
    for feature in ("b1-0", "b2-0"):
        cell(page, "common", feature).click()
        page.keyboard.press("Space")
    page.get_by_role("link", name="Big 0", exact=True).click()
    expect(page.locator("[data-problems]")).to_contain_text("The open groups have unsaved changes")
    is_open(1, 2)
    page.get_by_role("link", name="Big 2, page 2").click()
    expect(page.locator("tr[data-feature=b2-192]")).to_have_count(1)
    unsaved(page, 2)
    page.get_by_role("button", name="Discard").click()
    page.reload()
    expect(page.locator("tr[data-feature]")).to_have_count(192 + 8)


def test_repeated_values_are_cleaned_up_wherever_they_are(
    page: Page, shop: Shop, sign_in: SignIn, pia: Account
) -> None:
    shop.draft(shop.sales_essentials, grants={"email-limit": 500, "sales": True}, includes=("common",))
    sign_in(pia)
    page.goto(f"{PAGE}?open=work")  # the group with the repetition is closed
    page.get_by_role("button", name="Remove 1 repeated value").click()
    unsaved(page, 1)
    expect(page.locator("tbody[data-group=email] [data-unsaved]")).to_have_text("1 unsaved")
    page.locator("[data-list] summary").click()
    expect(page.locator(".matrix-changes li")).to_contain_text("Sales Essentials · Email limit 500 → inherits 500")
    save(page)
    assert grants(shop.sales_essentials) == {"sales": True}
    expect(page.locator("[data-clean]")).to_be_hidden()


# ── Who looks on, small screens, everybody's eyes ───────────────────────────
def test_aud_looks_on(page: Page, shop: Shop, sign_in: SignIn, aud: Account) -> None:
    sign_in(aud)
    page.goto(PAGE)
    cell(page, "common", "email-limit").click()
    page.keyboard.press("9")
    page.keyboard.press("Enter")
    page.keyboard.press("Delete")
    expect(text("common", "email-limit", page)).to_have_text("500")
    expect(page.get_by_role("button", name="Save drafts")).to_have_count(0)
    page.keyboard.press("Shift+ArrowRight")
    assert copied(page) == "500\t500"


def test_on_a_phone_one_plan_at_a_time(
    browser: Browser, live_server: LiveServer, shop: Shop, pia: Account, context: BrowserContext, sign_in: SignIn
) -> None:
    sign_in(pia)
    phone = browser.new_context(
        base_url=live_server.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    cookies: Any = context.cookies()
    phone.add_cookies(cookies)
    page = phone.new_page()
    page.goto(PAGE)
    page.get_by_label("Plan or add-on").select_option("sales-premium")
    expect(cell(page, "sales-premium", "email-limit")).to_be_visible()
    expect(cell(page, "common", "email-limit")).to_be_hidden()
    cell(page, "sales-premium", "email-limit").tap()
    page.get_by_role("textbox", name="Sales Premium, Email limit").fill("77")
    page.keyboard.press("Enter")
    cell(page, "sales-premium", "requests").tap()
    unsaved(page, 2)
    page.get_by_role("button", name="Save drafts").tap()
    expect(page.locator("[data-count]")).to_contain_text("2 cells saved.")
    assert grants(shop.sales_premium)["email-limit"] == 77
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    phone.close()


def test_without_scripts_values_are_shown_and_columns_lead_to_their_form(
    browser: Browser, live_server: LiveServer, shop: Shop, pia: Account, context: BrowserContext, sign_in: SignIn
) -> None:
    sign_in(pia)
    plain = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    cookies: Any = context.cookies()
    plain.add_cookies(cookies)
    page = plain.new_page()
    page.goto(PAGE)
    page.get_by_role("link", name="Work", exact=True).click()
    expect(page.locator("tr[data-feature='sales']")).to_have_count(0)
    page.get_by_role("link", name="Work", exact=True).click()
    expect(page.locator("tr[data-feature='sales']")).to_have_count(1)
    page.get_by_role("link", name="Sales Premium").click()
    assert page.url.endswith(f"/admin/catalog/version/{Version.objects.get(offer=shop.sales_premium).pk}/change/")
    plain.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
def test_everybody_can_read_it(
    matrix: Page, shop: Shop, paul: Account, axe: Callable[[Page], None], scheme: Any, width: int, complaints: list[str]
) -> None:
    shop.draft(shop.service_essentials, grants={"email-limit": 500, "requests": True}, includes=("common",))
    matrix.reload()
    matrix.wait_for_load_state("networkidle")
    matrix.set_viewport_size({"width": width, "height": 850})
    matrix.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    axe(matrix)
    cell(matrix, "common", "sales").click()
    matrix.keyboard.press("Space")
    matrix.keyboard.press("ArrowUp")
    paste(matrix, "lots")
    axe(matrix)  # something changed, something wrong
    matrix.keyboard.type("70x")
    matrix.keyboard.press("Enter")
    axe(matrix)  # an editor with a fault
    matrix.keyboard.press("Escape")
    matrix.keyboard.press("Control+z")
    paul_saves(paul, shop.common, "sales", None, False)
    matrix.keyboard.press("Control+s")
    expect(matrix.get_by_role("button", name="Keep mine")).to_be_visible()
    matrix.locator("[data-list] summary").click()
    axe(matrix)  # a conflict, and the list of changes
    complaints.clear()
