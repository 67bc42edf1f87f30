"""Undoing a change of seats: previewed as any other, and undone once (S-16)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from customers.errors import NotFound
from licensing.bulk_errors import AlreadyUndone, UndoTooLate
from licensing.models import ChangeSet
from licensing.services.bulk import undone_by
from licensing.services.people import edit_user
from tests.licensing.changing import (
    ESSENTIALS,
    SALES,
    SERVICE,
    applies,
    gives,
    outcomes,
    previews,
    takes,
    undoes,
)
from tests.licensing.market import Town, hours

S = "superoffice."


class TestUndoing:
    """S-16: undo for 30 days, previewed alike; an undo can be undone."""

    def test_undo_gives_back_what_was_taken_and_takes_what_was_given(self, shop: Town) -> None:
        shop.gives("ola", ESSENTIALS, SERVICE, at=hours(2))
        number = applies(shop, previews(shop, gives("ola", SALES), gives("ida", SALES), at=hours(3)), at=hours(4))
        assert number.change_set is not None
        shop.gives("ida", SERVICE, at=hours(5))

        preview = undoes(shop, number.change_set.number, at=hours(6))
        assert preview.kind == "undo"
        done = applies(shop, preview, at=hours(7))

        assert shop.holds("ola") == {ESSENTIALS, SERVICE}
        assert shop.holds("ida") == {SERVICE}, "what came later stays"
        assert done.change_set is not None
        assert done.change_set.undoes == number.change_set
        shop.assert_whole()

    def test_it_is_known_what_was_undone_by_which_also_when_the_undo_is_undone(self, shop: Town) -> None:
        def known() -> dict[int, int]:
            found = undone_by(customer=shop.customer, change_sets=list(ChangeSet.objects.all()))
            return {number: by.number for number, by in sorted(found.items())}

        applies(shop, previews(shop, gives("ola", SALES), at=hours(2)), at=hours(3))
        assert known() == {}
        applies(shop, undoes(shop, 1, at=hours(4)), at=hours(5))
        assert known() == {1: 2}
        with pytest.raises(AlreadyUndone):
            undoes(shop, 1, at=hours(6))
        applies(shop, undoes(shop, 2, at=hours(7)), at=hours(8))
        assert known() == {2: 3}
        assert shop.holds("ola") == {SALES}
        applies(shop, undoes(shop, 1, at=hours(9)), at=hours(10))
        assert known() == {1: 4, 2: 3}
        assert shop.holds("ola") == set()

    def test_what_is_undone_in_part_is_undone_once_and_then_no_more(self, shop: Town) -> None:
        applies(shop, previews(shop, gives("ola", ESSENTIALS), gives("ida", ESSENTIALS), at=hours(2)), at=hours(3))
        shop.gives("ida", SALES, at=hours(4))  # so her seat has moved
        applies(shop, undoes(shop, 1, mode="as_many", at=hours(5)), at=hours(6))
        assert (shop.holds("ola"), shop.holds("ida")) == (set(), {SALES})
        shop.gives("ida", ESSENTIALS, at=hours(7))
        shop.gives("ola", ESSENTIALS, at=hours(7))  # anew, which is nothing that change 1 did

        rest = undoes(shop, 1, mode="as_many", at=hours(8))
        assert outcomes(rest) == [("ida", "changes", "")]
        applies(shop, rest, at=hours(9))
        assert (shop.holds("ola"), shop.holds("ida")) == ({ESSENTIALS}, set())
        with pytest.raises(AlreadyUndone):
            undoes(shop, 1, at=hours(10))

    def test_an_undo_is_too_late_when_it_is_applied_too_late(self, shop: Town) -> None:
        applies(shop, previews(shop, gives("ola", SALES), at=hours(2)), at=hours(3))
        in_time = undoes(shop, 1, at=hours(3) + timedelta(days=29, hours=23))
        with pytest.raises(UndoTooLate):
            applies(shop, in_time, at=hours(3) + timedelta(days=30, hours=2))
        assert shop.holds("ola") == {SALES}

    def test_conflicts_are_named_per_user(self, shop: Town) -> None:
        for user in ("ola", "ida"):
            shop.gives(user, SALES, at=hours(2))
        wishes = [takes("ola", SALES), gives("ida", ESSENTIALS, release=[SALES]), gives("per", SERVICE)]
        applies(shop, previews(shop, *wishes, at=hours(3)), at=hours(4))
        shop.takes("ida", ESSENTIALS, at=hours(5))
        edit_user(customer=shop.customer, actor=shop.actor, user=shop.users["ola"], can_log_in=False, at=hours(6))

        number = ChangeSet.objects.get(number=3).number
        preview = undoes(shop, number, at=hours(7))
        assert preview.state == "blocked"
        assert {user: code for user, _, code in outcomes(preview)} == {
            "ida": "seats_moved",
            "ola": "user_cannot_hold_seats",
            "per": "",
        }
        partly = applies(shop, undoes(shop, number, mode="as_many", at=hours(8)), at=hours(9))
        assert partly.change_set is not None
        assert [row.user.code for row in partly.change_set.rows.all()] == ["per"]

    def test_no_seat_left_to_give_back(self, shop: Town) -> None:
        shop.gives("ola", SALES, at=hours(2))
        shop.takes("ola", SALES, at=hours(3))
        shop.gives("ida", SALES, at=hours(4))
        shop.gives("per", SALES, at=hours(4))
        assert outcomes(undoes(shop, 2, at=hours(5))) == [("ola", "blocked", "no_seat_left")]

    def test_undo_never_pushes_out_what_came_later(self, shop: Town) -> None:
        shop.gives("ola", SALES, at=hours(2))
        shop.takes("ola", SALES, at=hours(3))
        shop.gives("ola", ESSENTIALS, at=hours(4))
        assert outcomes(undoes(shop, 2, at=hours(5))) == [("ola", "blocked", "seats_moved")]

    def test_after_thirty_days_it_is_too_late(self, shop: Town) -> None:
        shop.gives("ola", SALES, at=hours(2))
        assert undoes(shop, 1, at=hours(2) + timedelta(days=30)).state == "ready"
        with pytest.raises(UndoTooLate):
            undoes(shop, 1, at=hours(2) + timedelta(days=30, seconds=1))

    def test_an_unknown_change_set_is_not_found(self, shop: Town) -> None:
        with pytest.raises(NotFound):
            undoes(shop, 99)
