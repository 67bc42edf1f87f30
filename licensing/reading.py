"""The hot read: what a user, or a customer as a whole, may do at an instant. One look-up, nothing resolved or written.

The look-up is raw SQL on purpose. It joins customer, revision, user, user period and holding period; the ORM would
spend longer on building and parsing the statement than the database on answering it; `licensing/statements.py` sends
it. The instant is taken inside the statement: the later of the database's clock and the customer's last stamp, so a
read sees every committed write, whatever the clocks of two machines say.

What the clock has changed since the last commit counts in the revision as it will once somebody writes it down: one per
instant (H-8). Only then, until the worker has done so, a second look-up counts those instants.

Entitlement sets are immutable, so a process may keep them; who holds what is never kept.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from customers.errors import Refusal
from customers.memory import Memory
from licensing.models import EntitlementSet
from licensing.statements import Row, Statement, fetch

_LOG: Final = structlog.get_logger(__name__)

NOW: Final = {
    "postgresql": "greatest(clock_timestamp(), r.stamp)",
    "sqlite": "max(%(now)s, r.stamp)",
}
GIVEN: Final = {"postgresql": "%(at)s::timestamptz", "sqlite": "%(at)s"}
TEXT: Final = {"postgresql": "::text", "sqlite": ""}
JOINED: Final = {"postgresql": "string_agg", "sqlite": "group_concat"}
# How many instants have passed since the last commit at which the clock changed something. As services/future.py
# finds them when it writes them down.
PASSED: Final = """(SELECT count(*) FROM (
    SELECT ends_at FROM licensing_userperiod
    WHERE customer_id = c.id AND ends_at IS NOT NULL AND ends_at > r.stamp AND ends_at <= {instant}
    UNION SELECT ends_at FROM licensing_holdingperiod
    WHERE customer_id = c.id AND ends_at > r.stamp AND ends_at <= {instant}
    UNION SELECT activated_at FROM licensing_package
    WHERE customer_id = c.id AND state = 'scheduled' AND activated_at <= {instant}
    UNION SELECT ends_at FROM licensing_subscription
    WHERE customer_id = c.id AND ended_at IS NULL AND ends_at <= {instant}) passed)"""
NUMBER_NOW: Final = f"r.number + CASE WHEN r.due_at <= {{instant}} THEN {PASSED} ELSE 0 END"
# S608: nothing that anybody sent is part of these statements; they are put together when this module is loaded.
NUMBER_THEN: Final = f"""coalesce((
    SELECT e.number FROM licensing_revisionentry e
    WHERE e.customer_id = c.id AND e.at <= {{instant}} ORDER BY e.at DESC, e.number DESC LIMIT 1), 0)
    + CASE WHEN r.stamp < {{instant}} AND r.due_at <= {{instant}} THEN {PASSED} ELSE 0 END"""  # noqa: S608 - see above
# The hot one asks whether anything is due, and leaves the counting to the few that find so.
_NUMBER_WRITTEN: Final = "r.number"
_HEAD: Final = """
    SELECT c.id, c.code AS code, r.own_holding_id AS own, {number} AS number, {recorded} AS recorded, {instant} AS at,
        r.due_at AS due
    FROM customers_customer c JOIN licensing_customerrevision r ON r.customer_id = c.id
    WHERE lower(c.code) = lower(%(customer)s)
"""
_USER: Final = """
WITH i AS ({head})
SELECT i.id, i.code, u.code, i.number, i.at, up.ends_at, hp.ends_at, up.id, hp.id, hp.set_id, hp.status,
    hp.owners{text}, i.recorded, i.due <= i.at
FROM i
LEFT JOIN customers_customeruser u ON u.customer_id = i.id AND lower(u.code) = lower(%(user)s)
LEFT JOIN licensing_userperiod up
    ON up.user_id = u.id AND up.starts_at <= i.at AND (up.ends_at IS NULL OR up.ends_at > i.at)
LEFT JOIN licensing_holdingperiod hp
    ON hp.holding_id = up.holding_id AND hp.starts_at <= i.at AND (hp.ends_at IS NULL OR hp.ends_at > i.at)
"""
_CUSTOMER: Final = """
WITH i AS ({head})
SELECT i.id, i.code, NULL, i.number, i.at, NULL, hp.ends_at, 0, hp.id, hp.set_id, hp.status,
    hp.owners{text}, i.recorded, i.due <= i.at
