"""The catalog in Django's admin: definitions, plans and add-ons, and the versions that are drafted and published."""

from .definitions import (
    FeatureAdmin,
    FeatureGroupAdmin,
    ModuleAdmin,
    OwnerAdmin,
    PublishedFeatureAdmin,
    SolutionAdmin,
    TierAdmin,
)
from .offers import AddOnAdmin, OfferAdmin, PlanAdmin
from .versions import VersionAdmin

__all__ = [
    "AddOnAdmin",
    "FeatureAdmin",
    "FeatureGroupAdmin",
    "ModuleAdmin",
    "OfferAdmin",
    "OwnerAdmin",
    "PlanAdmin",
    "PublishedFeatureAdmin",
    "SolutionAdmin",
    "TierAdmin",
    "VersionAdmin",
]
