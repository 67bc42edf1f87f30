"""Contract arithmetic: terms and billing periods, anchored to the day that a subscription starts. Pure.

The first term is 12 months; then a subscription renews by one billing period at a time. Months are counted from the
anchor, never from the end before: from 31 January one month leads to the end of February and two to 31 March.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from itertools import count
from typing import Final

FIRST_TERM_MONTHS: Final = 12
_MONTHS: Final = 12


def add_months(anchor: date, months: int) -> date:
    """Returns the same day so many months later, or the last one of a month that is too short."""
    year, month = divmod(anchor.year * _MONTHS + anchor.month - 1 + months, _MONTHS)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def renewals(starts_on: date, billing_months: int) -> Iterator[date]:
    """Yields the days on which a subscription renews: the end of its first term, then of every billing period."""
    for months in count(FIRST_TERM_MONTHS, billing_months):
        yield add_months(starts_on, months)


def next_renewal(starts_on: date, billing_months: int, on: date) -> date:
    """Returns the first renewal after `on`."""
    first = add_months(starts_on, FIRST_TERM_MONTHS)
    if on < first:
        return first
    months = (on.year - starts_on.year) * _MONTHS + on.month - starts_on.month
    periods = (months - FIRST_TERM_MONTHS) // billing_months
    later = (add_months(starts_on, FIRST_TERM_MONTHS + ahead * billing_months) for ahead in count(periods))
    return next(day for day in later if day > on)
