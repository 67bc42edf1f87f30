"""Versions side by side: which rows, in which order and words, and what only differences leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.content import FeatureContent, FeatureDefinition
from catalog.content.table import ABSENT, Cell, Column, Table, cells, tabulate
from catalog.kinds import UNLIMITED, Value
from tests.catalog.drawing import level, limit, switch

DAY = datetime(2026, 1, 5, tzinfo=UTC)
TICK = Cell(True, None, "Included")
CHAT = switch("chat")
MAIL = limit("mail", unit="recipients")
TILES = level("tiles", "default", "custom")
AUDIT = replace(switch("audit"), group="safety", group_name="Safety")


def column(code: str, *grants: tuple[FeatureDefinition, Value], day: int = 0, positions: str = "") -> Column:
    """A version with these grants, published on that day; `positions` names the features in order."""
    order = positions.split() or [definition.code for definition, _ in grants]
    features = {
        definition.code: FeatureContent(definition, value, code, None, 0, order.index(definition.code)).to_json()
        for definition, value in grants
    }
    return Column(code, DAY + timedelta(days=day), features)


def lines(table: Table) -> list[str]:
    """The table as somebody reads it aloud."""
    read = []
    for group in table.groups:
        read.append(f"# {group.name}")
        read += [f"{row.name}: {' | '.join(cell.text or '–' for cell in row.cells)}" for row in group.rows]
    return read


# ── What stands in a cell ───────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("definition", "value", "cell"),
    [
        (CHAT, True, TICK),
        (MAIL, 1500, Cell(1500, False, "1,500 recipients")),
        (MAIL, UNLIMITED, Cell(None, True, "Unlimited recipients")),
        (TILES, "custom", Cell("custom", None, "Custom")),
    ],
)
def test_a_value_is_told_in_words(definition: FeatureDefinition, value: Value, cell: Cell) -> None:
    table = tabulate([column("one", (definition, value)), column("two")])
    assert table.groups[0].rows[0].cells == (cell, ABSENT)
    assert not cell.is_absent
    assert ABSENT.is_absent
    assert cell.is_tick is (definition is CHAT)


@pytest.mark.parametrize(
    ("cell", "data"),
    [
        (ABSENT, None),
        (TICK, {"value": True, "text": "Included"}),
        (Cell(None, True, "Unlimited"), {"value": None, "unlimited": True, "text": "Unlimited"}),
    ],
)
def test_a_cell_is_data_too(cell: Cell, data: Mapping[str, Any] | None) -> None:
    assert cell.to_json() == data


# ── Order and words ─────────────────────────────────────────────────────────
def test_features_stand_in_frozen_order_below_their_group() -> None:
    one = column("one", (AUDIT, True), (MAIL, 5), (CHAT, True), positions="chat audit mail")
    assert lines(tabulate([one])) == ["# All", "Chat: Included", "Mail: 5 recipients", "# Safety", "Audit: Included"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_youngest_version_says_how_a_feature_is_called_and_where_it_stands(order: tuple[int, int]) -> None:
    """Whichever column comes first; a choice renamed since is told in its new name in both."""
    default, custom = TILES.choices
    now = replace(TILES, name="Boards", choices=(default, replace(custom, name="Your own")))
    old = column("old", (TILES, "custom"), (CHAT, True), positions="tiles chat")
    new = column("new", (now, "custom"), day=1, positions="chat tiles")
    both = [old, new]
    table = tabulate([both[at] for at in order])
    assert [row.name for row in table.groups[0].rows] == ["Chat", "Boards"]
    assert {cell.text for cell in table.groups[0].rows[1].cells} == {"Your own"}


def test_a_choice_that_is_gone_keeps_the_name_it_had() -> None:
    old = column("old", (level("tiles", "custom", "legacy"), "legacy"))
    new = column("new", (TILES, "custom"), day=1)
    assert lines(tabulate([old, new])) == ["# All", "Tiles: Legacy | Custom"]


def test_one_version_is_told_in_order() -> None:
    assert cells(column("one", (MAIL, 5), (CHAT, True), positions="chat mail").features) == [
        ("Chat", TICK),
        ("Mail", Cell(5, False, "5 recipients")),
    ]


def test_nothing_to_compare_is_an_empty_table() -> None:
    assert tabulate([]) == Table(())


# ── Only differences ────────────────────────────────────────────────────────
def test_only_differences_leaves_out_what_all_agree_on_and_counts_it() -> None:
    one = column("one", (CHAT, True), (MAIL, 5), (AUDIT, True))
    two = column("two", (CHAT, True), (MAIL, 6), (AUDIT, True))
    table = tabulate([one, two]).differences()
    assert lines(table) == ["# All", "Mail: 5 recipients | 6 recipients"]
    assert (table.shown, table.hidden) == (1, 2)


POOL = (CHAT, AUDIT, MAIL, limit("space"), TILES)
ANY_VALUE: dict[str, st.SearchStrategy[Value]] = {
    "switch": st.just(True),
    "limit": st.sampled_from([1, 2, UNLIMITED]),
    "level": st.sampled_from(["default", "custom"]),
}
ANY_COLUMNS = st.lists(
    st.fixed_dictionaries({}, optional={definition: ANY_VALUE[definition.kind] for definition in POOL}), max_size=4
)


@given(ANY_COLUMNS)
def test_every_granted_feature_has_one_row_and_only_equal_rows_are_hidden(drawn: list[dict[Any, Value]]) -> None:
    columns = [column(f"plan-{at}", *grants.items(), day=at) for at, grants in enumerate(drawn)]
    table = tabulate(columns)
    rows = {row.code: row for group in table.groups for row in group.rows}
    assert len(rows) == table.shown  # no feature twice
    assert rows.keys() == {definition.code for grants in drawn for definition in grants}
    for at, grants in enumerate(drawn):
        given_there = {definition.code for definition in grants}
        assert {code for code, row in rows.items() if not row.cells[at].is_absent} == given_there

    kept = table.differences()
    told = {row.code for group in kept.groups for row in group.rows}
    assert told == {code for code, row in rows.items() if len(set(row.cells)) > 1}
    assert kept.shown + kept.hidden == table.shown
    assert all(group.rows for group in kept.groups)
    assert kept.differences() == kept
