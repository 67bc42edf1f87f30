"""Drafts without a database: what the tests of the pure core draw their stories with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from catalog.content import (
    SITE,
    USER,
    ChoiceContent,
    DraftFacts,
    FeatureDefinition,
    GrantFacts,
    ModuleContent,
    OfferContent,
    OtherOffer,
    TierFacts,
    VersionContent,
    flatten,
)

OWN = "SUPEROFFICE"


def full(name: str) -> str:
    """Returns `owner.module` of one of our own modules."""
    return f"{OWN.lower()}.{name}"


def module(name: str, type: int = USER, **fields: Any) -> ModuleContent:  # noqa: A002 - the field's name
    """Returns a module; a user module is hidden unless it is said to be visible."""
    given: dict[str, Any] = {
        "owner": OWN,
        "description": name,
        "tooltip": "",
        "hidden": type == USER,
        "unrestricted": False,
        "prerequisite": None,
        "sort_order": 0,
        **fields,
    }
    return ModuleContent(name=name, type=type, **given)


def switch(code: str, **fields: Any) -> FeatureDefinition:
    given: dict[str, Any] = {"description": "", "kind": "switch", "rule": "any", **fields}
    return FeatureDefinition(code=code, name=code.capitalize(), group="all", group_name="All", **given)


def limit(code: str, **fields: Any) -> FeatureDefinition:
    return switch(code, kind="limit", **{"rule": "max", "counts": "call", **fields})


def level(code: str, *choices: str | ChoiceContent, **fields: Any) -> FeatureDefinition:
    steps = tuple(c if isinstance(c, ChoiceContent) else ChoiceContent(c, c.capitalize()) for c in choices)
    return switch(code, kind="level", choices=steps, **{"rule": "highest", **fields})


SALES = switch("sales")
MAIL = limit("mail", unit="recipients")
DASHBOARDS = level("dashboards", "charts", "tiles", "custom")

CARRIED = switch("sales", site_module=full("sale"), user_module=full("sale-cal"))
SALE, SALE_CAL = module("sale", SITE, sort_order=3), module("sale-cal", sort_order=2)
USER_MODULE = module("user", sort_order=1)

ESSENTIALS = TierFacts("essentials", "Essentials", 1, full("t1"), {"sales": full("sales-t1")})
PREMIUM = TierFacts("premium", "Premium", 2, full("t2"), {"sales": full("sales-t2"), "service": full("service-t2")})
MARKERS = (
    module("t1", sort_order=90),
    module("t2", sort_order=90),
    *(module(f"{solution}-t{rank}", SITE) for solution in ("sales", "service") for rank in (1, 2)),
)


def plan(
    code: str = "sales",
    grants: Mapping[FeatureDefinition, object] | None = None,
    *,
    modules: Iterable[ModuleContent] = (),
    solutions: tuple[str, ...] = ("sales",),
    tier: TierFacts | None = None,
    scope: str = "user",
    type: str = "plan",  # noqa: A002 - the field's name
    **facts: Any,
) -> DraftFacts:
    """Returns a draft for sale whose own module is `ten-CODE`; a draft with nothing wrong unless told otherwise."""
    own = module(f"ten-{code}", SITE if scope == "site" else USER, hidden=False)
    known = {row.full_name: row for row in (own, *MARKERS, *modules)}
    sold_as = (tier.code, tier.name) if tier else (None, None)
    offer = OfferContent(code, type, code.capitalize(), "", scope, solutions, *sold_as)
    given: dict[str, Any] = {"module": own.full_name, **facts}
    return DraftFacts(
        offer=offer,
        own_owner=OWN,
        grants=tuple(GrantFacts(definition, raw) for definition, raw in (grants or {}).items()),
        modules=known,
        tiers={tier.code: tier for tier in (ESSENTIALS, PREMIUM)},
        positions={definition.code: place for place, definition in enumerate(grants or {})},
        **given,
    )


def frozen(draft: DraftFacts) -> VersionContent:
    """Returns what publishing `draft` freezes; the test fails if it has faults."""
    content, faults = flatten(draft)
    assert faults == []
    assert content is not None
    return VersionContent.from_json(content)


def including(*drafts: DraftFacts | VersionContent, version: int = 1) -> tuple[OtherOffer, ...]:
    """Returns the published `drafts` (all as this version) as another draft includes, needs or excludes them."""
    contents = [draft if isinstance(draft, VersionContent) else frozen(draft) for draft in drafts]
    return tuple(OtherOffer(content.offer.code, version, content) for content in contents)


def faults_of(draft: DraftFacts) -> dict[str, list[str]]:
    """Returns the paths at fault by code; a draft with faults has no content."""
    content, faults = flatten(draft)
    assert (content is None) == bool(faults)
    found: dict[str, list[str]] = {}
    for fault in faults:
        assert fault.message.endswith("."), fault
        found.setdefault(fault.code, []).append(fault.path)
    return found


def knowing(draft: DraftFacts, *modules: ModuleContent) -> DraftFacts:
    """Returns the draft in a catalog that has these modules too (or instead)."""
    return replace(draft, modules={**draft.modules, **{row.full_name: row for row in modules}})
