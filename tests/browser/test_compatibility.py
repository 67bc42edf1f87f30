"""Pia looks at what goes with what: wide and narrow, light and dark, by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from customers.models import Account
from tests.factories.catalog import AddOnFactory, FeatureFactory, LimitFactory, ModuleFactory, Shop

PAGE = "/catalog/compatibility/"
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture(autouse=True)
def shop(transactional_db: None) -> Shop:
    """The shop, with an add-on for every state that a cell can have."""
    shop = Shop()

    def sell(code: str, name: str, grants: dict[str, Any], **says: Any) -> None:
        fields = says.pop("fields", {})
        shop.publish(AddOnFactory(code=code, name=name, **fields), grants=grants, max_quantity=1, **says)

    for code in ("ai", "assistant", "starter"):
        FeatureFactory(code=code)
    LimitFactory(code="cap", rule="min", unit="GB")
    shop.publish(shop.service_essentials, grants={"requests": True, "cap": 50}, includes=("common",))
    sell("ai", "AI", {"ai": True})
    per_user = {"scope": "user", "module": ModuleFactory()}
    sell("assistant", "Assistant", {"assistant": True}, needs=("ai", "tier:premium"), fields=per_user)
    sell("starter", "Starter", {"starter": True}, excludes=("ai", "sales-essentials"))
    sell("selling", "Selling", {"sales": True})
    sell("saver", "Saver", {"cap": 5})
    return shop


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
def test_it_is_accessible_and_never_wider_than_the_screen(
    page: Page,
    sign_in: Callable[[Account], None],
    pia: Account,
    axe: Callable[[Page], None],
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    sign_in(pia)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{PAGE}?on=nonsense&solution=nowhere")
    expect(page.get_by_text("“nonsense” is not a date.")).to_be_visible()
    for summary in page.locator("main details > summary").all():
        summary.click()
    axe(page)
    assert page.evaluate(SIDEWAYS) == 0


def test_a_cell_says_why_by_keyboard_and_the_head_stays_in_sight(
    page: Page, sign_in: Callable[[Account], None], pia: Account
) -> None:
    sign_in(pia)
    page.set_viewport_size({"width": 390, "height": 600})
    page.goto(PAGE)
    row = page.locator("tbody tr").filter(has=page.get_by_role("rowheader", name="Starter"))
    cell = row.get_by_role("cell").first
    cell.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(cell.get_by_text("Starter excludes Sales Essentials.")).to_be_visible()

    region = page.get_by_role("region", name="Add-ons beside plans and add-ons")
    region.evaluate("region => region.scrollTo(200, 150)")
    top = region.evaluate("region => region.getBoundingClientRect().top")
    head = page.get_by_role("columnheader", name="Sales Premium")
    assert abs(head.evaluate("head => head.getBoundingClientRect().top") - top) < 2
    name = page.get_by_role("rowheader", name="Starter")
    left = region.evaluate("region => region.getBoundingClientRect().left")
    assert abs(name.evaluate("name => name.getBoundingClientRect().left") - left) < 2


def test_a_name_leads_to_its_version(page: Page, sign_in: Callable[[Account], None], pia: Account) -> None:
    sign_in(pia)
    page.goto("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Compatibility").click()
    page.get_by_label("Plans of").select_option("Service")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("5 add-ons beside 1 plan")).to_be_visible()
    page.get_by_role("link", name="Assistant").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("assistant v1")
