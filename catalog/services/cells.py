"""Saving cells of the matrix: many features of many plans and add-ons in one go. Rules M-4 to M-7 of docs/rules.md.

Whoever saves says what they saw. Where somebody else has recorded something else since, nothing is saved and every such
cell is told; what others changed elsewhere stays as they have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from catalog.errors import CellConflict, CellsChangedSince, ColumnConflict, Said
from catalog.kinds import KINDS, UNLIMITED, BadValue, Unlimited, Value
from catalog.models import Feature, Grant, Offer, Version
from catalog.services.columns import heads
from catalog.services.drafting import draft_from, record_edit
from customers.actor import Actor
from customers.errors import Invalid
from customers.models import AuditEvent

EVENTS_SEARCHED: Final = 1000  # of the trail, for who changed a cell

Raw = bool | int | str | None  # none: no own value


@dataclass(frozen=True, slots=True)
class CellEdit:
    """What a cell's own value was when it was shown, and what it is to be."""

    feature: str
    seen: Raw
    value: Raw


@dataclass(frozen=True, slots=True)
class ColumnEdit:
    """Cells of a plan or add-on; `version` is what was shown (none: it had none), which was a draft, or frozen."""

    offer: str
    version: int | None
    is_draft: bool
    cells: Sequence[CellEdit]


@dataclass(frozen=True, slots=True)
class Saved:
    """How many cells changed, and of which plans and add-ons a draft was begun for it, or taken out of review."""

    cells: int
    begun: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()


@transaction.atomic
def save_cells(*, columns: Sequence[ColumnEdit], actor: Actor, at: datetime) -> Saved:
    """Writes own values into drafts, begins drafts where there are none, and takes those in review back to editing.

    All or nothing. A value equal to what is recorded already is no change, whoever recorded it. Raises Invalid with
    every unknown plan, unknown feature and bad value (`field` is `OFFER.FEATURE`), or CellsChangedSince.
    """
    offers = {
        offer.code: offer
        for offer in Offer.objects.select_for_update()
        .filter(code__in=[column.offer for column in columns])
        .order_by("pk")  # everybody locks in the same order
    }
    codes = {cell.feature for column in columns for cell in column.cells}
    features = {row.code: row for row in Feature.objects.filter(code__in=codes).prefetch_related("choices")}
    wanted = _parse(columns, offers, features)
    versions = heads(offers.values())
    recorded = _recorded(versions, features)
    _demand_unchanged(columns, offers, versions, recorded)
    total, begun, reopened = 0, [], []
    for column in columns:
        offer = offers[column.offer]
        changes = {
            code: value
            for code, value in wanted[column.offer].items()
            if not _same(_spelled(value), recorded.get((offer.pk, code)))
        }
        if not changes:
            continue
        draft = versions.get(offer.pk)
        if draft is None or draft.is_frozen:
            draft = draft_from(offer=offer, actor=actor, at=at)
            begun.append(column.offer)
        else:
            draft.offer = offer
            if draft.state == Version.State.IN_REVIEW:
                reopened.append(column.offer)
        _write(draft, changes, features)
        told = {f"grants.{code}": [recorded.get((offer.pk, code)), _spelled(changes[code])] for code in sorted(changes)}
        record_edit(draft, told, actor, at)
        total += len(changes)
    return Saved(total, tuple(begun), tuple(reopened))


# ── What is asked for ───────────────────────────────────────────────────────
def _parse(
    columns: Sequence[ColumnEdit], offers: Mapping[str, Any], features: Mapping[str, Any]
) -> dict[str, dict[str, Value | None]]:
    """Returns, per plan or add-on, the values wanted; of what is wrong, everything."""
    faults: list[dict[str, str]] = []
    wanted: dict[str, dict[str, Value | None]] = {}
    choices = {code: [choice.code for choice in feature.choices.all()] for code, feature in features.items()}
    for column in columns:
        if column.offer not in offers:
            faults.append(_fault(column.offer, "", f"There is no plan or add-on {column.offer!r}."))
            continue
        values = wanted.setdefault(column.offer, {})
        for cell in column.cells:
            feature = features.get(cell.feature)
            if feature is None:
                faults.append(_fault(column.offer, cell.feature, f"There is no feature {cell.feature!r}."))
                continue
            try:
                values[cell.feature] = (
                    None if cell.value is None else KINDS[feature.kind].parse(cell.value, choices[cell.feature])
                )
            except BadValue as fault:
                faults.append(_fault(column.offer, cell.feature, str(fault)))
    if faults:
        count = len(faults)
        raise Invalid(f"{count} cell{'s' * (count != 1)} can’t be saved as they are. {faults[0]['message']}", faults)
    return wanted


