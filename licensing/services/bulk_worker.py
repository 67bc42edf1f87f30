"""What the worker does of previews: those too long to be worked out, or applied, while somebody waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from django.db import OperationalError, transaction

from customers import outbox
from customers.actor import Actor
from customers.errors import Refusal
from customers.models import Account, ApiClient
from licensing.bulk_errors import StateMoved
from licensing.models import ChangePreview, CustomerRevision
from licensing.services.bulk_applying import apply_in_batches, apply_now
from licensing.services.bulk_working import RULES, wishes_in, work_out_wishes, write_preview
from licensing.services.commit import customer_commit, database_clock
from licensing.services.telling import tell_applied

TOPIC: Final = "change_sets"
State = ChangePreview.State
_LOG: Final = structlog.get_logger(__name__)


def send_to_worker(preview: ChangePreview, actor: Actor, at: datetime) -> None:
    """Has the worker do what the preview's state says is next, in the name of `actor`; in the caller's transaction."""
    who = {
        "account": actor.account.pk if actor.account is not None else None,
        "client": actor.client.pk if actor.client is not None else None,
    }
    outbox.enqueue(topic=TOPIC, payload={"preview": preview.pk, **who}, at=at, customer=preview.customer)


def deliver_changes(payload: Mapping[str, Any]) -> None:
    """Delivers the topic `change_sets`: works out or applies a preview, or goes on where that was interrupted."""
    preview = ChangePreview.objects.light().select_related("customer").filter(pk=payload["preview"]).first()
    if preview is None or not preview.is_working:
        return
    actor = Actor(
        account=Account.objects.filter(pk=payload["account"]).first(),
        client=ApiClient.objects.filter(pk=payload["client"]).first(),
    )
    try:
        if preview.state == State.APPLYING:
            apply_large(preview, actor)
        else:
            work_out_preview(preview, actor)
    except StateMoved:
        pass  # the preview tells
    except OperationalError:  # the database's own trouble passes: the message comes again
        raise
    except Exception as fault:
        _LOG.exception("change_preview_failed", preview=preview.pk)
        told = fault.message if isinstance(fault, Refusal) else ""  # what it was is for the log
        _give_up(preview, told)


def _give_up(preview: ChangePreview, why: str) -> None:
    """Leaves a preview as failed; what was done of it by then stays done, and is told."""
    with transaction.atomic():
        preview.refresh_from_db(fields=["change_set"])
        ChangePreview.objects.filter(pk=preview.pk).update(state=State.FAILED, why=why)
        if preview.change_set is not None:
            head = CustomerRevision.objects.select_for_update().get(customer=preview.customer_id)
            tell_applied(preview.change_set, head, max(database_clock(), head.stamp))


def work_out_preview(preview: ChangePreview, actor: Actor, *, at: datetime | None = None) -> None:
    """Works out what the preview's wishes come to, and writes its rows; from the start if it was interrupted."""
    ChangePreview.objects.filter(pk=preview.pk).update(state=State.COMPUTING, done=0)
    with customer_commit(
        customer=preview.customer, actor=actor, cause="seats.previewed", at=at, dry_run=True
    ) as commit:
        worked = work_out_wishes(commit, wishes_in(preview), RULES[ChangePreview.Kind(preview.kind)])
        revision = commit.head.number
    write_preview(preview, worked, revision)


def apply_large(preview: ChangePreview, actor: Actor, *, at: datetime | None = None) -> None:
    """Applies a preview: all or nothing in one transaction, as many as possible in batches. Raises StateMoved."""
    if preview.mode == ChangePreview.Mode.ALL_OR_NOTHING:
        apply_now(preview, actor, at=at)
    else:
        apply_in_batches(preview, actor, at=at)


def begin_applying(preview: ChangePreview, actor: Actor, at: datetime) -> bool:
    """Hands a preview that is ready to the worker; returns whether it was still ready."""
    with transaction.atomic():
        ready = ChangePreview.objects.filter(pk=preview.pk, state=State.READY)
        if not ready.update(state=State.APPLYING, done=0, batches=[]):
            return False
        send_to_worker(preview, actor, at)
    return True
