"""Migrations: customers of a plan or add-on on their way from whatever version they are on to another one."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from licensing.cohort import Cohort
from licensing.querysets import MigrationCustomerQuerySet


def _account(**options: Any) -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", **options
    )


class Migration(models.Model):
    """`proposed → running ⇄ paused → done`, or `cancelled`. Whom it moves is fixed when it starts.

    While it runs it works off what is due of its rows, be that moving customers or bringing them back; `turn` counts
    the messages that keep it going, so that each goes on once.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", "proposed"
        RUNNING = "running", "running"
        PAUSED = "paused", "paused"
        DONE = "done", "done"
        CANCELLED = "cancelled", "cancelled"

    class Moment(models.TextChoices):
        NOW = "now", "as soon as it is started"
        RENEWAL = "renewal", "at each customer’s next renewal"
        DATE = "date", "on a date"

    offer = models.ForeignKey("catalog.Offer", models.PROTECT, related_name="migrations")
    target = models.ForeignKey("catalog.Version", models.PROTECT, related_name="migrations")
    cohort_data = models.JSONField("cohort", default=dict, blank=True)
    moment = models.CharField(max_length=16, choices=Moment, default=Moment.NOW)
    moves_at = models.DateTimeField(null=True, blank=True, help_text="For the moment “on a date”.")
    deadline = models.DateTimeField(
        null=True, blank=True, help_text="Nobody stays on an older version longer than until then."
    )
    allows_pending = models.BooleanField(
        default=False, help_text="Customers move even where their new package has to wait for seats to be given back."
    )
    reason = models.CharField(max_length=500, help_text="Why; customers read it too.")
    state = models.CharField(max_length=16, choices=State, default=State.PROPOSED, editable=False)
    turn = models.PositiveIntegerField(default=0, editable=False)
    proposed_by = _account()
    proposed_at = models.DateTimeField()
    started_by = _account()
    started_at = models.DateTimeField(null=True, blank=True)
    rolled_back_by = _account(help_text="Who sent everybody back.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When it was done or cancelled.")
    preview = models.ForeignKey(
        "licensing.ImpactReport", models.SET_NULL, null=True, blank=True, related_name="migrations"
    )

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(
                condition=Q(moment="date", moves_at__isnull=False) | (~Q(moment="date") & Q(moves_at=None)),
                name="migration_on_a_date_has_one",
                violation_error_message="Say on which date, or choose another moment.",
            ),
            models.CheckConstraint(
                condition=Q(state="proposed", started_at=None, ended_at=None)
                | Q(state__in=["running", "paused"], started_at__isnull=False, ended_at=None)
                | Q(state="done", started_at__isnull=False, ended_at__isnull=False)
                | Q(state="cancelled", ended_at__isnull=False),
                name="migration_state_has_its_dates",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="migration_has_a_reason"),
        )
        indexes = (models.Index(fields=["state"], name="migration_by_state"),)

    def __str__(self) -> str:
        return f"{self.target} for {self.cohort.words}"

    @property
    def cohort(self) -> Cohort:
        return Cohort.from_json(self.cohort_data)

    @property
    def rows(self) -> Any:
        """Its customers, as a MigrationCustomerQuerySet."""
        return MigrationCustomer.objects.filter(migration=self)

    @property
    def code(self) -> str:
        """How the audit trail and refusals name it."""
        return str(self.pk)

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.DONE, self.State.CANCELLED)


class MigrationCustomer(models.Model):
    """One customer of a migration: when it is due, how it went, and the version that it can go back to."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        BLOCKED = "blocked", "blocked"  # tried, and tried again at `try_at`
        OVERDUE = "overdue", "overdue"  # blocked until the deadline and at it
        FAILED = "failed", "failed"  # not refused, but broken: somebody has to look
        MOVED = "moved", "moved"
        SKIPPED = "skipped", "skipped"  # nothing to move, or no longer wanted
        RETURNING = "returning", "going back"
        ROLLED_BACK = "rolled_back", "rolled back"

    OPEN: ClassVar = (State.WAITING, State.BLOCKED)
    DUE: ClassVar = (*OPEN, State.RETURNING)  # what a running migration works off

    migration = models.ForeignKey(Migration, models.CASCADE, related_name="customers")
    offer = models.ForeignKey("catalog.Offer", models.PROTECT, related_name="+", help_text="The migration's.")
    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="migrations")
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    due_at = models.DateTimeField(help_text="When it is to move: its moment, or the deadline if that is first.")
    try_at = models.DateTimeField(null=True, help_text="When it is tried next.")
    was = models.ForeignKey("catalog.Version", models.PROTECT, null=True, related_name="+")
    moved_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)
    why = models.CharField(max_length=1000, blank=True, help_text="What is in the way, or why nothing was done.")

    objects: ClassVar[Any] = MigrationCustomerQuerySet.as_manager()

    class Meta:
        ordering = ("migration", "customer")
        constraints = (
            models.UniqueConstraint(fields=["migration", "customer"], name="customer_once_per_migration"),
            models.UniqueConstraint(
                fields=["offer", "customer"],
                condition=Q(state__in=["waiting", "blocked"]),
                name="customer_in_one_open_migration",
                violation_error_message="This customer is in another migration of the same plan already.",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "blocked"], moved_at=None, try_at__isnull=False)
                | Q(state="returning", moved_at__isnull=False, was__isnull=False, try_at__isnull=False)
                | Q(state__in=["moved", "rolled_back"], moved_at__isnull=False, was__isnull=False, try_at=None)
                | Q(state__in=["overdue", "failed", "skipped"], moved_at=None, try_at=None),
                name="migration_customer_is_complete",
            ),
            models.CheckConstraint(
                condition=Q(state="rolled_back", returned_at__isnull=False)
                | (~Q(state="rolled_back") & Q(returned_at=None)),
                name="rolled_back_says_when",
            ),
        )
        indexes = (
            models.Index(
                fields=["migration", "try_at"],
                condition=Q(state__in=["waiting", "blocked", "returning"]),
                name="migration_work_to_do",
            ),
            models.Index(fields=["migration", "state"], name="migration_by_outcome"),
        )

    def __str__(self) -> str:
        return f"{self.customer}: {self.get_state_display()}"
