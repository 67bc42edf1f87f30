"""A real Chromium, driven by playwright; a page that fails its test when the browser complains about anything."""

import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth import SESSION_KEY
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from customers.models import Account
from tests.browser.crawling import Tally

NARROW, WIDE = 390, 1360
Read = Callable[[Page], None]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Playwright's own event loop runs in this thread and lets Django take every query for an asynchronous one.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing; `make test` installs it (Debian's packages chromium and fonts-dejavu).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, live_server: LiveServer) -> Iterator[BrowserContext]:
    """A browser profile of its own, 1360 × 900; paths such as `page.goto("/account/login/")` mean the live server."""
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1360, "height": 900}, locale="en-GB")
    context.set_default_timeout(30_000)  # a limit for slow machines, not a pace
    yield context
    context.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about so far: console errors (breaches of the CSP are such) and uncaught exceptions.

    A test that provokes one on purpose, a 409 say, looks at the list and clears it.
    """
    return []


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Iterator[Page]:
    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    page = context.new_page()
    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
    yield page
    assert complaints == []


@pytest.fixture
def sign_in(context: BrowserContext, live_server: LiveServer) -> Callable[[Account], None]:
    """Returns a function that gives the browser a session of that account, without the detour over the login page."""

    def sign_in(account: Account) -> None:
        client = Client()
        client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
        assert SESSION_KEY in client.session
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])

    return sign_in


@pytest.fixture
def axe() -> Callable[[Page], None]:
    """Returns a function that fails with axe's findings about the page as it stands."""

    def check(page: Page) -> None:
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()

    return check


@pytest.fixture
def everybody_reads(axe: Callable[[Page], None]) -> Read:
    """Returns a function that looks at the page in both schemes and both widths."""

    def read(page: Page) -> None:
        schemes: tuple[Any, ...] = ("light", "dark")
        for scheme in schemes:
            for width in (WIDE, NARROW):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                page.set_viewport_size({"width": width, "height": 850})
                axe(page)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url

    return read


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Adds what the crawls of all visitors, in whichever process, have counted together."""
    reports = [report for report in chain(*terminalreporter.stats.values()) if getattr(report, "when", "") == "call"]
    counted = [told for report in reports for name, told in report.user_properties if name == "crawl"]
    if counted:
        terminalreporter.write_line(str(sum((Tally(**told) for told in counted), Tally(roles=0))))
