"""What a version says: its frozen shape, how a draft becomes it, what must hold, what two of them differ in. Pure."""

from .comparing import Diff, DiffLine, FeatureChange, TermChange, diff
from .drafts import DraftFacts, GrantFacts, OtherOffer, PublishedDefinition, TierFacts, VersionKey
from .flattening import flatten
from .grid import Inheritance, Inherited, Source, inherit, repeats
from .merging import Merge, Says, Side, merge
from .shape import (
    SITE,
    USER,
    ChoiceContent,
    FeatureContent,
    FeatureDefinition,
    IncludeContent,
    ModuleContent,
    OfferContent,
    VersionContent,
    digest,
)

__all__ = [
    "SITE",
    "USER",
    "ChoiceContent",
    "Diff",
    "DiffLine",
    "DraftFacts",
    "FeatureChange",
    "FeatureContent",
    "FeatureDefinition",
    "GrantFacts",
    "IncludeContent",
    "Inheritance",
    "Inherited",
    "Merge",
    "ModuleContent",
    "OfferContent",
    "OtherOffer",
    "PublishedDefinition",
    "Says",
    "Side",
    "Source",
    "TermChange",
    "TierFacts",
    "VersionContent",
    "VersionKey",
    "diff",
    "digest",
    "flatten",
    "inherit",
    "merge",
    "repeats",
]
