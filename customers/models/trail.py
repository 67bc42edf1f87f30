"""What happened, what was answered, what is still to be sent: the records that all who write need."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from customers.querysets import AuditEventQuerySet


class AuditEvent(models.Model):
    """One change: who, when, what, from, to, why. Append-only; the database refuses edits and deletes.

    One thing alone may be taken out of it: who a user was that is erased (docs/adr/0017).
    """

    at = models.DateTimeField(default=timezone.now)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    client = models.ForeignKey("customers.ApiClient", models.PROTECT, null=True, blank=True, related_name="+")
    actor = models.CharField(max_length=254, help_text="How the actor was called then.")
    customer = models.ForeignKey("customers.Customer", models.PROTECT, null=True, blank=True, related_name="+")
    action = models.CharField(max_length=64, help_text="For instance version.published.")
    object_type = models.CharField(max_length=64)
    object_code = models.CharField(max_length=200)
    changes = models.JSONField(default=dict, help_text="Per field what was and what is.")
    reason = models.TextField(blank=True)

    objects: ClassVar[Any] = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-pk")
        indexes = (
            models.Index(fields=["object_type", "object_code", "-at"], name="audit_by_object"),
            # With the key, for thousands of events may have one instant: a page of them is read off, not sorted out.
            models.Index(fields=["customer", "-at", "-id"], name="audit_newest_of_customer"),
            models.Index(fields=["-at", "-id"], name="audit_newest"),
            models.Index(fields=["action", "-at"], name="audit_by_action"),
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor}: {self.action} {self.object_code}"


class IdempotencyRecord(models.Model):
    """The answer given to a write that named an `Idempotency-Key`; a repetition gets the same one."""

    caller = models.CharField(max_length=64, help_text="account:ID or client:ID")
    key = models.CharField(max_length=200)
    customer = models.ForeignKey(
        "customers.Customer", models.PROTECT, null=True, related_name="+", help_text="Whose path it was sent to."
    )
    request_digest = models.CharField(max_length=64, help_text="SHA-256 of method, path and body, hex.")
    status = models.PositiveSmallIntegerField(default=0)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-created_at",)
        constraints = (models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once"),)
        indexes = (models.Index(fields=["created_at"], name="idempotency_by_age"),)

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"


class OutboxMessage(models.Model):
    """Something to send after the commit that wrote it; delivered at least once by `manage.py worker`."""

    topic = models.CharField(max_length=64)
    customer = models.ForeignKey("customers.Customer", models.PROTECT, null=True, blank=True, related_name="+")
    payload = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now, null=True, help_text="Empty: no further attempt.")
    leased_until = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        ordering = ("pk",)
        indexes = (
            models.Index(fields=["next_attempt_at"], condition=models.Q(delivered_at=None), name="outbox_waiting"),
        )

    def __str__(self) -> str:
        return f"{self.topic} #{self.pk}"
