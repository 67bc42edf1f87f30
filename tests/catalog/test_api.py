"""`/api/v1/catalog/`: what is published, and nothing that is still being drafted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from catalog.services import publishing
from customers.actor import SYSTEM
from tests.factories.catalog import (
    NOON,
    AddOnFactory,
    FeatureFactory,
    LimitFactory,
    ModuleFactory,
    OwnerFactory,
    PlanFactory,
    Shop,
    SiteModuleFactory,
    SolutionFactory,
    draft,
    published,
)
from tests.factories.customers import api_with

pytestmark = pytest.mark.django_db

ROOT = "/api/v1/catalog"
LISTS = ("solutions", "features", "modules", "plans", "add-ons")


@pytest.fixture(scope="module")
def _open_shop(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Shop]:
    """Publishes the shop once per module, in a transaction that each test's own is nested in."""
    with django_db_blocker.unblock(), transaction.atomic():
        shop = Shop()
        FeatureFactory(code="chat", site_module=SiteModuleFactory(name="chat-site", sort_order=40))
        chat = AddOnFactory(code="chat-pack", module=SiteModuleFactory(name="cep", sort_order=41))
        shop.publish(chat, grants={"chat": True}, needs=("service-essentials",), max_quantity=1)
        yield shop
        transaction.set_rollback(True)


@pytest.fixture
def shop(_open_shop: Shop, db: Any) -> Shop:
    """The shop with one site-wide add-on, chat, whose feature no plan gives."""
    return _open_shop


@pytest.fixture
def reader(db: Any) -> APIClient:
    return api_with("catalog:read")


def codes(http: APIClient, address: str) -> list[str]:
    answer = http.get(f"{ROOT}/{address}")
    assert answer.status_code == 200, answer.content
    return [row["code"] for row in answer.json()["results"]]


def one(http: APIClient, address: str) -> Any:
    answer = http.get(f"{ROOT}/{address}")
    assert answer.status_code == 200, answer.content
    return answer.json()


# ── Plans ───────────────────────────────────────────────────────────────────
def test_a_plan_in_a_list(shop: Shop, reader: APIClient) -> None:
    rows = one(reader, "plans/")["results"]
    assert [row["code"] for row in rows] == ["common", "sales-essentials", "sales-premium", "service-essentials"]
    assert rows[2] == {
        "code": "sales-premium",
        "name": "Sales Premium",
        "description": "",
        "solutions": ["sales"],
        "tier": "premium",
        "tier_name": "Premium",
        "module": "superoffice.ten-sales-premium",
        "for_sale": True,
        "version": 1,
        "effective_from": "2026-01-05T12:00:00Z",
        "changelog": "What is new.",
    }


def test_a_plan_in_full_has_every_feature_once(shop: Shop, reader: APIClient) -> None:
    plan = one(reader, "plans/sales-premium/")
    features = {feature["code"]: feature for feature in plan["features"]}
    assert list(features) == ["dashboards", "email-limit", "sales", "quotes"]
    assert len(plan["features"]) == len(features)
    assert features["email-limit"] == {
        "code": "email-limit",
        "name": "Email limit",
        "description": "",
        "group": "email",
        "group_name": "Email",
        "kind": "limit",
        "rule": "max",
        "unit": "recipients",
        "counts": "call",
        "value": 500,
        "unlimited": False,
        "choices": [],
        "modules": [],
        "read_only_without_seat": True,
        "origin": "common",
        "origin_version": 1,
    }
    assert (features["quotes"]["value"], features["quotes"]["origin_version"]) == (True, None)
    assert features["quotes"]["modules"] == ["superoffice.quote", "superoffice.quote-cal"]


def test_a_level_names_the_modules_it_has_reached(shop: Shop, reader: APIClient) -> None:
    premium, essentials = one(reader, "plans/sales-premium/"), one(reader, "plans/sales-essentials/")
    assert premium["features"][0]["value"] == "custom-tiles"
    assert premium["features"][0]["modules"] == ["superoffice.dash", "superoffice.dash-cal"]
    assert essentials["features"][0]["value"] == "default-tiles"
    assert essentials["features"][0]["modules"] == ["superoffice.dash"]
    assert [choice["code"] for choice in essentials["features"][0]["choices"]] == [
        "default-charts",
        "default-tiles",
        "custom-tiles",
    ]


