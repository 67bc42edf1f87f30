"""All that is sold at an instant, as the rules of plans and add-ons meet it. A constant number of queries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, OuterRef

from catalog.content import FeatureContent, OnShelf, Shelf
from catalog.kinds import Value
from catalog.models import Offer, Tier, Version, VersionFeature

_PARTS: Final = (
    *("offer__code", "number", "content__offer", "content__rules", "content__max_quantity", "content__set"),
)


def read_shelf(at: datetime, *, values_of: Collection[str] = ()) -> Shelf:
    """Returns every plan and add-on with the version that new sales take at `at`, in the order of the catalog.

    `values_of` names the features whose values are wanted. Whether something is for sale at all, and how tiers are
    ranked, is as of today; all else stands in the frozen versions. Four queries, and one more for values.
    """
    said = {row[0]: row[1:] for row in Version.objects.offered(at).order_by().values_list(*_PARTS)}
    tiers = list(Tier.objects.values_list("code", "name", "rank"))
    values = _values(at, values_of) if values_of else {}
    lacks = _why_not(at)
    offers = {}
    for code, type_, name, scope, for_sale in Offer.objects.values_list("code", "type", "name", "scope", "for_sale"):
        why = lacks.get(code, "nothing of it has been published") if code not in said else ""
        known = OnShelf(code, name, type_, scope, lacks=why or ("" if for_sale else "it is not for sale"))
        offers[code] = _with_version(known, said[code], values.get(code, {})) if code in said else known
    return Shelf(
        offers,
        ranks={code: rank for code, _, rank in tiers},
        tier_names={code: name for code, name, _ in tiers},
    )


def _with_version(known: OnShelf, parts: Any, values: Mapping[str, Value]) -> OnShelf:
    number, offer, rules, most, set_names = parts
    return OnShelf(
        code=known.code,
        name=offer["name"],
        type=known.type,
        scope=offer["scope"],
        tier=offer["tier"],
        solutions=tuple(offer["solutions"]),
        needs=tuple(rules["needs"]),
        excludes=tuple(rules["excludes"]),
        most=most,
        lacks=known.lacks,
        version=number,
        values=values,
        set_names=frozenset(set_names),
    )


def _why_not(at: datetime) -> dict[str, str]:
    """Returns why what was published isn't on sale at `at`, for those that it holds of, in words."""
    rows = Version.objects.frozen().order_by("-effective_from").values_list("offer__code", "effective_from", "state")
    found: dict[str, str] = {}
    for code, effective_from, state in rows:  # the earliest to come has the last word, then what is over
        if effective_from > at and state == Version.State.PUBLISHED:
            found[code] = f"it is on sale only from {effective_from:%Y-%m-%d %H:%M} UTC"
        else:
            found.setdefault(code, "all of it was retired")
    return found


def _values(at: datetime, features: Collection[str]) -> dict[str, dict[str, Value]]:
    """Returns, per plan and add-on, what it gives of these features. Others' contents are not read."""
    named = VersionFeature.objects.filter(version=OuterRef("pk"), feature__code__in=list(features))
    rows = Version.objects.offered(at).filter(Exists(named)).order_by().values_list("offer__code", "content__features")
    return {
        code: {name: FeatureContent.from_json(name, frozen[name]).value for name in features if name in frozen}
        for code, frozen in rows
    }
