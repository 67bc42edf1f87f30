"""What holds of any draft: the same content however it is put together, and content that fits together."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from catalog.content import (
    SITE,
    ChoiceContent,
    DraftFacts,
    FeatureDefinition,
    OtherOffer,
    VersionContent,
    diff,
    digest,
    flatten,
    tell,
)
from tests.catalog.drawing import (
    ESSENTIALS,
    PREMIUM,
    frozen,
    full,
    including,
    level,
    limit,
    module,
    plan,
    switch,
)

POOL = (
    switch("one", site_module=full("one"), user_module=full("one-cal")),
    switch("two", user_module=full("two-cal"), read_only_without_seat=False),
    limit("three", rule="sum", unit="items"),
    limit("four"),
    level("five", "low", ChoiceContent("high", "High", None, full("five-cal"))),
)
POOL_MODULES = (
    module("one", SITE),
    module("one-cal"),
    module("two-cal", sort_order=1),
    module("five-cal"),
    module("extra", sort_order=5),
)


def any_value(definition: FeatureDefinition) -> st.SearchStrategy[object]:
    if definition.kind == "switch":
        return st.booleans()
    if definition.kind == "limit":
        return st.one_of(st.integers(0, 3), st.just("unlimited"))
    return st.sampled_from(definition.choice_codes)


def any_grants() -> st.SearchStrategy[dict[FeatureDefinition, object]]:
    return st.fixed_dictionaries({}, optional={definition: any_value(definition) for definition in POOL})


@st.composite
def any_draft(draw: st.DrawFn, code: str, includes: tuple[OtherOffer, ...] = ()) -> DraftFacts:
    extras = draw(st.sets(st.sampled_from(["extra", "one-cal"])))
    draft = plan(
        code,
        draw(any_grants()),
        includes=includes,
        modules=POOL_MODULES,
        extra_modules=tuple(full(name) for name in sorted({*extras, "extra"})),
        tier=draw(st.sampled_from([None, ESSENTIALS, PREMIUM])),
        max_quantity=draw(st.none() | st.integers(1, 9)),
    )
    return replace(draft, positions={definition.code: place for place, definition in enumerate(POOL)})


@st.composite
def any_family(draw: st.DrawFn) -> tuple[DraftFacts, ...]:
    """A plan over one to three includes, each over a common set: the draft, and the same with its includes shuffled."""
    common = draw(any_draft("common"))
    inner = [draw(any_draft(f"inner{n}", including(common))) for n in range(draw(st.integers(1, 3)))]
    outer = draw(any_draft("outer", including(*inner)))
    return outer, replace(outer, includes=tuple(draw(st.permutations(outer.includes))))


def without_origins(content: dict[str, Any] | None) -> dict[str, Any] | None:
    if content is None:
        return None
    features = {
        code: {name: value for name, value in feature.items() if name not in {"origin", "origin_version"}}
        for code, feature in content["features"].items()
    }
    return {**content, "features": features, "includes": sorted(content["includes"], key=lambda row: row["code"])}


@given(any_family())
def test_flattening_twice_gives_the_same(family: tuple[DraftFacts, ...]) -> None:
    assert flatten(family[0]) == flatten(family[0])


@given(any_family())
def test_the_order_of_includes_decides_nothing_but_origins(family: tuple[DraftFacts, ...]) -> None:
    (content, faults), (shuffled, other_faults) = (flatten(draft) for draft in family)
    assert without_origins(content) == without_origins(shuffled)
    assert {(fault.code, fault.path) for fault in faults} == {(fault.code, fault.path) for fault in other_faults}


@given(any_family())
def test_content_survives_a_round_trip_with_its_digest(family: tuple[DraftFacts, ...]) -> None:
    content, _ = flatten(family[0])
    if content is not None:
        again = VersionContent.from_json(content).to_json()
        assert again == content
        assert digest(again) == digest(content)


@given(any_family())
def test_what_is_frozen_holds_together(family: tuple[DraftFacts, ...]) -> None:
    content, _ = flatten(family[0])
    if content is None:
        return
    views = VersionContent.from_json(content)
    for feature in views.features.values():
        assert feature.definition.behaviour.grants(feature.value)
        assert views.modules.keys() >= set(feature.module_names)
    assert {full(name) for name in views.set_names} == {
        name for name, row in views.modules.items() if row.is_user_module and row.hidden
    }


@given(any_draft("was"), any_draft("now"))
def test_a_diff_tells_the_way_back_too(was: DraftFacts, now: DraftFacts) -> None:
    there, back = diff(frozen(was), frozen(now)), diff(frozen(now), frozen(was))
    assert [change.code for change in there.added] == [change.code for change in back.removed]
    assert {change.code for change in there.raised} == {change.code for change in back.lowered}
    assert set(there.modules_in) == set(back.modules_out)
    assert set(there.set_in) == set(back.set_out)
    assert there.is_empty == back.is_empty


def leaves(said: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the path of everything in JSON that is no mapping and no list of mappings."""
    if isinstance(said, dict):
        for name, value in said.items():
            yield from leaves(value, (*path, name))
    elif isinstance(said, list) and said and isinstance(said[0], dict):
        for place, value in enumerate(said):
            yield from leaves(value, (*path, place))
    else:
        yield path


def is_told(path: tuple[Any, ...]) -> bool:
    """Not numbers that only order things or count includes, nor what names the thing itself; values stand elsewhere."""
    if path[0] == "modules" and path[-1] in {"name", "owner", "sort_order"}:
        return False
    return path[-1] not in {
        "choices",
        "kind",
        "value",
        "unlimited",
        "format",
        "code",
        "position",
        "origin_version",
        "depth",
    } and (path != ("offer", "type"))


def otherwise(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return [*value, "another"]
    return f"{value or ''}x"


@given(st.data())
def test_a_diff_tells_every_word_that_differs(data: st.DataObject) -> None:
    common = data.draw(any_draft("common"))
    content, _ = flatten(data.draw(any_draft("sales", including(common))))
    assume(content is not None)
    old = VersionContent.from_json(content)
    path = data.draw(st.sampled_from([path for path in leaves(content) if is_told(path)]))
    changed = deepcopy(content)
    *way, last = path
    place: Any = changed
    for step in way:
        place = place[step]
    place[last] = otherwise(place[last])
    new = VersionContent.from_json(changed)
    changes = diff(old, new)
    assert not changes.is_empty, path
    lines = tell(changes, old, new)
    assert lines
    assert all(line.what and line.was != line.now for line in lines)
