"""Customers drawn at random, small enough that their parts meet: few features, and modules that sources share.

Three plans, an add-on per user and one for the site, all our own; a plan and a site add-on of a partner. Each may be
sold or not, grants some of the features, and plans switch some of the hidden modules on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

from hypothesis import strategies as st

from catalog.kinds import UNLIMITED, Value
from licensing.facts import CustomerFacts, DateState, FeatureDef, HolderKind, Holding, Mode, Override, Source
from tests.licensing.given import (
    CUSTOMER,
    OWN,
    PARTNER,
    Sold,
    add_on,
    choice,
    facts,
    full,
    holds,
    level,
    limit,
    plan,
    switch,
)

# A level of two days; what a choice does not name is the feature's.
LOW, MIDDLE, HIGH = choice("low"), choice("middle", "a", "a-cal"), choice("high", user="b-cal")
EARLIER = level("steps", LOW, MIDDLE, HIGH, site="b", user="seat-cal")
LATER = level("steps", LOW, choice("between", site="a"), MIDDLE, HIGH, site="b", user="seat-cal")

OUR_FEATURES: tuple[FeatureDef, ...] = (
    switch("carried", "a", "a-cal"),
    switch("plain"),
    switch("sited", "a"),
    switch("shy", "a", "a-cal", read_only_without_seat=False),
    switch("seated", "b", "seat-cal"),
    limit("max", "max", "b", "b-cal"),
    limit("sum", "sum"),
    limit("min", "min", "b", "b-cal"),
    EARLIER,
    LATER,
)
THEIR_FEATURES: tuple[FeatureDef, ...] = (
    limit("max", "max"),
    limit("sum", "sum"),
    limit("min", "min", "b", "b-cal"),
    switch("carried", "acme.a", "acme.a-cal"),
    switch("partner", "acme.a", "acme.a-cal"),
)
OUR_CALS, THEIR_CALS = ("a-cal", "b-cal"), ("acme.a-cal",)
VISIBLE = ("plan-1", "plan-2", "plan-3", "per-user", "seat-cal", "acme.plan", "gone")
SITE_MODULES = ("a", "b", "acme.a")

WORKING = (DateState.ACTIVE, DateState.WARNING, DateState.GRACE)
STATES = st.sampled_from((*WORKING, DateState.STOPPED, DateState.NONE))


def amounts(feature: FeatureDef) -> tuple[Value, ...]:
    """Returns values of the feature to draw from, those that grant nothing included."""
    if feature.kind == "switch":
        return True, True, False
    if feature.kind == "limit":
        return 0, 1, 2, 3, UNLIMITED
    return feature.choice_codes


# Everything a draw chooses from is spelled out beforehand: few draws make a world, so that many worlds are quick.
# A world is about few features, so that what is sold, held and overridden there meets.


def some(of: Iterable[str]) -> st.SearchStrategy[list[str]]:
    """Draws some of the names: as often as not nearly all of them, so that what needs several is met."""
    names = sorted(of)
    few = st.lists(st.sampled_from(names), unique=True, max_size=3)
    return few | few.map(lambda left_out: [name for name in names if name not in left_out])


Codes = tuple[str, ...]
CODES = sorted({feature.code for feature in (*OUR_FEATURES, *THEIR_FEATURES)})
FOCUS = st.lists(st.sampled_from(CODES), unique=True, min_size=3, max_size=3).map(sorted).map(tuple)


@cache
def grants(codes: Codes, ours: bool) -> st.SearchStrategy[dict[FeatureDef, Value]]:
    """Draws grants of some of the features."""
    among = OUR_FEATURES if ours else THEIR_FEATURES
    ways: list[list[tuple[FeatureDef, Value] | None]] = [
        [None, *((feature, value) for feature in among if feature.code == code for value in amounts(feature))]
        for code in codes
    ]
    return st.sampled_from([dict(grant for grant in chosen if grant) for chosen in product(*ways)])


@cache
def every_override(codes: Codes) -> tuple[Override, ...]:
    """Returns all overrides of our own features with these codes, with every value that is drawn from."""
    return tuple(
        Override(feature, mode, value)
        for feature in OUR_FEATURES
        if feature.code in codes
        for mode in Mode
        for value in ((None,) if mode is Mode.DENY else dict.fromkeys(amounts(feature)))
    )


@cache
def overrides(codes: Codes, most: int) -> st.SearchStrategy[tuple[Override, ...]]:
    """Draws overrides of one subject: at most one per feature and mode, as the database keeps them."""
    every = every_override(codes)
    if not every:
        return st.just(())
    chosen = st.lists(st.sampled_from(every), unique_by=lambda o: (o.feature.code, o.mode), max_size=most)
    return chosen.map(tuple)


PLANS = ("plan-1", "plan-2", "plan-3", "acme.plan")
ADD_ONS = ("per-user", "whole-site", "acme.site")


@cache
def rows(codes: Codes, name: str) -> st.SearchStrategy[Sold]:
    """Draws the row of a plan or an add-on."""
    ours = not name.startswith("acme.")
    gives = grants(codes, ours)
    if name in ADD_ONS:
        return st.builds(
            lambda given, quantity: add_on(name, given, per_user=name == "per-user", quantity=quantity),
            gives,
            st.integers(1, 3),
        )
    ways: list[dict[str, Any]] = [
        {"switches_on": switches_on, "origin": origin, "quantity": quantity, "solutions": solutions}
        for switches_on in ([(), OUR_CALS, *((cal,) for cal in OUR_CALS)] if ours else [(), THEIR_CALS])
        for origin in (None, "common", "common")
        for quantity, solutions in ((1, ("sales",)), (3, ("service",)), (2, ("sales", "service")))
    ]
    return st.builds(lambda given, way: plan(name, given, **way), gives, st.sampled_from(ways))


@dataclass(frozen=True, slots=True)
class World:
    """A customer and somebody who asks."""

    facts: CustomerFacts
    who: Holding
    codes: Codes  # what is sold, held and overridden here is about these features

    @property
    def features(self) -> list[FeatureDef]:
        """Those of our own that this world is about."""
        return [feature for feature in OUR_FEATURES if feature.code in self.codes]

    def without(self, source: Source) -> World:
        """Returns the same world had this source never been sold: its row, and what it switches on, is gone."""
        known = self.facts
        return replace(
            self,
            facts=replace(
                known,
                sources=tuple(s for s in known.sources if s is not source),
                site_modules=known.site_modules - {source.module},
                visible_modules=known.visible_modules - {source.module},
                sets={module: names for module, names in known.sets.items() if module != source.module},
            ),
        )

    def holding(self, *modules: str) -> World:
        return replace(self, who=replace(self.who, modules=self.who.modules.union(map(full, modules))))

    def with_override(self, override: Override, of_user: bool) -> World:
        """Returns the same world with one more override, in place of one of the same feature and mode."""

        def joined(held: tuple[Override, ...]) -> tuple[Override, ...]:
            rest = (o for o in held if (o.feature.code, o.mode) != (override.feature.code, override.mode))
            return (*rest, override)

        if of_user:
            return replace(self, who=replace(self.who, overrides=joined(self.who.overrides)))
        return replace(self, facts=replace(self.facts, overrides=joined(self.facts.overrides)))

    def further_overrides(self, modes: tuple[Mode, ...], of_user: bool) -> list[Override]:
        """Returns every override of these modes that the subject could be given beside those it has."""
        held = self.who.overrides if of_user else self.facts.overrides
        taken = {(o.feature.code, o.mode) for o in held}
        return [o for o in every_override(self.codes) if o.mode in modes and (o.feature.code, o.mode) not in taken]

    def in_states(self, **states: DateState) -> World:
        return replace(self, facts=replace(self.facts, states={**self.facts.states, **states}))


@st.composite
def worlds(
    draw: st.DrawFn,
    kinds: tuple[HolderKind, ...] = tuple(HolderKind),
    states: st.SearchStrategy[DateState] = STATES,
    about: st.SearchStrategy[Codes] = FOCUS,
) -> World:
    codes = draw(about)
    ours, theirs = draw(st.tuples(states, states))
    at = facts(
        *(draw(rows(codes, name)) for name in draw(some((*PLANS, *ADD_ONS)))),
        site=draw(some(SITE_MODULES)),
        visible=["seat-cal"],
        states={OWN: ours, PARTNER: theirs},
        overrides=draw(overrides(codes, 5)),
    )
    kind = draw(st.sampled_from(kinds))
    if kind is HolderKind.CUSTOMER:
        return World(at, replace(CUSTOMER, overrides=draw(overrides(codes, 3))), codes)
    who = holds(*draw(some(VISIBLE)), overrides=draw(overrides(codes, 3)))
    return World(at, replace(who, kind=kind), codes)


def users(states: st.SearchStrategy[DateState] = STATES) -> st.SearchStrategy[World]:
    """Draws worlds in which an active user asks."""
    return worlds((HolderKind.USER,), states)
