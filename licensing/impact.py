"""Who would gain and lose what, if a customer's facts were others. Users are many, holdings few: each is resolved once.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from licensing.differences import Effect, differences
from licensing.facts import CustomerFacts, Holding
from licensing.resolution import resolve


@dataclass
class Impact:
    """Users by what would happen to them; impacts of several customers add up.

    `features`: (feature code, effect) → users. `users` are all that were looked at, `changed` those for whom anything
    changes, `worse` those who lose something or get less of it.
    """

    users: int = 0
    changed: int = 0
    worse: int = 0
    features: Counter[tuple[str, Effect]] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, other: Impact) -> None:
        self.users += other.users
        self.changed += other.changed
        self.worse += other.worse
        self.features.update(other.features)
        self.names |= other.names


def impact(before: CustomerFacts, after: CustomerFacts, holdings: Iterable[tuple[Holding, int]]) -> Impact:
    """Returns the impact on users who hold the `holdings` (each with how many users have it)."""
    total = Impact()
    for holding, users in holdings:
        found = differences(resolve(before, holding), resolve(after, holding))
        total.users += users
        total.changed += users if found else 0
        total.worse += users if any(each.effect in (Effect.LOST, Effect.LOWERED) for each in found) else 0
        for each in found:
            total.features[each.feature.code, each.effect] += users
            total.names[each.feature.code] = each.name
    return total
