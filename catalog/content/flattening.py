"""From a draft to the content that publishing freezes. Pure; rules V-1 to V-4 of docs/rules.md.

The nearest definition of a feature wins: an own grant is at depth 0, what an included version gives at its depth + 1.
Siblings (equally near) that differ are a fault; equal ones count as the first include's. What grants nothing is left
out. Module attributes and the place of features are those of the day; tier markers are computed, never inherited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from catalog.content.drafts import DraftFacts, TierFacts
from catalog.content.rules import CONTENT_RULES, DRAFT_RULES
from catalog.content.shape import FeatureContent, IncludeContent, ModuleContent, OfferContent, Role, VersionContent
from catalog.errors import PublishFault
from catalog.kinds import BadValue


def flatten(draft: DraftFacts) -> tuple[dict[str, Any] | None, list[PublishFault]]:
    """Returns the content that publishing `draft` would freeze and no faults, or None and everything that is wrong."""
    content, faults = assemble(draft)
    return (content.to_json() if content is not None else None), faults


def assemble(draft: DraftFacts) -> tuple[VersionContent | None, list[PublishFault]]:
    """Returns what `flatten` does, as typed views.

    While an include has nothing published, what follows from the whole content is not judged: it isn't known yet.
    """
    faults = [fault for rule in DRAFT_RULES for fault in rule(draft)]
    features = _merge_features(draft, faults)
    content = _assemble(draft, features)
    if not draft.missing_includes:
        faults += [fault for rule in CONTENT_RULES for fault in rule(draft, content)]
    return (None, faults) if faults else (content, [])


def outline(draft: DraftFacts) -> VersionContent:
    """Returns what the draft comes to as far as can be told, faults or not: for those who look, never to be frozen."""
    return _assemble(draft, _merge_features(draft, []))


Claim = tuple[FeatureContent, str]  # a grant, and how its source is called


def _merge_features(draft: DraftFacts, faults: list[PublishFault]) -> dict[str, FeatureContent]:
    """Returns, per feature code, the grant that wins, if it grants anything; adds what can't be decided to `faults`."""
    claims: dict[str, list[Claim]] = defaultdict(list)
    for claim in (*_own_claims(draft, faults), *_inherited_claims(draft)):
        claims[claim[0].code].append(claim)
    winners: dict[str, FeatureContent] = {}
    for code, rivals in sorted(claims.items()):
        if len(rivals) == 1:
            if rivals[0][0].definition.behaviour.grants(rivals[0][0].value):
                winners[code] = rivals[0][0]
            continue
        depth = min(grant.depth for grant, _ in rivals)
        nearest, *siblings = (claim for claim in rivals if claim[0].depth == depth)
        differing = ((sibling, difference(nearest[0], sibling[0])) for sibling in siblings)
        faults += [_conflict(nearest, sibling, what) for sibling, what in differing if what]
        if nearest[0].definition.behaviour.grants(nearest[0].value):
            winners[code] = nearest[0]
    return winners


def _own_claims(draft: DraftFacts, faults: list[PublishFault]) -> Iterator[Claim]:
    for grant in draft.grants:
        definition = grant.definition
        try:
            value = definition.behaviour.parse(grant.raw, definition.choice_codes)
        except BadValue as fault:
            faults.append(PublishFault("bad_value", f"features.{definition.code}", f"{definition.name}: {fault}"))
            continue
        position = draft.positions.get(definition.code, 0)
        yield FeatureContent(definition, value, draft.offer.code, None, 0, position), draft.offer.code


def _inherited_claims(draft: DraftFacts) -> Iterator[Claim]:
    for include in draft.includes:
        if include.content is None or include.version is None:
            continue
        for feature in include.content.features.values():
            position = draft.positions.get(feature.code, feature.position)
            yield feature.inherited(include.version, position), include.label


