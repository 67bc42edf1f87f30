"""What the audit trail says about versions: each event hangs on the plan or add-on, so its page tells its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from catalog.models import Version
from customers.actor import Actor
from customers.audit import record
from customers.models import AuditEvent

_STEPS: Final = tuple(
    f"draft.{step}" for step in ("begun", "submitted", "approved", "sent_back", "reopened", "rebased", "discarded")
)


def audit(
    version: Version,
    action: str,
    *,
    actor: Actor,
    at: datetime,
    changes: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Writes one event about a version or draft, in the caller's transaction."""
    offer: Any = version.offer
    number = {"version": version.number} if version.number else {}
    record(
        actor=actor,
        action=action,
        object_type=offer.type,
        object_code=offer.code,
        changes={**number, **(changes or {})},
        reason=reason,
        at=at,
    )


def steps_of(version: Version) -> Sequence[AuditEvent]:
    """Returns the steps of a version's life so far, oldest first, with `what` it was, who took it and what they said."""
    offer: Any = version.offer
    drafted = Q(action__in=_STEPS, at__gte=version.created_at)
    if version.published_at is not None:
        drafted &= Q(at__lte=version.published_at)
    numbered = Q(action__startswith="version.", changes__version=version.number) if version.number else Q(pk=None)
    events = AuditEvent.objects.filter(drafted | numbered, object_type=offer.type, object_code=offer.code)
    steps: list[Any] = list(events.order_by("at", "pk"))
    for step in steps:
        step.what = step.action.partition(".")[2].replace("_", " ").capitalize()
    return steps
