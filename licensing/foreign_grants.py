"""What a row without a catalog link grants: the published features that name its modules (X-6). Pure.

A switch is on, a level stands at the highest choice that the row names (its lowest, where it names the feature alone),
a limit is not granted: how many is nothing that a module's name could say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from licensing.facts import FeatureDef


def frozen_grants(features: Iterable[FeatureDef], modules: Iterable[str], origin: str) -> dict[str, Any]:
    """Returns what a row that carries `modules` (`owner.module`) grants, as it stands in a row's `grants`."""
    carried = frozenset(modules)
    found = {}
    for feature in features:
        value = _value(feature, carried)
        if value is not None:
            found[feature.code] = {**feature.as_json(), "value": value, "unlimited": False, "origin": origin}
    return found


def modules_of(feature: FeatureDef) -> frozenset[str]:
    """Returns every module that a feature or one of its choices names."""
    pairs = [(feature.site_module, feature.user_module)] + [(c.site_module, c.user_module) for c in feature.choices]
    return frozenset(module for pair in pairs for module in pair if module is not None)


def by_module(features: Iterable[FeatureDef]) -> Mapping[str, list[FeatureDef]]:
    """Returns the features by each module that they name."""
    found: dict[str, list[FeatureDef]] = {}
    for feature in features:
        for module in modules_of(feature):
            found.setdefault(module, []).append(feature)
    return found


def _value(feature: FeatureDef, carried: frozenset[str]) -> Any:
    if feature.kind == "switch":
        return True if modules_of(feature) & carried else None
    if feature.kind != "level":
        return None
    for choice in reversed(feature.choices):
        if {choice.site_module, choice.user_module} & carried:
            return choice.code
    named = {feature.site_module, feature.user_module} & carried
    return feature.choices[0].code if named and feature.choices else None
