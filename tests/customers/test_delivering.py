"""Events on their way: signed, in order, tried again, given up. Rules J-3 to J-6."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from customers import delivering
from customers.actor import SYSTEM
from customers.delivering import GIVE_UP_AFTER, deliver_events, limits, prune_events
from customers.errors import Invalid
from customers.events import emit, listeners
from customers.models import AuditEvent, Customer, OutboxMessage, WebhookDelivery, WebhookEndpoint, WebhookEvent
from customers.posting import Answer, Limits, post
from customers.services.webhooks import (
    TooManyWebhooks,
    TwoLiveSecrets,
    create_webhook,
    delete_webhook,
    edit_webhook,
    issue_secret,
    retire_secret,
    send_again,
    send_test,
    switch_webhook,
)
from tests.customers.receivers import Receiver, receiver
from tests.factories.customers import AccountFactory, CustomerFactory, MembershipFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with receiver() as found:
        yield found


@pytest.fixture
def fjordlys() -> Customer:
    customer: Customer = CustomerFactory(code="fjordlys", name="Fjordlys AS")
    return customer


def listening(there: Receiver, customer: Customer | None, **how: Any) -> tuple[WebhookEndpoint, str]:
    return create_webhook(actor=SYSTEM, customer=customer, url=there.url, allowed=limits(), at=timezone.now(), **how)


def happens(customer: Customer | None, number: int = 1, type_: str = "change_set.applied") -> None:
    emit(listeners(customer), type_, {"number": number}, at=timezone.now(), revision=number)


def numbers(there: Receiver) -> list[int]:
    return [json.loads(body)["data"]["number"] for _, body in there.got]


def later(**how: float) -> datetime:
    return timezone.now() + timedelta(**how)


def test_an_event_is_posted_signed_and_verified(there: Receiver, fjordlys: Customer) -> None:
    _, secret = listening(there, fjordlys)
    happens(fjordlys, 7)
    assert deliver_events(now=timezone.now()) == 1
    headers, body = there.got[0]
    told = Webhook(secret).verify(body, headers)
    assert (told["type"], told["data"]) == ("change_set.applied", {"number": 7})
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.status, delivery.attempts) == ("delivered", 204, 1)
    assert deliver_events(now=later(days=1)) == 0


def test_while_rotating_both_secrets_sign(there: Receiver, fjordlys: Customer) -> None:
    endpoint, old = listening(there, fjordlys)
    new = issue_secret(actor=SYSTEM, endpoint=endpoint, at=later(seconds=1))
    with pytest.raises(TwoLiveSecrets):
        issue_secret(actor=SYSTEM, endpoint=endpoint, at=timezone.now())
    happens(fjordlys)
    deliver_events(now=timezone.now())
    for secret in (old, new):
        Webhook(secret).verify(there.got[0][1], there.got[0][0])

    retire_secret(actor=SYSTEM, endpoint=endpoint, at=timezone.now())
    happens(fjordlys)
    deliver_events(now=timezone.now())

    Webhook(new).verify(there.got[1][1], there.got[1][0])
    assert len(there.got[1][0]["webhook-signature"].split()) == 1


def test_a_failure_is_tried_again_and_holds_up_what_came_after_it_at_this_customer_alone(
    there: Receiver, fjordlys: Customer
) -> None:
    nordvik = CustomerFactory(code="nordvik")
    listening(there, None)
    there.says(500, 204)
    happens(fjordlys, 1)
    happens(fjordlys, 2)
    happens(nordvik, 3)

    deliver_events(now=timezone.now())

    assert numbers(there) == [1, 3]
    assert WebhookDelivery.objects.open().count() == 2
    deliver_events(now=later(minutes=5))
    deliver_events(now=later(minutes=5))
    assert numbers(there) == [1, 3, 1, 2]
    assert there.got[0][0]["webhook-id"] == there.got[2][0]["webhook-id"]


def test_each_try_is_kept_with_what_was_answered(there: Receiver, fjordlys: Customer) -> None:
    listening(there, fjordlys)
    there.says(500, 503, 204)
    happens(fjordlys)
    for minutes in (0, 5, 30):
        deliver_events(now=later(minutes=minutes))
    delivery = WebhookDelivery.objects.get()
    tries = [(each.status, each.delivery_id) for each in delivery.tries.order_by("pk")]
    assert tries == [(500, delivery.pk), (503, delivery.pk), (204, delivery.pk)]
    assert (delivery.state, delivery.status) == ("delivered", 204)


def test_a_redirect_is_a_failure_and_is_not_followed(there: Receiver, fjordlys: Customer) -> None:
    listening(there, fjordlys)
    there.says(302, location=there.url)
    happens(fjordlys)
    deliver_events(now=timezone.now())
    assert len(there.got) == 1
    assert WebhookDelivery.objects.get().status == 302


def test_retry_after_is_honoured(there: Receiver, fjordlys: Customer) -> None:
    listening(there, fjordlys)
    there.says(503, retry_after="600")
    happens(fjordlys)
    deliver_events(now=timezone.now())
    again = WebhookDelivery.objects.get().next_attempt_at
    assert again is not None
    assert timedelta(seconds=590) < again - timezone.now() <= timedelta(seconds=600)


def test_gone_switches_it_off_and_tells_the_admins(there: Receiver, fjordlys: Customer) -> None:
    endpoint, _ = listening(there, fjordlys)
    MembershipFactory(customer=fjordlys, account=AccountFactory(email="kari@fjordlys.example"), role="admin")
    there.says(410)
    happens(fjordlys)
    deliver_events(now=timezone.now())
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_reason) == (False, "The receiver answered 410 Gone.")
    assert OutboxMessage.objects.get(topic="mail").payload["to"] == ["kari@fjordlys.example"]
    assert AuditEvent.objects.filter(action="webhook.switched", actor="system").exists()
    happens(fjordlys)
    assert WebhookEvent.objects.count() == 1


def test_of_an_address_for_all_customers_success_is_told_and_where_to_go(there: Receiver, fjordlys: Customer) -> None:
    AccountFactory(email="cara@planarium.example", roles=["customer_success"])
    listening(there, None)
    there.says(410)
    happens(fjordlys)
    deliver_events(now=timezone.now())
    letter = OutboxMessage.objects.get(topic="mail").payload
    assert letter["to"] == ["cara@planarium.example"]
    assert "Events of all customers are no longer sent" in letter["text"]
    assert "switch it on under Webhooks, and replay" in letter["text"]


def test_what_fails_for_72_hours_is_given_up_and_the_endpoint_is_off(
    there: Receiver, fjordlys: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, _ = listening(there, fjordlys)
    there.says(500)
    happens(fjordlys)
    deliver_events(now=timezone.now())
    then = later(hours=72)
    monkeypatch.setattr("customers.delivering.timezone.now", lambda: then)
    deliver_events(now=then)
    endpoint.refresh_from_db()
    assert WebhookDelivery.objects.get().state == "given_up"
    assert not endpoint.is_active


def test_after_an_outage_what_waited_has_its_own_72_hours(there: Receiver, fjordlys: Customer) -> None:
    listening(there, fjordlys)
    happens(fjordlys)
    WebhookDelivery.objects.update(created_at=timezone.now() - 2 * GIVE_UP_AFTER)
    there.says(500)
    deliver_events(now=timezone.now())
    assert WebhookDelivery.objects.get().state == "waiting"


def test_nobody_there_is_a_failure_like_any_other(there: Receiver, fjordlys: Customer) -> None:
    endpoint, _ = listening(there, fjordlys)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(url="http://127.0.0.1:9/")
    happens(fjordlys)
    deliver_events(now=timezone.now())
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.status) == ("waiting", None)
    assert delivery.answer


def test_a_secret_that_can_not_be_read_holds_up_nobody_else(there: Receiver, fjordlys: Customer) -> None:
    endpoint, _ = listening(there, fjordlys)
    listening(there, CustomerFactory(code="nordvik"))
    endpoint.secrets.update(sealed="nonsense")
    happens(fjordlys, 1)
    happens(Customer.objects.get(code="nordvik"), 2)
    deliver_events(now=timezone.now())
    assert numbers(there) == [2]


def test_a_worker_that_was_killed_leaves_a_lease_that_runs_out(there: Receiver, fjordlys: Customer) -> None:
    listening(there, fjordlys)
    happens(fjordlys)
    WebhookDelivery.objects.update(leased_until=later(minutes=2), attempts=1, next_attempt_at=timezone.now())
    assert deliver_events(now=timezone.now()) == 0
    assert deliver_events(now=later(minutes=3)) == 1


def test_who_late_finds_the_lease_taken_over_changes_nothing(there: Receiver, fjordlys: Customer) -> None:
    listening(there, fjordlys)
    happens(fjordlys)
    there.says(500)

    def taken_over(*args: object) -> Any:
        WebhookDelivery.objects.update(delivered_at=timezone.now(), leased_until=None, next_attempt_at=None, status=204)
        return {"Content-Type": "application/json"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("customers.delivering._headers", taken_over)
        deliver_events(now=timezone.now())
    assert WebhookDelivery.objects.get().state == "delivered"


def test_who_wants_only_some_types_gets_those_and_its_tests(there: Receiver, fjordlys: Customer) -> None:
    endpoint, _ = listening(there, fjordlys, types=["package.activated"])
    happens(fjordlys)
    assert not WebhookEvent.objects.exists()
    send_test(actor=SYSTEM, endpoint=endpoint, at=timezone.now())
    deliver_events(now=timezone.now())
    assert json.loads(there.got[0][1])["type"] == "endpoint.test"
    send_again(actor=SYSTEM, delivery=WebhookDelivery.objects.get(), at=timezone.now())
    deliver_events(now=timezone.now())
    assert there.got[0][0]["webhook-id"] == there.got[1][0]["webhook-id"]


def test_endpoints_are_edited_switched_and_deleted(there: Receiver, fjordlys: Customer) -> None:
    endpoint, _ = listening(there, fjordlys)
    edited = edit_webhook(
        actor=SYSTEM, endpoint=endpoint, allowed=limits(), at=timezone.now(), description="Our CRM", types=[]
    )
    assert edited.description == "Our CRM"
    switch_webhook(actor=SYSTEM, endpoint=endpoint, is_active=False, at=timezone.now())
    happens(fjordlys)
    assert not WebhookEvent.objects.exists()
    switch_webhook(actor=SYSTEM, endpoint=endpoint, is_active=True, at=timezone.now())
    happens(fjordlys)
    delete_webhook(actor=SYSTEM, endpoint=endpoint, at=timezone.now())
    assert not WebhookDelivery.objects.exists()


def test_switched_on_after_days_what_is_open_has_72_hours_anew(
    there: Receiver, fjordlys: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, _ = listening(there, fjordlys)
    there.says(500, 410, 500, 204)
    happens(fjordlys)
    deliver_events(now=timezone.now())
    deliver_events(now=later(minutes=5))
    endpoint.refresh_from_db()
    assert not endpoint.is_active

    days = later(days=5)
    monkeypatch.setattr("customers.delivering.timezone.now", lambda: days)
    switch_webhook(actor=SYSTEM, endpoint=endpoint, is_active=True, at=days)
    deliver_events(now=days)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("waiting", 1), "one failure more does not give it up"
    again = delivery.next_attempt_at
    assert again is not None
    assert again - days < timedelta(minutes=2), "nor does it wait as after many"
    deliver_events(now=again)
    assert numbers(there) == [1, 1, 1, 1]
    assert WebhookDelivery.objects.get().state == "delivered"


@pytest.mark.parametrize("when", ["before it is posted", "while it is posted"])
def test_deleted_meanwhile_it_gets_nothing_unsigned_and_the_others_go_out(
    there: Receiver, fjordlys: Customer, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    gone, _ = listening(there, fjordlys)
    happens(fjordlys, 1)
    nordvik = CustomerFactory(code="nordvik")
    listening(there, nordvik)
    happens(nordvik, 2)
    there.says(500, 204)

    def deletes(url: str, body: bytes, headers: dict[str, str], limits: Limits) -> Answer:
        answer = post(url, body, headers, limits)
        WebhookEndpoint.objects.filter(pk=gone.pk).delete()
        return answer

    def lease(now: datetime) -> WebhookDelivery | None:
        found = leased(now)
        WebhookEndpoint.objects.filter(pk=gone.pk).delete()
        return found

    leased = delivering._lease
    if when == "before it is posted":
        monkeypatch.setattr(delivering, "_lease", lease)
    else:
        monkeypatch.setattr(delivering, "post", deletes)
    deliver_events(now=timezone.now())
    assert all(headers["webhook-signature"] for headers, _ in there.got)
    assert numbers(there) == ([2] if when == "before it is posted" else [1, 2])


@pytest.mark.parametrize(
    ("url", "types"),
    [("http://10.0.0.1/x", []), ("https://user:secret@example.com/", []), ("https://example.com/", ["no.such"])],
)
def test_what_can_not_be_kept_is_refused(fjordlys: Customer, url: str, types: list[str]) -> None:
    with pytest.raises(Invalid):
        create_webhook(actor=SYSTEM, customer=fjordlys, url=url, types=types, allowed=limits(), at=timezone.now())


def test_there_are_so_many_at_most(there: Receiver, fjordlys: Customer) -> None:
    for _ in range(20):
        listening(there, fjordlys)
    with pytest.raises(TooManyWebhooks):
        listening(there, fjordlys)


def test_old_events_go_unless_they_are_still_to_be_delivered(there: Receiver, fjordlys: Customer) -> None:
    listening(there, fjordlys)
    happens(fjordlys)
    happens(fjordlys)
    first = WebhookDelivery.objects.order_by("pk").first()
    assert first is not None
    WebhookDelivery.objects.filter(pk=first.pk).update(delivered_at=timezone.now())
    assert prune_events(now=later(days=31)) > 0
    assert WebhookEvent.objects.count() == 1
