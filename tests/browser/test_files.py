"""A product manager takes the catalog out as a file, edits it, sees what it would change, and applies it as drafts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from catalog.models import Feature, Version
from customers.models import Account
from tests.catalog.test_applying import HELPDESK, apply

PAGE = "/catalog/files/"
SIDEWAYS = "document.documentElement.scrollWidth - innerWidth"
NEW = "  links: {name: Links, group: main}\n  space: {name"


@pytest.fixture(autouse=True)
def helpdesk(transactional_db: None, sign_in: Callable[[Account], None], pia: Account) -> None:
    apply(HELPDESK)
    sign_in(pia)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "helpdesk.yaml").write_text(HELPDESK.replace("space: 5", "space: 50").replace("  space: {name", NEW))
    return tmp_path / "helpdesk.yaml"


def compare(page: Page, *files: Path) -> None:
    page.goto(PAGE)
    page.get_by_label("YAML files").set_input_files(list(files))
    page.get_by_role("button", name="Compare with the catalog").click()


def test_what_was_downloaded_and_edited_becomes_drafts(page: Page, tmp_path: Path) -> None:
    page.goto(PAGE)
    with page.expect_download() as download:
        page.get_by_role("link", name="What is published").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "catalog.yaml"
    compare(page, file)
    expect(page.get_by_text("The catalog says all that already.")).to_be_visible()
    expect(page.get_by_role("button", name="Apply as drafts")).to_have_count(0)

    file.write_text(file.read_text().replace("space: 5\n", "space: 50\n").replace("name: Charts", "name: Pictures"))
    compare(page, file)
    low = page.get_by_role("region", name="Low")
    expect(low.get_by_role("row", name="Raised Space")).to_contain_text("5 GB")
    expect(low.get_by_role("row", name="Raised Space")).to_contain_text("50 GB")
    expect(page.get_by_role("region", name="Definitions")).to_contain_text("Pictures")
    assert not Version.objects.drafts().exists()
    page.get_by_role("button", name="Apply as drafts").click()
    expect(page.get_by_text("2 drafts begun or edited. Nothing is published.")).to_be_visible()
    assert set(Version.objects.drafts().values_list("offer__code", flat=True)) == {"low", "high"}


def test_it_works_without_javascript(browser: Browser, live_server: LiveServer, page: Page, file: Path) -> None:
    plain = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    cookies: Any = page.context.cookies()
    plain.add_cookies(cookies)
    bare = plain.new_page()
    compare(bare, file)
    bare.get_by_role("button", name="Apply as drafts").click()
    expect(bare.get_by_text("Nothing is published.")).to_be_visible()
    assert Feature.objects.filter(code="links").exists()
    plain.close()


def test_faults_are_told_with_their_lines(page: Page, file: Path, complaints: list[str]) -> None:
    file.write_text(file.read_text().replace("tier: low", "tier: lowly"))
    compare(page, file)
    expect(page.get_by_role("alert")).to_contain_text("helpdesk.yaml, line 24 (plans.low.tier)")
    (complaint,) = complaints
    assert "400" in complaint
    complaints.clear()


def test_a_catalog_that_moved_meanwhile_is_looked_at_again(page: Page, file: Path, complaints: list[str]) -> None:
    compare(page, file)
    apply("planarium-catalog: 1\ngroups: {main: {name: Principal}}\n")
    page.get_by_role("button", name="Apply as drafts").click()
    expect(page.get_by_role("alert")).to_contain_text("The catalog has changed meanwhile")
    expect(page.get_by_role("region", name="Definitions")).to_contain_text("Principal")
    complaints.clear()
    page.get_by_role("button", name="Apply as drafts").click()
    expect(page.get_by_text("Nothing is published.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
def test_its_pages_are_accessible_and_never_wider_than_the_screen(
    page: Page,
    axe: Callable[[Page], None],
    file: Path,
    complaints: list[str],
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    good = file.read_text()
    file.write_text(good.replace("tier: low", "tier: " + "l" * 60))
    compare(page, file)
    expect(page.get_by_role("alert")).to_be_visible()
    axe(page)
    assert page.evaluate(SIDEWAYS) == 0
    complaints.clear()
    file.write_text(good.replace("name: Charts", "name: Charts and " + "w" * 90).replace("extra_modules: [user], ", ""))
    compare(page, file)
    expect(page.get_by_text("Can’t be published yet").first).to_be_visible()
    axe(page)
    assert page.evaluate(SIDEWAYS) == 0
