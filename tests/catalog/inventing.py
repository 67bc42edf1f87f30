"""Catalogs that nobody would think of: valid documents with odd names, odd texts and every combination of keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from catalog.document import (
    CatalogDocument,
    ChoiceEntry,
    FeatureEntry,
    GroupEntry,
    ModuleEntry,
    OfferEntry,
    OwnerEntry,
    Place,
    SolutionEntry,
    TierEntry,
)
from catalog.kinds import KINDS, UNLIMITED, Value

OWN = "SUPEROFFICE"
HERE = Place("", 1, 1, "")
CODES = ("a", "no", "null", "365", "1.5", "2026-01-01", "0x1f", "on", "x-y", "true", "1_000", "12e3", "b.c", "none-of")
MODULES = ("a", "null", "no", "a b", "0x1f", "z-cal")
WORDS = (
    "yes",
    "null",
    "~",
    "1",
    "- a",
    "a: b",
    "a #b",
    "#a",
    "{a}",
    "[a]",
    "it's",
    '"q"',
    "a:",
    "&a",
    "*a",
    "!a",
    "%a",
)

_PRINTABLE = st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co"), include_characters="\t")
_LINE = st.one_of(st.sampled_from(WORDS), st.text(_PRINTABLE, min_size=1, max_size=20))
lines = _LINE.map(str.strip).filter(bool)
texts = st.one_of(
    st.just(""), lines, st.lists(st.one_of(_LINE, st.just("")), min_size=2, max_size=4).map("\n".join).map(str.strip)
)

Draw = Callable[[st.SearchStrategy[Any]], Any]


def some(among: Sequence[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Returns tuples of different members, in any order."""
    if not among:
        return st.just(())
    return st.lists(st.sampled_from(among), unique=True, max_size=4).map(tuple)


def maybe(among: Sequence[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *among])


codes = st.lists(st.sampled_from(CODES), unique=True, min_size=1, max_size=4)


@st.composite
def catalogs(draw: Draw) -> CatalogDocument:
    """Draws a whole catalog, everything that is named defined."""
    modules = _modules(draw)
    site = [module.code for module in modules if module.type == "site"]
    user = [module.code for module in modules if module.type == "user"]
    tiers = tuple(
        TierEntry(HERE, code, draw(lines), rank, draw(maybe(user))) for rank, code in enumerate(draw(codes), 1)
    )
    tier_codes = [tier.code for tier in tiers]
    solutions = tuple(
        SolutionEntry(HERE, code, draw(lines), draw(texts), _markers(draw, tier_codes, site)) for code in draw(codes)
    )
    groups = tuple(GroupEntry(HERE, code, draw(lines)) for code in draw(codes))
    features = tuple(_feature(draw, code, [group.code for group in groups], site, user) for code in draw(codes))
    named = draw(codes)
    cut = draw(st.integers(0, len(named)))
    free = list(modules)
    offers = []
    for number, code in enumerate(named):
        includes = draw(some(named[: min(number, cut)]))
        others = [other for other in named if other != code]
        is_plan = number < cut
        targets = [*others, *(f"tier:{tier}" for tier in tier_codes)]
        offers.append(_offer(draw, code, is_plan, includes, targets, features, modules, free, tier_codes, solutions))
    return CatalogDocument(
        owners=(OwnerEntry(HERE, OWN, draw(lines), ""), OwnerEntry(HERE, "ACME", "Acme", "https://acme.example/a?b=1")),
        modules=modules,
        tiers=tiers,
        solutions=solutions,
        groups=groups,
        features=features,
        plans=tuple(offers[:cut]),
        add_ons=tuple(offers[cut:]),
    )


def _modules(draw: Draw) -> tuple[ModuleEntry, ...]:
    found: list[ModuleEntry] = []
    for owner in (OWN, "ACME"):
        first = len(found)
        for name in draw(st.lists(st.sampled_from(MODULES), unique=True, max_size=4)):
            found.append(
                ModuleEntry(
                    place=HERE,
                    code=f"{owner.lower()}.{name}",
                    owner=owner,
                    name=name,
                    type=draw(st.sampled_from(["site", "user"])),
                    description=draw(lines),
                    tooltip=draw(st.one_of(st.just(""), lines)),
                    hidden=draw(st.booleans()),
                    unrestricted=draw(st.booleans()),
                    requires=draw(maybe([module.code for module in found[first:]])),
                    sort=draw(st.integers(0, 3)),
                )
            )
    return tuple(found)


def _markers(draw: Draw, tiers: Sequence[str], site: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((tier, draw(st.sampled_from(site))) for tier in draw(some(tiers))) if site else ()


def _feature(draw: Draw, code: str, groups: Sequence[str], site: Sequence[str], user: Sequence[str]) -> FeatureEntry:
    kind = draw(st.sampled_from(sorted(KINDS)))
    steps = draw(codes) if kind == "level" else []
    counts = draw(st.sampled_from(["call", "user", "customer"])) if kind == "limit" else ""
    return FeatureEntry(
        place=HERE,
        code=code,
        name=draw(lines),
        description=draw(texts),
        group=draw(st.sampled_from(groups)),
        kind=kind,
        rule=draw(st.sampled_from(KINDS[kind].rules)),
        unit=draw(st.one_of(st.just(""), lines)) if kind == "limit" else "",
        counts=counts,
        resets=draw(st.sampled_from(["", "calendar_month", "contract_month"]))
        if counts in ("user", "customer")
        else "",
        site=draw(maybe(site)),
        user=draw(maybe(user)),
        read_only_without_seat=draw(st.booleans()),
        choices=tuple(ChoiceEntry(HERE, step, draw(lines), draw(maybe(site)), draw(maybe(user))) for step in steps),
    )


def _value(draw: Draw, feature: FeatureEntry) -> Value:
    if feature.kind == "switch":
        value: Value = draw(st.booleans())
    elif feature.kind == "limit":
        value = draw(st.one_of(st.integers(0, 2**53 - 1), st.just(UNLIMITED)))
    else:
        value = draw(st.sampled_from([choice.code for choice in feature.choices]))
    return value


def _offer(
    draw: Draw,
    code: str,
    is_plan: bool,
    includes: tuple[str, ...],
    targets: Sequence[str],
    features: Sequence[FeatureEntry],
    modules: Sequence[ModuleEntry],
    free: list[ModuleEntry],
    tiers: Sequence[str],
    solutions: Sequence[SolutionEntry],
) -> OfferEntry:
    scope = "user" if is_plan else draw(st.sampled_from(["site", "user"]))
    suiting = [m for m in free if m.type == scope and not (m.hidden and scope == "user")]
    module = draw(maybe(suiting))
    if module is not None:
        free.remove(module)
    covered = draw(some([solution.code for solution in solutions])) if is_plan else ()
    rules = draw(some(targets))
    cut = draw(st.integers(0, len(rules)))
    return OfferEntry(
        place=HERE,
        code=code,
        type="plan" if is_plan else "addon",
        name=draw(lines),
        description=draw(texts),
        for_sale=module is not None and (bool(covered) or not is_plan) and draw(st.booleans()),
        scope=scope,
        solutions=covered,
        tier=draw(maybe(tiers)) if is_plan else None,
        module=module.code if module else None,
        includes=includes,
        extra_modules=draw(some([module.code for module in modules])),
        grants=tuple((feature.code, _value(draw, feature)) for feature in draw(some(features))),
        needs=rules[:cut],
        excludes=rules[cut:],
        max_quantity=None if is_plan else draw(st.one_of(st.none(), st.integers(1, 99))),
    )
