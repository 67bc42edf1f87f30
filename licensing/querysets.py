"""The words that queries about licences, seats and periods are made of.

What is scheduled stands beside what is in force and becomes so by the clock, so these words take an instant. What they
say without one is as of this machine's clock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Least
from django.utils import timezone

if TYPE_CHECKING:
    AnyRows = QuerySet[Any]
else:
    AnyRows = QuerySet


def open_at(field: str, at: datetime) -> Q:
    """Returns the condition that an end lies after `at`, or that there is none."""
    return Q(**{field: None}) | Q(**{f"{field}__gt": at})


def _current(prefix: str, at: datetime) -> Q:
    """Those of their owners that are in force at `at`, now or later: one of each owner."""
    begun = Q(**{f"{prefix}state": "active"}) | Q(**{f"{prefix}state": "scheduled", f"{prefix}activated_at__lte": at})
    return begun & open_at(f"{prefix}ended_at", at)


class SubscriptionQuerySet(AnyRows):
    def running(self, at: datetime | None = None) -> Any:
        return self.filter(open_at("ends_at", at or timezone.now()), ended_at=None)


class ItemQuerySet(AnyRows):
    def in_force(self, at: datetime) -> Any:
        """Items of `at`; those of a subscription that was cancelled end with it."""
        return self.filter(open_at("ends_at", at), open_at("subscription__ends_at", at), starts_at__lte=at)

    def not_over(self, at: datetime) -> Any:
        """Items in force at `at` or scheduled for later."""
        return self.filter(open_at("ends_at", at))


class PackageQuerySet(AnyRows):
    def active(self, at: datetime | None = None) -> Any:
        """The package in force of each owner, by the clock."""
        return self.filter(_current("", at or timezone.now()))

    def in_force(self, at: datetime) -> Any:
        """Packages that were, are or will be the active one at `at`."""
        return self.filter(open_at("ended_at", at), activated_at__lte=at)

    def not_over(self, at: datetime) -> Any:
        """Packages in force at `at` or scheduled for later, as far as is known now."""
        return self.filter(open_at("ended_at", at), activated_at__isnull=False)

    def pending(self) -> Any:
        return self.filter(state="pending")

    def scheduled(self) -> Any:
        return self.filter(state="scheduled")


class LicenseQuerySet(AnyRows):
    def active(self, at: datetime | None = None) -> Any:
        """The rows of the packages in force, by the clock."""
        return self.filter(_current("package__", at or timezone.now()))

    def in_force(self, at: datetime) -> Any:
        return self.filter(open_at("package__ended_at", at), package__activated_at__lte=at)

    def user_plans(self) -> Any:
        return self.filter(extra_flags=1)

    def assignable(self) -> Any:
        return self.filter(license_type=3, hidden=False)


class SeatQuerySet(AnyRows):
    def held(self, at: datetime | None = None) -> Any:
        """Seats held now: not released, and not due to be."""
        return self.filter(open_at("leaves_at", at or timezone.now()), released_at=None)

    def held_at(self, at: datetime) -> Any:
        """Seats that were, are or will be held at `at`."""
        return self.filter(open_at("released_at", at), open_at("leaves_at", at), assigned_at__lte=at)


class ChangePreviewQuerySet(AnyRows):
    def light(self) -> Any:
        """Without the input and the order of batches, which are long and seldom asked for."""
        return self.defer("wishes", "batches")


class OverrideQuerySet(AnyRows):
    def with_stop(self) -> Any:
        """Annotates `stop`: the earlier of its end and of when somebody ended it; null for none."""
        return self.annotate(stop=Least(Coalesce("ends_at", "ended_at"), Coalesce("ended_at", "ends_at")))

    def not_over(self, at: datetime) -> Any:
        """Those in force at `at` or later, as was known at `at`."""
        return self.with_stop().filter(Q(stop=None) | Q(stop__gt=at))

    def in_state(self, state: str, at: datetime) -> Any:
        """Those that are `live`, `scheduled` or `ended` at `at`."""
        if state == "ended":
            return self.with_stop().filter(stop__lte=at)
        begun = Q(starts_at__lte=at) if state == "live" else Q(starts_at__gt=at)
        return self.not_over(at).filter(begun)

    def ending(self, at: datetime, *, days: int) -> Any:
        """Those not over yet that end within so many days after `at`."""
        return self.not_over(at).filter(stop__lte=at + timedelta(days=days))

    def search(self, text: str) -> Any:
        """Those with this in the feature, the user or the reason."""
        named = Q(feature__code__icontains=text) | Q(feature__name__icontains=text)
        whose = Q(user__code__icontains=text) | Q(user__name__icontains=text)
        return self.filter(named | whose | Q(reason__icontains=text))


class KeyQuerySet(AnyRows):
    def valid(self, at: datetime) -> Any:
        """Keys with which what arrives at `at` may be signed."""
        return self.filter(
            Q(valid_until=None) | Q(valid_until__gt=at), Q(retired_at=None) | Q(retired_at__gt=at), valid_from__lte=at
        )


class MigrationCustomerQuerySet(AnyRows):
    def open(self) -> Any:
        """Those still to be moved, tried in vain or not yet tried."""
        return self.filter(state__in=["waiting", "blocked"])

    def to_do(self) -> Any:
        """Those that a running migration works off: to be moved, or to be brought back."""
        return self.filter(state__in=["waiting", "blocked", "returning"])

    def due(self, at: datetime) -> Any:
        return self.to_do().filter(try_at__lte=at)


class SeatRequestQuerySet(AnyRows):
    def open(self) -> Any:
        """Those that nobody has answered yet."""
        return self.filter(state="open")

    def search(self, text: str) -> Any:
        """Those with this in the customer, the module, who asked, or the note."""
        whose = Q(customer__code__icontains=text) | Q(customer__name__icontains=text)
        what = Q(module_name__icontains=text) | Q(module_description__icontains=text)
        return self.filter(whose | what | Q(asked_by__icontains=text) | Q(note__icontains=text))


class CounterQuerySet(AnyRows):
    def search(self, text: str) -> Any:
        """Counters of users and features whose code or name contains `text`."""
        found = Q(feature__name__icontains=text) | Q(feature__code__icontains=text)
        return self.filter(found | Q(user__name__icontains=text) | Q(user__code__icontains=text))


class ReservationQuerySet(AnyRows):
    def live(self, at: datetime) -> Any:
        """Reservations that count at `at`: neither settled nor over."""
        return self.filter(settled_at=None, expires_at__gt=at)
