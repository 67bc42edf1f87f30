"""The portal's pages: which customer, and who there holds what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import access_of, get_customer
from customers.actor import Actor
from customers.errors import Forbidden, NotFound, Refusal
from customers.models import Customer
from licensing.portal.choices import Board, Examined, entries_of, examine, place
from licensing.portal.listing import (
    UserSearch,
    held_by,
    list_customers,
    list_users,
    load_board,
    seats_used,
    users_named,
)
from licensing.portal.page import Row, Sheet
from licensing.portal.words import Fault, in_words
from licensing.services.seats import SeatChange, UserWish, change_seats

ROWS_PER_PAGE = 50
LONGEST_REASON = 500


@method_decorator(never_cache, name="dispatch")
class Customers(LoginRequiredMixin, View):
    """The customers whose seats the visitor may see."""

    def get(self, request: HttpRequest) -> HttpResponse:
        search = request.GET.get("search", "").replace("\0", "").strip()
        rows = list_customers(access_of(request), search)
        page = Paginator(rows, ROWS_PER_PAGE).get_page(request.GET.get("page"))
        context = {"page": page, "search": search, "query": _query(search=search)}
        return render(request, "licensing/portal/customers.html", context)


@dataclass
class Desk:
    """One customer's users page: what the visitor may do there, and what they look at."""

    request: HttpRequest
    customer: Customer
    actor: Actor
    may_edit: bool

    @cached_property
    def board(self) -> Board:
        return load_board(self.customer)

    @cached_property
    def sheet(self) -> Sheet:
        return Sheet(self.board, seats_used(self.customer))

    @cached_property
    def search(self) -> UserSearch:
        return UserSearch(self.request.GET, board=self.board)

    @cached_property
    def page(self) -> Page[Any]:
        found = list_users(self.customer, self.board, self.search.asked)
        return Paginator(found, ROWS_PER_PAGE).get_page(self.request.GET.get("page"))


@method_decorator(never_cache, name="dispatch")
class Users(LoginRequiredMixin, View):
    """A customer's users and their seats; one save for all rows of the page."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        desk = _open(request, customer, "seats:read")
        users = list(desk.page)
        return _users_page(desk, desk.sheet.rows(users, held_by(users)))

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        desk = _open(request, customer, "seats:write")
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


def _open(request: HttpRequest, code: str, scope: str) -> Desk:
    """Returns the customer's desk. Raises Http404 for one the visitor may not know of, PermissionDenied otherwise."""
    access = access_of(request)
    try:
        customer = get_customer(access, code, scope)
    except NotFound as unknown:
        raise Http404(unknown.message) from unknown
    except Forbidden as refusal:
        raise PermissionDenied(refusal.message) from refusal
    return Desk(request, customer, access.actor, access.allows("seats:write", customer.pk))


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
    return change_seats(customer=desk.customer, actor=desk.actor, wishes=wishes, reason=why)


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
        "may_edit": desk.may_edit,
        "sheet": desk.sheet,
        "board": desk.board,
        "columns": len(desk.board.pickers) + bool(desk.board.extras) or 1,
        "rows": rows,
        "wrong": [row for row in rows if row.is_wrong],
        "general": general,
        "page": desk.page,
        "search": desk.search,
        "query": _query(**desk.search.asked),
        "reason": desk.request.POST.get("reason", ""),
        "changed": sum(row.is_changed for row in rows),
    }
    return render(desk.request, "licensing/portal/users.html", context, status=status)


def _query(**asked: str) -> str:
    """Returns the query string of a list without its page, ready for `page=` to follow."""
    said = {name: value for name, value in asked.items() if value}
    return f"{urlencode(said)}&" if said else ""
