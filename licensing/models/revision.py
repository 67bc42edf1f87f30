"""How often a customer's answers changed, and when last: the row that serialises all writes of one customer."""

from typing import Final

from django.db import models

ERASING: Final = "user.erased"  # the cause of revisions that can't be told: the old code is kept nowhere


class CustomerRevision(models.Model):
    """One row per customer, locked by every write. `stamp` is the instant of the last one."""

    customer = models.OneToOneField("customers.Customer", models.PROTECT, primary_key=True, related_name="revision")
    number = models.PositiveBigIntegerField(default=0)
    stamp = models.DateTimeField()
    own_holding = models.ForeignKey(
        "licensing.Holding", models.PROTECT, null=True, related_name="+", help_text="The customer's own answer."
    )

    due_at = models.DateTimeField(null=True, help_text="When the clock changes something next.")
    has_plans = models.BooleanField(default=False, help_text="Whether anything is scheduled for later.")

    class Meta:
        indexes = (models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="revision_due"),)

    def __str__(self) -> str:
        return f"{self.customer_id} r{self.number}"


class RevisionEntry(models.Model):
    """When a revision came into force, and what brought it."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="revision_entries")
    number = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    cause = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "revision entries"
        ordering = ("customer", "-number")
        constraints = (models.UniqueConstraint(fields=["customer", "number"], name="revision_number_once"),)
        indexes = (models.Index(fields=["customer", "-at"], name="revision_by_time"),)

    def __str__(self) -> str:
        return f"r{self.number}: {self.cause}"
