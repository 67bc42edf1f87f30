"""The arithmetic of counting, without a database. Rules L-2 to L-4 and L-7."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.kinds import UNLIMITED, Value
from licensing.term import month_at
from licensing.usage import Resets, Tally, UsageState, WayOut, ways_out, window_at

DAYS = st.dates(date(2020, 1, 1), date(2040, 1, 1))


@pytest.mark.parametrize(
    ("limit", "used", "reserved", "remaining", "state"),
    [
        (100, 0, 0, 100, "normal"),
        (100, 84, 0, 16, "normal"),
        (100, 85, 0, 15, "near"),
        (100, 80, 5, 15, "near"),
        (100, 99, 0, 1, "near"),
        (100, 100, 0, 0, "reached"),
        (100, 90, 10, 0, "reached"),
        (100, 140, 0, 0, "reached"),
        (0, 0, 0, 0, "reached"),
        (1, 0, 0, 1, "normal"),
        (UNLIMITED, 10**9, 5, None, "normal"),
    ],
)
def test_what_is_left_and_how_near_the_limit_is(
    limit: Value, used: int, reserved: int, remaining: int | None, state: str
) -> None:
    tally = Tally(limit, used, reserved)
    assert (tally.remaining, tally.state.value) == (remaining, state)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 1000))
def test_there_is_room_exactly_for_what_remains(limit: int, used: int, reserved: int, amount: int) -> None:
    tally = Tally(limit, used, reserved)
    assert tally.has_room_for(amount) == (amount <= (tally.remaining or 0))
    assert (tally.state is UsageState.REACHED) == (tally.remaining == 0)


@pytest.mark.parametrize(
    ("resets", "anchor", "at", "first", "end"),
    [
        ("calendar_month", None, "2026-02-10", "2026-02-01", "2026-03-01"),
        ("calendar_month", "2025-01-31", "2026-12-31", "2026-12-01", "2027-01-01"),
        ("contract_month", "2026-01-31", "2026-02-27", "2026-01-31", "2026-02-28"),
        ("contract_month", "2026-01-31", "2026-02-28", "2026-02-28", "2026-03-31"),
        ("contract_month", "2026-01-31", "2026-03-30", "2026-02-28", "2026-03-31"),
        ("contract_month", "2026-01-15", "2026-01-14", "2025-12-15", "2026-01-15"),
        ("contract_month", None, "2026-02-10", "2026-02-01", "2026-03-01"),
    ],
)
def test_what_is_counted_together(resets: str, anchor: str | None, at: str, first: str, end: str) -> None:
    noon = datetime.combine(date.fromisoformat(at), datetime.min.time(), UTC) + timedelta(hours=12)
    window = window_at(Resets(resets), date.fromisoformat(anchor) if anchor else None, noon)
    assert window is not None
    assert (window.starts_at.date().isoformat(), window.ends_at.date().isoformat()) == (first, end)


def test_what_never_starts_again_has_no_window() -> None:
    assert window_at(Resets.NEVER, date(2026, 1, 1), datetime(2026, 2, 1, tzinfo=UTC)) is None


@given(DAYS, DAYS)
def test_months_of_a_contract_leave_no_day_out_and_none_twice(anchor: date, on: date) -> None:
    first, end = month_at(anchor, on)
    assert first <= on < end
    assert month_at(anchor, end)[0] == end
    assert month_at(anchor, first - timedelta(days=1))[1] == first


ESSENTIALS = WayOut("sale", "essentials", "Essentials", "plan", 50)
PREMIUM = WayOut("sale", "premium", "Premium", "plan", 200)
BEST = WayOut("seat", "best", "Best", "plan", UNLIMITED)
MORE = WayOut("more", "more", "More", "add_on", 200)


@pytest.mark.parametrize(
    ("needed", "codes"),
    [
        (10, ["essentials", "premium", "more"]),
        (50, ["essentials", "premium", "more"]),
        (51, ["premium", "more", "best"]),
        (201, ["best"]),
    ],
)
def test_what_would_allow_it_the_least_that_suffices_first(needed: int, codes: list[str]) -> None:
    assert [way.code for way in ways_out(needed, [BEST, MORE, PREMIUM, ESSENTIALS])] == codes


def test_of_what_gives_the_same_a_free_seat_comes_first() -> None:
    full, free = (WayOut("seat", code, code, "plan", 200, free=n) for code, n in (("full", 0), ("free", 2)))
    assert [way.code for way in ways_out(51, [full, MORE, PREMIUM, free])] == ["free", "full", "premium"]