def test_a_plan_in_full_ships_its_modules(shop: Shop, reader: APIClient) -> None:
    plan = one(reader, "plans/sales-premium/")
    assert plan["set"] == ["user", "web", "dash-cal", "sale-cal", "quote-cal", "t2"]
    modules = {module["code"]: module for module in plan["modules"]}
    assert modules["superoffice.web"] == {
        "code": "superoffice.web",
        "type": "user",
        "description": "Web",
        "tooltip": "",
        "hidden": True,
        "unrestricted": False,
        "prerequisite": "superoffice.user",
        "role": "extra",
    }
    assert {name: module["role"] for name, module in modules.items() if module["role"] in {"own", "marker"}} == {
        "superoffice.ten-sales-premium": "own",
        "superoffice.t2": "marker",
        "superoffice.sales-t2": "marker",
    }
    assert {module["type"] for module in plan["modules"]} == {"site", "user"}
    assert plan["includes"] == [{"code": "sales-essentials", "version": 1}]
    assert plan["rules"] == {"needs": [], "excludes": []}


def test_an_unlimited_value_is_null_beside_a_boolean(shop: Shop, reader: APIClient) -> None:
    LimitFactory(code="storage")
    published(PlanFactory(code="boundless"), grants={"storage": "unlimited"})
    (feature,) = one(reader, "plans/boundless/")["features"]
    assert (feature["value"], feature["unlimited"]) == (None, True)


def test_an_add_on_in_full(shop: Shop, reader: APIClient) -> None:
    add_on = one(reader, "add-ons/chat-pack/")
    assert (add_on["scope"], add_on["max_quantity"], add_on["tier"]) == ("site", 1, None)
    assert add_on["rules"] == {"needs": ["service-essentials"], "excludes": []}
    assert [feature["code"] for feature in add_on["features"]] == ["chat"]
    assert codes(reader, "add-ons/") == ["chat-pack"]


# ── Only what is published ──────────────────────────────────────────────────
def test_a_draft_shows_nowhere(shop: Shop, reader: APIClient) -> None:
    FeatureFactory(code="secret", site_module=SiteModuleFactory(name="secret-site"))
    SolutionFactory(code="marketing")
    draft(PlanFactory(code="marketing-essentials", solutions=("marketing",)), grants={"secret": True})
    draft(shop.sales_premium, changelog="To come.", grants={"secret": True}, includes=("sales-essentials",))

    assert "marketing-essentials" not in codes(reader, "plans/")
    assert "marketing" not in codes(reader, "solutions/")
    assert "secret" not in codes(reader, "features/")
    assert "superoffice.secret-site" not in codes(reader, "modules/")
    assert one(reader, "plans/sales-premium/")["changelog"] == "What is new."
    for address in ("plans/marketing-essentials", "solutions/marketing", "features/secret", "modules/secret-site"):
        assert reader.get(f"{ROOT}/{address}/").status_code == 404


def test_a_scheduled_version_shows_from_its_day_on(shop: Shop, reader: APIClient) -> None:
    spring = NOON + timedelta(days=90)
    grants = {"quotes": True, "requests": True}
    published(shop.sales_premium, grants=grants, includes=("sales-essentials",), effective_from=spring)
    with time_machine.travel(spring - timedelta(seconds=1), tick=False):
        assert one(reader, "plans/sales-premium/")["version"] == 1
    with time_machine.travel(spring, tick=False):
        plan = one(reader, "plans/sales-premium/")
    assert plan["version"] == 2
    assert "requests" in [feature["code"] for feature in plan["features"]]


def test_a_retired_plan_is_off_the_list_and_its_features_stay_known(shop: Shop, reader: APIClient) -> None:
    version = shop.service_essentials.versions.get()
    publishing.retire(version=version, actor=SYSTEM, at=NOON)
    assert "service-essentials" not in codes(reader, "plans/")
    assert reader.get(f"{ROOT}/plans/service-essentials/").status_code == 404
    assert "requests" in codes(reader, "features/")
    assert "superoffice.request-cal" in codes(reader, "modules/")


