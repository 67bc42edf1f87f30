"""What a version says: its frozen shape, how a draft becomes it, what must hold, what two of them differ in. Pure."""

from .comparing import Diff, DiffLine, FeatureChange, TermChange, diff
from .drafts import DraftFacts, GrantFacts, OtherOffer, PublishedDefinition, TierFacts, VersionKey
from .flattening import assemble, flatten, outline
from .grid import Inheritance, Inherited, Source, inherit, repeats
from .lint import Finding, lint
from .merges import Effect, effect_of
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
from .standing import Clash, OnShelf, Shelf, brought_in, clash_of
from .telling import KINDS_OF_LINE, tell

__all__ = [
    "KINDS_OF_LINE",
    "SITE",
    "USER",
    "ChoiceContent",
    "Clash",
    "Diff",
    "DiffLine",
    "DraftFacts",
    "Effect",
    "FeatureChange",
    "FeatureContent",
    "FeatureDefinition",
    "Finding",
    "GrantFacts",
    "IncludeContent",
    "Inheritance",
    "Inherited",
    "Merge",
    "ModuleContent",
    "OfferContent",
    "OnShelf",
    "OtherOffer",
    "PublishedDefinition",
    "Says",
    "Shelf",
    "Side",
    "Source",
    "TermChange",
    "TierFacts",
    "VersionContent",
    "VersionKey",
    "assemble",
    "brought_in",
    "clash_of",
    "diff",
    "digest",
    "effect_of",
    "flatten",
    "inherit",
    "lint",
    "merge",
    "outline",
    "repeats",
    "tell",
]
