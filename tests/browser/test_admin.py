"""Every page of the admin in the product's look: axe is content in both schemes and widths, nothing scrolls sideways,
nothing complains, and what is under tabs is within reach of the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from catalog.models import Feature, Plan
from catalog.services import drafting
from customers.actor import SYSTEM
from customers.models import Account
from licensing.facts import Mode
from licensing.services.overrides import grant_override
from tests.factories.catalog import FeatureFactory
from tests.factories.customers import AccountFactory, ApiClientFactory, MembershipFactory, key_for
from tests.licensing.market import Market, Town

Look = tuple[int, Literal["light", "dark"]]
LOOKS: tuple[Look, ...] = ((1360, "light"), (390, "dark"), (1360, "dark"), (390, "light"))

FINDINGS = """() => axe.run({ resultTypes: ['violations'] }).then(found => found.violations.map(fault =>
  `${fault.id} (${fault.nodes.length}): ${fault.nodes[0].html.slice(0, 200)}`))"""
SETTLED = "() => Promise.all(document.getAnimations().map(motion => motion.finished.catch(() => null)))"


@pytest.fixture
def market(transactional_db: None) -> Market:
    """Something of everything that the admin lists."""
    market = Market()
    market.draft(market.sales_premium, grants={"quotes": True}, includes=("sales-essentials",))
    town = Town()
    town.buys(sales_essentials=2, sales_premium=1, calendar=2)
    town.gives("ola", "ten-sales-premium", reason="New in Sales")
    grant_override(customer=town.customer, actor=SYSTEM, feature="email-limit", mode=Mode.AT_LEAST, value=9, reason="-")
    MembershipFactory(customer=town.customer)
    key_for(ApiClientFactory(name="Demo app"))
    return market


def visit(page: Page, address: str, *looks: Look) -> Iterator[str]:
    """Opens a page and yields what is wrong with it; without looks axe sees it in all of them."""
    page.goto(address)
    page.evaluate(AXE_SCRIPT)
    for width, scheme in looks or LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(SETTLED)
        yield from (f"{address} ({scheme}, {width} px): {finding}" for finding in page.evaluate(FINDINGS))
    for width in (1360, 390):
        page.set_viewport_size({"width": width, "height": 900})
        if (shown := page.evaluate("document.documentElement.scrollWidth")) > width:
            yield f"{address}: {shown} px wide on {width} px"


def visit_each(page: Page, addresses: Iterable[str]) -> str:
    """Returns what is wrong with many pages of one kind; axe sees each in one look, in turn."""
    return "\n".join(fault for address, look in zip(addresses, cycle(LOOKS)) for fault in visit(page, address, look))


def lists() -> list[str]:
    return [reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist") for page in pages()]


def pages() -> list[Any]:
    return list(admin.site._registry.values())


def forms(account: Account) -> Iterator[str]:
    """Yields the address of one form of each kind: where something is added, where its first row is edited or read."""
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    for page in pages():
        name = f"admin:{page.opts.app_label}_{page.opts.model_name}"
        if client.get(reverse(f"{name}_add")).status_code == 200:
            yield reverse(f"{name}_add")
        if (first := page.model._default_manager.first()) is not None:
            yield reverse(f"{name}_change", args=[first.pk])


def test_every_list_reads_well(page: Page, market: Market, root: Account, sign_in: Callable[[Account], None]) -> None:
    sign_in(root)
    assert visit_each(page, lists()) == ""
    assert list(visit(page, "/admin/")) == []
    assert list(visit(page, reverse("admin:catalog_plan_changelist"))) == []


def test_every_list_reads_well_for_a_product_manager(
    page: Page, market: Market, pia: Account, sign_in: Callable[[Account], None]
) -> None:
    sign_in(pia)
    client = Client()
    client.force_login(pia, backend="django.contrib.auth.backends.ModelBackend")
    open_to_her = [address for address in lists() if client.get(address).status_code == 200]
    assert reverse("admin:catalog_plan_changelist") in open_to_her
    assert reverse("admin:customers_auditevent_changelist") not in open_to_her
    assert visit_each(page, open_to_her[::3]) == ""


def test_every_form_reads_well(page: Page, market: Market, root: Account, sign_in: Callable[[Account], None]) -> None:
    sign_in(root)
    addresses = list(forms(root))
    assert len(addresses) > len(pages())
    assert visit_each(page, addresses) == ""
    assert list(visit(page, reverse("admin:catalog_feature_add"))) == []


def test_what_comes_of_a_row_reads_well(
    page: Page, market: Market, root: Account, sign_in: Callable[[Account], None]
) -> None:
    """Its history, its deletion (free, and refused), a popup, a list that is filtered, a list with nothing in it."""
    sign_in(root)
    free, needed = FeatureFactory(code="free"), Feature.objects.get(code="email-limit")
    draft = market.sales_premium.versions.drafts().get()
    addresses = [
        reverse("admin:catalog_plan_history", args=[market.sales_premium.pk]),
        reverse("admin:catalog_feature_delete", args=[free.pk]),
        reverse("admin:catalog_feature_delete", args=[needed.pk]),
        reverse("admin:catalog_module_changelist") + "?_popup=1&_to_field=id",
        reverse("admin:catalog_module_add") + "?_popup=1",
        reverse("admin:catalog_plan_changelist") + "?q=nothing-like-it",
        reverse("admin:catalog_plan_changelist") + "?for_sale__exact=1&o=1.-2",
        reverse("admin:catalog_version_publish", args=[draft.pk]),
        reverse("admin:catalog_version_discard", args=[draft.pk]),
    ]
    assert [fault for address in addresses for fault in visit(page, address)] == []


def test_a_row_is_added_and_mended_by_keyboard(
    page: Page, market: Market, root: Account, sign_in: Callable[[Account], None]
) -> None:
    sign_in(root)
    feature = Feature.objects.get(code="dashboards")
    held = feature.choices.count()
    page.goto(reverse("admin:catalog_feature_change", args=[feature.pk]))
    details, choices = page.get_by_role("tab", name="Details"), page.get_by_role("tab", name="Choices")
    expect(details).to_have_attribute("aria-selected", "true")
    details.focus()
    page.keyboard.press("ArrowRight")
    expect(choices).to_be_focused()
    expect(choices).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Description")).to_be_hidden()

    page.get_by_role("button", name="Add another Level choice").press("Enter")
    rank = page.get_by_label("Rank: new row").locator("visible=true")
    rank.press_sequentially("9")
    page.keyboard.press("Control+k")  # the palette opens over the form, and goes
    page.keyboard.press("Escape")
    rank.press("Enter")

    # What is wrong opens its tab, and says how much there is to correct.
    expect(page.get_by_role("tab", name="Choices (2 to correct)")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("alert")).to_contain_text("to be corrected before this can be saved")
    page.get_by_label("Code: new row").locator("visible=true").fill("wall")
    page.get_by_label("Name: new row").locator("visible=true").fill("A wall of tiles")
    page.get_by_role("button", name="Save and continue editing").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("was changed successfully")
    assert feature.choices.count() == held + 1


def test_a_tab_stays_when_its_form_is_saved(
    page: Page, market: Market, root: Account, sign_in: Callable[[Account], None]
) -> None:
    sign_in(root)
    draft = drafting.draft_from(offer=market.service_premium, actor=SYSTEM, at=timezone.now())
    page.goto(reverse("admin:catalog_version_change", args=[draft.pk]))
    page.get_by_role("tab", name="Features").click()
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_role("status")).to_contain_text("was changed successfully")
    expect(page.get_by_role("tab", name="Features")).to_have_attribute("aria-selected", "true")


def test_a_filter_narrows_a_list_and_goes_away(page: Page, market: Market, sign_in: Callable[[Account], None]) -> None:
    sign_in(AccountFactory(roles=["product_manager"]))
    page.goto(reverse("admin:catalog_plan_changelist"))
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(Plan.objects.count())
    page.get_by_role("button", name="For sale").press("Enter")
    page.get_by_role("link", name="No", exact=True).press("Enter")
    expect(page.get_by_role("button", name="For sale: No")).to_be_visible()
    expect(page.get_by_role("link", name="Common", exact=True)).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    expect(rows).to_have_count(Plan.objects.count())
