"""`make screenshots`: the demo in a folder of its own, and pictures of its pages, light and dark, in docs/images/.

A page is one line of `SHOTS`. Exits 1 when a page could not be shown, or a picture is too large for a README.
"""

import argparse
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Literal

from playwright.sync_api import Browser, Error, Page, sync_playwright

from scripts import chromium, demo

ROOT = Path(__file__).resolve().parent.parent
WIDE, NARROW = (1360, 850), (390, 844)
LARGEST = 200_000  # bytes
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def choose_plans(page: Page) -> None:
    """Gives two people a plan that is left, so that hints and the bar that saves have something to say."""
    rows = page.locator("table tbody tr", has=page.locator("select"))
    for row in (rows.nth(0), rows.nth(2)):
        picker = row.locator("select", has=page.locator("option:not([disabled]):not(:checked)", has_text=" left")).first
        free = picker.locator("option:not([disabled]):not(:checked)", has_text=" left").first
        with page.expect_response(lambda answer: answer.request.resource_type == "xhr"):  # the hint
            picker.select_option(free.get_attribute("value"))
    page.wait_for_load_state("networkidle")


def choose_one_plan(page: Page) -> None:
    """Chooses another plan for one user, so that it is told what they gain and lose."""
    with page.expect_response(lambda answer: answer.request.resource_type == "xhr"):  # the hint
        page.locator("form[data-plans] input[type=radio]:not(:disabled):not(:checked)").first.check()
    page.wait_for_load_state("networkidle")


def open_first_row(page: Page) -> None:
    """From an admin list to the form of its first row."""
    page.locator("#result_list tbody th a").first.click()
    page.wait_for_load_state()


def edit_cells(page: Page) -> None:
    """Changes a limit and a tick, and selects a block, so that every kind of cell is to be seen."""
    page.wait_for_load_state("networkidle")
    page.locator("tr[data-feature='send-email-to'] td:visible").nth(0).click()
    page.keyboard.type("750")
    page.keyboard.press("Enter")
    page.locator("tr[data-kind='switch'] td:visible").first.click()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowDown")


def open_first_link(page: Page) -> None:
    """From a list to what its first row is about."""
    page.locator("main table tbody a").first.click()
    page.wait_for_load_state()


@dataclass(frozen=True)
class Shot:
    """One picture in each scheme: `visitor` is a role of the demo's logins (none: a stranger)."""

    name: str
    visitor: str
    path: str
    size: tuple[int, int] = WIDE
    then: Callable[[Page], None] | None = None


