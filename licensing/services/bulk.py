"""Changes of seats that are previewed, then applied by token: of one user or of ten thousand (docs/adr/0015).

`preview_changes` freezes the input and works out what it comes to; `apply_preview` works it out again under the
customer's lock and does exactly that, or says what has moved. Up to `AT_ONCE` rows both answer at once; more go to the
worker, and `ChangePreview.state`, `.done` and `.total` tell how far they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from customers.actor import Actor
from customers.errors import Invalid, NotFound
from customers.models import Customer
from licensing.bulk_errors import (
    AlreadyUndone,
    PreviewBlocked,
    PreviewExpired,
    PreviewNotReady,
    StateMoved,
    StillGrowing,
    UndoTooLate,
)
from licensing.bulk_plan import MOST_ROWS, BulkWish, numbered
from licensing.models import ChangePreview, ChangePreviewRow, ChangeSet, ChangeSetRow
from licensing.services.bulk_applying import apply_now
from licensing.services.bulk_worker import begin_applying, send_to_worker, work_out_preview
from licensing.services.bulk_working import wishes_in
from licensing.services.progress import noted

AT_ONCE: Final = 200  # rows
PRUNED_AFTER: Final = timedelta(days=7)
PRUNED_AT_ONCE: Final = 100
LONGEST_TEXT: Final = 254
KEPT_FOR: Final = timedelta(hours=24)
UNDO_WITHIN: Final = timedelta(days=30)

Mode = ChangePreview.Mode
State = ChangePreview.State
Outcome = ChangePreviewRow.Outcome


def preview_changes(
    *,
    customer: Customer,
    actor: Actor,
    wishes: Sequence[BulkWish],
    mode: str = Mode.ALL_OR_NOTHING,
    reason: str = "",
    at: datetime | None = None,
) -> ChangePreview:
    """Returns what the wishes would come to; changes nothing. Up to AT_ONCE rows it is worked out on return (state
    `ready` or `blocked`), else `waiting` for the worker.

    A row that can't be met (unknown user or module, no seat left, …) is blocked and says why; with `all_or_nothing` one
    blocked row blocks the preview, with `as_many` the others can be applied, earlier rows first where seats are short.
    Raises Invalid for no rows, more than MOST_ROWS, or a position given twice.
    """
    if not 0 < len(wishes) <= MOST_ROWS:
        told = f"1 to {MOST_ROWS:,} rows, not {len(wishes):,}."
        raise Invalid("This many rows can't be changed at once.", [{"field": "wishes", "message": told}])
    if not numbered(wishes):
        raise Invalid("Every row has a position of its own.", [{"field": "position", "message": "Given twice."}])
    frozen = [tidied(wish).to_json() for wish in wishes]
    return _preview(customer, actor, frozen, mode, reason, at, kind=ChangePreview.Kind.SEATS)


def find_preview(*, customer: Customer, token: str) -> ChangePreview:
    """Returns the customer's preview of this token, without its input. Raises NotFound."""
    found: ChangePreview | None = ChangePreview.objects.light().filter(customer=customer, token=token).first()
    if found is None:
        raise NotFound("preview", token)
    found.customer = customer
    return found


def apply_preview(
    *, customer: Customer, actor: Actor, token: str, at: datetime | None = None, dry_run: bool = False
) -> ChangePreview:
    """Does what was previewed, and returns the preview: `applied`, with its change set (none if nothing changes), or
    `applying` when the worker does it (more than AT_ONCE rows; it then ends `applied`, `stale` or `failed`).

    Everything is worked out again under the customer's lock. Raises StateMoved (409 `state_moved`) when any row comes
    out differently now; the preview is `stale` then and keeps the difference. Raises NotFound, PreviewBlocked,
    PreviewNotReady, PreviewExpired, UndoTooLate. A preview that was applied is returned as it is: a token counts once.
    `dry_run` compares and changes nothing.
    """
    now = at or timezone.now()
    preview = find_preview(customer=customer, token=token)
    if preview.state in (State.APPLIED, State.APPLYING):
        return preview
    _refuse_unready(preview, now)
    if preview.undoes is not None:
        _refuse_old(preview.undoes, now)
    if preview.total <= AT_ONCE or dry_run:
        apply_now(preview, actor, at=at, dry_run=dry_run)
    else:
        begin_applying(preview, actor, now)
    return find_preview(customer=customer, token=token)


def preview_undo(
    *,
    customer: Customer,
    actor: Actor,
    number: int,
    mode: str = Mode.ALL_OR_NOTHING,
    reason: str = "",
    at: datetime | None = None,
) -> ChangePreview:
    """Returns what undoing a change set would come to, as `preview_changes` does; `apply_preview` undoes it.

    A row is blocked when the user's seats moved since, no seat is left, or the user can't hold seats any more. Raises
    NotFound, UndoTooLate (after UNDO_WITHIN), AlreadyUndone, StillGrowing (a change set that batches still add to).
    """
    now = at or timezone.now()
    change_set = ChangeSet.objects.filter(customer=customer, number=number).first()
    if change_set is None:
        raise NotFound("change set", str(number))
    _refuse_undo(change_set, now)
    rows = _rows_to_undo(change_set)
    frozen = [
        BulkWish(
            position,
            user,
            assign=tuple(sorted(set(before) - set(after))),
            release=tuple(sorted(set(after) - set(before))),
            accept_loss=True,
        ).to_json()
        for position, (user, before, after) in enumerate(rows, 1)
    ]
    kind = ChangePreview.Kind.UNDO
    return _preview(customer, actor, frozen, mode, reason, at, kind=kind, undoes=change_set)


