"""A change of a few seats at once, asked for by name: assign, swap, release; all of it, or nothing (rule S-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from customers.actor import Actor
from customers.models import Customer
from licensing.bulk_plan import Case, Rule, work_out
from licensing.models import ChangeSet
from licensing.seating import Wish
from licensing.services.change_sets import UserOutcome, open_change_set, write_rows
from licensing.services.commit import customer_commit
from licensing.services.ground import Ground, survey
from licensing.services.inventory import active_rows, inventory_of, known_module, qualified

__all__ = [
    "SeatChange",
    "UserWish",
    "active_rows",
    "change_seats",
    "inventory_of",
    "known_module",
    "qualified",
]


@dataclass(frozen=True, slots=True)
class UserWish:
    """What is asked for one user, by code; modules by `owner.module`, or bare for the own owner's.

    `expected` are the seats (`owner.module`) that whoever asks has seen; if the user holds others, the wish is refused.
    """

    user: str
    assign: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    accept_loss: bool = False
    expected: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class SeatChange:
    """What came of it; no change set where nothing changed. With a dry run it says what would come of it."""

    outcomes: tuple[UserOutcome, ...]
    revision: int
    change_set: ChangeSet | None


def change_seats(
    *,
    customer: Customer,
    actor: Actor,
    wishes: Sequence[UserWish],
    reason: str = "",
    at: datetime | None = None,
    dry_run: bool = False,
) -> SeatChange:
    """Meets all wishes or none. Raises NotFound (user, module) and the seat refusals of `licensing.errors`."""
    with customer_commit(customer=customer, actor=actor, cause="seats.changed", at=at, dry_run=dry_run) as commit:
        ground = survey(customer=customer, codes=[wish.user for wish in wishes], at=commit.at)
        outcomes = _met(ground, [_case(ground, number, wish) for number, wish in enumerate(wishes)])
        changed = [outcome for outcome in outcomes if outcome.before != outcome.after]
        change_set = open_change_set(commit, reason) if changed else None
        if change_set is not None:
            write_rows(commit, change_set, changed, ground.seats, leaves=ground.leaves)
    return SeatChange(tuple(outcomes), commit.head.number, change_set)


def _case(ground: Ground, number: int, wish: UserWish) -> Case:
    user = ground.user(wish.user)
    held = ground.held_by(user)
    named = Wish(
        tuple(ground.names.assignable(name, held) for name in wish.assign),
        tuple(ground.names.known(name, held) for name in wish.release),
        wish.accept_loss,
    )
    return Case(
        number,
        user.code,
        held,
        named,
        may_hold=user.may_hold_seats,
        is_former=user.is_former_employee,
        expected=wish.expected,
    )


def _met(ground: Ground, cases: Sequence[Case]) -> list[UserOutcome]:
    """Returns what comes of the cases. Raises what is in the way of the first, then what seats are short (C-21)."""
    free = ground.free({module for case in cases for module in case.wish.assign})
    plan = work_out(ground.inventory, free, cases, Rule.STRICT)
    for row in plan.rows:
        if row.refusal is not None:
            raise row.refusal
    for refusal in ground.seat_refusals(plan.rows).values():
        raise refusal
    return [UserOutcome(ground.user(row.user), row.before, row.after) for row in plan.rows]
