"""What was told of an end that comes: each notice once."""

from typing import Any, ClassVar

from django.db import models

from licensing.notices import kind_choices


class Notice(models.Model):
    """That the customer's people were told of an end so many days before; its mail stands in the outbox (D-4)."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=16, choices=kind_choices)
    about = models.CharField(max_length=64, help_text="The subscription or package that ends.")
    happens_at = models.DateTimeField(help_text="The end.")
    days = models.PositiveSmallIntegerField(help_text="How many days before.")
    written_at = models.DateTimeField()
    message = models.ForeignKey(
        "customers.OutboxMessage",
        models.SET_NULL,
        null=True,
        related_name="+",
        help_text="None where a later notice took its place, or nobody is there to be told.",
    )

    class Meta:
        ordering = ("customer", "-written_at")
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(
                fields=["customer", "kind", "about", "happens_at", "days"], name="notice_written_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.about}: {self.kind}, {self.days} days before"
