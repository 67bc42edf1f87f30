"""What an override changes: for its user, or for the customer as a whole and every user there (rules O-5, O-6).

Works on what is recorded, with and without the override, so it can be asked before a change (in a dry run, whose
override is not there afterwards) as well as after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from licensing.differences import Difference, differences
from licensing.facts import CustomerFacts, HolderKind, Mode
from licensing.facts import Holding as HoldingFact
from licensing.impact import Impact, impact
from licensing.models import Holding, Override
from licensing.resolution import resolve
from licensing.selectors import Timeline, holding_fact, load_timeline, period_at, users_per_holding

MODES: Final[Mapping[str, str]] = {
    Mode.SET: "Set to",
    Mode.ADD: "Add",
    Mode.AT_LEAST: "At least",
    Mode.AT_MOST: "At most",
    Mode.DENY: "Taken away",
}


def override_in_words(override: Override) -> str:
    """Returns what it does to the feature: `At least 500 GB`, `Taken away`."""
    fact = override.fact()
    if fact.value is None:
        return MODES[override.mode]
    if isinstance(fact.value, bool) and fact.mode is Mode.SET:
        return "Switched on" if fact.value else "Switched off"
    names = {choice.code: choice.name or choice.code for choice in fact.feature.choices}
    return f"{MODES[override.mode]} {fact.feature.behaviour.show(fact.value, names, fact.feature.unit)}"


@dataclass(frozen=True, slots=True)
class OverrideEffects:
    """What changes at `at`: `differences` of the user, or of the customer as a whole; `users` counts the affected."""

    at: datetime
    differences: tuple[Difference, ...]
    users: Impact


def effects_of_granting(override: Override) -> OverrideEffects:
    """Returns what the override changes from its start on. Queries do not grow with users."""
    return _effects(override, override.starts_at, is_grant=True)


def effects_of_ending(override: Override) -> OverrideEffects:
    """Returns what is another answer without the override, from when it was ended (or would have begun) on."""
    if override.ended_at is None:
        raise AssertionError("nobody has ended it")
    return _effects(override, max(override.ended_at, override.starts_at), is_grant=False)


def _effects(override: Override, at: datetime, *, is_grant: bool) -> OverrideEffects:
    timeline = load_timeline(override.customer, at)
    without, given = _facts(timeline, override, at, given=False), _facts(timeline, override, at, given=True)
    before, after = (without, given) if is_grant else (given, without)

    def compare(holding: HoldingFact) -> tuple[Difference, ...]:
        bare = _without(holding, override)
        full = _with(bare, override) if override.user_id else bare
        was, now = (bare, full) if is_grant else (full, bare)
        return differences(resolve(before, was), resolve(after, now))

    if override.user is not None:
        period = period_at(override.user, at)
        holdings = [] if period is None else [(holding_fact(period.holding), 1)]
        found = [difference for holding, _ in holdings for difference in compare(holding)]
        return OverrideEffects(at, tuple(found), impact(compare, holdings))
    whole = compare(HoldingFact(HolderKind.CUSTOMER))
    return OverrideEffects(at, whole, impact(compare, _holdings(override.customer_id, at)))


def _facts(timeline: Timeline, override: Override, at: datetime, *, given: bool) -> CustomerFacts:
    """Returns the customer's facts; a customer's override is among them as `given` says."""
    others = tuple(other for other in timeline.overrides if other.pk != override.pk)
    facts = replace(timeline, overrides=others).facts(at)
    if given and override.user_id is None:
        return replace(facts, overrides=(*facts.overrides, override.fact()))
    return facts


def _without(holding: HoldingFact, override: Override) -> HoldingFact:
    if override.user_id is None:
        return holding
    code, mode = override.fact().feature.code, override.mode
    kept = tuple(o for o in holding.overrides if (o.feature.code, o.mode.value) != (code, mode))
    return replace(holding, overrides=kept)


def _with(holding: HoldingFact, override: Override) -> HoldingFact:
    if holding.kind is not HolderKind.USER:
        return holding  # whoever can't log in has nothing, overrides included
    return replace(holding, overrides=(*holding.overrides, override.fact()))


def _holdings(customer: int, at: datetime) -> Iterable[tuple[HoldingFact, int]]:
    counts = users_per_holding([customer], at)
    return [(holding_fact(row), counts[row.pk]) for row in Holding.objects.filter(pk__in=counts)]
