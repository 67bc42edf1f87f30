"""The hot read: what a user, or a customer as a whole, may do at an instant. One look-up, nothing resolved or written.

The look-up is raw SQL on purpose. It joins customer, revision, user, user period and holding period; the ORM would
spend longer on building and parsing the statement than the database on answering it. On PostgreSQL it runs as a
server-side prepared statement, which Django's own cursor can't (planning five tables anew costs four times the read),
on one cursor per connection, which remembers how to read the columns.
The instant is taken inside the statement: the later of the database's clock and the customer's last stamp, so a read
sees every committed write, whatever the clocks of two machines say.

Entitlement sets are immutable, so a process may keep them; who holds what is never kept.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import structlog
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from customers.errors import Refusal
from customers.memory import Memory
from licensing.models import EntitlementSet

_LOG: Final = structlog.get_logger(__name__)

_NOW: Final = {
    "postgresql": "greatest(clock_timestamp(), r.stamp)",
    "sqlite": "max(%(now)s, r.stamp)",
}
_GIVEN: Final = {"postgresql": "%(at)s::timestamptz", "sqlite": "%(at)s"}
_HEAD: Final = """
    SELECT c.id, c.code AS code, r.own_holding_id AS own, {number} AS number, {instant} AS at
    FROM customers_customer c JOIN licensing_customerrevision r ON r.customer_id = c.id
    WHERE lower(c.code) = lower(%(customer)s)
"""
_NUMBER_NOW: Final = "r.number"
_NUMBER_THEN: Final = """coalesce((
    SELECT e.number FROM licensing_revisionentry e
    WHERE e.customer_id = c.id AND e.at <= {instant} ORDER BY e.at DESC LIMIT 1), 0)"""
_USER: Final = """
WITH i AS ({head})
SELECT i.id, i.code, u.code, i.number, i.at, up.ends_at, hp.ends_at, up.id, hp.id, hp.set_id, hp.status, hp.owners{text}
FROM i
LEFT JOIN customers_customeruser u ON u.customer_id = i.id AND lower(u.code) = lower(%(user)s)
LEFT JOIN licensing_userperiod up
    ON up.user_id = u.id AND up.starts_at <= i.at AND (up.ends_at IS NULL OR up.ends_at > i.at)
LEFT JOIN licensing_holdingperiod hp
    ON hp.holding_id = up.holding_id AND hp.starts_at <= i.at AND (hp.ends_at IS NULL OR hp.ends_at > i.at)
"""
_CUSTOMER: Final = """
WITH i AS ({head})
SELECT i.id, i.code, NULL, i.number, i.at, NULL, hp.ends_at, 0, hp.id, hp.set_id, hp.status, hp.owners{text}
FROM i
LEFT JOIN licensing_holdingperiod hp
    ON hp.holding_id = i.own AND hp.starts_at <= i.at AND (hp.ends_at IS NULL OR hp.ends_at > i.at)
"""


def _statements(vendor: str) -> dict[tuple[bool, bool], str]:
    """Returns the statement per (of a user?, at a given instant?)."""
    found = {}
    for of_user, body in ((True, _USER), (False, _CUSTOMER)):
        for given in (False, True):
            instant = _GIVEN[vendor] if given else _NOW[vendor]
            number = _NUMBER_THEN.format(instant=instant) if given else _NUMBER_NOW
            head = _HEAD.format(instant=instant, number=number)
            found[of_user, given] = body.format(head=head, text="::text" if vendor == "postgresql" else "")
    return found


_SQL: Final = {vendor: _statements(vendor) for vendor in _NOW}


@dataclass(frozen=True, slots=True)
class Reading:
    """What is recorded of a user (none: of the customer as a whole) at `as_of`; `set_id` is none if nothing is."""

    customer_id: int
    customer: str
    user: str | None
    revision: int
    as_of: datetime
    valid_until: datetime | None
    periods: tuple[int | None, int | None]
    set_id: int | None
    status: str
    owners: str  # JSON

    @property
    def etag(self) -> str:
        """Names revision and periods, and so ends with the earliest of user period, set period and date state."""
        return f"r{self.revision}-u{self.periods[0]}-h{self.periods[1]}"


@dataclass(frozen=True, slots=True)
class HeldSet:
    """An entitlement set in memory: its features, and its members spelled out as the end of an answer."""

    features: Mapping[str, Mapping[str, Any]]
    tail: bytes


class SetDamaged(Refusal):
    """A stored set isn't what its digest says: somebody edited it. It is never served."""

    code = "entitlement_set_damaged"
    status = 503
    title = "Entitlement set damaged"


