"""The licences of a customer, a tab per owner: what is licensed, how much of it is in use, and by whom; at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Case, Q, When
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from customers.models import Customer
from customers.tables import Column, Table
from licensing.models import ModuleLicense, Package
from licensing.portal.gate import Visit, visit
from licensing.portal.holders import HolderFilters, Moment, carried_by, in_use, without_nul
from licensing.portal.instants import spelled
from licensing.portal.overview import date_state
from licensing.portal.package import PackageView
from licensing.recorded import SEALED, damaged_rows

READ: Final = "licenses:read"
USER, SITE = ModuleLicense.Type.USER, ModuleLicense.Type.SITE
# What people hold comes first, and of that the plans; then in the order of the package.
_IN_ORDER: Final = (Case(When(is_plan=True, then=0), When(license_type=USER, then=1), default=2), "sort_order")


class LicenseFilters(HolderFilters):
    hidden = forms.BooleanField(required=False, label="Hidden ones too")


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


# ── The pages ───────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class LicensesPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        found = visit(request, customer, READ)
        page = Licenses(LicenseFilters(without_nul(request)), found, request)
        if page.table.wants_csv:
            return page.table.csv()
        context = {"page": page, "table": page.table, "customer": found.customer}
        context |= {"crumbs": found.crumbs, "here": "Licences"}
        return page.table.remember(render(request, "licensing/portal/licenses.html", context))
