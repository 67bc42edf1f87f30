"""What the audit trail says about versions: each event hangs on the plan or add-on, so its page tells its history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import Max, Q

from catalog.models import Version
from customers.actor import Actor
from customers.audit import record
from customers.models import AuditEvent

_OFFER_EDITS: Final = ("plan.created", "plan.changed", "addon.created", "addon.changed")
_PARTS: Final = ("feature", "level_choice", "module")
_STEPS: Final = tuple(
    f"draft.{step}" for step in ("begun", "submitted", "approved", "sent_back", "reopened", "rebased")
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


def worked_on(draft: Version, account: Any, made_of: Collection[str]) -> bool:
    """Whether `account` had a hand in what publishing the draft would freeze, since the last publication.

    That is who began or edited the draft; who changed the plan or add-on itself; and who changed a feature, a choice
    or a module that it is `made_of` (codes of features, full names of modules). Where nothing has been published yet,
    these count from when the draft was begun.
    """
    if account.pk == draft.drafted_by_id or draft.editors.filter(pk=account.pk).exists():
        return True
    offer: Any = draft.offer
    last = Version.objects.frozen().filter(offer=offer).aggregate(at=Max("published_at"))["at"]
    edits = AuditEvent.objects.filter(account=account)
    of_offer = edits.filter(object_type=offer.type, object_code=offer.code, action__in=_OFFER_EDITS)
    if (of_offer if last is None else of_offer.filter(at__gt=last)).exists():
        return True
    of_parts = edits.filter(object_type__in=_PARTS, at__gt=last or draft.created_at)
    codes = of_parts.order_by().values_list("object_type", "object_code").distinct()
    return any((code.partition(".")[0] if kind == "level_choice" else code) in made_of for kind, code in codes)


def steps_of(version: Version) -> Sequence[AuditEvent]:
    """Returns the steps of a version's life so far, oldest first: `what` it was, who took it and what they said."""
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
