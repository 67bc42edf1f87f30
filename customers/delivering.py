"""Events on their way: leased, signed, posted, tried again for 72 hours (docs/webhooks.md, rules J-1 to J-6).

Of one customer's events an endpoint gets each only after those before it are delivered or given up; customers don't
wait for each other. A worker that is killed leaves a lease, which runs out.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from standardwebhooks import Webhook

from customers.actor import SYSTEM
from customers.audit import record
from customers.letters import unseal
from customers.models import Membership, StaffRole, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from customers.outbox import backoff, enqueue
from customers.posting import Answer, BadAddress, Limits, NoAnswer, post

LEASE: Final = timedelta(minutes=2)
AT_ONCE: Final = 4  # so many deliveries, of different customers, are on their way to one endpoint at most
GIVE_UP_AFTER: Final = timedelta(hours=72)
KEPT_FOR: Final = timedelta(days=30)
GONE: Final = 410
_LONGEST_WAIT: Final = timedelta(hours=6)
_STEP_SECONDS: Final = 20.0  # then the worker looks after its other work
_LOG: Final = structlog.get_logger(__name__)


def limits() -> Limits:
    """Returns what settings say of posting."""
    return Limits(
        connect=settings.WEBHOOK_TIMEOUT / 3,
        total=settings.WEBHOOK_TIMEOUT,
        allow_private=settings.WEBHOOK_ALLOW_PRIVATE,
    )


def deliver_events(*, now: datetime, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Tries what is due, for some seconds at most, by several threads where the database allows it; returns how many
    it tried. A step of the worker.
    """
    until = time.monotonic() + _STEP_SECONDS

    def one(at: datetime) -> bool:
        delivery = None if is_stopping() or time.monotonic() >= until else _lease(at)
        if delivery is not None:
            attempt(delivery)
        return delivery is not None

    def more() -> int:
        tried = 0
        while one(max(now, timezone.now())):
            tried += 1
        return tried

    def more_alone(_: int) -> int:
        try:
            return more()
        finally:
            connection.close()

    if not one(now):
        return 0
    if connection.vendor != "postgresql" or settings.WEBHOOK_THREADS < 2:
        return 1 + more()
    with ThreadPoolExecutor(settings.WEBHOOK_THREADS) as threads:
        return 1 + sum(threads.map(more_alone, range(settings.WEBHOOK_THREADS)))


def attempt(delivery: WebhookDelivery) -> WebhookDelivery:
    """Posts a leased delivery, and writes down what came of it."""
    begun = time.monotonic()
    answer: Answer | None = None
    try:
        answer = post(delivery.endpoint.url, delivery.event.body.encode(), _headers(delivery), limits())
        delivery.status, delivery.answer = answer.status, answer.text
    except (BadAddress, NoAnswer) as fault:
        delivery.status, delivery.answer = None, str(fault)
    except Exception as fault:  # whatever is wrong with this one, the others must go out
        _LOG.exception("webhook_broken", delivery=delivery.pk)
        delivery.status, delivery.answer = None, f"It could not be sent: {type(fault).__name__}."
    delivery.took_ms = int(1000 * (time.monotonic() - begun))
    now = timezone.now()
    if answer is not None and 200 <= answer.status < 300:
        _delivered(delivery, now)
    else:
        _failed(delivery, answer, now)
    return delivery


def prune_events(*, now: datetime, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Deletes the events of more than 30 days ago with their deliveries; returns how many. A step of the worker."""
    old = WebhookEvent.objects.filter(at__lt=now - KEPT_FOR)
    old = old.exclude(pk__in=WebhookDelivery.objects.open().values("event"))
    return old.delete()[0]


def _headers(delivery: WebhookDelivery) -> dict[str, str]:
    """Returns the headers of the standard: one signature for every live secret. Raises NoAnswer where none is."""
    at, name = datetime.now(UTC), message_id(delivery.event)
    secrets = [unseal(secret.sealed) for secret in delivery.endpoint.secrets.all()]
    if not secrets:
        raise NoAnswer("The address was deleted.")  # since the lease; nothing goes out unsigned
    signatures = [Webhook(secret).sign(name, at, delivery.event.body) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Planarium-Webhooks/1",
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def message_id(event: WebhookEvent) -> str:
    """Returns what names an event on the wire: the same for every attempt."""
    return f"msg_{event.pk}"


def _lease(now: datetime) -> WebhookDelivery | None:
    with transaction.atomic():
        _in_turn()
        skip = connection.features.has_select_for_update_skip_locked
        rows = WebhookDelivery.objects.due(now).with_room(now, at_once=AT_ONCE).order_by("next_attempt_at", "pk")
        of = ("self",) if connection.features.has_select_for_update_of else ()
        found: WebhookDelivery | None = rows.select_for_update(skip_locked=skip, of=of).first()
        if found is None:
            return None
        # Written before the try, so that an event which kills its worker backs off like any other.
        found.attempts += 1
        found.leased_until = now + LEASE
        found.next_attempt_at = now + backoff(found.attempts)
        found.first_attempt_at = found.first_attempt_at or now
        found.save(update_fields=["attempts", "leased_until", "next_attempt_at", "first_attempt_at"])
    leased: WebhookDelivery = WebhookDelivery.objects.select_related("endpoint", "event", "customer").get(pk=found.pk)
    return leased


def _in_turn() -> None:
    """Has one worker after the other decide what is next: two at once would not see what the other has just taken."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('webhook leases'))")