def difference(one: FeatureContent, other: FeatureContent) -> str:
    """Returns in words what two grants of a feature differ in, or nothing."""
    if one.definition != other.definition:
        was, now = one.definition.to_json(), other.definition.to_json()
        return "in " + ", ".join(name.replace("_", " ") for name in was if was[name] != now[name])
    return "" if one.value == other.value else f"({one.shown} and {other.shown})"


def _conflict(one: Claim, other: Claim, what: str) -> PublishFault:
    (grant, source), (_, rival) = one, other
    return PublishFault(
        "sibling_conflict",
        f"features.{grant.code}",
        f"{grant.definition.name}: {source} and {rival} are equally near and differ {what}. "
        "Grant the feature here to decide, or make them the same.",
    )


def _assemble(draft: DraftFacts, features: Mapping[str, FeatureContent]) -> VersionContent:
    tier = _effective_tier(draft)
    offer = replace(draft.offer, tier=tier.code, tier_name=tier.name) if tier else draft.offer
    modules = _ship(draft, features, _markers(offer, tier))
    return VersionContent(
        offer=offer,
        module=draft.module,
        modules=modules,
        set_names=_set_names(draft, modules),
        features=features,
        includes=tuple(IncludeContent(i.code, i.version) for i in draft.includes if i.version is not None),
        needs=tuple(sorted(other.code for other in draft.needs)),
        excludes=tuple(sorted(other.code for other in draft.excludes)),
        max_quantity=draft.max_quantity,
    )


def _effective_tier(draft: DraftFacts) -> TierFacts | None:
    """Returns the own tier; for a plan without one, the highest among what it includes."""
    if draft.offer.tier is not None or draft.offer.type != "plan":
        return draft.tiers.get(draft.offer.tier or "")
    contents = (include.content for include in draft.includes if include.content is not None)
    tiers = (draft.tiers.get(content.offer.tier or "") for content in contents)
    return max((tier for tier in tiers if tier), key=lambda tier: tier.rank, default=None)


def _markers(offer: OfferContent, tier: TierFacts | None) -> list[str]:
    if tier is None or offer.type != "plan":
        return []
    sites = [tier.site_markers[solution] for solution in offer.solutions if solution in tier.site_markers]
    return [*([tier.user_marker] if tier.user_marker else []), *sites]


def _ship(draft: DraftFacts, features: Mapping[str, FeatureContent], markers: list[str]) -> dict[str, ModuleContent]:
    """Returns every module the version ships, by name. An extra module stays one, even if a feature names it too."""
    known = _known_modules(draft)
    roles: dict[str, Role] = dict.fromkeys(markers, "marker")
    roles |= {name: "feature" for feature in features.values() for name in feature.module_names}
    roles |= dict.fromkeys([*_inherited_extras(draft), *draft.extra_modules], "extra")
    if draft.module is not None:
        roles[draft.module] = "own"
    return {name: replace(known[name], role=role) for name, role in sorted(roles.items())}


def _known_modules(draft: DraftFacts) -> dict[str, ModuleContent]:
    """Returns the modules of the catalog and, behind them, what included versions still know of former ones."""
    contents = (include.content for include in reversed(draft.includes) if include.content is not None)
    former = {name: module for content in contents for name, module in content.modules.items()}
    return former | dict(draft.modules)


def _inherited_extras(draft: DraftFacts) -> list[str]:
    contents = (include.content for include in draft.includes if include.content is not None)
    return [name for content in contents for name, module in content.modules.items() if module.role == "extra"]


def _set_names(draft: DraftFacts, modules: Mapping[str, ModuleContent]) -> tuple[str, ...]:
    """Returns the hidden user modules of the own owner, as `set=` lists them; what is for a whole site has no set."""
    if draft.offer.scope == "site":
        return ()
    inside = [
        module
        for module in modules.values()
        if module.is_user_module and module.hidden and module.role != "own" and module.owner == draft.own_owner
    ]
    return tuple(module.name for module in sorted(inside, key=lambda module: (module.sort_order, module.name)))
