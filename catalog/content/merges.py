"""What an add-on's grant does to what somebody has of the feature already. Pure; rule E-11."""

from __future__ import annotations

import enum

from catalog.content.shape import FeatureContent
from catalog.kinds import Unlimited, Value


class Effect(enum.StrEnum):
    GIVES = "gives"  # they didn't have it
    RAISES = "raises"
    NONE = "none"
    LOWERS = "lowers"  # only under the rule *min*


def effect_of(feature: FeatureContent, base: Value | None) -> Effect:
    """Returns what the grant does beside `base` (None: nothing), merged by the feature's rule.

    A base that the feature can't have as it is defined now counts as none.
    """
    definition = feature.definition
    if base is None or not _is_comparable(feature, base):
        return Effect.GIVES
    choices = definition.choice_codes
    merged = definition.behaviour.merge(definition.rule, [base, feature.value], choices)
    if merged == base:
        return Effect.NONE
    rank = definition.behaviour.rank
    return Effect.RAISES if rank(merged, choices) > rank(base, choices) else Effect.LOWERS


def _is_comparable(feature: FeatureContent, base: Value) -> bool:
    if feature.definition.kind == "level":
        return base in feature.definition.choice_codes
    if feature.definition.kind == "switch":
        return isinstance(base, bool)
    return isinstance(base, int | Unlimited) and not isinstance(base, bool)