def _delivered(delivery: WebhookDelivery, now: datetime) -> None:
    _note(delivery, now, delivered_at=now, next_attempt_at=None)
    WebhookEndpoint.objects.filter(pk=delivery.endpoint_id, failing_since__isnull=False).update(failing_since=None)


def _failed(delivery: WebhookDelivery, answer: Answer | None, now: datetime) -> None:
    """Has it tried again, or gives it up 72 hours after the first try; whatever waited behind it has its own 72."""
    again = now + _wait(delivery.attempts, answer)
    # As it is now: who switched the address on meanwhile gave it 72 hours anew.
    first = WebhookDelivery.objects.filter(pk=delivery.pk).values_list("first_attempt_at", flat=True).first()
    is_over = again > (first or now) + GIVE_UP_AFTER
    _note(delivery, now, given_up_at=now if is_over else None, next_attempt_at=None if is_over else again)
    endpoint = delivery.endpoint
    WebhookEndpoint.objects.filter(pk=endpoint.pk, failing_since=None).update(failing_since=now)
    since = WebhookEndpoint.objects.filter(pk=endpoint.pk).values_list("failing_since", flat=True).first()
    if answer is not None and answer.status == GONE:
        _switch_off(endpoint, "The receiver answered 410 Gone.", now)
    elif since is not None and since <= now - GIVE_UP_AFTER:  # none where it was deleted meanwhile
        _switch_off(endpoint, "Nothing could be delivered for 72 hours.", now)


def _note(delivery: WebhookDelivery, now: datetime, **said: datetime | None) -> None:
    """Writes down what came of it, unless the lease ran out and another worker has taken it over, or it is gone."""
    mine = WebhookDelivery.objects.open().filter(pk=delivery.pk, leased_until=delivery.leased_until)
    told = {"status": delivery.status, "answer": delivery.answer, "took_ms": delivery.took_ms}
    with transaction.atomic():
        if mine.update(leased_until=None, **told, **said):
            WebhookAttempt.objects.create(delivery=delivery, at=now, **told)
    for name, value in said.items():
        setattr(delivery, name, value)


def _wait(attempts: int, answer: Answer | None) -> timedelta:
    """Returns how long to wait: as asked by Retry-After, or twice as long each time, a little earlier or later."""
    asked = (answer.headers.get("retry-after", "") if answer else "").strip()
    if answer is not None and answer.status in (429, 503) and asked.isascii() and asked.isdigit() and len(asked) < 7:
        return min(timedelta(seconds=max(1, int(asked))), _LONGEST_WAIT)
    return backoff(attempts) * random.uniform(0.8, 1.2)  # noqa: S311 - so that receivers aren't all asked at once


def _switch_off(endpoint: WebhookEndpoint, reason: str, now: datetime) -> None:
    """Switches an endpoint off, once, and tells those who look after it."""
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk, is_active=True)
    with transaction.atomic():
        if not rows.update(is_active=False, disabled_reason=reason):
            return
        record(
            actor=SYSTEM,
            action="webhook.switched",
            object_type="webhook",
            object_code=str(endpoint.pk),
            changes={"is_active": [True, False]},
            customer=endpoint.customer,
            reason=reason,
            at=now,
        )
        to = _keepers(endpoint)
        if to:
            whose, where = "all customers", "Webhooks"
            if endpoint.customer is not None:
                whose, where = endpoint.customer.name, "Integrations, Webhooks"
            text = (
                f"Events of {whose} are no longer sent to {endpoint.url}.\n\n{reason}\n\n"
                f"Once it answers again, switch it on under {where}, and replay what it missed."
            )
            payload = {"to": to, "subject": "A webhook was switched off", "text": text}
            enqueue(topic="mail", payload=payload, at=now, customer=endpoint.customer)
    _LOG.warning("webhook_switched_off", endpoint=endpoint.pk, reason=reason)


def _keepers(endpoint: WebhookEndpoint) -> list[str]:
    """Returns the addresses of the customer's admins; for a global endpoint, of customer success."""
    if endpoint.customer_id is None:
        staff = StaffRole.objects.filter(role=StaffRole.Role.CUSTOMER_SUCCESS, account__is_active=True)
        return list(staff.values_list("account__email", flat=True))
    admins = Membership.objects.filter(customer=endpoint.customer_id, role=Membership.Role.ADMIN)
    return list(admins.filter(account__is_active=True).values_list("account__email", flat=True))
