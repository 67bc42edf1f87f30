"""What a rule of a plan or add-on names: another one by its code, or a tier as `tier:CODE`. Pure; rules E-1 and E-2.

No code holds a colon, so both fit into one list wherever rules are written: files, frozen content, the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

TIER: Final = "tier:"


class Standing(Protocol):
    """A plan or add-on as the rules of others meet it; `tier` is the code of the tier it is sold as."""

    @property
    def code(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def tier(self) -> str | None: ...


def tier_target(code: str) -> str:
    """Returns how a rule names a tier."""
    return f"{TIER}{code}"


def tier_of(target: str) -> str | None:
    """Returns the code of the tier that a rule names; None when it names a plan or add-on."""
    return target.removeprefix(TIER) if target.startswith(TIER) else None


def meets(target: str, other: Standing, ranks: Mapping[str, int]) -> bool:
    """Whether `other` is what a rule needs: that very plan or add-on, or a plan of that tier or a higher one.

    `ranks` are those of the tiers, by code; of a tier without one, only a plan sold as just that tier will do.
    """
    tier = tier_of(target)
    if tier is None:
        return other.code == target
    if other.type != "plan" or other.tier is None:
        return False
    wanted, held = ranks.get(tier), ranks.get(other.tier)
    return other.tier == tier or (wanted is not None and held is not None and held >= wanted)


def hits(target: str, other: Standing) -> bool:
    """Whether `other` is what a rule excludes: that very plan or add-on, or a plan sold as exactly that tier."""
    tier = tier_of(target)
    return other.code == target if tier is None else other.type == "plan" and other.tier == tier


def in_words(target: str, verb: str, names: Mapping[str, str] | None = None) -> str:
    """Returns a target for people. `names` has the names of plans, add-ons and tiers, by target."""
    tier = tier_of(target)
    name = (names or {}).get(target)
    if tier is None:
        return name or target
    plan = f"a plan of tier {name or tier}"
    return f"{plan} or higher" if verb == "needs" else plan
