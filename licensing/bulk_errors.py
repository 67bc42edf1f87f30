"""Refusals of previews, their tokens and their undoing; docs/api.md lists the codes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from customers.errors import Refusal
from licensing.errors import SeatRefusal


class UserNamedTwice(SeatRefusal):
    """Two rows ask for different things for one user."""

    code = "user_named_twice"

    def __init__(self, user: str, position: int) -> None:
        super().__init__(
            f"{user} is named in row {position} already, with something else.",
            blocking={"kind": "row", "code": str(position), "user": user},
            next_action="Say in one row what the user shall have.",
        )


class RowUnreadable(SeatRefusal):
    """A row of a list that names nobody, or from which nothing can be made out."""

    code = "row_unreadable"

    def __init__(self, row: int, fault: str) -> None:
        super().__init__(fault, blocking={"kind": "row", "code": str(row)})


class PreviewRefusal(Refusal):
    """A preview that can't be applied as it stands."""

    title = "Preview can't be applied"


class PreviewBlocked(PreviewRefusal):
    code = "preview_blocked"

    def __init__(self, token: str, blocked: int) -> None:
        super().__init__(
            f"All or nothing was asked for, and {blocked} row{'s are' if blocked != 1 else ' is'} in the way.",
            blocking={"kind": "preview", "code": token},
            next_action="Mend the blocked rows, or ask for as many as possible.",
            details={"blocked": blocked},
        )


class PreviewNotReady(PreviewRefusal):
    code = "preview_not_ready"

    def __init__(self, token: str, state: str, why: str = "") -> None:
        super().__init__(
            f"This preview is {state}, so it can't be applied.{' ' * bool(why)}{why}",
            blocking={"kind": "preview", "code": token, "state": state},
            next_action="Wait until it is ready; where it is out of date or failed, make a new one.",
        )


class PreviewExpired(PreviewRefusal):
    code = "preview_expired"

    def __init__(self, token: str, expired_at: datetime) -> None:
        super().__init__(
            f"This preview expired at {expired_at.isoformat(timespec='minutes')}.",
            blocking={"kind": "preview", "code": token},
            next_action="Make a new preview and look at it.",
        )


class StateMoved(PreviewRefusal):
    """Something changed since the preview: `differs` rows come out differently, `rows` shows the first of them."""

    code = "state_moved"

    def __init__(self, token: str, difference: Mapping[str, Any]) -> None:
        count = difference["differs"]
        super().__init__(
            f"{count} row{'s come' if count != 1 else ' comes'} out differently now than when this was previewed. "
            "Nothing was changed.",
            blocking={"kind": "preview", "code": token},
            next_action="Look at what differs, make a new preview, and apply that.",
            details=difference,
        )


class UndoRefusal(Refusal):
    """A change set that can't be undone."""

    title = "Can't be undone"


class UndoTooLate(UndoRefusal):
    code = "undo_too_late"

    def __init__(self, number: int, days: int) -> None:
        super().__init__(
            f"Change set {number} is older than {days} days.",
            blocking={"kind": "change_set", "code": str(number)},
            next_action="Change the seats as they should be now.",
        )


class AlreadyUndone(UndoRefusal):
    code = "already_undone"

    def __init__(self, number: int, by: int) -> None:
        super().__init__(
            f"Change set {number} was undone by change set {by} already.",
            blocking={"kind": "change_set", "code": str(by)},
            next_action=f"Undo change set {by} if the seats shall be as {number} left them.",
        )


class StillGrowing(UndoRefusal):
    """Batches are still being added to it."""

    code = "change_set_growing"

    def __init__(self, number: int, token: str) -> None:
        super().__init__(
            f"Change set {number} is still being applied.",
            blocking={"kind": "preview", "code": token},
            next_action="Wait until it is done.",
        )


def difference_of(moved: Sequence[Mapping[str, Any]], most: int = 100) -> dict[str, Any]:
    """Returns what of a preview is another now, as StateMoved tells it and the preview keeps it."""
    return {"differs": len(moved), "rows": [dict(row) for row in moved[:most]]}
