"""Whether plans and add-ons can stand together by their rules alone, and why not. Pure; rules E-1, E-2 and E-6.

What is asked is a puzzle: a need brings another one in, which has needs of its own; a need of a tier leaves a choice.
`clash_of` is exact: it finds nothing where some choice works out, and something where none does. What isn't known (a
code without a version, a tier that no plan is sold as) is taken to be harmless: that it is missing is another question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

from catalog.content.shape import VersionContent
from catalog.kinds import Value
from catalog.targets import hits, in_words, meets, tier_of

Chain: TypeAlias = tuple[str, ...]  # from what was asked about, need by need, to what is brought in


@dataclass(frozen=True, slots=True)
class OnShelf:
    """A plan or add-on as others meet it. Without a version on sale (`version` None) it has no rules.

    `lacks` says why nobody can buy it ("it is not for sale"); empty, they can. `values` has what it gives of the
    features asked about, by code; `set_names` the hidden user modules that come with a seat of it.
    """

    code: str
    name: str = ""
    type: str = "plan"
    scope: str = "user"
    tier: str | None = None
    solutions: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    most: int | None = None
    lacks: str = ""
    version: int | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    set_names: frozenset[str] = frozenset()

    @property
    def is_plan(self) -> bool:
        return self.type == "plan"

    @classmethod
    def of_content(cls, content: VersionContent, **known: object) -> OnShelf:
        """Returns what a content, frozen or about to be, says of itself."""
        return replace(
            cls(
                code=content.offer.code,
                name=content.offer.name,
                type=content.offer.type,
                scope=content.offer.scope,
                tier=content.offer.tier,
                solutions=content.offer.solutions,
                needs=content.needs,
                excludes=content.excludes,
                most=content.max_quantity,
                version=0,
                values={code: feature.value for code, feature in content.features.items()},
                set_names=frozenset(content.set_names),
            ),
            **known,  # type: ignore[arg-type]  # fields of this very class; replace() refuses any other
        )


@dataclass(frozen=True, slots=True)
class Shelf:
    """All plans and add-ons by code, and the tiers: their ranks and names by code."""

    offers: Mapping[str, OnShelf] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    tier_names: Mapping[str, str] = field(default_factory=dict)

    def having(self, offer: OnShelf) -> Shelf:
        """Returns the shelf with this one put in the place of what has its code."""
        return replace(self, offers={**self.offers, offer.code: offer})

    def get(self, code: str) -> OnShelf:
        return self.offers.get(code) or OnShelf(code, type="unknown", lacks="there is no such plan or add-on")

    @property
    def names(self) -> dict[str, str]:
        """Names by target: of plans and add-ons, and of tiers."""
        named = {code: offer.name for code, offer in self.offers.items() if offer.name}
        return named | {f"tier:{code}": name for code, name in self.tier_names.items()}

    def name(self, code: str) -> str:
        return self.get(code).name or code

    def meeting(self, target: str) -> list[OnShelf]:
        """Returns what meets a need, of all that is on the shelf."""
        return [offer for offer in self.offers.values() if meets(target, offer, self.ranks)]


@dataclass(frozen=True, slots=True)
class Clash:
    """Why things can't stand together: `chain` leads to the one whose rule `target` stands against `other`.

    `other` is brought in by a chain of its own. For a need that nothing can meet there is none, and `tried` has what
    would meet it, each with why it can't.
    """

    chain: Chain
    target: str
    other_chain: Chain = ()
    tried: tuple[tuple[str, Clash], ...] = ()

    @property
    def other(self) -> str:
        return self.other_chain[-1] if self.other_chain else ""

    def in_words(self, shelf: Shelf) -> str:
        """Returns the whole story in one sentence, without a full stop."""
        last = self.chain[-1]
        steps = dict.fromkeys((*pairs(self.chain), *pairs(self.other_chain)))
        told = [f"{shelf.name(one)} needs {shelf.name(other)}" for one, other in steps]
        names = shelf.names
        if not self.other:
            wanted = in_words(self.target, "needs", names)
            why = "; ".join(clash.in_words(shelf) for _, clash in self.tried)
            return ", and ".join([*told, f"{shelf.name(last)} needs {wanted}, and none can stand beside it: {why}"])
        how = "" if self.other == self.target else f", {in_words(self.target, 'excludes', names)}"
        return ", and ".join([*told, f"{shelf.name(last)} excludes {shelf.name(self.other)}{how}"])


def pairs(chain: Chain) -> Iterator[tuple[str, str]]:
    return pairwise(chain)


def brought_in(codes: Iterable[str], shelf: Shelf) -> dict[str, Chain]:
    """Returns all that `codes` need by name, over however many needs, themselves first: code → the chain to it."""
    return _closure({code: (code,) for code in codes}, shelf)


def _closure(members: Mapping[str, Chain], shelf: Shelf) -> dict[str, Chain]:
    found = dict(members)
    waiting = list(found)
    for code in waiting:  # grows as it goes
        for target in shelf.get(code).needs:
            if tier_of(target) is None and target not in found:
                found[target] = (*found[code], target)
                waiting.append(target)
    return found


def clash_of(codes: Iterable[str], shelf: Shelf) -> Clash | None:
    """Returns why no customer can have all of `codes`, whatever they have beside; None when they can."""
    return _settle({code: (code,) for code in codes}, shelf)


def _settle(members: Mapping[str, Chain], shelf: Shelf) -> Clash | None:
    together = _closure(members, shelf)
    clash = _first_clash(together, shelf)
    if clash is not None:
        return clash
    for code, target in _open_needs(together, shelf):
        candidates = [offer for offer in shelf.meeting(target) if offer.code != code]
        if not candidates:
            continue
        tried = []
        for candidate in sorted(candidates, key=lambda offer: offer.code):
            found = _settle(together | {candidate.code: (candidate.code,)}, shelf)
            if found is None:
                return None
            tried.append((candidate.code, found))
        return Clash(together[code], target, tried=tuple(tried))
    return None


def _open_needs(together: Mapping[str, Chain], shelf: Shelf) -> Iterator[tuple[str, str]]:
    """Yields who needs which tier that nothing among them meets."""
    present = [shelf.get(code) for code in together]
    for member in present:
        for target in member.needs:
            others = (other for other in present if other.code != member.code)
            if tier_of(target) is not None and not any(meets(target, other, shelf.ranks) for other in others):
                yield member.code, target


def _first_clash(together: Mapping[str, Chain], shelf: Shelf) -> Clash | None:
    present = [shelf.get(code) for code in together]
    for member in present:
        for target in member.excludes:
            named = present if tier_of(target) else [shelf.get(target)] if target in together else []
            for other in named:
                if other.code != member.code and hits(target, other):
                    return Clash(together[member.code], target, together[other.code])
    return None
