"""What the entries of a catalog may refer to, and the words for what they may not. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Final

from catalog.document.entries import FeatureEntry, ModuleEntry, OfferType, Place
from catalog.document.faults import Faults
from catalog.document.nodes import Node
from catalog.targets import TIER, tier_target

CODE: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\Z")
OWNER: Final = re.compile(r"[A-Z0-9]+\Z")
MODULE: Final = re.compile(r"[a-z0-9](?:[a-z0-9 -]*[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class KnownModule:
    type: str
    hidden: bool
    requires: str | None


@dataclass(frozen=True, slots=True)
class KnownFeature:
    kind: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownOffer:
    type: OfferType
    module: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What a catalog holds already, for files that are a part of one: they may refer to it. Modules by full name."""

    owners: frozenset[str] = frozenset()
    modules: Mapping[str, KnownModule] = field(default_factory=dict)
    tiers: Mapping[str, int] = field(default_factory=dict)  # code → rank
    solutions: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    features: Mapping[str, KnownFeature] = field(default_factory=dict)
    offers: Mapping[str, KnownOffer] = field(default_factory=dict)


NOTHING: Final = Known()


class Names:
    """Everything that can be named. A name that stands for None is known, but nothing follows from it: faults do."""

    def __init__(self, known: Known, own_owner: str, faults: Faults) -> None:
        self.own_owner = own_owner
        self.faults = faults
        self.are_complete = True  # false when a file couldn't be read: what is unknown may stand there
        self.owners = set(known.owners)
        self.modules: dict[str, KnownModule | None] = dict(known.modules)
        self.tiers = set(known.tiers)
        self.solutions = set(known.solutions)
        self.groups = set(known.groups)
        self.features: dict[str, KnownFeature | None] = dict(known.features)
        self.offers: dict[str, KnownOffer | None] = dict(known.offers)  # None: in the files

    def full_name(self, word: str) -> str:
        """Returns `owner.module` of a module's name; a bare name means the own owner."""
        owner, dot, name = word.partition(".")
        return f"{owner.lower()}.{name}" if dot else f"{self.own_owner.lower()}.{word}"

    def find(self, node: Node | None, kind: str, among: Collection[str]) -> str | None:
        """Returns the code at `node` when it is one of those; None otherwise, with a fault unless there is no node."""
        word = node.word() if node else None
        return word if node and word is not None and self.knows(node, kind, word, among) else None

    def knows(self, node: Node, kind: str, word: str, among: Collection[str]) -> bool:
        """Whether `word` is one of those. If not, that is a fault (unless it may stand in a file nobody could read)."""
        if word not in among and self.are_complete:
            self.faults.add(node.place, f"There is no {kind} {word!r}.{self.faults.similar(word, among)}")
        return word in among

    def find_all(self, nodes: Iterable[Node], kind: str, among: Collection[str]) -> tuple[str, ...]:
        return tuple(self._once((node, self.find(node, kind, among)) for node in nodes))

    def find_targets(self, nodes: Iterable[Node]) -> tuple[str, ...]:
        """Returns what rules name: plans and add-ons by code, tiers as `tier:CODE` (rule E-1)."""
        tiers = {tier_target(code) for code in self.tiers}

        def find(node: Node) -> str | None:
            word = node.word()
            if word is None:
                return None
            kind, among = ("tier", tiers) if word.startswith(TIER) else ("plan or add-on", self.offers)
            return word if self.knows(node, kind, word, among) else None

        return tuple(self._once((node, find(node)) for node in nodes))

    def module(self, node: Node | None, wanted: str = "") -> str | None:
        """Returns the full name of the module at `node`, of the type `wanted` if any; None otherwise, with a fault."""
        word = node.word() if node else None
        if node is None or word is None:
            return None
        full_name = self.full_name(word)
        if full_name not in self.modules:
            if self.are_complete:
                names = {name.removeprefix(f"{self.own_owner.lower()}.") for name in self.modules}
                self.faults.add(node.place, f"There is no module {word!r}.{self.faults.similar(word, names)}")
            return None
        module = self.modules[full_name]
        if wanted and module is not None and module.type != wanted:
            self.faults.add(node.place, f"{word!r} is a {module.type} module; here a {wanted} module is needed.")
        return full_name

    def all_modules(self, nodes: Iterable[Node]) -> tuple[str, ...]:
        return tuple(self._once((node, self.module(node)) for node in nodes))

    def _once(self, found: Iterable[tuple[Node, str | None]]) -> Iterator[str]:
        seen: set[str] = set()
        for node, name in found:
            if name is None:
                continue
            if name in seen:
                self.faults.add(node.place, f"{name!r} is listed twice.")
            else:
                seen.add(name)
                yield name

    def add_module(self, entry: ModuleEntry) -> None:
        self.modules[entry.code] = KnownModule(entry.type, entry.hidden, entry.requires)

    def add_feature(self, entry: FeatureEntry) -> None:
        self.features[entry.code] = KnownFeature(entry.kind, tuple(choice.code for choice in entry.choices))


def check_cycles(edges: Mapping[str, Iterable[str]], places: Mapping[str, Place], verb: str, faults: Faults) -> None:
    """Faults every chain of `edges` that comes back to where it began, once, at the first of its places."""
    left = {name: set(targets) for name, targets in edges.items()}
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            chain = list(reversed(error.args[1]))  # each member has an edge to the next one; the last is the first
            at = min((places[name] for name in chain if name in places), key=lambda place: (place.file, place.line))
            faults.add(at, f"This goes round in a circle: {f' {verb} '.join(chain)}.")
            left[chain[0]].discard(chain[1])
        else:
            return
