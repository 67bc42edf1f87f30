"""Every change of seats is one change set, made under the customer's lock: assign, swap, release, for one or many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Max
from django.db.models.functions import Lower

from catalog.models import Module, Owner
from customers.actor import Actor
from customers.audit import Event, record_all
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
from licensing.facts import full_name, owner_of
from licensing.models import ChangeSet, ChangeSetRow, ModuleLicense, Seat
from licensing.seating import Assignable, Inventory, Wish, judge
from licensing.selectors import seats_held
from licensing.services.commit import Commit, customer_commit
from licensing.services.periods import BATCH, rewrite_users

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
class UserOutcome:
    user: CustomerUser
    before: frozenset[str]
    after: frozenset[str]

    @property
    def assigned(self) -> list[str]:
        return sorted(self.after - self.before)

    @property
    def released(self) -> list[str]:
        return sorted(self.before - self.after)


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
        rows = active_rows(customer)
        inventory = inventory_of(rows)
        held = seats_held(user.pk for user in users.values())
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
        _refuse_overdraft(customer, inventory, outcomes)
        change_set = write_outcomes(commit, outcomes, held, reason)
    return SeatChange(tuple(outcomes), commit.head.number, change_set)


def write_outcomes(
    commit: Commit, outcomes: Iterable[UserOutcome], held: Mapping[int, Mapping[str, Seat]], reason: str
) -> ChangeSet | None:
    """Writes what changed as one change set: seats, trail, periods, revision. None where nothing changed."""
    changed = [outcome for outcome in outcomes if outcome.before != outcome.after]
    if not changed:
        return None
    last = ChangeSet.objects.filter(customer=commit.customer).aggregate(last=Max("number"))["last"] or 0
    change_set = ChangeSet.objects.create(
        customer=commit.customer,
        number=last + 1,
        at=commit.at,
        account=commit.actor.account,
        client=commit.actor.client,
        actor=commit.actor.label,
        reason=reason,
        revision=commit.changed(),
    )
    ChangeSetRow.objects.bulk_create(
        [
            ChangeSetRow(
                customer=commit.customer,
                change_set=change_set,
                user=o.user,
                before=sorted(o.before),
                after=sorted(o.after),
            )
            for o in changed
        ],
        batch_size=BATCH,
    )
    ended = [held[o.user.pk][module].pk for o in changed for module in o.released]
    for start in range(0, len(ended), BATCH):
        Seat.objects.filter(pk__in=ended[start : start + BATCH]).update(released_at=commit.at, released_in=change_set)
    owners = {
        owner.code: owner for owner in Owner.objects.filter(code__in={owner_of(m) for o in changed for m in o.after})
    }
    Seat.objects.bulk_create(
        [
            Seat(
                customer=commit.customer,
                user=o.user,
                owner=owners[owner_of(module)],
                module_name=module.partition(".")[2],
                assigned_at=commit.at,
                assigned_in=change_set,
            )
            for o in changed
            for module in o.assigned
        ],
        batch_size=BATCH,
    )
    rewrite_users(commit, [o.user for o in changed])
    events = [
        Event(
            "seats.changed",
            "seats",
            known_as(o.user),
            {"seats": [sorted(o.before), sorted(o.after)], "change_set": change_set.number},
        )
        for o in changed
    ]
    record_all(actor=commit.actor, events=events, customer=commit.customer, reason=reason, at=commit.at)
    return change_set


def known_as(user: CustomerUser) -> str:
    """Returns the name under which the audit trail knows a user; their customer is to be at hand."""
    return f"{user.customer.code}/{user.code}"


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


def active_rows(customer: Customer) -> dict[str, ModuleLicense]:
    """Returns the rows of the customer's active packages by `owner.module`, in one query; `grants` are left behind."""
    rows = ModuleLicense.objects.filter(customer=customer, package__state="active")
    return {row.full_name: row for row in rows.select_related("package__owner").defer("grants")}


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


def _refuse_overdraft(customer: Customer, inventory: Inventory, outcomes: Sequence[UserOutcome]) -> None:
    """Refuses a change after which more seats would be held than there are (C-21)."""
    more = Counter(module for o in outcomes for module in o.assigned)
    more.subtract(Counter(module for o in outcomes for module in o.released))
    for module, needed in sorted(more.items()):
        assignable = inventory.assignables.get(module)
        if needed <= 0 or assignable is None or assignable.unrestricted:
            continue
        owner, _, name = module.partition(".")
        held = Seat.objects.held().filter(customer=customer, owner__code=owner.upper(), module_name=name)
        short = held.count() + needed - assignable.total
        if short > 0:
            unseen = held.order_by("user__last_seen_at", "assigned_at", "pk")
            holders = list(unseen.values_list("user__code", flat=True)[:HOLDERS_NAMED])
            raise NoSeatLeft(module, assignable.total, short, holders)
