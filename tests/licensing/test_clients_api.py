"""API clients of a customer over the API: made, changed, their keys issued and revoked (rules A-8, A-9)."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import ApiClient, ApiKey, AuditEvent, Customer
from tests.factories.customers import (
    AccountFactory,
    ApiClientFactory,
    CustomerFactory,
    MembershipFactory,
    api_as,
    api_with,
    api_with_key,
)

pytestmark = pytest.mark.django_db
CLIENTS = "/api/v1/customers/fjordlys/clients/"


@pytest.fixture
def fjordlys() -> Customer:
    found: Customer = CustomerFactory(code="fjordlys")
    return found


@pytest.fixture
def admin(fjordlys: Customer) -> APIClient:
    account = AccountFactory()
    MembershipFactory(customer=fjordlys, account=account, role="admin")
    return api_as(account)


def made(http: APIClient, **asked: Any) -> Any:
    body = {"name": "CRM", "scopes": ["entitlements:read"], **asked}
    answer = http.post(CLIENTS, body, format="json")
    assert answer.status_code == 201, answer.json()
    return answer.json()


def faults(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 400
    return [(fault["field"], fault["message"]) for fault in answer.json()["faults"]]


def test_an_admin_makes_a_client_and_its_key_opens_the_customer_alone(admin: APIClient, fjordlys: Customer) -> None:
    client = made(admin, scopes=["customers:read"], calls_per_minute=120)
    assert client | {"created_at": ""} == {
        "id": ApiClient.objects.get().pk,
        "name": "CRM",
        "scopes": ["customers:read"],
        "calls_per_minute": 120,
        "is_active": True,
        "created_at": "",
    }
    answer = admin.post(f"{CLIENTS}{client['id']}/keys/", {}, format="json")
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    CustomerFactory(code="nordvik")
    app = api_with_key(answer.json()["key"])
    seen = app.get("/api/v1/customers/")
    assert [each["code"] for each in seen.json()["results"]] == ["fjordlys"]
    assert seen["RateLimit-Policy"] == '"calls";q=120;w=60'
    assert app.get("/api/v1/customers/nordvik/").status_code == 404
    listed = admin.get(f"{CLIENTS}{client['id']}/keys/").json()["results"]
    assert [each["prefix"] for each in listed] == [ApiKey.objects.get().prefix]
    assert "key" not in listed[0]


def test_two_keys_live_while_one_takes_over(admin: APIClient) -> None:
    address = f"{CLIENTS}{made(admin)['id']}/keys/"
    first, second = (admin.post(address, {}, format="json").json() for _ in range(2))
    assert {api_with_key(each["key"]).get(CLIENTS).status_code for each in (first, second)} == {403}
    refused = admin.post(address, {}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "two_live_keys")

    revoked = admin.delete(f"{address}{first['id']}/")
    assert revoked.json()["revoked_at"] is not None
    assert api_with_key(first["key"]).get(CLIENTS).status_code == 401
    assert api_with_key(second["key"]).get(CLIENTS).status_code == 403
    assert admin.post(address, {}, format="json").status_code == 201


def test_nobody_gives_more_than_they_have(admin: APIClient) -> None:
    asked = {"name": "CRM", "scopes": ["entitlements:read", "customers:write"]}
    assert faults(admin.post(CLIENTS, asked, format="json")) == [("scopes", "Not yours to give: customers:write.")]
    client = made(admin, scopes=["usage:write"])  # what only apps do is lent by whoever manages them
    asked = {"scopes": ["usage:write", "overrides:write"]}
    assert faults(admin.patch(f"{CLIENTS}{client['id']}/", asked, format="json")) == [
        ("scopes", "Not yours to give: overrides:write.")
    ]


def test_a_clients_key_gives_no_more_than_it_has(fjordlys: Customer) -> None:
    http = api_with("clients:write", "entitlements:read", customer=fjordlys)
    made(http)
    asked = {"name": "Other", "scopes": ["seats:write"]}
    assert faults(http.post(CLIENTS, asked, format="json")) == [("scopes", "Not yours to give: seats:write.")]


def test_nobody_issues_a_key_to_a_client_that_may_more(admin: APIClient, fjordlys: Customer) -> None:
    ours = ApiClientFactory(customer=fjordlys, scopes=["customers:write"])
    answer = admin.post(f"{CLIENTS}{ours.pk}/keys/", {}, format="json")
    assert faults(answer) == [("scopes", "Not yours to give: customers:write.")]
    # What it has may be taken away, and its name may change beside what it has.
    assert admin.patch(f"{CLIENTS}{ours.pk}/", {"name": "Ours"}, format="json").status_code == 200
    assert admin.patch(f"{CLIENTS}{ours.pk}/", {"is_active": False}, format="json").status_code == 200


def test_switched_off_it_opens_nothing(admin: APIClient) -> None:
    client = made(admin)
    key = admin.post(f"{CLIENTS}{client['id']}/keys/", {}, format="json").json()["key"]
    assert api_with_key(key).get(CLIENTS).status_code == 403
    admin.patch(f"{CLIENTS}{client['id']}/", {"is_active": False}, format="json")
    assert api_with_key(key).get(CLIENTS).status_code == 401
    told = AuditEvent.objects.filter(action="client.edited").get()
    assert (told.changes, told.customer.code if told.customer else "") == ({"is_active": [True, False]}, "fjordlys")


def test_names_are_told_apart_at_a_customer(admin: APIClient) -> None:
    ApiClientFactory(name="CRM", customer=CustomerFactory(code="nordvik"))
    ApiClientFactory(name="CRM")
    made(admin)
    again = admin.post(CLIENTS, {"name": "crm", "scopes": ["seats:read"]}, format="json")
    assert [message for _, message in faults(again)] == ["A client has this name already."]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"scopes": ["seats:read"]}, "name"),
        ({"name": "CRM", "scopes": []}, "scopes"),
        ({"name": "CRM"}, "scopes"),
        ({"name": "CRM", "scopes": ["everything"]}, "scopes.0"),
        ({"name": "CRM", "scopes": ["seats:read"], "calls_per_minute": 0}, "calls_per_minute"),
        ({"name": "CRM", "scopes": ["seats:read"], "calls_per_minute": 2**31}, "calls_per_minute"),
        ({"name": "CRM", "scopes": ["seats:read"], "customer": "nordvik"}, "customer"),
    ],
)
def test_what_can_be_no_client(admin: APIClient, asked: Any, field: str) -> None:
    assert faults(admin.post(CLIENTS, asked, format="json"))[0][0] == field


def test_they_are_listed_searched_and_of_this_customer_alone(admin: APIClient) -> None:
    made(admin)
    made(admin, name="Mail")
    foreign = ApiClientFactory(name="CRM too", customer=CustomerFactory(code="nordvik"))
    assert [each["name"] for each in admin.get(CLIENTS).json()["results"]] == ["CRM", "Mail"]
    assert [each["name"] for each in admin.get(CLIENTS, {"search": "cr"}).json()["results"]] == ["CRM"]
    assert admin.get(f"{CLIENTS}{foreign.pk}/").status_code == 404
    assert admin.post(f"{CLIENTS}{foreign.pk}/keys/", {}, format="json").status_code == 404
