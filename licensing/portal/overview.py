"""The page about one customer: its contract, its packages, seats now and over time, and what wants attention."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.models import Offer
from customers.models import Customer, CustomerUser
from licensing.facts import DateState, full_name
from licensing.models import (
    MigrationCustomer,
    Override,
    Package,
    Seat,
    SeatRequest,
    Subscription,
    SubscriptionItem,
)
from licensing.portal.charts import LineChart, count_by_day, line_chart
from licensing.portal.choices import Board
from licensing.portal.gate import Visit, visit
from licensing.portal.listing import Crowd, load_board, load_crowd
from licensing.portal.page import Meter, Sheet
from licensing.portal.recent import Told, recent_changes
from licensing.recorded import SEALED, examine_many
from licensing.seating import Inventory
from licensing.term import Term, term_at

DAYS_CHARTED: Final = 365
DAYS_AHEAD: Final = 30
RECENT_CHANGES: Final = 6


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that wants attention; `level` is warn or bad."""

    level: str
    text: str
    address: str = ""
    link: str = ""


@method_decorator(never_cache, name="dispatch")
class CustomerPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, "customers:read")
        page = CustomerOverview(found, timezone.now())
        return render(
            request, "licensing/portal/customer.html", {"page": page, "customer": found.customer, **page.frame}
        )