def test_an_edited_row_does_not_change_what_was_published(shop: Shop, reader: APIClient) -> None:
    type(shop.sales_premium).objects.filter(code="sales-premium").update(name="Renamed since")
    assert one(reader, "plans/sales-premium/")["name"] == "Sales Premium"


# ── Solutions, features, modules ────────────────────────────────────────────
def test_a_solution_names_its_plans(shop: Shop, reader: APIClient) -> None:
    assert one(reader, "solutions/sales/") == {
        "code": "sales",
        "name": "Sales",
        "description": "",
        "plans": [
            {"code": "sales-essentials", "name": "Sales Essentials", "tier": "essentials"},
            {"code": "sales-premium", "name": "Sales Premium", "tier": "premium"},
        ],
    }
    assert codes(reader, "solutions/") == ["sales", "service"]


def test_a_feature_tells_what_gives_it(shop: Shop, reader: APIClient) -> None:
    feature = one(reader, "features/sales/")
    assert feature["plans"] == ["sales-essentials", "sales-premium"]
    assert feature["add_ons"] == []
    assert (feature["site_module"], feature["user_module"]) == ("superoffice.sale", "superoffice.sale-cal")
    assert one(reader, "features/chat/")["add_ons"] == ["chat-pack"]


def test_a_level_lists_its_choices_lowest_first(shop: Shop, reader: APIClient) -> None:
    choices = one(reader, "features/dashboards/")["choices"]
    assert [choice["code"] for choice in choices] == ["default-charts", "default-tiles", "custom-tiles"]
    assert [choice["user_module"] for choice in choices] == [None, None, "superoffice.dash-cal"]


@pytest.mark.parametrize("spelling", ["sale-cal", "superoffice.sale-cal", "SUPEROFFICE.sale-cal", "SALE-CAL"])
def test_a_module_is_found_by_either_name(shop: Shop, reader: APIClient, spelling: str) -> None:
    module = one(reader, f"modules/{spelling}/")
    assert (module["code"], module["owner"], module["name"]) == ("superoffice.sale-cal", "SUPEROFFICE", "sale-cal")
    assert (module["type"], module["hidden"], module["prerequisite"]) == ("user", True, None)
    assert (module["features"], module["plans"]) == (["sales"], ["sales-essentials", "sales-premium"])


def test_a_module_named_by_a_choice_belongs_to_the_feature(shop: Shop, reader: APIClient) -> None:
    assert one(reader, "modules/dash-cal/")["features"] == ["dashboards"]


def test_a_bare_name_is_the_own_owners(shop: Shop, reader: APIClient) -> None:
    ModuleFactory(owner=OwnerFactory(code="PARTNER"), name="sale-cal")
    assert one(reader, "modules/sale-cal/")["owner"] == "SUPEROFFICE"
    assert reader.get(f"{ROOT}/modules/partner.sale-cal/").status_code == 404


@pytest.mark.parametrize(
    ("address", "kind"),
    [("solutions", "solution"), ("features", "feature"), ("modules", "module"), ("plans", "plan")],
)
def test_what_is_unknown_is_404_and_named(shop: Shop, reader: APIClient, address: str, kind: str) -> None:
    answer = reader.get(f"{ROOT}/{address}/nothing-like-it/")
    assert (answer.status_code, answer.json()["blocking"]) == (404, {"kind": kind, "code": "nothing-like-it"})


def test_a_plan_is_no_add_on(shop: Shop, reader: APIClient) -> None:
    assert reader.get(f"{ROOT}/add-ons/sales-premium/").status_code == 404
    assert reader.get(f"{ROOT}/plans/chat-pack/").status_code == 404