SHOTS = (
    Shot("sign-in", "", "/account/login/"),
    Shot("home-product-manager", "product_manager", "/"),
    Shot("home-customer-success", "customer_success", "/"),
    Shot("home-customer-admin", "customer_admin", "/"),
    Shot("plans", "", "/plans/"),
    Shot("matrix", "product_manager", "/catalog/matrix/", then=edit_cells),
    Shot("workbench", "product_manager", "/catalog/"),
    Shot("compatibility", "product_manager", "/catalog/compatibility/"),
    Shot("impact", "product_manager", "/impact/"),
    Shot("migrations", "customer_success", "/migrations/"),
    Shot("migration", "customer_success", "/migrations/", then=open_first_link),
    Shot("files", "product_manager", "/catalog/files/"),
    Shot("trail", "auditor", "/audit/"),
    Shot("subscription", "customer_success", "/portal/fjordlys/subscription/"),
    Shot("customers", "customer_success", "/portal/"),
    Shot("customer", "customer_success", "/portal/fjordlys/"),
    Shot("user", "customer_success", "/portal/fjordlys/users/kari/"),
    Shot("explain", "customer_success", "/portal/fjordlys/explain/?user=ingrid&feature=quote-management"),
    Shot("timeline", "customer_success", "/portal/fjordlys/users/ingrid/timeline/"),
    Shot("licences", "customer_success", "/portal/skogheim/licenses/"),
    Shot("user-plans", "customer_admin", "/portal/fjordlys/users/kari/", then=choose_one_plan),
    Shot("full-plan", "customer_admin", "/portal/fjordlys/seats/superoffice.ten-marketing-premium/"),
    Shot("seat-requests", "customer_success", "/requests/"),
    Shot("erase", "customer_admin", "/portal/fjordlys/users/kari/erase/"),
    Shot("seats", "customer_admin", "/portal/fjordlys/users/", then=choose_plans),
    Shot("figures", "customer_success", "/figures/"),
    Shot("admin", "product_manager", "/admin/"),
    Shot("admin-list", "product_manager", "/admin/catalog/version/"),
    Shot("admin-form", "product_manager", "/admin/catalog/plan/", then=open_first_row),
    Shot("account", "customer_success", "/account/"),
    Shot("styleguide", "product_manager", "/styleguide/"),
    Shot("sign-in-narrow", "", "/account/login/", NARROW),
    Shot("plans-narrow", "", "/plans/", NARROW),
    Shot("matrix-narrow", "product_manager", "/catalog/matrix/", NARROW, edit_cells),
    Shot("workbench-narrow", "product_manager", "/catalog/", NARROW),
    Shot("migration-narrow", "customer_success", "/migrations/", NARROW, open_first_link),
    Shot("trail-narrow", "auditor", "/audit/", NARROW),
    Shot("user-plans-narrow", "customer_admin", "/portal/fjordlys/users/kari/", NARROW, choose_one_plan),
    Shot("seats-narrow", "customer_admin", "/portal/fjordlys/users/", NARROW, choose_plans),
    Shot("admin-list-narrow", "product_manager", "/admin/catalog/version/", NARROW),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", nargs="*", default=[], help="names of single pictures")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("screenshots: stopped."))
    chromium.ensure()
    options.out.mkdir(parents=True, exist_ok=True)
    shots = [shot for shot in SHOTS if not options.only or shot.name in options.only]
    with tempfile.TemporaryDirectory() as folder, demo_server(Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.CHROMIUM, args=FLAGS)
        logins = json.loads((Path(folder) / "demo.json").read_text())["logins"]
        complaints = list(take(browser, url, logins, shots, options.out))
        browser.close()
    print(f"screenshots: {2 * len(shots)} taken, {len(complaints)} complaints")
    if complaints:
        sys.exit("\n".join(complaints))


# ── The demo ────────────────────────────────────────────────────────────────
@contextmanager
def demo_server(folder: Path) -> Iterator[str]:
    """Yields the address of a demo whose database is in `folder`; it ends with the block."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name not in {"TESTING", "DEBUG"}} | {
        "DEMO": "1",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DATABASE_URL": f"sqlite:///{folder / 'demo.sqlite3'}",
        "DEMO_FILE": str(folder / "demo.json"),
    }
    demo.prepare(port=port, environment=environment)
    command = [str(demo.BIN / "granian"), "--interface", "wsgi", "--host", demo.HOST, "--port", str(port)]
    command += ["--workers", "1", "--blocking-threads", "2", "--no-ws", "--log-level", "warning"]
    with subprocess.Popen([*command, "config.wsgi:application"], cwd=ROOT, env=environment) as server:
        try:
            wait_for(port)
            yield f"http://{demo.HOST}:{port}"
        finally:
            server.terminate()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((demo.HOST, 0))
        return int(listener.getsockname()[1])


def wait_for(port: int, patience: float = 60) -> None:
    until = monotonic() + patience
    while not demo.answers(port):
        if monotonic() > until:
            sys.exit(f"screenshots: the demo does not answer on port {port}.")
        sleep(0.1)


# ── The pictures ────────────────────────────────────────────────────────────
def take(
    browser: Browser, url: str, logins: Mapping[str, Mapping[str, str]], shots: list[Shot], out: Path
) -> Iterator[str]:
    """Takes the pictures, one browser profile per visitor; yields what is wrong."""
    for visitor in dict.fromkeys(shot.visitor for shot in shots):
        context = browser.new_context(base_url=url, locale="en-GB", device_scale_factor=1, reduced_motion="reduce")
        page = context.new_page()
        if visitor:
            sign_in(page, logins[visitor])
        for shot in shots:
            if shot.visitor == visitor:
                yield from take_one(page, shot, out)
        context.close()


def sign_in(page: Page, login: Mapping[str, str]) -> None:
    page.goto("/account/login/")
    page.locator("[name=login]").fill(login["email"])
    page.locator("[name=password]").fill(login["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda address: "/account/login/" not in address)


def take_one(page: Page, shot: Shot, out: Path) -> Iterator[str]:
    width, height = shot.size
    page.set_viewport_size({"width": width, "height": height})
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        try:
            answer = page.goto(shot.path)
            if answer is None or not answer.ok:
                yield f"{shot.name}: {shot.path} answers {answer.status if answer else 'nothing'}"
                return
            if shot.then is not None:
                shot.then(page)
        except Error as error:
            yield f"{shot.name}: {error.message.splitlines()[0]}"
            return
        path = out / f"{shot.name}-{scheme}.png"
        size = len(page.screenshot(path=path, animations="disabled"))
        if size > LARGEST:
            yield f"{path.name}: {size // 1000} kB, more than {LARGEST // 1000}"


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nscreenshots: stopped.")
