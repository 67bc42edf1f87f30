"""A stranger compares plans in a real browser: wide and narrow, light and dark, by keyboard, and on paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from catalog.models import Feature
from tests.factories.catalog import AddOnFactory, FeatureFactory, FeatureGroupFactory, PlanFactory, Shop, TierFactory

PAGE = "/plans/"
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"
TOP_OF_HEAD = "document.querySelector('thead th').getBoundingClientRect().top"


def scrolls_by(page: Page, key: str, axis: str) -> bool:
    """Whether the region moves along `axis` (scrollTop or scrollLeft) when `key` is pressed, again if need be."""
    next_frame = f"requestAnimationFrame(() => done(document.querySelector('.compare-region').{axis}))"
    for _ in range(100):
        page.keyboard.press(key)
        if page.evaluate(f"() => new Promise(done => {{ {next_frame} }})") > 0:
            return True
    return False


@pytest.fixture(autouse=True)
def shop(transactional_db: None) -> Shop:
    """The shop, with a combined plan, an add-on, and features enough to scroll."""
    shop = Shop()
    more = [
        FeatureFactory(group=FeatureGroupFactory(code="more", position=9), description=f"What number {number} does.")
        for number in range(40)
    ]
    everything = dict.fromkeys((feature.code for feature in more), True)
    includes = ("sales-premium", "service-essentials")
    both = PlanFactory(code="both", name="Both", solutions=("sales", "service"), tier=TierFactory(code="premium"))
    shop.publish(both, includes=includes, grants={"dashboards": "custom-tiles", **everything})
    shop.publish(AddOnFactory(code="chat", name="Chat"), grants={"email-limit": 1000})
    return shop


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
def test_it_is_accessible_and_never_wider_than_the_screen(
    page: Page, axe: Callable[[Page], None], width: int, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{PAGE}?show=chat&on=nonsense&solution=nowhere")
    expect(page.get_by_text("“nonsense” is not a date.")).to_be_visible()
    page.get_by_text("All plans", exact=True).click()
    axe(page)
    assert page.evaluate(SIDEWAYS) == 0


def test_the_head_stays_in_sight_on_a_wide_screen(page: Page) -> None:
    page.goto(PAGE)
    page.evaluate("scrollTo(0, 900)")
    assert page.evaluate("scrollY") == 900
    assert page.evaluate(TOP_OF_HEAD) == 0


def test_on_a_phone_the_table_scrolls_inside_its_own_region_by_keyboard(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(PAGE)
    region = page.get_by_role("region", name="Plans", exact=True)
    region.focus()
    assert scrolls_by(page, "ArrowRight", "scrollLeft")
    assert scrolls_by(page, "PageDown", "scrollTop")
    assert page.evaluate(SIDEWAYS) == 0
    region_box, head_box = region.bounding_box(), page.locator("thead th").first.bounding_box()
    assert region_box is not None
    assert head_box is not None
    assert (round(head_box["x"]), round(head_box["y"])) == (round(region_box["x"]), round(region_box["y"]))
    name = page.get_by_role("rowheader", name="Sales", exact=True).bounding_box()
    assert name is not None
    assert round(name["x"]) == round(region_box["x"])


def test_a_stranger_narrows_it_down(page: Page) -> None:
    page.goto(PAGE)
    page.get_by_text("All plans", exact=True).click()
    page.get_by_label("Sales Essentials").check()
    page.get_by_label("Sales Premium").check()
    page.get_by_role("checkbox", name="Chat").check()
    page.get_by_label("Only differences").check()
    page.get_by_role("button", name="Compare").click()

    expect(page.get_by_text("2 features, 2 the same and hidden")).to_be_visible()
    expect(page.get_by_role("columnheader", name=re.compile("Sales|Service|Both"))).to_have_count(2)
    quotes = page.get_by_role("row", name="Quotes").get_by_role("cell")
    expect(quotes.first).to_have_text("–Not included")
    expect(quotes.last.get_by_role("img", name="Included")).to_be_visible()
    page.get_by_role("link", name="Chat").click()
    expect(page.get_by_role("article", name="Chat")).to_be_in_viewport()

    page.get_by_label("On the day").fill("2020-01-01")
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("link", name="5 Jan 2026").click()
    expect(page.get_by_role("columnheader", name="Both")).to_be_visible()
    expect(page.get_by_label("On the day")).to_have_value("2026-01-05")


def test_a_name_unfolds_what_the_feature_does(page: Page) -> None:
    page.goto(PAGE)
    told = page.get_by_text("What number 7 does.")
    expect(told).to_be_hidden()
    feature = Feature.objects.get(description="What number 7 does.")
    page.locator("summary", has_text=re.compile(f"^{feature.name}$")).press("Enter")
    expect(told).to_be_visible()


def test_on_paper_there_is_the_table_and_its_date_alone(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 720, "height": 1000})
    page.goto(f"{PAGE}?on=2026-01-05")
    for selector in (".side", "form", ".page-head a", ".skip-link"):
        expect(page.locator(selector)).to_be_hidden()
    expect(page.get_by_text("What was on offer at the end of 5 Jan 2026 (UTC).")).to_be_visible()
    assert page.evaluate(SIDEWAYS) <= 0
    assert page.evaluate("document.querySelector('.compare-table').scrollWidth <= document.body.clientWidth")
    assert page.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"
