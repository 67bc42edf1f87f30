"""More seats: who could give one up, asking for more, and answering; of one customer or of all (rules U-11 to U-15)."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import F, OrderBy
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import Access, access_of, not_allowed
from customers.errors import NotFound, Refusal
from customers.tables import Column, NeverNull, Table
from licensing.forms import ItemsForm
from licensing.models import SeatRequest
from licensing.portal.asking import Filters
from licensing.portal.gate import Visit, visit
from licensing.portal.links import customer_link, user_link
from licensing.portal.listing import load_board, load_crowd
from licensing.portal.page import Meter, Sheet
from licensing.selectors import longest_unseen
from licensing.services.requests import MOST, ask_for_seats, decline_request, wanted_items, withdraw_request

READS: Final = "seats:read"
ASKS: Final = "seats:write"
ANSWERS: Final = "customers:write"
LONGEST_NOTE: Final = 1000
_LEVELS: Final = {
    SeatRequest.State.OPEN: "badge-warn",
    SeatRequest.State.GRANTED: "badge-good",
    SeatRequest.State.DECLINED: "badge-bad",
}


def may_see_all_requests(access: Access) -> bool:
    """Whether the visitor may see what every customer asks for."""
    return access.allows(READS)


# ── Who could give one up ───────────────────────────────────────────────────
class Unseen(F):
    """When somebody was seen, those first who never were."""

    def asc(self, **nulls: Any) -> OrderBy:
        return super().asc(nulls_first=True)


HOLDERS: Final = (
    Column(
        "name",
        "User",
        attrgetter("user.name"),
        lambda seat: user_link(seat.customer, seat.user),
        order=(NeverNull("user__name"),),
        is_fixed=True,
    ),
    Column("code", "Code", attrgetter("user.code"), order=(NeverNull("user__code"),)),
    Column(
        "seen",
        "Last seen",
        attrgetter("user.last_seen_at"),
        lambda seat: _day(seat.user.last_seen_at) or "never",
        order=(Unseen("user__last_seen_at"), NeverNull("user_id")),
    ),
    Column(
        "since",
        "Holds it since",
        attrgetter("assigned_at"),
        lambda seat: _day(seat.assigned_at),
        order=(NeverNull("assigned_at"),),
    ),
    Column("by", "Given by", attrgetter("assigned_in.actor")),
)


@method_decorator(never_cache, name="dispatch")
class SeatsOf(LoginRequiredMixin, View):
    """Who holds a plan or add-on: those first who were unseen longest, since they could give it up."""

    def get(self, request: HttpRequest, customer: str, module: str) -> HttpResponseBase:
        found = visit(request, customer, READS)
        meter = _meter(found, module)
        rows = longest_unseen(found.customer, meter.module).select_related("assigned_in", "customer")
        table = Table(request, "holders", rows, HOLDERS, sort="seen", count=meter.used)
        if table.wants_csv:
            return table.csv()
        open_ones = SeatRequest.objects.open().filter(customer=found.customer).select_related("owner")
        context = {
            "customer": found.customer,
            "meter": meter,
            "table": table,
            "asked": next((each for each in open_ones if each.full_name == meter.module), None),
            "may_ask": found.may(ASKS) and not meter.unlimited,
            "crumbs": [*found.crumbs, _users_crumb(found)],
            "here": meter.name,
        }
        return table.remember(render(request, "licensing/portal/seats_of.html", context))


def _meter(found: Visit, module: str) -> Meter:
    sheet = Sheet(load_board(found.customer), load_crowd(found.customer).used)
    meter = sheet.meters.get(module.lower())
    if meter is None:
        raise NotFound("module", module)
    return meter


# ── Lists ───────────────────────────────────────────────────────────────────
class RequestFilters(Filters):
    state = forms.ChoiceField(required=False, label="State", choices=[("", "Any state"), *SeatRequest.State.choices])

    def narrow(self, rows: Any) -> Any:
        asked = self.asked
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return rows.search(asked["search"].strip()) if "search" in asked else rows


def request_columns(*, with_customer: bool) -> list[Column]:
    customer = Column(
        "customer",
        "Customer",
        attrgetter("customer.name"),
        lambda row: customer_link(row.customer),
        order=(NeverNull("customer__name"),),
    )
    return [
        Column("what", "Asked for", str, _request_link, order=(Lower("module_description"),), is_fixed=True),
        *([customer] if with_customer else []),
        Column(
            "for",
            "For",
            lambda row: row.user.name if row.user else "",
            lambda row: user_link(row.customer, row.user) if row.user else "–",
        ),
        Column("note", "Note", attrgetter("note")),
        Column("by", "Asked by", attrgetter("asked_by"), order=(NeverNull("asked_by"),)),
        Column(
            "asked", "Asked", attrgetter("asked_at"), lambda row: _day(row.asked_at), order=(NeverNull("asked_at"),)
        ),
        Column("state", "State", lambda row: row.get_state_display(), _badge, order=(NeverNull("state"),)),
        Column("answer", "Answer", attrgetter("answer"), is_shown=False),
        Column("answered", "Answered", attrgetter("answered_at"), lambda row: _day(row.answered_at), is_shown=False),
    ]


def _request_link(row: SeatRequest) -> SafeString:
    return format_html('<a href="{}">{}</a>', address_of(row), str(row))


def address_of(row: SeatRequest) -> str:
    return reverse("portal:request", args=[row.customer.code, row.pk])


def _badge(row: SeatRequest) -> SafeString:
    known = SeatRequest.State(row.state)
    return format_html('<span class="badge {}">{}</span>', _LEVELS.get(known, ""), known.label)


@method_decorator(never_cache, name="dispatch")
class AllRequests(LoginRequiredMixin, View):
    """What customers ask for, the newest first, for our own people; `?state=open` has those to be answered."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if not may_see_all_requests(access_of(request)):
            raise not_allowed()
        return _listed(request, SeatRequest.objects.all(), "all-requests", with_customer=True)


