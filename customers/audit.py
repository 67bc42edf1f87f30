"""The audit trail: services write it, nobody edits it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.utils import timezone
from django.utils.formats import date_format

from customers.actor import Actor
from customers.inserting import insert_rows
from customers.models import AuditEvent, Customer

NEWEST: Final = 100


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
    event: AuditEvent = AuditEvent.objects.create(
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
    return event


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
    label = actor.label
    account, client, whose = (None if row is None else row.pk for row in (actor.account, actor.client, customer))
    insert_rows(
        AuditEvent,
        (
            *("at", "account_id", "client_id", "actor", "customer_id"),
            *("action", "object_type", "object_code", "changes", "reason"),
        ),
        (
            (at, account, client, label, whose, e.action, e.object_type, e.object_code, dict(e.changes), reason)
            for e in events
        ),
    )


def trail_of(**known_as: Any) -> dict[str, Any]:
    """Returns the newest events about one object, each with `what` was done and what was `told`: names, was and is,
    by name, since databases keep the members of JSON in an order of their own.

    `known_as` are the fields of AuditEvent that name the object; without a code there is nothing to look for.
    """
    if not known_as.get("object_code"):
        return {"events": [], "has_more_events": False}
    found = tell(AuditEvent.objects.filter(**known_as)[: NEWEST + 1])
    return {"events": found[:NEWEST], "has_more_events": len(found) > NEWEST}


def tell(events: Iterable[Any]) -> list[Any]:
    """Returns the events, each with `what` was done and what was `told` of it, in words."""
    found = list(events)
    for event in found:
        event.what = in_words(event.action)
        event.told = sorted(_told(name, value) for name, value in event.changes.items())
    return found


def in_words(action: str) -> str:
    """Returns `Version published` for `version.published`, and the like for kinds of objects."""
    return action.replace(".", " ").replace("_", " ").capitalize()


def kinds_recorded(column: str) -> list[str]:
    """Returns the distinct actions, or object types, that the trail has ever seen, in order.

    One query that jumps along an index from each to the next: it costs as many steps as there are kinds, whatever the
    number of events. `column` is `action` or `object_type`.
    """
    if column not in ("action", "object_type"):
        raise ValueError(column)
    table = AuditEvent._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE kinds (kind) AS (
                SELECT MIN({column}) FROM {table}
                UNION ALL
                SELECT (SELECT MIN({column}) FROM {table} WHERE {column} > kind) FROM kinds WHERE kind IS NOT NULL
            )
            SELECT kind FROM kinds WHERE kind IS NOT NULL
            """  # noqa: S608 - a column of two, and our own table
        )
        return [kind for (kind,) in cursor.fetchall()]


def _told(name: str, value: Any) -> tuple[str, str, str]:
    was, now = value if isinstance(value, list) and len(value) == 2 else (None, value)
    shown = name.replace("_", " ").replace(".", " · ").capitalize()
    return shown, "" if was in (None, "", []) else _plain(was), _plain(now)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "–"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(each)}" for name, each in value.items()) or "–"
    if isinstance(value, str) and "T" in value:
        with suppress(ValueError):
            return date_format(datetime.fromisoformat(value), "DATETIME_FORMAT")
    return "–" if value in (None, "") else str(value)
