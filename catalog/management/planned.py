"""A plan of the catalog as lines of a terminal: `+` what comes, `-` what goes, `~` what changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from catalog.content import Diff, TermChange
from catalog.services.defining import Change
from catalog.services.planning import CatalogPlan, OfferPlan

_COLOURS: Final = {"+": "\x1b[32m", "-": "\x1b[31m", "~": "\x1b[33m"}
_PLAIN: Final = "\x1b[0m"
_KINDS: Final = {"addon": "add-on", "feature_group": "feature group"}
_ACTIONS: Final = {
    "drafted": "a draft would be begun",
    "edited": "its draft would be edited",
    "waiting": "its draft says so already and waits to be published",
    "follows": "publishing what it includes would bring a new version",
}
_LONGEST: Final = 60


def lines_of(plan: CatalogPlan, *, colour: bool) -> Iterator[str]:
    """Yields what applying would change, definitions first."""
    for line in (*_definitions(plan.changes), *(line for offer in plan.offers for line in _offer(offer))):
        start = _COLOURS.get(line.lstrip()[:1]) if colour else None
        yield f"{start}{line}{_PLAIN}" if start else line


def _definitions(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        kind = _KINDS.get(change.kind, change.kind)
        if change.is_new:
            yield f"+ {kind} {change.code}"
            continue
        was = f" (was {change.former})" if change.former else ""
        yield f"~ {kind} {change.code}{was}"
        for field, (before, after) in change.fields.items():
            if after != change.code:
                yield f"    {field.replace('_', ' ')}: {short(before)} → {short(after)}"


def _offer(offer: OfferPlan) -> Iterator[str]:
    yield ""
    base = f"{offer.base} → " if offer.base else ""
    yield f"{_KINDS.get(offer.type, offer.type)} {offer.name}: {base}{_ACTIONS[offer.action]}"
    for fault in offer.faults:
        yield f"  can't be published yet: {fault.message}"
    for warning in offer.warnings:
        yield f"  ! {warning.message}"
    if offer.diff is not None and offer.base:
        yield from _diff(offer.diff)
    elif offer.diff is not None:
        yield from (f"  + {feature.name}: {feature.now}" for feature in offer.diff.added)
    if offer.edits and offer.action == "edited":
        yield "  in the draft:"
        yield from (f"    {_term(term)}" for term in offer.edits)


def _diff(diff: Diff) -> Iterator[str]:
    yield from (f"  + {feature.name}: {feature.now}" for feature in diff.added)
    yield from (f"  - {feature.name}: {feature.was}" for feature in diff.removed)
    yield from (f"  ~ {feature.name} raised: {feature.was} → {feature.now}" for feature in diff.raised)
    yield from (f"  ~ {feature.name} lowered: {feature.was} → {feature.now}" for feature in diff.lowered)
    yield from (f"  + module {name}" for name in diff.modules_in)
    yield from (f"  - module {name}" for name in diff.modules_out)
    yield from (f"  ~ {_term(term)}" for term in (*diff.changed, *diff.terms, *diff.words))


def _term(term: TermChange) -> str:
    return f"{term.path}: {short(term.was)} → {short(term.now)}"


def short(value: object) -> str:
    """Returns a value in few words."""
    text = "none" if value in (None, "") else str(value).replace("\n", " ")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
