"""The catalog as code: files are read, made definitions and drafts, and the drafts published. All of it, or nothing.

Rules K-1 to K-12 of docs/catalog.md. What the files don't name is left alone; applying them twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from textwrap import shorten
from typing import Any, Final, Literal

from django.conf import settings
from django.db import transaction

from catalog.content import Diff, FeatureChange, digest, flatten
from catalog.document import (
    BadDocument,
    CatalogDocument,
    Fault,
    OfferEntry,
)
from catalog.errors import PublishFault, PublishingNeedsReview, PublishRefused
from catalog.models import Offer, Version
from catalog.services import drafting, publishing, rebasing
from catalog.services.collecting import without_collecting
from catalog.services.conflicts import find_conflicts
from catalog.services.defining import Change, Definitions
from catalog.services.exporting import Statement, statements
from catalog.services.mapping import catalog_facts, draft_facts
from customers.actor import Actor
from customers.audit import Event, record_all

_MOST_NAMES: Final = 4  # in a changelog line written for somebody who wrote none
_NO_NEWS: Final = "Other words or modules; the features are the same."


@dataclass(frozen=True, slots=True)
class OfferOutcome:
    """What became of a plan or add-on: its draft was begun or edited, or published as `number`."""

    code: str
    action: Literal["drafted", "edited", "published"]
    number: int | None
    features: int


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What applying a document changed: definitions (rows), and per plan or add-on its draft or version."""

    changes: tuple[Change, ...]
    offers: tuple[OfferOutcome, ...]

    @property
    def is_empty(self) -> bool:
        return not self.changes and not self.offers


@without_collecting()
@transaction.atomic
def apply_document(
    document: CatalogDocument, *, actor: Actor, publish: bool, at: datetime, changelog: str = ""
) -> ApplyResult:
    """Returns what changed, once the catalog says what the document says; with `publish` its drafts are published too.

    Without `changelog` each version says in its line what is new. Raises BadDocument with all faults, those that keep a
    draft from being published included, or PublishingNeedsReview; then nothing has changed.
    """
    if publish and settings.FOUR_EYES and Offer.objects.exists():
        raise PublishingNeedsReview()
    conflicts = find_conflicts(document)
    if conflicts:
        raise BadDocument(conflicts)
    definitions = Definitions(document)
    definitions.write()
    record_all(
        actor=actor,
        at=at,
        events=[
            Event(f"{change.kind}.{change.verb}", change.kind, change.code, change.fields)
            for change in definitions.changes
        ],
    )
    drafts = _Drafts(definitions.offers, actor, at, changelog)
    outcomes = drafts.make(in_order(document), publish=publish)
    if drafts.faults:
        raise BadDocument(drafts.faults)
    return ApplyResult(definitions.changes, tuple(outcomes))


def in_order(document: CatalogDocument) -> list[OfferEntry]:
    """Returns the offers so that each comes after those it includes and, unless they need each other, needs."""
    entries = {entry.code: entry for entry in document.offers()}
    edges: dict[str, tuple[str, ...]] = {code: (*entry.includes, *entry.needs) for code, entry in entries.items()}
    try:
        order = list(TopologicalSorter(edges).static_order())
    except CycleError:
        order = list(TopologicalSorter({code: entry.includes for code, entry in entries.items()}).static_order())
    return [entries[code] for code in order if code in entries]


def taking_effect(newest: Any, at: datetime) -> datetime:
    """Returns when a version that follows `newest` (none: the first) takes effect: now, but never before that one."""
    return at if newest is None else max(at, newest.effective_from)


