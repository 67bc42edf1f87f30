"""More seats that a customer asks for, and what became of it."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from licensing.querysets import SeatRequestQuerySet


def _account() -> Any:
    return models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")


def _client() -> Any:
    return models.ForeignKey("customers.ApiClient", models.PROTECT, null=True, related_name="+")


class SeatRequest(models.Model):
    """So many more seats of one module, asked for by somebody at the customer and answered by customer success."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        GRANTED = "granted", "granted"
        DECLINED = "declined", "declined"
        WITHDRAWN = "withdrawn", "withdrawn"

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="seat_requests")
    owner = models.ForeignKey("catalog.Owner", models.PROTECT, related_name="+")
    module_name = models.CharField(max_length=239)
    module_description = models.CharField(max_length=239, help_text="What people called it then.")
    quantity = models.PositiveIntegerField(help_text="How many more.")
    user = models.ForeignKey(
        "customers.CustomerUser", models.PROTECT, null=True, related_name="+", help_text="For whom, if for somebody."
    )
    note = models.TextField(blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.OPEN)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=254, help_text="How the actor was called then.")
    asking_account, asking_client = _account(), _client()
    answered_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=254, blank=True)
    answering_account, answering_client = _account(), _client()
    answer = models.TextField(blank=True, help_text="Why, or what was said with it.")
    item = models.ForeignKey(
        "licensing.SubscriptionItem", models.SET_NULL, null=True, related_name="+", help_text="What brought the seats."
    )

    objects: ClassVar[Any] = SeatRequestQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at", "-pk")
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(
                fields=["customer", "owner", "module_name"],
                condition=Q(state="open"),
                name="one_open_seat_request_per_module",
            ),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="seat_request_asks_for_some"),
            models.CheckConstraint(
                condition=Q(state="open", answered_at=None) | (~Q(state="open") & Q(answered_at__isnull=False)),
                name="seat_request_answered_when",
            ),
            models.CheckConstraint(
                condition=~Q(state="declined") | ~Q(answer=""), name="declined_seat_request_says_why"
            ),
        )
        indexes = (
            models.Index(fields=["-asked_at", "-id"], name="seat_request_by_time"),
            models.Index(fields=["state", "-asked_at"], name="seat_request_by_state"),
        )

    def __str__(self) -> str:
        return f"{self.quantity} more of {self.module_description}"

    @property
    def full_name(self) -> str:
        """The module asked for, as `owner.module`."""
        return f"{self.owner.code.lower()}.{self.module_name}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN
