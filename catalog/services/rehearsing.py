"""Rows that were rehearsed, not written, as the facts that `flatten` wants: what `mapping` reads from the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog.content import ChoiceContent, FeatureDefinition, ModuleContent, TierFacts
from catalog.services.defining import Definitions
from catalog.services.mapping import PLACES_PER_GROUP


@dataclass(frozen=True, slots=True)
class RehearsedFacts:
    """What will stand around every draft once the definitions are written. All by code, modules by full name."""

    modules: Mapping[str, ModuleContent]
    definitions: Mapping[str, FeatureDefinition]
    counterparts: Mapping[str, frozenset[str]]
    positions: Mapping[str, int]
    tiers: Mapping[str, TierFacts]


def rehearsed_facts(definitions: Definitions) -> RehearsedFacts:
    """Returns the facts. No query."""
    reader = _Reader(definitions)
    features = {code: reader.feature(code, row) for code, row in definitions.features.items()}
    return RehearsedFacts(
        modules={name: reader.module(row) for name, row in definitions.modules.items()},
        definitions=features,
        counterparts=_counterparts(features),
        positions={code: reader.position(row) for code, row in definitions.features.items()},
        tiers={code: reader.tier(code, row) for code, row in definitions.tiers.items()},
    )


class _Reader:
    """Follows keys from row to row: to one that isn't saved by the object, to others as they were rehearsed."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._modules = {row.pk: name for name, row in definitions.modules.items() if row.pk}
        self._groups = {row.pk: row for row in definitions.groups.values() if row.pk}

    def name(self, module: Any) -> str | None:
        """Returns the full name of a module, by now."""
        if module is None:
            return None
        return self._modules[module.pk] if module.pk else str(module.full_name)

    def module(self, row: Any) -> ModuleContent:
        return ModuleContent(
            owner=row.owner.code,
            name=row.name,
            type=row.type,
            description=row.description,
            tooltip=row.tooltip,
            hidden=row.hidden,
            unrestricted=row.unrestricted,
            prerequisite=self.name(row.prerequisite),
            sort_order=row.sort_order,
        )

    def group(self, row: Any) -> Any:
        return self._groups[row.group.pk] if row.group.pk else row.group

    def position(self, row: Any) -> int:
        place: int = self.group(row).position * PLACES_PER_GROUP + row.position
        return place

    def feature(self, code: str, row: Any) -> FeatureDefinition:
        group = self.group(row)
        return FeatureDefinition(
            code=code,
            name=row.name,
            description=row.description,
            group=group.code,
            group_name=group.name,
            kind=row.kind,
            rule=row.rule,
            unit=row.unit,
            counts=row.counts,
            resets=row.resets,
            choices=tuple(ChoiceContent(*words) for words in self._definitions.choices.get(code, ())),
            site_module=self.name(row.site_module),
            user_module=self.name(row.user_module),
            read_only_without_seat=row.read_only_without_seat,
        )

    def tier(self, code: str, row: Any) -> TierFacts:
        markers = {solution: tiers[code] for solution, tiers in self._definitions.markers.items() if code in tiers}
        return TierFacts(code, row.name, row.rank, self.name(row.user_marker), markers)


def _counterparts(features: Mapping[str, FeatureDefinition]) -> dict[str, frozenset[str]]:
    """Returns, per user module, the site modules that some feature, or choice of a level, pairs it with."""
    found: dict[str, set[str]] = defaultdict(set)
    for feature in features.values():
        pairs = [(feature.site_module, feature.user_module)]
        pairs += [(choice.site_module or feature.site_module, choice.user_module) for choice in feature.choices]
        for site, user in pairs:
            if site is not None and user is not None:
                found[user].add(site)
    return {user: frozenset(sites) for user, sites in found.items()}
