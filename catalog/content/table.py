"""What several versions give, side by side: groups of features, a cell for each version. Pure.

Groups and features stand in the order that the versions froze; where those of different days disagree in words or
order, the youngest version that grants the feature has the say. Values are never mixed: each cell is its version's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from catalog.content.shape import FeatureContent


@dataclass(frozen=True, slots=True)
class Column:
    """One version: the code of its plan, since when it is sold, and `features` of its frozen content, as JSON."""

    code: str
    since: datetime
    features: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Cell:
    """The value that a version gives, as JSON (`value`, for limits `unlimited` too) and in words for people."""

    value: Any = None
    unlimited: bool | None = None
    text: str = ""

    @property
    def is_absent(self) -> bool:
        return self.value is None and not self.unlimited

    @property
    def is_tick(self) -> bool:
        return self.value is True

    def to_json(self) -> dict[str, Any] | None:
        """Returns None for what isn't granted."""
        if self.is_absent:
            return None
        unlimited = {} if self.unlimited is None else {"unlimited": self.unlimited}
        return {"value": self.value, **unlimited, "text": self.text}


ABSENT = Cell()


@dataclass(frozen=True, slots=True)
class Row:
    """A feature, with a cell per column in the columns' order."""

    code: str
    name: str
    description: str
    kind: str
    counts: str
    cells: tuple[Cell, ...]

    @property
    def differs(self) -> bool:
        return any(cell != self.cells[0] for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Group:
    code: str
    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The comparison; `hidden` rows were left out because all columns agree."""

    groups: tuple[Group, ...]
    hidden: int = 0

    @property
    def shown(self) -> int:
        return sum(len(group.rows) for group in self.groups)

    def differences(self) -> Table:
        """Returns the same without the rows whose cells are all equal, and without groups that this empties."""
        groups = [replace(group, rows=tuple(row for row in group.rows if row.differs)) for group in self.groups]
        kept = Table(tuple(group for group in groups if group.rows))
        return replace(kept, hidden=self.hidden + self.shown - kept.shown)


def tabulate(columns: Iterable[Column]) -> Table:
    """Returns a row for every feature that any of the columns grants."""
    columns = tuple(columns)
    words: dict[str, Mapping[str, Any]] = {}
    for column in sorted(columns, key=lambda column: column.since):
        words.update(column.features)
    groups: dict[str, tuple[str, list[Row]]] = {}
    for code, said in sorted(words.items(), key=lambda item: (item[1]["position"], item[0])):
        _, rows = groups.setdefault(said["group"], (said["group_name"], []))
        rows.append(_row(code, said, columns))
    return Table(tuple(Group(code, name, tuple(rows)) for code, (name, rows) in groups.items()))


def cells(features: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Cell]]:
    """Returns what one version gives: the name of each feature and its cell, in order."""
    ordered = sorted(features.items(), key=lambda item: (item[1]["position"], item[0]))
    return [(said["name"], _cell(code, said, said)) for code, said in ordered]


def _row(code: str, said: Mapping[str, Any], columns: tuple[Column, ...]) -> Row:
    known: dict[tuple[Any, Any], Cell] = {}  # most plans agree on most features

    def cell(own: Mapping[str, Any] | None) -> Cell:
        if own is None:
            return ABSENT
        key = (own["value"], own.get("unlimited"))
        if key not in known:
            known[key] = _cell(code, own, said)
        return known[key]

    found = tuple(cell(column.features.get(code)) for column in columns)
    return Row(code, said["name"], said["description"], said["kind"], said["counts"], found)


def _cell(code: str, own: Mapping[str, Any], said: Mapping[str, Any]) -> Cell:
    """Returns the value of `own` in the words of `said`, which may have renamed the choices since."""
    grant = FeatureContent.from_json(code, own)
    names = grant.definition.choice_names | {choice["code"]: choice["name"] for choice in said["choices"]}
    text = grant.definition.behaviour.show(grant.value, names, said["unit"])
    return Cell(own["value"], own.get("unlimited"), text)
