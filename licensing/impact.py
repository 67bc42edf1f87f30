"""Who would gain and lose what, if a customer's facts were others. Users are many, holdings few: each is seen once.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from licensing.differences import Difference, Effect
from licensing.facts import Holding


@dataclass
class Impact:
    """Users by what would happen to them; impacts of several customers add up (rule I-1).

    `features`: (feature code, effect) → users. `effects`: effect → users to whom that happens with any feature.
    `users` hold the plan or add-on in question; `changed` are those for whom anything changes, `worse` those who lose
    something or get less of it, `others` those changed who don't hold it: colleagues may look at what a plan carries.
    """

    users: int = 0
    changed: int = 0
    worse: int = 0
    others: int = 0
    features: Counter[tuple[str, Effect]] = field(default_factory=Counter)
    effects: Counter[Effect] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, other: Impact) -> None:
        self.users += other.users
        self.changed += other.changed
        self.worse += other.worse
        self.others += other.others
        self.features.update(other.features)
        self.effects.update(other.effects)
        self.names |= other.names


def impact(
    compare: Callable[[Holding], Iterable[Difference]],
    holdings: Iterable[tuple[Holding, int]],
    module: str | None = None,
) -> Impact:
    """Returns the impact on users who have the `holdings` (each with how many users have it).

    `compare` says what would differ for a holding. Who holds `module` counts as a user of what is changed; without
    one, everybody does.
    """
    total = Impact()
    for holding, users in holdings:
        is_holder = module is None or module in holding.modules
        found = tuple(compare(holding))
        effects = {each.effect for each in found}
        total.users += users if is_holder else 0
        total.changed += users if found else 0
        total.worse += users if effects & {Effect.LOST, Effect.LOWERED} else 0
        total.others += users if found and not is_holder else 0
        total.effects.update(dict.fromkeys(effects, users))
        for each in found:
            total.features[each.feature.code, each.effect] += users
            total.names[each.feature.code] = each.name
    return total
