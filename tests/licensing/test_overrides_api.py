"""Overrides as an integrator meets them: granted for a customer or a user, previewed, ended. Rules O-1 to O-7."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from licensing.models import Override
from tests.factories.customers import api_with
from tests.licensing.market import Town, hours

HERE = "/api/v1/customers/fjordlys/overrides/"
DENY = {"feature": "sales", "mode": "deny", "reason": "Audit"}


@pytest.fixture(autouse=True)
def _keys_stay_warm(settings: Any) -> None:
    settings.API_KEY_MEMORY_SECONDS = 3600


@pytest.fixture
def held(town: Town) -> Town:
    """Ola and Ida hold Sales Essentials; Per holds nothing."""
    town.buys(sales_essentials=3, storage=1, at=hours(1))
    for at, name in enumerate(("ola", "ida"), start=2):
        town.gives(name, "ten-sales-essentials", at=hours(at))
    return town


def call(api: APIClient, method: str, path: str = "", body: Any = None, status: int = 200, **headers: Any) -> Any:
    sent = "" if body is None else json.dumps(body)
    response = api.generic(method, HERE + path, sent, content_type="application/json", **headers)
    assert response.status_code == status, response.content
    return response.json()


def grant(api: APIClient, status: int = 201, **wish: Any) -> Any:
    return call(api, "POST", "", DENY | wish, status)


class TestGranting:
    def test_a_customers_override_tells_what_everybody_loses(self, held: Town, api: APIClient) -> None:
        """O-5: the dry run says it all, changes nothing, and is what then happens."""
        told = call(api, "POST", "?dry_run=true", DENY)
        assert not Override.objects.exists()
        assert held.access("ola", "sales") == "edit"

        made = grant(api)

        assert (told["dry_run"], told["override"]["id"], made["dry_run"]) == (True, None, False)
        for telling in (told, made):
            assert [(f["feature"], f["effect"], f["after"]) for f in telling["features"]] == [
                ("sales", "lost", "Not there")
            ]
            assert (telling["users_changed"], telling["users_worse"]) == (3, 3)  # Per could look at what others hold
        assert made["revision"] == told["revision"] + 1 == held.revision()
        assert held.access("ola", "sales") == "none"
        override = made["override"]
        assert (override["user"], override["feature_name"], override["state"]) == (None, "Sales", "live")
        assert (override["reason"], override["granted_by"][:3]) == ("Audit", "App")

    @pytest.mark.parametrize(
        ("feature", "mode", "given", "before", "after"),
        [
            ("sales", "set", {"value": True}, None, True),
            ("storage", "add", {"value": 50}, 100, 150),
            ("storage", "at_least", {"unlimited": True}, 100, None),
            ("storage", "at_most", {"value": 10}, 100, 10),
            ("dashboards", "set", {"value": "custom-tiles"}, None, "custom-tiles"),
        ],
    )
    def test_each_mode_and_kind_of_one_user(
        self, held: Town, api: APIClient, feature: str, mode: str, given: Any, before: Any, after: Any
    ) -> None:
        """O-1: what is told of Per is what Per is answered afterwards; Ola's answer stays."""
        was, ola = held.answer("per").get(feature), held.answer("ola")
        assert (was or {}).get("value") in (before, False), "the story begins elsewhere"
        wish = {"feature": feature, "mode": mode, "reason": "Pilot", "user": "PER", **given}

        told = call(api, "POST", "?dry_run=true", wish)
        made = call(api, "POST", "", wish, 201)

        assert told["features"] == made["features"]
        assert [f["feature"] for f in made["features"]] == [feature]
        assert (made["users_changed"], made["override"]["user"]) == (1, "per")
        now = held.answer("per")[feature]
        assert (now["access"], now["value"], now.get("unlimited", False)) == ("edit", after, "unlimited" in given)
        assert held.answer("ola") == ola

    def test_what_begins_later_is_told_for_then(self, held: Town, api: APIClient) -> None:
        starts = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
        ends = starts + timedelta(days=4)
        made = grant(api, starts_at=starts.isoformat(), ends_at=ends.isoformat(), user="ola")

        assert (made["override"]["state"], made["users_worse"]) == ("scheduled", 1)
        assert datetime.fromisoformat(made["changes_at"]) == starts
        assert [held.access("ola", "sales", at) for at in (None, starts, ends)] == ["edit", "none", "edit"]

    def test_what_changes_nothing_says_so(self, held: Town, api: APIClient) -> None:
        made = call(
            api, "POST", "", {"feature": "storage", "mode": "at_least", "value": 5, "reason": "Minimum"}, status=201
        )
        assert (made["features"], made["users_changed"]) == ([], 0)

    def test_one_of_a_mode_is_live_per_subject(self, held: Town, api: APIClient) -> None:
        """H-6; O-3: of the user and of the customer side by side."""
        first = grant(api)["override"]["id"]
        grant(api, user="ola")
        refused = grant(api, 409)
        assert (refused["code"], refused["blocking"]) == ("override_refused", {"kind": "override", "code": str(first)})

    @pytest.mark.parametrize(
        ("wish", "status", "field"),
        [
            ({"reason": ""}, 400, "reason"),
            ({"reason": "  "}, 400, "reason"),
            ({"value": True}, 400, "value"),
            ({"mode": "double"}, 400, "mode"),
            ({"mode": "set"}, 400, "value"),
            ({"mode": "set", "value": "yes"}, 400, "value"),
            ({"mode": "set", "unlimited": True}, 400, "value"),
            ({"mode": "set", "unlimited": True, "value": 3, "feature": "storage"}, 400, "unlimited"),
            ({"mode": "set", "value": -1, "feature": "storage"}, 400, "value"),
            ({"mode": "set", "value": {"a": [1]}, "feature": "storage"}, 400, "value"),
            ({"mode": "set", "value": "golden", "feature": "dashboards"}, 400, "value"),
            ({"starts_at": "2020-01-01T00:00:00Z"}, 400, "starts_at"),
            ({"ends_at": "2020-01-01T00:00:00Z"}, 400, "ends_at"),
            ({"ends_at": "soon"}, 400, "ends_at"),
            ({"ends_at": "2035-01-01"}, 400, "ends_at"),
            ({"ends_at": "2035-01-01T00:00:00"}, 400, "ends_at"),
            ({"ends_at": 5}, 400, "ends_at"),
            ({"colour": "red"}, 400, "colour"),
            ({"feature": "juggling"}, 404, None),
            ({"user": "nobody"}, 404, None),
        ],
    )
    def test_a_wrong_wish_is_refused_by_name(
        self, held: Town, api: APIClient, wish: Any, status: int, field: str | None
    ) -> None:
        """O-2: a reason, a value of the feature's kind, an end after the start and not in the past."""
        refused = grant(api, status, **wish)
        assert refused["code"] == ("invalid" if status == 400 else "not_found")
        if field is not None:
            assert field in {fault["field"] for fault in refused["faults"]}
        assert not Override.objects.exists()

    def test_the_same_key_grants_once(self, held: Town, api: APIClient) -> None:
        first = call(api, "POST", "", DENY, 201, HTTP_IDEMPOTENCY_KEY="k1")
        assert call(api, "POST", "", DENY, 201, HTTP_IDEMPOTENCY_KEY="k1") == first
        other = call(api, "POST", "", DENY | {"user": "ola"}, 422, HTTP_IDEMPOTENCY_KEY="k1")
        assert other["code"] == "idempotency_key_reused"
        assert Override.objects.count() == 1