@dataclass
class CustomerOverview:
    """What the page shows; what the visitor may not see is not looked up."""

    visit: Visit
    at: datetime

    @property
    def customer(self) -> Customer:
        return self.visit.customer

    @property
    def frame(self) -> dict[str, Any]:
        return {"crumbs": self.visit.crumbs[:-1], "here": self.customer.name}

    # ── The contract ────────────────────────────────────────────────────────
    @cached_property
    def subscription(self) -> Subscription | None:
        running: Subscription | None = Subscription.objects.running(self.at).filter(customer=self.customer).first()
        return running

    @property
    def term(self) -> Term | None:
        """The first term or the billing period that runs."""
        running = self.subscription
        return term_at(running.starts_on, running.billing_months, self.at.date()) if running is not None else None

    @property
    def standing(self) -> tuple[str, str]:
        """Returns the level of a badge, and in a sentence what the clock makes of what we sold."""
        own = [package for package in self.packages if package.owner.code == settings.OWN_OWNER]
        active = next((package for package in own if package.state != Package.State.PENDING), None)
        if active is None:
            return "bad", "Nothing of ours is in force, so nobody can edit anything."
        return date_state(active, self.at)

    @cached_property
    def items(self) -> list[SubscriptionItem]:
        if self.subscription is None:
            return []
        rows = SubscriptionItem.objects.in_force(self.at).filter(subscription=self.subscription)
        return list(rows.select_related("version__offer").order_by("version__offer__type", "version__offer__position"))

    @property
    def plans(self) -> list[SubscriptionItem]:
        return [item for item in self.items if item.version.offer.type == Offer.Type.PLAN]

    @property
    def add_ons(self) -> list[SubscriptionItem]:
        return [item for item in self.items if item.version.offer.type != Offer.Type.PLAN]

    @cached_property
    def packages(self) -> list[Package]:
        """Those in force by the clock, and those that wait."""
        rows = Package.objects.filter(customer=self.customer)
        rows = (rows.active(self.at) | rows.pending()).select_related(*SEALED)
        return list(rows.order_by("owner__code", "-number"))

    @property
    def states(self) -> list[tuple[Package, str, str]]:
        """Each package with the level of its badge and a sentence."""
        return [(package, *date_state(package, self.at)) for package in self.packages]

    # ── Users and seats ─────────────────────────────────────────────────────
    @property
    def may_see_seats(self) -> bool:
        return self.visit.may("seats:read")

    @cached_property
    def users(self) -> Mapping[str, int]:
        """How many users there are, can log in, can't, and have left."""
        left, locked = Q(is_former_employee=True), Q(is_former_employee=False, can_log_in=False)
        counts = CustomerUser.objects.of(self.customer).aggregate(
            all=Count("pk"), left=Count("pk", filter=left), locked=Count("pk", filter=locked)
        )
        return {**counts, "active": counts["all"] - counts["left"] - counts["locked"]}

    @cached_property
    def board(self) -> Board:
        return load_board(self.customer)

    @cached_property
    def crowd(self) -> Crowd:
        return load_crowd(self.customer)

    @cached_property
    def meters(self) -> list[Meter]:
        return Sheet(self.board, self.crowd.used).counted if self.may_see_seats else []

    @cached_property
    def seats_over_time(self) -> LineChart | None:
        """The seats held of each plan, by day; none where none were."""
        return seat_chart(self.customer, {meter.module: meter.name for meter in self.meters}, self.at)

    @cached_property
    def changes(self) -> list[Told]:
        """The newest change sets, with what can be undone."""
        return recent_changes(self.customer, self.at) if self.may_see_seats else []

    @property
    def may_undo(self) -> bool:
        return self.visit.may("seats:write")

    # ── What wants attention ────────────────────────────────────────────────
    @property
    def concerns(self) -> list[Concern]:
        """The most pressing first."""
        return sorted(self._concerns(), key=lambda concern: concern.level != "bad")

    def _concerns(self) -> Iterator[Concern]:
        yield from self._about_packages()
        if self.subscription is not None and self.subscription.ends_at is not None:
            day, page = _day(self.subscription.ends_at), reverse("portal:subscription", args=[self.customer.code])
            yield Concern(
                "warn", f"The subscription is cancelled, and ends on {day}.", page, "What was, is and will be"
            )
        if self.may_see_seats:
            yield from self._about_seats()
        for row in self._coming_moves():
            text = f"{row.offer.name} moves to version {row.migration.target.number} on {_day(row.due_at)}."
            yield Concern("warn", f"{text} {row.migration.reason} {row.why}".strip())
        for override in self._ending_overrides():
            page = reverse("portal:overrides", args=[self.customer.code])
            text = f"The override of {override.feature.name} ends on {_day(override.ends_at)}."
            yield Concern("warn", text, f"{page}?state=ending", "See it")

    def _about_packages(self) -> Iterator[Concern]:
        packages = reverse("portal:packages", args=[self.customer.code])
        for package in damaged_of(self.packages):
            name = f"Package {package.number} of {package.owner.code}"
            yield Concern("bad", f"{name} is not what was signed: what was edited gives nothing.", packages, "See what")
        for package in self.packages:
            page = reverse("portal:package", args=[self.customer.code, package.owner.code, package.number])
            if package.state == Package.State.PENDING:
                text = f"Package {package.number} of {package.owner.code} waits: more seats are in use than it has."
                yield Concern("bad", text, page, "See what is in the way")
            elif package.state_at(self.at) is not DateState.ACTIVE:
                level, words = date_state(package, self.at)
                yield Concern(level, f"Package {package.number} of {package.owner.code}: {words}", page, "See it")
        if not any(package.state != Package.State.PENDING for package in self.packages):
            yield Concern("bad", "No package is active, so nobody can edit anything.")

    def _about_seats(self) -> Iterator[Concern]:
        for meter in self.meters:
            page = reverse("portal:seats_of", args=[self.customer.code, meter.module])
            if meter.state == "full":
                taken = "its only seat is" if meter.total == 1 else f"all {meter.total} seats are"
                yield Concern("bad", f"{meter.name} is full: {taken} taken.", page, "Who could give one up")
            elif meter.state == "near":
                yield Concern("warn", f"{meter.name} has {meter.left}.", page, "Who holds it")
        users = reverse("portal:users", args=[self.customer.code])
        for module, needed, count in lacking(self.board.inventory, self.crowd):
            who = "1 user who holds it lacks that" if count == 1 else f"{count} users who hold it lack that"
            text = f"{self.board.name(module)} needs {self.board.name(needed)}, and {who}."
            yield Concern("warn", text, f"{users}?{urlencode({'plan': module})}", "See who")
        open_ones = SeatRequest.objects.open().filter(customer=self.customer).order_by("asked_at")
        for request in open_ones.select_related("owner")[:RECENT_CHANGES]:
            text = f"{request}: asked for by {request.asked_by} on {_day(request.asked_at)}, not answered yet."
            page = reverse("portal:request", args=[self.customer.code, request.pk])
            yield Concern("warn", text, page, "Answer it" if self.visit.may("customers:write") else "See it")

    def _coming_moves(self) -> QuerySet[MigrationCustomer]:
        """Plans that are about to get another version, and what is in the way of that."""
        rows = MigrationCustomer.objects.open().filter(customer=self.customer)
        found: QuerySet[MigrationCustomer] = rows.select_related("offer", "migration__target").order_by("due_at")
        return found[:RECENT_CHANGES]

    def _ending_overrides(self) -> QuerySet[Override]:
        until = self.at + timedelta(days=DAYS_AHEAD)
        rows = Override.objects.filter(customer=self.customer, ended_at=None, ends_at__gt=self.at, ends_at__lte=until)
        found: QuerySet[Override] = rows.select_related("feature").order_by("ends_at")[:RECENT_CHANGES]
        return found


