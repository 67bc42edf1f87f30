"""What a document says that the catalog at hand can't become: every fault, at the line that says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final

from django.db.models import Q

from catalog.document import CatalogDocument, Entry, Fault, FeatureEntry, ModuleEntry
from catalog.models import Feature, LevelChoice, Module, Offer, SiteMarker, Tier, Version
from catalog.targets import tier_of

MODULE_TYPES: Final = {"site": Module.Type.SITE, "satellite": Module.Type.SATELLITE, "user": Module.Type.USER}


def find_conflicts(document: CatalogDocument) -> list[Fault]:
    """Returns what the catalog holds for good and the document would change, and modules that would no longer suit."""
    rules: tuple[Callable[[CatalogDocument], Iterator[Fault]], ...]
    rules = (_published_codes, _published_features, _offer_types, _module_uses)
    return list(chain.from_iterable(rule(document) for rule in rules))


def _published_codes(document: CatalogDocument) -> Iterator[Fault]:
    """A code that a published version tells is known to others, and stays (K-7)."""
    renamed: dict[str, list[Entry]] = {
        "module": [entry for entry in document.modules if entry.was],
        "tier": [entry for entry in document.tiers if entry.was],
        "solution": [entry for entry in document.solutions if entry.was],
        "group": [entry for entry in document.groups if entry.was],
        "feature": [entry for entry in document.features if entry.was],
        "offer": [entry for entry in document.offers() if entry.was],
    }
    if not any(renamed.values()):
        return
    told: dict[str, dict[str, str]] = {kind: {} for kind in renamed}
    for version in Version.objects.frozen().select_related("offer").order_by("pk").iterator():
        for kind, codes in _codes_in(version.content).items():
            told[kind] = {code: str(version) for code in codes if code is not None} | told[kind]  # the first one stays
    for kind, entries in renamed.items():
        for entry in entries:
            if entry.was in told[kind]:
                yield Fault.at(
                    entry.place,
                    f"{told[kind][entry.was]} is published with the code {entry.was!r}, so it stays. "
                    f"Call it {entry.was!r} here and leave `was` out.",
                )


def _codes_in(content: Any) -> dict[str, set[str | None]]:
    offer, features, rules = content["offer"], content["features"], content["rules"]
    targets = {*rules["needs"], *rules["excludes"]}
    return {
        "module": {*content["modules"], content["module"], *_carriers(features.values())},
        "tier": {offer["tier"], *filter(None, map(tier_of, targets))},
        "solution": set(offer["solutions"]),
        "group": {feature["group"] for feature in features.values()},
        "feature": set(features),
        "offer": {offer["code"], *(target for target in targets if tier_of(target) is None)},
    }


def _carriers(features: Iterable[Any]) -> Iterator[str | None]:
    """Yields the modules that features and their choices name, shipped or not."""
    for feature in features:
        for carried in (feature, *feature["choices"]):
            yield carried["site_module"]
            yield carried["user_module"]


def _published_features(document: CatalogDocument) -> Iterator[Fault]:
    """Kind, rule, unit and counting stay as first published; choices keep their order, and none goes (F-4)."""
    choices: dict[int, list[str]] = {}
    for feature, code in LevelChoice.objects.order_by("rank").values_list("feature", "code"):
        choices.setdefault(feature, []).append(code)
    rows = {row.code: row for row in Feature.objects.published().order_by()}
    for entry in document.features:
        row = rows.get(entry.code)
        if row is None:
            continue
        for name in ("kind", "rule", "unit", "counts", "resets"):
            was, now = getattr(row, name), getattr(entry, name)
            if was != now:
                message = f"A published version names this feature, so its {name} stays {was!r}, not {now!r}."
                yield Fault.at(entry.place, message)
            if row.kind != entry.kind:
                break  # what follows from another kind need not be told
        if row.kind == entry.kind == "level":
            yield from _published_choices(entry, row, choices[row.pk])


def _published_choices(entry: FeatureEntry, row: Any, held: list[str]) -> Iterator[Fault]:
    choices = [choice.code for choice in entry.choices]
    if choices == held:
        return
    version: Any = Version.objects.filter(published_features__feature=row).order_by("-published_at", "-pk").first()
    published = [choice["code"] for choice in version.content["features"][entry.code]["choices"]]
    if published != [code for code in choices if code in published]:
        order = " < ".join(published)
        yield Fault.at(entry.place, f"{version} is published with the choices {order}: they stay, in this order.")


def _offer_types(document: CatalogDocument) -> Iterator[Fault]:
    types = dict(Offer.objects.values_list("code", "type"))
    for entry in document.offers():
        if types.get(entry.code, types.get(entry.was, entry.type)) != entry.type:
            held = "a plan" if entry.type == "addon" else "an add-on"
            yield Fault.at(entry.place, f"{entry.code!r} is {held} already, and stays one.")


def _module_uses(document: CatalogDocument) -> Iterator[Fault]:
    """Modules whose type or visibility changes though a published version, or others in the catalog, rely on it."""
    rows = {row.full_name: row for row in Module.objects.select_related("owner")}
    for entry in document.modules:
        row = rows.get(entry.code) or rows.get(entry.was)
        if row is None or (row.type, row.hidden) == (MODULE_TYPES[entry.type], entry.hidden):
            continue
        shipping = Version.objects.frozen().filter(content__modules__has_key=entry.code)
        if row.type != MODULE_TYPES[entry.type] and shipping.exists():
            held = Module.Type(row.type).label
            yield Fault.at(entry.place, f"A published version ships this module, so it stays a {held} module.")
            continue
        for user, needed in _wrong_uses(document, entry, row):
            yield Fault.at(entry.place, f"{user!r} needs it to be {needed}.")


def _told(entries: Iterable[Entry]) -> list[str]:
    return [code for entry in entries for code in (entry.code, entry.was) if code]


def _wrong_uses(document: CatalogDocument, entry: ModuleEntry, row: Any) -> Iterator[tuple[str, str]]:
    """Yields who would use the module as what it no longer is, and what that is."""
    features = Feature.objects.exclude(code__in=_told(document.features)).distinct()
    offers = Offer.objects.exclude(code__in=_told(document.offers())).filter(module=row)
    tiers = Tier.objects.exclude(code__in=_told(document.tiers))
    markers = SiteMarker.objects.exclude(solution__code__in=_told(document.solutions))
    if entry.type != "site":
        users = [
            *features.filter(Q(site_module=row) | Q(choices__site_module=row)).values_list("code", flat=True),
            *markers.filter(module=row).values_list("solution__code", flat=True),
            *offers.filter(scope="site").values_list("code", flat=True),
        ]
        yield from ((user, "a site module") for user in users)
    if entry.type != "user":
        users = [
            *features.filter(Q(user_module=row) | Q(choices__user_module=row)).values_list("code", flat=True),
            *tiers.filter(user_marker=row).values_list("code", flat=True),
            *offers.filter(scope="user").values_list("code", flat=True),
        ]
        yield from ((user, "a user module") for user in users)
    elif entry.hidden:
        yield from ((user, "visible") for user in offers.filter(scope="user").values_list("code", flat=True))
