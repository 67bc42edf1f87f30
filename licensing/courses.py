"""How many of a plan or add-on a customer has, from now on: a course of steps, and what changing one does. Pure.

An item that is scheduled to be another quantity later is a course of two steps; cancelling what was scheduled takes the
step out again. Steps that change nothing are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest


@dataclass(frozen=True, slots=True)
class Step:
    """From `at` on, `quantity` of the version; 0 is none."""

    at: datetime
    version: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """An item as it is stored: `[starts_at, ends_at)`."""

    version: int
    quantity: int
    starts_at: datetime
    ends_at: datetime | None


Course = tuple[Step, ...]


def course_of(stretches: Iterable[Stretch], now: datetime) -> Course:
    """Returns the course from `now` on; stretches that overlap add up (P-7: they are of one version)."""
    listed = list(stretches)
    ends = {item.ends_at for item in listed if item.ends_at is not None}
    instants = {now} | {at for at in ({item.starts_at for item in listed} | ends) if at > now}
    steps = []
    last = listed[0].version if listed else 0
    for at in sorted(instants):
        there = [item for item in listed if item.starts_at <= at and (item.ends_at is None or at < item.ends_at)]
        last = there[0].version if there else last
        steps.append(Step(at, last, sum(item.quantity for item in there)))
    return _joined(steps)


def changed(course: Course, at: datetime, version: int, quantity: int) -> Course:
    """Returns the course with another quantity from `at` until its next step; later steps stay."""
    return _joined([*(step for step in course if step.at < at), Step(at, version, quantity), *_after(course, at)])


def without(course: Course, at: datetime) -> Course:
    """Returns the course without the step at `at`: what was before goes on."""
    return _joined([step for step in course if step.at != at])


def moved(course: Course, version: int) -> Course:
    """Returns the course with all its steps on another version."""
    return _joined([Step(step.at, version, step.quantity) for step in course])


def at_instant(course: Course, at: datetime) -> Step | None:
    """Returns the step that counts at `at`; none before the first."""
    return next((step for step in reversed(course) if step.at <= at), None)


def stretches_of(course: Course) -> list[Stretch]:
    """Returns the course as items are stored."""
    ends = [step.at for step in course[1:]]
    return [
        Stretch(step.version, step.quantity, step.at, end) for step, end in zip_longest(course, ends) if step.quantity
    ]


def instants(courses: Mapping[str, Course], now: datetime) -> list[datetime]:
    """Returns `now` and every later instant at which any of the courses steps."""
    return sorted({now} | {step.at for course in courses.values() for step in course if step.at > now})


def _after(course: Course, at: datetime) -> list[Step]:
    return [step for step in course if step.at > at]


def _joined(steps: Sequence[Step]) -> Course:
    kept: list[Step] = []
    for step in steps:
        is_same = bool(kept) and (
            (kept[-1].quantity, kept[-1].version) == (step.quantity, step.version)
            or kept[-1].quantity == step.quantity == 0
        )
        if not is_same:
            kept.append(step)
    return tuple(kept)
