"""Features: what apps ask about."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models

from catalog.kinds import KINDS, kind_choices, rule_choices
from catalog.models.module import Module
from catalog.querysets import FeatureQuerySet
from customers.validators import validate_code


class FeatureGroup(models.Model):
    code = models.CharField(max_length=64, unique=True, validators=[validate_code])
    name = models.CharField(max_length=100)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("position", "code")

    def __str__(self) -> str:
        return self.name


class Feature(models.Model):
    """A switch, a limit or a level. Kind, unit, rule and counting are for good once it is published (F-4)."""

    class Counts(models.TextChoices):
        PER_CALL = "call", "per call"
        PER_USER = "user", "per user"
        PER_CUSTOMER = "customer", "per customer"

    class Resets(models.TextChoices):
        CALENDAR_MONTH = "calendar_month", "each calendar month"
        CONTRACT_MONTH = "contract_month", "each month of the contract"

    code = models.CharField(max_length=64, unique=True, validators=[validate_code])
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    group = models.ForeignKey(FeatureGroup, models.PROTECT, related_name="features")
    kind = models.CharField(max_length=16, choices=kind_choices)
    rule = models.CharField("merge rule", max_length=16, choices=rule_choices)
    unit = models.CharField(max_length=40, blank=True, help_text="Of a limit, for instance recipients.")
    counts = models.CharField(max_length=16, choices=Counts, blank=True, help_text="What a limit is counted per.")
    resets = models.CharField(
        max_length=16,
        choices=Resets,
        blank=True,
        db_default="",
        default="",
        help_text="When counting starts again from 0; never, if empty.",
    )
    site_module = models.ForeignKey(Module, models.PROTECT, null=True, blank=True, related_name="features_of_site")
    user_module = models.ForeignKey(Module, models.PROTECT, null=True, blank=True, related_name="features_of_user")
    read_only_without_seat = models.BooleanField(
        default=True, help_text="Users without the user module may still look at it (C-40)."
    )
    position = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = FeatureQuerySet.as_manager()

    class Meta:
        ordering = ("group__position", "position", "code")

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        faults: dict[str, str] = {}
        kind = KINDS.get(self.kind)
        if kind is not None and self.rule not in kind.rules:
            faults["rule"] = f"A {self.kind} is merged by {' or '.join(kind.rules)}."
        if self.kind == "limit" and not self.counts:
            faults["counts"] = "Say what the limit is counted per: call, user or customer."
        if self.kind != "limit" and (self.counts or self.unit):
            faults["counts" if self.counts else "unit"] = "Only a limit is counted and has a unit."
        if self.resets and self.counts not in (self.Counts.PER_USER, self.Counts.PER_CUSTOMER):
            faults["resets"] = "Only what is counted per user or per customer starts again."
        faults |= module_type_faults(self.site_module, self.user_module)
        if self.pk and not faults:
            faults |= self._changed_for_good()
        if faults:
            raise ValidationError(faults)

    def _changed_for_good(self) -> dict[str, str]:
        if not Feature.objects.filter(pk=self.pk).published().exists():
            return {}
        recorded = Feature.objects.values("code", "kind", "rule", "unit", "counts", "resets").get(pk=self.pk)
        return {
            field: f"A published version names this feature, so it stays {value!r}."
            for field, value in recorded.items()
            if getattr(self, field) != value
        }


class LevelChoice(models.Model):
    """One step of a level. The order of published choices is for good; new ones may come between."""

    feature = models.ForeignKey(Feature, models.CASCADE, related_name="choices")
    code = models.CharField(max_length=64, validators=[validate_code])
    name = models.CharField(max_length=100)
    rank = models.PositiveSmallIntegerField()
    site_module = models.ForeignKey(Module, models.PROTECT, null=True, blank=True, related_name="choices_of_site")
    user_module = models.ForeignKey(Module, models.PROTECT, null=True, blank=True, related_name="choices_of_user")

    class Meta:
        ordering = ("feature", "rank")
        constraints = (
            models.UniqueConstraint(fields=["feature", "code"], name="choice_code_once"),
            models.UniqueConstraint(fields=["feature", "rank"], name="choice_rank_once"),
            # OFREP says "none" of a user without the level, so no choice may be called so.
            models.CheckConstraint(
                condition=~models.Q(code="none"),
                name="choice_is_not_none",
                violation_error_message='"none" is a reserved word.',
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        faults = module_type_faults(self.site_module, self.user_module)
        if faults:
            raise ValidationError(faults)


def module_type_faults(site_module: Module | None, user_module: Module | None) -> dict[str, str]:
    """Returns, per field, what is wrong with the pair of modules a feature or choice names."""
    faults: dict[str, str] = {}
    if site_module is not None and site_module.type != Module.Type.SITE:
        faults["site_module"] = f"{site_module.name} is not a site module."
    if user_module is not None and user_module.type != Module.Type.USER:
        faults["user_module"] = f"{user_module.name} is not a user module."
    return faults