def wishes_of(preview: ChangePreview, *, outcomes: Collection[str] = (Outcome.BLOCKED,)) -> list[BulkWish]:
    """Returns the wishes whose rows came out like this (by default those that were blocked, to mend and retry alone),
    with their positions. For `unapplied` ones of an applied preview ask for the outcome `blocked`: a row left out while
    batches were applied is blocked too."""
    positions = preview.rows.filter(outcome__in=outcomes).values_list("position", flat=True)
    return wishes_in(preview, positions)


def undone_by(*, customer: Customer, change_sets: Collection[ChangeSet]) -> dict[int, ChangeSet]:
    """Returns by number which of `change_sets` are undone, and by which one; an undo that was itself undone counts no
    longer. One query."""
    return {number: undos[0] for number, undos in undos_of(customer=customer, change_sets=change_sets).items()}


def undos_of(*, customer: Customer, change_sets: Collection[ChangeSet]) -> dict[int, list[ChangeSet]]:
    """Returns by number the undos of each of `change_sets` that were not undone, the newest first: what was undone in
    part has several. One query."""
    undos = ChangeSet.objects.filter(customer=customer, undoes__isnull=False).select_related("undoes")
    undone: dict[int, list[ChangeSet]] = {}
    for undo in undos.order_by("-number"):  # whatever undoes something came after it
        if undo.undoes is not None and undo.number not in undone:
            undone.setdefault(undo.undoes.number, []).append(undo)
    return {each.number: undone[each.number] for each in change_sets if each.number in undone}


def _undone_users(change_set: ChangeSet) -> frozenset[int]:
    """Returns the ids of the users whose row was taken back, and not given again by undoing that."""
    undone: set[int] = set()
    for undo in ChangeSet.objects.filter(undoes=change_set):
        undone |= set(undo.rows.values_list("user_id", flat=True)) - _undone_users(undo)
    return frozenset(undone)


def progress_of(preview: ChangePreview) -> int:
    """Returns how many of `preview.total` rows are done by now, also while the transaction that does them runs."""
    return noted(preview) if preview.state == State.APPLYING else preview.done


def prune_previews(*, now: datetime, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Deletes the previews that expired more than PRUNED_AFTER ago, with their input; returns how many."""
    old = ChangePreview.objects.filter(expires_at__lt=now - PRUNED_AFTER).exclude(state=State.APPLYING)
    count = 0
    for pk in list(old.order_by("pk").values_list("pk", flat=True)[:PRUNED_AT_ONCE]):
        if is_stopping():
            break
        with transaction.atomic():
            ChangePreviewRow.objects.filter(preview=pk).delete()
            count += ChangePreview.objects.filter(pk=pk).delete()[0]
    return count


def tidied(wish: BulkWish) -> BulkWish:
    """Returns the wish with texts that every database can hold: no NUL, nothing that isn't Unicode, nothing endless."""
    return BulkWish(
        position=wish.position,
        user=_tidy(wish.user),
        assign=tuple(map(_tidy, wish.assign)),
        release=tuple(map(_tidy, wish.release)),
        accept_loss=wish.accept_loss,
        create=None if wish.create is None else {name: _tidy(value) for name, value in wish.create.items()},
        said=None if wish.said is None else {name: _tidy(value) for name, value in wish.said.items()},
    )


def _tidy(text: str) -> str:
    return text[:LONGEST_TEXT].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8").strip()


def _preview(
    customer: Customer,
    actor: Actor,
    frozen: list[dict[str, Any]],
    mode: str,
    reason: str,
    at: datetime | None,
    **fields: Any,
) -> ChangePreview:
    now = at or timezone.now()
    preview = ChangePreview(
        customer=customer,
        account=actor.account,
        client=actor.client,
        actor=actor.label,
        created_at=now,
        expires_at=now + KEPT_FOR,
        mode=Mode(mode),
        reason=reason,
        wishes=frozen,
        total=len(frozen),
        **fields,
    )
    with transaction.atomic():
        preview.save()
        if preview.total > AT_ONCE:
            send_to_worker(preview, actor, now)
        else:
            work_out_preview(preview, actor, at=at)
    return find_preview(customer=customer, token=preview.token)


def _refuse_unready(preview: ChangePreview, now: datetime) -> None:
    if preview.state == State.BLOCKED:
        raise PreviewBlocked(preview.token, preview.totals["blocked"])
    if preview.state == State.STALE:
        raise StateMoved(preview.token, preview.difference)
    if preview.state != State.READY:
        raise PreviewNotReady(preview.token, preview.get_state_display(), preview.why)
    if now >= preview.expires_at:
        raise PreviewExpired(preview.token, preview.expires_at)


def _refuse_old(change_set: ChangeSet, now: datetime) -> None:
    if now - change_set.at > UNDO_WITHIN:
        raise UndoTooLate(change_set.number, UNDO_WITHIN.days)


def _refuse_undo(change_set: ChangeSet, now: datetime) -> None:
    growing = ChangePreview.objects.light().filter(change_set=change_set, state=State.APPLYING).first()
    if growing is not None:
        raise StillGrowing(change_set.number, growing.token)
    _refuse_old(change_set, now)


def _rows_to_undo(change_set: ChangeSet) -> list[tuple[str, list[str], list[str]]]:
    """Returns (code, before, after) of the rows that are not undone yet; what was undone in part can be undone further.

    Raises AlreadyUndone where none is left.
    """
    undone = _undone_users(change_set)
    rows = ChangeSetRow.objects.filter(change_set=change_set).order_by("user__code")
    left = [row for user, *row in rows.values_list("user_id", "user__code", "before", "after") if user not in undone]
    if undone and not left:
        raise AlreadyUndone(change_set.number, change_set.undos.latest("number").number)
    return [(code, before, after) for code, before, after in left]
