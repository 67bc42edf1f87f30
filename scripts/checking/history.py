"""What was written, when that was acknowledged, and so what a read that began then may answer. Knows no network.

Each user has one writer, which writes one plan after the other. A write whose worker died before it answered may have
come through or not: until the next one is acknowledged, both are right.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

NEVER: Final = 0


@dataclass(slots=True)
class Write:
    """A plan on its way to a user; acknowledged once it has a `revision`."""

    plan: str
    revision: int = NEVER


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was acknowledged when a read began: the customer's newest revision, and the user's last write."""

    customer: str
    user: str
    revision: int
    write: int


@dataclass(slots=True)
class History:
    """Shared by all who write and read."""

    writes: dict[tuple[str, str], list[Write]] = field(default_factory=lambda: defaultdict(list))
    acknowledged: dict[tuple[str, str], int] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def writing(self, customer: str, user: str, plan: str) -> Write:
        write = Write(plan)
        with self.lock:
            self.writes[customer, user].append(write)
        return write

    def written(self, customer: str, user: str, write: Write, revision: int) -> None:
        """Notes an acknowledgement: whoever begins to read from now on must see this write, or a later one."""
        with self.lock:
            write.revision = revision
            self.acknowledged[customer, user] = self.writes[customer, user].index(write)
            self.revisions[customer] = max(self.revisions[customer], revision)

    def reading(self, customer: str, user: str) -> Beginning:
        with self.lock:
            return Beginning(customer, user, self.revisions[customer], self.acknowledged.get((customer, user), -1))

    def fault_of(self, began: Beginning, plans: list[str], revision: int) -> str | None:
        """Returns what is wrong with an answer, None where it is right. `revision` of what is unchanged is NEVER."""
        if revision != NEVER and revision < began.revision:
            return f"revision {revision}, though {began.revision} had been acknowledged"
        if began.write < 0:
            return None  # nobody knows yet what the user began with
        with self.lock:
            may_be = {write.plan for write in self.writes[began.customer, began.user][began.write :]}
        if not may_be & set(plans):
            return f"plans {plans}, though one of {sorted(may_be)} had been acknowledged, or was under way"
        return None
