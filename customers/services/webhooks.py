"""Who is told: endpoints are made, edited, tested, switched on and off, and their secrets rotated."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet

from customers import audit
from customers.actor import Actor
from customers.errors import Invalid, NotFound, Refusal
from customers.events import OF_ALL_ALONE, TYPES, Listeners, deliver_to, emit
from customers.letters import seal
from customers.models import Customer, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookSecret
from customers.posting import BadAddress, checked
from customers.posting import Limits as PostingLimits

MOST_ENDPOINTS = 20
MOST_TRIES = 50  # shown of a delivery
_EDITABLE = ("url", "description", "types")


class TooManyWebhooks(Refusal):
    code = "too_many_webhooks"
    title = "Too many webhooks"

    def __init__(self) -> None:
        super().__init__(
            f"There are {MOST_ENDPOINTS} webhooks already.", next_action="Delete one that is no longer needed."
        )


class TwoLiveSecrets(Refusal):
    code = "two_live_secrets"
    title = "Two live secrets already"

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        super().__init__(
            "The webhook signs with two secrets already.",
            blocking={"kind": "webhook", "code": str(endpoint.pk)},
            next_action="Retire the older one first.",
        )


class WebhookOff(Refusal):
    code = "webhook_off"
    title = "Webhook switched off"

    def __init__(self, endpoint: WebhookEndpoint) -> None:
        super().__init__(
            f"The webhook is off: {endpoint.disabled_reason}",
            blocking={"kind": "webhook", "code": str(endpoint.pk)},
            next_action="Switch it on, then it is sent to again.",
        )


def refuse_off(endpoint: WebhookEndpoint) -> None:
    """Raises WebhookOff: nothing is written for an address that is off."""
    if not endpoint.is_active:
        raise WebhookOff(endpoint)


@transaction.atomic
def create_webhook(
    *,
    actor: Actor,
    customer: Customer | None,
    url: str,
    allowed: PostingLimits,
    at: datetime,
    description: str = "",
    types: Sequence[str] = (),
) -> tuple[WebhookEndpoint, str]:
    """Returns the new endpoint and its secret, which is shown this once. Raises Invalid, TooManyWebhooks."""
    endpoint = WebhookEndpoint(customer=customer, url=url, description=description, types=list(types), created_at=at)
    _check(endpoint, allowed)
    _lock(customer)
    if WebhookEndpoint.objects.filter(customer=customer).count() >= MOST_ENDPOINTS:
        raise TooManyWebhooks
    endpoint.save()
    secret = _issue(endpoint, WebhookSecret.Slot.FIRST, at)
    _record(actor, endpoint, "webhook.created", at, url=[None, endpoint.url], types=[None, list(types)])
    return endpoint, secret


@transaction.atomic
def edit_webhook(
    *, actor: Actor, endpoint: WebhookEndpoint, allowed: PostingLimits, at: datetime, **fields: object
) -> WebhookEndpoint:
    """Changes `url`, `description` or `types`. Raises Invalid."""
    recorded: WebhookEndpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    was = {name: getattr(recorded, name) for name in _EDITABLE if name in fields}
    for name in was:
        setattr(recorded, name, fields[name])
    _check(recorded, allowed)
    changes = {name: [value, now] for name, value in was.items() if (now := getattr(recorded, name)) != value}
    if changes:
        recorded.save(update_fields=list(changes))
        _record(actor, recorded, "webhook.changed", at, **changes)
    return recorded


@transaction.atomic
def switch_webhook(*, actor: Actor, endpoint: WebhookEndpoint, is_active: bool, at: datetime) -> WebhookEndpoint:
    """Switches an endpoint on or off. Switched on again, it gets what was still open, with
    72 hours for it as for anything new; what it missed, by a replay.
    """
    recorded: WebhookEndpoint = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    if recorded.is_active == is_active:
        return recorded
    recorded.is_active, recorded.failing_since = is_active, None
    recorded.disabled_reason = "" if is_active else "Switched off by somebody."
    recorded.save(update_fields=["is_active", "failing_since", "disabled_reason"])
    if is_active:
        anew = {"next_attempt_at": at, "first_attempt_at": None, "attempts": 0}
        WebhookDelivery.objects.open().filter(endpoint=recorded).update(**anew)
    _record(actor, recorded, "webhook.switched", at, is_active=[not is_active, is_active])
    return recorded


@transaction.atomic
def delete_webhook(*, actor: Actor, endpoint: WebhookEndpoint, at: datetime) -> None:
    """Deletes an endpoint with its secrets and the record of its deliveries."""
    _record(actor, endpoint, "webhook.deleted", at, url=[endpoint.url, None])
    endpoint.delete()


@transaction.atomic
def issue_secret(*, actor: Actor, endpoint: WebhookEndpoint, at: datetime) -> str:
    """Returns a second secret, shown this once; both sign until the older one is retired. Raises TwoLiveSecrets."""
    WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    taken = set(endpoint.secrets.values_list("slot", flat=True))
    free = [slot for slot in WebhookSecret.Slot if slot not in taken]
    if not free:
        raise TwoLiveSecrets(endpoint)
    secret = _issue(endpoint, free[0], at)
    _record(actor, endpoint, "webhook.secret_issued", at)
    return secret


@transaction.atomic
def retire_secret(*, actor: Actor, endpoint: WebhookEndpoint, at: datetime) -> None:
    """Retires the older of two secrets; a single one stays."""
    live = list(endpoint.secrets.select_for_update().order_by("created_at", "pk"))
    if len(live) > 1:
        live[0].delete()
        _record(actor, endpoint, "webhook.secret_retired", at)


@transaction.atomic
def send_test(*, actor: Actor, endpoint: WebhookEndpoint, at: datetime) -> WebhookDelivery:
    """Writes a test event for this endpoint alone, whatever it asked for; the worker posts it next.

    Raises WebhookOff.
    """
    refuse_off(endpoint)
    heard = Listeners(endpoint.customer, (endpoint,))
    event = emit(heard, "endpoint.test", {"sent_by": actor.label, "endpoint": endpoint.pk}, at=at)
    if event is None:
        raise AssertionError("a test goes to whom it is for")
    _record(actor, endpoint, "webhook.tested", at)
    return event.deliveries.get()


def delivery_of(endpoint: WebhookEndpoint, number: int) -> WebhookDelivery:
    """Returns one delivery to the endpoint, its event at hand. Raises NotFound."""
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event", "endpoint", "customer")
    found: WebhookDelivery | None = rows.filter(pk=number).first()
    if found is None:
        raise NotFound("delivery", str(number))
    return found


def tries_of(delivery: WebhookDelivery) -> QuerySet[WebhookAttempt]:
    """Returns the last MOST_TRIES attempts, the newest first."""
    return delivery.tries.all()[:MOST_TRIES]


@transaction.atomic
def send_again(*, actor: Actor, delivery: WebhookDelivery, at: datetime) -> WebhookDelivery:
    """Writes another delivery of the same event. Raises WebhookOff."""
    refuse_off(delivery.endpoint)
    again = deliver_to(delivery.event, [delivery.endpoint], at)[0]
    _record(actor, delivery.endpoint, "webhook.sent_again", at, event=delivery.event_id)
    return again


def _lock(customer: Customer | None) -> None:
    """Has endpoints of one customer, or of all, counted by one transaction after the other."""
    if customer is not None:
        Customer.objects.select_for_update().get(pk=customer.pk)
    elif connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('global webhooks'))")


def _check(endpoint: WebhookEndpoint, allowed: PostingLimits) -> None:
    """Puts the address into the form in which it is kept. Raises Invalid."""
    faults = []
    try:
        endpoint.url = checked(endpoint.url, allowed).geturl()
    except BadAddress as fault:
        faults.append({"field": "url", "message": str(fault)})
    unknown = sorted(set(map(str, endpoint.types)) - TYPES.keys())
    if unknown:
        faults.append({"field": "types", "message": f"Not known: {', '.join(unknown)}."})
    if endpoint.customer_id is not None and OF_ALL_ALONE in endpoint.types:
        message = f"{OF_ALL_ALONE} concerns no customer: only addresses for all of them are told."
        faults.append({"field": "types", "message": message})
    if faults:
        raise Invalid("The webhook can't be kept like this.", faults)
    endpoint.full_clean(exclude=["customer"])


def _issue(endpoint: WebhookEndpoint, slot: int, at: datetime) -> str:
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    WebhookSecret.objects.create(endpoint=endpoint, slot=slot, sealed=seal(secret), created_at=at)
    return secret


def _record(actor: Actor, endpoint: WebhookEndpoint, action: str, at: datetime, **changes: object) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_type="webhook",
        object_code=str(endpoint.pk),
        changes=changes,
        customer=endpoint.customer,
        at=at,
    )
