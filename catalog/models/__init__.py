from .comment import VersionComment
from .feature import Feature, FeatureGroup, LevelChoice
from .module import Module, Owner
from .offer import AddOn, Offer, Plan
from .solution import SiteMarker, Solution, Tier
from .version import Grant, Version, VersionFeature, VersionInclude, VersionModule, VersionRule

__all__ = [
    "AddOn",
    "Feature",
    "FeatureGroup",
    "Grant",
    "LevelChoice",
    "Module",
    "Offer",
    "Owner",
    "Plan",
    "SiteMarker",
    "Solution",
    "Tier",
    "Version",
    "VersionComment",
    "VersionFeature",
    "VersionInclude",
    "VersionModule",
    "VersionRule",
]
