"""Holdings, entitlement sets, and from when to when which applies: what a read joins, and never computes."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from licensing.facts import HolderKind


def holder_kinds() -> list[tuple[str, str]]:
    return [(kind.value, kind.value) for kind in HolderKind]


class EntitlementSet(models.Model):
    """Distinct content under its SHA-256, shared by all customers. Never edited, never fetched by digest."""

    digest = models.CharField(max_length=64, unique=True)
    body = models.TextField(help_text="Canonical JSON.")
    multi_plan = models.BooleanField()

    def __str__(self) -> str:
        return self.digest[:12]


class Holding(models.Model):
    """A customer's distinct combination of seat modules and user overrides."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="holdings")
    kind = models.CharField(max_length=16, choices=holder_kinds)
    digest = models.CharField(max_length=64)
    modules = models.JSONField(default=list, help_text="Sorted owner.module.")
    overrides = models.JSONField(default=list)

    class Meta:
        ordering = ("customer", "pk")
        constraints = (models.UniqueConstraint(fields=["customer", "digest"], name="holding_once_per_customer"),)

    def __str__(self) -> str:
        return f"{self.kind}: {', '.join(self.modules) or 'nothing'}"


class Period(models.Model):
    """`[starts_at, ends_at)`; no end means for good, as far as is known."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class UserPeriod(Period):
    user = models.ForeignKey("customers.CustomerUser", models.PROTECT, related_name="periods", db_index=False)
    holding = models.ForeignKey(Holding, models.PROTECT, related_name="user_periods")

    class Meta:
        ordering = ("user", "starts_at")
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(fields=["user", "starts_at"], name="user_period_starts_once"),
            models.UniqueConstraint(fields=["user"], condition=Q(ends_at=None), name="user_period_open_once"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")), name="user_period_ends_after_it_starts"
            ),
        )
        # How many users have which holding now is read off these two.
        indexes = (
            models.Index(
                fields=["customer", "holding", "starts_at"], condition=Q(ends_at=None), name="user_period_open"
            ),
            models.Index(fields=["customer", "ends_at"], condition=Q(ends_at__isnull=False), name="user_period_closed"),
        )

    def __str__(self) -> str:
        return f"{self.user} [{self.starts_at}, {self.ends_at or '∞'})"


class HoldingPeriod(Period):
    """What a holding gives from when to when; ends at every date-state boundary too."""

    holding = models.ForeignKey(Holding, models.PROTECT, related_name="periods", db_index=False)
    set = models.ForeignKey(EntitlementSet, models.PROTECT, related_name="periods")
    status = models.CharField(max_length=16, help_text="The own owner's date state.")
    owners = models.JSONField(default=dict, help_text="Every owner's date state.")

    class Meta:
        ordering = ("holding", "starts_at")
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(fields=["holding", "starts_at"], name="holding_period_starts_once"),
            models.UniqueConstraint(fields=["holding"], condition=Q(ends_at=None), name="holding_period_open_once"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")), name="holding_period_ends_after_it_starts"
            ),
        )

    def __str__(self) -> str:
        return f"{self.holding} [{self.starts_at}, {self.ends_at or '∞'})"
