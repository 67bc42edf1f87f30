"""A CatalogDocument → the text of its file, in one normal form: `write(normalise(document))`. Pure.

It orders what has an order of its own (modules by `sort`, tiers by rank, what a plan lists by where it
stands in the catalog), leaves defaults out, and quotes only what YAML would misread. It knows no comments and no `was`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import yaml

from catalog.document.entries import CatalogDocument, FeatureEntry, ModuleEntry, OfferEntry, SolutionEntry, TierEntry
from catalog.document.reading import FORMAT, HEADER
from catalog.kinds import KINDS, UNLIMITED, Value
from catalog.targets import tier_target

_WIDEST: Final = 120  # of a list on one line
_STEP: Final = "  "

Order = Callable[[str], tuple[int, str]]

# ── One order ───────────────────────────────────────────────────────────────


def normalise(document: CatalogDocument) -> CatalogDocument:
    """Returns the same catalog in normal order. Doing so twice is doing so once."""
    modules = sorted(document.modules, key=lambda module: (module.owner, module.sort, module.name))
    tiers = sorted(document.tiers, key=lambda tier: (tier.rank, tier.code))
    by_module = _order(module.code for module in modules)
    by_tier = _order(tier.code for tier in tiers)
    by_solution = _order(solution.code for solution in document.solutions)
    by_feature = _order(feature.code for feature in document.features)
    by_offer = _order(offer.code for offer in document.offers())
    by_target = _order((*(offer.code for offer in document.offers()), *(tier_target(tier.code) for tier in tiers)))

    def offer_in_order(offer: OfferEntry) -> OfferEntry:
        return replace(
            offer,
            was="",
            solutions=tuple(sorted(offer.solutions, key=by_solution)),
            includes=tuple(sorted(offer.includes, key=by_offer)),
            extra_modules=tuple(sorted(offer.extra_modules, key=by_module)),
            grants=tuple(sorted(offer.grants, key=lambda grant: by_feature(grant[0]))),
            needs=tuple(sorted(offer.needs, key=by_target)),
            excludes=tuple(sorted(offer.excludes, key=by_target)),
        )

    return CatalogDocument(
        owners=tuple(sorted(document.owners, key=lambda owner: owner.code)),
        modules=tuple(replace(module, was="") for module in modules),
        tiers=tuple(replace(tier, was="") for tier in tiers),
        solutions=tuple(
            replace(s, was="", site_markers=tuple(sorted(s.site_markers, key=lambda marker: by_tier(marker[0]))))
            for s in document.solutions
        ),
        groups=tuple(replace(group, was="") for group in document.groups),
        features=tuple(replace(feature, was="") for feature in document.features),
        plans=tuple(map(offer_in_order, document.plans)),
        add_ons=tuple(map(offer_in_order, document.add_ons)),
    )


def _order(codes: Iterable[str]) -> Order:
    """Returns what sorts codes as they stand here; those that don't come last, by name."""
    places = {code: place for place, code in enumerate(codes)}
    return lambda code: (places.get(code, len(places)), code)


# ── Its text ────────────────────────────────────────────────────────────────


def write(document: CatalogDocument, *, own_owner: str) -> str:
    """Returns the file that says what `document` says, as it stands; modules of `own_owner` by their bare names."""
    return "\n".join(_Writer(own_owner).lines(document)) + "\n"


class _Writer:
    def __init__(self, own_owner: str) -> None:
        self._own = f"{own_owner.lower()}."

    def lines(self, document: CatalogDocument) -> Iterator[str]:
        yield f"{HEADER}: {FORMAT}"
        yield from _short("owners", {e.code: {"name": e.name, "license_url": e.license_url} for e in document.owners})
        yield from _short("modules", {self._name(e.code): self._module(e) for e in document.modules})
        yield from _short("tiers", {e.code: self._tier(e) for e in document.tiers})
        yield from _long("solutions", {e.code: self._solution(e) for e in document.solutions})
        yield from _short("groups", {e.code: {"name": e.name} for e in document.groups})
        yield from _long("features", {e.code: self._feature(e) for e in document.features})
        yield from _long("plans", {e.code: self._offer(e) for e in document.plans})
        yield from _long("add_ons", {e.code: self._offer(e) for e in document.add_ons})

    def _name(self, full_name: str) -> str:
        return full_name.removeprefix(self._own)

    def _code(self, full_name: str | None) -> _Code | None:
        return _Code(self._name(full_name)) if full_name else None

    def _module(self, entry: ModuleEntry) -> dict[str, Any]:
        return {
            "type": _Code(entry.type),
            "description": entry.description,
            "tooltip": entry.tooltip,
            "hidden": entry.hidden or None,
            "unrestricted": entry.unrestricted or None,
            "requires": self._code(entry.requires),
            "sort": entry.sort or None,
        }

    def _tier(self, entry: TierEntry) -> dict[str, Any]:
        return {"name": entry.name, "rank": entry.rank, "user_marker": self._code(entry.user_marker)}

    def _solution(self, entry: SolutionEntry) -> dict[str, Any]:
        markers = {tier: self._code(module) for tier, module in entry.site_markers}
        return {"name": entry.name, "description": entry.description, "site_markers": _Flow(markers)}

    def _feature(self, entry: FeatureEntry) -> dict[str, Any]:
        choices = {c.code: _Flow(name=c.name, site=self._code(c.site), user=self._code(c.user)) for c in entry.choices}
        return {
            "name": entry.name,
            "description": entry.description,
            "group": _Code(entry.group),
            "kind": _Code(entry.kind) if entry.kind != "switch" else None,
            "rule": _Code(entry.rule) if entry.rule != KINDS[entry.kind].rules[0] else None,
            "unit": entry.unit,
            "counts": _Code(entry.counts) if entry.counts else None,
            "resets": _Code(entry.resets) if entry.resets else None,
            "site": self._code(entry.site),
            "user": self._code(entry.user),
            "read_only_without_seat": None if entry.read_only_without_seat else False,
            "choices": choices,
        }

    def _offer(self, entry: OfferEntry) -> dict[str, Any]:
        return {
            "name": entry.name,
            "description": entry.description,
            "for_sale": None if entry.for_sale else False,
            "scope": _Code(entry.scope) if entry.type == "addon" else None,
            "solutions": list(map(_Code, entry.solutions)),
            "tier": _Code(entry.tier) if entry.tier else None,
            "module": self._code(entry.module),
            "max_quantity": entry.max_quantity,
            "includes": list(map(_Code, entry.includes)),
            "needs": list(map(_Code, entry.needs)),
            "excludes": list(map(_Code, entry.excludes)),
            "extra_modules": [self._code(name) for name in entry.extra_modules],
            "features": {code: _value(value) for code, value in entry.grants},
        }


