"""`POST /api/v1/entitlements/check/`: many questions, one look-up. Rule H-10."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from customers.actor import SYSTEM
from licensing.facts import Mode
from licensing.models import EntitlementSet, HoldingPeriod, UserPeriod
from licensing.services.overrides import grant_override
from tests.factories.customers import api_with
from tests.licensing.market import Town, hours

CHECK = "/api/v1/entitlements/check/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_essentials=2, sales_premium=1, storage=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    town.gives("ida", "ten-sales-essentials", at=hours(3))
    return town


def check(api: APIClient, *items: Any, status: int = 200) -> Any:
    response = api.post(CHECK, {"items": list(items)}, format="json")
    assert response.status_code == status, response.content
    return response.json()["results"] if status == 200 else response.json()


def item(user: str | None, feature: str, customer: str = "fjordlys", **more: Any) -> dict[str, Any]:
    return {"customer": customer, "user": user, "feature": feature, **more}


def test_each_item_is_answered_in_its_place(fjordlys: Town, api: APIClient) -> None:
    quotes, viewed, chat, limit, whole = check(
        api,
        item("OLA", "Quotes", "Fjordlys"),
        item("ida", "quotes"),
        item("ida", "chat"),
        item("ola", "email-limit"),
        item(None, "storage"),
    )
    assert quotes == {
        "customer": "fjordlys",
        "user": "ola",
        "feature": "quotes",
        "kind": "switch",
        "access": "edit",
        "value": True,
        "allowed": True,
        "revision": fjordlys.revision(),
    }
    assert (viewed["access"], viewed["allowed"]) == ("view", False)
    assert (chat["access"], chat["value"], chat["allowed"]) == ("none", False, False)
    assert (limit["value"], limit["unlimited"], limit["allowed"]) == (500, False, True)
    assert (whole["user"], whole["value"], whole["allowed"]) == (None, 100, True)


@pytest.mark.parametrize(("needed", "allowed"), [(0, True), (500, True), (501, False)])
def test_of_a_limit_so_much_is_needed(fjordlys: Town, api: APIClient, needed: int, allowed: bool) -> None:
    (answer,) = check(api, item("ola", "email-limit", needed=needed))
    assert answer["allowed"] is allowed
    (nobody,) = check(api, item("per", "email-limit", needed=needed))
    assert nobody["allowed"] is False, "0 of what one has not is still not to be used"


def test_unlimited_is_enough_for_anything(fjordlys: Town, api: APIClient) -> None:
    grant_override(
        customer=fjordlys.customer, actor=SYSTEM, feature="email-limit", mode=Mode.SET, value="unlimited", reason="x"
    )
    (answer,) = check(api, item("ola", "email-limit", needed=10**15))
    assert (answer["value"], answer["unlimited"], answer["allowed"]) == (None, True, True)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (item("nobody", "quotes"), "not_found"),
        (item("ola", "nothing-such"), "not_found"),
        (item("ola", "quotes", "nowhere"), "not_found"),
        (item("ola", "quotes", min_revision=10**9), "revision_not_reached"),
        (item("ola", "quotes", needed=1), "invalid"),
        (item("ola", "email-limit", needed=-1), "invalid"),
        (item("ola", "email-limit", needed=True), "invalid"),
        (item("", "quotes"), "invalid"),
        (item("ola", "quotes", colour="red"), "invalid"),
        ({"customer": "fjordlys"}, "invalid"),
        (["ola"], "invalid"),
        (None, "invalid"),
    ],
)
def test_what_cant_be_answered_says_so_in_its_place(fjordlys: Town, api: APIClient, asked: Any, code: str) -> None:
    before, problem, after = check(api, item("ola", "quotes"), asked, item("ida", "sales"))
    assert (before["allowed"], after["allowed"]) == (True, True)
    assert problem["problem"]["code"] == code
    assert problem["problem"]["next_action"]
    assert "allowed" not in problem, "unknown is never a no"


def test_of_a_damaged_set_each_question_says_so_and_the_others_are_answered(fjordlys: Town, api: APIClient) -> None:
    damaged = EntitlementSet.objects.create(digest="0" * 64, body='{"features":{}}', multi_plan=False)
    holding = UserPeriod.objects.get(user=fjordlys.users["ola"], ends_at=None).holding
    HoldingPeriod.objects.filter(holding=holding, ends_at=None).update(set=damaged)
    ola, ida = check(api, item("ola", "quotes"), item("ida", "sales"))
    assert (ola["problem"]["code"], ola["problem"]["status"]) == ("entitlement_set_damaged", 503)
    assert ida["allowed"] is True


def test_a_foreign_customer_looks_like_none(fjordlys: Town) -> None:
    bound = api_with("entitlements:read", customer=Town("nordvik", people=("nina",)).customer)
    own, foreign, unknown = check(
        bound, item("nina", "sales", "nordvik"), item("ola", "sales"), item("ola", "sales", "nowhere")
    )
    assert own["access"] == "none"
    assert str(foreign).replace("fjordlys", "nowhere") == str(unknown)


@pytest.mark.parametrize(
    "body",
    [{}, [], {"items": []}, {"items": {}}, {"items": [{}] * 1001}, {"items": [{}], "more": 1}],
    ids=["nothing", "a list", "no items", "an object", "too many", "more"],
)
def test_another_body_is_refused(api: APIClient, body: Any) -> None:
    response = api.post(CHECK, body, format="json")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


def test_a_thousand_cost_three_queries(fjordlys: Town, api: APIClient) -> None:
    users, features = ("ola", "ida", "per", "nobody"), ("quotes", "storage", "chat", "email-limit", "nothing-such")
    asked = [item(users[n % 4], features[n % 5], needed=None) for n in range(1000)]
    check(api, asked[0])
    with CaptureQueriesContext(connection) as cold:
        answers = check(api, *asked)
    assert len(answers) == 1000
    # The readings of all, the sets that are not in memory yet, the features that nobody's set has.
    assert len(cold) == 3, [query["sql"] for query in cold]
    with CaptureQueriesContext(connection) as warm:
        check(api, *asked[:20])
    assert len(warm) == 2
    with CaptureQueriesContext(connection) as known:
        check(api, item("ola", "quotes"))
    assert len(known) == 1


def test_it_says_what_a_single_read_says(fjordlys: Town, api: APIClient) -> None:
    for user in ("ola", "ida", "per"):
        for feature in ("quotes", "sales", "storage", "dashboards", "email-limit"):
            single = api.get(f"/api/v1/customers/fjordlys/users/{user}/entitlements/{feature}/").json()
            (many,) = check(api, item(user, feature))
            assert single | many == single | {"allowed": many["allowed"]}
