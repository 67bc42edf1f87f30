"""Pia drafts a new Sales Premium in the admin and hands it in; Paul publishes it, and it is live."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from catalog.models import Version
from customers.models import Account
from tests.factories.catalog import Shop
from tests.factories.customers import AccountFactory

PASSWORD = "bright-lantern-27"


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    return Shop()


def account(name: str, role: str) -> Account:
    made: Account = AccountFactory(name=name, roles=[role])
    made.set_password(PASSWORD)
    made.save()
    return made


def sign_in_at_the_door(page: Page, who: Account) -> None:
    page.goto("/account/login/")
    page.get_by_label("E-mail address").fill(who.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()
    expect(page).not_to_have_url("/account/login/")


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def saved_row(page: Page, text: str) -> Locator:
    """Returns the row of the draft that is about `text`."""
    return page.locator("tr.has_original").filter(has=page.locator("strong", has_text=text))


def add_row(page: Page, kind: str, name: str) -> Locator:
    """Adds a row below the draft and completes the name of what it is about; returns the row."""
    group = page.locator(f"#{kind}-group")
    group.get_by_role("button", name="Add another").click()
    row = group.locator("tr.form-row:not(.empty-form):not(.has_original)").last
    row.locator(".select2-selection").click()
    page.locator(".select2-search__field").fill(name)
    page.locator(".select2-results__option", has_text=name).first.click()
    return row


def save(page: Page) -> None:
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".notes")).to_contain_text("was changed successfully")


def test_a_plan_is_drafted_mended_handed_in_and_published(
    page: Page, shop: Shop, sign_in: Callable[[Account], None]
) -> None:
    sign_in_at_the_door(page, account("Pia Product", "product_manager"))

    # A draft begins at what is published.
    page.goto("/admin/catalog/plan/")
    page.get_by_role("row", name="Sales Premium").get_by_role("link", name="v1").click()
    tab(page, "What it gives")
    expect(page.get_by_role("heading", name="What it gives")).to_be_visible()
    page.get_by_role("button", name="Draft from this version").click()
    expect(page.get_by_text("A draft of Sales Premium has begun.")).to_be_visible()

    # A value is lowered, a feature granted, a module added that needs another one, and nothing said about it.
    tab(page, "Features")
    saved_row(page, "Dashboards").get_by_role("combobox").select_option("Default tiles")
    add_row(page, "grants", "Email limit").get_by_label("Value: new row").fill("900")
    tab(page, "Included plans")
    saved_row(page, "Sales Essentials").get_by_role("checkbox").check()
    tab(page, "Extra modules")
    add_row(page, "extra_modules", "web")
    save(page)

    # Everything that is wrong is told at once.
    faults = page.locator("#faults + ul")
    expect(page.get_by_role("heading", name="2 faults")).to_be_visible()
    expect(faults).to_contain_text("Say in one line what is new in this version.")
    expect(faults).to_contain_text("web needs superoffice.user, which this version does not ship.")
    page.get_by_role("button", name="Submit for review").click()
    expect(page.locator(".notes .note-error")).to_have_count(2)

    # Mended, it goes into review.
    tab(page, "Details")
    page.get_by_label("Changelog").fill("Longer mailing lists, simpler dashboards.")
    tab(page, "Extra modules")
    add_row(page, "extra_modules", "user")
    save(page)
    expect(page.get_by_text("As saved, this could be published.")).to_be_visible()
    page.get_by_role("button", name="Submit for review").click()
    expect(page.get_by_text("Sales Premium is in review.")).to_be_visible()
    expect(page.get_by_role("link", name="Publish…")).to_have_count(0)

    # Paul sees what changes, and publishes it.
    sign_in(account("Paul Publisher", "publisher"))
    page.goto("/admin/catalog/version/?state__exact=in_review")
    page.get_by_role("link", name="sales-premium in review").click()
    page.get_by_role("link", name="Publish…").click()
    expect(page.get_by_role("row", name="Lowered: Dashboards Custom tiles Default tiles")).to_be_visible()
    expect(page.get_by_role("row", name="Removed: Sales Included")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("sales-premium v2 is published.")).to_be_visible()

    page.goto("/admin/catalog/plan/")
    expect(page.get_by_role("row", name="Sales Premium").get_by_role("link", name="v2")).to_be_visible()
    live = Version.objects.live(timezone.now()).get(offer=shop.sales_premium)
    assert (live.number, live.published_by.name, live.submitted_by.name) == (2, "Paul Publisher", "Pia Product")
    assert live.content["features"]["email-limit"]["value"] == 900
    assert live.content["set"] == ["user", "web", "quote-cal", "t2"]
