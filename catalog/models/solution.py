"""Solutions (Sales, Service, …), tiers (Essentials < Premium) and the licence names that mark them."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models

from catalog.models.module import Module
from catalog.querysets import CatalogQuerySet
from customers.validators import validate_code


class Solution(models.Model):
    code = models.CharField(max_length=64, unique=True, validators=[validate_code])
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    position = models.PositiveIntegerField(default=0)

    objects: ClassVar[Any] = CatalogQuerySet.as_manager()

    class Meta:
        ordering = ("position", "code")

    def __str__(self) -> str:
        return self.name


class Tier(models.Model):
    code = models.CharField(max_length=64, unique=True, validators=[validate_code])
    name = models.CharField(max_length=100)
    rank = models.PositiveSmallIntegerField(unique=True, help_text="A higher tier has a higher rank.")
    user_marker = models.ForeignKey(
        Module, models.PROTECT, null=True, blank=True, related_name="+", help_text="For instance t2. Never for access."
    )

    class Meta:
        ordering = ("rank",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        marker = self.user_marker
        if marker is not None and (marker.type != Module.Type.USER or not marker.hidden):
            raise ValidationError({"user_marker": f"{marker.name} is not a hidden user module."})


class SiteMarker(models.Model):
    """The site module that labels a solution sold in a tier, for instance `sales-t2` (C-18)."""

    solution = models.ForeignKey(Solution, models.CASCADE, related_name="site_markers")
    tier = models.ForeignKey(Tier, models.CASCADE, related_name="site_markers")
    module = models.ForeignKey(Module, models.PROTECT, related_name="+")

    class Meta:
        ordering = ("solution", "tier")
        constraints = (models.UniqueConstraint(fields=["solution", "tier"], name="one_marker_per_solution_and_tier"),)

    def __str__(self) -> str:
        return self.module.name

    def clean(self) -> None:
        if hasattr(self, "module") and self.module.type != Module.Type.SITE:
            raise ValidationError({"module": f"{self.module.name} is not a site module."})
