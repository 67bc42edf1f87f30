"""Deviations from what was sold: granted with a reason, ended by somebody or by time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from catalog.kinds import UNLIMITED, BadValue, Value
from catalog.models import Feature, Version
from customers import audit
from customers.actor import Actor
from customers.errors import Invalid, NotFound
from customers.models import Customer, CustomerUser
from licensing.errors import OverrideRefused
from licensing.facts import FeatureDef, Mode
from licensing.models import Override
from licensing.services.commit import Commit, customer_commit
from licensing.services.periods import rewrite_customer, rewrite_users


def grant_override(
    *,
    customer: Customer,
    actor: Actor,
    feature: str,
    mode: Mode,
    reason: str,
    value: Any = None,
    user: CustomerUser | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Override:
    """Records an override of a customer, or of one `user`; `value` is as in YAML (`unlimited` for no limit).

    Raises NotFound (feature), Invalid (value, reason, dates), OverrideRefused (one of this mode is live).
    """
    with customer_commit(customer=customer, actor=actor, cause="override.granted", at=at, dry_run=dry_run) as commit:
        row, definition = published_feature(feature)
        faults = _faults(definition, mode, value, reason, starts_at or commit.at, ends_at, commit.at)
        if faults:
            raise Invalid("The override can't be granted.", faults)
        same = Override.objects.filter(customer=customer, user=user, feature=row, mode=mode, ended_at=None)
        same.filter(ends_at__lte=commit.at).update(ended_at=commit.at)
        live = same.first()
        if live is not None:
            raise OverrideRefused(
                f"{feature} has an override {mode.value!r} already: {live.reason}",
                blocking={"kind": "override", "code": str(live.pk)},
                next_action="End that one first.",
            )
        # A level may have a choice that is called unlimited, so it is not the word that says so.
        unlimited = mode is not Mode.DENY and _parse(definition, value) is UNLIMITED
        override: Override = Override.objects.create(
            customer=customer,
            user=user,
            feature=row,
            definition=definition.as_json() | {"code": definition.code},
            mode=mode.value,
            value=None if unlimited or mode is Mode.DENY else value,
            unlimited=unlimited,
            reason=reason,
            starts_at=starts_at or commit.at,
            ends_at=ends_at,
            created_by=actor.label,
            created_at=commit.at,
        )
        _changed(commit, override, "override.granted", value=[None, _shown(override)])
    return override


def end_override(
    *, customer: Customer, actor: Actor, override: Override, at: datetime | None = None, dry_run: bool = False
) -> Override:
    """Ends an override now. Raises OverrideRefused where it has ended already."""
    with customer_commit(customer=customer, actor=actor, cause="override.ended", at=at, dry_run=dry_run) as commit:
        override = Override.objects.filter(customer=customer).select_related("user", "feature").get(pk=override.pk)
        if override.ended_at is not None or (override.ends_at is not None and override.ends_at <= commit.at):
            raise OverrideRefused(
                "The override has ended already.", blocking={"kind": "override", "code": str(override.pk)}
            )
        override.ended_at = commit.at
        override.save(update_fields=["ended_at"])
        _changed(commit, override, "override.ended", value=[_shown(override), None])
    return override


def published_feature(code: str) -> tuple[Feature, FeatureDef]:
    """Returns the feature, and its definition in the newest published version that names it. Raises NotFound."""
    feature = Feature.objects.named(code).first()
    versions = Version.objects.frozen().filter(published_features__feature=feature).order_by("-published_at", "-pk")
    version = versions.first() if feature is not None else None
    if feature is None or version is None:
        raise NotFound("feature", code)
    return feature, FeatureDef.from_json(feature.code, version.content["features"][feature.code])


def _faults(
    feature: FeatureDef, mode: Mode, value: Any, reason: str, starts: datetime, ends: datetime | None, now: datetime
) -> list[dict[str, str]]:
    faults = []
    if not reason.strip():
        faults.append({"field": "reason", "message": "Say why."})
    if ends is not None and ends <= max(starts, now):
        faults.append({"field": "ends_at", "message": "The end lies after the start, and in the future."})
    if starts < now:
        faults.append({"field": "starts_at", "message": "An override can't begin in the past."})
    if mode is Mode.DENY:
        if value is not None:
            faults.append({"field": "value", "message": "A deny has no value."})
        return faults
    try:
        _parse(feature, value)
    except BadValue as fault:
        faults.append({"field": "value", "message": str(fault)})
    return faults


def _parse(feature: FeatureDef, value: Any) -> Value:
    return feature.behaviour.parse(value, feature.choice_codes)


def _shown(override: Override) -> Any:
    return "unlimited" if override.unlimited else override.mode if override.value is None else override.value


def _changed(commit: Commit, override: Override, action: str, *, value: list[Any]) -> None:
    if override.user is None:
        rewrite_customer(commit)
    else:
        rewrite_users(commit, [override.user])
    commit.changed()
    audit.record(
        actor=commit.actor,
        action=action,
        object_type="override",
        object_code=f"{override.feature.code} {override.mode}",
        customer=commit.customer,
        changes={"user": override.user.code if override.user else None, "value": value},
        reason=override.reason,
        at=commit.at,
    )
