"""What must be sent after a commit, and never lost: messages written with it, delivered at least once by the worker.

A message is leased to the worker that takes it. When that worker is killed, the lease runs out and the message goes
again. A failing one is tried again after 30 seconds, then twice as long each time up to six hours; after 72 hours it
is given up, which the admin shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.module_loading import import_string

from customers.letters import unseal
from customers.models import Customer, OutboxMessage

LEASE: Final = timedelta(minutes=5)
GIVE_UP_AFTER: Final = timedelta(hours=72)
_FIRST_DELAY: Final = timedelta(seconds=30)
_LONGEST_DELAY: Final = timedelta(hours=6)
_LOG: Final = structlog.get_logger(__name__)

Handler = Callable[[Mapping[str, Any]], None]


def enqueue(*, topic: str, payload: Mapping[str, Any], at: datetime, customer: Customer | None = None) -> OutboxMessage:
    """Writes a message in the caller's transaction, to go out from `at` on. Raises LookupError for an unknown topic."""
    handler_of(topic)
    return OutboxMessage.objects.create(
        topic=topic, payload=dict(payload), customer=customer, created_at=at, next_attempt_at=at
    )


def deliver_due(*, now: datetime, limit: int = 100) -> int:
    """Tries up to `limit` messages that are due; returns how many it tried."""
    tried = 0
    while tried < limit and deliver_next(now=now):
        tried += 1
    return tried


def deliver_next(*, now: datetime) -> bool:
    """Leases the message that is due longest and tries it; returns whether there was one."""
    message = _lease(now)
    if message is None:
        return False
    try:
        handler_of(message.topic)(message.payload)
    except Exception as fault:  # whatever a handler raises, the message must not be lost
        _note_failure(message, fault)
    else:
        _ours(message).update(delivered_at=now, leased_until=None, next_attempt_at=None, last_error="")
    return True


def backoff(attempts: int) -> timedelta:
    """Returns how long to wait after so many attempts."""
    doubled: timedelta = _FIRST_DELAY * 2 ** min(attempts - 1, 20)
    return min(doubled, _LONGEST_DELAY)


def handler_of(topic: str) -> Handler:
    """Returns what delivers this topic, as `OUTBOX_HANDLERS` says. Raises LookupError."""
    handler: Handler = import_string(settings.OUTBOX_HANDLERS[topic])
    return handler


def send_mail(payload: Mapping[str, Any]) -> None:
    """Delivers the topic `mail`: `{"to": [address, …], "subject", "text"}`; or `sealed`, a text with a secret in it."""
    text = unseal(payload["sealed"]) if "sealed" in payload else payload["text"]
    EmailMessage(subject=payload["subject"], body=text, to=list(payload["to"])).send()


def _lease(now: datetime) -> OutboxMessage | None:
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    due = OutboxMessage.objects.filter(free, delivered_at=None, next_attempt_at__lte=now)
    with transaction.atomic():
        skip = connection.features.has_select_for_update_skip_locked
        message = due.order_by("next_attempt_at", "pk").select_for_update(skip_locked=skip).first()
        if message is None:
            return None
        # Written before the try, so that a message which kills its worker backs off and is given up like any other.
        message.attempts += 1
        message.leased_until = now + LEASE
        again = now + backoff(message.attempts)
        message.next_attempt_at = again if again <= message.created_at + GIVE_UP_AFTER else None
        message.last_error = "The worker stopped before it had finished."
        message.save(update_fields=["attempts", "leased_until", "next_attempt_at", "last_error"])
    return message


def _ours(message: OutboxMessage) -> QuerySet[OutboxMessage]:
    """The message as long as no other worker has taken it over."""
    return OutboxMessage.objects.filter(pk=message.pk, leased_until=message.leased_until, delivered_at=None)


def _note_failure(message: OutboxMessage, fault: Exception) -> None:
    _ours(message).update(leased_until=None, last_error=f"{type(fault).__name__}: {fault}"[:2000])
    given_up = message.next_attempt_at is None
    log = _LOG.error if given_up else _LOG.warning
    log("message_given_up" if given_up else "message_failed", message=message.pk, topic=message.topic, exc_info=fault)
