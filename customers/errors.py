"""What every refusal tells: a stable code, a sentence, the blocking object, the next action. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class Refusal(Exception):
    """A request that can't be met, in words for people.

    Subclasses name their stable `code`, the HTTP `status` it is answered with and a short `title`; docs/api.md lists
    them. `blocking` names the object in the way (a dict with `kind` and `code`, perhaps more), `next_action` says what
    would help, `details` holds whatever else a machine wants.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "Refused"
    retry_after: ClassVar[int | None] = None  # seconds, where trying again may help

    def __init__(
        self,
        message: str,
        *,
        blocking: Mapping[str, Any] | None = None,
        next_action: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.blocking = dict(blocking or {})
        self.next_action = next_action
        self.details = dict(details or {})


class NotFound(Refusal):
    code = "not_found"
    status = 404
    title = "Not found"

    def __init__(self, kind: str, code: str) -> None:
        super().__init__(
            f"There is no {kind} {code!r} here.",
            blocking={"kind": kind, "code": code},
            next_action="Check the spelling, or list what there is.",
        )


class Forbidden(Refusal):
    code = "permission_denied"
    status = 403
    title = "Not allowed"


class Invalid(Refusal):
    """Input that is wrong in itself; `faults` lists everything wrong with it, each with `field` and `message`."""

    code = "invalid"
    status = 400
    title = "Invalid input"

    def __init__(self, message: str, faults: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(
            message, next_action="Correct what is listed and send it again.", details={"faults": list(faults)}
        )
        self.faults = [dict(fault) for fault in faults]
