"""OpenFeature's protocol on the wire: flags, errors in its own words, tags. Rules A-1 to A-4."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.settings import api_settings
from rest_framework.test import APIClient

from licensing.facts import Mode
from tests.factories.customers import (
    AccountFactory,
    MembershipFactory,
    api_as,
    api_with,
)
from tests.licensing.market import Town, hours
from tests.licensing.test_periods import override

FLAGS = "/ofrep/v1/evaluate/flags"
OLA = {"targetingKey": "ola", "customer": "fjordlys"}


@pytest.fixture(autouse=True)
def _keys_stay_warm(settings: Any) -> None:
    settings.API_KEY_MEMORY_SECONDS = 3600


@pytest.fixture
def held(town: Town) -> Town:
    """Ola holds Sales Essentials, Ida nothing."""
    town.buys(sales_essentials=2, storage=2, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2))
    return town


@pytest.fixture
def api(held: Town) -> APIClient:
    return api_with("entitlements:read")


def ask(api: APIClient, key: str = "", context: Any = OLA, status: int = 200, **headers: Any) -> Any:
    address = f"{FLAGS}/{key}" if key else FLAGS
    response = api.post(address, {"context": context}, format="json", **headers)
    assert response.status_code == status, response.content
    return response if status == 304 else response.json()


class TestOneFlag:
    def test_what_is_held_and_what_is_not(self, held: Town, api: APIClient) -> None:
        flag = ask(api, "sales")
        assert flag == {
            "key": "sales",
            "value": True,
            "reason": "TARGETING_MATCH",
            "variant": "on",
            "metadata": {"plan": "sales-essentials", "revision": held.revision(), "access": "edit"},
        }
        assert ask(api, "quotes")["value"] is False
        assert ask(api, "SALES")["key"] == "sales"

    def test_a_limit_and_a_level(self, api: APIClient) -> None:
        assert ask(api, "email-limit")["value"] == 500
        assert ask(api, "storage")["metadata"]["unlimited"] is False
        assert ask(api, "dashboards", context=OLA | {"targetingKey": "ida"})["value"] == "none"

    def test_an_unknown_flag(self, api: APIClient) -> None:
        assert ask(api, "teleport", status=404) == {
            "key": "teleport",
            "errorCode": "FLAG_NOT_FOUND",
            "errorDetails": "There is no feature 'teleport'.",
        }

    @pytest.mark.parametrize("key", ["a/b", "a%2Fb", "sales/", "x" * 600, "a%00b", "a%0Ab", "%C3%A5"])
    def test_whatever_a_flag_is_called(self, api: APIClient, key: str) -> None:
        told = ask(api, key, status=404)
        assert (told["key"], told["errorCode"]) == (unquote(key), "FLAG_NOT_FOUND")

    def test_a_limit_beyond_what_an_sdk_can_hold(self, held: Town, api: APIClient) -> None:
        override(held, Mode.SET, feature="email-limit", value=2**40, at=hours(3))
        flag = ask(api, "email-limit")
        assert (flag["value"], flag["variant"]) == (2147483647, str(2**40))
        assert flag["metadata"]["unlimited"] is False
        assert flag["metadata"]["limit"] == 2**40

    def test_a_warm_evaluation_is_one_look_up(self, api: APIClient) -> None:
        ask(api, "sales")
        with CaptureQueriesContext(connection) as queries:
            ask(api, "sales")
        assert len(queries) == 1


class TestWhoIsAskedAbout:
    @pytest.mark.parametrize(
        "context",
        [
            {"targetingKey": "ola"},
            {"targetingKey": "ola", "customer": "nowhere"},
            {"targetingKey": "ola", "customer": 7},
            {"targetingKey": ["ola"], "customer": "fjordlys"},
            {"targetingKey": "nobody", "customer": "fjordlys"},
            {"targetingKey": "ola" * 400, "customer": "fjordlys"},
            ["ola"],
        ],
    )
    @pytest.mark.parametrize("key", ["", "sales", "teleport"])
    def test_whatever_is_wrong_with_it_is_told_in_one_code(self, api: APIClient, context: Any, key: str) -> None:
        assert ask(api, key, context, 400)["errorCode"] == "INVALID_CONTEXT"

    def test_missing_unknown_and_foreign_are_told_apart_by_nothing(self, held: Town) -> None:
        bound = api_with("entitlements:read", customer=held.customer)
        Town("solvik", people=("sol",))
        contexts = [
            {"targetingKey": "sol", "customer": "solvik"},
            {"targetingKey": "sol", "customer": "nowhere"},
            {"targetingKey": "nobody"},
        ]
        assert len({json.dumps(ask(bound, "sales", context, 400)) for context in contexts}) == 1

    def test_a_bound_key_names_no_customer(self, held: Town) -> None:
        bound = api_with("entitlements:read", customer=held.customer)
        assert ask(bound, "sales", {"targetingKey": "ola"})["value"] is True
        assert len(ask(bound, "", {"targetingKey": "ola"})["flags"]) > 3

    @pytest.mark.parametrize("context", [{}, None, {"targetingKey": ""}, {"customer": "fjordlys"}])
    def test_without_a_targeting_key(self, api: APIClient, context: Any) -> None:
        assert ask(api, "sales", context, 400)["errorCode"] == "TARGETING_KEY_MISSING"

    @pytest.mark.parametrize("body", ["{", "[]", "7", '{"context": NaN}'])
    def test_what_can_not_be_read(self, api: APIClient, body: str) -> None:
        for address, key in ((FLAGS, None), (f"{FLAGS}/sales", "sales")):
            response = api.generic("POST", address, body, content_type="application/json")
            assert (response.status_code, response.json()["errorCode"]) == (400, "PARSE_ERROR")
            assert response.json().get("key") == key

    def test_keys_come_in_either_header_and_a_bad_one_is_refused(self, held: Town) -> None:
        client = api_with("entitlements:read")
        token = client._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
        plain = APIClient()
        assert ask(plain, "sales", HTTP_X_API_KEY=token)["value"] is True
        assert ask(plain, "sales", status=401, HTTP_X_API_KEY=f"{token}x")["errorCode"] == "GENERAL"
        assert ask(plain, "sales", status=401)["errorDetails"]
        assert ask(api_with("catalog:read"), "sales", status=403)["errorCode"] == "GENERAL"


class TestAllFlags:
    def test_every_known_feature_is_a_flag(self, held: Town, api: APIClient) -> None:
        flags = {flag["key"]: flag for flag in ask(api)["flags"]}
        assert flags["sales"] == ask(api, "sales")
        assert flags["quotes"] == ask(api, "quotes")
        assert {"dashboards", "email-limit", "storage"} <= flags.keys()

    def test_unchanged_is_304_and_the_tag_covers_the_context(self, held: Town, api: APIClient) -> None:
        tag = api.post(FLAGS, {"context": OLA}, format="json")["ETag"]
        assert ask(api, status=304, HTTP_IF_NONE_MATCH=tag)["ETag"] == tag
        assert ask(api, context=OLA | {"country": "no"}, HTTP_IF_NONE_MATCH=tag)["flags"]

        held.takes("ola", "ten-sales-essentials", at=hours(3))

        assert ask(api, HTTP_IF_NONE_MATCH=tag)["flags"]

    def test_it_takes_the_look_up_and_the_list_of_features(self, api: APIClient) -> None:
        ask(api)
        with CaptureQueriesContext(connection) as queries:
            ask(api)
        assert len(queries) == 2


def test_who_calls_too_often_is_told_when_to_come_again(api: APIClient, settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(api_settings.DEFAULT_THROTTLE_RATES, "caller", "1/min")
    ask(api, "sales")
    response = api.post(f"{FLAGS}/sales", {"context": OLA}, format="json")
    assert response.status_code == 429
    assert 1 <= int(response["Retry-After"]) <= 60


def test_a_signed_in_member_of_one_customer_names_none(held: Town) -> None:
    account = AccountFactory()
    MembershipFactory(customer=held.customer, account=account, role="viewer")
    assert ask(api_as(account), "sales", {"targetingKey": "ola"})["value"] is True
