"""Where lines and bars run."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.portal.charts import HEIGHT, MOST_SERIES, WIDTH, bar_chart, count_by_day, line_chart, scale_for

MONDAY = date(2026, 3, 2)
COUNTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("highest", "scale"),
    [(0, (1, 0)), (1, (1, 0)), (3, (3, 2, 1, 0)), (87, (100, 50, 0)), (4, (4, 3, 2, 1, 0)), (5, (6, 4, 2, 0))],
)
def test_a_scale_has_few_round_marks(highest: int, scale: tuple[int, ...]) -> None:
    assert scale_for(highest) == scale


@given(st.integers(0, 10**9))
def test_a_scale_reaches_the_highest_without_wasting_the_room(highest: int) -> None:
    marks = scale_for(highest)
    assert marks[0] >= highest
    assert marks[-1] == 0
    assert len(marks) <= 5
    assert highest == 0 or marks[1] < highest


def test_counts_hold_until_the_next_change() -> None:
    changes = {date(2026, 3, 3): 2, date(2026, 3, 5): -1, date(2026, 4, 1): 9}
    assert count_by_day(5, changes, MONDAY, date(2026, 3, 6)) == [5, 7, 7, 6, 6]


def test_a_line_runs_in_steps_and_the_table_has_the_days_of_change() -> None:
    chart = line_chart({"Sales": [0, 2, 2, 4]}, MONDAY)
    assert chart.scale == (4, 3, 2, 1, 0)
    assert chart.lines[0].points == "0.0,100.00 250.0,100.00 250.0,50.00 750.0,50.00 750.0,0.00 1000.0,0.00"
    assert chart.rows == (
        (date(2026, 3, 5), (4,)),
        (date(2026, 3, 3), (2,)),
        (MONDAY, (0,)),
    )


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5), st.lists(st.integers(0, 999), min_size=6, max_size=6), min_size=1, max_size=9
    )
)
def test_the_largest_are_drawn_and_all_are_in_the_table(series: dict[str, list[int]]) -> None:
    chart = line_chart(series, MONDAY)
    drawn = [line.name for line in chart.lines]
    assert set(chart.names) == series.keys()
    assert len(drawn) == min(len(series), MOST_SERIES)
    left_out = series.keys() - set(drawn)
    assert all(max(series[name]) >= max(series[other]) for name in drawn for other in left_out)
    assert chart.rows[0][1] == tuple(series[name][-1] for name in chart.names)
    for line in chart.lines:
        points = [tuple(map(float, point.split(","))) for point in line.points.split()]
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


@given(COUNTS)
def test_bars_stand_on_the_ground_side_by_side(values: list[int]) -> None:
    chart = bar_chart([(str(at), str(at), value) for at, value in enumerate(values)])
    assert [bar.value for bar in chart.bars] == values
    for bar, following in zip(chart.bars, chart.bars[1:], strict=False):
        assert bar.x + bar.width <= following.x + 0.2
    for bar in chart.bars:
        assert bar.y + bar.height == pytest.approx(HEIGHT, abs=0.02)
        assert (bar.height == 0) == (bar.value == 0) or bar.value / chart.scale[0] < 0.0001
