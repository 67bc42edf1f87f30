"""Passkeys with a virtual authenticator, and an invitation from the admin who sends it to whoever accepts it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from customers.models import Account, Membership
from customers.outbox import deliver_due
from tests.browser.conftest import Read
from tests.browser.test_account import PASSWORD, sign_in_by_keyboard
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Town


@pytest.fixture
def kari(transactional_db: None) -> Account:
    account: Account = AccountFactory(name="Kari Nordmann", email="kari@fjordlys.example")
    account.set_password(PASSWORD)
    account.save()
    MembershipFactory(customer=Town(people=()).customer, account=account, role=Membership.Role.ADMIN)
    return account


def come_in(page: Page) -> None:
    sign_in_by_keyboard(page)
    page.wait_for_url("**/portal/**")


@pytest.fixture
def authenticator(context: BrowserContext, page: Page) -> Iterator[Any]:
    """A security key that is plugged in and touched at once (Chromium's virtual authenticator)."""
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "usb",
        "hasResidentKey": False,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield devtools
    devtools.detach()


def test_a_passkey_is_added_asked_for_renamed_and_removed(
    page: Page,
    kari: Account,
    authenticator: Any,
    everybody_reads: Read,
) -> None:
    come_in(page)
    page.goto("/account/2fa/")
    everybody_reads(page)
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    everybody_reads(page)
    page.get_by_label("What you call it").fill("Blue key")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    code = page.get_by_role("list", name="Codes that still work").get_by_role("listitem").first.inner_text()

    for with_code in (False, True):
        page.goto("/account/logout/")
        page.get_by_role("button", name="Sign out").click()
        sign_in_by_keyboard(page)
        expect(page.get_by_role("heading", name="Use your passkey")).to_be_visible()
        everybody_reads(page)
        if with_code:
            page.get_by_label("Code", exact=True).fill(code)
            page.keyboard.press("Enter")
        else:
            page.get_by_role("button", name="Use a passkey").press("Enter")
        page.wait_for_url("**/portal/**")

    page.goto("/account/2fa/webauthn/")
    everybody_reads(page)
    page.get_by_role("link", name="Rename Blue key").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("What you call it").fill("Red key")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Remove Red key").click()
    expect(page.get_by_role("heading", name="Remove Red key?")).to_be_visible()
    everybody_reads(page)
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("The passkey is removed.")).to_be_visible()
    assert not kari.authenticator_set.exists()


def test_a_passkey_that_does_not_answer_is_said_in_words(
    page: Page,
    kari: Account,
    authenticator: Any,
    everybody_reads: Read,
) -> None:
    come_in(page)
    page.goto("/account/2fa/webauthn/add/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    for _ in range(2):
        page.get_by_role("button", name="Add it").click()
        expect(page.get_by_role("heading", name="Your recovery codes").or_(page.get_by_role("alert"))).to_be_visible()
        if page.get_by_role("alert").count():
            break
        page.goto("/account/2fa/webauthn/add/")
    expect(page.get_by_role("alert")).to_contain_text("one of your passkeys already")
    everybody_reads(page)


def test_whoever_is_invited_comes_in_and_sets_up_what_is_asked(
    page: Page,
    kari: Account,
    everybody_reads: Read,
    sign_in: Callable[[Account], None],
    context: BrowserContext,
) -> None:
    sign_in(kari)
    page.goto("/portal/fjordlys/people/")
    everybody_reads(page)
    page.get_by_role("link", name="Invite somebody").click()
    everybody_reads(page)
    page.get_by_label("E-mail address").fill("ida@fjordlys.example")
    page.get_by_label("Admin:").check()
    page.get_by_role("button", name="Send the invitation").press("Enter")
    expect(page.get_by_text("is on its way")).to_be_visible()
    everybody_reads(page)
    page.get_by_role("link", name="Send again or withdraw").click()
    everybody_reads(page)
    for path in (f"{Membership.objects.get().pk}/", f"{Membership.objects.get().pk}/remove/", "second-step/"):
        page.goto(f"/portal/fjordlys/people/{path}")
        everybody_reads(page)
    kari.memberships.get().customer.__class__.objects.update(requires_second_step=True)

    context.clear_cookies()
    deliver_due(now=timezone.now())
    link = re.search(r"http\S+/account/invitation/\S+", str(mail.outbox[-1].body))
    assert link is not None
    page.goto(link[0])
    everybody_reads(page)
    page.get_by_label("Your name").fill("Ida Iversen")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("asks a second step of you")).to_be_visible()
    everybody_reads(page)
    page.goto(link[0])
    page.wait_for_url("**/account/2fa/**")
    assert set(Membership.objects.values_list("account__email", "role")) == {
        ("kari@fjordlys.example", "admin"),
        ("ida@fjordlys.example", "admin"),
    }


def test_sessions_are_listed_and_ended(
    page: Page,
    kari: Account,
    everybody_reads: Read,
) -> None:
    come_in(page)
    page.goto("/account/sessions/")
    expect(page.get_by_text("This one")).to_be_visible()
    everybody_reads(page)
    page.get_by_role("button", name="Sign out everywhere else").press("Enter")
    expect(page.get_by_text("0 other sessions signed out.")).to_be_visible()
    page.get_by_role("button", name="Sign out everywhere, here too").press("Enter")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_pages_that_are_dead_ends_are_readable(
    page: Page, kari: Account, everybody_reads: Read, settings: Any, complaints: list[str]
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "1/m/ip"}
    sign_in_by_keyboard(page, "a guess")
    expect(page.get_by_role("alert")).to_be_visible()
    sign_in_by_keyboard(page, "a guess")
    expect(page.get_by_role("heading", name="Too many attempts")).to_be_visible()
    everybody_reads(page)
    page.goto("/account/invitation/never/")
    expect(page.get_by_role("heading", name="This link no longer works")).to_be_visible()
    everybody_reads(page)
    assert all("429" in told or "410" in told for told in complaints)
    complaints.clear()
