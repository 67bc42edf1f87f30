"""The words that queries about licences, seats and periods are made of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Least

if TYPE_CHECKING:
    AnyRows = QuerySet[Any]
else:
    AnyRows = QuerySet


class SubscriptionQuerySet(AnyRows):
    def running(self) -> Any:
        return self.filter(ended_at=None)


class ItemQuerySet(AnyRows):
    def in_force(self, at: datetime) -> Any:
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=at), starts_at__lte=at)


class PackageQuerySet(AnyRows):
    def active(self) -> Any:
        return self.filter(state="active")

    def in_force(self, at: datetime) -> Any:
        """Packages that were (or are) the active one at `at`."""
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=at), activated_at__lte=at)


class LicenseQuerySet(AnyRows):
    def in_force(self, at: datetime) -> Any:
        return self.filter(Q(package__ended_at=None) | Q(package__ended_at__gt=at), package__activated_at__lte=at)

    def user_plans(self) -> Any:
        return self.filter(extra_flags=1)

    def assignable(self) -> Any:
        return self.filter(license_type=3, hidden=False)


class SeatQuerySet(AnyRows):
    def held(self) -> Any:
        return self.filter(released_at=None)

    def held_at(self, at: datetime) -> Any:
        return self.filter(Q(released_at=None) | Q(released_at__gt=at), assigned_at__lte=at)


class OverrideQuerySet(AnyRows):
    def with_stop(self) -> Any:
        """Annotates `stop`: the earlier of its end and of when somebody ended it; null for none."""
        return self.annotate(stop=Least(Coalesce("ends_at", "ended_at"), Coalesce("ended_at", "ends_at")))

    def not_over(self, at: datetime) -> Any:
        """Those in force at `at` or later, as was known at `at`."""
        return self.with_stop().filter(Q(stop=None) | Q(stop__gt=at))


class MigrationCustomerQuerySet(AnyRows):
    def open(self) -> Any:
        """Those still to be moved, tried in vain or not yet tried."""
        return self.filter(state__in=["waiting", "blocked"])

    def to_do(self) -> Any:
        """Those that a running migration works off: to be moved, or to be brought back."""
        return self.filter(state__in=["waiting", "blocked", "returning"])

    def due(self, at: datetime) -> Any:
        return self.to_do().filter(try_at__lte=at)
