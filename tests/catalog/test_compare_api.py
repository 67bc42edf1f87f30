"""`GET /api/v1/catalog/compare/`: plans side by side, as data that can be kept. Rule T-9."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from catalog.services import publishing
from customers.actor import SYSTEM
from tests.factories.catalog import NOON, AddOnFactory, Shop, SiteModuleFactory
from tests.factories.customers import api_with

COMPARE = "/api/v1/catalog/compare/"


@pytest.fixture
def reader(shop: Shop) -> APIClient:
    return api_with("catalog:read")


def compared(http: APIClient, **asked: str) -> Any:
    answer = http.get(COMPARE, asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def values(body: Any) -> dict[str, dict[str, Any]]:
    """Returns, by feature, what each plan gives: the value, or None."""
    return {
        feature["code"]: {name: held and held["value"] for name, held in feature["values"].items()}
        for group in body["groups"]
        for feature in group["features"]
    }


def test_plans_stand_side_by_side_in_the_order_asked_for(reader: APIClient) -> None:
    body = compared(reader, plans="sales-premium,sales-essentials")
    assert [plan["ref"] for plan in body["plans"]] == ["sales-premium", "sales-essentials"]
    assert body["plans"][0] == {
        "ref": "sales-premium",
        "code": "sales-premium",
        "name": "Sales Premium",
        "description": "",
        "solutions": ["sales"],
        "tier": "premium",
        "tier_name": "Premium",
        "version": 1,
        "effective_from": "2026-01-05T12:00:00Z",
        "changelog": "What is new.",
    }
    assert [group["code"] for group in body["groups"]] == ["reporting", "email", "work"]
    dashboards = body["groups"][0]["features"][0]
    assert dashboards == {
        "code": "dashboards",
        "name": "Dashboards",
        "description": "",
        "kind": "level",
        "counts": "",
        "differs": True,
        "values": {
            "sales-premium": {"value": "custom-tiles", "unlimited": False, "text": "Custom tiles"},
            "sales-essentials": {"value": "default-tiles", "unlimited": False, "text": "Default tiles"},
        },
    }
    assert values(body)["quotes"] == {"sales-premium": True, "sales-essentials": None}


def test_without_names_all_plans_for_sale_are_compared(reader: APIClient) -> None:
    refs = [plan["ref"] for plan in compared(reader)["plans"]]
    assert sorted(refs) == ["sales-essentials", "sales-premium", "service-essentials"]  # the common set is not for sale
    assert [plan["ref"] for plan in compared(reader, solution="service")["plans"]] == ["service-essentials"]
    assert compared(reader, solution="service", plans="sales-premium")["plans"] == []


def test_versions_of_one_plan_are_compared_by_number(shop: Shop, reader: APIClient) -> None:
    """The second version is live, the first retired; both can be named, and a repetition counts once."""
    first = shop.sales_premium.versions.get()
    shop.publish(shop.sales_premium, grants={"email-limit": "unlimited"}, includes=("sales-essentials",))
    publishing.retire(version=first, actor=SYSTEM, at=NOON)
    body = compared(reader, plans="sales-premium,SALES-PREMIUM@1, sales-premium@2,sales-premium")
    assert [(plan["ref"], plan["version"]) for plan in body["plans"]] == [
        ("sales-premium", 2),
        ("sales-premium@1", 1),
        ("sales-premium@2", 2),
    ]
    limit = next(f for group in body["groups"] for f in group["features"] if f["code"] == "email-limit")
    assert limit["values"]["sales-premium"] == {"value": None, "unlimited": True, "text": "Unlimited recipients"}
    assert limit["values"]["sales-premium@1"]["value"] == 500


def test_differences_alone(reader: APIClient) -> None:
    everything = compared(reader, plans="sales-premium,sales-essentials")
    body = compared(reader, plans="sales-premium,sales-essentials", differences="true")
    assert list(values(body)) == ["dashboards", "quotes"]
    assert body["hidden"] == len(values(everything)) - 2
    assert compared(reader, plans="sales-premium", differences="true")["hidden"] == 0


def test_another_day_has_another_live_version(shop: Shop, reader: APIClient) -> None:
    later = NOON + timedelta(days=30)
    shop.publish(shop.sales_premium, grants={"sales": True}, at=later)
    with time_machine.travel(later + timedelta(days=1)):
        assert compared(reader, plans="sales-premium")["plans"][0]["version"] == 2
        then = compared(reader, plans="sales-premium", at="2026-01-06T00:00:00Z")
    assert (then["at"], then["plans"][0]["version"]) == ("2026-01-06T00:00:00Z", 1)


def test_drafts_are_never_told(shop: Shop, reader: APIClient) -> None:
    shop.draft(shop.sales_premium, grants={"requests": True})
    assert "requests" not in values(compared(reader, plans="sales-premium"))
    assert reader.get(COMPARE, {"plans": "sales-premium@2"}).status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({"plans": "sales-premium,atlantis"}, 404, "There is no published plan 'atlantis' here."),
        ({"plans": "sales-premium@7"}, 404, "There is no published version 'sales-premium@7' here."),
        ({"plans": "chat-pack"}, 404, "'chat-pack'"),  # an add-on
        ({"plans": "sales-premium", "at": "2025-01-01T00:00:00Z"}, 404, "There is no published plan 'sales-premium'"),
        ({"plans": ""}, 400, "Codes like sales-premium"),
        ({"plans": "sales-premium,,sales-essentials"}, 400, "Codes like sales-premium"),
        ({"plans": "sales-premium@0"}, 400, "not 'sales-premium@0'"),
        ({"plans": "sales-premium@latest"}, 400, "not 'sales-premium@latest'"),
        ({"plans": ",".join(f"plan-{n}" for n in range(51))}, 400, "At most 50"),
        ({"at": "yesterday"}, 400, "An instant with its offset"),
        ({"differences": "perhaps"}, 400, "true or false"),
        ({"solution": "juggling"}, 400, "There is no solution 'juggling'."),
        ({"plan": "sales-premium"}, 400, "Wrong query parameters: 'plan'."),
    ],
)
def test_what_cannot_be_answered_is_a_problem(
    shop: Shop, reader: APIClient, asked: dict[str, str], status: int, told: str
) -> None:
    shop.publish(AddOnFactory(code="chat-pack", module=SiteModuleFactory(name="cep")), grants={"sales": True})
    answer = reader.get(COMPARE, asked)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert told in answer.json()["detail"]
    assert "ETag" not in answer


def test_an_answer_can_be_kept_until_what_it_says_changes(shop: Shop, reader: APIClient) -> None:
    asked = {"plans": "sales-premium,sales-essentials"}
    first = reader.get(COMPARE, asked)
    assert first["Cache-Control"] == "private, max-age=60"
    again = reader.get(COMPARE, asked, headers={"If-None-Match": f'"other", {first["ETag"]}'})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert again["Cache-Control"] == first["Cache-Control"]
    assert reader.get(COMPARE, {**asked, "differences": "true"})["ETag"] != first["ETag"]
    shop.publish(shop.sales_premium, grants={"sales": True})
    changed = reader.get(COMPARE, asked, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_named_versions_never_change_and_are_kept_for_long(shop: Shop, reader: APIClient) -> None:
    asked = {"plans": "sales-premium@1,sales-essentials@1"}
    first = reader.get(COMPARE, asked)
    assert first["Cache-Control"] == "private, max-age=86400"
    shop.publish(shop.sales_premium, grants={"sales": True})
    assert reader.get(COMPARE, asked, headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_it_costs_a_look_up_and_the_contents_however_many_plans(
    shop: Shop, reader: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    reader.get(COMPARE)  # the key is looked up once, and its use noted
    for asked in ({"plans": "sales-premium"}, {"plans": "sales-premium@1,sales-essentials,service-essentials@1"}, {}):
        with django_assert_num_queries(2):  # 1 which versions, 2 their contents
            tag = reader.get(COMPARE, asked)["ETag"]
        with django_assert_num_queries(1):  # which versions
            assert reader.get(COMPARE, asked, headers={"If-None-Match": tag}).status_code == 304
