"""What the users page reads: the board, the counts, and the users that search and filters leave. Constant queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower

from catalog.models import Owner, Solution
from customers.access import Access
from customers.models import Customer, CustomerUser
from customers.querysets import CustomerUserQuerySet
from licensing.facts import full_name, owner_of
from licensing.models import Seat
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


def list_users(customer: Customer, board: Board, asked: Mapping[str, str]) -> CustomerUserQuerySet:
    """Returns the customer's users by name, narrowed by `UserSearch.asked`."""
    rows: CustomerUserQuerySet = CustomerUser.objects.of(customer)
    if "search" in asked:
        rows = rows.search(asked["search"].strip())
    if "status" in asked:
        rows = rows.filter(_STATUS[asked["status"]])
    if "plan" in asked:
        rows = _holding(rows, customer, board, asked["plan"])
    return rows.order_by(Lower("name"), "pk")


_STATUS = {
    "active": Q(is_former_employee=False, can_log_in=True),
    "locked": Q(is_former_employee=False, can_log_in=False),
    "former": Q(is_former_employee=True),
}


def _holding(rows: CustomerUserQuerySet, customer: Customer, board: Board, wanted: str) -> CustomerUserQuerySet:
    plans = {option.module: option for picker in board.pickers for option in picker.options}
    held = Seat.objects.held().filter(customer=customer)
    if wanted == NO_PLAN:
        return rows.exclude(Exists(held.filter(_of(plans), user=OuterRef("pk"))))
    if wanted != SEVERAL:
        return rows.filter(Exists(held.filter(_of([wanted]), user=OuterRef("pk"))))
    # Plans held together never share a solution: two of them, or one that covers several, make a multi-plan user.
    alone = held.filter(_of(module for module, plan in plans.items() if len(plan.solutions) > 1))
    each = held.filter(_of(module for module, plan in plans.items() if plan.solutions))
    two = each.order_by().values("user").annotate(count=Count("pk")).filter(count__gte=2)
    return rows.filter(Q(Exists(alone.filter(user=OuterRef("pk")))) | Q(pk__in=two.values("user")))


def _of(modules: Iterable[str]) -> Q:
    """Returns the condition that a seat is of any of these modules (`owner.module`)."""
    names: dict[str, list[str]] = {}
    for module in modules:
        names.setdefault(owner_of(module), []).append(module.partition(".")[2])
    condition = Q(pk__in=[])
    for owner, listed in sorted(names.items()):
        condition |= Q(owner__code=owner, module_name__in=sorted(listed))
    return condition


def list_customers(access: Access, search: str) -> QuerySet[Customer]:
    """Returns the customers whose seats the visitor may see, by code."""
    rows: Any = access.customers("seats:read")
    return (rows.search(search) if search else rows).order_by("code")  # type: ignore[no-any-return]