class TestEnding:
    def test_it_ends_now_and_its_record_stays(self, held: Town, api: APIClient) -> None:
        """O-4: what comes back is told before, and the record says when it was ended."""
        number = grant(api)["override"]["id"]
        told = call(api, "DELETE", f"{number}/?dry_run=true")
        assert held.access("ola", "sales") == "none"

        made = call(api, "DELETE", f"{number}/")

        assert told["features"] == made["features"]
        assert [(f["feature"], f["effect"]) for f in made["features"]] == [("sales", "gained")]
        assert (made["users_changed"], made["users_worse"]) == (3, 0)
        assert held.access("ola", "sales") == "edit"
        seen = call(api, "GET", f"{number}/")
        assert (seen["state"], seen["ended_at"]) == ("ended", made["override"]["ended_at"])
        assert call(api, "DELETE", f"{number}/", status=409)["code"] == "override_refused"
        grant(api)  # and another may be granted

    def test_one_that_has_not_begun_never_does(self, held: Town, api: APIClient) -> None:
        starts = datetime.now(UTC) + timedelta(days=3)
        number = grant(api, starts_at=starts.isoformat())["override"]["id"]
        made = call(api, "DELETE", f"{number}/")
        assert datetime.fromisoformat(made["changes_at"]) == starts
        assert made["override"]["state"] == "ended"
        assert held.access("ola", "sales", starts) == "edit"

    def test_another_customers_is_not_there(self, held: Town, api: APIClient) -> None:
        """O-7: a number of somebody else's is a 404, whoever asks and whatever they may do here."""
        Town("nordvik", ("nils",))
        there = HERE.replace("fjordlys", "nordvik")
        granted = api.post(there, json.dumps(DENY), content_type="application/json")
        number = granted.json()["override"]["id"]
        for method in ("GET", "DELETE"):
            assert call(api, method, f"{number}/", status=404)["code"] == "not_found"
            assert call(api, method, f"{10**30}/", status=404)["code"] == "not_found"
        assert Override.objects.get(pk=number).ended_at is None


