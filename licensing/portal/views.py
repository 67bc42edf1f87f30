"""The portal's pages: which customer, and who there holds what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Count
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import access_of
from customers.errors import Refusal
from customers.models import Customer, CustomerUser
from customers.tables import Column, Table
from licensing.portal.choices import Board, Examined, entries_of, examine, place
from licensing.portal.gate import Visit, visit
from licensing.portal.hints import what_would_change
from licensing.portal.links import customer_link, explain_link
from licensing.portal.listing import (
    Crowd,
    UserSearch,
    find_customers,
    find_users,
    held_by,
    load_board,
    load_crowd,
    users_named,
)
from licensing.portal.page import Row, Sheet, user_columns
from licensing.portal.words import Fault, in_words
from licensing.services.seats import SeatChange, UserWish, change_seats

LONGEST_SEARCH: Final = 100
LONGEST_REASON: Final = 500


CUSTOMERS: Final = (
    Column("name", "Customer", attrgetter("name"), customer_link, order=(Lower("name"),), is_fixed=True),
    Column("code", "Code", attrgetter("code"), order=("code",)),
    Column("serial", "Serial number", attrgetter("serial_number"), order=("serial_number",)),
    Column(
        "since", "Since", attrgetter("created_at"), lambda row: date_format(row.created_at, "j M Y"), ("created_at",)
    ),
    Column("users", "Users", attrgetter("user_count"), is_number=True),
)
_EXPLAIN: Final = Column("explain", "Why", lambda row: "", explain_link)


@method_decorator(never_cache, name="dispatch")
class Customers(LoginRequiredMixin, View):
    """The customers that the visitor may read."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        search = request.GET.get("search", "").replace("\0", "").strip()[:LONGEST_SEARCH]
        rows = find_customers(access_of(request), search)
        may_explain = access_of(request).allows("entitlements:explain")
        columns = [*CUSTOMERS, _EXPLAIN] if may_explain else CUSTOMERS
        table = Table(request, "customers", rows, columns, sort="code", prepare=_with_user_counts)
        if table.wants_csv:
            return table.csv()
        context = {"table": table, "search": search}
        return table.remember(render(request, "licensing/portal/customers.html", context))


def _with_user_counts(customers: Sequence[Any]) -> Sequence[Any]:
    counts = (
        CustomerUser.objects.filter(customer__in=customers).order_by().values_list("customer").annotate(Count("pk"))
    )
    found = dict(counts)
    for customer in customers:
        customer.user_count = found.get(customer.pk, 0)
    return customers


@dataclass
class Desk:
    """One customer's users page: what the visitor may do there, and what they look at."""

    request: HttpRequest
    visit: Visit

    @property
    def customer(self) -> Customer:
        return self.visit.customer

    @property
    def may_edit(self) -> bool:
        return self.visit.may("seats:write")

    @cached_property
    def board(self) -> Board:
        return load_board(self.customer)

    @cached_property
    def crowd(self) -> Crowd:
        return load_crowd(self.customer)

    @cached_property
    def sheet(self) -> Sheet:
        return Sheet(self.board, self.crowd.used)

    @cached_property
    def search(self) -> UserSearch:
        return UserSearch(self.request.GET, board=self.board)

    @cached_property
    def table(self) -> Table:
        found, count = find_users(self.customer, self.board, self.crowd, self.search.asked)
        columns = user_columns(self.board)
        return Table(self.request, "users", found, columns, sort="name", prepare=self._rows, count=count)

    def _rows(self, users: Sequence[CustomerUser]) -> list[Row]:
        return self.sheet.rows(users, held_by(users))


