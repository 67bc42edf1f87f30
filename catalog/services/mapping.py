"""Where the ORM stops: rows of a draft become `DraftFacts`, in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from catalog.content import (
    ChoiceContent,
    DraftFacts,
    FeatureContent,
    FeatureDefinition,
    GrantFacts,
    ModuleContent,
    OfferContent,
    OtherOffer,
    PublishedDefinition,
    Shelf,
    TierFacts,
    VersionContent,
    VersionKey,
)
from catalog.kinds import UNLIMITED
from catalog.models import Feature, LevelChoice, Module, Offer, SiteMarker, Tier, Version, VersionFeature, VersionRule
from catalog.shelving import read_shelf

Names = Mapping[int | None, str]  # primary key of a module → owner.module

PLACES_PER_GROUP = 1_000_000
_MODULE_FIELDS = (
    "name",
    "type",
    "description",
    "tooltip",
    "hidden",
    "unrestricted",
    "prerequisite",
    "sort_order",
)
_FEATURE_FIELDS = (
    *("code", "name", "description", "kind", "rule", "unit", "counts", "resets"),
    "read_only_without_seat",
)


@dataclass(frozen=True, slots=True)
class CatalogFacts:
    """What stands around every draft. Read once, it serves many drafts, as long as no definition changes."""

    names: Names
    modules: Mapping[str, ModuleContent]
    definitions: Mapping[int, FeatureDefinition]  # by primary key of the feature
    counterparts: Mapping[str, frozenset[str]]
    positions: Mapping[str, int]
    tiers: Mapping[str, TierFacts]


def catalog_facts() -> CatalogFacts:
    """Returns all that the catalog defines, in a handful of queries."""
    modules = Module.objects.order_by().values("pk", "owner__code", *_MODULE_FIELDS)
    names: Names = {row["pk"]: f"{row['owner__code'].lower()}.{row['name']}" for row in modules}
    return CatalogFacts(
        names=names,
        modules={names[row["pk"]]: _module_content(row, names) for row in modules},
        definitions=_definitions(names),
        counterparts=_counterparts(names),
        positions=_positions(),
        tiers=_tiers(names),
    )


def definitions_of(features: Collection[int] | None) -> dict[int, FeatureDefinition]:
    """Returns these features (none: all), by primary key, as the catalog defines them today. Three queries."""
    rows = Module.objects.order_by().values_list("pk", "owner__code", "name")
    return _definitions({pk: f"{owner.lower()}.{name}" for pk, owner, name in rows}, features)


def draft_facts(version: Version, *, at: datetime, catalog: CatalogFacts | None = None) -> DraftFacts:
    """Returns what `version` says and all that decides what it comes to. Other offers are taken as live at `at`.

    Whoever asks for many drafts hands over `catalog`, so that it is read once.
    """
    catalog = catalog or catalog_facts()
    offer: Any = Offer.objects.select_related("tier").get(pk=version.offer_id)
    grants = list(version.grants.values_list("feature", "value", "unlimited"))
    includes, needs, excludes = _other_offers(version, at)
    return DraftFacts(
        offer=_offer_content(offer),
        own_owner=settings.OWN_OWNER,
        for_sale=offer.for_sale,
        module=catalog.names.get(offer.module_id),
        is_first=not Version.objects.frozen().filter(offer=offer).exists(),
        changelog=version.changelog,
        max_quantity=version.max_quantity,
        grants=tuple(
            GrantFacts(catalog.definitions[feature], UNLIMITED if unlimited else value)
            for feature, value, unlimited in grants
        ),
        includes=includes,
        extra_modules=tuple(catalog.names[pk] for pk in version.extra_modules.values_list("module", flat=True)),
        needs=needs,
        excludes=excludes,
        modules=catalog.modules,
        counterparts=catalog.counterparts,
        positions=catalog.positions,
        tiers=catalog.tiers,
        published=published_definitions([feature for feature, _, _ in grants]),
        include_graph=include_graph() if includes else {},
        shelf=read_shelf(at) if needs or excludes else Shelf(),
    )


def frozen_content(version: Version | None) -> VersionContent | None:
    """Returns typed views over the content of a published or retired version; None for a draft, or for None."""
    return VersionContent.from_json(version.content) if version is not None and version.content is not None else None


def grant_value(grant: Any) -> object:
    """Returns a grant's value as it was written down, or UNLIMITED."""
    return UNLIMITED if grant.unlimited else grant.value


def _other_offers(version: Version, at: datetime) -> tuple[tuple[OtherOffer, ...], ...]:
    """Returns what the draft includes, needs and excludes."""
    included = list(version.includes.values_list("offer__code", flat=True))
    targeted = VersionRule.objects.filter(version=version).targeted()
    rules = list(targeted.values_list("verb", "target"))
    codes = {*included, *(code for _, code in rules)}
    live = {
        row.offer.code: OtherOffer(row.offer.code, row.number, frozen_content(row))
        for row in Version.objects.live(at).filter(offer__code__in=codes).select_related("offer")
    }

    def known(wanted: Iterable[str]) -> tuple[OtherOffer, ...]:
        return tuple(live.get(code, OtherOffer(code)) for code in wanted)

    return (
        known(included),
        known(code for verb, code in rules if verb == "needs"),
        known(code for verb, code in rules if verb == "excludes"),
    )


