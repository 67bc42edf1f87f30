"""The life of a version in the browser, four eyes on: edited, handed in, sent back, approved, scheduled, called off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from catalog.models import Version
from catalog.services import drafting
from customers.actor import SYSTEM
from customers.models import Account
from tests.factories.catalog import NOON, Shop
from tests.factories.customers import AccountFactory


@pytest.fixture
def shop(transactional_db: None, settings: Any) -> Shop:
    settings.FOUR_EYES = True
    return Shop()


@pytest.fixture
def pia(shop: Shop) -> Account:
    account: Account = AccountFactory(name="Pia Product", roles=["product_manager"])
    return account


@pytest.fixture
def paul(shop: Shop) -> Account:
    account: Account = AccountFactory(name="Paul Publisher", roles=["publisher"])
    return account


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def now_at(page: Page, stage: str) -> None:
    expect(page.get_by_label("Its life").locator("[aria-current=step] b")).to_have_text(stage)


def open_draft(page: Page, shop: Shop) -> None:
    page.goto(f"/admin/catalog/version/{Version.objects.drafts().get(offer=shop.common).pk}/change/")


def set_mails(page: Page, number: str) -> None:
    tab(page, "Features")
    row = page.locator("tr.has_original").filter(has=page.locator("strong", has_text="Email limit"))
    row.get_by_label("Value: Email limit").or_(row.locator("input[inputmode=numeric]")).first.fill(number)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".notes")).to_contain_text("was changed successfully")


def test_a_draft_is_edited_submitted_approved_by_another_published_and_its_diff_seen(
    page: Page, shop: Shop, pia: Account, paul: Account, sign_in: Callable[[Account], None], axe: Callable[[Page], None]
) -> None:
    # Pia drafts, and hands it in with a word.
    sign_in(pia)
    page.goto("/admin/catalog/plan/")
    page.get_by_role("row", name="Common").get_by_role("link", name="v1").click()
    now_at(page, "In force")
    page.get_by_role("button", name="Draft from this version").click()
    now_at(page, "Draft")
    page.get_by_label("Changelog").fill("More mail for everybody.")
    set_mails(page, "900")
    page.get_by_label("Comment for the review").fill("As agreed on Monday.")
    page.get_by_role("button", name="Submit for review").click()
    now_at(page, "In review")
    expect(page.get_by_role("link", name="Approve…")).to_have_count(0)

    # Paul reads it, and sends it back.
    sign_in(paul)
    open_draft(page, shop)
    expect(page.get_by_text("Submitted by Pia Product")).to_contain_text("“As agreed on Monday.”")
    expect(page.get_by_role("link", name="Publish…")).to_have_count(0)  # nobody has approved it
    page.get_by_role("link", name="Send back…").click()
    page.get_by_label("Why").fill("600 will do.")
    page.get_by_role("button", name="Send back").click()
    now_at(page, "Draft")

    # Pia edits it once more.
    sign_in(pia)
    open_draft(page, shop)
    expect(page.get_by_text("Sent back by Paul Publisher")).to_contain_text("“600 will do.”")
    set_mails(page, "600")
    page.get_by_role("button", name="Submit for review").click()

    # Paul approves what he is shown, and publishes it.
    sign_in(paul)
    open_draft(page, shop)
    page.get_by_role("link", name="Approve…").click()
    axe(page)
    expect(page.get_by_role("row", name="Raised: Email limit 500 recipients 600 recipients")).to_be_visible()
    page.get_by_label("Comment").fill("Fine.")
    page.get_by_role("button", name="Approve").click()
    now_at(page, "Approved")
    expect(page.get_by_text("Approved by Paul Publisher. Any change takes the approval away.")).to_be_visible()
    axe(page)
    page.get_by_role("link", name="Publish…").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("common v2 is published.")).to_be_visible()
    now_at(page, "In force")

    # Everybody sees what changed, and who said what.
    tab(page, "Steps and comments")
    expect(page.get_by_role("row", name="Approved Paul Publisher Fine.")).to_be_visible()
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_role("heading", name="From Common, v1 (published), to Common, v2 (live)")).to_be_visible()
    page.get_by_label("Show").select_option(label="Raised (1)")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    axe(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "common-1-common-2.csv"
    assert "Raised,Email limit,features.email-limit,500 recipients,600 recipients" in download.value.path().read_text()

    live = Version.objects.live(timezone.now()).get(offer=shop.common)
    assert (live.approved_by, live.published_by, live.drafted_by) == (paul, paul, pia)


def test_a_version_is_scheduled_called_off_and_a_draft_rebased(
    page: Page, shop: Shop, paul: Account, pia: Account, sign_in: Callable[[Account], None], axe: Callable[[Page], None]
) -> None:
    second = shop.publish(shop.common, grants={"email-limit": 900, "dashboards": "default-tiles"})
    first = Version.objects.get(offer=shop.common, number=1)
    draft = drafting.draft_from(offer=shop.common, base=first, actor=SYSTEM, at=NOON)
    grants = {"email-limit": 700, "dashboards": "default-charts"}
    drafting.set_grants(version=draft, grants=grants, actor=SYSTEM, at=NOON)

    # Pia's draft stands on v1, and v2 says otherwise: she takes its dashboards, and keeps her limit.
    sign_in(pia)
    open_draft(page, shop)
    expect(page.get_by_role("heading", name=f"{second} is newer than common v1")).to_be_visible()
    page.get_by_role("link", name="Rebase…").click()
    axe(page)
    expect(page.get_by_role("row", name="Dashboards Default charts Default tiles")).to_be_visible()
    page.get_by_label("As in the draft: 700 recipients").check()
    page.get_by_role("button", name=f"Rebase on {second}").click()
    expect(page.get_by_text("The draft of Common stands on the newest version.")).to_be_visible()
    page.get_by_label("Changelog").fill("Less mail, prettier dashboards.")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_role("button", name="Submit for review").click()
    now_at(page, "In review")

    # Paul approves it for next year, and publishes it so.
    sign_in(paul)
    open_draft(page, shop)
    page.get_by_role("link", name="Approve…").click()
    moment = timezone.now().replace(year=timezone.now().year + 1, month=1, day=1, hour=6, minute=0)
    page.get_by_label("To take effect (UTC)").fill(moment.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("link", name="Publish…").click()
    page.get_by_role("button", name="Publish").click()
    now_at(page, "Scheduled")
    assert Version.objects.live(timezone.now()).get(offer=shop.common) == second

    # Then it is called off: v2 stays.
    page.get_by_role("link", name="Call off…").click()
    expect(page.get_by_text("common v2 stays on sale.")).to_be_visible()
    axe(page)
    page.get_by_label("Why").fill("Not next year.")
    page.get_by_role("button", name="Call off").click()
    now_at(page, "Called off")
    assert Version.objects.live(moment).get(offer=shop.common) == second