class _Drafts:
    """Makes the drafts of offers say what a document says, and publishes them; what can't be goes into `faults`."""

    def __init__(self, offers: dict[str, Any], actor: Actor, at: datetime, changelog: str) -> None:
        self.faults: list[Fault] = []
        self._offers = offers
        self._actor = actor
        self._at = at
        self._changelog = changelog
        self._failed: set[str] = set()
        self._catalog = catalog_facts()

    def make(self, entries: Iterable[OfferEntry], *, publish: bool) -> list[OfferOutcome]:
        """Returns what became of each offer that changed. `entries` come in the order of publishing."""
        outcomes: list[OfferOutcome] = []
        for entry in entries:
            if self._failed.isdisjoint(entry.includes):
                outcomes += self._make(entry, publish)
            else:
                self._failed.add(entry.code)  # that an include can't be published has been said
        return outcomes

    def _make(self, entry: OfferEntry, publish: bool) -> Iterator[OfferOutcome]:
        offer = self._offers[entry.code]
        newest = offer.versions.frozen().order_by("-number").first()
        draft = offer.versions.drafts().first()
        is_new_draft = draft is None
        is_news = newest is None or self._differs(entry, newest)
        if draft is None:
            if not is_news:
                return
            draft = drafting.draft_from(offer=offer, actor=self._actor, at=self._at)
        held, wanted = _said(draft), Statement.of_entry(entry)
        is_edited = held != wanted
        draft = self._edit(entry, draft, held, wanted)
        if publish and is_news:
            published = self._publish(entry, draft, taking_effect(newest, self._at))
            if published is not None:
                yield OfferOutcome(entry.code, "published", published.number, len(published.content["features"]))
        elif is_new_draft or is_edited:
            yield OfferOutcome(entry.code, "drafted" if is_new_draft else "edited", None, len(entry.grants))

    def _differs(self, entry: OfferEntry, newest: Any) -> bool:
        """Whether publishing what the entry says would freeze anything but what `newest` did."""
        if _said(newest) != Statement.of_entry(entry):
            return True
        facts = draft_facts(newest, at=taking_effect(newest, self._at), catalog=self._catalog)
        content, _ = flatten(replace(facts, changelog="The same as before."))
        return content is None or digest(content) != newest.digest

    def _edit(self, entry: OfferEntry, draft: Version, held: Statement, wanted: Statement) -> Version:
        who: dict[str, Any] = {"actor": self._actor, "at": self._at}
        if held.includes != wanted.includes:
            draft = drafting.set_includes(version=draft, codes=entry.includes, **who)
        if held.extra_modules != wanted.extra_modules:
            draft = drafting.set_extra_modules(version=draft, names=entry.extra_modules, **who)
        if held.grants != wanted.grants:
            draft = drafting.set_grants(version=draft, grants=dict(entry.grants), **who)
        if (held.needs, held.excludes) != (wanted.needs, wanted.excludes):
            draft = drafting.set_rules(version=draft, needs=entry.needs, excludes=entry.excludes, **who)
        if held.max_quantity != wanted.max_quantity:
            draft = drafting.update_draft(version=draft, max_quantity=entry.max_quantity, **who)
        return draft

    def _publish(self, entry: OfferEntry, draft: Any, moment: datetime) -> Any:
        """Returns the published version, or None when the draft has faults."""
        try:
            if not draft.changelog and draft.offer.versions.frozen().exists():
                draft = self._write_changelog(draft, moment)
            draft = rebasing.keep_as_drafted(version=draft, actor=self._actor, at=self._at)  # the file says it all
            return publishing.publish(
                version=draft, actor=self._actor, at=self._at, effective_from=moment, four_eyes=False
            )
        except PublishRefused as refusal:
            self._failed.add(entry.code)
            self.faults += [_fault_in(entry, fault) for fault in refusal.faults]
            return None

    def _write_changelog(self, draft: Version, moment: datetime) -> Version:
        line = self._changelog
        if not line:
            draft.changelog = _NO_NEWS  # or the preview would miss it
            preview = publishing.preview(version=draft, at=moment)
            line = _news(preview.diff) if preview.diff else _NO_NEWS
        return drafting.update_draft(version=draft, changelog=line, actor=self._actor, at=self._at)


def _said(version: Version) -> Statement:
    return statements([version])[version.pk]


def _news(changes: Diff) -> str:
    """Returns a changelog line for those who wrote none: `Adds Sales guide; raises Dashboards.`"""
    verbs = {"adds": changes.added, "raises": changes.raised, "lowers": changes.lowered, "removes": changes.removed}
    parts = [f"{verb} {_names(features)}" for verb, features in verbs.items() if features]
    line = "; ".join(parts)
    return f"{line[0].upper()}{line[1:]}." if line else _NO_NEWS


def _names(features: tuple[FeatureChange, ...]) -> str:
    names = [shorten(feature.name, 60) for feature in features[:_MOST_NAMES]]
    more = len(features) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _fault_in(entry: OfferEntry, fault: PublishFault) -> Fault:
    place = replace(entry.place, path=f"{entry.place.path}.{fault.path}")
    return Fault.at(place, fault.message)
