"""What a row of the users page asks for, without a database.

Sold are Sales (Essentials, Premium), Service (Premium), Marketing (Premium), one plan for all three, calendar
synchronisation by the seat, and confidential activities without limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.errors import NoSeatLeft, SeatsMoved, WouldNotFit
from licensing.portal.choices import (
    Board,
    Entry,
    Question,
    entries_of,
    examine,
    make_board,
    place,
    rebase,
    wish_of,
)
from licensing.portal.words import in_words, listed
from licensing.seating import Assignable, Inventory, Wish, judge

ESSENTIALS, PREMIUM, SERVICE, MARKETING = "own.sales-1", "own.sales-2", "own.service-2", "own.marketing-2"
ALL = "own.all-2"
CALENDAR, SECRET = "own.nebula", "own.visible-for"
NAMES = {
    ESSENTIALS: "Sales Essentials",
    PREMIUM: "Sales Premium",
    SERVICE: "Service Premium",
    MARKETING: "Marketing Premium",
    ALL: "All Premium",
    CALENDAR: "Calendar",
    SECRET: "Confidential",
    "own.user": "Login",
}
SOLUTIONS = {"sales": "Sales", "service": "Service", "marketing": "Marketing"}


def plan(module: str, *solutions: str, total: int = 5) -> Assignable:
    return Assignable(module, is_plan=True, solutions=frozenset(solutions), switches_on=("own.user",), total=total)


def board_of(*more: Assignable) -> Board:
    sold = [
        plan(ALL, "sales", "service", "marketing", total=2),
        plan(ESSENTIALS, "sales"),
        plan(PREMIUM, "sales"),
        plan(SERVICE, "service"),
        plan(MARKETING, "marketing"),
        Assignable(CALENDAR, prerequisite="own.user", total=2),
        Assignable(SECRET, total=1, unrestricted=True),
        *more,
    ]
    return make_board(Inventory({assignable.module: assignable for assignable in sold}), NAMES, SOLUTIONS)


BOARD = board_of()


def row(*was: str, extras: tuple[str, ...] = (), accept: bool = False, **plans: str) -> Entry:
    """`row(ALL, sales=PREMIUM)`: shown holding ALL, and Sales Premium is chosen for Sales, all else left alone."""
    chosen = BOARD.selection(frozenset(was)) | plans
    return Entry("ola", frozenset(was), chosen, frozenset(extras), accept)


def asked(entry: Entry) -> Wish:
    wish = wish_of(BOARD, entry)
    assert isinstance(wish, Wish)
    return wish


# ── The board ───────────────────────────────────────────────────────────────
def test_there_is_a_picker_per_solution_with_single_plans_first() -> None:
    shown = {picker.label: [option.module for option in picker.options] for picker in BOARD.pickers}
    assert shown == {
        "Sales": [ESSENTIALS, PREMIUM, ALL],
        "Service": [SERVICE, ALL],
        "Marketing": [MARKETING, ALL],
    }


def test_a_plan_that_covers_no_solution_gets_a_picker_of_its_owner() -> None:
    board = board_of(plan("acme.basic"), plan("acme.pro"))
    assert board.pickers[-1].label == "Plan of ACME"
    assert board.pickers[-1].modules == {"acme.basic", "acme.pro"}
    assert not any(picker.key == ".acme" for picker in BOARD.pickers)


def test_a_plan_for_several_solutions_shows_in_each() -> None:
    assert BOARD.selection(frozenset({ALL, CALENDAR})) == {"sales": ALL, "service": ALL, "marketing": ALL}
    assert BOARD.selection(frozenset({PREMIUM})) == {"sales": PREMIUM, "service": "", "marketing": ""}


# ── The form ────────────────────────────────────────────────────────────────
def test_a_form_is_read_row_by_row() -> None:
    form = {
        "csrfmiddlewaretoken": ["x"],
        "was:ola": [f"{PREMIUM} {CALENDAR}"],
        "plan:ola:sales": [ESSENTIALS],
        "plan:ola:service": [""],
        "extra:ola": [CALENDAR, SECRET],
        "accept:ola": ["on"],
        "was:ida.b": [""],
        "plan:ida.b:.acme": ["acme.pro"],
        "plan:nobody:sales": [PREMIUM],
        "reason": ["why"],
    }
    assert entries_of(form) == [
        Entry(
            "ola",
            frozenset({PREMIUM, CALENDAR}),
            {"sales": ESSENTIALS, "service": ""},
            frozenset({CALENDAR, SECRET}),
            accept_loss=True,
        ),
        Entry("ida.b", frozenset(), {".acme": "acme.pro"}),
    ]


@given(st.dictionaries(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=3), max_size=8))
def test_no_form_is_too_strange_to_be_read(form: Mapping[str, list[str]]) -> None:
    assert len(entries_of(form)) == len({name.split(":")[1] for name in form if name.startswith("was:")})


# ── Wishes ──────────────────────────────────────────────────────────────────
def test_an_untouched_row_asks_for_nothing() -> None:
    assert wish_of(BOARD, row()) is None
    assert wish_of(BOARD, row(ALL, CALENDAR, extras=(CALENDAR,))) is None


def test_a_picker_that_was_not_sent_is_left_alone() -> None:
    assert wish_of(BOARD, Entry("ola", frozenset({PREMIUM}))) is None


@pytest.mark.parametrize(
    ("entry", "assign", "release"),
    [
        (row(sales=PREMIUM), (PREMIUM,), ()),
        (row(PREMIUM, sales=ESSENTIALS), (ESSENTIALS,), ()),  # the service pushes Premium out
        (row(PREMIUM, sales=""), (), (PREMIUM,)),
        (row(PREMIUM, extras=(CALENDAR,)), (CALENDAR,), ()),
        (row(PREMIUM, CALENDAR, sales=""), (), (CALENDAR, PREMIUM)),
        (row(PREMIUM, SERVICE, sales=ALL), (ALL,), ()),
        (row(ALL, sales="", service="", marketing=""), (), (ALL,)),
        (row(ALL, sales=PREMIUM, service=SERVICE, marketing=""), (PREMIUM, SERVICE), ()),
    ],
)
def test_what_is_chosen_becomes_a_wish(entry: Entry, assign: tuple[str, ...], release: tuple[str, ...]) -> None:
    wish = asked(entry)
    assert (wish.assign, wish.release) == (assign, release)


def test_a_single_plan_in_place_of_a_combined_one_asks_about_what_goes_with_it() -> None:
    assert wish_of(BOARD, row(ALL, sales=PREMIUM)) == Question(
        assigned=("Sales Premium",), released=("All Premium",), lost=("Service", "Marketing")
    )
    assert wish_of(BOARD, row(ALL, sales=PREMIUM, service=SERVICE)) == Question(
        assigned=("Sales Premium", "Service Premium"), released=("All Premium",), lost=("Marketing",)
    )


def test_none_in_place_of_a_combined_plan_asks_too() -> None:
    assert wish_of(BOARD, row(ALL, sales="")) == Question((), ("All Premium",), ("Service", "Marketing"))


def test_an_accepted_loss_is_a_wish() -> None:
    assert asked(row(ALL, sales=PREMIUM, accept=True)) == Wish((PREMIUM,), (), accept_loss=True)
    assert asked(row(ALL, sales="", accept=True)) == Wish((), (ALL,), accept_loss=True)


HELD = st.sampled_from(
    [
        frozenset(held)
        for held in (
            [],
            [ALL],
            [ESSENTIALS],
            [PREMIUM, SERVICE],
            [SERVICE, MARKETING],
            [PREMIUM, CALENDAR],
            [ALL, SECRET],
        )
    ]
)
CHOSEN = st.fixed_dictionaries({picker.key: st.sampled_from(["", *sorted(picker.modules)]) for picker in BOARD.pickers})


@given(HELD, CHOSEN, st.sets(st.sampled_from([CALENDAR, SECRET])), st.booleans())
def test_what_was_chosen_is_what_is_held_afterwards(
    held: frozenset[str], chosen: dict[str, str], extras: set[str], accept: bool
) -> None:
    """Or else it is refused or asked about; nobody loses what their own picker kept, unless that was accepted."""
    entry = Entry("ola", held, chosen, frozenset(extras), accept)
    [examined] = examine(BOARD, [entry], {"ola": held}, {})
    if examined.wish is None:
        assert not examined.stands or (chosen == BOARD.selection(held) and extras == BOARD.extras_in(held))
        return
    before, after = BOARD.selection(held), BOARD.selection(examined.after)
    named = {chosen[key] for key in chosen if chosen[key] != before[key]}
    for key, module in chosen.items():
        if module != before[key] and module:
            assert after[key] == module
        elif module != before[key]:
            assert after[key] == "" or after[key] in named
        else:
            assert after[key] == module or after[key] in named or accept
    assert BOARD.extras_in(examined.after) == extras
    assert examined.after == judge(BOARD.inventory, "ola", held, examined.wish)


# ── What is in the way ──────────────────────────────────────────────────────
def faults(*entries: Entry, held: Mapping[str, frozenset[str]] | None = None, **used: Any) -> list[str]:
    now = {entry.user: entry.was for entry in entries} if held is None else held
    taken = {PREMIUM: used.get("premium", 0), ALL: used.get("all", 0)}
    return [found.fault.message if found.fault else "" for found in examine(BOARD, entries, now, taken)]


def test_a_row_that_moved_in_the_meantime_says_what_is_held_now() -> None:
    [said] = faults(row(sales=PREMIUM), held={"ola": frozenset({ESSENTIALS})})
    assert said == "ola's seats were changed in the meantime: ola holds Sales Essentials now."


def test_a_row_that_moved_but_was_not_touched_is_no_matter() -> None:
    assert faults(row(), held={"ola": frozenset({ESSENTIALS})}) == [""]


def test_an_unknown_user_and_an_unknown_module_are_told() -> None:
    assert faults(row(sales=PREMIUM), held={}) == ["There is no user 'ola' here."]
    assert faults(row(sales="own.gone")) == ["own.gone is not part of the active package any more."]
    assert faults(row(service=PREMIUM)) == ["Sales Premium is not part of the active package any more."]
    assert faults(row(extras=(PREMIUM,))) == ["Sales Premium is not part of the active package any more."]


def test_two_plans_of_one_solution_are_refused_by_their_names() -> None:
    [said] = faults(row(sales=PREMIUM, service=ALL))
    assert said == "All Premium and Sales Premium cover the same solution; ola can hold one of them."


def test_a_missing_prerequisite_is_told() -> None:
    assert faults(row(extras=(CALENDAR,))) == ["Calendar needs Login, which ola would not hold."]


def test_rows_are_counted_together() -> None:
    """Two want the last seat: both are told. One that gives a seat back makes room for another."""
    ola, ida = row(sales=PREMIUM), Entry("ida", frozenset(), {"sales": PREMIUM})
    assert faults(ola, ida, premium=3) == ["", ""]
    assert faults(ola, ida, premium=4) == ["Sales Premium has 5 seats; this would take 1 more than that."] * 2
    per = Entry("per", frozenset({PREMIUM}), {"sales": ESSENTIALS})
    assert faults(ola, per, premium=5) == ["", ""]


def test_what_has_no_limit_never_runs_out() -> None:
    [examined] = examine(BOARD, [row(extras=(SECRET,))], {"ola": frozenset()}, {SECRET: 99})
    assert examined.stands


def test_a_refusal_of_the_service_stands_at_the_row_it_is_about() -> None:
    ola, ida = row(sales=PREMIUM), Entry("ida", frozenset(), {"service": SERVICE})
    rows = examine(BOARD, [ola, ida], {"ola": frozenset(), "ida": frozenset()}, {})

    by_user = place(BOARD, rows, SeatsMoved("ida", [], [SERVICE]))
    by_module = place(BOARD, rows, NoSeatLeft(PREMIUM, 5, 1, ["per"]))
    by_none = place(BOARD, rows, WouldNotFit("OWN #2", []))

    assert [found.fault.code if found.fault else "" for found in by_user] == ["", "seats_moved"]
    assert [found.fault.message if found.fault else "" for found in by_module] == [
        "All 5 seats of Sales Premium are taken; 1 more would be needed.",
        "",
    ]
    assert all(found.stands for found in by_none)


# ── Nothing of what was entered is lost ─────────────────────────────────────
def test_after_a_move_the_page_shows_what_is_held_now_and_what_was_chosen() -> None:
    """Ola's Service came from somebody else meanwhile; the choice of Sales Premium stays, and Service isn't undone."""
    entry = row(CALENDAR, sales=PREMIUM, extras=(CALENDAR, SECRET))
    shown = rebase(BOARD, entry, frozenset({SERVICE}))
    assert shown.plans == {"sales": PREMIUM, "service": SERVICE, "marketing": ""}
    assert shown.extras == {SECRET}
    assert asked(shown) == Wish((PREMIUM, SECRET), (), accept_loss=True)


@given(HELD, CHOSEN, st.sets(st.sampled_from([CALENDAR, SECRET])))
def test_without_a_move_the_page_shows_what_was_entered(
    held: frozenset[str], chosen: dict[str, str], extras: set[str]
) -> None:
    entry = Entry("ola", held, chosen, frozenset(extras))
    assert rebase(BOARD, entry, held) == entry


# ── Words ───────────────────────────────────────────────────────────────────
def test_licence_names_become_the_names_people_know() -> None:
    names = {"own.ten-sales": "Sales", "own.ten-sales-premium": "Sales Premium"}
    fault = in_words(NoSeatLeft("own.ten-sales-premium", 1, 1, []), names)
    assert fault.message == "All 1 seats of Sales Premium are taken; 1 more would be needed."


@pytest.mark.parametrize(
    ("words", "text"), [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (("a", "b", "c"), "a, b and c")]
)
def test_lists_read_as_people_say_them(words: tuple[str, ...], text: str) -> None:
    assert listed(words) == text
