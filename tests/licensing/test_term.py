"""Terms and billing periods: months counted from the anchor, the first term twelve of them."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.term import add_months, next_renewal, renewals

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
