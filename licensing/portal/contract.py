"""The timeline of a customer's subscription: what was, is and will be; and changing it, previewed and confirmed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import not_allowed
from customers.errors import Invalid, NotFound, Refusal
from customers.models import Customer
from licensing.forms import ItemsForm
from licensing.models import CustomerRevision, Package, SeatRequest, Subscription, SubscriptionItem
from licensing.outlook import Outlook, outlook_of
from licensing.portal.gate import Visit, visit
from licensing.selectors import seats_in_order, users_per_module
from licensing.services.requests import grant_request, wanted_items
from licensing.services.subscriptions import (
    NOW,
    RENEWAL,
    Due,
    Subscribed,
    cancel_scheduled,
    cancel_subscription,
    change_items,
    resume_subscription,
    subscribe,
)
from licensing.term import Term, midnight, term_at

PER_PAGE: Final = 10
SEATS_SHOWN: Final = 200
_RELEASE: Final = "release:"


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to the subscription at an instant: per plan or add-on from how many to how many."""

    at: datetime
    changes: tuple[tuple[str, int, int], ...] = ()
    package: Package | None = None
    note: str = ""


@dataclass
class Contract:
    """What the timeline shows."""

    visit: Visit
    at: datetime

    @property
    def customer(self) -> Customer:
        return self.visit.customer

    @property
    def may_edit(self) -> bool:
        return self.visit.may("customers:write")

    @cached_property
    def subscription(self) -> Subscription | None:
        found: Subscription | None = Subscription.objects.running(self.at).filter(customer=self.customer).first()
        return found

    @cached_property
    def term(self) -> Term | None:
        running = self.subscription
        if running is None:
            return None
        return term_at(running.starts_on, running.billing_months, self.at.astimezone(UTC).date())

    @cached_property
    def all_items(self) -> list[SubscriptionItem]:
        rows = SubscriptionItem.objects.filter(customer=self.customer).select_related("version__offer", "subscription")
        return list(rows.order_by("-version__offer__type", "version__offer__position", "starts_at"))

    @property
    def items(self) -> list[SubscriptionItem]:
        """What is in force now."""
        ends = self.subscription.ends_at if self.subscription is not None else None
        return [i for i in self.all_items if i.is_in_force(self.at) and (ends is None or self.at < ends)]

    @cached_property
    def packages(self) -> list[Package]:
        rows = Package.objects.filter(customer=self.customer).select_related("owner").order_by("-number")
        return list(rows.exclude(state=Package.State.WITHDRAWN))

    @property
    def present(self) -> list[Package]:
        return [package for package in self.packages if package.is_in_force(self.at)]

    @cached_property
    def outlook(self) -> Outlook:
        return outlook_of(self.customer, self.at)

    @property
    def scheduled(self) -> list[Event]:
        """Changes of items to come, which can be taken back."""
        return [event for event in self._steps() if event.at > self.at and self._counts(event.at)]

    @property
    def history(self) -> list[Event]:
        """What was, the newest first."""
        events = {event.at: event for event in self._steps() if event.at <= self.at}
        for package in self.packages:
            at = package.activated_at
            if at is not None and at <= self.at:
                known = events.get(at, Event(at))
                events[at] = Event(at, known.changes, package)
        listed = list(events.values())
        for subscription in Subscription.objects.filter(customer=self.customer):
            if subscription.cancelled_at is not None:
                listed.append(Event(subscription.cancelled_at, note="Cancelled."))
            if subscription.is_over(self.at) and subscription.ends_at is not None:
                listed.append(Event(subscription.ends_at, note="The subscription ended."))
        return sorted(listed, key=lambda event: event.at, reverse=True)

    def _counts(self, at: datetime) -> bool:
        ends = self.subscription.ends_at if self.subscription is not None else None
        return ends is None or at < ends

    def _steps(self) -> list[Event]:
        instants = {at for item in self.all_items for at in (item.starts_at, item.ends_at) if at is not None}
        events, before = [], dict[str, int]()
        for at in sorted(instants):
            after: dict[str, int] = defaultdict(int)
            for item in self.all_items:
                if item.is_in_force(at):
                    after[item.version.offer.name] += item.quantity
            names = sorted(before.keys() | after.keys())
            changes = [(name, before.get(name, 0), after.get(name, 0)) for name in names]
            events.append(Event(at, tuple(change for change in changes if change[1] != change[2])))
            before = dict(after)
        return events


