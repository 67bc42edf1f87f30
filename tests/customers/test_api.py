"""`/api/v1/customers/`: pages of what the caller may see, and every call's way in."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customers.models import Account, Customer
from customers.throttling import PerCallerThrottle, parse_rate
from tests.factories.customers import CustomerFactory, api_as, api_with

pytestmark = pytest.mark.django_db

LIST = "/api/v1/customers/"


def codes(http: APIClient, address: str = LIST) -> list[str]:
    return [row["code"] for row in http.get(address).json()["results"]]


def faults(http: APIClient, query: str) -> list[str]:
    answer = http.get(f"{LIST}?{query}")
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] == "invalid"
    return [fault["field"] for fault in answer.json()["faults"]]


# ── What is shown to whom ───────────────────────────────────────────────────
def test_a_customer_names_itself_and_what_else_to_ask(api: APIClient, fjordlys: Customer) -> None:
    answer = api.get("/api/v1/customers/fjordlys/")
    assert answer.status_code == 200
    assert answer.json() == {
        "code": "fjordlys",
        "name": "Fjordlys AS",
        "serial_number": "1010000014",
        "created_at": "2026-01-05T12:00:00Z",
        "links": {
            "self": "/api/v1/customers/fjordlys/",
            "users": "/api/v1/customers/fjordlys/users/",
            "licenses": "/api/v1/customers/fjordlys/licenses/",
            "entitlements": "/api/v1/customers/fjordlys/entitlements/",
        },
    }


def test_an_unbound_key_and_staff_see_all(api: APIClient, aud: Account, fjordlys: Customer, nordvik: Customer) -> None:
    assert codes(api) == codes(api_as(aud)) == ["fjordlys", "nordvik"]


def test_a_bound_key_and_a_member_see_their_own(kari: Account, fjordlys: Customer, nordvik: Customer) -> None:
    assert codes(api_with(customer=fjordlys)) == codes(api_as(kari)) == ["fjordlys"]


def test_an_unknown_customer_is_404_and_named(api: APIClient) -> None:
    answer = api.get("/api/v1/customers/nowhere/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["blocking"] == {"kind": "customer", "code": "nowhere"}


def test_search(api: APIClient, fjordlys: Customer, nordvik: Customer) -> None:
    assert codes(api, f"{LIST}?search=HANDEL") == ["nordvik"]
    assert codes(api, f"{LIST}?search=1010000014") == ["fjordlys"]
    assert codes(api, f"{LIST}?search=%25") == []


def test_one_query_however_many_customers(api: APIClient, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    CustomerFactory.create_batch(3)
    api.get(LIST)
    CustomerFactory.create_batch(30)
    with django_assert_num_queries(1):  # the page of customers
        assert len(codes(api)) == 33


# ── Pages ───────────────────────────────────────────────────────────────────
def test_pages_follow_one_another_there_and_back(api: APIClient) -> None:
    CustomerFactory.create_batch(120)
    everybody = sorted(Customer.objects.values_list("code", flat=True))
    page = api.get(LIST).json()
    assert page["previous"] is None
    seen = [row["code"] for row in page["results"]]
    assert len(seen) == 50
    while page["next"]:
        page = api.get(page["next"]).json()
        seen += [row["code"] for row in page["results"]]
    assert seen == everybody
    assert codes(api, page["previous"]) == everybody[50:100]


def test_limit_is_kept_on_the_way(api: APIClient) -> None:
    CustomerFactory.create_batch(5)
    page = api.get(f"{LIST}?limit=2&search=customer").json()
    assert len(page["results"]) == 2
    assert "limit=2" in page["next"]
    assert "search=customer" in page["next"]


def test_200_is_the_largest_page(api: APIClient) -> None:
    CustomerFactory.create_batch(201)
    assert len(codes(api, f"{LIST}?limit=200")) == 200


# ── Wrong parameters are refused by name, never ignored ─────────────────────
@pytest.mark.parametrize("limit", ["0", "-1", "201", "many", "", "1.5", "9" * 400, "٣", "%00"])
def test_a_wrong_limit(api: APIClient, limit: str) -> None:
    assert faults(api, f"limit={limit}") == ["limit"]


@pytest.mark.parametrize("cursor", ["x", "%00", "ø", "cD0lMDA%3D", "9" * 5000])
def test_a_wrong_cursor(api: APIClient, cursor: str) -> None:
    assert faults(api, f"cursor={cursor}") == ["cursor"]


def test_a_cursor_past_the_end_is_an_empty_page(api: APIClient, fjordlys: Customer) -> None:
    assert codes(api, f"{LIST}?cursor=bz0xMDAwMDAwMDAwMA%3D%3D") == []


def test_unknown_parameters_are_all_named(api: APIClient) -> None:
    assert faults(api, "serach=x&colour=red&limit=5") == ["serach", "colour"]


def test_a_parameter_given_twice(api: APIClient) -> None:
    assert faults(api, "search=a&search=b") == ["search"]


def test_nul_in_a_parameter(api: APIClient) -> None:
    assert faults(api, "search=a%00b") == ["search"]


# ── Throttle ────────────────────────────────────────────────────────────────
@pytest.fixture
def two_a_minute(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {"caller": "2/min"}}

    class Clock:
        now = 1_000_000_020.0  # a minute's beginning

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(PerCallerThrottle, "clock", staticmethod(clock))
    return clock


def test_too_many_calls_wait_for_the_next_minute(two_a_minute: Any) -> None:
    http = api_with()
    assert [http.get(LIST).status_code for _ in range(3)] == [200, 200, 429]
    two_a_minute.now += 45.5
    refused = http.get(LIST)
    assert (refused.status_code, refused.json()["code"], refused["Retry-After"]) == (429, "throttled", "15")
    two_a_minute.now += 14.5
    assert http.get(LIST).status_code == 200


def test_every_caller_is_counted_alone(two_a_minute: Any, kari: Account) -> None:
    first, second, person = api_with(), api_with(), api_as(kari)
    for _ in range(2):
        assert [http.get(LIST).status_code for http in (first, second, person)] == [200, 200, 200]
    assert [http.get(LIST).status_code for http in (first, second, person)] == [429, 429, 429]


def test_an_empty_rate_is_no_limit(settings: Any) -> None:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {"caller": ""}}
    http = api_with()
    assert {http.get(LIST).status_code for _ in range(20)} == {200}


@pytest.mark.parametrize(
    ("rate", "means"),
    [("6000/min", (6000, 60)), ("10/s", (10, 1)), ("7/hour", (7, 3600)), ("1/day", (1, 86_400))],
)
def test_rates(rate: str, means: tuple[int, int]) -> None:
    assert parse_rate(rate) == means


@pytest.mark.parametrize("rate", ["many/min", "6000", "6000/", "-1/min", "5/year"])
def test_a_rate_that_is_none_is_found_out(rate: str) -> None:
    with pytest.raises(Exception, match="is no rate"):
        parse_rate(rate)


def test_the_throttle_asks_no_database(api: APIClient, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    api.get(LIST)
    with django_assert_num_queries(0):
        assert api.get("/api/v1/customers/?limit=x").status_code == 400
