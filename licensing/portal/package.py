"""The page of one package: what it brings, and, while it waits, releasing what is superfluous and making it active."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.errors import NotFound, Refusal
from licensing.models import Package, Seat
from licensing.outlook import ModuleChange, compare
from licensing.portal.gate import Visit, visit
from licensing.recorded import SEALED, examine_many
from licensing.selectors import seats_in_order, users_per_module
from licensing.services.activation import Released, activate_package, release_superfluous
from licensing.services.packages import Superfluous, superfluous_of

SEATS_SHOWN: Final = 200
_RELEASE: Final = "release:"


@dataclass(frozen=True, slots=True)
class Crowded:
    """A module with more seats in use than the package has; `seats` in the order suggested, with those ticked."""

    what: Superfluous
    name: str
    seats: list[tuple[Seat, bool]]


@dataclass
class PackageView:
    """What the page shows. `asked` are the users ticked per module, if somebody has ticked."""

    visit: Visit
    package: Package
    at: datetime
    asked: dict[str, list[str]] | None = None

    @cached_property
    def modules(self) -> tuple[ModuleChange, ...]:
        mine = Package.objects.filter(customer=self.visit.customer, owner=self.package.owner_id)
        present: Package | None = mine.active(self.at).select_related("owner").first()
        if present is not None and present.pk == self.package.pk:
            present = mine.filter(ended_at=present.activated_at).select_related("owner").first()
        return compare(self.package, present, users_per_module(self.visit.customer, self.at))

    @property
    def visible(self) -> list[ModuleChange]:
        return sorted((m for m in self.modules if m.is_visible), key=lambda module: (module.is_site, module.name))

    @cached_property
    def damage(self) -> list[str]:
        """What of the package isn't what was signed, in sentences."""
        return [each.message for each in examine_many([self.package])[self.package.pk].breaks]

    @property
    def is_pending(self) -> bool:
        return self.package.state == Package.State.PENDING

    @property
    def may_see_seats(self) -> bool:
        return self.visit.may("seats:read")

    @property
    def may_activate(self) -> bool:
        return self.is_pending and self.visit.may("packages:activate")

    @property
    def may_release(self) -> bool:
        return self.may_activate and self.visit.may("seats:write")

    @cached_property
    def superfluous(self) -> tuple[Superfluous, ...]:
        return superfluous_of(self.package, self.at) if self.is_pending else ()

    @cached_property
    def crowded(self) -> list[Crowded]:
        """What is in the way, with whose seats; only for who may see seats."""
        names = {module.module: module.name for module in self.modules}
        found = []
        for row in self.superfluous if self.may_see_seats else ():
            seats = list(seats_in_order(self.visit.customer, row.module, self.at)[:SEATS_SHOWN])
            suggested = [seat.user.code for seat in seats[: row.remove]]
            ticked = set(suggested if self.asked is None else self.asked.get(row.module, ()))
            listed = [(seat, seat.user.code in ticked) for seat in seats]
            found.append(Crowded(row, names.get(row.module, row.module), listed))
        return found


@method_decorator(never_cache, name="dispatch")
class PackagePage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str, owner: str, number: int) -> HttpResponse:
        found = visit(request, customer, "licenses:read")
        return _page(request, PackageView(found, _package(found, owner, number), timezone.now()))

    def post(self, request: HttpRequest, customer: str, owner: str, number: int) -> HttpResponse:
        """Activates; or looks at what releasing the ticked seats would do, then does it."""
        found = visit(request, customer, "packages:activate")
        view = PackageView(found, _package(found, owner, number), timezone.now(), _ticked(request))
        try:
            if "activate" in request.POST:
                activate_package(customer=found.customer, actor=found.access.actor, owner=owner, number=number)
                return _done(request, view, f"{view.package} is active.")
            released = _release(request, view, dry_run="confirm" not in request.POST)
        except Refusal as refusal:
            return _page(request, view, refusal=refusal, status=refusal.status)
        if "confirm" not in request.POST:
            return _page(request, view, preview=released)
        is_active = released.package.state == Package.State.ACTIVE
        return _done(request, view, f"{view.package} is active." if is_active else "Seats released; more have to go.")


def _release(request: HttpRequest, view: PackageView, *, dry_run: bool) -> Released:
    found = visit(request, view.visit.customer.code, "seats:write")
    return release_superfluous(
        customer=found.customer,
        actor=found.access.actor,
        owner=view.package.owner.code,
        number=view.package.number,
        release=view.asked or {},
        dry_run=dry_run,
    )


def _page(request: HttpRequest, view: PackageView, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "view": view,
        "package": view.package,
        "customer": view.visit.customer,
        "crumbs": [
            *view.visit.crumbs,
            ("Packages", reverse("portal:packages", args=[view.visit.customer.code])),
        ],
        "here": str(view.package),
        **more,
    }
    return render(request, "licensing/portal/package.html", context, status=status)


def _done(request: HttpRequest, view: PackageView, words: str) -> HttpResponse:
    messages.success(request, words)
    package = view.package
    return redirect("portal:package", view.visit.customer.code, package.owner.code, package.number)


def _package(found: Visit, owner: str, number: int) -> Package:
    rows = Package.objects.filter(customer=found.customer, owner__code__iexact=owner, number=number)
    package: Package | None = rows.select_related(*SEALED).first()
    if package is None:
        raise NotFound("package", str(number))
    return package


def _ticked(request: HttpRequest) -> dict[str, list[str]] | None:
    if "shown" not in request.POST:
        return None
    lists = request.POST.lists()
    return {name.removeprefix(_RELEASE): list(users) for name, users in lists if name.startswith(_RELEASE)}
