"""How much of a limit is used, and what is reserved of it."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from licensing.querysets import CounterQuerySet, ReservationQuerySet


class UsageCounter(models.Model):
    """What a user, or a customer as a whole, has used of a limit, in one period (empty: it never starts again)."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="usage")
    user = models.ForeignKey("customers.CustomerUser", models.PROTECT, null=True, related_name="usage")
    feature = models.ForeignKey("catalog.Feature", models.PROTECT, related_name="+")
    period = models.CharField(max_length=10, blank=True, help_text="The first day of what is counted together.")
    used = models.PositiveBigIntegerField(default=0)
    updated_at = models.DateTimeField()

    objects: ClassVar[Any] = CounterQuerySet.as_manager()

    class Meta:
        ordering = ("customer", "feature", "user", "period")
        constraints = (
            models.UniqueConstraint(
                fields=["customer", "feature", "period"],
                condition=Q(user=None),
                name="customer_usage_counted_once",
            ),
            models.UniqueConstraint(
                fields=["user", "feature", "period"], condition=Q(user__isnull=False), name="user_usage_counted_once"
            ),
            models.CheckConstraint(condition=Q(used__gte=0), name="usage_is_not_below_0"),
        )
        indexes = (models.Index(fields=["customer", "-updated_at"], name="usage_by_customer"),)

    def __str__(self) -> str:
        return f"{self.feature_id} {self.period}: {self.used}"


class UsageReservation(models.Model):
    """Units set aside until they are confirmed or released, or until `expires_at`."""

    class Outcome(models.TextChoices):
        CONFIRMED = "confirmed"
        RELEASED = "released"

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="+")
    counter = models.ForeignKey(UsageCounter, models.CASCADE, related_name="reservations")
    amount = models.PositiveBigIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=16, choices=Outcome, blank=True)
    taken = models.PositiveBigIntegerField(null=True, help_text="How much of it was used, once it is confirmed.")

    objects: ClassVar[Any] = ReservationQuerySet.as_manager()

    class Meta:
        ordering = ("counter", "created_at")
        constraints = (
            models.CheckConstraint(condition=Q(amount__gt=0), name="reservation_is_of_something"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="reservation_ends_after_it_began"),
            models.CheckConstraint(
                condition=Q(settled_at=None, outcome="", taken=None)
                | Q(settled_at__isnull=False, outcome="released", taken=None)
                | Q(settled_at__isnull=False, outcome="confirmed", taken__isnull=False, taken__lte=F("amount")),
                name="reservation_is_settled_once_and_whole",
            ),
        )
        indexes = (
            models.Index(fields=["counter", "expires_at"], condition=Q(settled_at=None), name="reservations_open"),
        )

    def __str__(self) -> str:
        return f"{self.amount} until {self.expires_at}"