FROM i
LEFT JOIN licensing_holdingperiod hp
    ON hp.holding_id = i.own AND hp.starts_at <= i.at AND (hp.ends_at IS NULL OR hp.ends_at > i.at)
"""
# What is asked for, and how its statements count revisions.
_SUBJECTS: Final = {"user": (_USER, ("customer", "user")), "customer": (_CUSTOMER, ("customer",))}
_WAYS: Final = {"now": _NUMBER_WRITTEN, "due": NUMBER_NOW, "then": NUMBER_THEN}


def statements_for(name: str, body: str, parameters: tuple[str, ...], ways: Iterable[str] = _WAYS) -> dict[Any, Any]:
    """Returns the statements of a look-up by (vendor, way). `body` has {head}, {text} and {joined}."""
    found = {}
    for vendor in NOW:
        for way in ways:
            instant = GIVEN[vendor] if way == "then" else NOW[vendor]
            number = _WAYS[way].format(instant=instant)
            recorded = NUMBER_NOW.format(instant=NOW[vendor]) if way == "then" else number
            head = _HEAD.format(instant=instant, number=number, recorded=recorded)
            sql = body.format(head=head, text=TEXT[vendor], joined=JOINED[vendor])
            known = (*parameters, "at") if way == "then" else parameters
            found[vendor, way] = Statement(f"{name}_{way}", sql, known)
    return found


_STATEMENTS: Final = {name: statements_for(name, *subject) for name, subject in _SUBJECTS.items()}


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
    recorded: int  # the customer's revision now, whatever instant was asked about

    @property
    def is_found(self) -> bool:
        return self.set_id is not None

    @property
    def etag(self) -> str:
        """Names revision and periods, and so ends with the earliest of user period, set period and date state.

        For another instant than now it names the recorded revision, too: each commit may move when a period ends.
        """
        tag = f"r{self.revision}-u{self.periods[0]}-h{self.periods[1]}"
        return tag if self.recorded == self.revision else f"{tag}-n{self.recorded}"


@dataclass(frozen=True, slots=True)
class HeldSet:
    """An entitlement set in memory: features, codes of plans, and its members spelled out as the end of an answer."""

    features: Mapping[str, Mapping[str, Any]]
    tail: bytes
    plans: tuple[str, ...] = ()
    unshared: int = 0  # of its features, what no set before said

    @property
    def weight(self) -> int:
        """Bytes that it takes; what sets say of single features they share."""
        return len(self.tail) + sys.getsizeof(self.features) + self.unshared * _FEATURE + _BESIDES

    def spelled(self, code: str) -> str | None:
        """Returns a feature's code as the set spells it (codes are lower case); None where the set lacks it."""
        if code in self.features:
            return code
        return code.lower() if code.lower() in self.features else None


class SetDamaged(Refusal):
    """A stored set isn't what its digest says: somebody edited it. It is never served."""

    code = "entitlement_set_damaged"
    status = 503
    title = "Entitlement set damaged"


_FEATURE: Final = 300  # bytes of what is said of a feature
_BESIDES: Final = 600  # bytes: the set's own objects, the list of its plans, its place in the memory
_sets: Final = Memory[int, HeldSet](room=settings.SET_MEMORY_MB * 1024 * 1024, weigh=lambda held: held.weight)
# What sets say of a feature is much the same in most of them, and is kept once.
_features: Final = Memory[tuple[Any, ...], Mapping[str, Any]](room=2_000)


def read_user(customer: str, user: str, at: datetime | None = None, *, using: str = DEFAULT_DB_ALIAS) -> Reading | None:
    """Returns the reading of a user by codes (case ignored), now or at `at`; none for an unknown customer.

    `Reading.user` is none for an unknown user. One query; one more while something that came due is not written down.
    """
    return _read("user", {"customer": customer, "user": user}, at, using)


def read_customer(customer: str, at: datetime | None = None, *, using: str = DEFAULT_DB_ALIAS) -> Reading | None:
    """Returns the reading of the customer as a whole; none for an unknown one. Queries as `read_user`."""
    return _read("customer", {"customer": customer}, at, using)


def held_set(set_id: int, *, using: str = DEFAULT_DB_ALIAS) -> HeldSet:
    """Returns a set, from this process's memory if it is there. Raises SetDamaged where digest and content differ."""
    held = _sets.get(set_id)
    return held if held is not None else held_sets([set_id], using=using)[set_id]


