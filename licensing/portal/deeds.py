"""What can be done with a migration: by whom, when, and what people are asked before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from customers.access import Access
from customers.actor import Actor
from licensing.models import Migration
from licensing.services import migrating, moving

State = Migration.State
PROPOSES: Final = "catalog:draft"
RUNS: Final = "customers:write"


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that can be done with a migration: by whom, in which states of it, with which words."""

    label: str
    question: str
    told: str
    do: Callable[[Migration, Actor, datetime, Mapping[str, str]], object]
    states: tuple[str, ...]
    needs: tuple[str, ...] = ()  # customers in one of these states
    scopes: tuple[str, ...] = (RUNS,)
    asks_reason: bool = False
    is_main: bool = False

    def fits(self, migration: Migration, counts: Mapping[str, int], access: Access) -> bool:
        if migration.state not in self.states or not any(map(access.allows, self.scopes)):
            return False
        return not self.needs or any(counts[state] for state in self.needs)


STUCK: Final = ("blocked", "overdue", "failed")
DEEDS: Final[Mapping[str, Deed]] = {
    "start": Deed(
        "Start…",
        "Whom it moves is fixed now. Each customer moves when it is due.",
        "Started.",
        lambda m, actor, at, said: migrating.start(
            migration=m, actor=actor, at=at, allows_pending=said.get("allows_pending") == "1"
        ),
        (State.PROPOSED,),
        is_main=True,
    ),
    "look-again": Deed(
        "Preview again…",
        "Customers come and go: the preview is worked out anew, as of now.",
        "The preview is being worked out.",
        lambda m, actor, at, said: migrating.look_again(migration=m, actor=actor, at=at),
        (State.PROPOSED,),
        scopes=(RUNS, PROPOSES),
    ),
    "pause": Deed(
        "Pause…",
        "It stops after the customer that it is at. Nobody who was moved goes back.",
        "Paused.",
        lambda m, actor, at, said: migrating.pause(migration=m, actor=actor, at=at, reason=said["reason"]),
        (State.RUNNING,),
        asks_reason=True,
    ),
    "resume": Deed(
        "Resume…",
        "It goes on where it stopped.",
        "It goes on.",
        lambda m, actor, at, said: migrating.resume(migration=m, actor=actor, at=at),
        (State.PAUSED,),
        is_main=True,
    ),
    "try-again": Deed(
        "Try the others again…",
        "Everybody who was blocked, is overdue or failed is tried again, now.",
        "They are tried again.",
        lambda m, actor, at, said: migrating.try_again(migration=m, actor=actor, at=at),
        (State.RUNNING, State.DONE),
        needs=STUCK,
    ),
    "roll-back": Deed(
        "Roll back all…",
        "Everybody it moved goes back to the version before, and nobody else is moved. "
        "Who has been moved again since stays.",
        "They are going back.",
        lambda m, actor, at, said: moving.roll_back_all(migration=m, actor=actor, at=at),
        (State.RUNNING, State.PAUSED, State.DONE, State.CANCELLED),
        needs=("moved",),
    ),
    "cancel": Deed(
        "Cancel…",
        "Nobody else is moved. Who was moved stays where they are.",
        "Cancelled.",
        lambda m, actor, at, said: migrating.cancel(migration=m, actor=actor, at=at, reason=said["reason"]),
        (State.PROPOSED, State.RUNNING, State.PAUSED),
        scopes=(RUNS, PROPOSES),
        asks_reason=True,
    ),
}