@method_decorator(never_cache, name="dispatch")
class CustomerRequests(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        found = visit(request, customer, READS)
        rows = SeatRequest.objects.filter(customer=found.customer)
        frame: dict[str, Any] = {"customer": found.customer, "crumbs": found.crumbs, "here": "Seat requests"}
        return _listed(request, rows, "requests", may_ask=found.may(ASKS), **frame)


def _listed(
    request: HttpRequest, rows: Any, name: str, *, with_customer: bool = False, may_ask: bool = False, **frame: Any
) -> HttpResponseBase:
    filters = RequestFilters(request.GET)
    rows = filters.narrow(rows.select_related("customer", "owner", "user"))
    table = Table(request, name, rows, request_columns(with_customer=with_customer), sort="-asked")
    if table.wants_csv:
        return table.csv()
    context = {"table": table, "search": filters, "may_ask": may_ask, **frame}
    return table.remember(render(request, "licensing/portal/requests.html", context))


# ── Asking ──────────────────────────────────────────────────────────────────
class AskForm(forms.Form):
    module = forms.ChoiceField(label="Plan or add-on")
    quantity = forms.IntegerField(label="How many more", min_value=1, max_value=MOST, initial=1)
    user = forms.CharField(
        required=False, max_length=64, label="For", help_text="The code of a user, if it is for somebody."
    )
    note = forms.CharField(
        required=False,
        max_length=LONGEST_NOTE,
        label="Note",
        help_text="What whoever answers should know.",
        widget=forms.Textarea({"rows": 3}),
    )

    def __init__(self, data: Any = None, *, meters: Sequence[Meter], **kwargs: Any) -> None:
        super().__init__(data, label_suffix="", **kwargs)
        offered = [(meter.module, f"{meter.name} ({meter.left})") for meter in meters if not meter.unlimited]
        self.fields["module"] = forms.ChoiceField(label="Plan or add-on", choices=offered)


@method_decorator(never_cache, name="dispatch")
class AskForSeats(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, ASKS)
        asked = {name: request.GET.get(name, "").replace("\0", "") for name in ("module", "user")}
        return self._asking(request, found, AskForm(meters=_meters(found), initial=asked))

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, ASKS)
        form = AskForm(request.POST, meters=_meters(found))
        if form.is_valid():
            told = dict(form.cleaned_data)
            try:
                code = told.pop("user")
                user = found.user(code) if code else None
                made = ask_for_seats(customer=found.customer, actor=found.access.actor, user=user, **told)
            except NotFound as refusal:
                form.add_error("user", refusal.message)
            except Refusal as refusal:
                form.add_error(None, f"{refusal.message} {refusal.next_action}")
            else:
                messages.success(request, "Asked. Customer success sees it, and the answer stands here.")
                return redirect(address_of(made))
        return self._asking(request, found, form, status=400)

    def _asking(self, request: HttpRequest, found: Visit, form: AskForm, status: int = 200) -> HttpResponse:
        context = {
            "customer": found.customer,
            "form": form,
            "crumbs": [*found.crumbs, _requests_crumb(found)],
            "here": "Ask for more seats",
        }
        return render(request, "licensing/portal/request_new.html", context, status=status)


