"""What waits for somebody at the customers that they may read: packages that don't fit, and what ends soon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.urls import reverse
from django.utils.formats import date_format

from customers.access import Access
from customers.models import Customer
from licensing.models import Migration, MigrationCustomer, Override, Package, SeatRequest
from licensing.portal.deeds import RUNS, STUCK

DAYS_AHEAD: Final = 30
OF_EACH: Final = 5


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do: how it is marked, what it is, and where."""

    badge: str
    level: str
    text: str
    address: str


def tasks_at_customers(access: Access, at: datetime) -> list[Task]:
    """Returns the first few of each kind, the most pressing first. Three queries, and one
    for whoever answers requests."""
    if not access.allows_somewhere("customers:read"):
        return []
    return [*_requests(access), *_tasks(access.customers("customers:read"), at)]


def _requests(access: Access) -> Iterator[Task]:
    """Yields what customers asked for and nobody has answered, the oldest first; for whoever sells seats."""
    if not access.allows("customers:write"):
        return
    waiting = SeatRequest.objects.open().select_related("customer").order_by("asked_at")
    for request in waiting[:OF_EACH]:
        page = reverse("portal:request", args=[request.customer.code, request.pk])
        yield Task("To answer", "warn", f"{request.customer.name} asks for {request}.", page)


def _tasks(customers: Any, at: datetime) -> Iterator[Task]:
    packages = Package.objects.filter(customer__in=customers).select_related("customer", "owner")
    soon = at + timedelta(days=DAYS_AHEAD)
    for package in packages.pending().order_by("issued_at")[:OF_EACH]:
        text = f"{package.customer.name}: package {package.number} waits until seats are given back."
        page = reverse("portal:package", args=[package.customer.code, package.owner.code, package.number])
        yield Task("Does not fit", "bad", text, page)
    for package in packages.active(at).filter(expires_at__gt=at, expires_at__lte=soon).order_by("expires_at")[:OF_EACH]:
        text = f"{package.customer.name}: everything of {package.owner.code} ends on {_day(package.expires_at)}."
        yield Task("Ends soon", "warn", text, _page(package.customer))
    overrides = Override.objects.filter(customer__in=customers, ended_at=None, ends_at__gt=at, ends_at__lte=soon)
    for override in overrides.select_related("customer", "feature").order_by("ends_at")[:OF_EACH]:
        text = f"{override.customer.name}: the override of {override.feature.name} ends on {_day(override.ends_at)}."
        page = reverse("portal:overrides", args=[override.customer.code])
        yield Task("Ends soon", "warn", text, f"{page}?state=ending")


def tasks_of_migrations(access: Access) -> Iterator[Task]:
    """Yields, for whoever runs migrations, those that wait to be started and those that somebody has to look at."""
    if not access.allows(RUNS):
        return
    open_ones = Migration.objects.select_related("target__offer").order_by("proposed_at")
    for migration in open_ones.filter(state=Migration.State.PROPOSED)[:OF_EACH]:
        yield Task(
            "To start", "warn", f"Move customers to {migration.target}: {migration.reason}", _migration(migration)
        )
    stuck = MigrationCustomer.objects.filter(state__in=STUCK).order_by().values("migration")
    for migration in open_ones.filter(pk__in=stuck).exclude(state=Migration.State.CANCELLED)[:OF_EACH]:
        text = f"Some customers are not on {migration.target} yet, and something is in the way."
        yield Task("Blocked", "bad", text, _migration(migration))


def _migration(migration: Migration) -> str:
    return reverse("migrations:migration", args=[migration.pk])


def _day(at: datetime | None) -> str:
    return date_format(at, "j F Y") if at else ""


def _page(customer: Customer) -> str:
    return reverse("portal:customer", args=[customer.code])
