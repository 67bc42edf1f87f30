"""Where new entries of a file find their place among those that stand already."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.document.ordering import place

CODES = st.sampled_from("abcdefghij")


def in_order(placed: dict[str, int]) -> list[str]:
    """Returns the codes as the tables are sorted: what stands at one place goes by its code."""
    return sorted(placed, key=lambda code: (placed[code], code))


def test_the_first_file_leaves_room_between_its_entries() -> None:
    assert place(["a", "b", "c"], {}) == {"a": 10, "b": 20, "c": 30}


def test_what_is_new_stands_after_what_precedes_it() -> None:
    assert place(["a", "new", "c"], {"a": 10, "b": 20, "c": 30}) == {"a": 10, "b": 20, "c": 30, "new": 15}


def test_what_precedes_nobody_known_comes_last_and_what_comes_first_stands_before() -> None:
    assert in_order(place(["new"], {"a": 10, "b": 20})) == ["a", "b", "new"]
    assert in_order(place(["new", "b"], {"a": 10, "b": 20})) == ["a", "new", "b"]


def test_those_that_change_places_do_so_among_themselves() -> None:
    assert place(["c", "a"], {"a": 10, "b": 20, "c": 30}) == {"c": 10, "b": 20, "a": 30}


def test_without_room_all_get_new_positions() -> None:
    assert place(["a", "new", "b"], {"a": 1, "b": 2}) == {"a": 10, "new": 20, "b": 30}
    assert place(["b", "a"], {"a": 0, "b": 0}) == {"b": 10, "a": 20}


@given(st.lists(CODES, unique=True), st.dictionaries(CODES, st.integers(0, 30)))
def test_the_order_of_the_file_holds_and_a_second_time_moves_nothing(order: list[str], held: dict[str, int]) -> None:
    placed = place(order, held)
    assert set(placed) == {*order, *held}
    assert [code for code in in_order(placed) if code in order] == order
    assert place(order, placed) == placed


@given(st.lists(CODES, unique=True), st.lists(CODES, unique=True))
def test_what_the_file_does_not_name_keeps_its_order(order: list[str], standing: list[str]) -> None:
    held = {code: number for number, code in enumerate(standing)}
    unnamed = [code for code in standing if code not in order]
    assert [code for code in in_order(place(order, held)) if code in unnamed] == unnamed