def _fault(offer: str, feature: str, message: str) -> dict[str, str]:
    field = f"{offer}.{feature}" if feature else offer
    return {"field": field, "offer": offer, "feature": feature, "message": message}


# ── What others have done since ─────────────────────────────────────────────
def _recorded(versions: Mapping[int, Version], features: Mapping[str, Any]) -> dict[tuple[int, str], Said]:
    """Returns the own values recorded now, by primary key of the plan or add-on and code of the feature."""
    offers = {version.pk: offer for offer, version in versions.items()}
    wanted = [feature.pk for feature in features.values()]
    grants = Grant.objects.filter(version__in=offers, feature__in=wanted).order_by()
    rows: Iterable[Any] = grants.values_list("version", "feature__code", "value", "unlimited")
    return {(offers[pk], code): "unlimited" if unlimited else value for pk, code, value, unlimited in rows}


def _demand_unchanged(
    columns: Sequence[ColumnEdit],
    offers: Mapping[str, Any],
    versions: Mapping[int, Version],
    recorded: Mapping[tuple[int, str], Said],
) -> None:
    """Raises CellsChangedSince with every cell whose own value is neither as it was seen nor as it is wanted."""
    moved, cells = [], []
    for column in columns:
        offer = offers[column.offer]
        version = versions.get(offer.pk)
        trail = _Trail(offer)
        has_moved = _has_moved(column, version)
        if has_moved:
            event = trail.of_column()
            stage = f"v{version.number}" if version and version.is_frozen else "another draft" if version else "nothing"
            is_draft = version is not None and not version.is_frozen
            moved.append(ColumnConflict(column.offer, version.pk if version else None, is_draft, stage, *_who(event)))
        for cell in column.cells:
            theirs = recorded.get((offer.pk, cell.feature))
            if has_moved or not (_same(theirs, cell.seen) or _same(theirs, cell.value)):
                who = _who(None if _same(theirs, cell.seen) else trail.of_cell(cell.feature))
                cells.append(CellConflict(column.offer, cell.feature, cell.seen, theirs, cell.value, *who))
    if cells or moved:
        raise CellsChangedSince(moved, cells)


def _has_moved(column: ColumnEdit, version: Version | None) -> bool:
    """Whether what was shown is no longer what is edited; a draft begun from the version shown is its continuation."""
    if version is None:
        return column.version is not None
    if version.pk == column.version:
        return column.is_draft == version.is_frozen
    return version.is_frozen or column.is_draft or version.base_id != column.version


class _Trail:
    """The newest events about a plan or add-on, read when somebody asks."""

    _OF_COLUMN = ("draft.begun", "draft.discarded", "draft.rebased", "version.published")

    def __init__(self, offer: Any) -> None:
        self._offer = offer
        self._events: list[Any] | None = None

    def _newest(self) -> Iterator[Any]:
        if self._events is None:
            events = AuditEvent.objects.filter(object_type=self._offer.type, object_code=self._offer.code)
            self._events = list(events.order_by("-at", "-pk")[:EVENTS_SEARCHED])
        yield from self._events

    def of_cell(self, feature: str) -> Any:
        return next((event for event in self._newest() if f"grants.{feature}" in event.changes), None)

    def of_column(self) -> Any:
        return next((event for event in self._newest() if event.action in self._OF_COLUMN), None)


def _who(event: Any) -> tuple[str, datetime | None, str]:
    """Returns who did it, when, and what it was, as far as the trail tells."""
    return (event.actor, event.at, event.action) if event is not None else ("", None, "")


# ── Writing it down ─────────────────────────────────────────────────────────
def _write(draft: Any, changes: Mapping[str, Value | None], features: Mapping[str, Any]) -> None:
    """Makes the own values of the draft those of `changes`. Two queries."""
    Grant.objects.filter(version=draft, feature__in=[features[code].pk for code in changes]).delete()
    Grant.objects.bulk_create(
        Grant(
            version=draft,
            feature=features[code],
            value=None if value is UNLIMITED else value,
            unlimited=value is UNLIMITED,
        )
        for code, value in changes.items()
        if value is not None
    )


def _spelled(value: Value | None) -> Raw:
    return "unlimited" if isinstance(value, Unlimited) else value


def _same(one: Raw, other: Raw) -> bool:
    return (type(one), one) == (type(other), other)  # True is not 1
