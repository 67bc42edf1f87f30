"""Catalog files → a CatalogDocument, or all their faults at once. Pure.

Sections are read in the order in which they name one another, whatever files they stand in, so that every reference is
checked where it is read. docs/catalog.md describes the format for those who write it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

from catalog.document.entries import (
    CatalogDocument,
    ChoiceEntry,
    FeatureEntry,
    GroupEntry,
    ModuleEntry,
    ModuleType,
    OfferEntry,
    OfferType,
    OwnerEntry,
    Place,
    SolutionEntry,
    TierEntry,
)
from catalog.document.faults import Fault, Faults
from catalog.document.names import CODE, MODULE, NOTHING, OWNER, Known, Names, check_cycles
from catalog.document.nodes import Node, Record, Source, compose
from catalog.document.renames import Former, beside, read_renames
from catalog.kinds import KINDS, BadValue, Kind, Value
from catalog.reserved import reserved_module, reserved_owner

FORMAT: Final = 1
HEADER: Final = "planarium-catalog"
SECTIONS: Final = ("owners", "modules", "tiers", "solutions", "groups", "features", "plans", "add_ons")
MODULE_TYPES: Final = ("site", "user", "satellite")
COUNTS: Final = ("call", "user", "customer")
RESETS: Final = ("calendar_month", "contract_month")
SCOPES: Final = ("site", "user")

# How long each text may be, and how large each number: what the database holds.
CODE_LENGTH: Final = 64
OWNER_LENGTH = MODULE_LENGTH = 239
LABEL_LENGTH: Final = 254  # names of owners, descriptions and tooltips of modules
NAME_LENGTH: Final = 100
FEATURE_NAME_LENGTH: Final = 200
UNIT_LENGTH: Final = 40
DESCRIPTION_LENGTH: Final = 10_000
LARGEST_RANK: Final = 32_767
LARGEST_NUMBER: Final = 2_147_483_647


def parse(
    sources: Sequence[Source], *, own_owner: str, known: Known = NOTHING, unread: Sequence[Fault] = ()
) -> CatalogDocument:
    """Returns what the files say together. Raises BadDocument with every fault in them.

    `own_owner` is the owner whose modules need no prefix; `known` is what the catalog at hand holds already; `unread`
    tells of further files that nobody could read.
    """
    faults = Faults([source.name for source in sources], unread)
    names = Names(known, own_owner.upper(), faults)
    names.are_complete = not unread
    reading = _Reading(names)
    for source in sources:
        root = compose(source, faults)
        if root is None:
            names.are_complete = False
        else:
            reading.open_file(Node(Place(source.name, 1, 1, ""), root, faults))
    document = reading.document(known)
    faults.check()
    return document


class _Reading:
    def __init__(self, names: Names) -> None:
        self.names = names
        self.faults = names.faults
        self.sections: dict[str, dict[str, Record]] = {section: {} for section in SECTIONS}
        self.former: Former = {}

    def open_file(self, root: Node) -> None:
        record = Record(root)
        header = record.get(HEADER, required=True)
        if header and header.value() != FORMAT:
            self.faults.add(header.place, f"This program reads {HEADER}: {FORMAT}.")
        for section in SECTIONS:
            for code, node in record.pairs(section):
                self._define(section, code, node)
        record.finish()

    def _define(self, section: str, word: str, node: Node) -> None:
        """Takes note of an entry, so that others may refer to it before it is read."""
        code = self.names.full_name(word) if section == "modules" else word
        problem = _code_problem(section, code)
        if problem:
            self.faults.add(node.place, f"{word!r} can't be a code here. {problem}")
            return
        for other in beside(section):
            first = self.sections[other].get(code)
            if first is not None:
                self.faults.add(
                    node.place, f"{word!r} is defined twice; first in {first.place.file}, line {first.place.line}."
                )
                return
        self.sections[section][code] = Record(node)

    def document(self, known: Known) -> CatalogDocument:
        names, sections = self.names, self.sections
        self.former = read_renames(sections, names, known)
        names.owners |= set(sections["owners"])
        names.modules |= dict.fromkeys(sections["modules"])
        names.tiers |= set(sections["tiers"])
        names.solutions |= set(sections["solutions"])
        names.groups |= set(sections["groups"])
        names.features |= dict.fromkeys(sections["features"])
        names.offers |= dict.fromkeys([*sections["plans"], *sections["add_ons"]])
        document = CatalogDocument(
            owners=tuple(self._owners()),
            modules=tuple(self._modules()),
            tiers=tuple(self._tiers(known)),
            solutions=tuple(self._solutions()),
            groups=tuple(self._groups()),
            features=tuple(self._features()),
            plans=tuple(self._plans()),
            add_ons=tuple(self._add_ons()),
        )
        self._check_offers(document)
        return document

    def _records(self, section: str) -> Iterator[tuple[str, Record]]:
        for code, record in self.sections[section].items():
            yield code, record
            record.finish()

    def _owners(self) -> Iterator[OwnerEntry]:
        for code, record in self._records("owners"):
            url = record.text("license_url", LABEL_LENGTH)
            if url and not url.startswith(("https://", "http://")):
                self.faults.add(record.place, f"license_url is a web address, not {url!r}.")
            yield OwnerEntry(record.place, code, record.name(LABEL_LENGTH), url)

    def _modules(self) -> Iterator[ModuleEntry]:
        requires: dict[str, list[str]] = {}
        unknown_owners: set[str] = set()
        for code, record in self._records("modules"):
            owner, _, name = code.partition(".")
            if owner.upper() not in self.names.owners | unknown_owners and self.names.are_complete:
                unknown_owners.add(owner.upper())  # say it once, not for each of its modules
                self.faults.add(record.place, f"There is no owner {owner.upper()!r}; define it under `owners`.")
            type_ = record.one_of("type", MODULE_TYPES)
            prerequisite = record.get("requires")
            required = self.names.module(prerequisite)
            if prerequisite and required and required.partition(".")[0] != owner:
                self.faults.add(prerequisite.place, "A prerequisite is a module of the same owner.")
            entry = ModuleEntry(
                place=record.place,
                code=code,
                owner=owner.upper(),
                name=name,
                type=cast("ModuleType", type_),
                description=record.name(LABEL_LENGTH, "description"),
                tooltip=record.text("tooltip", LABEL_LENGTH),
                hidden=record.flag("hidden", False),
                unrestricted=record.flag("unrestricted", False),
                requires=required,
                sort=record.number("sort", 0, LARGEST_NUMBER) or 0,
                was=self._was("modules", code),
            )
            if type_ is not None:
                self.names.add_module(entry)
            requires[code] = [required] if required else []
            yield entry
        others = {name: [module.requires] for name, module in self.names.modules.items() if module and module.requires}
        check_cycles(others | requires, self._places("modules"), "requires", self.faults)

    def _places(self, *sections: str) -> dict[str, Place]:
        return {code: record.place for section in sections for code, record in self.sections[section].items()}

    def _was(self, section: str, code: str) -> str:
        return self.former.get(section, {}).get(code, "")

    def _tiers(self, known: Known) -> Iterator[TierEntry]:
        told = {*self.sections["tiers"], *self.former.get("tiers", {}).values()}
        ranks = {rank: code for code, rank in known.tiers.items() if code not in told}
        for code, record in self._records("tiers"):
            name = record.name(NAME_LENGTH)
            rank = record.get("rank", required=True)
            number = rank.number(0, LARGEST_RANK) if rank else 0
            if rank and ranks.setdefault(number, code) != code:
                self.faults.add(rank.place, f"The tier {ranks[number]!r} has rank {number} already.")
            marker = self.names.module(record.get("user_marker"), "user")
            yield TierEntry(record.place, code, name, number, marker, was=self._was("tiers", code))

    def _solutions(self) -> Iterator[SolutionEntry]:
        for code, record in self._records("solutions"):
            markers = []
            for tier, node in record.pairs("site_markers"):
                module = self.names.module(node, "site")
                if self.names.knows(node, "tier", tier, self.names.tiers) and module is not None:
                    markers.append((tier, module))
            description = record.text("description", DESCRIPTION_LENGTH, lines=True)
            name = record.name(NAME_LENGTH)
            was = self._was("solutions", code)
            yield SolutionEntry(record.place, code, name, description, tuple(markers), was=was)

    def _groups(self) -> Iterator[GroupEntry]:
        for code, record in self._records("groups"):
            yield GroupEntry(record.place, code, record.name(NAME_LENGTH), was=self._was("groups", code))

    def _features(self) -> Iterator[FeatureEntry]:
        for code, record in self._records("features"):
            word = record.one_of("kind", tuple(KINDS), "switch")
            kind = KINDS[word] if word else None
            entry = FeatureEntry(
                place=record.place,
                code=code,
                name=record.name(FEATURE_NAME_LENGTH),
                description=record.text("description", DESCRIPTION_LENGTH, lines=True),
                group=self.names.find(record.get("group", required=True), "group", self.names.groups) or "",
                kind=word or "",
                rule=self._rule(record, kind),
                unit=record.text("unit", UNIT_LENGTH),
                counts=self._counts(record, kind),
                resets=self._resets(record),
                site=self.names.module(record.get("site"), "site"),
                user=self.names.module(record.get("user"), "user"),
                read_only_without_seat=record.flag("read_only_without_seat", True),
                choices=tuple(self._choices(record, kind)),
                was=self._was("features", code),
            )
            if kind is not None:
                self.names.add_feature(entry)
            yield entry

    def _rule(self, record: Record, kind: Kind | None) -> str:
        node = record.get("rule")
        rule = node.word() if node else None
        if node is None or rule is None or kind is None:
            return kind.rules[0] if kind else ""
        if rule not in kind.rules:
            self.faults.add(node.place, f"A {kind.code} is merged by {' or '.join(kind.rules)}, not by {rule!r}.")
        return rule

    def _counts(self, record: Record, kind: Kind | None) -> str:
        if kind is not None and kind.code == "limit":
            return record.one_of("counts", COUNTS) or ""
        for key in ("counts", "unit"):
            node = record.get(key)
            if node and kind:
                self.faults.add(node.place, f"Only a limit has {key!r}; this is a {kind.code}.")
        return ""

    def _resets(self, record: Record) -> str:
        node = record.get("resets")
        counts = record.get("counts")
        if node and (counts is None or counts.word() not in ("user", "customer")):
            self.faults.add(node.place, "Only what is counted per user or per customer starts again.")
            return ""
        return record.one_of("resets", RESETS, "") or ""

    def _choices(self, record: Record, kind: Kind | None) -> Iterator[ChoiceEntry]:
        node = record.get("choices", required=kind is not None and kind.code == "level")
        pairs = (node.pairs() if node else None) or []
        if node and kind and kind.code != "level":
            self.faults.add(node.place, f"Only a level has choices; this is a {kind.code}.")
        elif node and kind and not pairs:
            self.faults.add(node.place, "A level needs at least one choice; write them from lowest to highest.")
        for code, choice in pairs:
            if code == "none":
                self.faults.add(choice.place, '"none" is a reserved word: it says that a user has none of the choices.')
            elif problem := _code_problem("choices", code):
                self.faults.add(choice.place, f"{code!r} can't be a choice. {problem}")
            inner = Record(choice)
            site = self.names.module(inner.get("site"), "site")
            user = self.names.module(inner.get("user"), "user")
            yield ChoiceEntry(choice.place, code, inner.name(NAME_LENGTH), site, user)
            inner.finish()

    def _plans(self) -> Iterator[OfferEntry]:
        for code, record in self._records("plans"):
            yield self._offer(code, record, "plan")

    def _add_ons(self) -> Iterator[OfferEntry]:
        for code, record in self._records("add_ons"):
            yield self._offer(code, record, "addon")

    def _offer(self, code: str, record: Record, type_: OfferType) -> OfferEntry:
        is_plan = type_ == "plan"
        scope = "user" if is_plan else record.one_of("scope", SCOPES)
        needs, excludes = (self.names.find_targets(record.items(key)) for key in ("needs", "excludes"))
        entry = OfferEntry(
            place=record.place,
            code=code,
            type=type_,
            name=record.name(NAME_LENGTH),
            description=record.text("description", DESCRIPTION_LENGTH, lines=True),
            for_sale=record.flag("for_sale", True),
            scope=scope or "",
            solutions=self._solutions_of(record) if is_plan else (),
            tier=self.names.find(record.get("tier"), "tier", self.names.tiers) if is_plan else None,
            module=self._own_module(record, scope),
            includes=self.names.find_all(record.items("includes"), "plan", self._plan_codes()),
            extra_modules=self.names.all_modules(record.items("extra_modules")),
            grants=tuple(self._grants(record)),
            needs=needs,
            excludes=excludes,
            max_quantity=None if is_plan else record.number("max_quantity", 1, LARGEST_NUMBER),
            was=self._was("plans" if is_plan else "add_ons", code),
        )
        if entry.for_sale:
            self._check_for_sale(record, is_plan)
        for other in dict.fromkeys((*needs, *excludes)):
            if other == code or (other in needs and other in excludes):
                why = "that is itself" if other == code else "it says both"
                self.faults.add(record.place, f"It can't need or exclude {other!r}: {why}.")
        return entry

    def _check_for_sale(self, record: Record, is_plan: bool) -> None:
        if record.get("module") is None:
            self.faults.add(record.place, "What is for sale needs a module of its own; or say `for_sale: false`.")
        if is_plan and not record.items("solutions"):
            self.faults.add(record.place, "A plan for sale covers at least one solution.")

    def _plan_codes(self) -> set[str]:
        known = {code for code, offer in self.names.offers.items() if offer and offer.type == "plan"}
        return known | set(self.sections["plans"])

    def _solutions_of(self, record: Record) -> tuple[str, ...]:
        return self.names.find_all(record.items("solutions"), "solution", self.names.solutions)

    def _own_module(self, record: Record, scope: str | None) -> str | None:
        node = record.get("module")
        full_name = self.names.module(node, scope or "")
        module = self.names.modules.get(full_name or "")
        if node and module and scope == "user" and module.hidden:
            self.faults.add(node.place, "This module is hidden, so nobody could be given it.")
        return full_name

    def _grants(self, record: Record) -> Iterator[tuple[str, Value]]:
        for code, node in record.pairs("features"):
            self.names.knows(node, "feature", code, self.names.features)
            feature = self.names.features.get(code)
            if feature is None:
                continue
            raw = node.word() if feature.kind == "level" else node.value()
            try:
                if raw is not None:
                    yield code, KINDS[feature.kind].parse(raw, feature.choices)
            except BadValue as fault:
                self.faults.add(node.place, str(fault))

    def _check_offers(self, document: CatalogDocument) -> None:
        """Faults what only all plans and add-ons together show: two with one module, circles of includes."""
        taken: dict[str, str] = {}
        for code, offer in self.names.offers.items():
            if offer and offer.module:
                taken[offer.module] = code
        includes = {}
        for entry in document.offers():
            includes[entry.code] = list(entry.includes)
            if entry.module and taken.setdefault(entry.module, entry.code) != entry.code:
                self.faults.add(entry.place, f"{taken[entry.module]!r} has the module {entry.module!r} already.")
        check_cycles(includes, self._places("plans", "add_ons"), "includes", self.faults)


def _code_problem(section: str, code: str) -> str:
    """Returns what is wrong with a code, in words; nothing when it is good."""
    if section == "owners":
        good, longest = bool(OWNER.match(code)), OWNER_LENGTH
        shape = "Use upper-case letters and digits only."
    elif section == "modules":
        owner, _, name = code.partition(".")
        good = owner.isascii() and bool(OWNER.match(owner.upper()) and MODULE.match(name))
        longest = len(owner) + 1 + MODULE_LENGTH
        shape = "Use lower-case letters, digits and hyphens; of another owner, `owner.module`."
    else:
        good, longest = bool(CODE.match(code)), CODE_LENGTH
        shape = "Use lower-case letters, digits, dots, hyphens and underscores; begin and end with a letter or digit."
    if len(code) > longest:
        return f"It is too long: {longest} characters at most."
    return (_reserved(section, code) or "") if good else shape


def _reserved(section: str, code: str) -> str | None:
    if section == "owners":
        return reserved_owner(code)
    return reserved_module(code.rpartition(".")[2]) if section == "modules" else None