@method_decorator(never_cache, name="dispatch")
class Users(LoginRequiredMixin, View):
    """A customer's users and their seats; one save for all rows of the page."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        desk = Desk(request, visit(request, customer, "seats:read"))
        if desk.table.wants_csv:
            return desk.table.csv()
        return desk.table.remember(_users_page(desk, list(desk.table.page)))

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        desk = Desk(request, visit(request, customer, "seats:write"))
        entries = entries_of(dict(request.POST.lists()))
        users = users_named(desk.customer, [entry.user for entry in entries])
        held = held_by(users.values())
        now = {entry.user: held[users[entry.user.lower()].pk] for entry in entries if entry.user.lower() in users}
        examined = examine(desk.board, entries, now, desk.sheet.used)
        refused = None
        if all(row.stands for row in examined):
            try:
                return _saved(request, _change(desk, examined, request.POST.get("reason", "")))
            except Refusal as refusal:
                examined = place(desk.board, examined, refusal)
                refused = in_words(refusal, desk.board.names) if all(row.stands for row in examined) else None
        missing = [row.fault for row in examined if row.fault and row.entry.user.lower() not in users]
        rows = desk.sheet.rows_again(examined, users, held)
        return _users_page(desk, rows, status=409, general=[refused] if refused else missing)


class Hint(LoginRequiredMixin, View):
    """What a row's choices would change for its user, while they are being made; nothing is stored."""

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        desk = Desk(request, visit(request, customer, "seats:write"))
        entries = entries_of(dict(request.POST.lists()))[:1]
        users = users_named(desk.customer, [entry.user for entry in entries])
        if not users:
            raise Http404("There is no such user here.")
        held = held_by(users.values())
        (user,) = users.values()
        (row,) = examine(desk.board, entries, {entries[0].user: held[user.pk]}, {})
        told = [] if row.wish is None else what_would_change(desk.customer, user, row.after, timezone.now())
        context: dict[str, Any] = {"row": row, "told": told, "user": user}
        if row.question is not None and request.headers.get("HX-Target") == "gains":
            # The page about one user has room for the question here.
            (shown,) = desk.sheet.rows_again([row], users, held)
            context |= {"asks": shown.asks, "losses": shown.losses}
        return render(request, "licensing/portal/hint.html", context)


def _change(desk: Desk, examined: Sequence[Examined], reason: str) -> SeatChange | None:
    """Asks for everything at once: all rows or none. None where nothing was changed."""
    wishes = [
        UserWish(row.entry.user, row.wish.assign, row.wish.release, row.wish.accept_loss, expected=row.entry.was)
        for row in examined
        if row.wish is not None
    ]
    if not wishes:
        return None
    why = reason.replace("\0", "").strip()[:LONGEST_REASON]
    return change_seats(customer=desk.customer, actor=desk.visit.access.actor, wishes=wishes, reason=why)


def _saved(request: HttpRequest, change: SeatChange | None) -> HttpResponse:
    if change is None or change.change_set is None:
        messages.info(request, "Nothing was changed.")
    else:
        count = len(change.outcomes)
        users = "1 user" if count == 1 else f"{count} users"
        messages.success(request, f"{users} changed. Change set {change.change_set.number}.")
    return redirect(request.get_full_path())


def _users_page(desk: Desk, rows: Sequence[Row], *, status: int = 200, general: Sequence[Fault] = ()) -> HttpResponse:
    context = {
        "customer": desk.customer,
        "crumbs": desk.visit.crumbs,
        "here": "Users & seats",
        "may_edit": desk.may_edit,
        "may_add": desk.visit.may("users:write"),
        "full": [meter for meter in desk.sheet.counted if meter.is_full],
        "sheet": desk.sheet,
        "board": desk.board,
        "table": desk.table,
        "shown": desk.table.keys,
        "plan_columns": sum(key == "also" or key.startswith("plan-") for key in desk.table.keys),
        "all_columns": len(desk.table.columns),
        "rows": rows,
        "wrong": [row for row in rows if row.is_wrong],
        "general": general,
        "search": desk.search,
        "reason": desk.request.POST.get("reason", ""),
        "changed": sum(row.is_changed for row in rows),
    }
    return render(desk.request, "licensing/portal/users.html", context, status=status)
