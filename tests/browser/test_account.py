"""Kari looks after her own account: by keyboard, on paper-white and in the dark, on a phone and at a desk."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Page, expect

from customers.models import Account, Membership
from customers.outbox import deliver_due
from tests.browser.conftest import Read
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Town

PASSWORD = "lighthouse in the fog"


@pytest.fixture
def kari(transactional_db: None) -> Account:
    account: Account = AccountFactory(name="Kari Nordmann", email="kari@fjordlys.example")
    account.set_password(PASSWORD)
    account.save()
    MembershipFactory(customer=Town(people=()).customer, account=account, role=Membership.Role.ADMIN)
    return account


def code_of(secret: str) -> str:
    """Returns what an authenticator app shows now."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def sign_in_by_keyboard(page: Page, password: str = PASSWORD) -> None:
    page.goto("/account/login/")
    page.get_by_label("E-mail address").focus()
    page.keyboard.type("kari@fjordlys.example")
    page.keyboard.press("Tab")  # "Forgot it?"
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def test_a_wrong_password_is_answered_in_plain_words(page: Page, kari: Account, everybody_reads: Read) -> None:
    sign_in_by_keyboard(page, "a guess")
    expect(page.get_by_role("alert")).to_contain_text("not correct together")
    everybody_reads(page)
    page.get_by_label("E-mail address").fill("")
    page.locator("form").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    everybody_reads(page)


def test_the_password_is_changed_from_the_account_page(page: Page, kari: Account, everybody_reads: Read) -> None:
    sign_in_by_keyboard(page)
    page.get_by_role("link", name="Account", exact=True).click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_role("link", name="Fjordlys AS")).to_be_visible()
    everybody_reads(page)
    page.get_by_role("link", name="Change your password").press("Enter")
    page.get_by_label("Current password").fill("a guess")
    page.get_by_label("New password", exact=True).fill("short")
    page.get_by_label("The new password again").fill("other")
    page.get_by_role("button", name="Save the new password").click()
    expect(page.get_by_text("This is not your current password.")).to_be_visible()
    everybody_reads(page)
    page.get_by_label("Current password").fill(PASSWORD)
    for label in ("New password", "The new password again"):
        page.get_by_label(label, exact=True).fill("a different lighthouse")
    page.get_by_role("button", name="Save the new password").click()
    expect(page).to_have_url(re.compile("/account/$"))
    expect(page.get_by_text("Your new password is saved.")).to_be_visible()
    assert Account.objects.get().check_password("a different lighthouse")


def test_a_forgotten_password_is_replaced(page: Page, kari: Account, everybody_reads: Read) -> None:
    page.goto("/account/login/")
    page.get_by_role("link", name="Forgot it?").click()
    everybody_reads(page)
    page.get_by_label("E-mail address").fill(kari.email)
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    everybody_reads(page)
    deliver_due(now=timezone.now())
    link = re.search(r"/account/password/reset/key/\S+", str(mail.outbox[0].body))
    assert link is not None
    page.goto(link[0])
    everybody_reads(page)
    for label in ("New password", "The new password again"):
        page.get_by_label(label, exact=True).fill("a different lighthouse")
    page.get_by_role("button", name="Save the new password").click()
    expect(page.get_by_role("heading", name="You can sign in again")).to_be_visible()
    everybody_reads(page)
    page.goto(link[0])
    expect(page.get_by_role("heading", name="This link no longer works")).to_be_visible()
    everybody_reads(page)


def test_a_second_step_is_set_up_asked_for_and_turned_off(page: Page, kari: Account, everybody_reads: Read) -> None:
    sign_in_by_keyboard(page)
    page.get_by_role("link", name="Account", exact=True).click()
    page.get_by_role("link", name="Set up a second step").click()
    everybody_reads(page)
    page.get_by_role("link", name="Set it up with an app").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_text("This code is not right.")).to_be_visible()
    everybody_reads(page)
    secret = page.locator("code").inner_text()
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    codes = page.get_by_role("list", name="Codes that still work").get_by_role("listitem").all_inner_texts()
    assert len(set(codes)) == 10
    everybody_reads(page)

    page.goto("/account/logout/")
    everybody_reads(page)
    page.get_by_role("button", name="Sign out").click()
    sign_in_by_keyboard(page)
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()
    everybody_reads(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in_by_keyboard(page)
    page.get_by_label("Code").fill(codes[0])
    page.keyboard.press("Enter")
    page.wait_for_url("**/portal/**")

    page.goto("/account/2fa/")
    expect(page.get_by_text("9 recovery codes left")).to_be_visible()
    everybody_reads(page)
    page.get_by_role("link", name="Show the recovery codes").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("link", name="Make new ones").click()
    everybody_reads(page)
    page.get_by_role("button", name="Make new ones").click()
    expect(page.get_by_text("These are your new recovery codes.")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name="Turn off the second step").click()
    everybody_reads(page)
    page.get_by_role("button", name="Turn it off").click()
    expect(page.get_by_text("Your second step is off.")).to_be_visible()


@pytest.mark.parametrize("with_code", [False, True])
def test_whoever_signed_in_a_while_ago_proves_it_again(
    page: Page, kari: Account, sign_in: Callable[[Account], None], everybody_reads: Read, with_code: bool
) -> None:
    sign_in(kari)
    if with_code:
        secret = "JBSWY3DPEHPK3PXP"
        kari.authenticator_set.create(type="totp", data={"secret": secret})
        page.goto("/account/2fa/reauthenticate/?next=/account/2fa/totp/deactivate/")
        everybody_reads(page)
        page.get_by_label("Code").fill(code_of(secret))
    else:
        page.goto("/account/2fa/totp/activate/")
        everybody_reads(page)
        page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name=re.compile("the second step"))).to_be_visible()
