"""Where the lines and bars of a chart run. Pure: numbers → points in a box of 1000 × 100, which the page stretches.

A chart has no words in it: titles, scales and the table of its data stand around it as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

WIDTH: Final = 1000
HEIGHT: Final = 100
MOST_SERIES: Final = 5
_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    points: str  # of an SVG polyline
    number: int  # which of the styles `series-N` it has


@dataclass(frozen=True, slots=True)
class LineChart:
    """Counts by day; `rows` is the same as a table, newest first, with only those days on which something changed."""

    names: tuple[str, ...]
    lines: tuple[Line, ...]
    scale: tuple[int, ...]  # from the top down
    first: date
    last: date
    rows: tuple[tuple[date, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    short: str  # below the bar, where there is little room
    value: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class BarChart:
    """A count per label, standing side by side."""

    bars: tuple[Bar, ...]
    scale: tuple[int, ...]


def scale_for(highest: int) -> tuple[int, ...]:
    """Returns the marks of a scale from the top down to 0, in round steps: 87 → 100, 50, 0; 3 → 3, 2, 1, 0."""
    step, power = 1, 1
    while True:
        for digit in _STEPS:
            step = digit * power
            count = -(-highest // step)
            if count <= 4:  # more marks would crowd a chart of this height
                return tuple(step * mark for mark in range(max(count, 1), -1, -1))
        power *= 10


def count_by_day(at_start: int, changes: Mapping[date, int], first: date, last: date) -> list[int]:
    """Returns the count at the end of each day from `first` to `last`; `changes` are the net changes of a day."""
    counts, count = [], at_start
    for offset in range((last - first).days + 1):
        count += changes.get(first + timedelta(days=offset), 0)
        counts.append(count)
    return counts


def line_chart(series: Mapping[str, Sequence[int]], first: date) -> LineChart:
    """Returns the chart of counts by day (`series`: name → one count per day from `first`), the five largest drawn.

    Counts hold until the next day, so lines run in steps.
    """
    by_size = sorted(series.items(), key=lambda entry: (-max(entry[1]), entry[0]))
    days = len(next(iter(series.values())))
    top = max((max(counts) for counts in series.values()), default=0)
    scale = scale_for(top)
    names = tuple(name for name, _ in by_size)
    drawn = tuple(
        Line(name, _steps(counts, scale[0]), number)
        for number, (name, counts) in enumerate(by_size[:MOST_SERIES], start=1)
    )
    by_day = list(zip(*(counts for _, counts in by_size), strict=True))
    rows = [
        (first + timedelta(days=day), by_day[day])
        for day in range(days)
        if day in (0, days - 1) or by_day[day] != by_day[day - 1]
    ]
    return LineChart(names, drawn, scale, first, first + timedelta(days=days - 1), tuple(reversed(rows)))


def bar_chart(values: Sequence[tuple[str, str, int]]) -> BarChart:
    """Returns the chart of one bar per (label, short label, value), in their order."""
    scale = scale_for(max((value for _, _, value in values), default=0))
    slot = WIDTH / max(len(values), 1)
    bars = tuple(
        Bar(
            label,
            short,
            value,
            x=round(slot * (at + 0.15), 1),
            y=round(HEIGHT - HEIGHT * value / scale[0], 2),
            width=round(slot * 0.7, 1),
            height=round(HEIGHT * value / scale[0], 2),
        )
        for at, (label, short, value) in enumerate(values)
    )
    return BarChart(bars, scale)


def _steps(counts: Sequence[int], top: int) -> str:
    """Returns the points of a line that runs flat and jumps; equal days are left out."""
    slot = WIDTH / len(counts)
    points = [(0.0, counts[0])]
    for day in range(1, len(counts)):
        if counts[day] != counts[day - 1]:
            points += [(slot * day, counts[day - 1]), (slot * day, counts[day])]
    points.append((float(WIDTH), counts[-1]))
    return " ".join(f"{x:.1f},{HEIGHT - HEIGHT * count / top:.2f}" for x, count in points)
