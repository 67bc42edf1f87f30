"""Courses of items: a change counts from its instant to the next one, and can be taken out again (P-9)."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.courses import Course, Stretch, at_instant, changed, course_of, instants, moved, stretches_of, without
from tests.licensing.market import hours

A, B = 1, 2
NOW = hours(0)
INSTANTS = st.integers(0, 6).map(hours)
CHANGES = st.lists(st.tuples(INSTANTS, st.integers(0, 3)), max_size=6)


def course(changes: list[tuple[datetime, int]]) -> Course:
    made: Course = ()
    for at, quantity in changes:
        made = changed(made, at, A, quantity)
    return made


def quantity(of: Course, at: datetime) -> int:
    step = at_instant(of, at)
    return step.quantity if step is not None else 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([(NOW, 3)], [Stretch(A, 3, NOW, None)]),
        ([(NOW, 3), (hours(2), 5)], [Stretch(A, 3, NOW, hours(2)), Stretch(A, 5, hours(2), None)]),
        ([(NOW, 3), (hours(2), 0)], [Stretch(A, 3, NOW, hours(2))]),
        ([(hours(2), 5)], [Stretch(A, 5, hours(2), None)]),
        ([(NOW, 3), (hours(2), 3)], [Stretch(A, 3, NOW, None)]),
        ([(NOW, 3), (hours(4), 5), (hours(2), 5)], [Stretch(A, 3, NOW, hours(2)), Stretch(A, 5, hours(2), None)]),
        ([(NOW, 3), (NOW, 0)], []),
    ],
)
def test_changes_make_stretches(changes: list[tuple[datetime, int]], expected: list[Stretch]) -> None:
    assert stretches_of(course(changes)) == expected


@given(CHANGES)
def test_stored_and_read_again_it_says_the_same(changes: list[tuple[datetime, int]]) -> None:
    made = course(changes)
    again = course_of(stretches_of(made), NOW)
    for hour in range(8):
        assert quantity(again, hours(hour)) == quantity(made, hours(hour))
    assert stretches_of(again) == stretches_of(made)


@given(CHANGES, INSTANTS, st.integers(0, 3))
def test_a_change_counts_until_the_next_and_leaves_all_else(
    changes: list[tuple[datetime, int]], at: datetime, wanted: int
) -> None:
    before = course(changes)
    after = changed(before, at, A, wanted)
    following = min((step.at for step in before if step.at > at), default=hours(99))
    for hour in range(8):
        inside = at <= hours(hour) < following
        assert quantity(after, hours(hour)) == (wanted if inside else quantity(before, hours(hour)))


@given(CHANGES, INSTANTS)
def test_without_a_step_what_was_before_goes_on(changes: list[tuple[datetime, int]], at: datetime) -> None:
    before = course(changes)
    after = without(before, at)
    assert quantity(after, at) == next((s.quantity for s in reversed(before) if s.at < at), 0)
    assert at not in instants({"a": after}, NOW)[1:]


def test_overlapping_items_add_up_and_move_together() -> None:
    both = course_of([Stretch(A, 2, hours(-5), None), Stretch(A, 3, hours(1), hours(3))], NOW)
    assert [quantity(both, hours(n)) for n in (0, 1, 3)] == [2, 5, 2]
    assert {step.version for step in moved(both, B)} == {B}
