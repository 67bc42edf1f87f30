"""Kari gives two hundred people a plan and takes it back, by keyboard only."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from customers.models import Account, Membership
from licensing.models import ChangeSet, Seat
from licensing.services.people import create_users
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Market, Town

HANDED_IN = 200


@pytest.fixture
def fjordlys(transactional_db: None) -> Town:
    """Two hundred people, and as many seats."""
    Market()
    town = Town(people=())
    town.buys(sales_essentials=HANDED_IN, sales_premium=5)
    people = [{"code": f"user{number}", "name": f"User {number}"} for number in range(1, HANDED_IN + 1)]
    create_users(customer=town.customer, actor=town.actor, users=people)
    return town


@pytest.fixture
def kari(fjordlys: Town) -> Account:
    account: Account = AccountFactory(name="Kari Nordmann", email="kari@fjordlys.example")
    MembershipFactory(customer=fjordlys.customer, account=account, role=Membership.Role.ADMIN)
    return account


def tab_to(page: Page, target: Locator) -> None:
    """Goes on with Tab until `target` has the focus, as somebody without a mouse does."""
    expect(target).to_be_visible()
    for _ in range(80):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never comes to {target}")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    tab_to(page, target)
    page.keyboard.press(key)


def test_two_hundred_users_are_changed_and_changed_back_by_keyboard_only(
    page: Page, fjordlys: Town, kari: Account, sign_in: Callable[[Account], None], axe: Callable[[Page], None]
) -> None:
    sign_in(kari)
    page.goto("/portal/fjordlys/changes/")
    press(page, page.get_by_role("link", name="Change many users…"))
    tab_to(page, page.get_by_label("Users", exact=True))
    page.keyboard.insert_text("".join(f"USER{number}\n" for number in range(1, HANDED_IN + 1)))
    axe(page)
    press(page, page.get_by_role("button", name="Next"))

    expect(page.get_by_role("heading", level=1)).to_have_text(f"What to do with {HANDED_IN} users")
    press(page, page.get_by_role("radio", name="Assign"), "Space")
    axe(page)
    press(page, page.get_by_role("checkbox", name="Ten Sales Essentials"), "Space")
    tab_to(page, page.get_by_label("Reason"))
    page.keyboard.type("Everybody sells")
    press(page, page.get_by_role("button", name="Preview"))

    expect(page.get_by_role("heading", level=1)).to_have_text("What would change", timeout=60_000)
    expect(page.get_by_role("listitem").filter(has_text="Ten Sales Essentials")).to_contain_text("+200 0 → 200 / 200")
    axe(page)
    assert not Seat.objects.exists()
    press(page, page.get_by_role("button", name=f"Change {HANDED_IN} users"))

    expect(page.get_by_role("heading", level=1)).to_have_text("Done", timeout=60_000)
    assert Seat.objects.held().count() == HANDED_IN
    press(page, page.get_by_role("button", name="Undo…"))

    expect(page.get_by_role("heading", level=1)).to_have_text("Undo change 1", timeout=60_000)
    press(page, page.get_by_role("button", name=f"Undo for {HANDED_IN} users"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Done", timeout=60_000)
    axe(page)
    assert not Seat.objects.held().exists()
    assert ChangeSet.objects.get(number=2).undoes == ChangeSet.objects.get(number=1)
