"""Which add-on goes with which plan and add-on: one cell for each pair. Pure; rule E-13.

A pair excludes each other whoever says it, and over however many needs: the grid is the same from both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from catalog.content.lint import Finding, lint
from catalog.content.merges import Effect, effect_of
from catalog.content.shape import VersionContent
from catalog.content.standing import OnShelf, Shelf, brought_in, clash_of, pairs
from catalog.targets import in_words, meets, tier_of

State = Literal["itself", "excluded", "needed", "meets", "needs_it", "lowers", "no_effect", "along"]
LABELS: Final[dict[State, str]] = {
    "itself": "Itself",
    "excluded": "Excluded",
    "needed": "Needed",
    "meets": "Meets a need",
    "needs_it": "Needs this",
    "lowers": "Takes away",
    "no_effect": "No effect",
    "along": "Goes along",
}


@dataclass(frozen=True, slots=True)
class GridCell:
    """What an add-on is to the plan or add-on of the column, and why, in a sentence."""

    column: str
    state: State
    reason: str

    @property
    def label(self) -> str:
        return LABELS[self.state]


@dataclass(frozen=True, slots=True)
class GridRow:
    """An add-on: how it stands to every column, and what is odd about it beside all that is on the shelf."""

    offer: OnShelf
    cells: tuple[GridCell, ...]
    findings: tuple[Finding, ...]


def grid(add_ons: Iterable[VersionContent], columns: Sequence[OnShelf], shelf: Shelf) -> list[GridRow]:
    """Returns a row for each add-on, in their order, with a cell for each column."""
    rows = []
    for content in add_ons:
        offer = shelf.get(content.offer.code)
        cells = tuple(_cell(content, offer, column, shelf) for column in columns)
        rows.append(GridRow(offer, cells, tuple(lint(content, shelf))))
    return rows


def _cell(content: VersionContent, offer: OnShelf, column: OnShelf, shelf: Shelf) -> GridCell:
    if column.code == offer.code:
        return GridCell(column.code, "itself", f"{offer.name} itself.")
    clash = clash_of(sorted((offer.code, column.code)), shelf)
    if clash is not None:
        return GridCell(column.code, "excluded", f"{clash.in_words(shelf)}.")
    return _tied(offer, column, shelf) or _merged(content, offer, column)


def _tied(offer: OnShelf, column: OnShelf, shelf: Shelf) -> GridCell | None:
    """Returns the cell of a pair of which one needs the other."""
    needed = brought_in([offer.code], shelf)
    if column.code in needed:
        return GridCell(column.code, "needed", _story(needed[column.code], shelf))
    for code in needed:
        for target in filter(tier_of, shelf.get(code).needs):
            if meets(target, column, shelf.ranks):
                reason = f"{shelf.name(code)} needs {in_words(target, 'needs', shelf.names)}; {column.name} is one."
                return GridCell(column.code, "meets", reason)
    wanted = brought_in([column.code], shelf)
    if offer.code in wanted:
        return GridCell(column.code, "needs_it", _story(wanted[offer.code], shelf))
    return None


def _story(chain: tuple[str, ...], shelf: Shelf) -> str:
    return ", and ".join(f"{shelf.name(one)} needs {shelf.name(other)}" for one, other in pairs(chain)) + "."


def _merged(content: VersionContent, offer: OnShelf, column: OnShelf) -> GridCell:
    """Returns the cell of a pair that neither needs nor excludes each other: what the add-on adds to the column."""
    effects = {
        feature.definition.name: effect_of(feature, column.values.get(feature.code))
        for feature in content.ordered_features
    }
    lowered = [name for name, effect in effects.items() if effect is Effect.LOWERS]
    if lowered:
        return GridCell(column.code, "lowers", f"{offer.name} lowers what {column.name} gives of {', '.join(lowered)}.")
    idle = sum(effect is Effect.NONE for effect in effects.values())
    if effects and idle == len(effects):
        return GridCell(column.code, "no_effect", f"{column.name} gives all that {offer.name} gives.")
    if idle:
        reason = (
            f"{offer.name} adds to {column.name}, except for {idle} of {len(effects)} features that it gives already."
        )
        return GridCell(column.code, "along", reason)
    return GridCell(column.code, "along", f"{offer.name} goes along with {column.name}.")
