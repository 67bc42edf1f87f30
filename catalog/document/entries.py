"""What a catalog file says, as frozen data. Pure.

Two documents are equal when they say the same, wherever it stands: a `Place` never counts. Modules are called by their
full name, `owner.module` with the owner in lower case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from catalog.kinds import Value

ModuleType = Literal["site", "satellite", "user"]
OfferType = Literal["plan", "addon"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: file, line and column (from 1), and the keys that lead to it, joined by dots."""

    file: str
    line: int
    column: int
    path: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Anything that a document defines under a code; `was` is the code that it had before, if that has changed."""

    place: Place = field(compare=False, repr=False)
    code: str
    was: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class OwnerEntry(Entry):
    name: str
    license_url: str


@dataclass(frozen=True, slots=True)
class ModuleEntry(Entry):
    """`code` is the full name; `requires` the full name of its prerequisite."""

    owner: str
    name: str
    type: ModuleType
    description: str
    tooltip: str
    hidden: bool
    unrestricted: bool
    requires: str | None
    sort: int


@dataclass(frozen=True, slots=True)
class TierEntry(Entry):
    name: str
    rank: int
    user_marker: str | None


@dataclass(frozen=True, slots=True)
class SolutionEntry(Entry):
    """`site_markers` are pairs of a tier's code and the full name of a module."""

    name: str
    description: str
    site_markers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GroupEntry(Entry):
    name: str


@dataclass(frozen=True, slots=True)
class ChoiceEntry(Entry):
    name: str
    site: str | None
    user: str | None


@dataclass(frozen=True, slots=True)
class FeatureEntry(Entry):
    """`choices` are a level's, from lowest to highest; `unit`, `counts` and `resets` are empty but for limits."""

    name: str
    description: str
    group: str
    kind: str
    rule: str
    unit: str
    counts: str
    resets: str
    site: str | None
    user: str | None
    read_only_without_seat: bool
    choices: tuple[ChoiceEntry, ...]


@dataclass(frozen=True, slots=True)
class OfferEntry(Entry):
    """A plan or an add-on; `grants` are pairs of a feature's code and its value."""

    type: OfferType
    name: str
    description: str
    for_sale: bool
    scope: str
    solutions: tuple[str, ...]
    tier: str | None
    module: str | None
    includes: tuple[str, ...]
    extra_modules: tuple[str, ...]
    grants: tuple[tuple[str, Value], ...]
    needs: tuple[str, ...]
    excludes: tuple[str, ...]
    max_quantity: int | None


@dataclass(frozen=True, slots=True)
class CatalogDocument:
    """A catalog, or a part of one: what it doesn't name is none of its business. Order in the file is display order."""

    owners: tuple[OwnerEntry, ...] = ()
    modules: tuple[ModuleEntry, ...] = ()
    tiers: tuple[TierEntry, ...] = ()
    solutions: tuple[SolutionEntry, ...] = ()
    groups: tuple[GroupEntry, ...] = ()
    features: tuple[FeatureEntry, ...] = ()
    plans: tuple[OfferEntry, ...] = ()
    add_ons: tuple[OfferEntry, ...] = ()

    def offers(self) -> Iterator[OfferEntry]:
        yield from self.plans
        yield from self.add_ons