@method_decorator(never_cache, name="dispatch")
class SubscriptionPage(LoginRequiredMixin, View):
    """The timeline; for customer success with the forms that change it."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, "customers:read")
        form = ItemsForm(customer=found.customer)
        asked_for = _request(found, request.GET.get("request", ""))
        if asked_for is not None:
            for code, quantity in wanted_items(asked_for).items():
                form.fields[code].initial = quantity
        return timeline(request, found, form, asked_for=asked_for)


def timeline(
    request: HttpRequest,
    found: Visit,
    form: ItemsForm,
    refusal: Refusal | None = None,
    status: int = 200,
    asked_for: SeatRequest | None = None,
) -> HttpResponse:
    """Shows the subscription; `asked_for` is the request for seats that its form grants."""
    contract = Contract(found, timezone.now())
    context = {
        "asked_for": asked_for or _request(found, request.POST.get("request", "")),
        "contract": contract,
        "may_see_seats": found.may("seats:read"),
        "customer": found.customer,
        "form": form,
        "refusal": refusal,
        "history": Paginator(contract.history, PER_PAGE).get_page(request.GET.get("page")),
        "asked": request.POST,
        "today": contract.at.date(),
        "crumbs": found.crumbs,
        "here": "Subscription",
    }
    return render(request, "licensing/portal/contract.html", context, status=status)


def _request(found: Visit, number: str) -> SeatRequest | None:
    """Returns the request for seats that is to be granted with the change; none where none is named.

    Raises NotFound for another customer's, Forbidden for who can't answer it.
    """
    if not number:
        return None
    if not found.may("customers:write"):
        raise not_allowed()
    rows = SeatRequest.objects.filter(customer=found.customer).select_related("customer", "owner")
    row: SeatRequest | None = rows.filter(pk=int(number)).first() if _is_number(number) else None
    if row is None:
        raise NotFound("seat_request", number)
    return row


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


# ── Changes: looked at first, then confirmed ────────────────────────────────
Act = Callable[[bool, Mapping[str, list[str]] | None], Subscribed]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change that was asked for: what it is called, and what does it (dry or not, with whose seats go)."""

    title: str
    done: str
    act: Act
    due_at: datetime | None = None
    takes_seats: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A module of which seats have to go: how many, and whose could."""

    module: str
    name: str
    remove: int
    seats: list[tuple[Any, bool]]


@method_decorator(never_cache, name="dispatch")
class SubscriptionChange(LoginRequiredMixin, View):
    """Shows what a change would do, then makes it, unless something happened at the customer in between."""

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, "customers:write")
        form = ItemsForm(request.POST, customer=found.customer)
        try:
            wanted = _wanted(request, found, form)
            if wanted is None:
                return timeline(request, found, form, status=400)
            return _previewed(request, found, wanted)
        except Refusal as refusal:
            return timeline(request, found, form, refusal, status=refusal.status)


def _previewed(request: HttpRequest, found: Visit, wanted: Wanted) -> HttpResponse:
    named = _named(request)
    release = named if wanted.takes_seats and "wait" not in request.POST else None
    revision = CustomerRevision.objects.get(customer=found.customer).number
    is_stale = request.POST.get("revision", "") != str(revision)
    if "confirm" in request.POST and not is_stale:
        wanted.act(False, release)
        messages.success(request, wanted.done)
        return redirect("portal:subscription", customer=found.customer.code)
    told = wanted.act(True, release)
    choices = _choices(found.customer, told, wanted, named if "shown" in request.POST else None)
    if choices and "shown" not in request.POST:
        suggested = {choice.module: [seat.user.code for seat, ticked in choice.seats if ticked] for choice in choices}
        told = wanted.act(True, suggested)
    context = {
        "customer": found.customer,
        "may_see_seats": found.may("seats:read"),
        "wanted": wanted,
        "told": told,
        "choices": choices,
        "waits": "wait" in request.POST,
        "is_stale": "confirm" in request.POST,
        "revision": revision,
        "sent": [(name, value) for name, values in request.POST.lists() for value in values if _goes_on(name)],
        "crumbs": [*found.crumbs, ("Subscription", reverse("portal:subscription", args=[found.customer.code]))],
        "here": wanted.title,
    }
    status = 409 if context["is_stale"] else 200
    return render(request, "licensing/portal/contract_preview.html", context, status=status)


def _goes_on(name: str) -> bool:
    """Whether a field is part of what was asked for, and not of this preview."""
    own = name in ("csrfmiddlewaretoken", "confirm", "revision", "shown", "wait")
    return not own and not name.startswith(_RELEASE)


def _named(request: HttpRequest) -> dict[str, list[str]]:
    lists = request.POST.lists()
    return {name.removeprefix(_RELEASE): list(users) for name, users in lists if name.startswith(_RELEASE)}


def _choices(
    customer: Customer, told: Subscribed, wanted: Wanted, named: Mapping[str, list[str]] | None
) -> list[Choice]:
    """Returns of which modules seats have to go, with the seats in the order suggested and those that are ticked."""
    outlook = told.outlook
    if outlook is None or not wanted.takes_seats:
        return []
    now = wanted.due_at is None
    stages = [stage for stage in outlook.stages if (now and stage.starts_at in (None, outlook.at))]
    stages += [stage for stage in outlook.stages if not now and stage.starts_at == wanted.due_at]
    held = users_per_module(customer, timezone.now())
    found: dict[str, Choice] = {}
    for stage in stages:
        for change in stage.modules:
            remove = held.get(change.module, 0) - change.total
            if change.is_visible and not change.unrestricted and remove > 0 and change.module not in found:
                seats = list(seats_in_order(customer, change.module)[:SEATS_SHOWN])
                suggested = [seat.user.code for seat in seats[:remove]]
                chosen = set(suggested if named is None else named.get(change.module, ()))
                listed = [(seat, seat.user.code in chosen) for seat in seats]
                found[change.module] = Choice(change.module, change.name, remove, listed)
    return list(found.values())


def _wanted(request: HttpRequest, found: Visit, form: ItemsForm) -> Wanted | None:
    """Returns what is asked for; none where the form isn't filled in right. Raises Invalid."""
    customer, actor = found.customer, found.access.actor
    what, reason = request.POST.get("what", ""), request.POST.get("reason", "")[:500]
    if what == "cancel":
        return Wanted(
            "Cancel the subscription",
            "The subscription is cancelled.",
            lambda dry, _: cancel_subscription(customer=customer, actor=actor, reason=reason, dry_run=dry),
        )
    if what == "resume":
        return Wanted(
            "Take the cancellation back",
            "The subscription goes on.",
            lambda dry, _: resume_subscription(customer=customer, actor=actor, reason=reason, dry_run=dry),
        )
    if what == "take-back":
        due_at = _instant(request)
        return Wanted(
            "Take back what is scheduled",
            "What was scheduled is taken back.",
            lambda dry, _: cancel_scheduled(customer=customer, actor=actor, due_at=due_at, dry_run=dry),
        )
    if not form.is_valid():
        return None
    return _subscribing(request, found, form) if form.subscription is None else _changing(request, found, form)


