"""What happened, written down for whoever listens, in the transaction in which it happens (docs/webhooks.md).

Nobody listens: one query, and nothing is written. The worker delivers (`customers.delivering`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from django.core.serializers.json import DjangoJSONEncoder

from customers.models import Customer, WebhookDelivery, WebhookEndpoint, WebhookEvent

TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "entitlements.changed": "What users may do has changed: the full new state of each of them",
        "change_set.applied": "Seats were given or taken",
        "package.activated": "A package came into force",
        "subscription.started": "A subscription began",
        "subscription.changed": "Its items changed, or will",
        "subscription.cancelled": "It was cancelled, and ends with its term",
        "subscription.resumed": "The cancellation was taken back",
        "subscription.ended": "It is over",
        "catalog.version.published": "A version of a plan or add-on was published",
        "endpoint.test": "Somebody pressed the button that sends a test",
    }
)
OF_ALL_ALONE: Final = "catalog.version.published"  # it concerns no customer
_EVERYWHERE: Final = frozenset({"endpoint.test"})  # these go to whom they are for, whatever it asked for


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who listens to a customer's events, or to what concerns no customer."""

    customer: Customer | None
    endpoints: tuple[WebhookEndpoint, ...]

    def to(self, type_: str) -> list[WebhookEndpoint]:
        return [each for each in self.endpoints if not each.types or type_ in each.types or type_ in _EVERYWHERE]


def listeners(customer: Customer | None) -> Listeners:
    """Returns who listens. One query."""
    return Listeners(customer, tuple(WebhookEndpoint.objects.listening(customer).order_by("pk")))


def emit(
    heard: Listeners, type_: str, data: Mapping[str, Any], *, at: datetime, revision: int | None = None
) -> WebhookEvent | None:
    """Writes an event and a delivery for everybody who wants its type; returns it, or none where nobody does."""
    endpoints = heard.to(type_)
    if not endpoints:
        return None
    body = {"type": type_, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": dict(data)}
    spelled = json.dumps(body, separators=(",", ":"), ensure_ascii=False, cls=DjangoJSONEncoder)
    event: WebhookEvent = WebhookEvent.objects.create(
        customer=heard.customer, type=type_, revision=revision, body=spelled, at=at
    )
    deliver_to(event, endpoints, at)
    return event


def deliver_to(event: WebhookEvent, endpoints: Iterable[WebhookEndpoint], at: datetime) -> list[WebhookDelivery]:
    """Writes a delivery of the event to each endpoint, due from `at` on."""
    made: list[WebhookDelivery] = WebhookDelivery.objects.bulk_create(
        WebhookDelivery(endpoint=each, event=event, customer_id=event.customer_id, created_at=at, next_attempt_at=at)
        for each in endpoints
    )
    return made
