"""Terms and billing periods: months counted from the anchor, the first term twelve of them (B-1 to B-4)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from random import Random

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from licensing.term import add_months, dates_ending, first_term_end, next_renewal, renewals, term_at

DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))
PERIODS = st.sampled_from([1, 3, 6, 12])


@pytest.mark.parametrize(
    ("anchor", "months", "expected"),
    [
        (date(2025, 1, 31), 1, date(2025, 2, 28)),
        (date(2025, 1, 31), 2, date(2025, 3, 31)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2025, 12, 15), 1, date(2026, 1, 15)),
        (date(2025, 3, 31), -1, date(2025, 2, 28)),
        (date(2025, 1, 15), -1, date(2024, 12, 15)),
        (date(2025, 6, 30), 0, date(2025, 6, 30)),
    ],
)
def test_months_are_counted_from_the_anchor(anchor: date, months: int, expected: date) -> None:
    assert add_months(anchor, months) == expected


def test_after_the_first_term_it_renews_one_billing_period_at_a_time() -> None:
    quarterly = islice(renewals(date(2025, 1, 31), 3), 4)
    assert list(quarterly) == [date(2026, 1, 31), date(2026, 4, 30), date(2026, 7, 31), date(2026, 10, 31)]


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2025, 1, 31), date(2026, 1, 31)),
        (date(2026, 1, 30), date(2026, 1, 31)),
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2026, 2, 28), date(2026, 3, 31)),
    ],
)
def test_the_next_renewal_is_after_the_day_asked_about(on: date, expected: date) -> None:
    assert next_renewal(date(2025, 1, 31), 1, on) == expected


@given(DAYS, PERIODS, st.integers(0, 20_000))
def test_it_is_the_first_of_all_renewals_after_that_day(starts_on: date, billing_months: int, later: int) -> None:
    on = starts_on + timedelta(days=later)
    assert next_renewal(starts_on, billing_months, on) == next(
        day for day in renewals(starts_on, billing_months) if day > on
    )


@given(DAYS, PERIODS)
def test_renewals_only_move_forward(starts_on: date, billing_months: int) -> None:
    days = list(islice(renewals(starts_on, billing_months), 30))
    assert all(before < after for before, after in pairwise(days))
    assert all(day.day == starts_on.day or day.day >= 28 for day in days)


def test_ten_thousand_random_terms_are_as_dateutil_has_them() -> None:
    """B-1, B-2: any date, past or future; month ends and leap days come up often."""
    dice = Random(20260105)  # noqa: S311 - examples, no secret
    for _ in range(10_000):
        year, month = dice.randrange(1970, 2200), dice.randrange(1, 13)
        last = (date(year, month, 1) + relativedelta(months=1) - timedelta(days=1)).day
        anchor = date(year, month, dice.choice([1, 15, last, last, min(29, last), dice.randrange(1, last + 1)]))
        months, billing = dice.randrange(-600, 600), dice.choice([1, 3, 6, 12])
        assert add_months(anchor, months) == anchor + relativedelta(months=months)
        on = anchor + timedelta(days=dice.choice([0, 364, 365, 366, dice.randrange(-2000, 20_000)]))
        assert next_renewal(anchor, billing, on) == _slowly(anchor, billing, on), (anchor, billing, on)


def _slowly(anchor: date, billing: int, on: date) -> date:
    """Returns the first renewal after `on`, by stepping through all of them."""
    passed = 12
    while anchor + relativedelta(months=passed) <= on:
        passed += billing
    return anchor + relativedelta(months=passed)


@given(DAYS, PERIODS, st.integers(-400, 20_000))
def test_every_day_lies_in_one_term(starts_on: date, billing_months: int, later: int) -> None:
    on = starts_on + timedelta(days=later)
    term = term_at(starts_on, billing_months, on)
    assert term.is_first == (on < first_term_end(starts_on))
    assert term.starts_on <= max(on, starts_on) < term.ends_on
    if not term.is_first:
        assert term.starts_on == first_term_end(starts_on) or term.starts_on in (
            term_at(starts_on, billing_months, term.starts_on - timedelta(days=1)).ends_on,
        )


@pytest.mark.parametrize(
    ("ends_on", "warns_on"),
    [
        (date(2025, 3, 31), date(2025, 2, 28)),
        (date(2024, 3, 31), date(2024, 2, 29)),
        (date(2025, 1, 15), date(2024, 12, 15)),
    ],
)
def test_a_package_that_ends_warns_a_month_before_and_stops_12_days_after(ends_on: date, warns_on: date) -> None:
    """B-4."""
    ends_at = datetime(ends_on.year, ends_on.month, ends_on.day, tzinfo=UTC)
    dates = dates_ending(ends_at)
    assert dates.warning_at == datetime(warns_on.year, warns_on.month, warns_on.day, tzinfo=UTC)
    assert (dates.expires_at, dates.grace_until) == (ends_at, ends_at + timedelta(days=12))
    assert dates_ending(None).as_json() == {}
