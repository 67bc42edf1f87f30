"""What applying files would change, without writing anything; and applying just that, or nothing.

Definitions are rehearsed (`Definitions`), and every plan and add-on is flattened in memory as its publication would
flatten it. Queries are a constant number, whatever the files say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from datetime import datetime
from typing import Any, Literal

from django.conf import settings
from django.db import transaction

from catalog.content import (
    Diff,
    DraftFacts,
    Finding,
    GrantFacts,
    OfferContent,
    OnShelf,
    OtherOffer,
    Shelf,
    TermChange,
    VersionContent,
    assemble,
    diff,
    lint,
    outline,
)
from catalog.document import BadDocument, CatalogDocument, OfferEntry
from catalog.errors import CatalogChangedSince, PublishFault
from catalog.kinds import UNLIMITED, Value
from catalog.models import Offer, Version
from catalog.services.applying import ApplyResult, apply_document, in_order, taking_effect
from catalog.services.collecting import without_collecting
from catalog.services.conflicts import find_conflicts
from catalog.services.defining import Change, Definitions
from catalog.services.exporting import Statement, newest_of_each, statements
from catalog.services.mapping import include_graph, published_definitions
from catalog.services.rehearsing import rehearsed_facts
from catalog.targets import tier_target
from customers.actor import Actor

# What becomes of a plan or add-on: its draft is begun or edited; or waits, saying all that already; or nothing of it
# changes, but a publication of what it includes brings a new version of it.
Action = Literal["drafted", "edited", "waiting", "follows"]


@dataclass(frozen=True, slots=True)
class OfferPlan:
    """What applying would do to a plan or add-on, and what publishing it all would then change.

    `base` is the newest published version (empty: there is none), `diff` what a new one would differ in; none while
    `faults` keep it from being published. `edits` are what an existing draft says otherwise now, `warnings` what is odd
    about it beside all else that would be for sale then.
    """

    code: str
    name: str
    type: str
    action: Action
    base: str
    diff: Diff | None
    faults: tuple[PublishFault, ...] = ()
    edits: tuple[TermChange, ...] = ()
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogPlan:
    """What applying would change: definitions, and plans and add-ons."""

    changes: tuple[Change, ...]
    offers: tuple[OfferPlan, ...]
    digest: str = field(default="", compare=False)

    @property
    def is_empty(self) -> bool:
        """Whether `apply` would change nothing."""
        return not self.changes and not any(offer.action in ("drafted", "edited") for offer in self.offers)

    @property
    def is_published(self) -> bool:
        """Whether `apply --publish` would change nothing either."""
        return not self.changes and not self.offers

    def as_text(self, *, indent: int | None = None, **more: object) -> str:
        """Returns the plan, and what else is to be said, as JSON for machines."""
        changes = [
            {"what": change.verb, "kind": change.kind, "code": change.code, "fields": change.fields}
            for change in self.changes
        ]
        told = {**more, "changes": changes, "offers": self.offers}
        return json.dumps(told, indent=indent, ensure_ascii=False, default=_plain)


@without_collecting()
def plan_document(document: CatalogDocument, *, at: datetime) -> CatalogPlan:
    """Returns what applying the document would change. Raises BadDocument. Writes nothing."""
    conflicts = find_conflicts(document)
    if conflicts:
        raise BadDocument(conflicts)
    definitions = Definitions(document, is_rehearsal=True)
    definitions.write()
    plan = CatalogPlan(definitions.changes, tuple(_Planner(document, definitions, at).offers()))
    return replace(plan, digest=hashlib.sha256(plan.as_text().encode()).hexdigest())


@transaction.atomic
def apply_planned(document: CatalogDocument, *, expected: str, actor: Actor, at: datetime) -> ApplyResult:
    """Returns what became drafts. Raises BadDocument, or CatalogChangedSince when the plan isn't `expected`."""
    list(Offer.objects.select_for_update().order_by("pk").values_list("pk"))  # nobody edits a draft meanwhile
    if plan_document(document, at=at).digest != expected:
        raise CatalogChangedSince()
    return apply_document(document, actor=actor, publish=False, at=at)


