"""Drafts whose base was superseded are rebased, kept or begun again. Rules V-32 to V-34 of docs/rules.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from catalog.content import Merge, Says, Side, merge
from catalog.errors import BaseIsCurrent, RebaseUndecided, Said
from catalog.models import Version
from catalog.services import drafting
from catalog.services.locking import lock_draft
from catalog.services.publishing import superseding
from customers.actor import Actor
from customers.errors import Invalid

_SIDES: Final = ("mine", "theirs")


@dataclass(frozen=True, slots=True)
class Rebase:
    """What rebasing a draft on `newer` would come to."""

    newer: Version
    merge: Merge


def says(version: Any) -> dict[str, Said]:
    """Returns what a version says by itself, before anything is included: path → value."""
    said: dict[str, Said] = {
        f"grants.{row.feature.code}": "unlimited" if row.unlimited else row.value
        for row in version.grants.select_related("feature")
    }
    said |= {f"includes.{row.offer.code}": True for row in version.includes.select_related("offer")}
    modules = version.extra_modules.select_related("module__owner")
    said |= {f"extra_modules.{row.module.full_name}": True for row in modules}
    said |= {f"rules.{row.names}": row.verb for row in version.rules.select_related("offer", "tier")}
    if version.max_quantity is not None:
        said["max_quantity"] = version.max_quantity
    return said


def preview_rebase(*, version: Version) -> Rebase | None:
    """Returns what rebasing the draft would take over and what is to be decided; None when its base is current."""
    newer = superseding(version)
    if newer is None:
        return None
    base = says(version.base) if version.base is not None else {}
    return Rebase(newer, merge(base, says(newer), says(version)))


@transaction.atomic
def rebase(*, version: Version, choices: Mapping[str, Side], actor: Actor, at: datetime) -> Version:
    """Returns the draft, begun from the newest version as it were: it takes over what only that one changed.

    `choices` says per conflict (its path) whether `mine` (the draft's) or `theirs` stays. Raises VersionFrozen,
    DraftGone, BaseIsCurrent, RebaseUndecided with the conflicts left, or Invalid for choices that make no sense.
    """
    draft = lock_draft(version)
    found = preview_rebase(version=draft)
    if found is None:
        raise BaseIsCurrent(draft.offer.code)
    _check(choices, found)
    undecided = [conflict for conflict in found.merge.conflicts if conflict.path not in choices]
    if undecided:
        raise RebaseUndecided(draft.offer.code, undecided)
    _write(draft, found.merge.resolve(choices), actor, at)
    return _stand_on(draft, found.newer, actor, at, dict(choices))


@transaction.atomic
def keep_as_drafted(*, version: Version, actor: Actor, at: datetime) -> Version:
    """Returns the draft, saying what it said: nothing of what was published since its base is taken over.

    For whoever goes back to an older version on purpose. A draft whose base is current stays as it is. Raises
    VersionFrozen or DraftGone.
    """
    draft = lock_draft(version)
    newer = superseding(draft)
    return draft if newer is None else _stand_on(draft, newer, actor, at, {})


@transaction.atomic
def begin_again(*, version: Version, actor: Actor, at: datetime, reason: str = "") -> Version:
    """Returns a new draft that says what was published last; the old one is discarded.

    Raises VersionFrozen or DraftGone.
    """
    offer = version.offer
    drafting.discard_draft(version=version, actor=actor, at=at, reason=reason)
    return drafting.draft_from(offer=offer, actor=actor, at=at)


def _check(choices: Mapping[str, Side], found: Rebase) -> None:
    known = {conflict.path for conflict in found.merge.conflicts}
    faults = [
        {"field": f"choices.{path}", "message": f"Nothing is to be decided about {path!r}."}
        for path in choices
        if path not in known
    ]
    faults += [
        {"field": f"choices.{path}", "message": f"{path!r}: it is mine or theirs, not {side!r}."}
        for path, side in choices.items()
        if side not in _SIDES
    ]
    if faults:
        raise Invalid(" ".join(fault["message"] for fault in faults), faults)


def _write(draft: Version, said: Says, actor: Actor, at: datetime) -> None:
    who: Any = {"version": draft, "actor": actor, "at": at}
    drafting.set_includes(codes=_below(said, "includes"), **who)
    drafting.set_extra_modules(names=_below(said, "extra_modules"), **who)
    drafting.set_grants(grants=_below(said, "grants"), **who)
    rules = _below(said, "rules")
    drafting.set_rules(
        needs=[code for code, verb in rules.items() if verb == "needs"],
        excludes=[code for code, verb in rules.items() if verb == "excludes"],
        **who,
    )
    most = said.get("max_quantity")
    drafting.update_draft(max_quantity=most if isinstance(most, int) else None, **who)


def _below(said: Says, part: str) -> dict[str, Said]:
    """Returns what is said about one part: code → value."""
    return {path.removeprefix(f"{part}."): value for path, value in said.items() if path.startswith(f"{part}.")}


def _stand_on(draft: Version, newer: Version, actor: Actor, at: datetime, choices: dict[str, Side]) -> Version:
    """Makes `newer` the draft's base; who does so has worked on it."""
    current = lock_draft(draft)
    changes: dict[str, Any] = {"base": [str(current.base or ""), str(newer)]}
    changes |= {f"kept.{path}": side for path, side in choices.items()}
    current.base = newer
    current.full_clean()
    current.save(update_fields=["base"])
    return drafting.record_edit(current, changes, actor, at, "draft.rebased")
