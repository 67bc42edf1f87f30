"""What a customer pays: one running subscription, and its items."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from licensing.facts import full_name
from licensing.querysets import ItemQuerySet, SubscriptionQuerySet
from licensing.term import midnight, next_renewal


class Subscription(models.Model):
    class BillingPeriod(models.IntegerChoices):
        MONTHLY = 1, "once a month"
        QUARTERLY = 3, "every 3 months"
        HALF_YEARLY = 6, "every 6 months"
        ANNUAL = 12, "annually"

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="subscriptions")
    billing_months = models.PositiveSmallIntegerField("billing period", choices=BillingPeriod)
    starts_on = models.DateField(help_text="The day that terms and billing periods are anchored to.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)
    ends_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="The end of the term in which it was cancelled."
    )
    ended_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Written by the first commit after its end."
    )

    objects: ClassVar[Any] = SubscriptionQuerySet.as_manager()

    class Meta:
        ordering = ("customer", "-starts_on")
        constraints = (
            models.UniqueConstraint(
                fields=["customer"],
                condition=models.Q(ended_at=None),
                name="one_running_subscription",
                violation_error_message="This customer has a running subscription already.",
            ),
            models.CheckConstraint(
                condition=models.Q(billing_months__in=[1, 3, 6, 12]), name="billing_period_is_1_3_6_or_12"
            ),
            models.CheckConstraint(
                condition=models.Q(cancelled_at=None, ends_at=None)
                | models.Q(cancelled_at__isnull=False, ends_at__gt=models.F("cancelled_at")),
                name="cancelled_subscription_ends",
            ),
        )

    def __str__(self) -> str:
        return f"{self.customer}, {self.get_billing_months_display()}"

    def term_end(self, at: datetime) -> datetime:
        """Returns the end of the term or billing period that runs at `at`."""
        return midnight(next_renewal(self.starts_on, self.billing_months, at.astimezone(UTC).date()))

    def is_over(self, at: datetime) -> bool:
        """Whether it has come to its end by `at`."""
        return any(end is not None and end <= at for end in (self.ended_at, self.ends_at))


class SubscriptionItem(models.Model):
    """A published version, how many, and from when to when. Items of one plan add up and share one version."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="items")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="items")
    version = models.ForeignKey("catalog.Version", models.PROTECT, related_name="items")
    quantity = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[Any] = ItemQuerySet.as_manager()

    class Meta:
        ordering = ("customer", "version", "starts_at")
        constraints = (
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="item_quantity_is_positive"),
            models.CheckConstraint(
                condition=models.Q(ends_at=None) | models.Q(ends_at__gt=models.F("starts_at")),
                name="item_ends_after_it_starts",
            ),
        )
        indexes = (models.Index(fields=["customer", "starts_at"], name="item_by_customer"),)

    def __str__(self) -> str:
        return f"{self.quantity} × {self.version}"

    def is_in_force(self, at: datetime, *, is_end: bool = False) -> bool:
        """Whether it is in force at `at`; with `is_end`, whether it was until then."""
        if is_end:
            return self.starts_at < at and (self.ends_at is None or self.ends_at >= at)
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


class PlannedRelease(models.Model):
    """Whose seat a scheduled downgrade takes, by name; where it is gone by then, the name is skipped (P-13)."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="planned_releases")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="planned_releases")
    user = models.ForeignKey("customers.CustomerUser", models.PROTECT, related_name="planned_releases")
    owner = models.ForeignKey("catalog.Owner", models.PROTECT, related_name="+")
    module_name = models.CharField(max_length=239)
    due_at = models.DateTimeField()
    planned_at = models.DateTimeField()
    planned_by = models.CharField(max_length=254, help_text="How the actor was called then.")

    class Meta:
        ordering = ("customer", "due_at", "module_name", "user")
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(fields=["user", "owner", "module_name", "due_at"], name="release_planned_once"),
            models.CheckConstraint(
                condition=models.Q(due_at__gt=models.F("planned_at")), name="release_is_planned_ahead"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.full_name}"

    @property
    def full_name(self) -> str:
        return full_name(self.owner.code, self.module_name)