class _Own(threading.local):
    """What each thread keeps, as Django keeps it a connection."""

    cursor: psycopg.Cursor[tuple[Any, ...]] | None = None


_own: Final = _Own()
_sets: Final = Memory[int, HeldSet](entries=settings.SET_MEMORY_ENTRIES)


def read_user(customer: str, user: str, at: datetime | None = None) -> Reading | None:
    """Returns the reading of a user by codes (case ignored), now or at `at`; none for an unknown customer.

    `Reading.user` is none for an unknown user. One query.
    """
    return _reading(_fetch(True, {"customer": customer, "user": user}, at))


def read_customer(customer: str, at: datetime | None = None) -> Reading | None:
    """Returns the reading of the customer as a whole; none for an unknown one. One query."""
    return _reading(_fetch(False, {"customer": customer}, at))


def held_set(set_id: int) -> HeldSet:
    """Returns a set, from this process's memory if it is there. Raises SetDamaged where digest and content differ."""
    held = _sets.get(set_id)
    if held is None:
        row = EntitlementSet.objects.get(pk=set_id)
        if hashlib.sha256(row.body.encode()).hexdigest() != row.digest:
            _LOG.critical("entitlement_set_damaged", set=row.pk, digest=row.digest)
            raise SetDamaged(
                "A stored entitlement set was changed by somebody; it is not served.",
                blocking={"kind": "entitlement_set", "code": row.digest},
                next_action="Tell whoever operates Planarium.",
            )
        held = _spelled(json.loads(row.body))
        _sets.keep(set_id, held)
    return held


def _spelled(content: Mapping[str, Any]) -> HeldSet:
    """Returns a set's content in the order in which people read an answer."""
    features = {
        code: {key: feature[key] for key in ("kind", "access", "value", "unlimited") if key in feature}
        for code, feature in content["features"].items()
    }
    ordered = {key: content[key] for key in ("multi_plan", "plans", "modules")} | {"features": features}
    return HeldSet(features, json.dumps(ordered, separators=(",", ":"), ensure_ascii=False)[1:].encode())


def forget_sets() -> None:
    """Empties this process's memory of sets."""
    _sets.clear()


def _fetch(of_user: bool, names: dict[str, str], at: datetime | None) -> tuple[Any, ...] | None:
    vendor = connection.vendor
    sql = _SQL[vendor][of_user, at is not None]
    if vendor == "sqlite":
        return _run(sql, names | {"now": _as_text(timezone.now()), "at": _as_text(at)})
    params: dict[str, Any] = names if at is None else names | {"at": at}
    if connection.queries_logged:  # Django's cursor, which debugging and query counts listen to
        return _run(sql, params)
    try:
        return _run_prepared(sql, params)
    except (psycopg.OperationalError, OperationalError):
        if connection.in_atomic_block:
            raise
        connection.close()  # the server went away between two requests: once more on a new connection
        return _run_prepared(sql, params)


def _run(sql: str, params: dict[str, Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _run_prepared(sql: str, params: dict[str, Any]) -> tuple[Any, ...] | None:
    connection.ensure_connection()
    cursor = _own.cursor
    if cursor is None or cursor.connection is not connection.connection:
        cursor = _own.cursor = psycopg.Cursor(connection.connection)
    return cursor.execute(sql, params, prepare=True, binary=True).fetchone()


def _reading(row: tuple[Any, ...] | None) -> Reading | None:
    if row is None:
        return None
    customer_id, customer, user, number, at, user_end, set_end, user_period, set_period, set_id, status, owners = row
    ends = [_as_instant(end) for end in (user_end, set_end) if end is not None]
    return Reading(
        customer_id=customer_id,
        customer=customer,
        user=user,
        revision=number,
        as_of=_as_instant(at),
        valid_until=min(ends, default=None),
        periods=(user_period, set_period),
        set_id=set_id,
        status=status or "none",
        owners=owners or "{}",
    )


def _as_text(at: datetime | None) -> str | None:
    """Returns an instant as Django stores it in SQLite."""
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _as_instant(value: datetime | str) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    parsed = parse_datetime(value)
    if parsed is None:
        raise ValueError(f"{value!r} is no instant.")
    return parsed.replace(tzinfo=UTC)
