"""Changes of seats that are previewed, then applied by token: of one user or of ten thousand (docs/adr/0015).

`preview_changes` freezes the input and works out what it comes to; `apply_preview` works it out again under the
customer's lock and does exactly that, or says what has moved. Up to `AT_ONCE` rows both answer at once; more go to the
worker, and `ChangePreview.state`, `.done` and `.total` tell how far they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from customers.actor import Actor
from customers.models import Customer
from licensing.bulk_plan import BulkWish
from licensing.models import ChangePreview, ChangePreviewRow, ChangeSet

AT_ONCE: Final = 200  # rows
KEPT_FOR: Final = timedelta(hours=24)
UNDO_WITHIN: Final = timedelta(days=30)

Mode = ChangePreview.Mode
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
    raise NotImplementedError


def find_preview(*, customer: Customer, token: str) -> ChangePreview:
    """Returns the customer's preview of this token, without its input. Raises NotFound."""
    raise NotImplementedError


def apply_preview(
    *, customer: Customer, actor: Actor, token: str, at: datetime | None = None, dry_run: bool = False
) -> ChangePreview:
    """Does what was previewed, and returns the preview: `applied`, with its change set (none if nothing changes), or
    `applying` when the worker does it (more than AT_ONCE rows; it then ends `applied`, `stale` or `failed`).

    Everything is worked out again under the customer's lock. Raises StateMoved (409 `state_moved`) when any row comes
    out differently now; the preview is `stale` then and keeps the difference. Raises NotFound, PreviewBlocked,
    PreviewNotReady, PreviewExpired. A preview that was applied is returned as it is: a token counts once. `dry_run`
    compares and changes nothing.
    """
    raise NotImplementedError


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
    raise NotImplementedError


def wishes_of(preview: ChangePreview, *, outcomes: Collection[str] = (Outcome.BLOCKED,)) -> list[BulkWish]:
    """Returns the wishes whose rows came out like this (by default those that were blocked, to mend and retry alone),
    with their positions. For `unapplied` ones of an applied preview ask for the outcome `blocked`: a row left out while
    batches were applied is blocked too."""
    raise NotImplementedError


def undone_by(*, customer: Customer, change_sets: Collection[ChangeSet]) -> dict[int, ChangeSet]:
    """Returns by number which of `change_sets` are undone, and by which one; an undo that was itself undone counts no
    longer. One query."""
    raise NotImplementedError


def progress_of(preview: ChangePreview) -> int:
    """Returns how many of `preview.total` rows are done by now, also while the transaction that does them runs."""
    raise NotImplementedError
