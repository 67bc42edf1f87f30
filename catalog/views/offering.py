"""What is on offer at an instant: which versions, in which order they are shown, and what is read of each. Few queries.

Whether something is for sale at all, its place, and the names of solutions are those of today; all else stands in the
frozen versions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import F, Min, Q

from catalog.models import Offer, Solution, Tier, Version

COMBINED: Final = "combined"

Content = tuple[Mapping[str, Any], Mapping[str, Any]]  # the frozen features, and the frozen rules


_OF_HEAD: Final = (  # the fields of Head, in its order
    *("pk", "offer__type", "offer__code", "offer__position"),
    *("number", "digest", "effective_from", "changelog", "max_quantity"),
)


@dataclass(frozen=True, slots=True)
class Head:
    """A version on offer, without its content, which the digest names."""

    pk: int
    type: str
    code: str
    position: int
    number: int
    digest: str
    effective_from: datetime
    changelog: str
    max_quantity: int | None

    @property
    def is_plan(self) -> bool:
        return self.type == Offer.Type.PLAN


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan or add-on as the page names it."""

    head: Head
    name: str
    description: str
    scope: str
    solutions: tuple[str, ...]
    tier: str | None
    tier_name: str | None

    @property
    def code(self) -> str:
        return self.head.code

    @property
    def section(self) -> str:
        """The solution it is shown under; several make it a combined plan."""
        return self.solutions[0] if len(self.solutions) == 1 else COMBINED


@dataclass(frozen=True, slots=True)
class Offering:
    """What is on offer at an instant, and all that the comparison of it depends on; equal ones have equal `repr`."""

    heads: tuple[Head, ...]
    solutions: tuple[tuple[str, str], ...]  # code and name, in order
    tiers: tuple[str, ...]  # the lowest first
    plans_begin: datetime | None  # where no plan is on offer: when the first one was, or will be

    @classmethod
    def at(cls, at: datetime) -> Offering:
        """Reads it: three queries, and one more when no plan is on offer."""
        rows = Version.objects.offered(at).filter(offer__for_sale=True).order_by("offer__position", "offer__code")
        heads = tuple(Head(*row) for row in rows.values_list(*_OF_HEAD))
        solutions = tuple(Solution.objects.values_list("code", "name"))
        tiers = tuple(Tier.objects.values_list("code", flat=True))
        begin = None if any(head.is_plan for head in heads) else plans_begin()
        return cls(heads, solutions, tiers, begin)

    def named(self) -> tuple[list[Shown], list[Shown]]:
        """Returns the plans by solution and tier, combined ones last, and the add-ons. One query."""
        named = Version.objects.filter(pk__in=[head.pk for head in self.heads])
        words = dict(named.order_by().values_list("pk", "content__offer"))
        shown = [_shown(head, words[head.pk]) for head in self.heads]
        plans = sorted((each for each in shown if each.head.is_plan), key=self._place)
        return plans, [each for each in shown if not each.head.is_plan]

    def _place(self, plan: Shown) -> tuple[Any, ...]:
        codes = [code for code, _ in self.solutions]
        solution = codes.index(plan.section) if plan.section in codes else len(codes)
        tier = self.tiers.index(plan.tier) if plan.tier in self.tiers else len(self.tiers)
        return (solution, len(plan.solutions), tier, plan.head.position, plan.code)


def _shown(head: Head, words: Mapping[str, Any]) -> Shown:
    names = ("name", "description", "scope", "tier", "tier_name")
    return Shown(head, solutions=tuple(words["solutions"]), **{name: words[name] for name in names})


def plans_begin() -> datetime | None:
    """Returns since when, or from when on, some plan for sale is on offer. One query."""
    ever = Q(retired_at=None) | Q(retired_at__gt=F("effective_from"))
    plans = Version.objects.frozen().filter(ever, offer__for_sale=True, offer__type=Offer.Type.PLAN)
    begin: datetime | None = plans.aggregate(begin=Min("effective_from"))["begin"]
    return begin


def contents(shown: Collection[Shown]) -> dict[str, Content]:
    """Returns, by code, the frozen features and rules of these. One query; the licence names stay where they are."""
    rows = Version.objects.filter(pk__in=[each.head.pk for each in shown]).order_by()
    found = rows.values_list("offer__code", "content__features", "content__rules")
    return {code: (features, rules) for code, features, rules in found}
