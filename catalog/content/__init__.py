"""What a version says: its frozen shape, how a draft becomes it, what must hold, what two of them differ in. Pure."""

from .comparing import Diff, DiffLine, FeatureChange, TermChange, diff
from .drafts import DraftFacts, GrantFacts, OtherOffer, PublishedDefinition, TierFacts, VersionKey
from .flattening import assemble, flatten
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
from .telling import KINDS_OF_LINE, tell

__all__ = [
    "KINDS_OF_LINE",
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
    "Merge",
    "ModuleContent",
    "OfferContent",
    "OtherOffer",
    "PublishedDefinition",
    "Says",
    "Side",
    "TermChange",
    "TierFacts",
    "VersionContent",
    "VersionKey",
    "assemble",
    "diff",
    "digest",
    "flatten",
    "merge",
    "tell",
]
