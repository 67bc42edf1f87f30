"""Versions of plans and add-ons: editable as a draft, frozen (by the database too) once published."""

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from catalog.kinds import KINDS, BadValue
from catalog.models.feature import Feature
from catalog.models.module import Module
from catalog.models.offer import Offer
from catalog.models.solution import Tier
from catalog.querysets import RuleQuerySet, VersionQuerySet
from catalog.targets import tier_target


def account_key(**options: Any) -> Any:
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+", **options
    )


class Version(models.Model):
    """`draft → in_review → published → retired`.

    In review with an approval it is *approved*: whoever did so approved the content that `digest` names, as of
    `effective_from` where a moment is planned. Published with an `effective_from` to come it is *scheduled*.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        IN_REVIEW = "in_review", "in review"
        PUBLISHED = "published", "published"
        RETIRED = "retired", "retired"

    FROZEN: ClassVar = (State.PUBLISHED, State.RETIRED)

    offer = models.ForeignKey(Offer, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(null=True, editable=False, help_text="Given when published.")
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT, editable=False)
    base = models.ForeignKey(
        "self", models.PROTECT, null=True, editable=False, related_name="drafts", help_text="What it was drafted from."
    )
    changelog = models.CharField(max_length=500, blank=True, help_text="One line: what is new, for whom.")
    max_quantity = models.PositiveIntegerField(
        null=True, blank=True, help_text="At most so many of this add-on at one customer."
    )
    content = models.JSONField(null=True, editable=False, help_text="Flattened and frozen when published.")
    digest = models.CharField(
        max_length=64, blank=True, editable=False, help_text="SHA-256, hex, of the content approved or published."
    )
    effective_from = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    drafted_by = account_key()
    submitted_by = account_key()
    approved_by = account_key()
    approved_at = models.DateTimeField(null=True, editable=False)
    published_by = account_key()
    published_at = models.DateTimeField(null=True, editable=False)
    retired_by = account_key()
    retired_at = models.DateTimeField(null=True, editable=False)
    editors: Any = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, editable=False, related_name="+", help_text="Who edited the draft."
    )

    objects: ClassVar[Any] = VersionQuerySet.as_manager()

    class Meta:
        ordering = ("offer", models.F("number").desc(nulls_first=True), "-pk")
        constraints = (
            models.UniqueConstraint(fields=["offer", "number"], name="version_number_once"),
            models.UniqueConstraint(
                fields=["offer"],
                condition=models.Q(state__in=["draft", "in_review"]),
                name="one_draft_per_offer",
                violation_error_message="This plan or add-on has a draft already; edit that one.",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["draft", "in_review"], number=None, content=None)
                | models.Q(
                    state__in=["published", "retired"],
                    number__isnull=False,
                    content__isnull=False,
                    effective_from__isnull=False,
                    published_at__isnull=False,
                )
                & ~models.Q(digest=""),
                name="published_version_is_complete",
            ),
        )

    def __str__(self) -> str:
        return f"{self.offer.code} {f'v{self.number}' if self.number else self._state_label}"

    @property
    def _state_label(self) -> str:
        return "approved" if self.is_approved else str(self.get_state_display())

    @property
    def is_frozen(self) -> bool:
        return self.state in self.FROZEN

    @property
    def is_approved(self) -> bool:
        """Whether a draft in review has been approved; what it comes to may have moved since."""
        return self.state == self.State.IN_REVIEW and self.approved_at is not None

    @property
    def was_called_off(self) -> bool:
        """Whether it was retired before it took effect, so that it was never sold."""
        return self.retired_at is not None and self.effective_from is not None and self.retired_at < self.effective_from

    def stage(self, at: datetime) -> str:
        """Returns the state in words; *approved*, *scheduled* and *called off* are told apart."""
        if self.was_called_off:
            return "called off"
        return "scheduled" if self.is_scheduled(at) else self._state_label

    def is_scheduled(self, at: datetime) -> bool:
        return self.state == self.State.PUBLISHED and self.effective_from is not None and self.effective_from > at


class Grant(models.Model):
    """A feature's value in a draft. The published answer is `Version.content`."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="grants")
    feature = models.ForeignKey(Feature, models.PROTECT, related_name="grants")
    value = models.JSONField(null=True, blank=True, help_text="true or false; a whole number; or the code of a choice.")
    unlimited = models.BooleanField(default=False)

    class Meta:
        ordering = ("version", "feature")
        constraints = (
            models.UniqueConstraint(
                fields=["version", "feature"],
                name="feature_granted_once",
                violation_error_message="This version grants the feature already.",
            ),
            models.CheckConstraint(
                condition=models.Q(unlimited=True, value__isnull=True) | models.Q(unlimited=False, value__isnull=False),
                name="grant_is_a_value_or_unlimited",
                violation_error_message="Give a value, or unlimited; not both, not neither.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.feature.code}: {'unlimited' if self.unlimited else self.value}"

    def clean(self) -> None:
        if not hasattr(self, "feature"):
            return
        kind = KINDS[self.feature.kind]
        if self.unlimited:
            if self.feature.kind != "limit":
                raise ValidationError({"unlimited": "Only a limit can be unlimited."})
            return
        try:
            self.value = kind.parse(self.value, [choice.code for choice in self.feature.choices.all()])
        except BadValue as fault:
            raise ValidationError({"value": str(fault)}) from fault


class VersionInclude(models.Model):
    """Another plan whose content this version contains; the newest published version of it is taken when publishing."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="includes")
    offer = models.ForeignKey(
        Offer, models.PROTECT, related_name="included_by", limit_choices_to={"type": Offer.Type.PLAN}
    )

    class Meta:
        ordering = ("version", "offer__position", "offer__code")
        constraints = (models.UniqueConstraint(fields=["version", "offer"], name="included_once"),)

    def __str__(self) -> str:
        return self.offer.code


class VersionModule(models.Model):
    """An extra module: one that none of the version's own features names. It grants nothing (C-41)."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="extra_modules")
    module = models.ForeignKey(Module, models.PROTECT, related_name="extra_in")

    class Meta:
        ordering = ("version", "module")
        constraints = (models.UniqueConstraint(fields=["version", "module"], name="extra_module_once"),)

    def __str__(self) -> str:
        return self.module.name


class VersionRule(models.Model):
    """What a version needs or excludes at the same customer: another plan or add-on, or plans of a tier (E-1, E-2)."""

    class Verb(models.TextChoices):
        NEEDS = "needs", "needs"
        EXCLUDES = "excludes", "excludes"

    version = models.ForeignKey(Version, models.CASCADE, related_name="rules")
    verb = models.CharField(max_length=10, choices=Verb)
    offer = models.ForeignKey(
        Offer, models.PROTECT, null=True, blank=True, related_name="+", verbose_name="plan or add-on"
    )
    tier = models.ForeignKey(
        Tier, models.PROTECT, null=True, blank=True, related_name="+", help_text="Needed: of this tier or a higher one."
    )

    objects: ClassVar[Any] = RuleQuerySet.as_manager()

    class Meta:
        ordering = ("version", "verb", "offer", "tier")
        constraints = (
            models.UniqueConstraint(fields=["version", "offer"], name="rule_once_per_offer"),
            models.UniqueConstraint(fields=["version", "tier"], name="rule_once_per_tier"),
            models.CheckConstraint(
                condition=models.Q(offer__isnull=False, tier=None) | models.Q(offer=None, tier__isnull=False),
                name="rule_names_an_offer_or_a_tier",
                violation_error_message="A rule names a plan or add-on, or a tier; not both, not neither.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.verb} {self.names}"

    @property
    def names(self) -> str:
        """What it is about, as files and frozen content spell it. With `offer` and `tier` at hand, no query."""
        offer, tier = self.offer, self.tier
        return offer.code if offer is not None else tier_target(tier.code) if tier is not None else ""


class VersionFeature(models.Model):
    """Which features a published version gives: the index of its content, for filters and for *is it known?*"""

    version = models.ForeignKey(Version, models.CASCADE, related_name="published_features")
    feature = models.ForeignKey(Feature, models.PROTECT, related_name="published_in")

    class Meta:
        ordering = ("version", "feature")
        verbose_name = "published feature"
        constraints = (models.UniqueConstraint(fields=["version", "feature"], name="published_feature_once"),)

    def __str__(self) -> str:
        return f"{self.version}: {self.feature.code}"
