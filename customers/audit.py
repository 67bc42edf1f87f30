"""The audit trail: services write it, nobody edits it."""

from __future__ import annotations

from collections.abc import Mapping
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
