"""What holds of every answer, whatever is sold, held and overridden. Rules R-1 to R-17 of docs/rules.md."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from catalog.kinds import UNLIMITED, Unlimited, Value
from licensing.facts import Access, DateState, Grant, HolderKind, Holding, Mode, Override, owner_of
from licensing.resolution import Decision, Outcome, Resolution, canonical, digest, resolve, resolve_feature
from tests.licensing.drawing import OUR_FEATURES, VISIBLE, WORKING, World, users, worlds
from tests.licensing.given import OWN, PARTNER

Rank = tuple[Access, tuple[int, int]]

COUNTED = (Outcome.COUNTS, Outcome.OUTRANKED)
STOPPED = st.sampled_from([DateState.STOPPED, DateState.NONE])


def answers(world: World) -> Mapping[str, Decision]:
    return resolve(world.facts, world.who).features


def rank(found: Decision | None, choices: tuple[str, ...]) -> Rank:
    """Returns what orders answers: none < view < edit, then the value."""
    if found is None or found.value is None:
        return (Access.NONE if found is None else found.access), (0, 0)
    return found.access, found.feature.behaviour.rank(found.value, choices)


def lowered(before: World, after: World, *, but_min: bool = True) -> list[str]:
    """Returns the features that `after` answers lower than `before`; under the rule *min* that may be."""
    was, now = answers(before), answers(after)
    worse = []
    for code in was.keys() | now.keys():
        defined = max((d.feature for d in (was.get(code), now.get(code)) if d), key=lambda f: len(f.choices))
        if but_min and defined.rule == "min":
            continue
        if rank(now.get(code), defined.choice_codes) < rank(was.get(code), defined.choice_codes):
            worse.append(code)
    return worse


def allowed(grant: Grant, in_force: set[str | None]) -> list[Value]:
    """Returns, from the lowest, the values up to the granted one whose user module is in force, or that need none."""
    feature = grant.feature
    if not feature.choices:
        return [grant.value] if feature.user_module in in_force else []
    upto = feature.choices[: feature.choice_codes.index(str(grant.value)) + 1]
    return [step.code for step in upto if (step.user_module or feature.user_module) in in_force]


def worth(value: Value | None) -> float:
    """Returns a limit as a number that can be added up."""
    return math.inf if isinstance(value, Unlimited) else float(value or 0)


def whole(found: Resolution) -> tuple[Any, ...]:
    return found, canonical(found.content())


class TestOrder:
    @given(st.data(), worlds())
    def test_the_order_of_sources_and_overrides_never_matters(self, data: st.DataObject, world: World) -> None:
        facts, who = world.facts, world.who
        shuffled = replace(
            facts,
            sources=tuple(data.draw(st.permutations(facts.sources))),
            overrides=tuple(data.draw(st.permutations(facts.overrides))),
            sets=dict(data.draw(st.permutations(list(facts.sets.items())))),
        )
        asking = replace(who, overrides=tuple(data.draw(st.permutations(who.overrides))))
        assert whole(resolve(shuffled, asking)) == whole(resolve(facts, who))


class TestMoreIsNeverLess:
    """Except by an override that takes away, and by the rule *min*."""

    @given(worlds())
    def test_a_source(self, world: World) -> None:
        for source in world.facts.sources:
            assert lowered(world.without(source), world) == []

    @given(users())
    def test_a_seat(self, world: World) -> None:
        for module in VISIBLE:
            assert lowered(world, world.holding(module)) == []

    @given(users(), st.booleans())
    def test_an_override_that_gives(self, world: World, of_user: bool) -> None:
        for override in world.further_overrides((Mode.ADD, Mode.AT_LEAST), of_user):
            assert lowered(world, world.with_override(override, of_user), but_min=False) == []

    @given(users(), st.booleans())
    def test_an_override_that_takes(self, world: World, of_user: bool) -> None:
        for override in world.further_overrides((Mode.AT_MOST, Mode.DENY), of_user):
            assert lowered(world.with_override(override, of_user), world, but_min=False) == []

    @given(worlds(), STOPPED)
    def test_a_package_that_stops_raises_nothing(self, world: World, state: DateState) -> None:
        for owner in (OWN, PARTNER):
            assert lowered(world.in_states(**{owner: state}), world) == []


class TestUnlimited:
    """It is the top: max and sum give it, min gives it only where nothing else is."""

    @given(users())
    def test_it_is_the_top(self, world: World) -> None:
        for found in answers(world).values():
            values = [c.value for c in found.considered if c.outcome in COUNTED]
            if found.feature.rule in ("max", "sum"):
                assert (found.merged is UNLIMITED) is (UNLIMITED in values)
            if found.feature.rule == "min" and values:
                assert (found.merged is UNLIMITED) is (set(values) == {UNLIMITED})

    @given(users(st.just(DateState.ACTIVE)), st.sampled_from(["max", "sum", "min"]))
    def test_what_is_set_to_it_is_unlimited(self, world: World, code: str) -> None:
        feature = next(f for f in OUR_FEATURES if f.code == code)
        kept = tuple(o for o in world.who.overrides if o.mode not in (Mode.AT_MOST, Mode.DENY))
        freed = replace(world, who=replace(world.who, overrides=kept))
        freed = freed.with_override(Override(feature, Mode.SET, UNLIMITED), of_user=True)
        assert answers(freed)[code].value is UNLIMITED


class TestOneFeatureAndAll:
    @given(worlds())
    def test_a_feature_alone_is_decided_as_among_all(self, world: World) -> None:
        found = resolve(world.facts, world.who).features
        for code in {feature.code for feature in OUR_FEATURES} | {"partner", "unheard-of"}:
            assert resolve_feature(world.facts, world.who, code) == found.get(code)


class TestContent:
    @given(worlds(), worlds())
    def test_the_canonical_text_tells_all_of_it_and_nothing_else(self, one: World, other: World) -> None:
        first, second = (resolve(world.facts, world.who).content() for world in (one, other))
        text = canonical(first)
        assert json.loads(text) == first
        assert canonical(json.loads(text)) == text
        assert first["modules"] == sorted(first["modules"])
        assert (digest(text) == digest(canonical(second))) is (first == second)

    @given(worlds())
    def test_only_what_is_there_is_listed_and_only_edit_has_a_value(self, world: World) -> None:
        found = resolve(world.facts, world.who)
        shown = found.content()["features"]
        assert shown.keys() == {code for code, d in found.features.items() if d.access is not Access.NONE}
        for code, entry in shown.items():
            assert entry.keys() - {"unlimited"} == {"kind", "access", "value"}
            assert ("unlimited" in entry) is (entry["kind"] == "limit")
            if entry["access"] == "edit":
                decided = found.features[code]
                behaviour = decided.feature.behaviour
                assert behaviour.from_json(entry, decided.feature.choice_codes) == decided.value
                assert decided.value is not None
                assert entry["value"] not in (False, 0)
            else:
                assert entry["value"] is (False if entry["kind"] == "switch" else None)
                assert not entry.get("unlimited")


class TestView:
    @given(worlds())
    def test_it_stands_on_a_site_module_in_force_and_somebody_who_grants_it(self, world: World) -> None:
        for found in answers(world).values():
            if found.access is Access.VIEW:
                named = [c.grant.feature for c in found.considered] + [s.override.feature for s in found.steps]
                sites = {m for f in named for m in (f.site_module, *(choice.site_module for choice in f.choices))}
                assert sites & world.facts.site_modules
                assert any(f.read_only_without_seat for f in named)

    @given(worlds(), st.sampled_from(["plain", "sited", "sum", "shy"]))
    def test_some_features_are_never_only_looked_at(self, world: World, code: str) -> None:
        found = answers(world).get(code)
        assert found is None or found.access is not Access.VIEW


class TestDenied:
    @given(users())
    def test_a_users_deny_leaves_nothing(self, world: World) -> None:
        for feature in world.features:
            denied = world.with_override(Override(feature, Mode.DENY), of_user=True)
            assert answers(denied)[feature.code].access is Access.NONE

    @given(users())
    def test_a_customers_deny_leaves_nothing_either(self, world: World) -> None:
        lifted = {o.feature.code for o in world.who.overrides if o.mode is Mode.SET}
        for feature in world.features:
            if feature.code not in lifted:
                denied = world.with_override(Override(feature, Mode.DENY), of_user=False)
                assert answers(denied)[feature.code].access is Access.NONE

    @given(users(st.sampled_from(WORKING)))
    def test_until_a_users_set_lifts_it(self, world: World) -> None:
        rest = tuple(o for o in world.facts.overrides if o.mode is not Mode.DENY)
        for override in world.further_overrides((Mode.SET,), of_user=True):
            feature = override.feature
            undenied = replace(world, facts=replace(world.facts, overrides=rest)).with_override(override, of_user=True)
            denied = undenied.with_override(Override(feature, Mode.DENY), of_user=False)
            found, expected = answers(denied)[feature.code], answers(undenied)[feature.code]
            assert (found.access, found.value) == (expected.access, expected.value)


class TestSum:
    @given(worlds((HolderKind.USER, HolderKind.CUSTOMER), about=st.just(("sum",))))
    def test_it_is_the_largest_of_each_plans_origin_and_every_add_on_by_quantity(self, world: World) -> None:
        found = answers(world).get("sum")
        parts: dict[str, float] = defaultdict(float)
        for c in found.considered if found is not None else ():
            source = c.source
            if c.outcome in COUNTED:
                once = source.is_plan or (source.is_seat and world.who.kind is HolderKind.USER)
                part = c.grant.origin if source.is_plan else source.module
                parts[part] = max(parts[part], worth(c.grant.value) * (1 if once else source.quantity))
        assert found is None or worth(found.merged) == sum(parts.values())


class TestStopped:
    @given(worlds(), st.sampled_from(WORKING), st.sampled_from([DateState.STOPPED, DateState.NONE]))
    def test_there_are_two_kinds_of_states(self, world: World, working: DateState, stopped: DateState) -> None:
        for owner in (OWN, PARTNER):
            one, other = (DateState.ACTIVE, working), (DateState.STOPPED, stopped)
            for first, second in (one, other):
                assert answers(world.in_states(**{owner: first})) == answers(world.in_states(**{owner: second}))

    @given(worlds(), STOPPED, STOPPED)
    def test_nobody_edits_anything_when_all_have_stopped(
        self, world: World, ours: DateState, theirs: DateState
    ) -> None:
        stopped = answers(world.in_states(**{OWN: ours, PARTNER: theirs}))
        assert all(found.access is not Access.EDIT for found in stopped.values())

    @given(worlds())
    def test_no_row_of_a_stopped_package_counts(self, world: World) -> None:
        for found in answers(world).values():
            for c in found.considered:
                if not world.facts.state_of(c.source.owner).works:
                    assert c.outcome in (Outcome.STOPPED, Outcome.NO_SEAT)
                    assert c.value is None

    @given(worlds())
    def test_its_user_modules_are_not_in_force_and_none_that_is_not_sold(self, world: World) -> None:
        facts = world.facts
        sold = facts.site_modules.union(facts.visible_modules, *facts.sets.values())
        for module in resolve(world.facts, world.who).modules:
            assert module in sold
            assert world.facts.works(module) or module in world.facts.site_modules

    @given(worlds(), STOPPED)
    def test_for_edit_a_stopped_partner_is_as_good_as_none(self, world: World, state: DateState) -> None:
        stopped = world.in_states(**{PARTNER: state})
        gone = stopped
        for source in world.facts.sources:
            if owner_of(source.module) == PARTNER:
                gone = gone.without(source)
        edits = [
            {code: (d.value, d.merged) for code, d in answers(w).items() if d.access is Access.EDIT}
            for w in (stopped, gone)
        ]
        assert edits[0] == edits[1]


class TestWhoAsks:
    @given(users())
    def test_what_has_seats_needs_one_and_nothing_else_does(self, world: World) -> None:
        for found in answers(world).values():
            for c in found.considered:
                is_missing = c.source.is_seat and c.source.module not in world.who.modules
                assert (c.outcome is Outcome.NO_SEAT) is is_missing

    @given(users())
    def test_what_counts_is_the_most_that_the_modules_in_force_allow(self, world: World) -> None:
        in_force = {None, *resolve(world.facts, world.who).modules}
        for found in answers(world).values():
            for c in found.considered:
                values = allowed(c.grant, in_force)
                if c.outcome in COUNTED:
                    assert c.value == values[-1]
                if c.outcome is Outcome.MODULE_NOT_HELD:
                    assert values == []

    @given(worlds((HolderKind.INACTIVE,)))
    def test_the_inactive_have_nothing(self, world: World) -> None:
        nothing = {"plans": [], "multi_plan": False, "modules": [], "features": {}}
        assert resolve(world.facts, world.who).content() == nothing

    @given(worlds((HolderKind.CUSTOMER,)))
    def test_the_customer_is_somebody_who_holds_everything(self, world: World) -> None:
        everything = Holding(HolderKind.USER, world.facts.visible_modules)
        as_user = resolve(world.facts, everything).content()
        as_customer = resolve(world.facts, world.who).content()
        for content in (as_user, as_customer):
            content["features"].pop("sum", None)  # the customer has all of an add-on per user, a user one
        assert as_customer == as_user
