"""Assign, swap, release: rules C-7, C-9, C-12, C-13, C-21, C-23, C-24, C-29 and S-1 to S-8."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from customers.errors import NotFound
from licensing.errors import (
    ConflictingPlans,
    MissingPrerequisite,
    ModuleIsHidden,
    ModuleNotAssignable,
    ModuleNotInPackage,
    NoSeatLeft,
    SeatNotHeld,
    SolutionWouldBeLost,
    UserCannotHoldSeats,
)
from licensing.models import ChangeSet, RevisionEntry, Seat
from licensing.services.people import edit_user
from licensing.services.seats import UserWish, change_seats
from tests.licensing.market import Town, hours


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(
        sales_essentials=2, sales_premium=2, service_premium=2, sales_service_premium=1, calendar=2, chat=1, at=hours(1)
    )
    return town


def test_a_plan_gives_what_it_is_made_of(fjordlys: Town) -> None:
    """C-7: a user licence counts only for whom it is assigned to."""
    change = fjordlys.gives("ola", "ten-sales-essentials", at=hours(2))

    assert change.outcomes[0].assigned == ["superoffice.ten-sales-essentials"]
    assert fjordlys.access("ola", "sales") == "edit"
    assert fjordlys.access("ida", "sales") == "view"
    assert fjordlys.access("ida", "email-limit") == "none"


def test_a_plan_pushes_out_the_one_it_overlaps_in_the_same_instant(fjordlys: Town) -> None:
    """C-13: one plan per solution. No read sees the user without either."""
    fjordlys.gives("ola", "ten-sales-essentials", at=hours(2))

    change = fjordlys.gives("ola", "ten-sales-premium", at=hours(3))

    assert change.outcomes[0].released == ["superoffice.ten-sales-essentials"]
    assert fjordlys.holds("ola") >= {"ten-sales-premium"}
    before, after = fjordlys.users["ola"].seats.order_by("assigned_at")
    assert before.released_at == after.assigned_at == hours(3)
    assert fjordlys.access("ola", "sales", at=hours(3) - timedelta(microseconds=1)) == "edit"
    assert fjordlys.access("ola", "sales", at=hours(3)) == "edit"
    assert fjordlys.access("ola", "quotes", at=hours(3)) == "edit"


def test_a_swap_leaves_other_modules_alone(fjordlys: Town) -> None:
    """C-12: separately given modules survive."""
    fjordlys.gives("ola", "ten-sales-essentials", "nebula", "visible-for", at=hours(2))
    fjordlys.gives("ola", "ten-sales-premium", at=hours(3))
    assert fjordlys.users["ola"].seats.held().count() == 3


def test_plans_of_two_solutions_stand_side_by_side(fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-premium", at=hours(2))
    fjordlys.gives("ola", "ten-service-premium", at=hours(3))
    assert {"ten-sales-premium", "ten-service-premium"} <= fjordlys.holds("ola")


def test_a_solution_is_not_lost_in_silence(fjordlys: Town) -> None:
    """S-4: Service swapped inside Sales+Service would take Sales away."""
    fjordlys.gives("ola", "ten-sales-service-premium", at=hours(2))

    with pytest.raises(SolutionWouldBeLost) as refused:
        fjordlys.gives("ola", "ten-service-premium", at=hours(3))

    assert refused.value.details["lost_solutions"] == ["sales"]
    assert refused.value.blocking["code"] == "superoffice.ten-sales-service-premium"
    assert fjordlys.holds("ola") == {"ten-sales-service-premium"}


@pytest.mark.parametrize(
    "how",
    [
        {"accept_loss": True},
        {"release": ["ten-sales-service-premium"]},
    ],
    ids=["accepts the loss", "names what goes"],
)
def test_the_loss_can_be_meant(fjordlys: Town, how: dict[str, Any]) -> None:
    fjordlys.gives("ola", "ten-sales-service-premium", at=hours(2))
    fjordlys.gives("ola", "ten-service-premium", at=hours(3), **how)
    assert fjordlys.users["ola"].seats.held().get().module_name == "ten-service-premium"


def test_a_replacement_in_the_same_request_keeps_the_solution(fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-service-premium", at=hours(2))
    fjordlys.gives("ola", "ten-service-premium", "ten-sales-essentials", at=hours(3))
    held = set(fjordlys.users["ola"].seats.held().values_list("module_name", flat=True))
    assert held == {"ten-service-premium", "ten-sales-essentials"}


def test_two_overlapping_plans_at_once_are_a_contradiction(fjordlys: Town) -> None:
    with pytest.raises(ConflictingPlans):
        fjordlys.gives("ola", "ten-sales-essentials", "ten-sales-premium")


def test_the_last_seat_goes_once(fjordlys: Town) -> None:
    """C-21: never more than there are; the answer names who could give one up."""
    fjordlys.gives("ola", "ten-sales-premium", at=hours(2))
    fjordlys.gives("ida", "ten-sales-premium", at=hours(3))

    with pytest.raises(NoSeatLeft) as refused:
        fjordlys.gives("per", "ten-sales-premium", at=hours(4))

    assert refused.value.details == {"total": 2, "needed": 1, "could_give_up": ["ola", "ida"]}
    assert not Seat.objects.filter(user=fjordlys.users["per"]).exists()


def test_releases_count_before_assignments(fjordlys: Town) -> None:
    """S-3: the end state is judged, so the last seat may change hands in one request."""
    fjordlys.gives("ola", "ten-sales-service-premium", at=hours(2))
    wishes = [
        UserWish("ida", ("ten-sales-service-premium",)),
        UserWish("ola", release=("ten-sales-service-premium",)),
    ]
    change_seats(customer=fjordlys.customer, actor=fjordlys.actor, wishes=wishes, at=hours(3))
    assert Seat.objects.held().get().user == fjordlys.users["ida"]


def test_one_refusal_refuses_all(fjordlys: Town) -> None:
    wishes = [UserWish("ola", ("ten-sales-premium",)), UserWish("ida", ("superoffice.user",))]
    with pytest.raises(ModuleIsHidden):
        change_seats(customer=fjordlys.customer, actor=fjordlys.actor, wishes=wishes, at=hours(2))
    assert not Seat.objects.exists()
    assert not ChangeSet.objects.exists()


def test_an_unrestricted_module_never_runs_out(fjordlys: Town) -> None:
    for at, name in enumerate(fjordlys.users, start=2):
        fjordlys.gives(name, "visible-for", at=hours(at))
    assert Seat.objects.held().filter(module_name="visible-for").count() == 3


def test_a_prerequisite_comes_first(fjordlys: Town) -> None:
    """C-24: calendar synchronisation needs `user`, which any plan brings."""
    with pytest.raises(MissingPrerequisite) as refused:
        fjordlys.gives("ola", "nebula", at=hours(2))
    assert refused.value.blocking["code"] == "superoffice.user"
    assert "superoffice.ten-sales-essentials" in refused.value.details["carried_by"]

    fjordlys.gives("ola", "nebula", "ten-sales-essentials", at=hours(3))
    with pytest.raises(MissingPrerequisite):
        fjordlys.takes("ola", "ten-sales-essentials", at=hours(4))
    fjordlys.takes("ola", "ten-sales-essentials", "nebula", at=hours(5))
    assert fjordlys.users["ola"].seats.held().count() == 0


@pytest.mark.parametrize(
    ("module", "error"),
    [
        ("user", ModuleIsHidden),
        ("sale", ModuleNotAssignable),
        ("superoffice.cep", ModuleNotAssignable),
        ("ten-service-essentials", ModuleNotInPackage),
        ("nothing-such", NotFound),
        ("acme.gold", NotFound),
    ],
)
def test_what_nobody_can_be_given(fjordlys: Town, module: str, error: type[Exception]) -> None:
    """C-9, C-23."""
    with pytest.raises(error):
        fjordlys.gives("ola", module)


def test_names_are_compared_ignoring_case(fjordlys: Town) -> None:
    """C-2."""
    fjordlys.gives("OLA", "SuperOffice.Ten-Sales-Premium", at=hours(2))
    assert fjordlys.users["ola"].seats.held().get().full_name == "superoffice.ten-sales-premium"


def test_a_hidden_module_says_which_plans_bring_it(fjordlys: Town) -> None:
    with pytest.raises(ModuleIsHidden) as refused:
        fjordlys.gives("ola", "escalate-cal")
    assert refused.value.details["plans"] == [
        "superoffice.ten-sales-service-premium",
        "superoffice.ten-service-premium",
    ]


def test_what_is_not_held_cannot_be_released(fjordlys: Town) -> None:
    with pytest.raises(SeatNotHeld):
        fjordlys.takes("ola", "ten-sales-premium")


def test_the_same_again_changes_nothing(fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-premium", at=hours(2))
    before = fjordlys.revision()
    again = fjordlys.gives("ola", "ten-sales-premium", at=hours(3))
    assert again.change_set is None
    assert fjordlys.revision() == before


def test_a_change_is_one_change_set_and_one_revision(fjordlys: Town) -> None:
    before = fjordlys.revision()
    wishes = [UserWish("ola", ("ten-sales-premium",)), UserWish("ida", ("ten-sales-premium",))]

    change = change_seats(
        customer=fjordlys.customer, actor=fjordlys.actor, wishes=wishes, reason="New team", at=hours(2)
    )

    assert change.change_set is not None
    assert (change.change_set.number, change.change_set.reason, change.change_set.rows.count()) == (1, "New team", 2)
    assert fjordlys.revision() == change.change_set.revision == before + 1
    assert RevisionEntry.objects.get(customer=fjordlys.customer, number=before + 1).at == hours(2)


def test_a_dry_run_says_it_all_and_leaves_no_trace(fjordlys: Town) -> None:
    before = fjordlys.revision()
    change = fjordlys.gives("ola", "ten-sales-premium", at=hours(2), dry_run=True)
    assert change.outcomes[0].assigned == ["superoffice.ten-sales-premium"]
    assert fjordlys.revision() == before
    assert not ChangeSet.objects.exists()
    assert not Seat.objects.exists()
    with pytest.raises(NoSeatLeft):
        change_seats(
            customer=fjordlys.customer,
            actor=fjordlys.actor,
            wishes=[UserWish(name, ("ten-sales-premium",)) for name in fjordlys.users],
            dry_run=True,
        )


# ── What a user's life does to seats ────────────────────────────────────────
@pytest.mark.parametrize("change", [{"is_former_employee": True}, {"can_log_in": False}], ids=["former", "no login"])
def test_whoever_leaves_frees_their_seats(fjordlys: Town, change: dict[str, bool]) -> None:
    """C-29: in the same transaction; assigning to them is refused; coming back restores nothing."""
    fjordlys.gives("ola", "ten-sales-premium", "nebula", at=hours(2))
    before = fjordlys.revision()

    edited = edit_user(
        customer=fjordlys.customer, actor=fjordlys.actor, user=fjordlys.users["ola"], at=hours(3), **change
    )

    assert edited.freed is not None
    assert edited.freed.rows.get().before == ["superoffice.nebula", "superoffice.ten-sales-premium"]
    assert fjordlys.revision() == before + 1
    assert fjordlys.answer("ola") == {}, "neither features nor add-ons nor overrides"
    with pytest.raises(UserCannotHoldSeats):
        fjordlys.gives("ola", "ten-sales-premium", at=hours(4))

    back = {name: not value for name, value in change.items()}
    edit_user(customer=fjordlys.customer, actor=fjordlys.actor, user=fjordlys.users["ola"], at=hours(5), **back)
    assert fjordlys.users["ola"].seats.held().count() == 0
    assert fjordlys.access("ola", "sales") == "view"
    fjordlys.assert_whole()


# ── What the database refuses ───────────────────────────────────────────────
def test_the_database_refuses_a_seat_held_twice(fjordlys: Town) -> None:
    """C-5."""
    fjordlys.gives("ola", "ten-sales-premium", at=hours(2))
    seat = Seat.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        Seat.objects.create(
            customer=seat.customer,
            user=seat.user,
            owner=seat.owner,
            module_name=seat.module_name,
            assigned_at=hours(3),
            assigned_in=seat.assigned_in,
        )


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE licensing_seat SET module_name = 'forged'",
        "DELETE FROM licensing_seat",
        "UPDATE licensing_modulelicense SET license_number = 999",
        "DELETE FROM licensing_modulelicense",
        "UPDATE licensing_package SET company_name = 'forged'",
        "DELETE FROM licensing_package",
        "UPDATE licensing_entitlementset SET body = '{}'",
        "UPDATE licensing_changeset SET reason = 'forged'",
        "DELETE FROM licensing_changesetrow",
        "UPDATE licensing_revisionentry SET number = 0",
    ],
)
def test_the_database_refuses_edited_history(fjordlys: Town, sql: str) -> None:
    fjordlys.gives("ola", "ten-sales-premium", at=hours(2))
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
