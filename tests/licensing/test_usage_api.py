"""Usage as an integrator meets it: reported, reserved, repeated without harm. Rules L-1 to L-7."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.factories.customers import api_with
from tests.licensing.counting import open_counting_market
from tests.licensing.market import Town

HERE = "/api/v1/customers/fjordlys/"
OLAS = "users/ola/usage/"


@pytest.fixture(autouse=True)
def _keys_stay_warm(settings: Any) -> None:
    settings.API_KEY_MEMORY_SECONDS = 3600


@pytest.fixture(scope="module")
def _open_town(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Town]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield open_counting_market()
        transaction.set_rollback(True)


@pytest.fixture
def api(_open_town: Town, db: Any) -> APIClient:
    return api_with("usage:read", "usage:write")


def call(api: APIClient, method: str, path: str, body: Any = None, status: int = 200, **headers: Any) -> Any:
    sent = "" if body is None else json.dumps(body)
    response = api.generic(method, HERE + path, sent, content_type="application/json", **headers)
    assert response.status_code == status, response.content
    return response.json()


def test_put_says_how_much_post_how_much_more(api: APIClient) -> None:
    told = call(api, "PUT", f"{OLAS}projects/", {"used": 4})
    del told["as_of"]
    assert told == {
        "customer": "fjordlys",
        "user": "ola",
        "feature": "projects",
        "unit": "projects",
        "access": "edit",
        "limit": 5,
        "unlimited": False,
        "used": 4,
        "reserved": 0,
        "remaining": 1,
        "state": "normal",
        "period": None,
        "dry_run": False,
    }
    assert call(api, "POST", f"{OLAS}projects/", {"add": 1})["state"] == "reached"
    assert call(api, "GET", f"{OLAS}projects/")["used"] == 5


def test_a_repetition_with_its_key_counts_once(api: APIClient) -> None:
    for _ in range(2):
        told = call(api, "POST", f"{OLAS}mails/", {"add": 10}, HTTP_IDEMPOTENCY_KEY="mail-4711")
        assert told["used"] == 10
    assert call(api, "GET", f"{OLAS}mails/")["used"] == 10


def test_reserving_for_a_while_and_confirming(api: APIClient) -> None:
    told = call(api, "POST", f"{OLAS}projects/reserve/", {"amount": 5, "expires_in": 60}, 201)
    assert (told["reserved"], told["remaining"], told["state"]) == (5, 0, "reached")
    address = f"usage/reservations/{told['reservation']}/"

    problem = call(api, "POST", f"{OLAS}projects/reserve/", {"amount": 1}, 409)

    assert (problem["code"], problem["remaining"]) == ("limit_reached", 0)
    assert problem["would_allow"][0]["code"] == "sales-premium"
    assert call(api, "POST", f"{address}confirm/", {"used": 2})["remaining"] == 3
    assert call(api, "DELETE", address, status=409)["code"] == "reservation_over"


def test_a_dry_run_reserves_nothing(api: APIClient) -> None:
    told = call(api, "POST", f"{OLAS}projects/reserve/?dry_run=true", {"expires_in": 60})
    assert (told["reservation"], told["reserved"], told["dry_run"]) == (None, 1, True)
    assert call(api, "GET", f"{OLAS}projects/")["reserved"] == 0


def test_a_reservation_of_somebody_else_is_unknown(api: APIClient) -> None:
    held = call(api, "POST", f"{OLAS}projects/reserve/", {"expires_in": 60}, 201)["reservation"]
    Town("solvik", people=("sol",))
    response = api.delete(f"/api/v1/customers/solvik/usage/reservations/{held}/")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"{OLAS}projects/", {"used": -1}),
        ("PUT", f"{OLAS}projects/", {"used": 2**53}),
        ("PUT", f"{OLAS}projects/", {}),
        ("PUT", f"{OLAS}projects/", [1]),
        ("POST", f"{OLAS}projects/", {"add": "some"}),
        ("POST", f"{OLAS}projects/", {"add": 1, "more": 2}),
        ("POST", f"{OLAS}projects/reserve/", {"amount": 0}),
        ("POST", f"{OLAS}projects/reserve/", {"expires_in": 86_401}),
        ("GET", f"{OLAS}?featur=projects", None),
    ],
)
def test_what_is_wrong_is_named(api: APIClient, method: str, path: str, body: Any) -> None:
    problem = call(api, method, path, body, 400)
    assert problem["faults"] or problem["next_action"]


def test_lists_are_of_what_is_counted_there(api: APIClient) -> None:
    assert [row["feature"] for row in call(api, "GET", OLAS)["results"]] == ["mails", "points", "projects"]
    found = call(api, "GET", "usage/")["results"]
    assert [(row["feature"], row["period"] and row["period"]["resets"]) for row in found] == [
        ("calls", "contract_month"),
        ("storage", None),
    ]
    assert [row["feature"] for row in call(api, "GET", "usage/?search=stor")["results"]] == ["storage"]


def test_a_list_takes_the_same_queries_however_many_limits_there_are(api: APIClient) -> None:
    """The customer, the user, the limits, the entitlement, their counters, what is reserved."""
    call(api, "POST", f"{OLAS}projects/reserve/", {"expires_in": 60}, 201)
    with CaptureQueriesContext(
        connection,
    ) as all_of_them:
        call(api, "GET", OLAS)
    with CaptureQueriesContext(connection) as one:
        call(api, "GET", f"{OLAS}?feature=projects")
    assert len(all_of_them) == len(one) == 6