class _Planner:
    """Goes through a document's plans and add-ons in the order of publishing."""

    def __init__(self, document: CatalogDocument, definitions: Definitions, at: datetime) -> None:
        self._entries = in_order(document)
        self._definitions = definitions
        self._at = at
        self._facts = rehearsed_facts(definitions)
        self._read_versions()
        self._published = published_definitions(None, held=self._rows)
        self._include_graph = include_graph()
        self._next: dict[str, tuple[datetime, OtherOffer]] = {}  # what this plan would publish, by code, and for when
        self._failed: set[str] = set()
        self._shelved: dict[int, OnShelf] = {}  # by id of a content, all of which are kept

    def _read_versions(self) -> None:
        rows = list(Version.objects.defer("content").select_related("offer"))
        frozen = [row for row in rows if row.is_frozen]
        self._frozen = frozen
        codes = {row.pk: code for code, row in self._definitions.offers.items() if row.pk}
        self._newest = {codes[pk]: version for pk, version in newest_of_each(frozen).items()}
        self._drafts = {codes[row.offer_id]: row for row in rows if not row.is_frozen}
        self._said = self._by_new_codes(statements([*self._newest.values(), *self._drafts.values()]))
        moments = {self._moment(version) for version in self._newest.values()} | {self._at}
        self._live = {moment: self._live_at(moment) for moment in moments}
        wanted = {version.pk for live in self._live.values() for version in live.values()}
        wanted |= {version.pk for version in self._newest.values()}
        self._rows = {row.pk: row for row in Version.objects.filter(pk__in=wanted).select_related("offer")}
        self._contents: dict[int, VersionContent] = {}

    def _by_new_codes(self, said: dict[int, Statement]) -> dict[int, Statement]:
        names = self._definitions.renames
        tiers = {tier_target(was): tier_target(code) for was, code in names("tier").items()}
        offers, modules, features = names("plan", "addon") | tiers, names("module"), names("feature")
        if not (offers or modules or features):
            return said
        return {pk: statement.renamed(offers, modules, features) for pk, statement in said.items()}

    def _content(self, version: Version) -> VersionContent:
        """Returns what a version froze; read when it is first asked for, as that takes a while."""
        if version.pk not in self._contents:
            self._contents[version.pk] = VersionContent.from_json(self._rows[version.pk].content)
        return self._contents[version.pk]

    def _moment(self, newest: Version | None) -> datetime:
        return taking_effect(newest, self._at)

    def _live_at(self, at: datetime) -> dict[str, Version]:
        live: dict[str, Version] = {}
        in_effect = [row for row in self._frozen if row.state == "published" and row.effective_from <= at]
        for row in sorted(in_effect, key=lambda row: (row.effective_from, row.number)):
            live[row.offer.code] = row
        return live

    def offers(self) -> Iterator[OfferPlan]:
        planned = [(entry, offer) for entry in self._entries for offer in self._offer(entry)]
        for entry, offer in planned:  # once it is known what all others would be
            yield replace(offer, warnings=tuple(self._warnings(entry)))

    def _offer(self, entry: OfferEntry) -> Iterator[OfferPlan]:
        newest, draft = self._newest.get(entry.code), self._drafts.get(entry.code)
        wanted = Statement.of_entry(entry)
        action = self._action(entry, wanted, newest, draft)
        moment = self._moment(newest)
        news = self._news(moment)
        follows = not (news.keys() | self._failed).isdisjoint(entry.includes)
        if action is None and not follows:
            return
        content, faults = self._publication(entry, newest, self._others(entry, moment) | news)
        if follows or newest is None or self._says(newest) != wanted or not self._is_frozen_in(newest, content):
            self._remember(entry.code, content, newest, moment)
        held = self._content(newest) if newest else None
        yield OfferPlan(
            code=entry.code,
            name=entry.name,
            type=entry.type,
            action=action or "follows",
            base=f"{entry.code} v{newest.number}" if newest else "",
            diff=diff(held, content) if content is not None else None,
            faults=faults,
            edits=tuple(_edits(self._says(draft), wanted)) if draft else (),
        )

    def _action(
        self, entry: OfferEntry, wanted: Statement, newest: Version | None, draft: Version | None
    ) -> Action | None:
        """Returns what `apply` makes of it (rule K-6); None: nothing."""
        is_news = newest is None or self._differs(entry, wanted, newest)
        if draft is None:
            return "drafted" if is_news else None
        if self._says(draft) != wanted:
            return "edited"
        return "waiting" if is_news else None

    def _says(self, version: Version) -> Statement:
        return self._said[version.pk]

    def _differs(self, entry: OfferEntry, wanted: Statement, newest: Version) -> bool:
        if self._says(newest) != wanted:
            return True
        content, _ = assemble(self._draft_facts(entry, self._others(entry, self._moment(newest)), newest))
        return not self._is_frozen_in(newest, content)

    def _is_frozen_in(self, version: Version, content: VersionContent | None) -> bool:
        return content is not None and content.to_json() == self._rows[version.pk].content

    def _publication(
        self, entry: OfferEntry, newest: Version | None, others: Mapping[str, OtherOffer]
    ) -> tuple[VersionContent | None, tuple[PublishFault, ...]]:
        """Returns what publishing would freeze, all that it names being published first; or why it can't be."""
        failed = [code for code in entry.includes if code in self._failed]
        if failed:
            fault = PublishFault("include_has_faults", "includes", f"{', '.join(failed)} can’t be published yet.")
            return None, (fault,)
        content, faults = assemble(self._draft_facts(entry, others, newest))
        return content, tuple(faults)

    def _warnings(self, entry: OfferEntry) -> Iterator[Finding]:
        """Yields what is odd about what the entry would publish, beside all others as they would stand then."""
        newest = self._newest.get(entry.code)
        moment = self._moment(newest)
        others = self._others_of(self._live[moment], moment) | self._news(moment)
        _, mine = self._next.get(entry.code, (moment, OtherOffer(entry.code)))
        content = mine.content or outline(self._draft_facts(entry, others, newest))
        yield from (found for found in lint(content, self._shelf(others)) if found.severity == "warning")

    def _shelf(self, others: Mapping[str, OtherOffer]) -> Shelf:
        """Returns all plans and add-ons as they would stand beside each other."""
        tiers = self._facts.tiers
        return Shelf(
            {code: self._on_shelf(code, row, others.get(code)) for code, row in self._definitions.offers.items()},
            ranks={code: tier.rank for code, tier in tiers.items()},
            tier_names={code: tier.name for code, tier in tiers.items()},
        )

    def _on_shelf(self, code: str, row: Any, other: OtherOffer | None) -> OnShelf:
        content = other.content if other is not None else None
        if content is None:
            return OnShelf(code, row.name, row.type, row.scope, lacks="nothing of it has been published")
        known = self._shelved.get(id(content)) or OnShelf.of_content(content, code=code)
        self._shelved[id(content)] = known
        return known if row.for_sale else replace(known, lacks="it is not for sale")

    def _remember(self, code: str, content: VersionContent | None, newest: Version | None, moment: datetime) -> None:
        if content is None:
            self._failed.add(code)
        else:
            number = (newest.number or 0) + 1 if newest else 1
            self._next[code] = moment, OtherOffer(code, number, content)

    def _news(self, at: datetime) -> dict[str, OtherOffer]:
        """Returns what this plan would publish, as far as it is in effect at `at`."""
        return {code: other for code, (moment, other) in self._next.items() if moment <= at}

    def _others(self, entry: OfferEntry, at: datetime) -> dict[str, OtherOffer]:
        """Returns what the entry names, as it is in effect at `at`."""
        return self._others_of((*entry.includes, *entry.needs, *entry.excludes), at)

    def _others_of(self, codes: Iterable[str], at: datetime) -> dict[str, OtherOffer]:
        live = self._live[at]
        return {code: OtherOffer(code, live[code].number, self._content(live[code])) for code in codes if code in live}

    def _draft_facts(self, entry: OfferEntry, others: Mapping[str, OtherOffer], newest: Version | None) -> DraftFacts:
        rows = self._definitions.offers

        def known(codes: Iterable[str]) -> tuple[OtherOffer, ...]:
            ordered = sorted(codes, key=lambda code: (rows[code].position if code in rows else 0, code))  # or a tier
            return tuple(others.get(code, OtherOffer(code)) for code in ordered)

        return DraftFacts(
            offer=self._offer_content(entry),
            own_owner=settings.OWN_OWNER,
            for_sale=entry.for_sale,
            module=entry.module,
            is_first=newest is None,
            changelog="What the files say.",
            max_quantity=entry.max_quantity,
            grants=tuple(GrantFacts(self._facts.definitions[code], value) for code, value in entry.grants),
            includes=known(entry.includes),
            extra_modules=entry.extra_modules,
            needs=known(entry.needs),
            excludes=known(entry.excludes),
            modules=self._facts.modules,
            counterparts=self._facts.counterparts,
            positions=self._facts.positions,
            tiers=self._facts.tiers,
            published=self._published,
            include_graph=self._include_graph if entry.includes else {},
            shelf=self._shelf(others) if entry.needs or entry.excludes else Shelf(),
        )

    def _offer_content(self, entry: OfferEntry) -> OfferContent:
        solutions = self._definitions.solutions
        tier = self._facts.tiers[entry.tier] if entry.tier else None
        return OfferContent(
            code=entry.code,
            type=entry.type,
            name=entry.name,
            description=entry.description,
            scope=entry.scope,
            solutions=tuple(sorted(entry.solutions, key=lambda code: (solutions[code].position, code))),
            tier=tier.code if tier else None,
            tier_name=tier.name if tier else None,
        )


def _plain(value: Any) -> Any:
    """Returns as JSON knows it what is not."""
    if is_dataclass(value):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return str(value)


def _edits(was: Statement, now: Statement) -> Iterator[TermChange]:
    """Yields what a draft says otherwise now."""
    for name in ("includes", "extra_modules", "needs", "excludes"):
        before, after = getattr(was, name), getattr(now, name)
        if before != after:
            yield TermChange(name, ", ".join(sorted(before)), ", ".join(sorted(after)))
    values = [{code: value for code, _, value in said.grants} for said in (was, now)]
    for code in sorted(values[0].keys() | values[1].keys()):
        spelled = [_spell(said[code]) if code in said else "" for said in values]
        if spelled[0] != spelled[1]:
            yield TermChange(f"features.{code}", *spelled)
    if was.max_quantity != now.max_quantity:
        yield TermChange("max_quantity", *(str(said.max_quantity or "") for said in (was, now)))


def _spell(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unlimited" if value is UNLIMITED else str(value)
