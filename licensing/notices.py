"""Which ends are told of, and when: 90, 30, 7 and 1 days before (D-3). Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

DAYS: Final = (90, 30, 7, 1)
FURTHEST: Final = timedelta(days=DAYS[0])


class NoticeKind(enum.StrEnum):
    FIRST_TERM = "first_term"  # it renews by itself from here on
    CANCELLED = "cancelled"  # the last term of a subscription that was cancelled
    EXPIRY = "expiry"  # of a package that no subscription stands behind
    GRACE = "grace"  # from here on nothing can be edited


def kind_choices() -> list[tuple[str, str]]:
    return [(kind.value, kind.value.replace("_", " ")) for kind in NoticeKind]


@dataclass(frozen=True, slots=True)
class Ending:
    """Something that ends at `at`; before `since` nobody is told of it."""

    kind: NoticeKind
    about: str
    at: datetime
    since: datetime | None = None

    def days_due(self, now: datetime) -> tuple[int, ...]:
        """Returns the notices whose time has come, the one to be sent last; none once the end is there.

        Of several that came due together only the last is worth a mail: the others would say the same.
        """
        if now >= self.at:
            return ()
        due = ((days, self.at - timedelta(days=days)) for days in DAYS)
        return tuple(days for days, from_ in due if from_ <= now and (self.since is None or self.since <= from_))
