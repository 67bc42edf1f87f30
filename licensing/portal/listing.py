"""What the users page reads: the board, the counts, and the users that search and filters leave. Constant queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from catalog.models import Owner, Solution
from customers.access import Access
from customers.models import Customer, CustomerUser
from customers.querysets import CustomerUserQuerySet
from licensing.facts import full_name
from licensing.models import Holding, Seat, UserPeriod
from licensing.portal.choices import Board, make_board
from licensing.seating import Assignable
from licensing.selectors import seats_held
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


def seats_used(customer: Customer) -> dict[str, int]:
    """Returns how many seats of each module are held, by `owner.module`, in two queries.

    The first reads nothing but the index of held seats; joining the owners there would double its time.
    """
    held = Seat.objects.held().filter(customer=customer).order_by().values_list("owner_id", "module_name")
    counts = list(held.annotate(count=Count("*")))
    owners = dict(Owner.objects.values_list("pk", "code"))
    return {full_name(owners[owner], name): count for owner, name, count in counts}


def held_by(users: Iterable[CustomerUser]) -> dict[int, frozenset[str]]:
    """Returns per user id the modules held, in one query."""
    return {pk: frozenset(seats) for pk, seats in seats_held(users).items()}


def users_named(customer: Customer, codes: Iterable[str]) -> dict[str, CustomerUser]:
    """Returns the customer's users by lower-cased code, in one query; unknown codes are left out."""
    rows: CustomerUserQuerySet = CustomerUser.objects.of(customer)
    named = {code.lower() for code in codes if "\0" not in code}
    found = rows.alias(lower_code=Lower("code")).filter(lower_code__in=named)
    return {user.code.lower(): user for user in found}


def find_users(customer: Customer, board: Board, asked: Mapping[str, str]) -> CustomerUserQuerySet:
    """Returns the customer's users, narrowed by `UserSearch.asked`."""
    rows: CustomerUserQuerySet = CustomerUser.objects.of(customer)
    if "search" in asked:
        rows = rows.search(asked["search"].strip())
    if "status" in asked:
        rows = rows.filter(_STATUS[asked["status"]])
    if "plan" in asked:
        rows = _holding(rows, customer, board, asked["plan"])
    return rows


_STATUS = {
    "active": Q(is_former_employee=False, can_log_in=True),
    "locked": Q(is_former_employee=False, can_log_in=False),
    "former": Q(is_former_employee=True),
}


def _holding(rows: CustomerUserQuerySet, customer: Customer, board: Board, wanted: str) -> CustomerUserQuerySet:
    """Narrows to the users whose holding is wanted: users are many, distinct holdings are few (one query more)."""
    plans = {option.module: option for picker in board.pickers for option in picker.options}

    def is_wanted(held: set[str]) -> bool:
        if wanted == NO_PLAN:
            return not held & plans.keys()
        if wanted != SEVERAL:
            return wanted in held
        return len({solution for module in held & plans.keys() for solution in plans[module].solutions}) > 1

    holdings = Holding.objects.filter(customer=customer).order_by().values_list("pk", "modules")
    chosen = [pk for pk, modules in holdings if is_wanted(set(modules))]
    now = timezone.now()
    current = UserPeriod.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), holding__in=chosen, starts_at__lte=now)
    return rows.filter(pk__in=current.values("user"))


def find_customers(access: Access, search: str) -> QuerySet[Customer]:
    """Returns the customers that the visitor may read."""
    rows: Any = access.customers("customers:read")
    return rows.search(search) if search else rows  # type: ignore[no-any-return]
