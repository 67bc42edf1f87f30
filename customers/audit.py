"""The audit trail: services write it, nobody edits it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from customers.actor import Actor
from customers.models import AuditEvent, Customer


def record(
    *,
    actor: Actor,
    action: str,
    object_type: str,
    object_code: str,
    changes: Mapping[str, Any] | None = None,
    customer: Customer | None = None,
    reason: str = "",
    at: datetime | None = None,
) -> AuditEvent:
    """Writes one event in the caller's transaction. `changes` maps a field to `[was, is]`, or names facts."""
    return AuditEvent.objects.create(
        at=at or timezone.now(),
        account=actor.account,
        client=actor.client,
        actor=actor.label,
        customer=customer,
        action=action,
        object_type=object_type,
        object_code=object_code,
        changes=dict(changes or {}),
        reason=reason,
    )


@dataclass(frozen=True, slots=True)
class Event:
    """One of many things done at once, for `record_all`."""

    action: str
    object_type: str
    object_code: str
    changes: Mapping[str, Any] = field(default_factory=dict)


def record_all(*, actor: Actor, events: Iterable[Event], at: datetime) -> None:
    """Writes an event for each, as `record` does, but thousands of them in a moment."""
    AuditEvent.objects.bulk_create(
        AuditEvent(
            at=at,
            account=actor.account,
            client=actor.client,
            actor=actor.label,
            action=event.action,
            object_type=event.object_type,
            object_code=event.object_code,
            changes=dict(event.changes),
        )
        for event in events
    )
