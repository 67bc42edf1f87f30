"""The audit trail: services write it, nobody edits it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.utils import timezone
from django.utils.formats import date_format

from customers.actor import Actor
from customers.models import AuditEvent, Customer

NEWEST: Final = 100
BATCH: Final = 1000


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


def record_all(
    *, actor: Actor, events: Iterable[Event], at: datetime, customer: Customer | None = None, reason: str = ""
) -> None:
    """Writes an event for each, as `record` does, but thousands of them in a moment."""
    AuditEvent.objects.bulk_create(
        (
            AuditEvent(
                at=at,
                account=actor.account,
                client=actor.client,
                actor=actor.label,
                customer=customer,
                action=event.action,
                object_type=event.object_type,
                object_code=event.object_code,
                changes=dict(event.changes),
                reason=reason,
            )
            for event in events
        ),
        batch_size=BATCH,
    )


def trail_of(**known_as: Any) -> dict[str, Any]:
    """Returns the newest events about one object, each with `what` was done and what was `told`: names, was and is,
    by name, since databases keep the members of JSON in an order of their own.

    `known_as` are the fields of AuditEvent that name the object; without a code there is nothing to look for.
    """
    if not known_as.get("object_code"):
        return {"events": [], "has_more_events": False}
    found: list[Any] = list(AuditEvent.objects.filter(**known_as)[: NEWEST + 1])
    for event in found:
        event.what = event.action.replace(".", " ").replace("_", " ").capitalize()
        event.told = sorted(_told(name, value) for name, value in event.changes.items())
    return {"events": list(islice(found, NEWEST)), "has_more_events": len(found) > NEWEST}


def _told(name: str, value: Any) -> tuple[str, str, str]:
    was, now = value if isinstance(value, list) and len(value) == 2 else (None, value)
    return name.replace("_", " ").replace(".", " · ").capitalize(), "" if was is None else _plain(was), _plain(now)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, str) and "T" in value:
        with suppress(ValueError):
            return date_format(datetime.fromisoformat(value), "DATETIME_FORMAT")
    return "–" if value in (None, "") else str(value)