def _meters(found: Visit) -> list[Meter]:
    return list(Sheet(load_board(found.customer), load_crowd(found.customer).used).meters.values())


# ── One request ─────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class RequestPage(LoginRequiredMixin, View):
    """One request; who asked may withdraw it, customer success grants it (by the subscription's page) or declines."""

    def get(self, request: HttpRequest, customer: str, number: int) -> HttpResponse:
        found = visit(request, customer, READS)
        return self._shown(request, found, seat_request(found, number))

    def post(self, request: HttpRequest, customer: str, number: int) -> HttpResponse:
        is_withdrawn = "withdraw" in request.POST
        found = visit(request, customer, ASKS if is_withdrawn else ANSWERS)
        row = seat_request(found, number)
        who: dict[str, Any] = {"customer": found.customer, "actor": found.access.actor, "request": row}
        try:
            if is_withdrawn:
                withdraw_request(**who)
                messages.success(request, "The request is withdrawn.")
            else:
                decline_request(**who, reason=request.POST.get("reason", "").replace("\0", "")[:LONGEST_NOTE])
                messages.success(request, "The request is declined.")
        except Refusal as refusal:
            return self._shown(request, found, seat_request(found, number), refusal)
        return redirect(address_of(row))

    def _shown(
        self, request: HttpRequest, found: Visit, row: SeatRequest, refusal: Refusal | None = None
    ) -> HttpResponse:
        may_answer = found.may(ANSWERS) and row.is_open
        wanted, in_the_way = _wanted(found, row) if may_answer else ({}, None)
        context = {
            "customer": found.customer,
            "row": row,
            "level": _LEVELS.get(SeatRequest.State(row.state), ""),
            "meter": next((meter for meter in _meters(found) if meter.module == row.full_name), None),
            "may_withdraw": found.may(ASKS) and row.is_open,
            "may_answer": may_answer,
            "wanted": wanted,
            "in_the_way": in_the_way,
            "refusal": refusal,
            "crumbs": [*found.crumbs, _requests_crumb(found)],
            "here": str(row),
        }
        return render(
            request, "licensing/portal/request.html", context, status=refusal.status if refusal is not None else 200
        )


def _wanted(found: Visit, row: SeatRequest) -> tuple[dict[str, int], Refusal | None]:
    """Returns every quantity that the subscription would have with the seats asked for, or why there is no such."""
    try:
        more = wanted_items(row)
    except Refusal as refusal:
        return {}, refusal
    form = ItemsForm(customer=found.customer)
    return {**form.present, **more}, None


def seat_request(found: Visit, number: int) -> SeatRequest:
    """Returns the customer's request with this number. Raises NotFound."""
    rows = SeatRequest.objects.filter(customer=found.customer)
    row: SeatRequest | None = rows.select_related("customer", "owner", "user", "item").filter(pk=number).first()
    if row is None:
        raise NotFound("seat_request", str(number))
    return row


def _users_crumb(found: Visit) -> tuple[str, str]:
    return "Users & seats", reverse("portal:users", args=[found.customer.code])


def _requests_crumb(found: Visit) -> tuple[str, str]:
    return "Seat requests", reverse("portal:requests", args=[found.customer.code])


def _day(at: Any) -> str:
    return date_format(timezone.localtime(at), "j M Y") if at else ""
