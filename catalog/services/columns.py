"""The columns of the matrix: what each plan and add-on says itself, and what it inherits. Few queries for however many.

A column is the open draft of a plan or add-on or, without one, its newest version: what a draft would begin with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, Subquery

from catalog.content import FeatureDefinition, Inheritance, Source, repeats
from catalog.errors import Said
from catalog.models import Grant, Offer, Version, VersionInclude
from catalog.services.mapping import definitions_of

Key = tuple[str, str]  # code of the plan or add-on, code of the feature


@dataclass(frozen=True, slots=True)
class Column:
    """One plan or add-on; `version` is its draft or newest version, if it has any.

    `sources` are what that version includes, of a draft as publishing it now would; `sources_of_draft` what a draft
    begun now would include.
    """

    offer: str
    name: str
    type: str
    version: Version | None
    sources: tuple[Source, ...] = ()
    sources_of_draft: tuple[Source, ...] = ()

    @property
    def is_draft(self) -> bool:
        return self.version is not None and not self.version.is_frozen


@dataclass(frozen=True, slots=True)
class Repetition:
    """An own value that says what would hold without it: `inherited`, or nothing where it grants nothing."""

    column: Column
    definition: FeatureDefinition
    own: Said
    inherited: Said | None


def column_offers(solution: str = "") -> Any:
    """Returns the plans and add-ons that have a column: all of them, or those of a solution and those of none."""
    offers = Offer.objects.order_by("-type", "position", "code")  # plans before add-ons
    if solution:
        offers = offers.filter(Q(solutions__code=solution) | Q(solutions=None)).distinct()
    return offers


def heads(offers: Any) -> dict[int, Version]:
    """Returns, per primary key of a plan or add-on, its draft or else its newest version, without the content."""
    newest = Version.objects.frozen().filter(offer=OuterRef("offer")).order_by("-number").values("pk")[:1]
    rows = Version.objects.filter(offer__in=[offer.pk for offer in offers]).defer("content").order_by()
    found: dict[int, Version] = {}
    for version in rows.filter(Q(state__in=["draft", "in_review"]) | Q(pk=Subquery(newest))):
        if version.offer_id not in found or not version.is_frozen:
            found[version.offer_id] = version
    return found


def read_columns(offers: Sequence[Any], *, at: datetime) -> list[Column]:
    """Returns a column for each of the plans and add-ons, in their order. Seven queries at most."""
    versions = heads(offers)
    frozen, begun = _included(versions.values(), at)
    sources = _sources({pk for taken in (*frozen.values(), *begun.values()) for pk in taken})

    def known(taken: Sequence[int]) -> tuple[Source, ...]:
        return tuple(sources[pk] for pk in taken)

    columns = []
    for offer in offers:
        version = versions.get(offer.pk)
        begins = known(begun[version.pk]) if version else ()
        shown = known(frozen[version.pk]) if version and version.is_frozen else begins
        columns.append(Column(offer.code, offer.name, offer.type, version, shown, begins))
    return columns


def _included(versions: Collection[Any], at: datetime) -> tuple[Mapping[int, list[int]], Mapping[int, list[int]]]:
    """Returns, per version, what it took in when it was frozen, and what a draft of it takes in now: primary keys."""
    frozen: dict[int, list[int]] = defaultdict(list)
    begun: dict[int, list[int]] = defaultdict(list)
    wanted = VersionInclude.objects.filter(version__in=[version.pk for version in versions])
    pairs = list(wanted.order_by("offer__position", "offer__code").values_list("version", "offer"))
    if not pairs:
        return frozen, begun
    live = dict(Version.objects.live(at).filter(offer__in={offer for _, offer in pairs}).values_list("offer", "pk"))
    for version, offer in pairs:
        if offer in live:
            begun[version].append(live[offer])
    contents = Version.objects.filter(pk__in=[version.pk for version in versions if version.is_frozen])
    taken = [
        (pk, include["code"], include["version"])
        for pk, includes in contents.order_by().values_list("pk", "content__includes")
        for include in includes or ()
    ]
    rows = Version.objects.frozen().filter(offer__code__in={code for _, code, _ in taken}).order_by()
    numbered = {(code, number): pk for pk, code, number in rows.values_list("pk", "offer__code", "number")}
    for version, code, number in taken:
        frozen[version].append(numbered[code, number])
    return frozen, begun


def _sources(versions: Collection[int]) -> dict[int, Source]:
    rows = Version.objects.filter(pk__in=versions).order_by()
    found = rows.values_list("pk", "offer__code", "number", "content__features")
    return {pk: Source(code, number, features) for pk, code, number, features in found}


def own_values(columns: Sequence[Column], features: Collection[int] | None = None) -> dict[Key, Said]:
    """Returns what the columns say themselves of these features (none: of all). One query."""
    offers = {column.version.pk: column.offer for column in columns if column.version is not None}
    grants = Grant.objects.filter(version__in=offers).order_by()
    if features is not None:
        grants = grants.filter(feature__in=features)
    rows: Iterable[Any] = grants.values_list("version", "feature__code", "value", "unlimited")
    return {(offers[pk], code): "unlimited" if unlimited else value for pk, code, value, unlimited in rows}


def repetitions(columns: Sequence[Column]) -> Iterator[Repetition]:
    """Yields every own value of the columns that repeats the inherited one, or grants nothing where nothing is granted.

    Of a published version it must do so in the draft that would begin, too (M-3). Four queries.
    """
    definitions = {definition.code: definition for definition in definitions_of(None).values()}
    own, inheritance = own_values(columns), Inheritance()
    by_offer = {column.offer: column for column in columns}
    for (offer, code), said in sorted(own.items(), key=lambda item: item[0]):
        column = by_offer[offer]
        if is_repeated(column, definitions[code], said, inheritance):
            inherited = inheritance.of(column.sources, code)
            yield Repetition(column, definitions[code], said, inherited.said if inherited else None)


def is_repeated(column: Column, definition: FeatureDefinition, said: Said | None, inheritance: Inheritance) -> bool:
    """Whether the own value says what would hold without it, as shown and in a draft of the column."""
    shown, begun = column.sources, column.sources_of_draft
    return repeats(definition, said, inheritance.of(shown, definition.code)) and (
        shown is begun or repeats(definition, said, inheritance.of(begun, definition.code))
    )
