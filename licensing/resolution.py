"""`facts → resolve() → answer`: the only place where precedence lives. Pure; docs/resolution.md has worked examples.

For each feature: which sources count for `edit`, what they give together under the merge rule, what overrides make of
it, and whether `view` is left where `edit` is not. Adding a source never lowers an answer, except by an override or
the rule *min*.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalog.kinds import Value
from licensing.facts import (
    Access,
    CustomerFacts,
    FeatureDef,
    Grant,
    HolderKind,
    Holding,
    Mode,
    Override,
    Source,
)


class Outcome(enum.StrEnum):
    """What became of one source's grant."""

    COUNTS = "counts"  # its value is part of the answer
    OUTRANKED = "outranked"  # it would count, but others give more (or, under min, less)
    NO_SEAT = "no_seat"
    MODULE_NOT_HELD = "module_not_held"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Considered:
    """One source's grant of a feature, what it would give, and what became of it."""

    source: Source
    grant: Grant
    outcome: Outcome
    value: Value | None = None  # what it gives towards `edit`


@dataclass(frozen=True, slots=True)
class Step:
    """One override at work: the value (none: no edit) before and after it."""

    override: Override
    before: Value | None
    after: Value | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one feature, with its whole trace."""

    feature: FeatureDef
    access: Access
    value: Value | None  # speaks for edit alone
    merged: Value | None  # what the sources gave before overrides
    considered: tuple[Considered, ...] = ()
    steps: tuple[Step, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Returns `{kind, access, value, unlimited?}`; without edit a switch is false and everything else null."""
        kind = self.feature.behaviour
        if self.access is Access.EDIT and self.value is not None:
            shown = kind.as_json(self.value)
        else:
            shown = {"value": None}
            for key, value in kind.as_json(kind.bottom(self.feature.choice_codes)).items():
                shown[key] = value if isinstance(value, bool) else None
        return {"kind": self.feature.kind, "access": self.access.word, **shown}


@dataclass(frozen=True, slots=True)
class Resolution:
    """Everything a holder may do at one instant."""

    plans: tuple[Source, ...]
    modules: tuple[str, ...]
    features: Mapping[str, Decision]

    def content(self) -> dict[str, Any]:
        """Returns the entitlement set: plans, modules and features; no person, source, date, status or revision."""
        return {
            "plans": [
                {"code": p.code, "tier": p.tier, "solutions": list(p.solutions), "version": p.version}
                for p in self.plans
            ],
            "multi_plan": len({solution for plan in self.plans for solution in plan.solutions}) > 1,
            "modules": list(self.modules),
            "features": {
                code: decision.as_json()
                for code, decision in sorted(self.features.items())
                if decision.access is not Access.NONE
            },
        }


def canonical(content: Mapping[str, Any]) -> str:
    """Returns the one spelling of a content: JSON with sorted keys and no spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text: str) -> str:
    """Returns the SHA-256 of a canonical text, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def resolve(facts: CustomerFacts, holding: Holding) -> Resolution:
    """Returns what `holding` gives at a customer of which `facts` hold."""
    if holding.kind is HolderKind.INACTIVE:
        return Resolution((), (), {})
    ground = _Ground(facts, holding)
    return Resolution(
        plans=tuple(sorted(ground.plans(), key=lambda plan: (plan.code, plan.version or 0, plan.module))),
        modules=tuple(sorted(facts.site_modules | ground.working)),
        features={code: _decide(ground, code) for code in ground.feature_codes()},
    )


def resolve_feature(facts: CustomerFacts, holding: Holding, code: str) -> Decision | None:
    """Returns the decision on one feature, or none where nothing at the customer names it."""
    if holding.kind is HolderKind.INACTIVE:
        return None
    ground = _Ground(facts, holding)
    return _decide(ground, code) if code in ground.feature_codes() else None


