"""Subscriptions, items and packages as an integrator meets them: rules P-9 to P-16 over HTTP, with problem codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from licensing.models import Package, Seat
from tests.factories.customers import api_with
from tests.licensing.market import Town, hours

HERE = "/api/v1/customers/fjordlys/"
PLAN = "superoffice.ten-sales-essentials"


@pytest.fixture(autouse=True)
def _keys_stay_warm(settings: Any) -> None:
    settings.API_KEY_MEMORY_SECONDS = 3600


@pytest.fixture
def full(town: Town) -> Town:
    town.buys(sales_essentials=3, at=hours(1))
    for at, name in enumerate(town.users, start=2):
        town.gives(name, "ten-sales-essentials", at=hours(at))
    return town


def call(api: APIClient, method: str, path: str, body: Any = None, status: int = 200, **headers: Any) -> Any:
    response = api.generic(method, HERE + path, _json(body), content_type="application/json", **headers)
    assert response.status_code == status, response.content
    return response.json()


def _json(body: Any) -> str:
    return "" if body is None else json.dumps(body)


class TestSubscription:
    def test_it_begins_with_put_and_tells_its_term(self, town: Town, api: APIClient) -> None:
        call(api, "GET", "subscription/", status=404)
        today = datetime.now(UTC).date()
        made = call(api, "PUT", "subscription/", {"billing_months": 3, "items": {"sales-essentials": 2}})

        assert made["subscription"]["billing_months"] == 3
        assert [(item["offer"], item["quantity"], item["state"]) for item in made["items"]] == [
            ("sales-essentials", 2, "in_force")
        ]
        (stage,) = made["stages"]
        assert (stage["package"]["number"], stage["package"]["state"]) == (1, "active")
        assert "sales" in {feature["feature"] for feature in stage["features"]}
        told = call(api, "GET", "subscription/")
        assert told["term"]["is_first"] is True
        assert told["term"]["starts_on"] == today.isoformat()
        assert told["renews_on"] == told["term"]["ends_on"]

    @pytest.mark.parametrize(
        "body",
        [
            {"billing_months": 2, "items": {}},
            {"billing_months": 1},
            {"billing_months": 1, "items": {"sales-essentials": -1}},
            {"billing_months": 1, "items": {"sales-essentials": 1}, "colour": "red"},
            [1],
        ],
    )
    def test_a_wrong_body_is_refused_with_its_faults(self, town: Town, api: APIClient, body: Any) -> None:
        assert call(api, "PUT", "subscription/", body, status=400)["code"] == "invalid"

    def test_cancelled_and_taken_back(self, full: Town, api: APIClient) -> None:
        told = call(api, "POST", "subscription/cancel/?dry_run=true", {"reason": "moving on"})
        assert told["dry_run"] is True
        assert full.customer.subscriptions.get().ends_at is None

        made = call(api, "POST", "subscription/cancel/")

        assert made["subscription"]["renews_on"] is None
        assert made["stages"][0]["package"]["expires_at"] == made["subscription"]["ends_at"]
        refused = call(api, "POST", "subscription/cancel/", status=409)
        assert (refused["code"], refused["ends_at"][:10]) == (
            "subscription_cancelled",
            made["subscription"]["ends_at"][:10],
        )
        back = call(api, "POST", "subscription/resume/")
        assert back["subscription"]["ends_at"] is None
        assert call(api, "POST", "subscription/resume/", status=409)["code"] == "nothing_scheduled"

    def test_where_nothing_runs_nothing_can_be_changed(self, town: Town, api: APIClient) -> None:
        for path, body in (("items/", {"items": {"chat": 1}}), ("subscription/cancel/", None)):
            assert call(api, "POST", path, body, status=409)["code"] == "no_subscription"


class TestItems:
    def test_a_downgrade_at_renewal_says_whose_seats_go(self, full: Town, api: APIClient) -> None:
        wish = {"quantity": 1, "due": "renewal", "release": {PLAN: ["ola"]}}
        told = call(api, "PATCH", "items/sales-essentials/?dry_run=true", wish)
        assert not Package.objects.scheduled().exists()
        made = call(api, "PATCH", "items/sales-essentials/", wish)

        (stage,) = made["stages"]
        assert [seat["user"] for seat in stage["releases"]] == ["ola", "per"]
        assert told["stages"][0]["releases"] == stage["releases"]
        (plan,) = [module for module in stage["modules"] if module["module"] == PLAN]
        assert (plan["before"], plan["added"], plan["new_total"], plan["new_free"]) == (3, -2, 1, 0)
        listed = call(api, "GET", "items/")["results"]
        assert [(item["quantity"], item["state"]) for item in listed] == [(3, "in_force"), (1, "scheduled")]

        call(api, "DELETE", "items/sales-essentials/")

        assert [item["quantity"] for item in call(api, "GET", "items/")["results"]] == [3]
        assert call(api, "DELETE", "items/sales-essentials/", status=409)["code"] == "nothing_scheduled"
        assert not Seat.objects.filter(leaves_at__isnull=False).exists()

    def test_who_may_not_see_seats_is_told_no_names(self, full: Town) -> None:
        http = api_with("customers:read", "customers:write")
        (stage,) = call(http, "PATCH", "items/sales-essentials/", {"quantity": 1, "due": "renewal"})["stages"]
        assert stage["releases"] == []

    def test_a_swap_is_all_of_it_or_nothing(self, full: Town, api: APIClient) -> None:
        at = (datetime.now(UTC) + timedelta(days=40)).replace(microsecond=0)
        wish = {"items": {"sales-essentials": 0, "sales-premium": 3}, "due_at": at.isoformat()}
        made = call(api, "POST", "items/", wish)
        assert {item["offer"]: item["state"] for item in made["items"]} == {
            "sales-essentials": "in_force",
            "sales-premium": "scheduled",
        }
        refused = call(api, "POST", "items/", {"items": {"chat": 2, "service-essentials": 1}}, status=409)
        assert refused["code"] == "items_refused"
        assert refused["faults"][0]["most"] == 1
        assert len(call(api, "GET", "items/")["results"]) == 2

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"items": {"chat": 1}, "due": "renewal", "due_at": "2030-01-01T00:00:00Z"}, 400),
            ({"items": {"chat": 1}, "due_at": "2020-01-01T00:00:00Z"}, 400),
            ({"items": {"chat": 1}, "due": "tomorrow"}, 400),
            ({"items": {"nothing-such": 1}}, 404),
            ({"items": {"sales-essentials": 1}, "due": "renewal", "release": {PLAN: ["nobody"]}}, 404),
        ],
    )
    def test_a_wrong_wish_is_refused(self, full: Town, api: APIClient, body: Any, status: int) -> None:
        call(api, "POST", "items/", body, status=status)

    def test_the_same_key_changes_once(self, full: Town, api: APIClient) -> None:
        first = call(api, "PATCH", "items/sales-essentials/", {"quantity": 5}, HTTP_IDEMPOTENCY_KEY="k1")
        again = call(api, "PATCH", "items/sales-essentials/", {"quantity": 5}, HTTP_IDEMPOTENCY_KEY="k1")
        assert again == first
        assert full.customer.packages.count() == 2


class TestPackages:
    @pytest.fixture
    def waiting(self, full: Town) -> Town:
        full.buys(sales_essentials=1, at=hours(9))
        return full

    def test_what_is_in_the_way_and_whose_seats_first(self, waiting: Town, api: APIClient) -> None:
        """C-27: added, new total, new free, superfluous; unseen for longest first, then the newest seat."""
        ida = waiting.users["ida"]
        ida.last_seen_at = hours(5)
        ida.save()

        told = call(api, "GET", "packages/2/superfluous/")

        assert (told["package"]["state"], told["fits"]) == ("pending", False)
        (row,) = told["superfluous"]
        assert (row["module"], row["in_use"], row["new_total"], row["remove"]) == (PLAN, 3, 1, 2)
        assert [holder["user"] for holder in row["holders"]] == ["per", "ola", "ida"]
        (plan,) = [module for module in told["modules"] if module["module"] == PLAN]
        assert (plan["added"], plan["new_total"], plan["new_free"], plan["superfluous"]) == (-2, 1, 0, 2)
        assert call(api, "GET", "packages/9/superfluous/", status=404)["code"] == "not_found"

    def test_it_is_refused_with_the_list_and_passes_after_removal(self, waiting: Town, api: APIClient) -> None:
        refused = call(api, "POST", "packages/2/activate/", status=409)
        assert (refused["code"], refused["superfluous"][0]["remove"]) == ("package_does_not_fit", 2)

        made = call(api, "POST", "packages/2/superfluous/", {"release": {PLAN: ["ola"]}})
        assert (made["package"]["state"], made["left"][0]["remove"]) == ("pending", 1)
        waiting.takes("ida", "ten-sales-essentials")
        made = call(api, "POST", "packages/2/activate/")

        assert made["package"]["state"] == "active"
        assert call(api, "POST", "packages/2/activate/", status=409)["code"] == "nothing_to_activate"
        assert call(api, "POST", "packages/9/activate/", status=404)["code"] == "not_found"

    def test_it_is_finished_in_one_request(self, waiting: Town, api: APIClient) -> None:
        path, body = "packages/2/superfluous/", {"release": {PLAN: ["ola", "per"]}}
        told = call(api, "POST", f"{path}?dry_run=true", body)
        assert (told["package"]["state"], told["change_set"]) == ("active", None)
        assert waiting.customer.packages.get(number=2).state == "pending"

        made = call(api, "POST", path, body)

        assert (made["package"]["state"], made["left"]) == ("active", [])
        change_set = waiting.customer.change_sets.get(number=made["change_set"])
        assert change_set.rows.count() == 2

    def test_releasing_alone_does_not_let_one_activate(self, waiting: Town) -> None:
        http = api_with("seats:read", "seats:write", "customers:read", customer=waiting.customer)
        refused = call(http, "POST", "packages/2/superfluous/", {"release": {PLAN: ["ola"]}}, status=403)
        assert refused["code"] == "permission_denied"
