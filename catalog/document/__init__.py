"""The catalog as code: YAML files read into frozen data, with every fault and its place, and written. Pure."""

from catalog.document.dividing import divide
from catalog.document.entries import (
    CatalogDocument,
    ChoiceEntry,
    Entry,
    FeatureEntry,
    GroupEntry,
    ModuleEntry,
    OfferEntry,
    OwnerEntry,
    Place,
    SolutionEntry,
    TierEntry,
)
from catalog.document.faults import BadDocument, Fault
from catalog.document.names import NOTHING, Known, KnownFeature, KnownModule, KnownOffer
from catalog.document.nodes import Source
from catalog.document.reading import parse
from catalog.document.writing import normalise, write

__all__ = [
    "NOTHING",
    "BadDocument",
    "CatalogDocument",
    "ChoiceEntry",
    "Entry",
    "Fault",
    "FeatureEntry",
    "GroupEntry",
    "Known",
    "KnownFeature",
    "KnownModule",
    "KnownOffer",
    "ModuleEntry",
    "OfferEntry",
    "OwnerEntry",
    "Place",
    "SolutionEntry",
    "Source",
    "TierEntry",
    "divide",
    "normalise",
    "parse",
    "write",
]
