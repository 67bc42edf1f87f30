"""Remarks on drafts. Rules T-5 and T-6 of docs/rules.md.

A remark is no edit: an approval stays, and who makes one has not worked on the draft. The trail keeps it in full, so
it outlives a draft that is discarded.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from catalog.models import Version, VersionComment
from catalog.models.comment import LONGEST
from catalog.services.locking import lock_draft
from catalog.services.trail import audit
from customers.actor import Actor
from customers.errors import Invalid


@transaction.atomic
def comment(*, version: Version, text: str, actor: Actor, at: datetime) -> VersionComment:
    """Returns the remark. Raises VersionFrozen, DraftGone, or Invalid (it says nothing, or more than LONGEST)."""
    draft = lock_draft(version)
    said = text.replace("\0", "").replace("\r\n", "\n").strip()
    fault = "Say something." if not said else f"At most {LONGEST} characters." if len(said) > LONGEST else ""
    if fault:
        raise Invalid(fault, [{"field": "text", "message": fault}])
    remark = VersionComment.objects.create(version=draft, at=at, account=actor.account, actor=actor.label, text=said)
    audit(draft, "draft.commented", actor=actor, at=at, reason=said)
    return remark
