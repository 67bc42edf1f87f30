"""What a change of many users' seats comes to: who changes how, who is blocked and why, in which order. Pure.

Every user is judged on the end state, releases before assignments, and so are the seats of all of them together: one
may give up what another gets in the same change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

MOST_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class BulkWish:
    """What one row of the input asks for. Modules are `owner.module`, or bare for the own owner's.

    `create` (`name`, perhaps `email`) makes the user first where there is none of this code. Releasing what isn't held
    is nothing to do; a row that releases and assigns is a swap: it is blocked unless all that it releases is held, or
    all that it assigns is held already, and it releases nothing that it doesn't name.
    """

    position: int
    user: str
    assign: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    accept_loss: bool = False
    create: Mapping[str, str] | None = field(default=None, hash=False)
    said: Mapping[str, str] | None = field(
        default=None, hash=False
    )  # by a list; a `fault` in it keeps the row from being met

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"position": self.position, "user": self.user}
        for name in ("assign", "release"):
            if getattr(self, name):
                told[name] = list(getattr(self, name))
        if self.accept_loss:
            told["accept_loss"] = True
        if self.create is not None:
            told["create"] = dict(self.create)
        if self.said:
            told["said"] = dict(self.said)
        return told

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BulkWish:
        return cls(
            position=data["position"],
            user=data["user"],
            assign=tuple(data.get("assign", ())),
            release=tuple(data.get("release", ())),
            accept_loss=data.get("accept_loss", False),
            create=data.get("create"),
            said=data.get("said"),
        )


def numbered(wishes: Sequence[BulkWish]) -> bool:
    """Whether every position is there once."""
    return len({wish.position for wish in wishes}) == len(wishes)
