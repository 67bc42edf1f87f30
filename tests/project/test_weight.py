"""What a visitor has to load: our own styles and scripts have a budget per page, before compression."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from customers.models import Account
from tests.licensing.market import Market, Town, hours

BUDGET = 40 * 1024
# A page that is an editor by nature has files of its own beside: the matrix is edited like a spreadsheet.
EDITOR_BUDGET = BUDGET + 52 * 1024
ASSET = re.compile(r'(?:href|src)="/static/(?P<path>(?:css|js)/[^"]+)"')


@pytest.fixture
def root_client(db: Any, root: Account) -> Client:
    Market()
    Town().buys(sales_premium=1, at=hours(1))
    client = Client()
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize(
    "page",
    [
        "/",
        "/plans/",
        "/catalog/compatibility/",
        "/catalog/files/",
        "/catalog/matrix/",
        "/portal/",
        "/portal/fjordlys/",
        "/portal/fjordlys/subscription/",
        "/portal/fjordlys/overrides/",
        "/portal/fjordlys/usage/",
        "/portal/fjordlys/overrides/new/?feature=quotes",
        "/overrides/",
        "/portal/fjordlys/users/",
        "/portal/fjordlys/users/ola/",
        "/portal/fjordlys/users/ola/timeline/",
        "/portal/fjordlys/explain/?user=ola&feature=quotes",
        "/portal/fjordlys/licenses/",
        "/portal/fjordlys/users/ola/plans/",
        "/portal/fjordlys/users/ola/erase/",
        "/portal/fjordlys/new-user/",
        "/portal/fjordlys/requests/new/",
        "/requests/",
        "/portal/fjordlys/bulk/",
        "/portal/fjordlys/changes/",
        "/figures/",
        "/audit/",
        "/catalog/",
        "/account/",
        "/account/sessions/",
        "/portal/fjordlys/people/",
        "/portal/fjordlys/people/invitations/",
        "/portal/fjordlys/clients/",
        "/portal/fjordlys/clients/new/",
        "/portal/fjordlys/webhooks/",
        "/portal/fjordlys/webhooks/new/",
        "/webhooks/",
        "/webhooks/new/",
        "/styleguide/",
        "/admin/",
        "/admin/catalog/plan/",
        "/admin/catalog/feature/add/",
        "/admin/catalog/version/compare/sales-premium/",
    ],
)
def test_styles_and_scripts_of_ours_stay_light(page: str, root_client: Client) -> None:
    loaded = {match["path"] for match in ASSET.finditer(root_client.get(page).text)}
    assert {"css/tokens.css", "js/app.js"} <= loaded
    sizes = {path: Path(str(finders.find(path))).stat().st_size for path in loaded}
    budget = EDITOR_BUDGET if page == "/catalog/matrix/" else BUDGET
    assert sum(sizes.values()) < budget, sizes


def page_of_passkeys(client: Client) -> None:
    """Opens the page that adds one, which asks for the password once more."""
    root = Account.objects.get(is_superuser=True)
    root.set_password("lighthouse in the fog")
    root.save()
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    client.post("/account/reauthenticate/", {"password": "lighthouse in the fog"})
    assert client.get("/account/2fa/webauthn/add/").status_code == 200


def test_pages_load_every_style_and_script_there_is(root_client: Client) -> None:
    """What no page loads has no place here."""
    static = Path(__file__).resolve().parents[2] / "static"
    ours = {str(path.relative_to(static)) for path in static.glob("*/*") if path.suffix in {".css", ".js"}}
    pages = ["/portal/fjordlys/", "/portal/fjordlys/subscription/", "/portal/fjordlys/users/", "/plans/"]
    pages += ["/catalog/matrix/", "/styleguide/", "/portal/fjordlys/explain/", "/portal/fjordlys/licenses/"]
    pages += ["/portal/fjordlys/usage/", "/portal/fjordlys/clients/"]
    pages += ["/portal/fjordlys/users/ola/"]
    pages += ["/portal/fjordlys/bulk/"]
    pages += ["/catalog/compatibility/", "/catalog/files/", "/audit/", "/admin/catalog/feature/add/"]
    pages += ["/admin/catalog/plan/", "/admin/catalog/version/compare/sales-premium/"]
    page_of_passkeys(root_client)
    pages += ["/account/2fa/webauthn/add/"]
    loaded = {match["path"] for page in pages for match in ASSET.finditer(root_client.get(page).text)}
    assert loaded == ours
