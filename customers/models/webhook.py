"""Who is told when something changes: endpoints, their secrets, events, and what became of each delivery."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from customers.querysets import DeliveryQuerySet, EndpointQuerySet


class WebhookEndpoint(models.Model):
    """An address that events are posted to: those of one customer, or of all."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, null=True, blank=True, related_name="webhooks")
    url = models.CharField(max_length=500)
    description = models.CharField(max_length=200, blank=True)
    types = models.JSONField(default=list, blank=True, help_text="The types of events it gets; none named: all.")
    is_active = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=200, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[Any] = EndpointQuerySet.as_manager()

    class Meta:
        ordering = ("customer", "pk")
        verbose_name = "webhook"
        indexes = (models.Index(fields=["customer"], condition=Q(is_active=True), name="webhooks_listening"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(is_active=True, disabled_reason="") | Q(is_active=False), name="webhook_off_for_a_reason"
            ),
        )

    def __str__(self) -> str:
        return self.url


class WebhookSecret(models.Model):
    """What signs the events, encrypted; two may be live while rotating."""

    class Slot(models.IntegerChoices):
        FIRST = 1
        SECOND = 2

    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="secrets")
    slot = models.PositiveSmallIntegerField(choices=Slot)
    sealed = models.TextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("endpoint", "-created_at")
        constraints = (models.UniqueConstraint(fields=["endpoint", "slot"], name="two_live_webhook_secrets_at_most"),)

    def __str__(self) -> str:
        return f"secret {self.slot} of {self.endpoint_id}"


class WebhookEvent(models.Model):
    """What happened, as it is told; `body` is the text that is signed, the same for every attempt."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, null=True, related_name="+")
    type = models.CharField(max_length=64)
    revision = models.PositiveBigIntegerField(null=True)
    body = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ("-pk",)
        indexes = (models.Index(fields=["at"], name="webhook_events_by_time"),)

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint."""

    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(WebhookEvent, models.CASCADE, related_name="deliveries")
    customer = models.ForeignKey("customers.Customer", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    first_attempt_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="What the receiver answered last.")
    answer = models.TextField(blank=True, help_text="How its answer began, or why there was none.")
    took_ms = models.PositiveIntegerField(null=True)

    objects: ClassVar[Any] = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "webhook deliveries"
        constraints = (
            models.CheckConstraint(
                condition=Q(delivered_at=None) | Q(given_up_at=None), name="webhook_delivered_or_given_up"
            ),
        )
        indexes = (
            models.Index(fields=["endpoint", "-id"], name="deliveries_by_endpoint"),
            models.Index(
                fields=["endpoint", "customer", "id"],
                condition=Q(delivered_at=None, given_up_at=None),
                name="deliveries_open",
            ),
        )

    def __str__(self) -> str:
        return f"{self.event_id} to {self.endpoint_id}"

    @property
    def state(self) -> str:
        """`delivered`, `given_up` or `waiting`."""
        return "delivered" if self.delivered_at else "given_up" if self.given_up_at else "waiting"


class WebhookAttempt(models.Model):
    """One try of a delivery, and what was answered."""

    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, help_text="What the receiver answered.")
    answer = models.TextField(blank=True, help_text="How its answer began, or why there was none.")
    took_ms = models.PositiveIntegerField()

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.delivery_id}: {self.status}"
