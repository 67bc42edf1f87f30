"""What a draft says, and what is known around it, as frozen data: the input of `flatten`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.content.shape import FeatureDefinition, ModuleContent, OfferContent, VersionContent
from catalog.content.standing import Shelf

VersionKey = tuple[str, int]  # code of the plan or add-on, number


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """An own grant: the feature as the catalog defines it today, and the value as it was written down."""

    definition: FeatureDefinition
    raw: object


@dataclass(frozen=True, slots=True)
class OtherOffer:
    """Another plan or add-on that a draft names, with the version that would be taken (none: there is none).

    Of a rule also a tier, as `tier:CODE`, which has no version.
    """

    code: str
    version: int | None = None
    content: VersionContent | None = None

    @property
    def label(self) -> str:
        return f"{self.code} v{self.version}"


@dataclass(frozen=True, slots=True)
class TierFacts:
    """A tier and the licence names that mark it: one in `set=`, and per solution a site module."""

    code: str
    name: str
    rank: int
    user_marker: str | None = None
    site_markers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PublishedDefinition:
    """How the newest published version that names a feature froze it; `source` says which version that is."""

    definition: FeatureDefinition
    source: str


@dataclass(frozen=True, slots=True)
class DraftFacts:
    """A draft and all that decides what it comes to. Modules are named `owner.module`.

    `modules` holds every module of the catalog, `counterparts` per user module the site modules that some feature or
    choice pairs it with, `positions` the place of every feature, `include_graph` what each frozen version took in,
    `shelf` all that is sold beside it (empty where the draft has no rules: they are what it is for).
    """

    offer: OfferContent
    own_owner: str
    for_sale: bool = True
    module: str | None = None
    is_first: bool = True
    changelog: str = ""
    max_quantity: int | None = None
    grants: tuple[GrantFacts, ...] = ()
    includes: tuple[OtherOffer, ...] = ()
    extra_modules: tuple[str, ...] = ()
    needs: tuple[OtherOffer, ...] = ()
    excludes: tuple[OtherOffer, ...] = ()
    modules: Mapping[str, ModuleContent] = field(default_factory=dict)
    counterparts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    positions: Mapping[str, int] = field(default_factory=dict)
    tiers: Mapping[str, TierFacts] = field(default_factory=dict)
    published: Mapping[str, PublishedDefinition] = field(default_factory=dict)
    include_graph: Mapping[VersionKey, tuple[VersionKey, ...]] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)

    @property
    def marker_names(self) -> frozenset[str]:
        """Every licence name that marks some tier."""
        tiers = self.tiers.values()
        users = {tier.user_marker for tier in tiers if tier.user_marker}
        return frozenset(users.union(*(tier.site_markers.values() for tier in tiers)))

    @property
    def missing_includes(self) -> tuple[OtherOffer, ...]:
        return tuple(include for include in self.includes if include.content is None)
