"""The keys of owners, and what their plans cover: registered, retired, edited; each of it in the audit trail."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Owner, Solution
from customers import audit
from customers.actor import Actor
from customers.errors import Invalid
from licensing.errors import KeyRefused
from licensing.models import OwnerKey, OwnerPlan
from licensing.services.onboarding import faults_of


@transaction.atomic
def register_key(
    *,
    actor: Actor,
    owner: Owner,
    public_key: str,
    valid_from: datetime,
    valid_until: datetime | None = None,
    at: datetime,
) -> OwnerKey:
    """Returns the new key of an owner's ring (Z-3). Raises Invalid: no key, a known one, or its dates."""
    key = OwnerKey(owner=owner, public_key=public_key, valid_from=valid_from, valid_until=valid_until)
    try:
        key.full_clean(exclude=["key_id"])
    except ValidationError as fault:
        raise Invalid("The key can't be registered.", faults_of(fault)) from fault
    key.save()
    changes = {"owner": owner.code, "valid_from": valid_from.isoformat()}
    _record(actor, "key.registered", key, at, changes)
    return key


@transaction.atomic
def retire_key(*, actor: Actor, key: OwnerKey, at: datetime) -> None:
    """Ends a key: nothing new is taken in that it signed; what was taken in stays. Raises KeyRefused."""
    current = OwnerKey.objects.select_for_update().get(pk=key.pk)
    if current.retired_at is not None:
        raise KeyRefused(
            f"{current} was retired on {current.retired_at:%Y-%m-%d} already.",
            blocking={"kind": "key", "code": current.key_id},
            next_action="Nothing needs to be done.",
        )
    current.retired_at = at
    current.save(update_fields=["retired_at"])
    _record(actor, "key.retired", current, at, {"owner": current.owner.code})


@transaction.atomic
def save_plan(*, actor: Actor, plan: OwnerPlan, solutions: Iterable[Solution] | None, at: datetime) -> None:
    """Saves what an owner's plan covers; packages that were taken in keep what was frozen then (X-7)."""
    plan.full_clean()
    is_new = plan._state.adding
    was = [] if is_new else sorted(solution.code for solution in plan.solutions.all())
    plan.save()
    now = was
    if solutions is not None:
        plan.solutions.set(list(solutions))
        now = sorted(solution.code for solution in plan.solutions.all())
    changes: dict[str, Any] = {"solutions": [was, now], "tier": plan.tier.code if plan.tier else None}
    audit.record(
        actor=actor,
        action="owner_plan.created" if is_new else "owner_plan.changed",
        object_type="owner_plan",
        object_code=str(plan),
        changes=changes,
        at=at,
    )


def _record(actor: Actor, action: str, key: OwnerKey, at: datetime, changes: dict[str, Any]) -> None:
    audit.record(actor=actor, action=action, object_type="owner_key", object_code=key.key_id, changes=changes, at=at)
