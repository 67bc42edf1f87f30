"""What a choice would change for a user before it is saved: the features gained, lost, raised and lowered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from customers.models import Customer, CustomerUser
from licensing.differences import Difference, Effect, differences
from licensing.explaining import facts_at
from licensing.facts import Access
from licensing.resolution import resolve

NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class Told:
    """The features of one effect: how many, and the first few by name."""

    effect: Effect
    count: int
    named: tuple[str, ...]

    @property
    def more(self) -> int:
        return self.count - len(self.named)


def what_would_change(customer: Customer, user: CustomerUser, after: frozenset[str], at: datetime) -> list[Told]:
    """Returns what holding the modules `after` (`owner.module`) would change for the user. Nothing is written.

    Five queries, whatever the number of features.
    """
    known = facts_at(customer, user, at)
    if known is None:
        return []
    facts, holding = known
    found = differences(resolve(facts, holding), resolve(facts, replace(holding, modules=after)))
    return [told for told in (_told(effect, found) for effect in Effect) if told.count]


def _told(effect: Effect, found: tuple[Difference, ...]) -> Told:
    of_effect = [difference for difference in found if difference.effect is effect]
    if effect in (Effect.RAISED, Effect.LOWERED):
        names = tuple(f"{each.name} ({_what(each)})" for each in of_effect[:NAMED])
    else:
        names = tuple(each.name for each in of_effect[:NAMED])
    return Told(effect, len(of_effect), names)


def _what(difference: Difference) -> str:
    if difference.was is Access.VIEW:
        return "can now be edited"
    return "to look at only" if difference.now is Access.VIEW else f"{difference.before} → {difference.after}"