def held_sets(set_ids: Iterable[int], *, using: str = DEFAULT_DB_ALIAS) -> dict[int, HeldSet]:
    """Returns sets by id; those that this process has no memory of cost one query together. Raises SetDamaged."""
    found = sets_or_damage(set_ids, using=using)
    for held in found.values():
        if isinstance(held, SetDamaged):
            raise held
    return cast(dict[int, HeldSet], found)


def sets_or_damage(set_ids: Iterable[int], *, using: str = DEFAULT_DB_ALIAS) -> dict[int, HeldSet | SetDamaged]:
    """Returns sets by id, as `held_sets` does; in the place of a damaged one, the refusal."""
    found: dict[int, HeldSet | SetDamaged] = {}
    missing = []
    for set_id in set(set_ids):
        held = _sets.get(set_id)
        if held is None:
            missing.append(set_id)
        else:
            found[set_id] = held
    if missing:
        for row in EntitlementSet.objects.using(using).filter(pk__in=missing):
            found[row.pk] = held_or_damage = _checked(row)
            if isinstance(held_or_damage, HeldSet):
                _sets.keep(row.pk, held_or_damage)
    return found


def _checked(row: EntitlementSet) -> HeldSet | SetDamaged:
    if hashlib.sha256(row.body.encode()).hexdigest() != row.digest:
        _LOG.critical("entitlement_set_damaged", set=row.pk, digest=row.digest)
        return SetDamaged(
            "A stored entitlement set was changed by somebody; it is not served.",
            blocking={"kind": "entitlement_set", "code": row.digest},
            next_action="Tell whoever operates Planarium.",
        )
    return _spelled(json.loads(row.body))


def _spelled(content: Mapping[str, Any]) -> HeldSet:
    """Returns a set's content in the order in which people read an answer."""
    found = {sys.intern(code): _shared(feature) for code, feature in content["features"].items()}
    features = {code: feature for code, (feature, _) in found.items()}
    ordered = {key: content[key] for key in ("multi_plan", "plans", "modules")} | {"features": features}
    tail = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False)[1:].encode()
    plans = tuple(plan["code"] for plan in content["plans"])
    return HeldSet(features, tail, plans, sum(is_new for _, is_new in found.values()))


def _shared(feature: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Returns what a set says of a feature, in the order in which people read it, and whether no set before said it.

    The same object for the same.
    """
    said = tuple((key, feature[key]) for key in ("kind", "access", "value", "unlimited") if key in feature)
    known = said, type(feature["value"])  # 1 and true are equal
    found = _features.get(known)
    if found is not None:
        return found, False
    made = dict(said)
    _features.keep(known, made)
    return made, True


def forget_sets() -> None:
    """Empties this process's memory of sets."""
    _sets.clear()


def look_up(
    statements: Mapping[Any, Statement], way: str, values: Mapping[str, str], at: datetime | None, using: str
) -> list[Row]:
    """Returns the rows of one of the statements that `statements_for` made."""
    vendor = connections[using].vendor
    known: dict[str, str | None] = dict(values)
    if vendor == "sqlite":
        known |= {"now": as_text(timezone.now()), "at": as_text(at)}
    elif at is not None:
        known["at"] = at.isoformat()
    return fetch(statements[vendor, way], known, using)


def _read(subject: str, values: Mapping[str, str], at: datetime | None, using: str) -> Reading | None:
    statements = _STATEMENTS[subject]
    rows = look_up(statements, "now" if at is None else "then", values, at, using)
    if rows and rows[0][-1] and at is None:
        rows = look_up(statements, "due", values, None, using)
    return reading_of(rows[0]) if rows else None


def reading_of(row: Row) -> Reading:
    customer_id, customer, user, number, at, user_end, set_end, user_period, set_period, set_id = row[:10]
    status, owners, recorded, _ = row[10:]
    ends = [as_instant(end) for end in (user_end, set_end) if end is not None]
    return Reading(
        customer_id=customer_id,
        customer=customer,
        user=user,
        revision=number,
        as_of=as_instant(at),
        valid_until=min(ends, default=None),
        periods=(user_period, set_period),
        set_id=set_id,
        status=status or "none",
        owners=owners or "{}",
        recorded=recorded,
    )


def as_text(at: datetime | None) -> str | None:
    """Returns an instant as Django stores it in SQLite."""
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def as_instant(value: datetime | str) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    parsed = parse_datetime(value)
    if parsed is None:
        raise ValueError(f"{value!r} is no instant.")
    return parsed.replace(tzinfo=UTC)
