"""What `make demo` sets up, and README's question asked of it: the real catalog, end to end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import transaction
from rest_framework.test import APIClient

from customers.models import Account
from licensing.extra_info import parse_set
from licensing.models import ModuleLicense, Package
from tests.factories.customers import api_as, api_with_key

ROOT = Path(__file__).parents[2]
PUBLISHED = (
    "set=user,web,pocket-crm-cal,selection-cal,relation-cal,report-cal,chat-cal,forms-cal,sale-cal,t2,saint-cal,"
    "target-cal,project-cal,quote-cal,guide-cal,stakeholder-cal,dash-cal,selection-combined-cal"
)
SALES_PREMIUM = set(parse_set(PUBLISHED))
ALL_PREMIUM = SALES_PREMIUM | {"mail-merge-cal", "ej-client", "ej-mod-spm-cal", "mktg-auto-cal"}


@pytest.fixture(scope="module")
def demo(django_db_setup: Any, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo's database, in a transaction that each test's own is nested in; returns where `demo.json` is."""
    told = tmp_path_factory.mktemp("var") / "demo.json"
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():
        patch.setenv("DEMO_FILE", str(told))
        call_command("catalog", "apply", "--publish", str(ROOT / "catalog" / "seed"), verbosity=0)
        call_command("demo", port=8123, verbosity=0)
        yield told
        transaction.set_rollback(True)


@pytest.fixture
def told(demo: Path, db: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(demo.read_text())
    return read


@pytest.fixture
def app(told: dict[str, Any]) -> APIClient:
    return api_with_key(told["api_key"])


def entitlements(app: APIClient, customer: str, user: str = "uma") -> Any:
    response = app.get(f"/api/v1/customers/{customer}/users/{user}/entitlements/")
    assert response.status_code == 200, response.content
    return response.json()


@pytest.mark.parametrize(
    ("plan", "features"),
    [
        ("sales-essentials", 25),
        ("sales-premium", 33),
        ("service-essentials", 26),
        ("service-premium", 33),
        ("marketing-essentials", 41),
        ("marketing-premium", 42),
        ("sales-service-marketing-premium", 61),
        ("three-premium", 61),
    ],
)
def test_a_plan_alone_gives_edit_on_all_that_it_is_made_of(app: APIClient, plan: str, features: int) -> None:
    answer = entitlements(app, f"only-{plan}")
    assert sum(feature["access"] == "edit" for feature in answer["features"].values()) == features
    assert answer["multi_plan"] is (features == 61)


def test_the_compiled_set_of_sales_premium_is_the_published_one(told: dict[str, Any]) -> None:
    row = ModuleLicense.objects.get(customer__code="only-sales-premium", extra_flags=1)
    assert set(parse_set(row.extra_info)) == SALES_PREMIUM
    three = ModuleLicense.objects.filter(customer__code="only-three-premium", extra_flags=1)
    assert {name for plan in three for name in parse_set(plan.extra_info)} == ALL_PREMIUM


def test_there_is_something_to_look_at(app: APIClient, told: dict[str, Any]) -> None:
    havbris = app.get("/api/v1/customers/havbris/users/", {"limit": 200}).json()
    assert len(havbris["results"]) == 200
    assert havbris["next"]
    (full,) = app.get("/api/v1/customers/tindra/licenses/", {"search": "ten-service-essentials"}).json()["results"]
    assert (full["license_number"], full["free"]) == (6, 0)
    assert Package.objects.filter(customer__code="skogheim", state="pending").exists()
    assert entitlements(app, "fjordlys", "kari")["features"]["flows"]["access"] == "edit", "by an override"


def test_a_second_run_changes_nothing(demo: Path, told: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_FILE", str(demo))
    models = [model for model in apps.get_models() if model._meta.app_label in ("customers", "catalog", "licensing")]
    before = {model: model._default_manager.count() for model in models}

    call_command("catalog", "apply", "--publish", str(ROOT / "catalog" / "seed"), verbosity=0)
    call_command("demo", port=8123, verbosity=0)

    assert {model: model._default_manager.count() for model in models} == before
    assert json.loads(demo.read_text()) == told


def test_the_workbench_has_something_of_everything(told: dict[str, Any]) -> None:
    page = api_as(Account.objects.get(email=told["logins"]["publisher"]["email"])).get("/catalog/").content.decode()
    for words in ("Audit export", "To approve", "Board starter", "Sandbox"):
        assert words in page, words
    assert "Nothing is scheduled" not in page
    shown = api_as(Account.objects.get(email=told["logins"]["product_manager"]["email"]))
    cells = shown.get("/catalog/compatibility/?format=csv").content.decode()
    assert {"Excluded", "Needed", "Goes along"} <= {line.split(",")[7] for line in cells.splitlines()[1:]}


def test_every_login_works_and_finds_its_page(told: dict[str, Any]) -> None:
    assert set(told["logins"]) >= {"product_manager", "publisher", "customer_success", "customer_admin", "auditor"}
    for login in told["logins"].values():
        account = Account.objects.get(email=login["email"])
        assert account.check_password(login["password"])
        assert api_as(account).get("/", follow=True).status_code == 200


def test_readme_asks_a_question_that_is_answered_as_it_says(app: APIClient) -> None:
    readme = (ROOT / "README.md").read_text()
    asked = re.search(r"http://127\.0\.0\.1:8000(/api/\S+)", readme)
    shown = re.search(r"```json\n(.*?)```", readme, re.S)
    assert asked
    assert shown
    expected, answer = json.loads(shown[1]), app.get(asked[1]).json()
    assert list(answer) == list(expected)
    for passing in ("as_of", "revision"):
        expected.pop(passing)
        answer.pop(passing)
    assert answer == expected


def test_every_command_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"\bmake ([a-z][a-z-]*)", (ROOT / name).read_text()))
        assert named <= targets, name


def test_every_file_that_the_documents_link_exists() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text()):
            assert (ROOT / link).exists(), f"{name}: {link}"