class _Code(str):
    """A word that is read as it is written, so that it needs no quotes."""


class _Flow(dict[str, Any]):
    """A mapping that is written on one line."""


def _value(value: Value) -> bool | int | _Code:
    if value is UNLIMITED:
        return _Code("unlimited")
    return value if isinstance(value, bool | int) else _Code(value)


def _short(section: str, entries: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yields a section whose entries take a line each."""
    if entries:
        yield from ("", f"{section}:")
        yield from (f"{_STEP}{code}: {_flow(entry)}" for code, entry in entries.items())


def _long(section: str, entries: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yields a section whose entries take a line for each thing they say."""
    if entries:
        yield from ("", f"{section}:")
        for code, entry in entries.items():
            yield f"{_STEP}{code}:"
            yield from _block(entry, 2)


def _block(entry: Mapping[str, Any], depth: int) -> Iterator[str]:
    indent = _STEP * depth
    for key, value in entry.items():
        if _is_nothing(value):
            continue
        if isinstance(value, dict) and not isinstance(value, _Flow):
            yield f"{indent}{key}:"
            yield from _block(value, depth + 1)
        elif isinstance(value, list):
            yield from _list(f"{indent}{key}:", value, indent + _STEP)
        elif isinstance(value, str) and "\n" in value and not _UNSAFE.search(value):
            yield f"{indent}{key}: |-"
            yield from (f"{indent}{_STEP}{line}" if line else "" for line in value.split("\n"))
        else:
            yield f"{indent}{key}: {_one_line(value)}"


def _list(start: str, items: Sequence[_Code], indent: str) -> Iterator[str]:
    line = f"{start} [{', '.join(_one_line(item) for item in items)}]"
    if len(line) <= _WIDEST:
        yield line
    else:
        yield start
        yield from (f"{indent}- {_one_line(item)}" for item in items)


def _flow(entry: Mapping[str, Any]) -> str:
    said = {key: value for key, value in entry.items() if not _is_nothing(value)}
    return f"{{{', '.join(f'{key}: {_one_line(value, inside=True)}' for key, value in said.items())}}}"


def _is_nothing(value: object) -> bool:
    """Whether leaving it out says the same."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def _one_line(value: Any, *, inside: bool = False) -> str:
    if isinstance(value, _Flow):
        return _flow(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Code):
        return str(value) if value != "null" else '"null"'
    return _text(value, inside=inside) if isinstance(value, str) else str(value)


# ── Text ────────────────────────────────────────────────────────────────────

_UNSAFE: Final = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_PLAIN: Final = re.compile(r"[^\W_](?:[^:#\n]|:(?! |\Z)|(?<! )#)*\Z")
_PLAIN_INSIDE: Final = re.compile(r"[^\W_](?:[^][{},?:#\n]|(?<! )#)*\Z")
_RESOLVER: Final[Any] = yaml.resolver.Resolver()
_STRING: Final = "tag:yaml.org,2002:str"


def _text(text: str, *, inside: bool) -> str:
    """Returns text as YAML on one line: bare where it reads as text, else in quotes."""
    if "\n" in text or _UNSAFE.search(text):
        return f'"{"".join(map(_escaped, text))}"'
    bare = (_PLAIN_INSIDE if inside else _PLAIN).match(text)
    if bare and _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) == _STRING:
        return text
    return "'" + text.replace("'", "''") + "'"


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char == "\n":
        return "\\n"
    if not _UNSAFE.match(char):
        return char
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
