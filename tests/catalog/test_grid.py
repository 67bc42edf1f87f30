"""A cell of the matrix: what a version says itself, what it inherits, and which own values repeat that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.content import (
    DraftFacts,
    FeatureContent,
    FeatureDefinition,
    Inheritance,
    Inherited,
    Source,
    VersionContent,
    flatten,
    inherit,
    repeats,
)
from tests.catalog.drawing import DASHBOARDS, MAIL, SALES, frozen, including, plan
from tests.catalog.test_content_properties import POOL, any_family


def source(draft: DraftFacts, version: int = 1) -> Source:
    content: Any = frozen(draft).to_json()
    return Source(draft.offer.code, version, content["features"])


COMMON = plan("common", {MAIL: 500, DASHBOARDS: "charts"})
ESSENTIALS = plan("essentials", {SALES: True, MAIL: 800}, includes=including(COMMON, version=3))


class TestInheriting:
    def test_nothing_included_gives_nothing(self) -> None:
        assert inherit([], "mail") is None
        assert inherit([source(COMMON)], "sales") is None

    def test_the_value_and_the_version_that_defined_it(self) -> None:
        found = inherit([source(ESSENTIALS, 7)], "dashboards")
        assert found is not None
        assert (found.said, found.origin) == ("charts", "common v3")

    def test_the_nearest_wins(self) -> None:
        found = inherit([source(COMMON, 4), source(ESSENTIALS, 7)], "mail")
        assert found is not None
        assert found.is_disputed  # both are one include away
        beside = plan("beside", {SALES: True}, includes=including(COMMON, version=3))
        found = inherit([source(beside), source(ESSENTIALS, 7)], "mail")
        assert found is not None
        assert (found.said, found.origin, found.is_disputed) == (800, "essentials v7", False)

    def test_siblings_that_agree_are_no_dispute(self) -> None:
        found = inherit([source(plan("one", {MAIL: 5})), source(plan("two", {MAIL: 5}))], "mail")
        assert found is not None
        assert (found.said, found.origin) == (5, "one v1")

    def test_what_is_disputed_says_nothing(self) -> None:
        found = inherit([source(plan("one", {MAIL: 5})), source(plan("two", {MAIL: 6}))], "mail")
        assert found is not None
        assert (found.said, found.is_disputed) == (None, True)

    def test_unlimited_is_spelled_as_in_drafts(self) -> None:
        found = inherit([source(plan("one", {MAIL: "unlimited"}))], "mail")
        assert found is not None
        assert found.said == "unlimited"

    def test_the_same_sources_are_asked_once(self) -> None:
        known, sources = Inheritance(), [source(COMMON)]
        assert known.of(sources, "mail") is known.of(list(sources), "mail")


RENAMED = replace(MAIL, unit="letters")


@pytest.mark.parametrize(
    ("definition", "own", "sources", "expected"),
    [
        (MAIL, 500, [COMMON], True),
        (MAIL, 501, [COMMON], False),
        (MAIL, None, [COMMON], False),
        (MAIL, "unlimited", [plan("one", {MAIL: "unlimited"})], True),
        (MAIL, 0, [], True),  # grants nothing, and so does nothing
        (MAIL, 0, [COMMON], False),  # takes away
        (SALES, False, [], True),
        (SALES, False, [plan("one", {SALES: True})], False),
        (SALES, True, [plan("one", {SALES: True})], True),
        (DASHBOARDS, "charts", [COMMON], True),
        (DASHBOARDS, "charts", [], False),
        (DASHBOARDS, "gone", [COMMON], False),  # no value at all
        (RENAMED, 500, [COMMON], False),  # the own grant brings the new definition
        (MAIL, 5, [plan("one", {MAIL: 5}), plan("two", {MAIL: 6})], False),  # it decides a dispute
    ],
)
def test_what_repeats(definition: FeatureDefinition, own: Any, sources: list[DraftFacts], expected: bool) -> None:
    assert repeats(definition, own, inherit([source(each) for each in sources], definition.code)) is expected


def without(draft: DraftFacts, code: str) -> DraftFacts:
    return replace(draft, grants=tuple(grant for grant in draft.grants if grant.definition.code != code))


def inherited_of(draft: DraftFacts, code: str) -> Inherited | None:
    contents = [(include, include.content) for include in draft.includes if include.content is not None]
    sources = [
        Source(include.code, include.version or 0, content.to_json()["features"]) for include, content in contents
    ]
    return inherit(sources, code)


@given(any_family(), st.sampled_from(POOL))
def test_inherited_is_what_flattening_gives_without_the_own_grant(
    family: tuple[DraftFacts, ...], definition: FeatureDefinition
) -> None:
    bare = without(family[0], definition.code)
    content, faults = flatten(bare)
    inherited = inherited_of(bare, definition.code)
    disputed = any(f.code == "sibling_conflict" and f.path == f"features.{definition.code}" for f in faults)
    assert (inherited is not None and inherited.is_disputed) == disputed
    if content is not None:
        features = VersionContent.from_json(content).features
        assert features.get(definition.code) == (
            replace(inherited.grant, position=features[definition.code].position) if inherited else None
        )


def told(feature: FeatureContent | None) -> object:
    return feature and (feature.definition, feature.value)


@given(any_family(), st.sampled_from(POOL))
def test_taking_a_repetition_away_changes_no_value(
    family: tuple[DraftFacts, ...], definition: FeatureDefinition
) -> None:
    draft = family[0]
    own: Any = {grant.definition.code: grant.raw for grant in draft.grants}.get(definition.code)
    (content, _), (bare, _) = flatten(draft), flatten(without(draft, definition.code))
    if content is None or bare is None:
        return
    with_it, without_it = (VersionContent.from_json(each).features.get(definition.code) for each in (content, bare))
    is_same = told(with_it) == told(without_it) and own is not None
    assert repeats(definition, own, inherited_of(draft, definition.code)) == is_same
