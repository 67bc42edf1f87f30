"""The licences of a customer, a tab per owner: what is licensed, how much of it is in use, and by whom; at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Case, Exists, OuterRef, Q, When
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import not_allowed
from customers.errors import NotFound
from customers.models import Customer, CustomerUser
from customers.tables import Column, Table
from licensing.extra_info import parse_set
from licensing.facts import full_name
from licensing.models import Holding, ModuleLicense, Package
from licensing.portal.asking import Filters
from licensing.portal.gate import Visit, visit
from licensing.portal.instants import InstantField, for_input, spelled
from licensing.portal.links import user_link
from licensing.portal.overview import date_state
from licensing.portal.package import PackageView
from licensing.recorded import SEALED, damaged_rows
from licensing.selectors import periods_at, seats_held, users_per_holding

READ: Final = "licenses:read"
USER, SITE = ModuleLicense.Type.USER, ModuleLicense.Type.SITE
# What people hold comes first, and of that the plans; then in the order of the package.
_IN_ORDER: Final = (Case(When(is_plan=True, then=0), When(license_type=USER, then=1), default=2), "sort_order")


class LicenseFilters(Filters):
    hidden = forms.BooleanField(required=False, label="Hidden ones too")
    at = InstantField()

    @property
    def at_input(self) -> str:
        return for_input(self.cleaned_data["at"]) if self.is_valid() and self.cleaned_data["at"] else ""


class HolderFilters(Filters):
    at = InstantField()

    at_input = LicenseFilters.at_input


@dataclass
class Moment:
    """When a page is about: an instant that was asked for, or now."""

    form: Any

    @cached_property
    def asked_at(self) -> datetime | None:
        self.form.is_valid()
        at: datetime | None = self.form.cleaned_data.get("at")
        return at

    @cached_property
    def at(self) -> datetime:
        return self.asked_at or timezone.now()


@dataclass
class Licenses(Moment):
    """What the screen shows of one owner."""

    visit: Visit
    request: HttpRequest

    @property
    def customer(self) -> Customer:
        return self.visit.customer

    @cached_property
    def packages(self) -> dict[str, Package]:
        """The package of each owner in force then, by the owner's code, our own first."""
        rows = Package.objects.filter(customer=self.customer).in_force(self.at).select_related(*SEALED)
        return {package.owner.code: package for package in rows}

    @cached_property
    def pending(self) -> dict[str, Package]:
        """The packages that wait, by owner; they are about the present alone."""
        if self.asked_at is not None:
            return {}
        rows = Package.objects.filter(customer=self.customer).pending().select_related(*SEALED)
        return {package.owner.code: package for package in rows}

    @cached_property
    def owners(self) -> list[str]:
        return sorted({*self.packages, *self.pending}, key=lambda code: (code != settings.OWN_OWNER, code))

    @cached_property
    def owner(self) -> str:
        """The owner whose tab is open; nothing where nobody licenses anything."""
        asked = self.request.GET.get("owner", "").upper()
        return asked if asked in self.owners else next(iter(self.owners), "")

    @property
    def tabs(self) -> list[tuple[str, str, bool]]:
        """Each owner with the address of its tab, and whether it is open."""
        kept = {"at": self._spelled, "hidden": "on" if self.shows_hidden else ""}
        said = {name: value for name, value in kept.items() if value}
        return [(code, f"?{urlencode({'owner': code, **said})}", code == self.owner) for code in self.owners]

    @property
    def _spelled(self) -> str:
        return "" if self.asked_at is None else spelled(self.asked_at)

    # ── The package ─────────────────────────────────────────────────────────
    @property
    def package(self) -> Package | None:
        return self.packages.get(self.owner)

    @property
    def state(self) -> tuple[str, str]:
        """The level of a badge, and what the clock makes of the package, in a sentence."""
        package = self.package
        return ("", "") if package is None else date_state(package, self.at)

    @property
    def dates(self) -> list[tuple[str, datetime]]:
        """What the package says of time, as far as it says anything."""
        package = self.package
        if package is None:
            return []
        told = [
            ("Issued", package.issued_at),
            ("In force from", package.activated_at),
            ("In force until", package.ended_at),
            ("Warns from", package.warning_at),
            ("Expires", package.expires_at),
            ("Stops", package.grace_until),
            ("Maintenance until", package.maintenance_until),
            ("Next check", package.next_check_at),
        ]
        return [(name, at) for name, at in told if at is not None]

    @cached_property
    def waiting(self) -> PackageView | None:
        """The package that waits, with what is in its way."""
        package = self.pending.get(self.owner)
        return None if package is None else PackageView(self.visit, package, self.at)

    @property
    def waiting_address(self) -> str:
        if self.waiting is None:
            return ""
        package = self.waiting.package
        return reverse("portal:package", args=[self.customer.code, package.owner.code, package.number])

    @property
    def may_remove(self) -> bool:
        is_partner = bool(self.owner) and self.owner != settings.OWN_OWNER
        return is_partner and self.asked_at is None and self.visit.may("customers:write")

    # ── Its rows ────────────────────────────────────────────────────────────
    @property
    def shows_hidden(self) -> bool:
        return bool(self.form.asked.get("hidden"))

    @cached_property
    def hidden_count(self) -> int:
        return self._all.filter(hidden=True).count() if self.package is not None else 0

    @property
    def _all(self) -> Any:
        return ModuleLicense.objects.filter(package=self.package) if self.package else ModuleLicense.objects.none()

    @cached_property
    def table(self) -> Table:
        rows = self._all.select_related("package__owner").defer("grants")
        if not self.shows_hidden:
            rows = rows.filter(hidden=False)
        if search := self.form.asked.get("search"):
            rows = rows.filter(Q(module_name__icontains=search) | Q(module_description__icontains=search))
        return Table(self.request, "licenses", rows, self._columns, sort="license", prepare=self._prepared)

    def _prepared(self, rows: Sequence[Any]) -> Sequence[Any]:
        plans = self._all.filter(is_plan=True).values_list("module_name", "extra_info")
        used = in_use(self.customer, carried_by(self.owner, plans), self.at)
        damaged = damaged_rows([self.package]) if self.package is not None else {}
        for row in rows:
            row.in_use = used.get(row.full_name, 0) if row.license_type == USER else None
            row.is_damaged = row.pk in damaged
        return rows

    @property
    def _columns(self) -> list[Column]:
        return [
            Column("license", "Licence", attrgetter("module_description"), _named, _IN_ORDER, is_fixed=True),
            Column("module", "Module", attrgetter("full_name"), order=("module_name",)),
            Column("kind", "For", _kind, order=("license_type",)),
            Column("version", "Version", lambda row: f"v{row.version_number}" if row.version_number else ""),
            Column("total", "Licensed", _total, order=("license_number",), is_number=True),
            Column("used", "In use", attrgetter("in_use"), self._used, is_number=True),
            Column("free", "Free", _free, is_number=True),
        ]

    def _used(self, row: Any) -> SafeString | str:
        if row.in_use is None:
            return "–"
        if not row.in_use or not self.visit.may("seats:read"):
            return str(row.in_use)
        address = reverse("portal:holders", args=[self.customer.code, self.owner, row.module_name])
        asked = f"?{urlencode({'at': self._spelled})}" if self.asked_at else ""
        words = '<a href="{}{}">{}<span class="visually-hidden"> hold {}</span></a>'
        return format_html(words, address, asked, row.in_use, row.module_description)


