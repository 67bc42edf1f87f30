"""Drafts: beginning, editing and discarding them, handing them in and back. Rules V-17 to V-20 of docs/rules.md.

Every edit locks the plan or add-on, records its editor, and takes a draft that is in review, approved or not, back to
its author. An edit that changes nothing leaves no trace. Offers, features and modules are named by code (a module of
another owner as `owner.module`), so that YAML, forms and the admin call the same functions.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from catalog.errors import AlreadyInReview, DraftExists, ForeignBase, NotFrozen, NotInReview, PublishRefused
from catalog.kinds import KINDS, UNLIMITED, BadValue
from catalog.models import Feature, Grant, Module, Offer, Tier, Version, VersionInclude, VersionModule, VersionRule
from catalog.services.locking import lock_draft, lock_offer
from catalog.services.publishing import check, demand_current_base
from catalog.services.trail import audit
from catalog.targets import tier_of, tier_target
from customers.actor import Actor
from customers.errors import Invalid


class Keep(enum.Enum):
    KEEP = "keep"


KEEP: Final = Keep.KEEP  # says of a field: leave it as it is

# Faults that another draft's publication mends: they don't keep a draft from its review.
_FAULTS_OF_OTHERS: Final = frozenset({"include_not_published"})


# ── A draft's life ──────────────────────────────────────────────────────────


@transaction.atomic
def draft_from(*, offer: Any, actor: Actor, at: datetime, base: Version | None = None) -> Version:
    """Returns a new draft that says what `base` says; without one what was published last, or nothing.

    Raises DraftExists, NotFrozen (the base is a draft itself) or ForeignBase.
    """
    offer = lock_offer(offer)
    if offer.versions.drafts().exists():
        raise DraftExists(offer.code)
    if base is None:
        base = offer.versions.frozen().newest()
    elif base.offer_id != offer.pk:
        raise ForeignBase(str(base), offer.code)
    elif not base.is_frozen:
        raise NotFrozen(str(base), "Draft from a published version.")
    draft = Version(offer=offer, base=base, created_at=at, drafted_by=actor.account)
    draft.max_quantity = base.max_quantity if base else None
    draft.full_clean()
    draft.save()
    if base is not None:
        _copy_rows(base, draft)
    audit(draft, "draft.begun", actor=actor, at=at, changes={"base": str(base) if base else None})
    return draft


def _copy_rows(base: Version, draft: Version) -> None:
    rows: Any
    for rows in (base.grants, base.includes, base.extra_modules, base.rules):
        copies = list(rows.all())
        for row in copies:
            row.pk, row.version = None, draft
        rows.model.objects.bulk_create(copies)


@transaction.atomic
def discard_draft(*, version: Version, actor: Actor, at: datetime, reason: str = "") -> None:
    """Deletes the draft for good. Raises VersionFrozen or DraftGone."""
    draft = lock_draft(version)
    audit(draft, "draft.discarded", actor=actor, at=at, changes={"base": str(draft.base or "")}, reason=reason)
    draft.delete()


@transaction.atomic
def submit(*, version: Version, actor: Actor, at: datetime, comment: str = "") -> Version:
    """Hands the draft in for review. An include that nobody has published yet is no obstacle to that.

    Raises VersionFrozen, DraftGone, AlreadyInReview, BaseSuperseded, or PublishRefused with all other faults.
    """
    draft = lock_draft(version)
    if draft.state == Version.State.IN_REVIEW:
        raise AlreadyInReview(draft.offer.code)
    demand_current_base(draft)
    faults = [fault for fault in check(version=draft, at=at) if fault.code not in _FAULTS_OF_OTHERS]
    if faults:
        raise PublishRefused(draft.offer.code, faults)
    return _move(draft, Version.State.IN_REVIEW, "draft.submitted", actor, at, comment)


@transaction.atomic
def send_back(*, version: Version, actor: Actor, at: datetime, comment: str = "") -> Version:
    """Gives the draft, approved or not, back to its author. Raises VersionFrozen, DraftGone or NotInReview."""
    draft = lock_draft(version)
    if draft.state != Version.State.IN_REVIEW:
        raise NotInReview(draft.offer.code)
    return _move(draft, Version.State.DRAFT, "draft.sent_back", actor, at, comment)


def _move(draft: Any, state: str, action: str, actor: Actor, at: datetime, reason: str = "") -> Version:
    was, draft.state = draft.state, state
    draft.submitted_by = actor.account if state == Version.State.IN_REVIEW else None
    draft.approved_by = draft.approved_at = draft.effective_from = None
    draft.digest = ""
    draft.full_clean()
    draft.save(update_fields=["state", "submitted_by", "approved_by", "approved_at", "effective_from", "digest"])
    audit(draft, action, actor=actor, at=at, changes={"state": [was, state]}, reason=reason)
    moved: Version = draft
    return moved


# ── Editing it ──────────────────────────────────────────────────────────────


@transaction.atomic
def update_draft(
    *,
    version: Version,
    actor: Actor,
    at: datetime,
    changelog: str | Keep = KEEP,
    max_quantity: int | Keep | None = KEEP,
) -> Version:
    """Returns the draft with the fields given. Raises VersionFrozen, DraftGone, or ValidationError naming fields."""
    draft = lock_draft(version)
    changes: dict[str, Any] = {}
    for name, value in (("changelog", changelog), ("max_quantity", max_quantity)):
        if value is not KEEP and value != getattr(draft, name):
            changes[name] = [getattr(draft, name), value]
            setattr(draft, name, value)
    if changes:
        draft.full_clean()
        draft.save(update_fields=list(changes))
    return record_edit(draft, changes, actor, at)


@transaction.atomic
def set_grants(*, version: Version, grants: Mapping[str, object], actor: Actor, at: datetime) -> Version:
    """Returns the draft granting exactly `grants`: feature code → bool, whole number, "unlimited" or code of a choice.

    Raises VersionFrozen, DraftGone, or Invalid with every unknown feature and every bad value.
    """
    draft = lock_draft(version)
    wanted = _parse_grants(draft, grants)
    held = {grant.feature.code: grant for grant in draft.grants.select_related("feature")}
    changes = _replace_rows(held, wanted, lambda grant: "unlimited" if grant.unlimited else grant.value)
    return record_edit(draft, {f"grants.{code}": change for code, change in changes.items()}, actor, at)


def _parse_grants(draft: Version, grants: Mapping[str, object]) -> dict[str, Grant]:
    features = {row.code: row for row in Feature.objects.filter(code__in=grants).prefetch_related("choices")}
    faults = []
    wanted = {}
    for code, raw in grants.items():
        feature = features.get(code)
        if feature is None:
            faults.append({"field": f"grants.{code}", "message": f"There is no feature {code!r}."})
            continue
        try:
            value = KINDS[feature.kind].parse(raw, [choice.code for choice in feature.choices.all()])
        except BadValue as fault:
            faults.append({"field": f"grants.{code}", "message": str(fault)})
            continue
        unlimited = value is UNLIMITED
        wanted[code] = Grant(version=draft, feature=feature, value=None if unlimited else value, unlimited=unlimited)
    _refuse(faults)
    return wanted


@transaction.atomic
def set_includes(*, version: Version, codes: Iterable[str], actor: Actor, at: datetime) -> Version:
    """Returns the draft including exactly the plans `codes`. Raises VersionFrozen, DraftGone or Invalid."""
    draft = lock_draft(version)
    wanted = {
        code: VersionInclude(version=draft, offer=offer)
        for code, offer in _offers(codes, "includes", Offer.objects.plans()).items()
    }
    held = {row.offer.code: row for row in draft.includes.select_related("offer")}
    changes = _replace_rows(held, wanted)
    return record_edit(draft, {f"includes.{code}": change for code, change in changes.items()}, actor, at)


@transaction.atomic
def set_extra_modules(*, version: Version, names: Iterable[str], actor: Actor, at: datetime) -> Version:
    """Returns the draft shipping exactly the extra modules `names`. Raises VersionFrozen, DraftGone or Invalid."""
    draft = lock_draft(version)
    known = {module.full_name: module for module in Module.objects.select_related("owner")}
    wanted, faults = {}, []
    for name in names:
        full_name = name if name in known else f"{settings.OWN_OWNER.lower()}.{name}"
        if full_name in known:
            wanted[full_name] = VersionModule(version=draft, module=known[full_name])
        else:
            faults.append({"field": f"extra_modules.{name}", "message": f"There is no module {name!r}."})
    _refuse(faults)
    held = {row.module.full_name: row for row in draft.extra_modules.select_related("module__owner")}
    changes = _replace_rows(held, wanted)
    return record_edit(draft, {f"extra_modules.{name}": change for name, change in changes.items()}, actor, at)


@transaction.atomic
def set_rules(
    *, version: Version, needs: Iterable[str], excludes: Iterable[str], actor: Actor, at: datetime
) -> Version:
    """Returns the draft needing and excluding exactly what is given: plans and add-ons by code, tiers as `tier:CODE`.

    Raises VersionFrozen, DraftGone, or Invalid (something unknown, or both needed and excluded). Rule E-1.
    """
    draft = lock_draft(version)
    needed, excluded = _targets(needs, "needs"), _targets(excludes, "excludes")
    both = sorted(needed.keys() & excluded.keys())
    _refuse([{"field": f"rules.{code}", "message": f"{code} can't be both needed and excluded."} for code in both])
    wanted = {
        target: VersionRule(version=draft, verb=verb, **named)
        for verb, targets in (("needs", needed), ("excludes", excluded))
        for target, named in targets.items()
    }
    held = {row.names: row for row in draft.rules.select_related("offer", "tier")}
    changes = _replace_rows(held, wanted, lambda rule: rule.verb)
    return record_edit(draft, {f"rules.{code}": change for code, change in changes.items()}, actor, at)


def _targets(targets: Iterable[str], field: str) -> dict[str, dict[str, Any]]:
    """Returns, by target, what a row of a rule names."""
    wanted = list(dict.fromkeys(targets))
    tiers = {tier_target(tier.code): tier for tier in Tier.objects.all()} if any(map(tier_of, wanted)) else {}
    unknown = [target for target in wanted if tier_of(target) is not None and target not in tiers]
    _refuse([{"field": f"{field}.{t}", "message": f"There is no tier {tier_of(t)!r}."} for t in unknown])
    offers = _offers((target for target in wanted if target not in tiers), field, Offer.objects.all())
    return {t: {"tier": tiers[t]} if t in tiers else {"offer": offers[t]} for t in wanted}


def _offers(codes: Iterable[str], field: str, among: Any) -> dict[str, Any]:
    wanted = list(dict.fromkeys(codes))
    found = {offer.code: offer for offer in among.filter(code__in=wanted)}
    kind = "plan" if field == "includes" else "plan or add-on"
    _refuse(
        [
            {"field": f"{field}.{code}", "message": f"There is no {kind} {code!r}."}
            for code in wanted
            if code not in found
        ]
    )
    return found


def _refuse(faults: list[dict[str, str]]) -> None:
    if faults:
        raise Invalid(" ".join(fault["message"] for fault in faults), faults)


def _replace_rows(
    held: Mapping[str, Any], wanted: Mapping[str, Any], say: Callable[[Any], object] = lambda row: True
) -> dict[str, list[object]]:
    """Makes the rows of a draft those `wanted` (unsaved; both by key). Returns `[was, is]` per key that differs."""
    changes: dict[str, list[object]] = {}
    for key in sorted({*held, *wanted}):
        was, now = (say(rows[key]) if key in rows else None for rows in (held, wanted))
        if (type(was), was) != (type(now), now):  # True is not 1
            changes[key] = [was, now]
    new = [wanted[key] for key in changes if key not in held]
    if new:
        type(new[0]).objects.bulk_create(new)
    for key in changes.keys() & held.keys():
        if key in wanted:
            wanted[key].pk = held[key].pk
            wanted[key].save(force_update=True)
        else:
            held[key].delete()
    return changes


def record_edit(
    draft: Any, changes: Mapping[str, Any], actor: Actor, at: datetime, action: str = "draft.edited"
) -> Version:
    """Records the edit and its editor; a draft in review goes back to being edited, and loses its approval."""
    if changes:
        if actor.account is not None:
            draft.editors.add(actor.account)
        audit(draft, action, actor=actor, at=at, changes=changes)
        if draft.state == Version.State.IN_REVIEW:
            return _move(draft, Version.State.DRAFT, "draft.reopened", actor, at)
    edited: Version = draft
    return edited
