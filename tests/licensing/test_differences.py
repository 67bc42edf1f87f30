"""What changes for somebody between two answers."""

from __future__ import annotations

import pytest
from hypothesis import given

from catalog.kinds import UNLIMITED, Value
from licensing.differences import Effect, differences, in_words
from licensing.facts import Access, Choice, FeatureDef
from licensing.resolution import Decision, Resolution, resolve
from tests.licensing.drawing import World, worlds

FLOWS = FeatureDef("flows", "switch", "any", "Flows")
MAILS = FeatureDef("mails", "limit", "max", "Mails", unit="recipients")
TILES = FeatureDef("tiles", "level", "highest", "Tiles", choices=(Choice("basic", "Basic"), Choice("custom", "Custom")))


def answers(feature: FeatureDef, access: Access, value: Value | None = None) -> Resolution:
    return Resolution((), (), {feature.code: Decision(feature, access, value, value)})


NOTHING = Resolution((), (), {})
EDIT, VIEW, NONE = Access.EDIT, Access.VIEW, Access.NONE


@pytest.mark.parametrize(
    ("before", "after", "effect", "words"),
    [
        (NOTHING, answers(FLOWS, EDIT, True), Effect.GAINED, ("Not there", "Included")),
        (answers(FLOWS, NONE), answers(FLOWS, VIEW), Effect.GAINED, ("Not there", "To look at only")),
        (answers(FLOWS, VIEW), answers(FLOWS, EDIT, True), Effect.RAISED, ("To look at only", "Included")),
        (answers(FLOWS, EDIT, True), answers(FLOWS, VIEW), Effect.LOWERED, ("Included", "To look at only")),
        (answers(FLOWS, EDIT, True), NOTHING, Effect.LOST, ("Included", "Not there")),
        (answers(MAILS, EDIT, 500), answers(MAILS, EDIT, 2000), Effect.RAISED, ("500 recipients", "2,000 recipients")),
        (
            answers(MAILS, EDIT, UNLIMITED),
            answers(MAILS, EDIT, 9),
            Effect.LOWERED,
            ("Unlimited recipients", "9 recipients"),
        ),
        (answers(TILES, EDIT, "basic"), answers(TILES, EDIT, "custom"), Effect.RAISED, ("Basic", "Custom")),
    ],
)
def test_one_feature(before: Resolution, after: Resolution, effect: Effect, words: tuple[str, str]) -> None:
    (found,) = differences(before, after)
    assert (found.effect, (found.before, found.after)) == (effect, words)


def test_nothing_differs_where_access_and_value_stay() -> None:
    assert differences(answers(MAILS, VIEW), answers(MAILS, VIEW)) == ()
    assert differences(answers(FLOWS, NONE), NOTHING) == ()
    assert in_words(None) == "Not there"


@given(worlds(), worlds())
def test_exactly_what_apps_would_be_told_otherwise(one: World, other: World) -> None:
    before, after = resolve(one.facts, one.who), resolve(other.facts, other.who)
    told = {"before": before.content()["features"], "after": after.content()["features"]}
    changed = {
        code
        for code in told["before"].keys() | told["after"].keys()
        if told["before"].get(code) != told["after"].get(code)
    }
    assert {d.feature.code for d in differences(before, after)} == changed


@given(worlds(), worlds())
def test_there_and_back_is_the_opposite(one: World, other: World) -> None:
    opposite = {
        Effect.GAINED: Effect.LOST,
        Effect.LOST: Effect.GAINED,
        Effect.RAISED: Effect.LOWERED,
        Effect.LOWERED: Effect.RAISED,
    }
    before, after = resolve(one.facts, one.who), resolve(other.facts, other.who)
    there = {d.feature.code: d.effect for d in differences(before, after)}
    back = {d.feature.code: d.effect for d in differences(after, before)}
    assert {code: opposite[effect] for code, effect in there.items()} == back
