"""What the audit trail says about versions: each event hangs on the plan or add-on, so its page tells its history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from catalog.models import Version
from customers.actor import Actor
from customers.audit import record


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