def _named(row: Any) -> SafeString:
    """Returns the name, with what is special about the row."""
    marks = [("hidden", "Hidden", row.hidden), ("plan", "Plan", row.is_plan), ("bad", "Damaged", row.is_damaged)]
    shown = [
        format_html(' <span class="badge{}">{}</span>', " badge-bad badge-dot" if key == "bad" else "", label)
        for key, label, is_so in marks
        if is_so
    ]
    return format_html("{}{}", row.module_description or row.module_name, SafeString("".join(shown)))


def _kind(row: Any) -> str:
    return {USER: "Each user", SITE: "The whole site"}.get(row.license_type, "A satellite")


def _total(row: Any) -> str:
    """Returns how many are licensed; a row for the whole site is there or not."""
    if row.unrestricted:
        return "unrestricted"
    return str(row.license_number) if row.license_type != SITE or row.license_number > 1 else "–"


def _free(row: Any) -> str:
    if row.in_use is None or row.unrestricted:
        return "–"
    return str(max(row.license_number - row.in_use, 0))


# ── Who holds what ──────────────────────────────────────────────────────────
def carried_by(owner: str, plans: Any) -> dict[str, frozenset[str]]:
    """Returns by plan (`owner.module`) the hidden modules that it switches on; `plans` are (module, ExtraInfo)."""
    return {
        full_name(owner, module): frozenset(full_name(owner, name) for name in parse_set(info))
        for module, info in plans
    }


def in_use(customer: Customer, carried: Mapping[str, frozenset[str]], at: datetime) -> Counter[str]:
    """Returns how many distinct users have each user module in use at `at` (C-22), by `owner.module`.

    Three queries, which read no users: they are counted by holding, each once.
    """
    counts = users_per_holding([customer.pk], at)
    used: Counter[str] = Counter()
    for pk, modules in Holding.objects.filter(pk__in=counts).values_list("pk", "modules"):
        for module in {*modules, *(hidden for plan in modules for hidden in carried.get(plan, ()))}:
            used[module] += counts[pk]
    return used


