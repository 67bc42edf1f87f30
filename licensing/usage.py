"""How much of a limit is used: the arithmetic of counting, without a database. Pure. Rules L-1 to L-7.

What is used counts, and what is reserved until it is confirmed, released or its time is over.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from catalog.kinds import KINDS, UNLIMITED, Value
from licensing.term import midnight, month_at

NEAR_PERCENT: Final = 85
OFFERS_NAMED: Final = 3
_LIMIT: Final = KINDS["limit"]


class Resets(enum.StrEnum):
    """When counting starts again from 0."""

    NEVER = ""
    CALENDAR_MONTH = "calendar_month"
    CONTRACT_MONTH = "contract_month"


class UsageState(enum.StrEnum):
    NORMAL = "normal"
    NEAR = "near"
    REACHED = "reached"


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is counted together, `[starts_at, ends_at)`."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """What is counted against a limit (a number from 0, or UNLIMITED), in the feature's unit."""

    limit: Value
    used: int
    reserved: int = 0

    @property
    def taken(self) -> int:
        return self.used + self.reserved

    @property
    def remaining(self) -> int | None:
        """What is left, never below 0; none where there is no limit."""
        return None if self.limit is UNLIMITED else max(0, int(self.limit) - self.taken)

    @property
    def state(self) -> UsageState:
        """`reached` from the limit on, `near` from 85 % of it on (L-2)."""
        if self.limit is UNLIMITED:
            return UsageState.NORMAL
        if self.taken >= int(self.limit):
            return UsageState.REACHED
        is_near = self.taken * 100 >= int(self.limit) * NEAR_PERCENT
        return UsageState.NEAR if is_near else UsageState.NORMAL

    def has_room_for(self, amount: int) -> bool:
        """Whether so much more would stay within the limit (L-3)."""
        return self.limit is UNLIMITED or self.taken + amount <= int(self.limit)


@dataclass(frozen=True, slots=True)
class WayOut:
    """Something that would give more, and the limit that would be in force with it.

    `how` it is to be had is the word of `licensing.giving`, `type` plan, add_on or module; `needs` a module that is
    missing for it; `free` how many seats are, none where they aren't counted.
    """

    how: str
    code: str
    name: str
    type: str
    limit: Value
    needs: str | None = None
    free: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether it is a seat of which none is free: one more would have to be bought, or given up by somebody."""
        return self.free == 0


def window_at(resets: Resets, anchor: date | None, at: datetime) -> Window | None:
    """Returns what `at` is counted in; none where counting never starts again (L-4).

    Months of the contract are counted from `anchor`, the day that the subscription began; without one they are those
    of the calendar. Days begin at midnight UTC.
    """
    if resets is Resets.NEVER:
        return None
    is_contract = resets is Resets.CONTRACT_MONTH and anchor is not None
    first, end = month_at(anchor if is_contract and anchor else at.date().replace(day=1), at.date())
    return Window(midnight(first), midnight(end))


def ways_out(needed: int, ways: Iterable[WayOut]) -> Sequence[WayOut]:
    """Returns what would allow `needed` in all, three at most (L-7).

    The least that suffices first, plans before others, what is free before what would have to be bought.
    """
    found = [way for way in ways if way.limit is UNLIMITED or int(way.limit) >= needed]
    found.sort(key=lambda way: (_LIMIT.rank(way.limit), way.type != "plan", not way.free))
    return found[:OFFERS_NAMED]
