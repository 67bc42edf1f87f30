"""What changes for somebody between two answers: features gained, lost, raised and lowered. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from licensing.facts import Access, FeatureDef
from licensing.resolution import Decision, Resolution


class Effect(enum.StrEnum):
    GAINED = "gained"  # nothing before, something now
    RAISED = "raised"  # more than before: another access or value
    LOWERED = "lowered"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Difference:
    """One feature whose answer is another one afterwards; `before` and `after` are in words for people."""

    feature: FeatureDef
    effect: Effect
    was: Access
    now: Access
    before: str
    after: str

    @property
    def name(self) -> str:
        return self.feature.name or self.feature.code


def differences(before: Resolution, after: Resolution) -> tuple[Difference, ...]:
    """Returns what differs, by feature code; nothing for features whose access and value stay."""
    codes = sorted(before.features.keys() | after.features.keys())
    found = (_difference(before.features.get(code), after.features.get(code)) for code in codes)
    return tuple(difference for difference in found if difference is not None)


def in_words(decision: Decision | None) -> str:
    """Returns an answer in words: its value, "to look at only", or "not there"."""
    if decision is None or decision.access is Access.NONE:
        return "Not there"
    if decision.access is Access.VIEW or decision.value is None:
        return "To look at only"
    names = {choice.code: choice.name or choice.code for choice in decision.feature.choices}
    return decision.feature.behaviour.show(decision.value, names, decision.feature.unit)


def _difference(before: Decision | None, after: Decision | None) -> Difference | None:
    was, now = _access(before), _access(after)
    known = after or before
    if known is None or (was is now and (was is not Access.EDIT or _values_equal(before, after))):
        return None
    if was is Access.NONE:
        effect = Effect.GAINED
    elif now is Access.NONE:
        effect = Effect.LOST
    else:
        effect = Effect.RAISED if _is_raised(before, after) else Effect.LOWERED
    return Difference(known.feature, effect, was, now, in_words(before), in_words(after))


def _access(decision: Decision | None) -> Access:
    return Access.NONE if decision is None else decision.access


def _values_equal(before: Decision | None, after: Decision | None) -> bool:
    return before is not None and after is not None and before.value == after.value


def _is_raised(before: Decision | None, after: Decision | None) -> bool:
    if before is None or after is None or before.access is not after.access:
        return _access(after) > _access(before)
    if before.value is None or after.value is None:
        return before.value is None
    # Two versions may know different choices; those that only one knows come after the fuller list.
    known = max(before.feature.choice_codes, after.feature.choice_codes, key=lambda codes: (len(codes), codes))
    strange = {str(value) for value in (before.value, after.value)} - set(known) if known else set()
    rank, choices = after.feature.behaviour.rank, (*known, *sorted(strange))
    return rank(after.value, choices) > rank(before.value, choices)