@dataclass
class Holders(Moment):
    """Who holds a module: by a seat of it or, where it is hidden, by a seat of a plan that switches it on."""

    visit: Visit
    request: HttpRequest
    row: ModuleLicense

    @cached_property
    def carriers(self) -> dict[str, str]:
        """The modules that bring it, with their names: itself, and plans."""
        plans = ModuleLicense.objects.filter(package=self.row.package_id, is_plan=True)
        found = {self.row.full_name: self.row.module_description}
        for module, info, name in plans.values_list("module_name", "extra_info", "module_description"):
            if self.row.module_name in parse_set(info):
                found[full_name(self.row.package.owner.code, module)] = name
        return found

    @cached_property
    def table(self) -> Table:
        counts = users_per_holding([self.visit.customer.pk], self.at)
        held = Holding.objects.filter(pk__in=counts).values_list("pk", "modules")
        chosen = [pk for pk, modules in held if not self.carriers.keys().isdisjoint(modules)]
        rows: Any = CustomerUser.objects.of(self.visit.customer)
        having = Q()
        for periods in periods_at([self.visit.customer.pk], self.at):
            having |= Q(Exists(periods.filter(user=OuterRef("pk"), holding__in=chosen)))
        search = self.form.asked.get("search")
        rows = rows.filter(having) if chosen else rows.none()
        return Table(
            self.request,
            "holders",
            rows.search(search) if search else rows,
            self._columns,
            sort="user",
            prepare=self._prepared,
            count=None if search else sum(counts[pk] for pk in chosen),
        )

    def _prepared(self, users: Sequence[Any]) -> Sequence[Any]:
        held = seats_held(users, self.at)
        for user in users:
            user.behind = [seat for module, seat in sorted(held[user.pk].items()) if module in self.carriers]
        return users

    @property
    def _columns(self) -> list[Column]:
        def seats(of: Any) -> Any:
            return lambda user: ", ".join(dict.fromkeys(str(of(seat)) for seat in user.behind))

        return [
            Column("user", "User", attrgetter("name"), self._link, (Lower("name"),), is_fixed=True),
            Column("code", "Code", attrgetter("code"), order=(Lower("code"),)),
            Column("email", "E-mail", attrgetter("email"), order=(Lower("email"),), is_shown=False),
            Column("by", "By", seats(lambda seat: self.carriers[seat.full_name])),
            Column("since", "Since", seats(lambda seat: date_format(seat.assigned_at, "j M Y"))),
            Column("given", "Given by", seats(lambda seat: seat.assigned_in.actor)),
            Column("seen", "Last seen", attrgetter("last_seen_at"), _seen, order=("last_seen_at",)),
        ]

    def _link(self, user: CustomerUser) -> SafeString | str:
        return user_link(self.visit.customer, user) if self.visit.may("entitlements:read") else user.name


def _seen(user: CustomerUser) -> str:
    return date_format(user.last_seen_at, "j M Y") if user.last_seen_at else "never"


# ── The pages ───────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class LicensesPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        found = visit(request, customer, READ)
        page = Licenses(LicenseFilters(_without_nul(request)), found, request)
        if page.table.wants_csv:
            return page.table.csv()
        context = {"page": page, "table": page.table, "customer": found.customer}
        context |= {"crumbs": found.crumbs, "here": "Licences"}
        return page.table.remember(render(request, "licensing/portal/licenses.html", context))


@method_decorator(never_cache, name="dispatch")
class HoldersPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str, owner: str, module: str) -> HttpResponseBase:
        found = visit(request, customer, READ)
        if not found.may("seats:read"):
            raise not_allowed()
        filters = HolderFilters(_without_nul(request))
        moment = Moment(filters)
        rows = ModuleLicense.objects.filter(customer=found.customer, license_type=USER).in_force(moment.at)
        row = rows.filter(package__owner__code__iexact=owner, module_name__iexact=module)
        licensed = row.select_related("package__owner").defer("grants").first()
        if licensed is None:
            raise NotFound("module", f"{owner}.{module}")
        page = Holders(filters, found, request, licensed)
        if page.table.wants_csv:
            return page.table.csv()
        address = reverse("portal:licenses", args=[found.customer.code])
        asked = urlencode({"owner": licensed.package.owner.code} | ({"at": spelled(page.at)} if page.asked_at else {}))
        context = {"page": page, "table": page.table, "customer": found.customer}
        context |= {"crumbs": [*found.crumbs, ("Licences", f"{address}?{asked}")], "here": licensed.module_description}
        return page.table.remember(render(request, "licensing/portal/holders.html", context))


def _without_nul(request: HttpRequest) -> dict[str, str]:
    return {name: str(value).replace("\0", "") for name, value in request.GET.items()}
