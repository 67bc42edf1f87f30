"""Customers and their users (associates). What a user's life does to seats lives in `licensing.services.people`."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from customers.querysets import CustomerQuerySet, CustomerUserQuerySet
from customers.validators import validate_code, validate_user_code


class ImmutableCode(models.Model):
    """Refuses a changed `code`: paths, feeds and other systems' records name the row by it."""

    code: Any
    _recorded_code: str | None = None

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Any:
        row = super().from_db(*args, **kwargs)
        row._recorded_code = row.__dict__.get("code")
        return row

    def clean(self) -> None:
        super().clean()
        if self._recorded_code is not None and self._recorded_code != self.code:
            raise ValidationError({"code": f"The code is {self._recorded_code!r} for good."}, code="code_is_immutable")


class Customer(ImmutableCode):
    code = models.CharField(max_length=64, validators=[validate_code])
    name = models.CharField(max_length=200)
    serial_number = models.CharField(max_length=32, blank=True, help_text="Identifies the installation to the issuer.")
    requires_second_step = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text="Its people sign in with a second step, or reach nothing.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[Any] = CustomerQuerySet.as_manager()

    class Meta:
        ordering = ("code",)
        constraints = (
            models.UniqueConstraint(
                Lower("code"),
                name="customer_code_once",
                violation_error_message="A customer with this code exists already.",
            ),
            models.UniqueConstraint(
                fields=["serial_number"],
                condition=~models.Q(serial_number=""),
                name="customer_serial_once",
                violation_error_message="Another customer has this serial number.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class CustomerUser(ImmutableCode):
    """An associate of a customer: somebody who can hold seats. May be linked to an account that signs in."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="users")
    code = models.CharField(max_length=64, validators=[validate_user_code])
    name = models.CharField(max_length=200)
    email = models.EmailField(max_length=254, blank=True)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="associates"
    )
    can_log_in = models.BooleanField(default=True)
    is_former_employee = models.BooleanField("former employee", default=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    erased_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since then nothing here says who it was."
    )

    objects: ClassVar[Any] = CustomerUserQuerySet.as_manager()

    class Meta:
        ordering = ("code",)
        constraints = (
            models.UniqueConstraint(
                "customer",
                Lower("code"),
                name="user_code_once_per_customer",
                violation_error_message="This customer has a user with this code already.",
            ),
            models.UniqueConstraint(
                "customer",
                Lower("email"),
                condition=~models.Q(email=""),
                name="user_email_once_per_customer",
                violation_error_message="This customer has a user with this e-mail address already.",
            ),
            models.UniqueConstraint(
                fields=["customer", "account"],
                name="account_once_per_customer",
                violation_error_message="This account is another user of the same customer.",
            ),
            models.CheckConstraint(
                condition=models.Q(erased_at=None)
                | models.Q(email="", account=None, last_seen_at=None, is_former_employee=True, can_log_in=False),
                name="erased_user_is_nobody",
                violation_error_message="Nothing of an erased user comes back.",
            ),
        )
        indexes = (models.Index("customer", Lower("name"), name="user_by_name"),)

    def __str__(self) -> str:
        return self.name

    @property
    def is_erased(self) -> bool:
        """Whether nothing says any more who this was; only the shape of what happened is left (U-7)."""
        return self.erased_at is not None

    @property
    def may_hold_seats(self) -> bool:
        """Former employees and users who can't log in hold nothing (C-29)."""
        return self.can_log_in and not self.is_former_employee
