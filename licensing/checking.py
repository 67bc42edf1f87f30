"""Reads of many at once: what each of up to a thousand (customer, user) may do now, in one look-up (H-10).

The pairs arrive in the statement as JSON and are joined as one pair is in `licensing/reading.py`. All of them are read
at one instant, or at the customer's last stamp where that is later.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from django.db import connections
from django.utils import timezone

from licensing.reading import NUMBER_NOW, Reading, as_text, reading_of
from licensing.statements import Statement, fetch

Pair = tuple[str, str | None]  # codes of customer and user; none: the customer as a whole

_ASKED: Final = {
    "postgresql": """SELECT row_number() OVER () AS n, a.c AS customer, a.u AS asked
        FROM json_to_recordset(%(asked)s::json) AS a(c text, u text)""",
    "sqlite": """SELECT key + 1 AS n, json_extract(value, '$.c') AS customer, json_extract(value, '$.u') AS asked
        FROM json_each(%(asked)s)""",
}
_CLOCK: Final = {"postgresql": "SELECT clock_timestamp() AS at", "sqlite": "SELECT %(now)s AS at"}
_LATER: Final = {"postgresql": "greatest(clock.at, r.stamp)", "sqlite": "max(clock.at, r.stamp)"}
_MANY: Final = """
WITH asked AS ({asked}), clock AS {materialized} ({clock}), i AS (
    SELECT asked.n, asked.asked, c.id, c.code, r.own_holding_id AS own, {number} AS number, {instant} AS at
    FROM asked CROSS JOIN clock
    JOIN customers_customer c ON lower(c.code) = lower(asked.customer)
    JOIN licensing_customerrevision r ON r.customer_id = c.id)
SELECT i.n, i.id, i.code, u.code, i.number, i.at, up.ends_at, hp.ends_at, up.id, hp.id, hp.set_id, hp.status,
    NULL, i.number, NULL
FROM i
LEFT JOIN customers_customeruser u
    ON i.asked IS NOT NULL AND u.customer_id = i.id AND lower(u.code) = lower(i.asked)
LEFT JOIN licensing_userperiod up
    ON up.user_id = u.id AND up.starts_at <= i.at AND (up.ends_at IS NULL OR up.ends_at > i.at)
LEFT JOIN licensing_holdingperiod hp
    ON hp.holding_id = CASE WHEN i.asked IS NULL THEN i.own ELSE up.holding_id END
    AND hp.starts_at <= i.at AND (hp.ends_at IS NULL OR hp.ends_at > i.at)
"""
_STATEMENTS: Final = {
    vendor: Statement(
        "many",
        _MANY.format(
            asked=_ASKED[vendor],
            clock=_CLOCK[vendor],
            materialized="MATERIALIZED",
            instant=_LATER[vendor],
            number=NUMBER_NOW.format(instant=_LATER[vendor]),
        ),
        ("asked",),
    )
    for vendor in _ASKED
}


def read_many(pairs: Sequence[Pair]) -> list[Reading | None]:
    """Returns the reading of each pair, in their order; none for an unknown customer, whose `user` is none for an
    unknown user. Without `owners`. One query.
    """
    vendor = connections["default"].vendor
    asked = json.dumps([{"c": customer, "u": user} for customer, user in pairs])
    values: dict[str, str | None] = {"asked": asked, "now": as_text(timezone.now()) if vendor == "sqlite" else None}
    found: list[Reading | None] = [None] * len(pairs)
    for number, *row in fetch(_STATEMENTS[vendor], values):
        found[number - 1] = reading_of(tuple(row))
    return found
