"""Who may do what: staff roles, memberships in customers, API clients and their keys."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from customers.querysets import MembershipQuerySet
from customers.scopes import MEMBER_SCOPES, SCOPES, STAFF_SCOPES


class StaffRole(models.Model):
    """A role held by one of our own people."""

    class Role(models.TextChoices):
        PRODUCT_MANAGER = "product_manager", "product manager"
        PUBLISHER = "publisher", "publisher"
        CUSTOMER_SUCCESS = "customer_success", "customer success"
        AUDITOR = "auditor", "auditor"

    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="staff_roles")
    role = models.CharField(max_length=32, choices=Role)

    class Meta:
        ordering = ("account", "role")
        constraints = (models.UniqueConstraint(fields=["account", "role"], name="staff_role_once"),)

    def __str__(self) -> str:
        return f"{self.account}: {self.get_role_display()}"

    @property
    def scopes(self) -> frozenset[str]:
        return STAFF_SCOPES[self.role]


class Membership(models.Model):
    """An account that administers a customer, or may look at it."""

    class Role(models.TextChoices):
        ADMIN = "admin", "admin"
        VIEWER = "viewer", "viewer"

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="memberships")
    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.VIEWER)

    objects: ClassVar[Any] = MembershipQuerySet.as_manager()

    class Meta:
        ordering = ("customer", "account")
        constraints = (
            models.UniqueConstraint(
                fields=["customer", "account"],
                name="membership_once",
                violation_error_message="This account is a member of the customer already.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.account} at {self.customer}"

    @property
    def scopes(self) -> frozenset[str]:
        return MEMBER_SCOPES[self.role]


class ApiClient(models.Model):
    """An app that asks the API: what it may do, and for which customer (none: for all)."""

    name = models.CharField(max_length=100)
    scopes = models.JSONField(default=list, help_text="For instance catalog:read, entitlements:read.")
    customer = models.ForeignKey(
        "customers.Customer", models.PROTECT, null=True, blank=True, related_name="api_clients"
    )
    is_active = models.BooleanField(default=True)
    calls_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How often it may call; empty: as the setting API_RATE says.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name",)
        verbose_name = "API client"
        constraints: ClassVar[Any] = (
            models.CheckConstraint(
                condition=models.Q(calls_per_minute=None) | models.Q(calls_per_minute__gte=1),
                name="api_client_may_call",
            ),
            models.UniqueConstraint(
                Lower("name"),
                "customer",
                name="api_client_name_once_per_customer",
                violation_error_message="A client has this name already.",
            ),
            models.UniqueConstraint(
                Lower("name"),
                condition=models.Q(customer=None),
                name="api_client_name_once",
                violation_error_message="A client has this name already.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        unknown = sorted(set(self.scopes) - SCOPES.keys()) if isinstance(self.scopes, list) else ["not a list"]
        if unknown:
            raise ValidationError({"scopes": f"Unknown scopes: {', '.join(map(str, unknown))}."}, code="unknown_scope")


class ApiKey(models.Model):
    """A key of an API client. Only its SHA-256 is kept; two may be live while rotating."""

    class Slot(models.IntegerChoices):
        FIRST = 1
        SECOND = 2

    client = models.ForeignKey(ApiClient, models.PROTECT, related_name="keys")
    prefix = models.CharField(max_length=16, unique=True, editable=False, help_text="The visible part.")
    digest = models.CharField(max_length=64, editable=False, help_text="SHA-256 of the whole key, hex.")
    slot = models.PositiveSmallIntegerField(choices=Slot, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("client", "-created_at")
        verbose_name = "API key"
        constraints: ClassVar = (
            models.UniqueConstraint(
                fields=["client", "slot"], condition=models.Q(revoked_at=None), name="two_live_keys_at_most"
            ),
            models.CheckConstraint(condition=models.Q(slot__in=[1, 2]), name="key_slot_is_one_or_two"),
        )

    def __str__(self) -> str:
        return f"{self.prefix}…"
