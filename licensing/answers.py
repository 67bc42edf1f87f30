"""What differs between two stored answers, feature by feature. Pure.

Stored sets name no order of a level's choices, so what is another value is told as that: before, and after.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.kinds import KINDS, Kind

NOTHING: Final[Mapping[str, Any]] = {"access": "none"}


class Turn(enum.StrEnum):
    """What became of a feature from one stretch to the next."""

    GAINED = "gained"  # not there before
    CHANGED = "changed"  # another access or value
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Named:
    """What people call a feature, its unit and its choices."""

    name: str = ""
    unit: str = ""
    choices: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Turned:
    """One feature that is answered otherwise."""

    code: str
    turn: Turn
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def turned(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Turned]:
    """Yields what differs between two sets' features, by code."""
    for code in sorted(before.keys() | after.keys()):
        was, now = before.get(code, NOTHING), after.get(code, NOTHING)
        if was == now:
            continue
        turn = Turn.CHANGED
        if was["access"] == "none":
            turn = Turn.GAINED
        elif now["access"] == "none":
            turn = Turn.LOST
        yield Turned(code, turn, was, now)


def answer_in_words(answer: Mapping[str, Any] | None, named: Named | None = None) -> str:
    """Returns an answer as people say it: its value, "To look at only", "Not there"; of none: "Not recorded"."""
    if answer is None:
        return "Not recorded"
    if answer["access"] != "edit":
        return "To look at only" if answer["access"] == "view" else "Not there"
    named = named or Named()
    kind: Kind = KINDS[answer["kind"]]
    value = kind.from_json(answer, (str(answer["value"]),))
    return kind.show(value, named.choices, named.unit)