# ── Filters ─────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("plans/?solution=service", ["service-essentials"]),
        ("plans/?tier=essentials", ["sales-essentials", "service-essentials"]),
        ("plans/?feature=quotes", ["sales-premium"]),
        ("plans/?solution=sales&tier=premium", ["sales-premium"]),
        ("plans/?for_sale=false", ["common"]),
        ("plans/?search=PREM", ["sales-premium"]),
        ("plans/?search=%25", []),
        ("add-ons/?scope=site", ["chat-pack"]),
        ("add-ons/?scope=user", []),
        ("add-ons/?feature=chat", ["chat-pack"]),
        ("features/?kind=limit", ["email-limit"]),
        ("features/?kind=level", ["dashboards"]),
        ("features/?solution=service", ["dashboards", "email-limit", "requests"]),
        ("features/?tier=premium", ["dashboards", "email-limit", "quotes", "sales"]),
        ("features/?group=work", ["quotes", "requests", "sales"]),
        ("features/?search=quo", ["quotes"]),
        ("modules/?feature=dashboards", ["superoffice.dash", "superoffice.dash-cal"]),
        ("modules/?owner=partner", []),
        ("modules/?type=site&search=quote", ["superoffice.quote"]),
        ("modules/?hidden=false&type=user&search=ten-sales-p", ["superoffice.ten-sales-premium"]),
        ("solutions/?search=serv", ["service"]),
    ],
)
def test_filters(shop: Shop, reader: APIClient, address: str, expected: list[str]) -> None:
    assert codes(reader, address) == expected


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("plans/?solution=cooking", "solution"),
        ("plans/?tier=gold", "tier"),
        ("plans/?feature=teleport", "feature"),
        ("plans/?for_sale=perhaps", "for_sale"),
        ("add-ons/?scope=galaxy", "scope"),
        ("features/?kind=wish", "kind"),
        ("features/?solution=1", "solution"),
        ("modules/?type=3", "type"),
        ("solutions/?tier=premium", "tier"),
        ("plans/?search=%00", "search"),
    ],
)
def test_a_wrong_filter_is_400_and_named(shop: Shop, reader: APIClient, address: str, named: str) -> None:
    answer = reader.get(f"{ROOT}/{address}")
    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.json()["faults"]] == [named]


# ── Queries ─────────────────────────────────────────────────────────────────
EXPECTED_QUERIES = {
    "solutions": ["the live plans", "the page of solutions"],
    "features": ["the page of features with groups and modules", "their choices with modules"],
    "modules": ["the names that frozen versions ship", "the page of modules"],
    "plans": ["the page of live versions with their offers"],
    "add-ons": ["the page of live versions with their offers"],
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_however_long(
    shop: Shop, reader: APIClient, name: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    before = len(codes(reader, f"{name}/"))
    for number in range(4):
        SolutionFactory(code=f"solution-{number}")
        FeatureFactory(code=f"more-{number}", site_module=SiteModuleFactory(name=f"more-{number}"))
        published(PlanFactory(code=f"p-{number}", solutions=(f"solution-{number}",)), grants={f"more-{number}": True})
        published(AddOnFactory(code=f"a-{number}"), grants={f"more-{number}": True})
    with django_assert_num_queries(len(EXPECTED_QUERIES[name])):
        assert len(codes(reader, f"{name}/?limit=200")) >= before + 4


@pytest.mark.parametrize(
    ("address", "queries"),
    [
        ("solutions/sales", ["the live plans", "the solution"]),
        ("features/dashboards", ["the feature", "its choices", "what gives it"]),
        ("modules/dash-cal", ["the names shipped", "the module", "what ships it", "what names it"]),
        ("plans/sales-premium", ["the live version"]),
        ("add-ons/chat-pack", ["the live version"]),
    ],
)
def test_a_detail_costs_little(
    shop: Shop,
    reader: APIClient,
    address: str,
    queries: list[str],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    reader.get(f"{ROOT}/plans/")
    with django_assert_num_queries(len(queries)):
        one(reader, f"{address}/")


def test_pages(shop: Shop, reader: APIClient) -> None:
    everything = codes(reader, "modules/?limit=200")
    seen: list[str] = []
    address: str | None = "modules/?limit=7"
    while address:
        page = one(reader, address)
        seen += [row["code"] for row in page["results"]]
        address = page["next"].partition("/catalog/")[2] if page["next"] else None
    assert seen == everything == sorted(everything)
