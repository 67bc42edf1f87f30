"""What a draft would do to those who have the plan or add-on: worked out in the background, kept as a report."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models


class ImpactReport(models.Model):
    """The impact of one content on every customer of its plan or add-on, if all of them were moved to it at `at`."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"

    version = models.ForeignKey("catalog.Version", models.CASCADE, related_name="impact_reports")
    digest = models.CharField(max_length=64, help_text="Of the content that was looked at.")
    content = models.JSONField()
    at = models.DateTimeField(help_text="As of when customers were looked at.")
    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    total = models.PositiveIntegerField(default=0, help_text="Customers to look at.")
    done = models.PositiveIntegerField(default=0, help_text="Customers looked at.")
    last_customer = models.BigIntegerField(default=0, help_text="Where an interrupted run goes on.")
    users = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    worse = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=models.Q(done__lte=models.F("total")), name="impact_done_within_total"),
        )

    def __str__(self) -> str:
        return f"impact of {self.version}"


class ImpactFeature(models.Model):
    """How many users would gain a feature, lose it, get more of it and less."""

    report = models.ForeignKey(ImpactReport, models.CASCADE, related_name="features")
    code = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    gained = models.PositiveBigIntegerField(default=0)
    raised = models.PositiveBigIntegerField(default=0)
    lowered = models.PositiveBigIntegerField(default=0)
    lost = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("code",)
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(fields=["report", "code"], name="feature_once_per_impact"),
        )

    def __str__(self) -> str:
        return self.code


class ImpactCustomer(models.Model):
    """One customer of a report, and what would keep its new package from becoming active."""

    report = models.ForeignKey(ImpactReport, models.CASCADE, related_name="customers")
    customer = models.ForeignKey("customers.Customer", models.CASCADE, related_name="+")
    versions = models.JSONField(default=list, help_text="The versions that the customer is on now.")
    users = models.PositiveBigIntegerField()
    changed = models.PositiveBigIntegerField()
    worse = models.PositiveBigIntegerField()
    faults = models.JSONField(
        default=list, help_text="Sentences: needs that would be missing, seats that would not fit."
    )

    class Meta:
        ordering = ("report", "customer")
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(fields=["report", "customer"], name="customer_once_per_impact"),
        )

    def __str__(self) -> str:
        return str(self.customer)