def _subscribing(request: HttpRequest, found: Visit, form: ItemsForm) -> Wanted:
    starts_on = _day(request) if request.POST.get("day") else None
    months, items = form.cleaned_data["billing_months"], form.quantities()
    return Wanted(
        "Start the subscription",
        "The subscription has been started.",
        lambda dry, _: subscribe(
            customer=found.customer,
            actor=found.access.actor,
            billing_months=months,
            items=items,
            starts_on=starts_on,
            dry_run=dry,
        ),
    )


def _changing(request: HttpRequest, found: Visit, form: ItemsForm) -> Wanted:
    when, items = request.POST.get("when", NOW), form.quantities()
    due: Due = NOW
    if form.subscription is None:
        raise AssertionError("there is a subscription to change")
    if when == "day":
        due = midnight(_day(request))
    elif when == RENEWAL:
        due = form.subscription.term_end(timezone.now())
    done = "The subscription is changed." if due == NOW else "The change is scheduled."
    who: dict[str, Any] = {"customer": found.customer, "actor": found.access.actor, "items": items, "due": due}
    asked_for = _request(found, request.POST.get("request", ""))

    def act(dry: bool, release: Mapping[str, list[str]] | None) -> Subscribed:
        if asked_for is None:
            return change_items(**who, release=release, dry_run=dry)
        return grant_request(**who, request=asked_for, release=release, dry_run=dry).subscribed

    return Wanted(
        "Change the subscription" if asked_for is None else f"Grant {asked_for}",
        done if asked_for is None else f"{done} The request is granted.",
        act,
        due_at=None if not isinstance(due, datetime) else due,
        takes_seats=True,
    )


def _day(request: HttpRequest) -> date:
    try:
        day = parse_date(request.POST.get("day", ""))
    except ValueError:
        day = None
    if day is None:
        raise Invalid("On which day?", [{"field": "day", "message": "Choose a day."}])
    return day


def _instant(request: HttpRequest) -> datetime:
    try:
        at = parse_datetime(request.POST.get("due_at", ""))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Invalid("What is to be taken back?", [{"field": "due_at", "message": "An instant with its offset."}])
    return at
