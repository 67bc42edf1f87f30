"""Single rows of the catalog (owners, modules, solutions, tiers, groups, features, plans, add-ons), edited and audited.

What published versions say never changes by it: they are frozen apart from these rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Model

from catalog.models import Feature, FeatureGroup, LevelChoice, Module, Offer, Owner, SiteMarker, Solution, Tier
from customers.actor import Actor
from customers.audit import record

# How the audit trail calls a row: its kind and its name.
_NAMES: Final[Mapping[type[Model], tuple[str, Callable[[Any], str]]]] = {
    Owner: ("owner", lambda row: str(row.code)),
    Module: ("module", lambda row: str(row.full_name)),
    Solution: ("solution", lambda row: str(row.code)),
    Tier: ("tier", lambda row: str(row.code)),
    SiteMarker: ("site_marker", lambda row: f"{row.solution.code}.{row.tier.code}"),
    FeatureGroup: ("feature_group", lambda row: str(row.code)),
    Feature: ("feature", lambda row: str(row.code)),
    LevelChoice: ("level_choice", lambda row: f"{row.feature.code}.{row.code}"),
}


@transaction.atomic
def save_row(*, row: Any, actor: Actor, at: datetime) -> None:
    """Saves a new or changed row. Raises ValidationError naming its fields; a row saved unchanged leaves no trace."""
    is_new = row._state.adding
    was = {} if is_new else _spell(type(row)._base_manager.get(pk=row.pk))
    row.full_clean()
    row.save()
    changes = {name: [was.get(name), value] for name, value in _spell(row).items() if was.get(name) != value}
    if is_new or changes:
        _audit(row, "created" if is_new else "changed", actor, at, changes)


@transaction.atomic
def delete_row(*, row: Any, actor: Actor, at: datetime) -> None:
    """Deletes a row. Raises ProtectedError when something hangs on it."""
    _audit(row, "deleted", actor, at, {name: [value, None] for name, value in _spell(row).items()})
    row.delete()


@transaction.atomic
def set_solutions(*, offer: Any, solutions: Iterable[Solution], actor: Actor, at: datetime) -> None:
    """Makes `solutions` what a plan or add-on covers from its next version on."""
    wanted = list(solutions)
    was, now = (sorted(row.code for row in rows) for rows in (offer.solutions.all(), wanted))
    if was != now:
        offer.solutions.set(wanted)
        _audit(offer, "changed", actor, at, {"solutions": [was, now]})


def _spell(row: Any) -> dict[str, Any]:
    """Returns the row's fields as the audit trail tells them: rows it points to by their own name."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    values = {field.name: getattr(row, field.name) for field in fields}
    return {name: str(value) if isinstance(value, Model) else value for name, value in values.items()}


def _audit(row: Any, what: str, actor: Actor, at: datetime, changes: Mapping[str, Any]) -> None:
    if isinstance(row, Offer):
        kind, code = str(row.type), row.code
    else:
        kind, name_of = _NAMES[type(row)]
        code = name_of(row)
    record(actor=actor, action=f"{kind}.{what}", object_type=kind, object_code=code, changes=changes, at=at)