class _Ground:
    """What the decisions on all features of one holder share."""

    def __init__(self, facts: CustomerFacts, holding: Holding) -> None:
        self.facts = facts
        self.is_customer = holding.kind is HolderKind.CUSTOMER
        self.held = facts.visible_modules if self.is_customer else holding.modules & facts.visible_modules
        switched_on = {module for plan in self.held for module in facts.sets.get(plan, ())}
        self.working = frozenset(module for module in self.held | switched_on if facts.works(module))
        self.grants: dict[str, list[tuple[Source, Grant]]] = defaultdict(list)
        for source in sorted(facts.sources, key=lambda source: (source.code, source.module, source.version or 0)):
            for grant in source.grants:
                self.grants[grant.feature.code].append((source, grant))
        own = () if self.is_customer else holding.overrides
        self.overrides: dict[str, list[Override]] = defaultdict(list)
        for override in [*_as("customer", facts.overrides), *_as("user", own)]:
            self.overrides[override.feature.code].append(override)

    def feature_codes(self) -> set[str]:
        return self.grants.keys() | self.overrides.keys()

    def plans(self) -> Iterator[Source]:
        return (source for source in self.facts.sources if source.is_plan and source.module in self.held)

    def definition(self, code: str) -> FeatureDef:
        """The fullest definition any source froze: published choices keep their order, so the longest list has all."""
        found = [grant.feature for _, grant in self.grants[code]] + [o.feature for o in self.overrides[code]]
        return max(found, key=lambda feature: (len(feature.choices), repr(feature)))


def _as(subject: str, overrides: Iterable[Override]) -> list[Override]:
    """Returns the overrides of one subject in the order set → add → at least → at most → deny."""
    order = list(Mode)
    return sorted((replace(o, subject=subject) for o in overrides), key=lambda o: order.index(o.mode))


def _decide(ground: _Ground, code: str) -> Decision:
    feature = ground.definition(code)
    considered = [_consider(ground, source, grant) for source, grant in ground.grants[code]]
    counting = [c for c in considered if c.outcome is Outcome.COUNTS]
    merged = _merge(ground, feature, counting) if counting else None
    value, denied, steps = _override(ground, feature, merged, ground.overrides[code])
    kind = feature.behaviour
    if value is not None and kind.grants(value):
        access = Access.EDIT
    else:
        access, value = Access.VIEW if not denied and _may_view(ground, code) else Access.NONE, None
    return Decision(feature, access, value, merged, tuple(_rank(feature, merged, considered)), tuple(steps))


def _consider(ground: _Ground, source: Source, grant: Grant) -> Considered:
    """Judges one grant for `edit`: is its seat held, does its package work, is its user module held?"""
    if source.is_seat and source.module not in ground.held:
        return Considered(source, grant, Outcome.NO_SEAT)
    if not ground.facts.works(source.module):
        return Considered(source, grant, Outcome.STOPPED)
    value = _highest_held(grant, ground.working)
    if value is None:
        return Considered(source, grant, Outcome.MODULE_NOT_HELD)
    return Considered(source, grant, Outcome.COUNTS, value)


def _highest_held(grant: Grant, held: frozenset[str]) -> Value | None:
    """Returns what of a grant's value its user modules allow: all, for a level perhaps a lower choice, or none."""
    for value, _, user_module in _judged(grant):
        if user_module is None or user_module in held:
            return value
    return None


def _judged(grant: Grant) -> Iterator[tuple[Value, str | None, str | None]]:
    """Yields (value, site module, user module) for what a grant gives, the highest first.

    A level gives each choice up to the granted one, with the modules that it names, else those of the feature; anything
    else gives its value alone.
    """
    feature = grant.feature
    if not feature.choices:
        yield grant.value, feature.site_module, feature.user_module
        return
    upto = feature.choice_codes.index(str(grant.value))
    for choice in reversed(feature.choices[: upto + 1]):
        yield choice.code, choice.site_module or feature.site_module, choice.user_module or feature.user_module