class TestReading:
    @pytest.fixture
    def several(self, held: Town, api: APIClient) -> Town:
        in_days = [(datetime.now(UTC) + timedelta(days=n)).isoformat() for n in range(20)]
        grant(api, reason="Pilot", user="ola", ends_at=in_days[10])
        grant(api, reason="Later", user="ida", starts_at=in_days[5])
        grant(api, feature="storage", mode="add", value=5, reason="A gift for the pilot", ends_at=in_days[2])
        over = grant(api, feature="quotes", reason="Over")["override"]["id"]
        call(api, "DELETE", f"{over}/")
        return held

    @pytest.mark.parametrize(
        ("query", "reasons"),
        [
            ("", ["Over", "A gift for the pilot", "Later", "Pilot"]),
            ("user=OLA", ["Pilot"]),
            ("of=customer", ["Over", "A gift for the pilot"]),
            ("of=user", ["Later", "Pilot"]),
            ("feature=Storage", ["A gift for the pilot"]),
            ("mode=add", ["A gift for the pilot"]),
            ("state=live", ["A gift for the pilot", "Pilot"]),
            ("state=scheduled", ["Later"]),
            ("state=ended", ["Over"]),
            ("search=PILOT", ["A gift for the pilot", "Pilot"]),
            ("search=ida", ["Later"]),
        ],
    )
    def test_the_list_and_its_filters(self, several: Town, api: APIClient, query: str, reasons: list[str]) -> None:
        assert [row["reason"] for row in call(api, "GET", f"?{query}")["results"]] == reasons

    def test_those_about_to_end(self, several: Town, api: APIClient) -> None:
        """O-6: what ends before an instant and has not ended yet."""
        for days, reasons in ((1, []), (3, ["A gift for the pilot"]), (11, ["A gift for the pilot", "Pilot"])):
            before = (datetime.now(UTC) + timedelta(days=days)).isoformat().replace("+", "%2B")
            listed = call(api, "GET", f"?ending_before={before}")["results"]
            assert [row["reason"] for row in listed] == reasons

    @pytest.mark.parametrize("query", ["state=new", "mode=double", "of=all", "ending_before=soon", "colour=red"])
    def test_a_wrong_filter_is_refused(self, several: Town, api: APIClient, query: str) -> None:
        assert call(api, "GET", f"?{query}", status=400)["code"] == "invalid"

    def test_pages_by_cursor(self, several: Town, api: APIClient) -> None:
        first = call(api, "GET", "?limit=3")
        assert len(first["results"]) == 3
        rest = api.get(first["next"]).json()
        assert [row["reason"] for row in rest["results"]] == ["Pilot"]

    def test_the_list_costs_the_same_whatever_is_in_it(
        self, several: Town, api: APIClient, django_assert_num_queries: Any
    ) -> None:
        api.get(HERE)
        with django_assert_num_queries(2):  # the customer, and the page
            api.get(HERE)

    def test_a_preview_costs_the_same_for_any_number_of_users(self, held: Town, api: APIClient) -> None:
        def cost() -> int:
            with CaptureQueriesContext(connection) as seen:
                call(api, "POST", "?dry_run=true", DENY)
            return len(seen)

        cost()
        few = cost()
        held.gives("per", "ten-sales-essentials")
        assert cost() == few

    def test_who_may_read_and_who_may_grant(self, held: Town) -> None:
        reader = api_with("customers:read", customer=held.customer)
        assert call(reader, "GET")["results"] == []
        assert grant(reader, 403)["code"] == "permission_denied"
        writer = api_with("overrides:write", customer=held.customer)
        grant(writer)
        assert call(writer, "GET", status=403)["code"] == "permission_denied"