def lacking(inventory: Inventory, crowd: Crowd) -> list[tuple[str, str, int]]:
    """Returns the modules held without what they need (C-24): the module, what it needs, and by how many users."""
    missing: Counter[tuple[str, str]] = Counter()
    for pk, count in crowd.counts.items():
        modules = frozenset(crowd.holdings[pk].modules)
        for module in modules & inventory.assignables.keys():
            needed = inventory.assignables[module].prerequisite
            if needed is not None and not inventory.has(modules, needed):
                missing[module, needed] += count
    return [(module, needed, count) for (module, needed), count in sorted(missing.items())]


def _day(at: datetime | None) -> str:
    return date_format(at, "j F Y") if at else ""


def damaged_of(packages: Sequence[Package]) -> list[Package]:
    """Returns those of `packages` (with SEALED at hand) that are not what was signed. One query."""
    examined = examine_many(packages)
    return [package for package in packages if not examined[package.pk].is_intact]


def date_state(package: Package, at: datetime) -> tuple[str, str]:
    """Returns the level of a badge and a sentence on what the clock makes of the package."""
    if package.state == Package.State.PENDING:
        return "warn", "Waits until the seats in use fit."
    expires = date_format(package.expires_at, "j F Y") if package.expires_at else ""
    stops = date_format(package.grace_until, "j F Y") if package.grace_until else expires
    match package.state_at(at):
        case DateState.ACTIVE:
            return "good", f"Everything works until {expires}." if expires else "Everything works; it has no end."
        case DateState.WARNING:
            return "warn", f"Ends on {expires}."
        case DateState.GRACE:
            return "bad", f"Ended on {expires}. Everything works until {stops}."
        case _:
            return "bad", f"Stopped on {stops}. What was bought can only be looked at."


def seat_chart(customer: Customer, names: Mapping[str, str], at: datetime) -> LineChart | None:
    """Returns the seats held by day over a year, of the modules named (`owner.module` → name). Two queries."""
    last = at.date()
    first = last - timedelta(days=DAYS_CHARTED - 1)
    before: dict[str, int] = defaultdict(int)
    changes: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    seats = Seat.objects.filter(customer=customer).order_by()
    for sign, field in ((1, "assigned_at"), (-1, "released_at")):
        days = seats.exclude(**{field: None}).annotate(day=TruncDate(field))
        for owner, module, day, count in days.values_list("owner__code", "module_name", "day").annotate(Count("pk")):
            name = full_name(owner, module)
            if day < first:
                before[name] += sign * count
            else:
                changes[name][day] += sign * count
    series = {
        name: count_by_day(before[module], changes[module], first, last)
        for module, name in names.items()
        if module in before or module in changes
    }
    return line_chart(series, first) if series else None
