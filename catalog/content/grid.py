"""The matrix of features and plans, cell by cell: what a version says itself, and what it inherits. Pure.

A column's *own* value is a grant of its own; its *inherited* value is what flattening its includes gives without that
grant. Rules M-1 to M-3 of docs/rules.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.content.flattening import difference
from catalog.content.shape import FeatureContent, FeatureDefinition
from catalog.errors import Said
from catalog.kinds import BadValue


@dataclass(frozen=True, slots=True)
class Source:
    """A version that a column includes: its plan, its number, and the `features` of its frozen content, as JSON."""

    code: str
    version: int
    features: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a column's includes give of a feature; `is_disputed` where equally near ones differ, so nobody can say."""

    grant: FeatureContent
    is_disputed: bool = False

    @property
    def said(self) -> Said | None:
        """The value as drafts spell it; nothing while it is disputed."""
        return None if self.is_disputed else spell(self.grant)

    @property
    def origin(self) -> str:
        """The version that defined it, for people."""
        return f"{self.grant.origin} v{self.grant.origin_version}"


def spell(grant: FeatureContent) -> Said:
    """Returns the value of a grant as drafts spell it: a bool, a whole number, "unlimited" or the code of a choice."""
    said = grant.definition.behaviour.as_json(grant.value)
    return "unlimited" if said.get("unlimited") else said["value"]


def inherit(sources: Iterable[Source], code: str) -> Inherited | None:
    """Returns what `sources`, in the order of the includes, give of the feature: the nearest, as flattening has it."""
    found = [
        FeatureContent.from_json(code, source.features[code]).inherited(source.version)
        for source in sources
        if code in source.features
    ]
    if not found:
        return None
    depth = min(grant.depth for grant in found)
    nearest, *siblings = (grant for grant in found if grant.depth == depth)
    return Inherited(nearest, any(difference(nearest, sibling) for sibling in siblings))


def repeats(definition: FeatureDefinition, own: Said | None, inherited: Inherited | None) -> bool:
    """Whether taking the own value away would leave the same: the inherited value, or nothing where it grants nothing.

    A feature that has been defined anew since is no repetition: the own grant brings the new definition.
    """
    if own is None:
        return False
    try:
        value = definition.behaviour.parse(own, definition.choice_codes)
    except BadValue:
        return False
    if inherited is None:
        return not definition.behaviour.grants(value)
    return not inherited.is_disputed and (definition, value) == (inherited.grant.definition, inherited.grant.value)


class Inheritance:
    """What each list of sources gives, worked out once per list and feature: many columns include the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[tuple[str, int], ...], str], Inherited | None] = {}

    def of(self, sources: Sequence[Source], code: str) -> Inherited | None:
        key = (tuple((source.code, source.version) for source in sources), code)
        if key not in self._known:
            self._known[key] = inherit(sources, code)
        return self._known[key]
