"""The seats of one user: a picker per solution, what else can be given, and who could give up what is full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.errors import Refusal
from customers.models import Customer, CustomerUser
from licensing.models import SeatRequest
from licensing.portal.choices import Board, Entry, Examined, entries_of, examine, place
from licensing.portal.gate import Visit, visit
from licensing.portal.hints import Told, what_would_change
from licensing.portal.listing import held_by, load_board, load_crowd
from licensing.portal.page import Meter, Row, Sheet
from licensing.portal.people import reason_of, user_frame
from licensing.portal.words import Fault, in_words
from licensing.selectors import longest_unseen
from licensing.services.seats import UserWish, change_seats

UNSEEN_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class FullPlan:
    """A plan or add-on without a free seat: who could give one up, and whether more are asked for already."""

    meter: Meter
    unseen: Sequence[CustomerUser]
    request: SeatRequest | None


@dataclass
class UserPlans:
    """What the section about one user's seats shows: as recorded, or as chosen and not saved."""

    visit: Visit
    user: CustomerUser
    entry: Entry | None = None
    refusal: Refusal | None = None

    @property
    def customer(self) -> Customer:
        return self.visit.customer

    @property
    def may_edit(self) -> bool:
        return self.visit.may("seats:write") and self.user.may_hold_seats

    @cached_property
    def board(self) -> Board:
        return load_board(self.customer)

    @cached_property
    def sheet(self) -> Sheet:
        return Sheet(self.board, load_crowd(self.customer).used)

    @cached_property
    def held(self) -> frozenset[str]:
        return held_by([self.user])[self.user.pk]

    @cached_property
    def examined(self) -> Examined | None:
        """What was chosen, and what is in its way."""
        if self.entry is None:
            return None
        (row,) = examine(self.board, [self.entry], {self.entry.user: self.held}, self.sheet.used)
        if self.refusal is not None and row.stands:
            (row,) = place(self.board, [row], self.refusal)
        return row

    @cached_property
    def row(self) -> Row:
        if self.examined is None:
            return self.sheet.rows([self.user], {self.user.pk: self.held})[0]
        users = {self.examined.entry.user.lower(): self.user}
        return self.sheet.rows_again([self.examined], users, {self.user.pk: self.held})[0]

    @property
    def general(self) -> Fault | None:
        """What was refused without being about the row."""
        if self.refusal is None or (self.examined is not None and not self.examined.stands):
            return None
        return in_words(self.refusal, self.board.names)

    @property
    def told(self) -> list[Told]:
        """What the choice would change; nothing where it stays as it is."""
        if self.examined is None or self.examined.wish is None:
            return []
        return what_would_change(self.customer, self.user, self.examined.after, timezone.now())

    @cached_property
    def full(self) -> list[FullPlan]:
        """What can't be given to this user since it is full. Two queries, and one for each."""
        return full_plans(self.customer, [m for m in self.sheet.meters.values() if m.module not in self.held])


def full_plans(customer: Customer, meters: Sequence[Meter]) -> list[FullPlan]:
    """Returns those of the meters that are full, each with who was unseen longest and the request that is open."""
    full = [meter for meter in meters if meter.is_full]
    if not full:
        return []
    asked = {r.full_name: r for r in SeatRequest.objects.open().filter(customer=customer).select_related("owner")}
    return [
        FullPlan(
            meter,
            [seat.user for seat in longest_unseen(customer, meter.module)[:UNSEEN_NAMED]],
            asked.get(meter.module),
        )
        for meter in full
    ]


@method_decorator(never_cache, name="dispatch")
class UserPlansPage(LoginRequiredMixin, View):
    """One user's pickers: shows what a choice changes, or saves it. GET shows them on a page of their own."""

    def get(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        found = visit(request, customer, "seats:read")
        return _page(request, UserPlans(found, found.user(user)))

    def post(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        found = visit(request, customer, "seats:write")
        whom = found.user(user)
        entry = next((e for e in entries_of(dict(request.POST.lists())) if e.user == whom.code), None)
        plans = UserPlans(found, whom, entry or Entry(whom.code, frozenset()))
        row = plans.examined
        if row is None or not row.stands:
            return _page(request, plans, status=409)
        if "preview" in request.POST:
            return _page(request, plans)
        if row.wish is None:
            messages.info(request, "Nothing was changed.")
            return redirect("portal:user", customer=found.customer.code, user=whom.code)
        wish = UserWish(whom.code, row.wish.assign, row.wish.release, row.wish.accept_loss, expected=row.entry.was)
        try:
            change = change_seats(
                customer=found.customer, actor=found.access.actor, wishes=[wish], reason=reason_of(request)
            )
        except Refusal as refusal:
            # Somebody was faster: what is left is counted anew.
            return _page(request, UserPlans(found, whom, row.entry, refusal), status=refusal.status)
        number = change.change_set.number if change.change_set is not None else ""
        messages.success(request, f"{whom.name} is changed. Change set {number}.")
        return redirect("portal:user", customer=found.customer.code, user=whom.code)


def _page(request: HttpRequest, plans: UserPlans, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        **user_frame(plans.visit, plans.user),
        "plans": plans,
        "here": "Plans",
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "licensing/portal/user_plans_page.html", context, status=status)
