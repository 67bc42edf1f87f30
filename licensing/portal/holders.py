"""Who holds a module: the list behind a number on the licences screen, and the counting; at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import not_allowed
from customers.errors import NotFound
from customers.models import Customer, CustomerUser
from customers.tables import Column, Table
from licensing.extra_info import parse_set
from licensing.facts import full_name
from licensing.models import Holding, ModuleLicense
from licensing.portal.asking import Filters
from licensing.portal.gate import Visit, visit
from licensing.portal.instants import InstantField, for_input, spelled
from licensing.portal.links import user_link
from licensing.selectors import periods_at, seats_held, users_per_holding

READ: Final = "licenses:read"
USER: Final = ModuleLicense.Type.USER


class HolderFilters(Filters):
    at = InstantField()

    @property
    def at_input(self) -> str:
        return for_input(self.cleaned_data["at"]) if self.is_valid() and self.cleaned_data["at"] else ""


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


@method_decorator(never_cache, name="dispatch")
class HoldersPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str, owner: str, module: str) -> HttpResponseBase:
        found = visit(request, customer, READ)
        if not found.may("seats:read"):
            raise not_allowed()
        filters = HolderFilters(without_nul(request))
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


def without_nul(request: HttpRequest) -> dict[str, str]:
    """Returns what is asked for, as forms take it."""
    return {name: str(value).replace("\0", "") for name, value in request.GET.items()}