def _offer_content(offer: Any) -> OfferContent:
    return OfferContent(
        code=offer.code,
        type=offer.type,
        name=offer.name,
        description=offer.description,
        scope=offer.scope,
        solutions=tuple(offer.solutions.values_list("code", flat=True)),
        tier=offer.tier.code if offer.tier else None,
        tier_name=offer.tier.name if offer.tier else None,
    )


def _module_content(row: Mapping[str, Any], names: Names) -> ModuleContent:
    plain = {name: row[name] for name in _MODULE_FIELDS if name != "prerequisite"}
    return ModuleContent(owner=row["owner__code"], prerequisite=names.get(row["prerequisite"]), **plain)


def _definitions(names: Names, only: Collection[int] | None = None) -> dict[int, FeatureDefinition]:
    features, steps = Feature.objects.order_by(), LevelChoice.objects.order_by("rank")
    if only is not None:
        features, steps = features.filter(pk__in=only), steps.filter(feature__in=only)
    choices: dict[int, list[ChoiceContent]] = defaultdict(list)
    rows = steps.values_list("feature", "code", "name", "site_module", "user_module")
    for feature, code, name, site, user in rows:
        choices[feature].append(ChoiceContent(code, name, names.get(site), names.get(user)))
    found: dict[int, FeatureDefinition] = {}
    carried = ("site_module", "user_module")
    for row in features.values("pk", "group__code", "group__name", *carried, *_FEATURE_FIELDS):
        found[row["pk"]] = FeatureDefinition(
            group=row["group__code"],
            group_name=row["group__name"],
            choices=tuple(choices[row["pk"]]),
            site_module=names.get(row["site_module"]),
            user_module=names.get(row["user_module"]),
            **{name: row[name] for name in _FEATURE_FIELDS},
        )
    return found


def _positions() -> dict[str, int]:
    """Returns a number per feature that orders all of them, and stays when features are added elsewhere."""
    rows = Feature.objects.order_by().values_list("code", "group__position", "position")
    return {code: group * PLACES_PER_GROUP + place for code, group, place in rows}


def _counterparts(names: Names) -> dict[str, frozenset[str]]:
    """Returns, per user module, the site modules that some feature, or choice of a level, pairs it with."""
    pairs = [
        *Feature.objects.order_by().values_list("site_module", "user_module", "site_module"),
        *LevelChoice.objects.order_by().values_list("site_module", "user_module", "feature__site_module"),
    ]
    found: dict[str, set[str]] = defaultdict(set)
    for site, user, site_of_feature in pairs:
        if user is not None and (site or site_of_feature) is not None:
            found[names[user]].add(names[site or site_of_feature])
    return {user: frozenset(sites) for user, sites in found.items()}


def _tiers(names: Names) -> dict[str, TierFacts]:
    markers: dict[int, dict[str, str]] = defaultdict(dict)
    for tier_id, solution, module_id in SiteMarker.objects.values_list("tier", "solution__code", "module"):
        markers[tier_id][solution] = names[module_id]
    return {
        tier.code: TierFacts(tier.code, tier.name, tier.rank, names.get(tier.user_marker_id), markers[tier.pk])
        for tier in Tier.objects.all()
    }


def published_definitions(
    features: Collection[int] | None, held: Mapping[int, Version] | None = None
) -> dict[str, PublishedDefinition]:
    """Returns, per feature, how the newest version naming it froze it: no choice is ever dropped, so one says all.

    Without `features`, of all. `held` are versions by primary key that need not be read again.
    """
    # Which is newest is found out here: a database would read the contents of all versions to sort them.
    oldest_first = Version.objects.frozen().order_by("published_at", "pk").values_list("pk", flat=True)
    ages = {pk: age for age, pk in enumerate(oldest_first)}
    named = VersionFeature.objects.order_by()
    if features is not None:
        named = named.filter(feature__in=features)
    pairs = named.values_list("feature__code", "version")
    wanted = dict(sorted(pairs, key=lambda pair: ages[pair[1]]))  # the newest of each feature comes last, and stays
    versions = dict(held or {})
    missing = set(wanted.values()) - versions.keys()
    versions |= {row.pk: row for row in Version.objects.filter(pk__in=missing).select_related("offer")}
    known: dict[str, PublishedDefinition] = {}
    for code, pk in wanted.items():
        frozen: Any = versions[pk].content
        definition = FeatureContent.from_json(code, frozen["features"][code]).definition
        known[code] = PublishedDefinition(definition, str(versions[pk]))
    return known


def include_graph() -> dict[VersionKey, tuple[VersionKey, ...]]:
    """Returns what each frozen version took in."""
    rows = Version.objects.frozen().order_by().values_list("offer__code", "number", "content__includes")
    return {
        (code, number): tuple((include["code"], include["version"]) for include in includes or ())
        for code, number, includes in rows
    }
