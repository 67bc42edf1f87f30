"""The whole way, four eyes on: an empty draft becomes a plan, its second version reaches a cohort, and goes back.

Pia makes plans, Paul approves them, Cara looks after customers; apps ask the API all the while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from rest_framework.test import APIClient

from catalog.models import Version
from customers.models import Account, OutboxMessage
from customers.outbox import deliver_due
from tests.browser.test_matrix import cell, paste, save
from tests.factories.customers import AccountFactory
from tests.licensing.market import Market, Town

PLAN = "field-sales"
SignIn = Callable[[Account], None]


@pytest.fixture
def market(transactional_db: None, settings: Any) -> Market:
    market = Market()
    market._plan(PLAN, name="Field Sales", tier=market.sales_premium.tier)
    settings.FOUR_EYES = True
    return market


@pytest.fixture
def people(market: Market) -> dict[str, Account]:
    roles = {"Pia": "product_manager", "Paul": "publisher", "Cara": "customer_success"}
    return {name: AccountFactory(name=name, roles=[role]) for name, role in roles.items()}


def worker() -> None:
    """What the worker does in the background, until nothing is due."""
    while OutboxMessage.objects.filter(delivered_at=None, next_attempt_at__lte=timezone.now()).exists():
        deliver_due(now=timezone.now())


def draft_page(page: Page) -> None:
    page.goto(f"/admin/catalog/version/{Version.objects.drafts().get(offer__code=PLAN).pk}/change/")


def answers(account: Account, towns: list[Town]) -> dict[tuple[str, str], Any]:
    """Returns what the API says that each user may do, as an app would ask."""

    def asked() -> Iterator[tuple[tuple[str, str], Any]]:
        api = APIClient()
        api.force_authenticate(account)
        for town in towns:
            for user in town.users:
                answer = api.get(f"/api/v1/customers/{town.customer.code}/users/{user}/entitlements/")
                assert answer.status_code == 200
                yield (town.customer.code, user), answer.json()["features"]

    return dict(asked())


def approve_and_publish(page: Page) -> None:
    draft_page(page)
    page.get_by_role("link", name="Approve…").click()
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("link", name="Publish…").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.locator(".notes")).to_contain_text("is published.")


def test_from_an_empty_draft_to_a_moved_cohort_and_back(
    page: Page, market: Market, people: dict[str, Account], sign_in: SignIn
) -> None:
    # Pia begins a plan that has nothing in it yet, and pastes what it gives from her spreadsheet.
    sign_in(people["Pia"])
    page.goto("/admin/catalog/plan/")
    page.get_by_role("link", name="Field Sales").click()
    page.get_by_role("button", name="Start a draft").click()
    expect(page.get_by_text("1 fault")).to_be_visible()  # it gives nothing
    page.goto("/catalog/matrix/")
    page.wait_for_load_state("networkidle")
    cell(page, PLAN, "email-limit").click()
    paste(page, "300\nyes\nyes\n")
    save(page)
    draft_page(page)
    page.get_by_role("button", name="Submit for review").click()

    # Paul approves and publishes it, and two customers buy it.
    sign_in(people["Paul"])
    approve_and_publish(page)
    towns = [Town(), Town("nordvik", ["uma"])]
    for town in towns:
        town.buys(field_sales=2)
    towns[0].gives("ola", f"ten-{PLAN}")
    towns[1].gives("uma", f"ten-{PLAN}")
    before = answers(people["Cara"], towns)
    assert before["fjordlys", "ola"]["email-limit"]["value"] == 300
    assert before["fjordlys", "ida"]["quotes"]["access"] == "view"  # Ola's plan lets her look

    # In its second version it loses quotes, and Pia sees who would.
    sign_in(people["Pia"])
    page.goto("/catalog/matrix/")
    page.wait_for_load_state("networkidle")
    cell(page, PLAN, "quotes").click()
    page.keyboard.press("Delete")
    save(page)
    draft_page(page)
    page.get_by_label("Changelog").fill("Quotes have a plan of their own.")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_role("button", name="Who gains, who loses?").click()
    worker()
    expect(page.get_by_role("heading", name="2 customers")).to_be_visible()
    row = page.get_by_role("row", name="Quotes")
    lost = [value for user, value in before.items() if "quotes" in value]
    expect(row.get_by_role("cell").last).to_have_text(str(len(lost)))
    draft_page(page)
    page.get_by_role("button", name="Submit for review").click()

    # Publishing touches nobody.
    sign_in(people["Paul"])
    approve_and_publish(page)
    assert answers(people["Cara"], towns) == before

    # Pia proposes to move the customers, Cara does it, and each user is told what the impact said.
    sign_in(people["Pia"])
    second = Version.objects.get(offer__code=PLAN, number=2)
    page.goto(f"/admin/catalog/version/{second.pk}/change/")
    page.get_by_role("link", name="Move customers…").click()
    page.get_by_role("textbox", name="Why").fill("Quotes have a plan of their own.")
    page.get_by_label("as soon as it is started").check()
    page.get_by_role("button", name="Propose and preview").click()
    worker()
    sign_in(people["Cara"])
    page.goto("/")
    page.get_by_role("link", name=f"Move customers to {second}").click()
    page.get_by_role("link", name="Start…").click()
    page.get_by_role("button", name="Start").click()
    worker()
    expect(page.get_by_text("2 of 2 customers")).to_be_visible()
    moved = answers(people["Cara"], towns)
    assert moved == {user: {c: f for c, f in features.items() if c != "quotes"} for user, features in before.items()}

    # And all the way back.
    page.get_by_role("link", name="Roll back all…").click()
    page.get_by_role("button", name="Roll back all").click()
    worker()
    expect(page.get_by_role("row", name="Nordvik AS")).to_contain_text("rolled back")
    assert answers(people["Cara"], towns) == before
