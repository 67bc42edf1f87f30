"""Packages and their module licence records (domain B1, B2): immutable once written."""

from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Lower

from licensing.facts import DateState, full_name
from licensing.querysets import LicenseQuerySet, PackageQuerySet


class Package(models.Model):
    """What one owner licenses to one customer; one active per customer and owner."""

    class State(models.TextChoices):
        PENDING = "pending", "pending"
        SCHEDULED = "scheduled", "scheduled"
        ACTIVE = "active", "active"
        SUPERSEDED = "superseded", "superseded"
        WITHDRAWN = "withdrawn", "withdrawn"

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="packages")
    owner = models.ForeignKey("catalog.Owner", models.PROTECT, related_name="packages")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State)
    issued_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True, help_text="When it comes into force; a scheduled one's lies ahead.")
    ended_at = models.DateTimeField(null=True, help_text="When another package takes its place.")
    subscription = models.ForeignKey("licensing.Subscription", models.PROTECT, null=True, related_name="packages")
    company_name = models.CharField(max_length=254)
    serial_number = models.CharField(max_length=32, blank=True)
    license_version = models.CharField(max_length=254, blank=True)
    deployment_type = models.IntegerField(null=True)
    product_type = models.CharField(max_length=254, blank=True)
    product_description = models.CharField(max_length=254, blank=True)
    extra_flags = models.PositiveIntegerField(default=0)
    extra_info = models.CharField(max_length=254, blank=True)
    warning_at = models.DateTimeField("admin warning", null=True)
    expires_at = models.DateTimeField("expiry", null=True, help_text="Empty: never (C-30).")
    grace_until = models.DateTimeField("grace", null=True, help_text="When modules really stop (C-32).")
    maintenance_until = models.DateTimeField("maintenance", null=True)
    next_check_at = models.DateTimeField("next check", null=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 over the header and the rows in sort order, hex.")

    objects: ClassVar[Any] = PackageQuerySet.as_manager()

    class Meta:
        ordering = ("customer", "owner", "-number")
        constraints = (
            models.UniqueConstraint(fields=["customer", "owner", "number"], name="package_number_once"),
            models.UniqueConstraint(
                fields=["customer", "owner"], condition=models.Q(state="active"), name="one_active_package"
            ),
            models.UniqueConstraint(
                fields=["customer", "owner"], condition=models.Q(state="pending"), name="one_pending_package"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["active", "scheduled"], activated_at__isnull=False)
                | models.Q(state="superseded", activated_at__isnull=False, ended_at__isnull=False)
                | models.Q(state__in=["pending", "withdrawn"], activated_at=None, ended_at=None),
                name="package_state_has_its_dates",
            ),
            # One in force at any instant: each begins once, each ends once, and only the last has no end.
            models.UniqueConstraint(fields=["customer", "owner", "activated_at"], name="one_package_begins_at_a_time"),
            models.UniqueConstraint(fields=["customer", "owner", "ended_at"], name="one_package_ends_at_a_time"),
            models.UniqueConstraint(
                fields=["customer", "owner"],
                condition=models.Q(state__in=["active", "scheduled"], ended_at=None),
                name="one_package_without_end",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at=None) | models.Q(ended_at__gt=models.F("activated_at")),
                name="package_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at=None) | models.Q(grace_until__gte=models.F("expires_at")),
                name="grace_is_not_before_expiry",
            ),
        )
        indexes = (models.Index(fields=["customer", "activated_at"], name="package_by_customer"),)

    def __str__(self) -> str:
        return f"{self.owner.code} #{self.number}"

    def state_at(self, at: datetime) -> DateState:
        """Returns what the clock makes of this package, half-open: at the very instant the next state begins (C-35)."""
        if self.grace_until is not None and at >= self.grace_until:
            return DateState.STOPPED
        if self.expires_at is not None and at >= self.expires_at:
            return DateState.GRACE
        if self.warning_at is not None and at >= self.warning_at:
            return DateState.WARNING
        return DateState.ACTIVE

    @property
    def boundaries(self) -> list[datetime]:
        """The instants at which it comes into force, changes its state by the clock, and makes way for another."""
        dates = [at for at in (self.warning_at, self.expires_at, self.grace_until) if at is not None]
        within = [at for at in dates if self.is_in_force(at)]
        return [at for at in (self.activated_at, *within, self.ended_at) if at is not None]

    def is_in_force(self, at: datetime) -> bool:
        """Whether it is its owner's package at `at`, by the clock: one that is scheduled becomes so by itself."""
        begun = self.activated_at is not None and self.activated_at <= at
        return begun and (self.ended_at is None or at < self.ended_at)


class ModuleLicense(models.Model):
    """A row of a package, with the fields of domain B2 and the grants frozen with it. Never edited."""

    class Type(models.IntegerChoices):
        SITE = 1, "SiteLicense"
        SATELLITE = 2, "SatelliteLicense"
        USER = 3, "UserLicense"

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="module_licenses")
    package = models.ForeignKey(Package, models.PROTECT, related_name="rows")
    module_name = models.CharField(max_length=239)
    module_description = models.CharField(max_length=254)
    module_version = models.CharField(max_length=254, blank=True)
    tooltip = models.CharField(max_length=254, blank=True)
    license_type = models.PositiveSmallIntegerField(choices=Type)
    license_number = models.PositiveIntegerField(help_text="The count; at least 1, also when unrestricted (C-10).")
    allowed_user_type = models.CharField(max_length=40, blank=True)
    extra_flags = models.PositiveIntegerField(default=0)
    extra_info = models.CharField(max_length=3999, blank=True)
    encrypted_check = models.CharField(max_length=254, help_text="SHA-256 of the row, hex.")
    sort_order = models.PositiveIntegerField()
    signature = models.CharField(max_length=254, blank=True)
    unrestricted = models.BooleanField(default=False)
    hidden = models.BooleanField(default=False)
    prerequisite_module = models.CharField(max_length=239, blank=True)
    registered = models.DateTimeField()
    # The catalog link: none for imported rows.
    version = models.ForeignKey("catalog.Version", models.PROTECT, null=True, related_name="module_licenses")
    version_number = models.PositiveIntegerField(null=True)
    offer_code = models.CharField(max_length=64, blank=True)
    is_plan = models.BooleanField(default=False)
    tier = models.CharField(max_length=64, blank=True)
    solutions = models.JSONField(default=list)
    grants = models.JSONField(default=dict, help_text="Frozen features by code, as in a version's content.")

    objects: ClassVar[Any] = LicenseQuerySet.as_manager()

    class Meta:
        ordering = ("package", "sort_order", "module_name")
        constraints = (
            models.UniqueConstraint("package", Lower("module_name"), "module_version", name="module_once_per_package"),
            models.CheckConstraint(condition=models.Q(license_number__gte=1), name="license_number_is_positive"),
            models.CheckConstraint(condition=models.Q(license_type__in=[1, 2, 3]), name="license_type_is_known"),
            models.CheckConstraint(
                condition=models.Q(extra_flags=1, extra_info__startswith="set=", license_type=3, is_plan=True)
                | ~models.Q(extra_flags=1) & ~models.Q(extra_info__startswith="set=") & models.Q(is_plan=False),
                name="user_plan_is_flag_and_set",
            ),
        )

    def __str__(self) -> str:
        return self.module_name

    @property
    def full_name(self) -> str:
        return full_name(self.package.owner.code, self.module_name)

    @property
    def assignable(self) -> bool:
        """Whether people can be given it: visible user rows only (C-9)."""
        return self.license_type == self.Type.USER and not self.hidden
