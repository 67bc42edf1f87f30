"""Webhooks as an integrator sets them up. Rules J-1 to J-6."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient
from standardwebhooks import Webhook

from customers.delivering import deliver_events
from customers.models import WebhookEvent
from customers.scopes import MEMBER_SCOPES, STAFF_SCOPES
from licensing.services.erasing import erase_user
from tests.customers.receivers import Receiver, receiver
from tests.factories.catalog import AddOnFactory, FeatureFactory, published
from tests.factories.customers import api_with
from tests.licensing.market import Town, hours

HERE = "/api/v1/customers/fjordlys/webhooks/"


@pytest.fixture
def there(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    settings.API_KEY_MEMORY_SECONDS = 3600
    with receiver() as found:
        yield found


@pytest.fixture
def api(town: Town) -> APIClient:
    return api_with("webhooks:read", "webhooks:write", "entitlements:read")


def call(api: APIClient, method: str, path: str = "", body: Any = None, status: int = 200) -> Any:
    sent = "" if body is None else json.dumps(body)
    response = api.generic(method, HERE + path, sent, content_type="application/json")
    assert response.status_code == status, response.content
    return response.json()


def test_from_the_first_test_to_a_change_that_is_verified(town: Town, api: APIClient, there: Receiver) -> None:
    made = call(api, "POST", "", {"url": there.url, "description": "Our CRM"}, 201)
    assert "secret" not in call(api, "GET", f"{made['id']}/")
    call(api, "POST", f"{made['id']}/test/", status=202)
    town.buys(sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))

    deliver_events(now=timezone.now())

    told = [Webhook(made["secret"]).verify(body, headers) for headers, body in there.got]
    assert next(event["type"] for event in told) == "endpoint.test"
    assert set(told[-1]["data"]["users"]) == {"ola"}
    delivered = call(api, "GET", f"{made['id']}/deliveries/?state=delivered")["results"]
    assert [(row["type"], row["status"]) for row in delivered][-1] == ("endpoint.test", 204)
    assert call(api, "GET", f"{made['id']}/deliveries/?state=waiting")["results"] == []
    one = call(api, "GET", f"{made['id']}/deliveries/{delivered[-1]['id']}/")
    assert one | delivered[-1] == one
    assert json.loads(one["body"])["type"] == "endpoint.test"
    assert [(each["status"], each["answer"]) for each in one["tries"]] == [(204, "")]
    assert api.get(f"{HERE}{made['id']}/deliveries/0/").status_code == 404
    call(api, "POST", f"{made['id']}/deliveries/{delivered[0]['id']}/again/", status=202)
    call(api, "POST", f"{made['id']}/replay/", status=400)
    call(api, "POST", f"{made['id']}/replay/?after=1", status=202)
    deliver_events(now=timezone.now())
    assert there.got[-2][0]["webhook-id"] == there.got[-3][0]["webhook-id"]
    assert json.loads(there.got[-1][1])["type"] == "entitlements.changed"


def test_an_address_for_all_customers_is_told_of_one_of_them_again(town: Town, there: Receiver) -> None:
    town.buys(sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    all_of_them = api_with("customers:read", "webhooks:read", "webhooks:write", "entitlements:read")
    made = all_of_them.post("/api/v1/webhooks/", {"url": there.url}, format="json").json()
    replay = f"/api/v1/webhooks/{made['id']}/replay/"
    for question, status, code in (
        ("?after=0", 400, "invalid"),
        ("?after=0&customer=", 400, "invalid"),
        ("?after=0&customer=nobody", 404, "not_found"),
        ("?after=x&customer=fjordlys", 400, "invalid"),
        ("?customer=fjordlys", 400, "invalid"),
        (f"?after={town.revision() + 1}&customer=fjordlys", 409, "revision_not_reached"),
    ):
        refused = all_of_them.post(f"{replay}{question}")
        assert (refused.status_code, refused.json()["code"]) == (status, code), question
    assert all_of_them.post(f"{replay}?after={town.revision() - 1}&customer=fjordlys").status_code == 202
    deliver_events(now=timezone.now())
    told = json.loads(there.got[-1][1])["data"]
    assert (told["customer"], set(told["users"])) == ("fjordlys", {"ola"})
    sent = all_of_them.get(f"/api/v1/webhooks/{made['id']}/deliveries/").json()["results"]
    assert [(row["type"], row["customer"]) for row in sent] == [("entitlements.changed", "fjordlys")]


def test_secrets_are_rotated(api: APIClient, there: Receiver) -> None:
    made = call(api, "POST", "", {"url": there.url}, 201)
    call(api, "POST", f"{made['id']}/secrets/", status=201)
    assert call(api, "GET", f"{made['id']}/")["secrets"] == 2
    assert call(api, "POST", f"{made['id']}/secrets/", status=409)["code"] == "two_live_secrets"
    assert call(api, "DELETE", f"{made['id']}/secrets/")["secrets"] == 1


def test_it_is_edited_switched_off_and_deleted(api: APIClient, there: Receiver) -> None:
    made = call(api, "POST", "", {"url": there.url}, 201)
    told = call(api, "PATCH", f"{made['id']}/", {"types": ["package.activated"], "is_active": False})
    assert (told["types"], told["is_active"], told["disabled_reason"]) == (
        ["package.activated"],
        False,
        "Switched off by somebody.",
    )
    call(api, "DELETE", f"{made['id']}/")
    assert call(api, "GET")["results"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "ftp://example.com/"},
        {"url": "https://user:secret@example.com/"},
        {"url": "https://example.com/", "types": ["no.such"]},
        {"url": "https://example.com/", "more": 1},
    ],
)
def test_what_is_wrong_is_named(api: APIClient, body: dict[str, Any]) -> None:
    assert call(api, "POST", "", body, 400)["code"] == "invalid"


def test_who_may_not_read_entitlements_has_them_sent_nowhere(api: APIClient, there: Receiver) -> None:
    """Of the customer, or of all of them; what sends nothing is open to them."""
    keeper = api_with("webhooks:read", "webhooks:write")
    made = call(api, "POST", "", {"url": there.url}, 201)
    test = call(api, "POST", f"{made['id']}/test/", status=202)
    everywhere = api.post("/api/v1/webhooks/", {"url": there.url}, format="json").json()
    for method, path, body in (
        ("POST", "", {"url": "https://elsewhere.example/"}),
        ("PATCH", f"{made['id']}/", {"url": "https://elsewhere.example/"}),
        ("POST", f"{made['id']}/replay/?after=0", None),
        ("GET", f"{made['id']}/deliveries/{test['id']}/", None),
        ("POST", f"{made['id']}/deliveries/{test['id']}/again/", None),
    ):
        assert call(keeper, method, path, body, 403)["code"] == "permission_denied"
    refused = keeper.post("/api/v1/webhooks/", {"url": there.url}, format="json")
    assert refused.status_code == 403
    assert keeper.post(f"/api/v1/webhooks/{everywhere['id']}/replay/?after=0&customer=fjordlys").status_code == 403
    call(keeper, "POST", f"{made['id']}/secrets/", status=201)
    call(keeper, "DELETE", f"{made['id']}/")


@pytest.mark.parametrize("scope", ["webhooks:write", "webhooks:read"])
def test_every_role_that_has_events_sent_or_sees_them_may_read_what_they_tell(scope: str) -> None:
    """So the pages, which only ask for `webhooks:write` and `webhooks:read`, open nothing more."""
    roles = [held for held in (*STAFF_SCOPES.values(), *MEMBER_SCOPES.values()) if scope in held]
    assert roles
    assert all("entitlements:read" in held for held in roles)


def test_a_secret_is_kept_by_no_cache(api: APIClient, there: Receiver) -> None:
    made = api.post(HERE, {"url": there.url}, format="json")
    second = api.post(f"{HERE}{made.json()['id']}/secrets/")
    assert (made["Cache-Control"], second["Cache-Control"]) == ("no-store", "no-store")


def test_to_an_address_that_is_off_nothing_is_sent(api: APIClient, there: Receiver) -> None:
    made = call(api, "POST", "", {"url": there.url}, 201)
    sent = call(api, "POST", f"{made['id']}/test/", status=202)
    call(api, "PATCH", f"{made['id']}/", {"is_active": False})
    for path in ("test/", "replay/?after=0", f"deliveries/{sent['id']}/again/"):
        refused = call(api, "POST", f"{made['id']}/{path}", status=409)
        assert (refused["code"], refused["blocking"]["kind"]) == ("webhook_off", "webhook")
        assert "Switched off by somebody." in refused["detail"]
    assert WebhookEvent.objects.count() == 1


def test_what_concerns_no_customer_is_not_asked_for_at_one(api: APIClient, there: Receiver) -> None:
    body = {"url": there.url, "types": ["catalog.version.published"]}
    assert call(api, "POST", "", body, 400)["faults"][0]["field"] == "types"
    assert api.post("/api/v1/webhooks/", body, format="json").status_code == 201


def test_another_customers_webhook_is_unknown(api: APIClient, there: Receiver) -> None:
    made = call(api, "POST", "", {"url": there.url}, 201)
    Town("solvik", people=())
    assert api.get(f"/api/v1/customers/solvik/webhooks/{made['id']}/").status_code == 404


def test_lists_take_the_same_queries_however_long_they_are(api: APIClient, there: Receiver) -> None:
    """The customer, the page, its secrets."""
    call(api, "POST", "", {"url": there.url}, 201)
    with CaptureQueriesContext(connection) as one:
        call(api, "GET")
    for _ in range(3):
        call(api, "POST", "", {"url": there.url}, 201)
    with CaptureQueriesContext(connection) as four:
        call(api, "GET")
    assert len(one) == len(four) == 3


def test_an_erased_person_is_named_by_no_event(town: Town, api: APIClient, there: Receiver) -> None:
    call(api, "POST", "", {"url": there.url}, 201)
    town.buys(sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    assert WebhookEvent.objects.filter(body__contains='"ola"').exists()
    erase_user(
        customer=town.customer, actor=town.actor, user=town.users["ola"], confirm="ola", reason="Asked for", at=hours(3)
    )
    assert not WebhookEvent.objects.filter(body__contains='"ola"').exists()
    assert WebhookEvent.objects.filter(body__contains="erased-").exists()


def test_an_address_for_all_customers_is_told_of_each_and_of_the_catalog(
    town: Town, there: Receiver, api: APIClient
) -> None:
    """Only callers of all customers have it; the customers' own addresses stay apart from it."""
    made = api.post("/api/v1/webhooks/", {"url": there.url}, format="json").json()
    own = call(api, "POST", "", {"url": there.url, "types": ["endpoint.test"]}, 201)
    assert [each["id"] for each in api.get("/api/v1/webhooks/").json()["results"]] == [made["id"]]
    assert [each["id"] for each in call(api, "GET")["results"]] == [own["id"]]
    assert api.get(f"/api/v1/webhooks/{own['id']}/").status_code == 404
    bound = api_with("webhooks:read", "webhooks:write", customer=town.customer)
    assert bound.get("/api/v1/webhooks/").status_code == 403

    town.buys(sales_premium=1, at=hours(1))
    published(AddOnFactory(code="chat-plus"), grants={FeatureFactory(code="chats").code: True}, at=hours(2))
    deliver_events(now=timezone.now())
    told = [Webhook(made["secret"]).verify(body, headers) for headers, body in there.got]
    assert {event["type"] for event in told} >= {"subscription.started", "catalog.version.published"}
    delivered = api.get(f"/api/v1/webhooks/{made['id']}/deliveries/").json()["results"]
    assert len(delivered) == len(told)
    assert api.delete(f"/api/v1/webhooks/{made['id']}/").json()["id"] == made["id"]
