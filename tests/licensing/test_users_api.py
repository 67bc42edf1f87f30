"""The API of users: created, changed, erased; what it frees is told before and after (rules U-1 to U-10)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from customers.models import ApiClient, AuditEvent, CustomerUser
from tests.factories.customers import api_with
from tests.licensing.market import Market, Town, hours

PATH = "/api/v1/customers/fjordlys/users/"
PREMIUM = "superoffice.ten-sales-premium"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=2, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    return town


def patch(user: str, query: str = "", /, **body: Any) -> Any:
    return api_with().patch(f"{PATH}{user}/{query}", body, format="json")


class TestCreating:
    def test_a_user_who_holds_nothing_yet(self, fjordlys: Town) -> None:
        before = fjordlys.revision()
        made = api_with().post(PATH, {"code": "Nora", "name": "Nora Lie", "email": "nora@x.example"}, format="json")
        assert made.status_code == 201
        assert made.json()["revision"] == before + 1
        user = made.json()["user"]
        assert (user["code"], user["status"], user["plans"], user["modules"]) == ("Nora", "active", [], [])
        assert api_with().get(f"{PATH}nora/entitlements/").status_code == 200

    def test_a_dry_run_leaves_no_trace(self, fjordlys: Town) -> None:
        before = fjordlys.revision()
        made = api_with().post(f"{PATH}?dry_run=true", {"code": "nora", "name": "Nora"}, format="json")
        assert (made.status_code, made.json()["dry_run"]) == (200, True)
        assert not CustomerUser.objects.filter(code="nora").exists()
        assert fjordlys.revision() == before

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"code": "OLA", "name": "Another"}, ""),
            ({"code": "o la", "name": "Another"}, "code"),
            ({"code": "erased-1", "name": "Another"}, "code"),
            ({"code": "nora", "name": ""}, "name"),
            ({"code": "nora", "name": "Nora", "email": "nobody"}, "email"),
            ({"code": "nora", "name": "Nora", "is_former_employee": True}, "is_former_employee"),
            ({"code": "n" * 65, "name": "Nora"}, "code"),
        ],
    )
    def test_what_cannot_be(self, fjordlys: Town, body: dict[str, Any], field: str) -> None:
        answer = api_with().post(PATH, body, format="json")
        assert answer.status_code == 400
        assert field in [fault["field"] for fault in answer.json()["faults"]]


class TestChanging:
    def test_name_and_address(self, fjordlys: Town) -> None:
        before = fjordlys.revision()
        told = patch("ola", name="Ola II", email="ola@x.example").json()
        assert (told["user"]["name"], told["user"]["email"]) == ("Ola II", "ola@x.example")
        assert (told["released"], told["change_set"]) == ([], None)
        assert fjordlys.revision() == before  # nobody's answer changes with a name

    def test_the_code_is_for_good(self, fjordlys: Town) -> None:
        assert patch("ola", code="olaf").status_code == 400

    @pytest.mark.parametrize("change", [{"is_former_employee": True}, {"can_log_in": False}])
    def test_what_is_freed_is_told_before_and_after(self, fjordlys: Town, change: dict[str, Any]) -> None:
        rehearsed = patch("ola", "?dry_run=true", **change).json()
        assert rehearsed["released"] == [PREMIUM]
        assert rehearsed["user"]["plans"] == []
        assert fjordlys.holds("ola") == {"ten-sales-premium"}
        told = patch("ola", **change, reason="Left").json()
        assert (told["released"], told["change_set"]) == ([PREMIUM], 2)
        assert fjordlys.holds("ola") == set()
        assert AuditEvent.objects.get(action="user.edited").reason == "Left"

    def test_coming_back_brings_no_seat_back(self, fjordlys: Town) -> None:
        patch("ola", is_former_employee=True)
        told = patch("ola", is_former_employee=False).json()
        assert (told["user"]["status"], told["user"]["modules"]) == ("active", [])

    @pytest.mark.parametrize("body", [{}, {"reason": "Just so"}, {"last_seen_at": "2026-01-01T00:00:00Z"}])
    def test_nothing_to_change(self, fjordlys: Town, body: dict[str, Any]) -> None:
        assert patch("ola", **body).status_code == 400


class TestErasing:
    def test_confirmed_by_the_code(self, fjordlys: Town) -> None:
        http = api_with()
        refused = http.post(f"{PATH}ola/erase/", {"confirm": "Ola"}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (400, "not_confirmed")
        told = http.post(f"{PATH}ola/erase/?dry_run=true", {}, format="json").json()
        assert (told["released"], told["events"]) == ([PREMIUM], 3)
        told = http.post(f"{PATH}ola/erase/", {"confirm": "ola"}, format="json").json()
        pseudonym = told["user"]["code"]
        assert told["user"]["erased_at"]
        assert http.get(f"{PATH}ola/").status_code == 404
        assert http.get(f"{PATH}{pseudonym}/").json()["status"] == "former_employee"
        assert patch(pseudonym, name="Ola").json()["code"] == "user_is_erased"


class TestListing:
    @pytest.mark.parametrize(
        ("status", "found"),
        [("active", ["ida"]), ("cannot_log_in", ["per"]), ("former_employee", ["ola"])],
    )
    def test_by_status(self, fjordlys: Town, status: str, found: list[str]) -> None:
        patch("ola", is_former_employee=True)
        patch("per", can_log_in=False)
        assert [user["code"] for user in api_with().get(PATH, {"status": status}).json()["results"]] == found

    def test_users_have_a_scope_of_their_own(self, fjordlys: Town) -> None:
        reads = api_with("users:read", customer=fjordlys.customer)
        assert reads.get(PATH).status_code == 200
        assert reads.post(PATH, {"code": "nora", "name": "Nora"}, format="json").status_code == 403
        assert reads.get("/api/v1/customers/fjordlys/subscription/").status_code == 403
        assert api_with("customers:read").get(PATH).status_code == 403


@pytest.mark.django_db
def test_clients_that_read_customers_go_on_reading_users(market: Market) -> None:
    migration = import_module("customers.migrations.0007_erasure")
    client = ApiClient.objects.create(name="CRM", scopes=["customers:read", "seats:read"])
    other = ApiClient.objects.create(name="Shop", scopes=["catalog:read"])
    migration.who_read_users(apps, None)
    migration.who_read_users(apps, None)
    client.refresh_from_db()
    other.refresh_from_db()
    assert client.scopes == ["customers:read", "seats:read", "users:read"]
    assert other.scopes == ["catalog:read"]
    migration.without_users(apps, None)
    client.refresh_from_db()
    assert client.scopes == ["customers:read", "seats:read"]
