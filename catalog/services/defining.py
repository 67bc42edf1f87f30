"""What a catalog document defines, made rows: owners, modules, tiers, solutions, groups, features, plans, add-ons.

Rows are written in bulk, thousands of them in seconds, so `full_clean` (several queries a row) is not called: the
document was checked as a whole, `clean_fields` and the database's constraints stand behind it.

A rehearsal goes the same way and saves nothing: afterwards the rows in memory are what writing would have made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from catalog.document import BadDocument, CatalogDocument, Entry, Fault, FeatureEntry, OfferEntry, SolutionEntry
from catalog.document.ordering import place
from catalog.models import (
    Feature,
    FeatureGroup,
    LevelChoice,
    Module,
    Offer,
    Owner,
    SiteMarker,
    Solution,
    Tier,
)
from catalog.services.conflicts import MODULE_TYPES

Row = Any
ChoiceWords = tuple[str, str, str | None, str | None]  # code, name, site module, user module


@dataclass(slots=True)
class Change:
    """A row that was created or changed: which fields, from what, to what."""

    kind: str
    code: str
    is_new: bool
    fields: dict[str, list[object]]

    @property
    def verb(self) -> str:
        """What happened to the row: created, renamed or changed."""
        return "created" if self.is_new else "renamed" if self.former else "changed"

    @property
    def former(self) -> str:
        """The code that the row had before (a module's full name); empty when it has kept it."""
        was, _ = self.fields.get("name" if self.kind == "module" else "code", (None, None))
        if self.is_new or was is None:
            return ""
        return f"{self.code.partition('.')[0]}.{was}" if self.kind == "module" else str(was)


class Definitions:
    """Writes a document's definitions, or rehearses that, and remembers what it changed."""

    def __init__(self, document: CatalogDocument, *, is_rehearsal: bool = False) -> None:
        self.document = document
        self.is_rehearsal = is_rehearsal
        self._changes: dict[tuple[str, str], Change] = {}
        self.owners = {row.code: row for row in Owner.objects.all()}
        self.modules = {row.full_name: row for row in Module.objects.select_related("owner", "prerequisite__owner")}
        self.tiers = {row.code: row for row in Tier.objects.select_related("user_marker__owner")}
        self.solutions = {row.code: row for row in Solution.objects.all()}
        self.groups = {row.code: row for row in FeatureGroup.objects.all()}
        self.features = {row.code: row for row in self._read_features()}
        self.offers = {row.code: row for row in Offer.objects.select_related("tier", "module__owner")}
        # What hangs on the rows, by the codes of the day:
        self.markers: dict[str, dict[str, str]] = {}  # solution → tier → module
        self.choices: dict[str, list[ChoiceWords]] = {}  # feature → from lowest to highest
        self.covered: dict[str, set[str]] = {}  # plan → solutions

    def _read_features(self) -> Iterator[Row]:
        """Yields features with the rows they name: those that are here already, as thousands name the same ones."""
        groups = {row.pk: row for row in self.groups.values()}
        modules = {row.pk: row for row in self.modules.values()}
        for row in Feature.objects.all():
            row.group = groups[row.group_id]
            row.site_module, row.user_module = modules.get(row.site_module_id), modules.get(row.user_module_id)
            yield row

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(self._changes.values())

    def renames(self, *kinds: str) -> dict[str, str]:
        """Returns the codes that rows of these kinds have by now, by the code that each had before."""
        return {change.former: change.code for change in self.changes if change.kind in kinds and change.former}

    def write(self) -> None:
        """Creates and updates all rows. Raises BadDocument for what only the models know to be wrong."""
        document = self.document
        self._rename()
        self._read_details()
        self._write("owner", Owner, document.owners, self.owners, lambda entry: {"license_url": entry.license_url})
        self._write_modules()
        self._write_tiers()
        self._write_placed("solution", Solution, document.solutions, self.solutions, _described)
        for entry in document.solutions:
            self._write_markers(entry)
        self._write_placed("feature_group", FeatureGroup, document.groups, self.groups, lambda entry: {})
        self._write_features()
        self._write_offers()

    def _rename(self) -> None:
        """Finds rows that have another code by now under it, so that they are changed and no new ones made."""
        document = self.document
        sections: tuple[tuple[Iterable[Entry], dict[str, Row]], ...] = (
            (document.modules, self.modules),
            (document.tiers, self.tiers),
            (document.solutions, self.solutions),
            (document.groups, self.groups),
            (document.features, self.features),
            (document.offers(), self.offers),
        )
        for entries, held in sections:
            for entry in entries:
                if entry.was in held and entry.code not in held:
                    held[entry.code] = held.pop(entry.was)

    def _read_details(self) -> None:
        names = {row.pk: name for name, row in self.modules.items()}
        solutions = {row.pk: code for code, row in self.solutions.items()}
        tiers = {row.pk: code for code, row in self.tiers.items()}
        features = {row.pk: code for code, row in self.features.items()}
        offers = {row.pk: code for code, row in self.offers.items()}
        for solution, tier, module in SiteMarker.objects.order_by().values_list("solution", "tier", "module"):
            self.markers.setdefault(solutions[solution], {})[tiers[tier]] = names[module]
        fields = ("feature", "code", "name", "site_module", "user_module")
        for feature, code, name, site, user in LevelChoice.objects.order_by("rank").values_list(*fields):
            self.choices.setdefault(features[feature], []).append((code, name, names.get(site), names.get(user)))
        for offer, solution in Offer.solutions.through.objects.values_list("offer", "solution"):
            self.covered.setdefault(offers[offer], set()).add(solutions[solution])

    # ── One kind after the other ────────────────────────────────────────────

    def _write_modules(self) -> None:
        entries = self.document.modules
        self._write(
            "module",
            Module,
            entries,
            self.modules,
            lambda entry: {
                "owner": self.owners[entry.owner],
                "type": MODULE_TYPES[entry.type],
                "description": entry.description,
                "tooltip": entry.tooltip,
                "hidden": entry.hidden,
                "unrestricted": entry.unrestricted,
                "sort_order": entry.sort,
            },
            key=lambda entry: {"name": entry.name},
        )
        # Prerequisites come second, when all modules have a row.
        self._write(
            "module",
            Module,
            entries,
            self.modules,
            lambda entry: {"prerequisite": self.modules[entry.requires] if entry.requires else None},
            key=lambda entry: {},
        )

    def _write_tiers(self) -> None:
        entries = self.document.tiers
        moving = [e.code for e in entries if e.code in self.tiers and self.tiers[e.code].rank != e.rank]
        taken = {row.rank for row in self.tiers.values()} | {entry.rank for entry in entries}
        free = (rank for rank in range(32_767, -1, -1) if rank not in taken)
        for code, rank in zip(moving, free, strict=False):  # ranks are unique at every instant, so tiers step aside
            if not self.is_rehearsal:
                Tier.objects.filter(pk=self.tiers[code].pk).update(rank=rank)
        self._write(
            "tier",
            Tier,
            entries,
            self.tiers,
            lambda entry: {"rank": entry.rank, "user_marker": self._module(entry.user_marker)},
        )

    def _write_markers(self, entry: SolutionEntry) -> None:
        solution = self.solutions[entry.code]
        was, now = self.markers.get(entry.code, {}), dict(entry.site_markers)
        if was == now:
            return
        self._note("solution", entry.code, {"site_markers": [was, now]})
        self.markers[entry.code] = now
        if not self.is_rehearsal:
            solution.site_markers.all().delete()
            SiteMarker.objects.bulk_create(
                SiteMarker(solution=solution, tier=self.tiers[tier], module=self.modules[module])
                for tier, module in now.items()
            )

    def _write_features(self) -> None:
        self._write_placed("feature", Feature, self.document.features, self.features, self._feature_fields)
        self._write_choices()

    def _feature_fields(self, entry: FeatureEntry) -> dict[str, Any]:
        return {
            "description": entry.description,
            "group": self.groups[entry.group],
            "kind": entry.kind,
            "rule": entry.rule,
            "unit": entry.unit,
            "counts": entry.counts,
            "resets": entry.resets,
            "site_module": self._module(entry.site),
            "user_module": self._module(entry.user),
            "read_only_without_seat": entry.read_only_without_seat,
        }

    def _write_choices(self) -> None:
        stale: list[int] = []
        new: list[LevelChoice] = []
        for entry in self.document.features:
            feature = self.features[entry.code]
            was = self.choices.get(entry.code, [])
            now = [(choice.code, choice.name, choice.site, choice.user) for choice in entry.choices]
            if was == now:
                continue
            self._note("feature", entry.code, {"choices": [was, now]})
            self.choices[entry.code] = now
            stale.append(feature.pk)
            new += [
                LevelChoice(feature=feature, code=choice.code, name=choice.name, rank=rank, **self._carriers(choice))
                for rank, choice in enumerate(entry.choices, 1)
            ]
        if not self.is_rehearsal:
            LevelChoice.objects.filter(feature__in=stale).delete()
            LevelChoice.objects.bulk_create(new)

    def _carriers(self, choice: Any) -> dict[str, Row]:
        return {"site_module": self._module(choice.site), "user_module": self._module(choice.user)}

    def _write_offers(self) -> None:
        entries = list(self.document.offers())
        self._free_modules(entries)
        self._write_placed(
            "offer",
            Offer,
            entries,
            self.offers,
            lambda entry: {
                **_described(entry),
                "type": entry.type,
                "for_sale": entry.for_sale,
                "scope": entry.scope,
                "tier": self.tiers[entry.tier] if entry.tier else None,
                "module": self._module(entry.module),
            },
        )
        for entry in entries:
            offer = self.offers[entry.code]
            was = self.covered.get(entry.code, set())
            if was != set(entry.solutions):
                self._note("offer", entry.code, {"solutions": [sorted(was), sorted(entry.solutions)]})
                self.covered[entry.code] = set(entry.solutions)
                if not self.is_rehearsal:
                    offer.solutions.set([self.solutions[code] for code in entry.solutions])

    def _free_modules(self, entries: Sequence[OfferEntry]) -> None:
        """Takes modules from the offers that give them to one another; the database allows each to one at a time."""
        wanted = {entry.code: entry.module for entry in entries}
        names = {row.pk: name for name, row in self.modules.items()}
        for code, module in wanted.items():
            row = self.offers.get(code)
            held = names.get(row.module_id) if row else None
            if row and held and held != module and held in wanted.values():
                if not self.is_rehearsal:
                    Offer.objects.filter(pk=row.pk).update(for_sale=False, module=None)
                self._note("offer", code, {"module": [held, module]})
                row.for_sale, row.module = False, None

    # ── One row after the other ─────────────────────────────────────────────

    def _write_placed(
        self,
        kind: str,
        model: type[Model],
        entries: Sequence[Any],
        held: dict[str, Row],
        fields: Callable[[Any], dict[str, Any]],
    ) -> None:
        """Writes rows that have a position: the order of the file."""
        before = {code: row.position for code, row in held.items()}
        positions = place([entry.code for entry in entries], before)
        named = {entry.code for entry in entries}
        pushed = [code for code in before if code not in named and positions[code] != before[code]]
        for code in pushed:
            held[code].position = positions[code]
        manager: Any = model._default_manager
        if not self.is_rehearsal:
            manager.bulk_update([held[code] for code in pushed], ["position"])
        self._write(kind, model, entries, held, lambda entry: fields(entry) | {"position": positions[entry.code]})

    def _write(
        self,
        kind: str,
        model: type[Model],
        entries: Iterable[Any],
        held: dict[str, Row],
        fields: Callable[[Any], dict[str, Any]],
        key: Callable[[Any], dict[str, Any]] = lambda entry: {"code": entry.code, "name": entry.name},
    ) -> None:
        """Creates or updates the row of each entry so that it has `key` and `fields`; adds new rows to `held`."""
        new: list[Row] = []
        changed: list[Row] = []
        touched: set[str] = set()
        for entry in entries:
            wanted = key(entry) | fields(entry)
            row = held.get(entry.code)
            if row is None:
                row = held[entry.code] = model(**wanted)
                new.append(row)
                self._note(kind, entry.code, {name: [None, _spell(value)] for name, value in wanted.items()}, True)
            else:
                differing = {name: value for name, value in wanted.items() if getattr(row, name) != value}
                if not differing:
                    continue
                self._note(
                    kind, entry.code, {n: [_spell(getattr(row, n)), _spell(value)] for n, value in differing.items()}
                )
                for name, value in differing.items():
                    setattr(row, name, value)
                changed.append(row)
                touched |= set(differing)
            self._clean(row, entry)
        manager: Any = model._default_manager
        if self.is_rehearsal:
            return
        manager.bulk_create(new)
        if touched:
            manager.bulk_update(changed, sorted(touched))

    def _clean(self, row: Row, entry: Entry) -> None:
        checked = [field.name for field in row._meta.fields if field.is_relation or field.choices]  # by the reader
        try:
            row.clean_fields(exclude=checked)
        except ValidationError as error:
            texts = [f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items()]
            raise BadDocument([Fault.at(entry.place, text) for text in texts]) from error

    def _note(self, kind: str, code: str, fields: dict[str, list[object]], is_new: bool = False) -> None:
        if kind == "offer":
            kind = self.offers[code].type
        change = self._changes.setdefault((kind, code), Change(kind, code, is_new, {}))
        change.fields |= fields

    def _module(self, full_name: str | None) -> Row:
        return self.modules[full_name] if full_name else None


def _described(entry: Any) -> dict[str, Any]:
    return {"description": entry.description}


def _spell(value: Any) -> Any:
    """Returns a value as the audit trail tells it: rows by their codes."""
    if isinstance(value, Module):
        return value.full_name
    return getattr(value, "code", value) if isinstance(value, Model) else value
