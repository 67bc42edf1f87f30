"""What a change of seats would do, worked out before it is made: one row per user, applied by token."""

import secrets
from datetime import datetime
from itertools import chain
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.functional import cached_property

from licensing.querysets import ChangePreviewQuerySet


def new_token() -> str:
    """Returns 192 random bits in letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(24)


class ChangePreview(models.Model):
    """A change asked for: its input as it was frozen, what would come of it, and what came of it."""

    class Mode(models.TextChoices):
        ALL_OR_NOTHING = "all_or_nothing", "all or nothing"
        AS_MANY = "as_many", "as many as possible"

    class Kind(models.TextChoices):
        SEATS = "seats", "seats"
        UNDO = "undo", "undo"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"  # for the worker
        COMPUTING = "computing", "being worked out"
        READY = "ready", "ready"  # its token can be applied
        BLOCKED = "blocked", "blocked"  # all or nothing, and something is in the way
        APPLYING = "applying", "being applied"
        APPLIED = "applied", "applied"
        STALE = "stale", "out of date"  # the state moved; `difference` tells how
        FAILED = "failed", "failed"  # by a fault of ours; `why` tells which

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="change_previews")
    token = models.CharField(max_length=43, unique=True, default=new_token, editable=False)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    client = models.ForeignKey("customers.ApiClient", models.PROTECT, null=True, related_name="+")
    actor = models.CharField(max_length=254, help_text="How the actor was called then.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="From then on it can't be applied.")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.SEATS)
    mode = models.CharField(max_length=16, choices=Mode)
    reason = models.TextField(blank=True)
    wishes = models.JSONField(help_text="The input, frozen: one wish per row.")
    undoes = models.ForeignKey("licensing.ChangeSet", models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    why = models.TextField(blank=True, help_text="What went wrong, where something did.")
    total = models.PositiveIntegerField(default=0, help_text="Rows.")
    done = models.PositiveIntegerField(default=0, help_text="Rows worked out, then rows applied.")
    revision = models.PositiveBigIntegerField(null=True, help_text="The customer's, at which it was worked out.")
    digest = models.CharField(max_length=64, blank=True, help_text="Of every row's outcome, hex.")
    seat_deltas = models.JSONField(default=list)
    totals = models.JSONField(default=dict)
    effects = models.JSONField(default=list, help_text="Features gained and lost; rows name a place in this list.")
    batches = models.JSONField(default=list, help_text="Positions in the order in which batches are applied.")
    difference = models.JSONField(default=dict, help_text="How the rows came out when it was applied in vain.")
    change_set = models.ForeignKey("licensing.ChangeSet", models.PROTECT, null=True, related_name="previews")

    objects: ClassVar[Any] = ChangePreviewQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints: ClassVar[Any] = (
            models.CheckConstraint(
                condition=models.Q(done__lte=models.F("total")), name="change_preview_done_within_total"
            ),
        )
        indexes = (
            models.Index(fields=["customer", "-created_at"], name="change_preview_by_time"),
            models.Index(fields=["expires_at"], name="change_preview_by_expiry"),
        )

    def __str__(self) -> str:
        return f"preview of {self.total} rows"

    @property
    def is_working(self) -> bool:
        """Whether the worker has still to do something; `done` of `total` says how far it is."""
        return self.state in (self.State.WAITING, self.State.COMPUTING, self.State.APPLYING)

    def has_done(self, position: int) -> bool:
        """Whether the row of this position, if it changes anything, has been applied: at once, or with its batch."""
        return self.state == self.State.APPLIED or (bool(self.batches) and position not in self._to_do)

    @cached_property
    def _to_do(self) -> frozenset[int]:
        return frozenset(chain.from_iterable(self.batches))

    def may_be_applied(self, at: datetime) -> bool:
        return self.state == self.State.READY and at < self.expires_at


class ChangePreviewRow(models.Model):
    """What one row of the input would do; after applying, whether it was done."""

    class Outcome(models.TextChoices):
        CHANGES = "changes", "changes"
        UNCHANGED = "unchanged", "unchanged"
        BLOCKED = "blocked", "blocked"

    customer = models.ForeignKey("customers.Customer", models.PROTECT, related_name="+")
    preview = models.ForeignKey(ChangePreview, models.CASCADE, related_name="rows")
    position = models.PositiveIntegerField(help_text="Of the wish in the input, from 1.")
    user_code = models.CharField(max_length=254)
    user = models.ForeignKey(
        "customers.CustomerUser", models.PROTECT, null=True, related_name="+", help_text="Unknown, or still to be made."
    )
    outcome = models.CharField(max_length=16, choices=Outcome)
    creates = models.BooleanField(default=False, help_text="Whether the user is created first.")
    code = models.CharField(max_length=64, blank=True, help_text="Of the refusal, if it is blocked.")
    message = models.TextField(blank=True)
    next_action = models.TextField(blank=True)
    blocking = models.JSONField(default=dict)
    before = models.JSONField(default=list, help_text="Sorted owner.module.")
    after = models.JSONField(default=list)
    effect = models.PositiveIntegerField(null=True, help_text="Its place among the preview's effects.")

    class Meta:
        ordering = ("preview", "position")
        constraints: ClassVar[Any] = (
            models.UniqueConstraint(fields=["preview", "position"], name="position_once_per_change_preview"),
        )
        indexes = (models.Index(fields=["preview", "outcome", "position"], name="preview_row_by_outcome"),)

    def __str__(self) -> str:
        return f"{self.user_code}: {self.outcome}"

    @property
    def is_applied(self) -> bool:
        """Whether what the row would do has been done."""
        return self.outcome == self.Outcome.CHANGES and self.preview.has_done(self.position)

    @property
    def gains(self) -> list[dict[str, str]]:
        """What the user gains: `{feature, name, effect, before, after}` each, effect `gained` or `raised`."""
        return self._effects("gains")

    @property
    def losses(self) -> list[dict[str, str]]:
        """What the user loses: as `gains`, effect `lowered` or `lost`."""
        return self._effects("losses")

    @property
    def assigned(self) -> list[str]:
        return sorted(set(self.after) - set(self.before))

    @property
    def released(self) -> list[str]:
        return sorted(set(self.before) - set(self.after))

    def _effects(self, side: str) -> list[dict[str, str]]:
        if self.effect is None:
            return []
        found: list[dict[str, str]] = self.preview.effects[self.effect][side]
        return found
