"""What a customer pays: one running subscription, and its items."""

from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from licensing.querysets import ItemQuerySet, SubscriptionQuerySet


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
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

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
        )

    def __str__(self) -> str:
        return f"{self.customer}, {self.get_billing_months_display()}"


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
