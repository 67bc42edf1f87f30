"""What a change of seats gives people and takes from them: features, told once per distinct combination. Pure.

Users are many, combinations few: whoever holds the same before and after, under the same overrides, gains and loses
the same.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from licensing.differences import Difference, Effect, differences
from licensing.facts import CustomerFacts, Holding, Override
from licensing.resolution import Resolution, resolve

GAINS: Final = (Effect.GAINED, Effect.RAISED)
_Holder = tuple[tuple[Override, ...], frozenset[str]]


@dataclass
class Effects:
    """The distinct effects met so far, in `found`; how many users have each, in `users`."""

    facts: CustomerFacts
    found: list[dict[str, list[dict[str, str]]]] = field(default_factory=list)
    users: Counter[int] = field(default_factory=Counter)
    _places: dict[tuple[tuple[Override, ...], frozenset[str], frozenset[str]], int] = field(default_factory=dict)
    _same: dict[str, int] = field(default_factory=dict)
    _answers: dict[_Holder, Resolution] = field(default_factory=dict)

    def place_of(self, before: frozenset[str], after: frozenset[str], overrides: tuple[Override, ...]) -> int:
        """Returns the place in `found` of what somebody with these overrides gains and loses, counting them in."""
        key = (overrides, before, after)
        if key not in self._places:
            effect = told(differences(self._answer(overrides, before), self._answer(overrides, after)))
            spelt = json.dumps(effect, sort_keys=True)
            if spelt not in self._same:
                self._same[spelt] = len(self.found)
                self.found.append(effect)
            self._places[key] = self._same[spelt]
        place = self._places[key]
        self.users[place] += 1
        return place

    def _answer(self, overrides: tuple[Override, ...], modules: frozenset[str]) -> Resolution:
        holder = (overrides, modules)
        if holder not in self._answers:
            self._answers[holder] = resolve(self.facts, Holding(modules=modules, overrides=overrides))
        return self._answers[holder]

    def totals(self) -> dict[str, list[dict[str, Any]]]:
        """Returns how many users gain and lose each feature: `{"gains": [{feature, name, users}], "losses": […]}`."""
        return {side: self._total(side) for side in ("gains", "losses")}

    def _total(self, side: str) -> list[dict[str, Any]]:
        users: Counter[tuple[str, str]] = Counter()
        for place, count in self.users.items():
            for each in self.found[place][side]:
                users[each["feature"], each["name"]] += count
        return [{"feature": code, "name": name, "users": count} for (code, name), count in sorted(users.items())]

    def digests(self) -> list[str]:
        """Returns what each place comes to, as a short hash."""
        return digests_of(self.found)


def told(found: tuple[Difference, ...]) -> dict[str, list[dict[str, str]]]:
    """Returns `{"gains": […], "losses": […]}`, each `{feature, name, effect, before, after}` in words."""
    sides: Mapping[bool, list[dict[str, str]]] = {True: [], False: []}
    for each in found:
        sides[each.effect in GAINS].append(
            {
                "feature": each.feature.code,
                "name": each.name,
                "effect": each.effect.value,
                "before": each.before,
                "after": each.after,
            }
        )
    return {"gains": sides[True], "losses": sides[False]}


def digests_of(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a short hash of each effect."""
    return [hashlib.sha256(json.dumps(effect, sort_keys=True).encode()).hexdigest()[:16] for effect in found]
