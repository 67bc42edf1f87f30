"""The refusals of counting; docs/api.md lists the codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from catalog.kinds import UNLIMITED
from customers.errors import Refusal
from licensing.usage import Tally, WayOut


class NotCounted(Refusal):
    code = "not_counted"
    title = "Nothing is counted here"

    def __init__(self, feature: str, counts: str, *, of_user: bool) -> None:
        elsewhere = {"user": "per user", "customer": "per customer, for all of its users together"}.get(counts)
        here = "of a user" if of_user else "of a customer as a whole"
        super().__init__(
            f"{feature} is counted {elsewhere}, not {here}."
            if elsewhere
            else f"Nothing is counted of {feature}: only limits per user and per customer are.",
            blocking={"kind": "feature", "code": feature},
            next_action="Ask at the address of the user."
            if counts == "user"
            else "Ask at the address of the customer."
            if counts == "customer"
            else "Ask for its entitlement instead.",
        )


class LimitReached(Refusal):
    """More is asked for than is left, or there is no such feature at all; `ways` would allow it."""

    code = "limit_reached"
    title = "Limit reached"

    def __init__(self, feature: str, who: str, tally: Tally, amount: int, ways: Sequence[WayOut]) -> None:
        super().__init__(
            f"{who} has {tally.remaining} of {tally.limit} left of {feature}; {amount} were asked for."
            if tally.limit
            else f"{who} may not use {feature}.",
            blocking={"kind": "feature", "code": feature},
            next_action=_in_words(ways[0]) if ways else "Free some of what is used, or ask for an override.",
            details={
                "limit": tally.limit if isinstance(tally.limit, int) else None,
                "used": tally.used,
                "reserved": tally.reserved,
                "remaining": tally.remaining,
                "needed": amount,
                "would_allow": [way_json(way) for way in ways],
            },
        )


def _in_words(way: WayOut) -> str:
    """Returns what would have to be had, in a sentence."""
    seat = f"One more seat of {way.name}" if way.is_full else f"A seat of {way.name}"
    said = {"seat": seat, "more": f"One more of {way.name}", "version": f"The newer {way.name}"}
    needed = f" (with {way.needs})" if way.needs else ""
    taken = "; all of them are taken" if way.is_full else ""
    return f"{said.get(way.how, way.name)}{needed} would allow it{taken}."


class UsageBelowZero(Refusal):
    code = "usage_below_zero"
    title = "Less than nothing"

    def __init__(self, feature: str, used: int, amount: int) -> None:
        super().__init__(
            f"{used} of {feature} are used, so {-amount} can't be taken away.",
            blocking={"kind": "feature", "code": feature},
            next_action="Read what is counted, then send the absolute number.",
            details={"used": used},
        )


class ReservationOver(Refusal):
    code = "reservation_over"
    title = "The reservation is over"

    def __init__(self, token: str, outcome: str, ended_at: datetime) -> None:
        word = outcome or "over"
        super().__init__(
            f"The reservation is {word} since {ended_at.isoformat()}.",
            blocking={"kind": "reservation", "code": token},
            next_action="Add what was used to the usage." if not outcome else "Nothing needs to be done.",
            details={"outcome": outcome or "expired"},
        )


def way_json(way: WayOut) -> dict[str, Any]:
    """Returns what would allow it, with the limit that would be in force."""
    return {
        "how": way.how,
        "code": way.code,
        "name": way.name,
        "type": way.type,
        "needs": way.needs,
        "free": way.free,
        "limit": way.limit if isinstance(way.limit, int) else None,
        "unlimited": way.limit is UNLIMITED,
    }
