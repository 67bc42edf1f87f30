"""The licensing API as an integrator meets it: reads, explain, seats, records. Rules of docs/api.md."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from customers.actor import SYSTEM
from licensing.facts import Mode
from licensing.models import CustomerRevision
from licensing.services.overrides import grant_override
from licensing.services.people import create_user, edit_user
from tests.factories.customers import api_with
from tests.licensing.market import Market, Town, hours

HERE = "/api/v1/customers/fjordlys/"


@pytest.fixture(autouse=True)
def _keys_stay_warm(settings: Any) -> None:
    """However slow the machine, a key looked up once in a test is remembered to its end."""
    settings.API_KEY_MEMORY_SECONDS = 3600


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_essentials=2, sales_premium=1, service_premium=2, sales_service_premium=1, calendar=2, at=hours(1))
    town.gives("ola", "ten-sales-premium", "nebula", at=hours(2))
    town.gives("ida", "ten-sales-essentials", "ten-service-premium", at=hours(3))
    return town


def get(api: APIClient, path: str, status: int = 200, **query: Any) -> Any:
    response = api.get(HERE + path, query)
    assert response.status_code == status, response.content
    return response.json()


# ── What may this user do now ───────────────────────────────────────────────
def test_an_answer_has_the_promised_shape(fjordlys: Town, api: APIClient) -> None:
    answer = get(api, "users/ola/entitlements/")

    assert list(answer) == [
        "customer", "user", "revision", "as_of", "valid_until", "status", "owners",
        "multi_plan", "plans", "modules", "features",
    ]  # fmt: skip
    assert (answer["customer"], answer["user"], answer["status"]) == ("fjordlys", "ola", "active")
    assert answer["owners"] == {"SUPEROFFICE": "active"}
    assert answer["plans"] == [{"code": "sales-premium", "tier": "premium", "solutions": ["sales"], "version": 1}]
    assert {"superoffice.sale", "superoffice.sale-cal", "superoffice.nebula"} <= set(answer["modules"])
    assert answer["features"]["quotes"] == {"kind": "switch", "access": "edit", "value": True}
    assert answer["features"]["requests"] == {"kind": "switch", "access": "view", "value": False}
    assert answer["features"]["dashboards"] == {"kind": "level", "access": "edit", "value": "custom-tiles"}
    assert answer["features"]["email-limit"] == {
        "kind": "limit", "access": "edit", "value": 500, "unlimited": False,
    }  # fmt: skip


def test_a_multi_plan_user_is_marked(fjordlys: Town, api: APIClient) -> None:
    answer = get(api, "users/ida/entitlements/")
    assert answer["multi_plan"] is True
    assert [plan["code"] for plan in answer["plans"]] == ["sales-essentials", "service-premium"]


def test_the_customer_as_a_whole(fjordlys: Town, api: APIClient) -> None:
    answer = get(api, "entitlements/")
    assert "user" not in answer
    assert answer["features"]["escalations"]["access"] == "edit"
    assert get(api, "entitlements/escalations/")["value"] is True


def test_a_feature_nobody_has_is_a_clear_none(fjordlys: Town, api: APIClient) -> None:
    answer = get(api, "users/ola/entitlements/chat/")
    assert (answer["feature"], answer["kind"], answer["access"], answer["value"]) == ("chat", "switch", "none", False)
    storage = get(api, "users/ola/entitlements/STORAGE/")
    assert (storage["feature"], storage["value"], storage["unlimited"]) == ("storage", None, False)


def test_a_former_employee_may_do_nothing(fjordlys: Town, api: APIClient) -> None:
    edit_user(customer=fjordlys.customer, actor=SYSTEM, user=fjordlys.users["ola"], is_former_employee=True)
    answer = get(api, "users/ola/entitlements/")
    assert (answer["features"], answer["plans"], answer["modules"]) == ({}, [], [])
    why = get(api, "users/ola/entitlements/sales/", explain="true")["explain"]
    assert why["because"].startswith("A former employee")


def test_the_past_is_another_answer(fjordlys: Town, api: APIClient) -> None:
    then = get(api, "users/ola/entitlements/", at="2026-01-05T13:30:00Z")
    assert then["features"]["sales"]["access"] == "view"
    assert then["as_of"] == "2026-01-05T13:30:00.000000Z"
    assert then["revision"] < get(api, "users/ola/entitlements/")["revision"]
    assert get(api, "users/ola/entitlements/sales/", at="2026-01-05T14:30:00+00:00")["access"] == "edit"
    before = get(api, "users/ola/entitlements/", 404, at="2020-01-01T00:00:00Z")
    assert before["code"] == "not_recorded"


def test_explain_gives_the_whole_trace(fjordlys: Town, api: APIClient) -> None:
    grant_override(
        customer=fjordlys.customer,
        actor=SYSTEM,
        feature="email-limit",
        mode=Mode.AT_LEAST,
        value=900,
        reason="Ticket 7",
    )
    answer = get(api, "users/ola/entitlements/email-limit/", explain="true")
    why = answer["explain"]
    assert answer["value"] == 900
    assert why["rule"] == "max"
    assert why["merged"] == {"value": 500, "unlimited": False}
    held = next(source for source in why["sources"] if source["outcome"] == "counts")
    assert (held["code"], held["version"], held["seat"]["assigned_by"]) == ("sales-premium", 1, "system")
    assert {source["outcome"] for source in why["sources"]} == {"counts", "no_seat"}
    assert why["overrides"][0]["reason"] == "Ticket 7"


def test_explain_says_what_else_would_give_it_and_what_changed_last(fjordlys: Town, api: APIClient) -> None:
    why = get(api, "users/ida/entitlements/quotes/", explain="true")["explain"]
    assert [(way["how"], way["code"], way["seats"]) for way in why["would_give"]] == [
        ("seat", "sales-service-premium", {"total": 1, "in_use": 0, "free": 1, "unrestricted": False}),
        ("seat", "sales-premium", {"total": 1, "in_use": 1, "free": 0, "unrestricted": False}),
    ]
    assert why["would_give"][1]["releases"] == ["superoffice.ten-sales-essentials"]
    changed = why["changed_last"]
    assert (changed["at"], changed["before"], changed["after"]["access"]) == (
        "2026-01-05T13:00:00Z", {"access": "none"}, "view",
    )  # fmt: skip
    assert [(cause["kind"], cause["package"]) for cause in changed["causes"]] == [("package", "SUPEROFFICE #1")]
    past = get(api, "users/ola/entitlements/quotes/", explain="true", at="2026-01-05T14:30:00Z")["explain"]
    assert past["changed_last"]["causes"][0]["change_set"] == 1
    whole = get(api, "entitlements/storage/", explain="true")["explain"]
    assert [way["how"] for way in whole["would_give"]] == ["sale"]


def test_who_did_it_is_for_those_who_may_read_customers(fjordlys: Town, api: APIClient) -> None:
    path = f"{HERE}users/ida/entitlements/quotes/"
    for scopes, actor in ((["entitlements:read", "entitlements:explain"], ""), (["customers:read"], "system")):
        client = api_with(*{*scopes, "entitlements:read", "entitlements:explain"})
        (cause,) = client.get(path, {"explain": "true"}).json()["explain"]["changed_last"]["causes"]
        assert cause["actor"] == actor


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("users/nobody/entitlements/", {}, 404, "not_found"),
        ("users/ola/entitlements/nothing-such/", {}, 404, "not_found"),
        ("users/ola/entitlements/", {"at": "yesterday"}, 400, "invalid"),
        ("users/ola/entitlements/", {"at": "2026-01-05T13:30:00"}, 400, "invalid"),
        ("users/ola/entitlements/", {"when": "now"}, 400, "invalid"),
        ("users/ola/entitlements/sales/", {"explain": "perhaps"}, 400, "invalid"),
        ("users/ola/seats/nothing-such/", {}, 404, "not_found"),
        ("users/ola/seats/ten-service-premium/", {}, 404, "seat_not_held"),
        ("users/nobody/seats/ten-sales-premium/", {}, 404, "not_found"),
        ("users/", {"plan": "nothing-such"}, 400, "invalid"),
        ("users/", {"multi_plan": "perhaps"}, 400, "invalid"),
        ("licenses/", {"license_type": "9"}, 400, "invalid"),
    ],
)
def test_bad_questions(
    fjordlys: Town, api: APIClient, path: str, query: dict[str, str], status: int, code: str
) -> None:
    problem = get(api, path, status, **query)
    assert problem["code"] == code
    assert problem["next_action"]


def test_an_unknown_customer_and_a_foreign_one_look_alike(fjordlys: Town) -> None:
    elsewhere = Town("nordvik", people=())
    bound = api_with(customer=elsewhere.customer)
    answers = []
    for code in ("fjordlys", "nobody"):
        for path in ("users/ola/entitlements/", "entitlements/", "users/", "licenses/", "users/ola/seats/x/"):
            response = bound.get(f"/api/v1/customers/{code}/{path}")
            assert response.status_code == 404
            body = response.json()
            body.pop("instance")
            answers.append(json.dumps(body).replace(code, "CODE"))
    assert len(set(answers)) == 1


def test_a_key_without_the_scope_learns_nothing(fjordlys: Town) -> None:
    blind = api_with("catalog:read")
    for code in ("fjordlys", "nobody"):
        assert blind.get(f"/api/v1/customers/{code}/users/ola/entitlements/").status_code == 403
    reader = api_with("entitlements:read")
    assert reader.get(HERE + "users/ola/entitlements/sales/").status_code == 200
    assert reader.get(HERE + "users/ola/entitlements/sales/", {"explain": "true"}).status_code == 403


# ── At the cost of one look-up ──────────────────────────────────────────────
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("users/ola/entitlements/", {}),
        ("users/ola/entitlements/sales/", {}),
        ("entitlements/", {}),
        ("users/ola/entitlements/", {"at": "2026-01-05T15:30:00Z"}),
    ],
)
def test_a_warm_read_is_one_query(fjordlys: Town, api: APIClient, path: str, query: dict[str, str]) -> None:
    get(api, path, **query)
    with CaptureQueriesContext(connection) as queries:
        get(api, path, **query)
    assert len(queries) == 1, [q["sql"] for q in queries]


def test_not_modified_costs_one_query_and_ends_with_any_change(fjordlys: Town, api: APIClient) -> None:
    first = api.get(HERE + "users/ola/entitlements/")
    tag = first["ETag"]
    assert tag.startswith('W/"')
    assert first["Cache-Control"] == "private, no-cache"
    with CaptureQueriesContext(connection) as queries:
        again = api.get(HERE + "users/ola/entitlements/", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, len(queries)) == (304, b"", 1)
    elsewhere = api.get(HERE + "users/ida/entitlements/", headers={"If-None-Match": tag})
    assert elsewhere.status_code == 200

    fjordlys.gives("per", "ten-sales-essentials")

    assert api.get(HERE + "users/ola/entitlements/", headers={"If-None-Match": tag}).status_code == 200


def test_head_answers_like_get(fjordlys: Town, api: APIClient) -> None:
    head = api.head(HERE + "users/ola/entitlements/")
    assert (head.status_code, head.content) == (200, b"")
    assert head["ETag"] == api.get(HERE + "users/ola/entitlements/")["ETag"]


# ── Lists ───────────────────────────────────────────────────────────────────
def codes(page: Any) -> list[str]:
    return [result["code"] for result in page["results"]]


def test_users_with_their_plans(fjordlys: Town, api: APIClient) -> None:
    assert codes(get(api, "users/")) == ["ida", "ola", "per"]
    assert codes(get(api, "users/", plan="sales-premium")) == ["ola"]
    assert codes(get(api, "users/", plan="calendar")) == ["ola"]
    assert codes(get(api, "users/", multi_plan="true")) == ["ida"]
    assert codes(get(api, "users/", multi_plan="false")) == ["ola", "per"]
    assert codes(get(api, "users/", search="PE")) == ["per"]
    user = get(api, "users/ida/")
    assert [plan["code"] for plan in user["plans"]] == ["sales-essentials", "service-premium"]
    assert (user["multi_plan"], user["status"]) == (True, "active")


def test_pages_of_users_hold_together(fjordlys: Town, api: APIClient) -> None:
    first = get(api, "users/", limit=2)
    assert codes(first) == ["ida", "ola"]
    assert codes(api.get(first["next"]).json()) == ["per"]


@pytest.mark.parametrize(("path", "queries"), [("users/", 5), ("licenses/", 6)])
def test_lists_cost_the_same_however_long(fjordlys: Town, api: APIClient, path: str, queries: int) -> None:
    """users: customer, page, seats, packages, rows of those. licenses: the same, and plans."""
    get(api, path)
    with CaptureQueriesContext(connection) as few:
        get(api, path)
    for number in range(20):
        create_user(customer=fjordlys.customer, actor=SYSTEM, code=f"extra{number}", name="Extra")
        fjordlys.gives(f"extra{number}", "ten-service-premium") if number == 0 else None
    with CaptureQueriesContext(connection) as many:
        get(api, path)
    assert len(many) == len(few) == queries, [q["sql"] for q in many]


def test_license_records_tell_every_field(fjordlys: Town, api: APIClient) -> None:
    (plan,) = [r for r in get(api, "licenses/", is_user_plan="true")["results"] if r["plan"] == "sales-premium"]
    assert (plan["extra_flags"], plan["license_type"], plan["license_type_name"]) == (1, 3, "UserLicense")
    assert plan["extra_info"].startswith("set=user,web,")
    assert (plan["license_number"], plan["in_use"], plan["free"]) == (1, 1, 0)
    assert set(plan) >= {
        "module_license_id", "module_owner_id", "module_name", "module_description", "module_version", "tooltip",
        "license_type", "license_number", "allowed_assocs_mask", "extra_flags", "extra_info", "encrypted_check",
        "sort_order", "signature", "unrestricted", "hidden", "prerequisite_module", "registered",
        "registered_associate_id", "updated", "updated_associate_id", "updated_count",
    }  # fmt: skip


def test_hidden_use_is_counted_by_distinct_users(fjordlys: Town, api: APIClient) -> None:
    """C-22: Ida holds two plans with `user`, and uses it once."""
    (user,) = get(api, "licenses/", search="user", hidden="true", license_type=3)["results"]
    assert (user["module_name"], user["in_use"]) == ("user", 2)
    assert all(record["hidden"] for record in get(api, "licenses/", hidden="true")["results"])
    assert get(api, "licenses/", owner="acme")["results"] == []


def test_records_of_the_past(market: Market, fjordlys: Town, api: APIClient) -> None:
    fjordlys.buys(sales_premium=9)
    assert get(api, "licenses/", search="ten-sales-premium")["results"][0]["license_number"] == 9
    then = get(api, "licenses/", search="ten-sales-premium", at="2026-01-05T13:30:00Z")["results"][0]
    assert (then["license_number"], then["in_use"]) == (1, 0)


# ── Seats ───────────────────────────────────────────────────────────────────
def put(api: APIClient, user: str, module: str, status: int = 200, query: str = "", **body: Any) -> Any:
    headers = body.pop("headers", {})
    response = api.put(f"{HERE}users/{user}/seats/{module}/{query}", body, format="json", headers=headers)
    assert response.status_code == status, response.content
    return response.json()


def test_a_seat_is_given_swapped_and_taken(fjordlys: Town, api: APIClient) -> None:
    given = put(api, "per", "ten-sales-essentials", reason="New in the team")
    assert (given["held"], given["assigned"], given["dry_run"]) == (True, ["superoffice.ten-sales-essentials"], False)
    seat = get(api, "users/per/seats/ten-sales-essentials/")
    assert (seat["reason"], seat["change_set"]) == ("New in the team", given["change_set"])
    assert seat["assigned_by"].startswith("App ")
    swapped = put(api, "per", "ten-sales-service-premium")
    assert swapped["released"] == ["superoffice.ten-sales-essentials"]
    assert [held["module"] for held in get(api, "users/per/seats/")] == ["superoffice.ten-sales-service-premium"]
    taken = api.delete(HERE + "users/per/seats/ten-sales-service-premium/").json()
    assert (taken["held"], taken["released"]) == (False, ["superoffice.ten-sales-service-premium"])
    assert api.delete(HERE + "users/per/seats/ten-sales-service-premium/").status_code == 404


@pytest.mark.parametrize(
    ("user", "module", "code", "blocking"),
    [
        ("per", "ten-sales-premium", "no_seat_left", "superoffice.ten-sales-premium"),
        ("per", "user", "module_is_hidden", "superoffice.user"),
        ("per", "sale", "module_not_assignable", "superoffice.sale"),
        ("per", "ten-service-essentials", "module_not_in_package", "superoffice.ten-service-essentials"),
        ("per", "nebula", "missing_prerequisite", "superoffice.user"),
    ],
)
def test_a_refused_seat_names_what_is_in_the_way(
    fjordlys: Town, api: APIClient, user: str, module: str, code: str, blocking: str
) -> None:
    problem = put(api, user, module, 409)
    assert (problem["code"], problem["blocking"]["code"]) == (code, blocking)
    assert problem["next_action"]
    assert get(api, f"users/{user}/seats/") == []


def test_a_former_employee_gets_no_seat(fjordlys: Town, api: APIClient) -> None:
    edit_user(customer=fjordlys.customer, actor=SYSTEM, user=fjordlys.users["per"], is_former_employee=True)
    assert put(api, "per", "ten-sales-essentials", 409)["code"] == "user_cannot_hold_seats"


def test_a_lost_solution_is_asked_about(fjordlys: Town, api: APIClient) -> None:
    put(api, "per", "ten-sales-service-premium")
    problem = put(api, "per", "ten-service-premium", 409)
    assert (problem["code"], problem["lost_solutions"]) == ("solution_would_be_lost", ["sales"])
    both = put(api, "per", "ten-service-premium", assign=["ten-sales-essentials"])
    assert both["assigned"] == ["superoffice.ten-sales-essentials", "superoffice.ten-service-premium"]


def test_a_dry_run_changes_nothing(fjordlys: Town, api: APIClient) -> None:
    told = put(api, "per", "ten-sales-essentials", query="?dry_run=true")
    assert (told["held"], told["dry_run"], told["change_set"]) == (True, True, None)
    assert get(api, "users/per/seats/") == []


def test_the_same_key_does_it_once(fjordlys: Town, api: APIClient) -> None:
    key = {"headers": {"Idempotency-Key": "per-1"}}
    first = put(api, "per", "ten-sales-essentials", **key)
    api.delete(HERE + "users/per/seats/ten-sales-essentials/")
    assert put(api, "per", "ten-sales-essentials", **key) == first
    assert get(api, "users/per/seats/") == []


@pytest.mark.parametrize(
    "body",
    [
        '{"release": "all"}',
        '{"accept_loss": "maybe"}',
        '{"surprise": 1}',
        "[]",
        '"text"',
        "{",
        "null",
        '{"release": [7]}',
    ],
)
def test_a_bad_body_is_never_a_500(fjordlys: Town, api: APIClient, body: str) -> None:
    response = api.put(f"{HERE}users/per/seats/nothing-such/", body, content_type="application/json")
    assert response.status_code in (400, 404)
    assert response["Content-Type"] == "application/problem+json"


def test_reading_is_not_writing(fjordlys: Town) -> None:
    reader = api_with("seats:read", "entitlements:read", "customers:read")
    before = CustomerRevision.objects.get(customer=fjordlys.customer).stamp
    assert reader.put(f"{HERE}users/per/seats/ten-sales-essentials/").status_code == 403
    get(reader, "users/ola/entitlements/")
    assert CustomerRevision.objects.get(customer=fjordlys.customer).stamp - before == timedelta(0)
