"""What may stand together at one customer: what each plan and add-on needs, excludes, and at most how many. Pure.

Judged on the end state, and all that is wrong is told at once (rules E-1 to E-4 of docs/rules.md). Rules are about the
contract: what a single user must hold is the prerequisite of a module, which `seating` judges (E-5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from catalog.targets import hits, in_words, meets

Code = Literal["needs", "excludes", "too_many"]


@dataclass(frozen=True, slots=True)
class Member:
    """A plan or add-on that a customer has, or would have: what its version froze of its rules, and how many.

    `needs` and `excludes` name plans and add-ons by code, tiers as `tier:CODE`; `tier` is what a plan is sold as.
    """

    code: str
    type: str
    tier: str | None
    needs: tuple[str, ...]
    excludes: tuple[str, ...]
    most: int | None
    quantity: int

    @classmethod
    def of_content(cls, content: Mapping[str, Any], quantity: int) -> Member:
        """Returns so many of what a frozen content says."""
        offer, rules = content["offer"], content["rules"]
        return cls(
            code=offer["code"],
            type=offer["type"],
            tier=offer["tier"],
            needs=tuple(rules["needs"]),
            excludes=tuple(rules["excludes"]),
            most=content["max_quantity"],
            quantity=quantity,
        )


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why members can't stand together: `target` is what is needed or excluded as the rule spells it, `other` who it
    is that is excluded, `most` how many are allowed.
    """

    code: Code
    offer: str
    message: str
    next_action: str
    target: str = ""
    other: str = ""
    most: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns what a refusal says: `needs` or `excludes` has the target, beside `code`, `offer` and the words."""
        about: dict[str, Any] = {"most": self.most} if self.code == "too_many" else {self.code: self.target}
        beside = {"beside": self.other} if self.other else {}
        words = {"message": self.message, "next_action": self.next_action}
        return {"code": self.code, "offer": self.offer, **about, **beside, **words}


def judge(members: Iterable[Member], ranks: Mapping[str, int]) -> list[Misfit]:
    """Returns everything that keeps `members` (one for each plan and add-on) from standing together, by their codes.

    `ranks` are those of the tiers, by code: a need of a tier is met by a plan of a higher one.
    """
    all_of_them = sorted(members, key=lambda member: member.code)
    return [misfit for member in all_of_them for misfit in _misfits(member, all_of_them, ranks)]


def _misfits(member: Member, members: Iterable[Member], ranks: Mapping[str, int]) -> Iterator[Misfit]:
    others = [other for other in members if other.code != member.code]
    for target in member.needs:
        if not any(meets(target, other, ranks) for other in others):
            wanted = in_words(target, "needs")
            yield Misfit(
                "needs",
                member.code,
                f"{member.code} needs {wanted}.",
                f"Add {wanted}, or leave {member.code} out.",
                target=target,
            )
    for target in member.excludes:
        for other in others:
            if hits(target, other):
                why = "" if other.code == target else f", {in_words(target, 'excludes')}"
                yield Misfit(
                    "excludes",
                    member.code,
                    f"{member.code} can't stand beside {other.code}{why}.",
                    f"Leave {member.code} or {other.code} out.",
                    target=target,
                    other=other.code,
                )
    if member.most is not None and member.quantity > member.most:
        yield Misfit(
            "too_many",
            member.code,
            f"At most {member.most} of {member.code}, not {member.quantity}.",
            f"Take {member.most} or fewer.",
            most=member.most,
        )
