"""What changes of seats are judged by: who is meant, what they hold, what is left. As many queries for all as for one.

Call it under the customer's lock (`customer_commit`), so that nothing moves between one query and the next.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, cast

from django.db.models import Count, F
from django.db.models.functions import Lower

from catalog.models import Owner
from customers.conditions import AnyOf
from customers.errors import NotFound
from customers.models import Customer, CustomerUser
from licensing.bulk_plan import Judged
from licensing.errors import NoSeatLeft
from licensing.facts import Override as OverrideFact
from licensing.facts import full_name
from licensing.models import ModuleLicense, Seat
from licensing.seating import Inventory
from licensing.selectors import is_in_force, overrides_of
from licensing.services.inventory import Names, active_rows, inventory_of

BATCH: Final = 1000
HOLDERS_NAMED: Final = 5
_LONGEST_CODE: Final = 64


@dataclass(frozen=True)
class Ground:
    """A customer's seats as far as a change is about them. Users by lower-cased code, the rest by their ids."""

    customer: Customer
    at: datetime
    rows: Mapping[str, ModuleLicense]
    inventory: Inventory
    names: Names
    users: Mapping[str, CustomerUser]
    seats: Mapping[int, Mapping[str, int]] = field(default_factory=dict)  # user → module → seat
    leaves: Mapping[int, Mapping[str, datetime]] = field(default_factory=dict)  # where a scheduled package takes one

    def user(self, code: str) -> CustomerUser:
        """Raises NotFound."""
        found = self.users.get(code.lower())
        if found is None:
            raise NotFound("user", code)
        return found

    def held_by(self, user: CustomerUser | None) -> frozenset[str]:
        return frozenset(self.seats.get(user.pk, ())) if user is not None else frozenset()

    def in_use(self, modules: Collection[str]) -> Counter[str]:
        """Returns how many seats of each module are held. One query."""
        held = Seat.objects.held(self.at).filter(
            customer=self.customer, module_name__in={module.partition(".")[2] for module in modules}
        )
        counted = held.order_by().values_list("owner__code", "module_name").annotate(Count("pk"))
        found = {full_name(owner, name): count for owner, name, count in counted} if modules else {}
        return Counter({module: found.get(module, 0) for module in modules})

    def free(self, modules: Collection[str]) -> dict[str, int]:
        """Returns how many seats are left of those modules that are limited. One query."""
        assignables = (self.inventory.assignables.get(module) for module in modules)
        limited = {each.module: each.total for each in assignables if each is not None and not each.unrestricted}
        in_use = self.in_use(limited)
        return {module: total - in_use[module] for module, total in limited.items()}

    def seat_refusals(self, rows: Sequence[Judged]) -> dict[str, NoSeatLeft]:
        """Returns the refusal for every module of which seats are short. One query per module."""
        short = Counter(row.short for row in rows if row.short is not None)
        return {module: self._no_seat_left(module, needed) for module, needed in sorted(short.items())}

    def _no_seat_left(self, module: str, needed: int) -> NoSeatLeft:
        owner, _, name = module.partition(".")
        held = Seat.objects.held(self.at).filter(customer=self.customer, owner__code=owner.upper(), module_name=name)
        unseen = held.order_by(F("user__last_seen_at").asc(nulls_first=True), "assigned_at", "pk")
        holders = list(unseen.values_list("user__code", flat=True)[:HOLDERS_NAMED])
        return NoSeatLeft(module, self.inventory.assignables[module].total, needed, holders)

    def overrides(self, users: Collection[int]) -> dict[int, tuple[OverrideFact, ...]]:
        """Returns the overrides in force of those of the users who have any."""
        found: dict[int, list[OverrideFact]] = defaultdict(list)
        for override in overrides_of(self.customer, users, self.at):
            if is_in_force(override, self.at):
                found[cast(int, override.user_id)].append(override.fact())
        return {pk: tuple(overrides) for pk, overrides in found.items()}


def survey(*, customer: Customer, codes: Iterable[str], at: datetime) -> Ground:
    """Returns the ground for changes of the users of these codes; codes that nobody has are left out."""
    rows = active_rows(customer, at)
    users = _users(customer, codes)
    seats, leaves = _seats([user.pk for user in users.values()], at)
    return Ground(customer, at, rows, inventory_of(rows), Names(customer, rows), users, seats, leaves)


def _users(customer: Customer, codes: Iterable[str]) -> dict[str, CustomerUser]:
    wanted = {code.lower() for code in codes if len(code) <= _LONGEST_CODE and "\x00" not in code}
    found: dict[str, CustomerUser] = {}
    named = CustomerUser.objects.of(customer).alias(lowered=Lower("code"))
    for user in named.filter(AnyOf("lowered", wanted)).order_by():
        user.customer = customer
        found[user.code.lower()] = user
    return found


def _seats(users: Sequence[int], at: datetime) -> tuple[dict[int, dict[str, int]], dict[int, dict[str, datetime]]]:
    owners = dict(Owner.objects.values_list("pk", "code"))
    held: dict[int, dict[str, int]] = defaultdict(dict)
    leaves: dict[int, dict[str, datetime]] = defaultdict(dict)
    rows = Seat.objects.held_at(at).filter(AnyOf("user_id", users)).order_by()
    for pk, user, owner, module, leaves_at in rows.values_list("pk", "user_id", "owner_id", "module_name", "leaves_at"):
        name = full_name(owners[owner], module)
        held[user][name] = pk
        if leaves_at is not None:
            leaves[user][name] = leaves_at
    return held, leaves