def _merge(ground: _Ground, feature: FeatureDef, counting: Sequence[Considered]) -> Value:
    kind, choices = feature.behaviour, feature.choice_codes
    if feature.rule != "sum":
        return kind.merge(feature.rule, [c.value for c in counting if c.value is not None], choices)
    amounts = [
        kind.times(c.value, _quantity(ground, c.source)) for c in _summands(feature, counting) if c.value is not None
    ]
    return kind.merge("sum", amounts, choices)


def _summands(feature: FeatureDef, counting: Sequence[Considered]) -> list[Considered]:
    """Returns what *sum* adds up: every add-on, and of the plans with one origin the first that gives most."""
    kind, choices = feature.behaviour, feature.choice_codes
    largest: dict[str, tuple[Value, Considered]] = {}
    for c in counting:
        if c.source.is_plan and c.value is not None:
            most = largest.get(c.grant.origin)
            if most is None or kind.rank(c.value, choices) > kind.rank(most[0], choices):
                largest[c.grant.origin] = c.value, c
    chosen = [c for _, c in largest.values()]
    return [c for c in counting if not c.source.is_plan or any(c is plan for plan in chosen)]


def _quantity(ground: _Ground, source: Source) -> int:
    """Returns how often a source counts: a plan once, an add-on by its quantity; of one per user, a user holds one."""
    if source.is_plan or (source.is_seat and not ground.is_customer):
        return 1
    return source.quantity


def _override(
    ground: _Ground, feature: FeatureDef, value: Value | None, overrides: Sequence[Override]
) -> tuple[Value | None, bool, list[Step]]:
    """Applies the customer's overrides, then the user's; returns the value (none: no edit), whether denied, the steps.

    Where the own owner's package has stopped, overrides give nothing; they still take away.
    """
    denied = False
    steps = []
    works = ground.facts.status.works
    for override in overrides:
        before = value
        mode: Mode | None = override.mode
        if override.mode is Mode.SET:
            denied = False
        if override.mode.gives and not works:
            mode = Mode.AT_MOST if mode is Mode.SET else None
        if mode is Mode.DENY:
            value, denied = None, True
        elif mode is Mode.SET:
            value = override.value
        elif mode is not None and override.value is not None:
            value = _changed(feature, mode, value, override.value, denied)
        steps.append(Step(override, before, value))
    return value, denied, steps


def _changed(feature: FeatureDef, mode: Mode, value: Value | None, amount: Value, denied: bool) -> Value | None:
    kind, choices = feature.behaviour, feature.choice_codes
    if mode is Mode.AT_MOST:
        return None if value is None else kind.merge("min", [value, amount], choices)
    if denied:  # only a user's `set` lifts a customer's `deny`
        return value
    start = kind.bottom(choices) if value is None else value
    return kind.add(start, amount, choices) if mode is Mode.ADD else kind.merge("max", [start, amount], choices)


def _may_view(ground: _Ground, code: str) -> bool:
    """Whether the holder may look without `edit`: some source at the customer grants it, and its site module is on.

    A stopped package's grants count here; a feature without user module or without site module never gives view (C-40).
    """
    granting = [grant for _, grant in ground.grants[code]]
    granting += [Grant(o.feature, o.value, "") for o in ground.overrides[code] if o.mode.gives and o.value is not None]
    return any(
        grant.feature.read_only_without_seat
        and grant.feature.behaviour.grants(grant.value)
        and user_module is not None
        and site_module in ground.facts.site_modules
        for grant in granting
        for _, site_module, user_module in _judged(grant)
    )


def _rank(feature: FeatureDef, merged: Value | None, considered: Sequence[Considered]) -> Iterator[Considered]:
    """Marks as outranked those that would count but are no part of what was merged."""
    counting = [c for c in considered if c.outcome is Outcome.COUNTS]
    parts = _summands(feature, counting) if feature.rule == "sum" else [c for c in counting if c.value == merged]
    for c in considered:
        is_part = c.outcome is not Outcome.COUNTS or any(c is part for part in parts)
        yield c if is_part else replace(c, outcome=Outcome.OUTRANKED)
