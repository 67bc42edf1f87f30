"""Every change of seats is one change set, made under the customer's lock: assign, swap, release, for one or many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models.functions import Lower

from catalog.models import Module
from customers.actor import Actor
from customers.errors import NotFound
from customers.models import Customer, CustomerUser
from licensing.errors import (
    ModuleIsHidden,
    ModuleNotAssignable,
    ModuleNotInPackage,
    NoSeatLeft,
    SeatsMoved,
    UserCannotHoldSeats,
)
from licensing.extra_info import parse_set
from licensing.facts import full_name
from licensing.models import ChangeSet, ModuleLicense, Seat
from licensing.recorded import SEALED, trusted_rows
from licensing.seating import Assignable, Inventory, Wish, judge
from licensing.selectors import seats_held
from licensing.services.change_sets import UserOutcome, write_outcomes
from licensing.services.commit import Commit, customer_commit

HOLDERS_NAMED = 5


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
        users = _users(customer, [wish.user for wish in wishes])
        rows = active_rows(customer, commit.at)
        inventory = inventory_of(rows)
        held = seats_held([user.pk for user in users.values()], commit.at)
        outcomes = []
        for wish in wishes:
            user = users[wish.user.lower()]
            before = frozenset(held[user.pk])
            if wish.expected is not None and wish.expected != before:
                raise SeatsMoved(user.code, sorted(wish.expected), sorted(before))
            named = Wish(
                tuple(_assignable(rows, customer, name, before) for name in wish.assign),
                tuple(_known(rows, customer, name, before) for name in wish.release),
                wish.accept_loss,
            )
            if named.assign and not user.may_hold_seats:
                raise UserCannotHoldSeats(user.code, user.is_former_employee)
            outcomes.append(UserOutcome(user, before, judge(inventory, user.code, before, named)))
        _refuse_overdraft(commit, inventory, outcomes)
        change_set = write_outcomes(commit, outcomes, held, reason)
    return SeatChange(tuple(outcomes), commit.head.number, change_set)


def inventory_of(rows: Mapping[str, ModuleLicense]) -> Inventory:
    """Returns what the active packages' rows (by `owner.module`) let people hold."""
    return Inventory(
        {name: _as_assignable(row) for name, row in rows.items() if row.assignable},
        frozenset(name for name, row in rows.items() if row.license_type == ModuleLicense.Type.SITE),
    )


def known_module(customer: Customer, name: str) -> str:
    """Returns `owner.module` of a module that is licensed, in the catalog, or was licensed once. Raises NotFound."""
    return _known(active_rows(customer), customer, name, frozenset())


def qualified(name: str) -> str:
    """Returns `owner.module` in lower case; a bare name is the own owner's."""
    lowered = name.lower()
    return lowered if "." in lowered else full_name(settings.OWN_OWNER, lowered)


def active_rows(customer: Customer, at: datetime | None = None) -> dict[str, ModuleLicense]:
    """Returns the rows of the packages in force by `owner.module`, in one query.

    What isn't as it was sealed is left out (Z-6).
    """
    rows = ModuleLicense.objects.filter(customer=customer).active(at)
    sealed = rows.select_related("package", *(f"package__{name}" for name in SEALED))
    return {row.full_name: row for row in trusted_rows(sealed.order_by("package", "sort_order", "pk"))}


def _as_assignable(row: ModuleLicense) -> Assignable:
    owner = row.package.owner.code
    return Assignable(
        module=row.full_name,
        is_plan=row.is_plan,
        solutions=frozenset(row.solutions),
        prerequisite=full_name(owner, row.prerequisite_module) if row.prerequisite_module else None,
        switches_on=tuple(full_name(owner, name) for name in parse_set(row.extra_info)) if row.is_plan else (),
        total=row.license_number,
        unrestricted=row.unrestricted,
    )


def _users(customer: Customer, codes: Sequence[str]) -> dict[str, CustomerUser]:
    """Returns users by lower-cased code. Raises NotFound for the first that isn't there."""
    lowered = {code.lower(): code for code in codes}
    named = CustomerUser.objects.of(customer).annotate(lowered=Lower("code"))
    found = {user.code.lower(): user for user in named.filter(lowered__in=lowered)}
    for low, code in lowered.items():
        if low not in found:
            raise NotFound("user", code)
    return found


def _assignable(rows: Mapping[str, ModuleLicense], customer: Customer, name: str, held: frozenset[str]) -> str:
    """Returns the full name of a module people can be given. Raises NotFound and what is in the way."""
    module = _known(rows, customer, name, held)
    row = rows.get(module)
    if row is None:
        raise ModuleNotInPackage(module)
    if row.license_type != ModuleLicense.Type.USER:
        raise ModuleNotAssignable(module)
    if row.hidden:
        plans = sorted(n for n, r in rows.items() if r.is_plan and row.module_name in parse_set(r.extra_info))
        raise ModuleIsHidden(module, plans)
    return module


def _known(rows: Mapping[str, ModuleLicense], customer: Customer, name: str, held: frozenset[str]) -> str:
    """Returns the full name of a module that is held, licensed, in the catalog, or was licensed once."""
    module = qualified(name)
    if module in rows or module in held:
        return module
    owner, _, bare = module.partition(".")
    catalogued = Module.objects.of_owner(owner).filter(name__iexact=bare)
    licensed = ModuleLicense.objects.filter(customer=customer, package__owner__code__iexact=owner)
    if catalogued.exists() or licensed.filter(module_name__iexact=bare).exists():
        return module
    raise NotFound("module", name)


def _refuse_overdraft(commit: Commit, inventory: Inventory, outcomes: Sequence[UserOutcome]) -> None:
    """Refuses a change after which more seats would be held than there are (C-21)."""
    more = Counter(module for o in outcomes for module in o.assigned)
    more.subtract(Counter(module for o in outcomes for module in o.released))
    for module, needed in sorted(more.items()):
        assignable = inventory.assignables.get(module)
        if needed <= 0 or assignable is None or assignable.unrestricted:
            continue
        owner, _, name = module.partition(".")
        held = Seat.objects.held(commit.at).filter(
            customer=commit.customer, owner__code=owner.upper(), module_name=name
        )
        short = held.count() + needed - assignable.total
        if short > 0:
            unseen = held.order_by("user__last_seen_at", "assigned_at", "pk")
            holders = list(unseen.values_list("user__code", flat=True)[:HOLDERS_NAMED])
            raise NoSeatLeft(module, assignable.total, short, holders)
