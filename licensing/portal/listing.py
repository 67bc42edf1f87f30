"""What the users page reads: the board, the counts, and the users that search and filters leave. Constant queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from catalog.models import Solution
from customers.access import Access
from customers.models import Customer, CustomerUser
from customers.querysets import CustomerUserQuerySet
from licensing.facts import HolderKind
from licensing.models import Holding
from licensing.portal.choices import Board, make_board
from licensing.seating import Assignable
from licensing.selectors import periods_at, seats_held, users_per_holding
from licensing.services.seats import active_rows, inventory_of

NO_PLAN = "none"
SEVERAL = "several"


class UserSearch(forms.Form):
    """What of the users is shown; a value that isn't offered shows everybody."""

    search = forms.CharField(required=False, max_length=100, label="Search")
    plan = forms.ChoiceField(required=False, label="Plan")
    status = forms.ChoiceField(
        required=False,
        label="Status",
        choices=[("", "Any status"), ("active", "Active"), ("locked", "Can’t log in"), ("former", "Former employee")],
    )

    def __init__(self, data: Any, *, board: Board) -> None:
        super().__init__(data)
        held = [(assignable.module, board.name(assignable.module)) for assignable in on_show(board)]
        fixed = [("", "Any plan"), (NO_PLAN, "No plan"), (SEVERAL, "Several solutions")]
        self.fields["plan"] = forms.ChoiceField(required=False, label="Plan", choices=[*fixed, *held])

    @property
    def asked(self) -> dict[str, str]:
        """What is asked for, without the fields that say nothing or nonsense."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


def load_board(customer: Customer) -> Board:
    """Returns what can be chosen at the customer, in two queries."""
    rows = active_rows(customer)
    inventory = inventory_of(rows)
    covered = {code for plan in inventory.assignables.values() for code in plan.solutions}
    solutions = dict(Solution.objects.filter(code__in=covered).values_list("code", "name"))
    return make_board(inventory, {name: row.module_description for name, row in rows.items()}, solutions)


def on_show(board: Board) -> list[Assignable]:
    """Returns the plans in the order of the pickers, each once, then what else can be held."""
    plans = {option.module: option for picker in board.pickers for option in picker.options}
    return [*sorted(plans.values(), key=lambda plan: len(plan.solutions) > 1), *board.extras]


@dataclass(frozen=True)
class Crowd:
    """How many of a customer's users have which holding at present: users are many, distinct holdings are few."""

    holdings: Mapping[int, Holding]
    counts: Mapping[int, int]  # by holding id

    @property
    def size(self) -> int:
        """How many users there are: each has one holding at any instant."""
        return sum(self.counts.values())

    @cached_property
    def used(self) -> dict[str, int]:
        """The seats taken of each module, by `owner.module`."""
        taken: Counter[str] = Counter()
        for pk, count in self.counts.items():
            taken.update(dict.fromkeys(self.holdings[pk].modules, count))
        return dict(taken)

    def of(self, is_wanted: Callable[[Holding], bool]) -> list[int]:
        return [pk for pk in self.counts if is_wanted(self.holdings[pk])]

    def count(self, holdings: Iterable[int]) -> int:
        return sum(self.counts[pk] for pk in holdings)


def load_crowd(customer: Customer) -> Crowd:
    """Returns the crowd of now, in three queries that read indexes and no users."""
    counts = users_per_holding([customer.pk], timezone.now())
    return Crowd(Holding.objects.in_bulk(counts), counts)


def held_by(users: Iterable[CustomerUser]) -> dict[int, frozenset[str]]:
    """Returns per user id the modules held, in one query."""
    return {pk: frozenset(seats) for pk, seats in seats_held(users).items()}


def users_named(customer: Customer, codes: Iterable[str]) -> dict[str, CustomerUser]:
    """Returns the customer's users by lower-cased code, in one query; unknown codes are left out."""
    rows: CustomerUserQuerySet = CustomerUser.objects.of(customer)
    named = {code.lower() for code in codes if "\0" not in code}
    found = rows.alias(lower_code=Lower("code")).filter(lower_code__in=named)
    return {user.code.lower(): user for user in found}


def find_users(
    customer: Customer, board: Board, crowd: Crowd, asked: Mapping[str, str]
) -> tuple[CustomerUserQuerySet, int | None]:
    """Returns the customer's users narrowed by `UserSearch.asked`, and how many that is, where the crowd tells."""
    rows: CustomerUserQuerySet = CustomerUser.objects.of(customer)
    if not asked:
        return rows, crowd.size
    gone = _GONE.get(asked.get("status", ""))
    if gone is not None:
        rows = rows.filter(gone)  # the row says it; no need to ask for the holding
    is_active = asked.get("status") == "active"
    wanted = [test for test in (_plan(board, asked.get("plan", "")), _can_hold if is_active else None) if test]
    chosen = crowd.of(lambda holding: all(test(holding) for test in wanted))
    if wanted:
        rows = rows.filter(_has_one_of(customer, chosen))
    if "search" in asked:
        return rows.search(asked["search"].strip()), None
    return rows, None if gone is not None else crowd.count(chosen)


_GONE = {"locked": Q(is_former_employee=False, can_log_in=False), "former": Q(is_former_employee=True)}


def _can_hold(holding: Holding) -> bool:
    return holding.kind != HolderKind.INACTIVE


def _plan(board: Board, wanted: str) -> Callable[[Holding], bool] | None:
    plans = {option.module: option for picker in board.pickers for option in picker.options}
    if wanted == NO_PLAN:
        return lambda holding: plans.keys().isdisjoint(holding.modules)
    if wanted == SEVERAL:
        return lambda holding: (
            len({s for module in holding.modules if module in plans for s in plans[module].solutions}) > 1
        )
    return (lambda holding: wanted in holding.modules) if wanted else None


def _has_one_of(customer: Customer, holdings: Sequence[int]) -> Q:
    """Returns the condition that a user has one of these holdings now."""
    condition = Q()
    for periods in periods_at([customer.pk], timezone.now()):
        condition |= Q(Exists(periods.filter(user=OuterRef("pk"), holding__in=holdings)))
    return condition


def find_customers(access: Access, search: str) -> QuerySet[Customer]:
    """Returns the customers that the visitor may read."""
    rows: Any = access.customers("customers:read")
    return rows.search(search) if search else rows  # type: ignore[no-any-return]  # managers and querysets of ours are typed as Any
