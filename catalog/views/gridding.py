"""What the matrix shows: which groups are open within the budget of cells, and how each cell is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from django.db.models import Count, Q
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from catalog.content import FeatureDefinition, Inheritance, Inherited
from catalog.errors import Said
from catalog.kinds import BadValue
from catalog.models import Feature, FeatureGroup
from catalog.services.columns import Column, Key, is_repeated, own_values
from catalog.services.mapping import definitions_of

MOST_CELLS: Final = 5_000  # in a page, however it is asked for
FIRST_CELLS: Final = 1_500  # in a page that doesn't say which groups are open
FOUND_CELLS: Final = 2_500  # in a page of what a search found
MOST_COLUMNS: Final = 200
MOST_ROWS: Final = 200  # of a group at a time


@dataclass(frozen=True, slots=True)
class Opened:
    """A group that is open, and at which page."""

    group: str
    page: int = 1

    @classmethod
    def read(cls, text: str) -> Opened:
        group, _, page = text.partition(":")
        return cls(group, int(page) if page.isascii() and page.isdigit() and len(page) < 6 and int(page) else 1)

    def __str__(self) -> str:
        return f"{self.group}:{self.page}" if self.page > 1 else self.group


class Asked(Protocol):
    """What a question says of the rows."""

    @property
    def search(self) -> str: ...
    @property
    def opened(self) -> tuple[Opened, ...] | None: ...
    @property
    def part(self) -> Opened | None: ...
    def address(self, opened: Sequence[Opened]) -> str: ...


@dataclass(frozen=True, slots=True)
class Row:
    """A feature: its definition, what a limit is counted in, and its cells as HTML."""

    definition: FeatureDefinition
    unit: str
    choices: str
    cells: SafeString


@dataclass(frozen=True, slots=True)
class Group:
    """A group of `count` features; open with the `rows` of `page` of `pages`, or closed with none."""

    code: str
    name: str
    count: int
    page: int
    pages: Sequence[tuple[int, str]]  # number, address
    page_rows: int  # how many rows it has, or would have, when open
    rows: Sequence[Row]
    toggle: str  # address at which it is closed, or open


@dataclass(frozen=True, slots=True)
class Drawn:
    groups: list[Group]
    features: int


def draw_groups(columns: Sequence[Column], asked: Asked) -> Drawn:
    """Returns the groups that have features asked for, the open ones with their rows. Six queries at most."""
    matching = _matching(asked.search)
    counted = FeatureGroup.objects.annotate(count=Count("features", filter=matching)).filter(count__gt=0)
    groups: list[Any] = list(counted.order_by("position", "code"))
    counts = {group.code: group.count for group in groups}
    rows_each = page_rows(len(columns))
    if asked.part is not None:
        groups = [group for group in groups if group.code == asked.part.group]
        opened = [Opened(group.code, min(asked.part.page, _pages(group.count, rows_each))) for group in groups]
    else:
        opened = fit(counts, asked.opened, len(columns), is_search=bool(asked.search))
    rows = _rows(columns, matching, opened, rows_each)
    open_pages = {each.group: each.page for each in opened}
    drawn = []
    for group in groups:
        page, pages = open_pages.get(group.code), _pages(group.count, rows_each)
        others = [each for each in opened if each.group != group.code]
        numbers = range(1, pages + 1) if page and pages > 1 else ()
        drawn.append(
            Group(
                code=group.code,
                name=group.name,
                count=group.count,
                page=page or 0,
                pages=[(number, asked.address([*others, Opened(group.code, number)])) for number in numbers],
                page_rows=min(group.count, rows_each),
                rows=rows.get(group.code, ()),
                toggle=asked.address(others if page else [*others, Opened(group.code)]),
            )
        )
    return Drawn(drawn, sum(counts.values()))


# ── Which groups are open ───────────────────────────────────────────────────
def page_rows(columns: int) -> int:
    """Returns how many rows of a group are shown at a time: so many that two groups fit in a page."""
    return max(1, min(MOST_CELLS // max(columns, 1) // 2, MOST_ROWS))


def fit(
    counts: Mapping[str, int], wanted: Sequence[Opened] | None, columns: int, *, is_search: bool = False
) -> list[Opened]:
    """Returns the groups to open, least recently opened first: of those wanted the last ones that fit in the budget.

    `counts` has the features of each group in order. When nothing is said (`wanted` is None) the first groups are
    opened, a first page at least.
    """
    rows_each, columns = page_rows(columns), max(columns, 1)
    budget = MOST_CELLS
    candidates = [each for each in reversed(wanted or ()) if each.group in counts]
    if wanted is None:
        budget = FOUND_CELLS if is_search else FIRST_CELLS
        candidates = [Opened(code) for code in counts]
    opened: list[Opened] = []
    for each in candidates:
        count = counts[each.group]
        page = min(each.page, _pages(count, rows_each))
        cells = columns * min(rows_each, count - (page - 1) * rows_each)
        is_first_page = wanted is None and not opened
        if cells > budget and not is_first_page:
            break
        if all(each.group != other.group for other in opened):
            opened.append(Opened(each.group, page))
            budget -= cells
    return opened if wanted is None else opened[::-1]


def _pages(count: int, rows_each: int) -> int:
    return max(1, -(-count // rows_each))


def _matching(search: str) -> Q:
    """Returns the features asked for, as seen from a group."""
    words = Q()
    for word in search.split():
        words &= (
            Q(features__name__icontains=word)
            | Q(features__code__icontains=word)
            | Q(features__description__icontains=word)
            | Q(features__group__name__icontains=word)
        )
    return words & Q(features__isnull=False)


# ── The rows of those ───────────────────────────────────────────────────────
def _rows(columns: Sequence[Column], matching: Q, opened: Sequence[Opened], rows_each: int) -> dict[str, list[Row]]:
    pages = {each.group: each.page for each in opened}
    found = FeatureGroup.objects.filter(matching, code__in=pages).order_by("features__position", "features__code")
    members: dict[str, list[int]] = {code: [] for code in pages}
    for code, feature in found.values_list("code", "features"):
        members[code].append(feature)
    shown = {
        code: features[(pages[code] - 1) * rows_each : pages[code] * rows_each] for code, features in members.items()
    }
    wanted = [feature for features in shown.values() for feature in features]
    if not wanted:
        return {}
    definitions, own = definitions_of(wanted), own_values(columns, wanted)
    pen = Pen(columns, own)
    return {code: [pen.row(definitions[feature]) for feature in features] for code, features in shown.items()}


class Pen:
    """Draws rows; cells that are alike are drawn once, and most are."""

    def __init__(self, columns: Sequence[Column], own: Mapping[Key, Said]) -> None:
        self._columns = columns
        self._own = own
        self._inheritance = Inheritance()

    def row(self, definition: FeatureDefinition) -> Row:
        drawn: dict[tuple[Any, ...], str] = {}
        counted = dict(Feature.Counts.choices).get(definition.counts, "")
        choices = "\n".join(f"{choice.code}\t{choice.name}" for choice in definition.choices)
        cells = "".join(self._cells(definition, drawn))
        unit = f"{definition.unit} {counted}".strip()
        return Row(definition, unit, choices, mark_safe(cells))  # noqa: S308 - put together from what was escaped

    def _cells(self, definition: FeatureDefinition, drawn: dict[tuple[Any, ...], str]) -> Iterator[str]:
        for column in self._columns:
            own = self._own.get((column.offer, definition.code))
            inherited = self._inheritance.of(column.sources, definition.code)
            is_repeat = is_repeated(column, definition, own, self._inheritance)
            key = (type(own), own, id(inherited), is_repeat)
            if key not in drawn:
                drawn[key] = draw(definition, own, inherited, is_repeat=is_repeat)
            yield drawn[key]


def draw(definition: FeatureDefinition, own: Said | None, inherited: Inherited | None, *, is_repeat: bool) -> str:
    """Returns a cell: what it says, and as data its own and inherited value and where that comes from."""
    is_disputed = inherited is not None and inherited.is_disputed
    said = own if own is not None else inherited.said if inherited else None
    facts = {
        "own": say(own),
        "in": say(inherited.said) if inherited else None,
        "from": inherited.origin if inherited and not is_disputed else None,
    }
    data = "".join(f' data-{name}="{escape(value)}"' for name, value in facts.items() if value is not None)
    looks = ["own" if own is not None else "in" if said is not None or is_disputed else "none"]
    looks += [
        name for name, holds in (("off", own is False), ("repeats", is_repeat), ("disputed", is_disputed)) if holds
    ]
    text = "differ" if is_disputed and own is None else show(definition, said)
    return format_html(
        '<td class="{}"{}><span>{}</span></td>',
        " ".join(looks),
        mark_safe(data),  # noqa: S308 - its values were escaped
        text,
    )


def say(said: Said | None) -> str | None:
    """Returns a value as people type it: yes or no, a number or unlimited, the code of a choice."""
    if said is None:
        return None
    return ("yes" if said else "no") if isinstance(said, bool) else str(said)


def show(definition: FeatureDefinition, said: Said | None) -> str:
    """Returns what a cell says of a value."""
    if said is None:
        return ""
    if isinstance(said, bool):
        return "✓" if said else "✕"
    try:
        value = definition.behaviour.parse(said, definition.choice_codes)
    except BadValue:
        return f"{said} (gone)"
    return definition.behaviour.show(value, definition.choice_names)


def stage_of(column: Column, at: datetime) -> tuple[str, str]:
    """Returns in a word how far a column's version is, and the colour of its badge."""
    version = column.version
    if version is None:
        return "nothing yet", ""
    stage = version.stage(at)
    if column.is_draft:
        return stage, "badge-good" if stage == "approved" else "badge-warn"
    return f"v{version.number}" if stage == "published" else f"v{version.number} {stage}", ""
