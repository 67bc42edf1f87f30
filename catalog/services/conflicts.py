"""What a document says that the catalog at hand can't become: every fault, at the line that says it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from django.db.models import Q

from catalog.document import CatalogDocument, Fault, FeatureEntry, ModuleEntry
from catalog.models import Feature, Module, Offer, SiteMarker, Tier, Version, VersionFeature

MODULE_TYPES: Final = {"site": Module.Type.SITE, "satellite": Module.Type.SATELLITE, "user": Module.Type.USER}


def find_conflicts(document: CatalogDocument) -> list[Fault]:
    """Returns what the catalog holds for good and the document would change, and modules that would no longer suit."""
    return list(chain(_published_features(document), _offer_types(document), _module_uses(document)))


def _published_features(document: CatalogDocument) -> Iterator[Fault]:
    """Kind, rule, unit and counting stay as first published; choices keep their order, and none goes (F-4)."""
    published = set(VersionFeature.objects.order_by().values_list("feature_id", flat=True).distinct())
    rows = {row.code: row for row in Feature.objects.prefetch_related("choices").order_by() if row.pk in published}
    for entry in document.features:
        row = rows.get(entry.code)
        if row is None:
            continue
        for name in ("kind", "rule", "unit", "counts"):
            was, now = getattr(row, name), getattr(entry, name)
            if was != now:
                message = f"A published version names this feature, so its {name} stays {was!r}, not {now!r}."
                yield Fault.at(entry.place, message)
            if row.kind != entry.kind:
                break  # what follows from another kind need not be told
        if row.kind == entry.kind == "level":
            yield from _published_choices(entry, row)


def _published_choices(entry: FeatureEntry, row: Any) -> Iterator[Fault]:
    choices = [choice.code for choice in entry.choices]
    if choices == [choice.code for choice in row.choices.all()]:
        return
    version: Any = Version.objects.filter(published_features__feature=row).order_by("-published_at", "-pk").first()
    published = [choice["code"] for choice in version.content["features"][entry.code]["choices"]]
    if published != [code for code in choices if code in published]:
        order = " < ".join(published)
        yield Fault.at(entry.place, f"{version} is published with the choices {order}: they stay, in this order.")


def _offer_types(document: CatalogDocument) -> Iterator[Fault]:
    types = dict(Offer.objects.values_list("code", "type"))
    for entry in document.offers():
        if types.get(entry.code, entry.type) != entry.type:
            held = "a plan" if entry.type == "addon" else "an add-on"
            yield Fault.at(entry.place, f"{entry.code!r} is {held} already, and stays one.")


def _module_uses(document: CatalogDocument) -> Iterator[Fault]:
    """Modules whose type or visibility changes though a published version, or others in the catalog, rely on it."""
    rows = {row.full_name: row for row in Module.objects.select_related("owner")}
    for entry in document.modules:
        row = rows.get(entry.code)
        if row is None or (row.type, row.hidden) == (MODULE_TYPES[entry.type], entry.hidden):
            continue
        shipping = Version.objects.frozen().filter(content__modules__has_key=entry.code)
        if row.type != MODULE_TYPES[entry.type] and shipping.exists():
            held = Module.Type(row.type).label
            yield Fault.at(entry.place, f"A published version ships this module, so it stays a {held} module.")
            continue
        for user, needed in _wrong_uses(document, entry, row):
            yield Fault.at(entry.place, f"{user!r} needs it to be {needed}.")


def _wrong_uses(document: CatalogDocument, entry: ModuleEntry, row: Any) -> Iterator[tuple[str, str]]:
    """Yields who would use the module as what it no longer is, and what that is."""
    features = Feature.objects.exclude(code__in=[feature.code for feature in document.features]).distinct()
    offers = Offer.objects.exclude(code__in=[offer.code for offer in document.offers()]).filter(module=row)
    tiers = Tier.objects.exclude(code__in=[tier.code for tier in document.tiers])
    markers = SiteMarker.objects.exclude(solution__code__in=[solution.code for solution in document.solutions])
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
