"""A whole customer at an instant: every user's set, each set once (H-11). One look-up, nothing resolved or written.

The users come grouped by set, their codes joined: ten thousand rows would cost more to receive than to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import DEFAULT_DB_ALIAS

from licensing.reading import as_instant, look_up, statements_for
from licensing.statements import Row

# What names the state of a customer: its revision, in which what the clock has changed counts.
_STATE: Final = "WITH i AS ({head}) SELECT i.id, i.code, i.number, i.recorded, i.at, i.due FROM i"
_SNAPSHOT: Final = """
WITH i AS ({head}), hp AS (
    SELECT p.holding_id, p.set_id, p.ends_at, p.status, p.owners
    FROM i JOIN licensing_holdingperiod p
        ON p.customer_id = i.id AND p.starts_at <= i.at AND (p.ends_at IS NULL OR p.ends_at > i.at)),
held AS (
    SELECT up.user_id, up.holding_id, up.ends_at
    FROM i JOIN licensing_userperiod up
        ON up.customer_id = i.id AND up.starts_at <= i.at AND up.ends_at IS NULL
    UNION ALL
    SELECT up.user_id, up.holding_id, up.ends_at
    FROM i JOIN licensing_userperiod up
        ON up.customer_id = i.id AND up.starts_at <= i.at AND up.ends_at IS NOT NULL AND up.ends_at > i.at)
SELECT i.id, i.code, i.number, i.recorded, i.at, i.due, own.set_id, own.status, own.owners{text}, NULL AS codes,
    own.ends_at, NULL AS user_ends_at
FROM i LEFT JOIN hp own ON own.holding_id = i.own
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, hp.set_id, NULL, NULL, {joined}(u.code, ' '), min(hp.ends_at),
    min(held.ends_at)
FROM held
JOIN hp ON hp.holding_id = held.holding_id
JOIN customers_customeruser u ON u.id = held.user_id
GROUP BY hp.set_id
"""
_STATES: Final = statements_for("state", _STATE, ("customer",), ("due", "then"))
_SNAPSHOTS: Final = statements_for("snapshot", _SNAPSHOT, ("customer",), ("due", "then"))


@dataclass(frozen=True, slots=True)
class State:
    """Which revision a customer is at: that of `as_of`, and the one recorded now.

    `due_at` is when the clock changes something next, as of the last commit: it may have passed.
    """

    customer_id: int
    customer: str
    revision: int
    recorded: int
    as_of: datetime
    due_at: datetime | None

    @property
    def is_found(self) -> bool:
        return True

    @property
    def etag(self) -> str:
        """Names the revision told, and for another instant than now the one recorded too.

        One commit more and one instant fewer to come lead to the same number, and so does an erasure that renames.
        """
        return f"s{self.revision}" if self.recorded == self.revision else f"s{self.revision}-n{self.recorded}"


@dataclass(frozen=True, slots=True)
class Snapshot(State):
    """A customer's answers at `as_of`: those of its users, by set, and `whole`, its own (none: nothing recorded)."""

    valid_until: datetime | None
    status: str
    owners: str  # JSON
    whole: int | None
    users: Mapping[int, list[str]]  # set id → user codes

    @property
    def set_ids(self) -> list[int]:
        """The sets in the order in which they are told: the customer's own, then those of most users."""
        often = sorted(self.users, key=lambda set_id: (-len(self.users[set_id]), set_id))
        own = [] if self.whole is None else [self.whole]
        return list(dict.fromkeys([*own, *often]))


def read_state(customer: str, at: datetime | None = None, *, using: str = DEFAULT_DB_ALIAS) -> State | None:
    """Returns the customer's state; none for an unknown one. One query."""
    rows = look_up(_STATES, "due" if at is None else "then", {"customer": customer}, at, using)
    if not rows:
        return None
    customer_id, code, revision, recorded = rows[0][:4]
    return State(customer_id, code, revision, recorded, *_instants(rows[0]))


def read_snapshot(customer: str, at: datetime | None = None, *, using: str = DEFAULT_DB_ALIAS) -> Snapshot | None:
    """Returns the customer's snapshot; none for an unknown one. One query."""
    rows = look_up(_SNAPSHOTS, "due" if at is None else "then", {"customer": customer}, at, using)
    if not rows:
        return None
    (head,) = (row for row in rows if row[0] is not None)
    as_of, due_at = _instants(head)
    whole, status, owners = head[6:9]
    return Snapshot(
        customer_id=head[0],
        customer=head[1],
        revision=head[2],
        recorded=head[3],
        as_of=as_of,
        due_at=due_at,
        valid_until=_earliest(end for row in rows for end in row[10:]),
        status=status or "none",
        owners=owners or "{}",
        whole=whole,
        users={row[6]: sorted(row[9].split(" ")) for row in rows if row[0] is None},
    )


def _instants(row: Row) -> tuple[datetime, datetime | None]:
    return as_instant(row[4]), None if row[5] is None else as_instant(row[5])


def _earliest(ends: Iterable[datetime | str | None]) -> datetime | None:
    return min((as_instant(end) for end in ends if end is not None), default=None)
