"""A package is uploaded in a real browser: looked at, taken in, refused; wide and narrow, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from customers.models import Account
from tests.factories.customers import AccountFactory
from tests.licensing.issuing import sound_package, with_row
from tests.licensing.market import Market, Town, hours
from tests.licensing.partners import Partner

PAGE = "/portal/fjordlys/packages/"
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"


@pytest.fixture
def town(transactional_db: None) -> Town:
    Market()
    town = Town()
    town.buys(sales_premium=3, at=hours(1))
    return town


@pytest.fixture
def acme(town: Town) -> Partner:
    return Partner()


@pytest.fixture(autouse=True)
def cara(town: Town, sign_in: Callable[[Account], None]) -> None:
    sign_in(AccountFactory(name="Cara Care", roles=["customer_success"]))


def choose(page: Page, data: bytes) -> None:
    page.get_by_label("Package", exact=True).set_input_files(
        [{"name": "p.xml", "mimeType": "application/xml", "buffer": data}]
    )
    page.get_by_role("button", name="Look at it").click()


def test_a_package_is_looked_at_taken_in_and_taken_along(page: Page, acme: Partner) -> None:
    page.goto(PAGE)
    page.get_by_role("link", name="Take a package in").click()
    choose(page, acme.file())
    expect(page.get_by_role("heading", name="What the package would change")).to_be_visible()
    expect(page.get_by_role("row", name="Pad plan")).to_contain_text("5")
    page.get_by_role("button", name="Take it in").click()
    expect(page.get_by_text("ACME #1 is active.")).to_be_visible()
    page.get_by_role("link", name="ACME", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="XML of ACME #1").click()
    assert download.value.path().read_bytes() == acme.file()


def test_faults_are_told_with_their_lines(page: Page, acme: Partner, complaints: list[str]) -> None:
    page.goto(f"{PAGE}upload/")
    choose(page, acme.file(with_row(sound_package(), "pad-site", license_number=0)))
    expect(page.get_by_role("alert")).to_contain_text("1 fault, so nothing was stored")
    expect(page.get_by_role("alert")).to_contain_text("Line 6 (NumberOfLicenses)")
    assert len(complaints) == 1, "the 400 itself"
    complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
def test_every_page_is_accessible_and_never_wider_than_the_screen(
    page: Page,
    axe: Callable[[Page], None],
    acme: Partner,
    town: Town,
    complaints: list[str],
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    acme.issues_to(town, at=hours(2))
    town.gives("ola", "acme.pad-plan", at=hours(3))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})

    def look() -> None:
        axe(page)
        assert page.evaluate(SIDEWAYS) == 0

    page.goto(f"{PAGE}?owner=ACME")
    look()
    page.get_by_role("link", name="Remove this licence").click()
    expect(page.get_by_text("1 user would lose seats")).to_be_visible()
    look()
    page.goto(f"{PAGE}upload/")
    look()
    smaller = tuple(row for row in sound_package().rows if row.module_name != "pad-plan")
    choose(page, acme.file(sound_package(company_name="Fjordlys ASA", rows=smaller)))
    expect(page.get_by_text("It does not fit yet, and would wait")).to_be_visible()
    look()
    page.goto(f"{PAGE}upload/")
    choose(page, b"<LicenseInfo/>")
    expect(page.get_by_role("alert")).to_be_visible()
    look()
    complaints.clear()  # the 400 itself
