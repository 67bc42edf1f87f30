"""Contract arithmetic: terms and billing periods, anchored to the day that a subscription starts. Pure.

The first term is 12 months; then a subscription renews by one billing period at a time. Months are counted from the
anchor, never from the end before: from 31 January one month leads to the end of February and two to 31 March. Days
begin at midnight UTC (B-1 to B-4).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Final

FIRST_TERM_MONTHS: Final = 12
GRACE: Final = timedelta(days=12)
WARNING_MONTHS: Final = 1
_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class Term:
    """A first term or a billing period after it: `[starts_on, ends_on)`."""

    starts_on: date
    ends_on: date
    is_first: bool


@dataclass(frozen=True, slots=True)
class PackageDates:
    """When a package warns, expires and stops; all none where it has no end (C-30)."""

    warning_at: datetime | None = None
    expires_at: datetime | None = None
    grace_until: datetime | None = None

    def as_json(self) -> dict[str, str]:
        """Returns the dates that there are, as text."""
        named = {"warning_at": self.warning_at, "expires_at": self.expires_at, "grace_until": self.grace_until}
        return {name: at.isoformat() for name, at in named.items() if at is not None}


def add_months(anchor: date, months: int) -> date:
    """Returns the same day so many months later, or the last one of a month that is too short (B-2)."""
    year, month = divmod(anchor.year * _MONTHS + anchor.month - 1 + months, _MONTHS)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def month_at(anchor: date, on: date) -> tuple[date, date]:
    """Returns the month counted from `anchor` that `on` lies in, `[first, end)`; clamped as add_months does (L-4)."""
    months = (on.year - anchor.year) * _MONTHS + on.month - anchor.month
    while add_months(anchor, months) > on:
        months -= 1
    while add_months(anchor, months + 1) <= on:
        months += 1
    return add_months(anchor, months), add_months(anchor, months + 1)


def renewals(starts_on: date, billing_months: int) -> Iterator[date]:
    """Yields the days on which a subscription renews: the end of its first term, then of every billing period."""
    for months in count(FIRST_TERM_MONTHS, billing_months):
        yield add_months(starts_on, months)


def term_at(starts_on: date, billing_months: int, on: date) -> Term:
    """Returns the term that `on` lies in: the first one, or a billing period (B-1). Before the start: the first."""
    first = add_months(starts_on, FIRST_TERM_MONTHS)
    if on < first:
        return Term(starts_on, first, is_first=True)
    months = (on.year - starts_on.year) * _MONTHS + on.month - starts_on.month
    passed = (months - FIRST_TERM_MONTHS) // billing_months
    # Clamped to the end of a short month, the period may have begun already, or not yet.
    for ahead in count(passed):
        ends_on = add_months(starts_on, FIRST_TERM_MONTHS + (ahead + 1) * billing_months)
        begins_on = add_months(starts_on, FIRST_TERM_MONTHS + ahead * billing_months)
        if on < begins_on:
            return Term(add_months(starts_on, FIRST_TERM_MONTHS + (ahead - 1) * billing_months), begins_on, False)
        if on < ends_on:
            return Term(begins_on, ends_on, is_first=False)
    raise AssertionError("time goes on")


def next_renewal(starts_on: date, billing_months: int, on: date) -> date:
    """Returns the first renewal after `on`; cancelled then, that is where it ends (B-3)."""
    return term_at(starts_on, billing_months, on).ends_on


def first_term_end(starts_on: date) -> date:
    """Returns the day on which the first term is over."""
    return add_months(starts_on, FIRST_TERM_MONTHS)


def midnight(day: date) -> datetime:
    """Returns the instant at which a day begins."""
    return datetime.combine(day, time(), tzinfo=UTC)


def dates_ending(ends_at: datetime | None) -> PackageDates:
    """Returns the dates of a package whose term ends: warning a month before, grace 12 days after (B-4)."""
    if ends_at is None:
        return PackageDates()
    return PackageDates(midnight(add_months(ends_at.date(), -WARNING_MONTHS)), ends_at, ends_at + GRACE)
