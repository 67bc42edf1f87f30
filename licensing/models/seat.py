"""Who holds what, who changed it, and where a customer or user deviates."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from catalog.kinds import KINDS
from licensing.facts import FeatureDef, Mode, full_name
from licensing.facts import Override as OverrideFact
from licensing.querysets import OverrideQuerySet, SeatQuerySet


def mode_choices() -> list[tuple[str, str]]:
    return [(mode.value, mode.value.replace("_", " ")) for mode in Mode]


class ChangeSet(models.Model):
    """One change of seats, of one user or of ten thousand: who, when, why."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="change_sets")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    client = models.ForeignKey("customers.ApiClient", models.PROTECT, null=True, related_name="+")
    actor = models.CharField(max_length=254, help_text="How the actor was called then.")
    reason = models.TextField(blank=True)
    revision = models.PositiveBigIntegerField(help_text="The one that it begins with; batches add theirs.")
    undoes = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="undos")

    class Meta:
        ordering = ("customer", "-number")
        constraints = (models.UniqueConstraint(fields=["customer", "number"], name="change_set_number_once"),)

    def __str__(self) -> str:
        return f"change set {self.number}"


class ChangeSetRow(models.Model):
    """What one user held before and after, as sorted lists of `owner.module`."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="+")
    change_set = models.ForeignKey(ChangeSet, models.PROTECT, related_name="rows")
    user = models.ForeignKey("customers.CustomerUser", models.PROTECT, related_name="change_set_rows")
    before = models.JSONField(default=list)
    after = models.JSONField(default=list)

    class Meta:
        ordering = ("change_set", "user")
        constraints = (models.UniqueConstraint(fields=["change_set", "user"], name="user_once_per_change_set"),)

    def __str__(self) -> str:
        return f"{self.user}: {', '.join(self.before) or 'nothing'} → {', '.join(self.after) or 'nothing'}"


class Seat(models.Model):
    """One user holding one visible module, from one change set to another. It names no package row."""

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="seats")
    user = models.ForeignKey("customers.CustomerUser", models.PROTECT, related_name="seats")
    owner = models.ForeignKey("catalog.Owner", models.PROTECT, related_name="+")
    module_name = models.CharField(max_length=239)
    assigned_at = models.DateTimeField()
    assigned_in = models.ForeignKey(ChangeSet, models.PROTECT, related_name="assigned_seats")
    released_at = models.DateTimeField(null=True)
    released_in = models.ForeignKey(ChangeSet, models.PROTECT, null=True, related_name="released_seats")
    leaves_at = models.DateTimeField(null=True, help_text="When a scheduled package takes it; the future is derived.")
    comment = models.CharField(max_length=254, blank=True)

    objects: ClassVar[Any] = SeatQuerySet.as_manager()

    class Meta:
        ordering = ("user", "module_name", "assigned_at")
        constraints = (
            models.UniqueConstraint(
                fields=["user", "owner", "module_name"], condition=Q(released_at=None), name="seat_held_once"
            ),
            models.CheckConstraint(
                condition=Q(released_at=None, released_in=None)
                | Q(released_in__isnull=False, released_at__gt=models.F("assigned_at")),
                name="seat_is_released_after_it_was_assigned",
            ),
        )
        indexes = (
            models.Index(fields=["customer", "owner", "module_name"], condition=Q(released_at=None), name="seats_held"),
            models.Index(fields=["customer", "leaves_at"], condition=Q(leaves_at__isnull=False), name="seats_leaving"),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.full_name}"

    @property
    def full_name(self) -> str:
        return full_name(self.owner.code, self.module_name)

    def is_held(self, at: datetime) -> bool:
        """Whether it is held at `at`, as far as is planned."""
        ends = [end for end in (self.released_at, self.leaves_at) if end is not None]
        return self.assigned_at <= at and all(at < end for end in ends)


class Override(models.Model):
    """A deviation from what was sold, for a customer or for one user; a reason is required."""

    class State(models.TextChoices):
        """What the clock makes of it; nothing of this is stored."""

        LIVE = "live"
        SCHEDULED = "scheduled"
        ENDED = "ended"

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="overrides")
    user = models.ForeignKey("customers.CustomerUser", models.PROTECT, null=True, blank=True, related_name="overrides")
    feature = models.ForeignKey("catalog.Feature", models.PROTECT, related_name="overrides")
    definition = models.JSONField(editable=False, help_text="The feature as it was published then.")
    mode = models.CharField(max_length=16, choices=mode_choices)
    value = models.JSONField(null=True, blank=True)
    unlimited = models.BooleanField(default=False)
    reason = models.TextField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, editable=False, help_text="Ended by somebody, before its time.")
    created_by = models.CharField(max_length=254, editable=False)
    created_at = models.DateTimeField(editable=False)

    objects: ClassVar[Any] = OverrideQuerySet.as_manager()

    class Meta:
        ordering = ("customer", "feature", "-created_at")
        constraints = (
            models.UniqueConstraint(
                fields=["customer", "feature", "mode"],
                condition=Q(user=None, ended_at=None),
                name="one_live_customer_override_per_mode",
            ),
            models.UniqueConstraint(
                fields=["customer", "user", "feature", "mode"],
                condition=Q(user__isnull=False, ended_at=None),
                name="one_live_user_override_per_mode",
            ),
            models.CheckConstraint(
                condition=Q(mode="deny", value__isnull=True, unlimited=False)
                | ~Q(mode="deny") & (Q(unlimited=True, value__isnull=True) | Q(unlimited=False, value__isnull=False)),
                name="override_is_a_value_or_unlimited",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=models.F("starts_at")), name="override_ends_after_it_starts"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="override_has_a_reason"),
        )

    def __str__(self) -> str:
        return f"{self.mode} {self.feature.code}"

    @property
    def stops_at(self) -> datetime | None:
        """When it stops: its end, or when somebody ended it before."""
        return min((at for at in (self.ends_at, self.ended_at) if at is not None), default=None)

    def state_at(self, at: datetime) -> State:
        if self.stops_at is not None and self.stops_at <= at:
            return self.State.ENDED
        return self.State.SCHEDULED if self.starts_at > at else self.State.LIVE

    def fact(self) -> OverrideFact:
        """Returns the override as `resolve` reads it."""
        feature = FeatureDef.from_json(self.definition["code"], self.definition)
        value = None
        if self.mode != Mode.DENY:
            value = KINDS[feature.kind].from_json(
                {"value": self.value, "unlimited": self.unlimited}, feature.choice_codes
            )
        return OverrideFact(feature, Mode(self.mode), value, "user" if self.user_id else "customer", self.pk)
