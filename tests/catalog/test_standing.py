"""Whether things can stand together: exact, by trying every combination of small catalogs. Rules E-1, E-2, E-6."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, combinations, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.content import Clash, OnShelf, Shelf, brought_in, clash_of
from catalog.targets import hits, in_words, meets, tier_of

TIERS = ("low", "high")
RANKS = {"low": 1, "high": 2}
CODES = tuple("abcde")


def shelf(*offers: OnShelf) -> Shelf:
    return Shelf({offer.code: offer for offer in offers}, RANKS, {"low": "Low", "high": "High"})


def add_on(code: str, needs: tuple[str, ...] = (), excludes: tuple[str, ...] = (), **fields: Any) -> OnShelf:
    given: dict[str, Any] = {"type": "addon", "scope": "site", **fields}
    return OnShelf(code, code.upper(), needs=needs, excludes=excludes, version=1, **given)


def plan(code: str, tier: str | None = None, **rules: Any) -> OnShelf:
    return add_on(code, **rules, type="plan", scope="user", tier=tier)


targets = st.lists(st.sampled_from([*CODES, *(f"tier:{tier}" for tier in TIERS)]), max_size=2, unique=True).map(tuple)


@st.composite
def shelves(draw: Any) -> Shelf:
    """Draws up to five plans and add-ons; rules may name what isn't there."""
    offers = []
    for code in draw(st.lists(st.sampled_from(CODES), unique=True, min_size=1)):
        needs = tuple(target for target in draw(targets) if target != code)
        excludes = tuple(target for target in draw(targets) if target not in (code, *needs))
        if draw(st.booleans()):
            offers.append(add_on(code, needs, excludes))
        else:
            offers.append(plan(code, draw(st.sampled_from([None, *TIERS])), needs=needs, excludes=excludes))
    return shelf(*offers)


def combinations_of(codes: Iterable[str]) -> Iterator[tuple[str, ...]]:
    known = sorted(codes)
    return chain.from_iterable(combinations(known, size) for size in range(len(known) + 1))


def holds_together(codes: tuple[str, ...], shelf: Shelf) -> bool:
    """Says the rules once more, as plainly as can be; a tier that nothing on the shelf meets is let pass."""
    present = [shelf.offers[code] for code in codes]
    for member in present:
        others = [other for other in present if other is not member]
        if any(hits(target, other) for target in member.excludes for other in others):
            return False
        for target in member.needs:
            could = [each for each in shelf.offers.values() if each is not member and meets(target, each, RANKS)]
            if could and not any(meets(target, other, RANKS) for other in others):
                return False
    return True


@given(shelves(), st.data())
def test_a_clash_is_found_where_no_combination_works_and_nowhere_else(drawn: Shelf, data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.sampled_from(sorted(drawn.offers)), min_size=1, max_size=2, unique=True))
    whole = shelf(*(drawn.get(code) for code in CODES))  # what isn't there could be bought if it were
    works = any(holds_together(codes, whole) for codes in combinations_of(CODES) if set(wanted) <= set(codes))
    clash = clash_of(wanted, drawn)
    assert (clash is None) == works
    assert (clash_of(reversed(wanted), drawn) is None) == works, "excluding is mutual, whoever says it"
    if clash is not None:
        assert_true(clash, drawn)
        assert clash.in_words(drawn)


def assert_true(clash: Clash, drawn: Shelf) -> None:
    """Asserts that each step of the story stands in the rules."""
    for one, other in (*pairwise(clash.chain), *pairwise(clash.other_chain)):
        assert other in drawn.offers[one].needs
    last = drawn.offers[clash.chain[-1]]
    if clash.other:
        assert clash.target in last.excludes
        assert hits(clash.target, drawn.get(clash.other))
    else:
        assert clash.target in last.needs
        meeting = {offer.code for offer in drawn.meeting(clash.target)} - {last.code}
        assert {code for code, _ in clash.tried} == meeting


@given(shelves())
def test_what_is_brought_in_is_needed_step_by_step(drawn: Shelf) -> None:
    for code in drawn.offers:
        for reached, way in brought_in([code], drawn).items():
            assert (way[0], way[-1]) == (code, reached)
            assert len(set(way)) == len(way), "no step twice"
            assert all(other in drawn.offers[one].needs for one, other in pairwise(way))


@pytest.mark.parametrize(
    ("offers", "story"),
    [
        ([add_on("a", ("b",)), add_on("b", (), ("a",))], "A needs B, and B excludes A"),
        (
            [add_on("a", ("b",)), add_on("b", ("c",)), add_on("c", (), ("a",))],
            "A needs B, and B needs C, and C excludes A",
        ),
        (
            [add_on("a", ("b",), ("tier:low",)), plan("b", "low")],
            "A needs B, and A excludes B, a plan of tier Low",
        ),
        (
            [add_on("a", ("tier:high",), ("b",)), plan("b", "high"), plan("c", "low")],
            "A needs a plan of tier High or higher, and none can stand beside it: A excludes B",
        ),
        ([add_on("a", ("tier:low",), ("tier:low",)), plan("b", "low"), plan("c", "high")], ""),  # c will do
        ([add_on("a", ("tier:high",))], ""),  # there is none: not a contradiction
        ([add_on("a", ("gone",))], ""),
        ([plan("a", "high", excludes=("tier:high",))], ""),  # it is about the others
        ([plan("a", "high", needs=("tier:high",)), plan("b", "high", excludes=("a",))],
         "A needs a plan of tier High or higher, and none can stand beside it: B excludes A"),
    ],
)  # fmt: skip
def test_the_story_is_told_step_by_step(offers: list[OnShelf], story: str) -> None:
    clash = clash_of(["a"], shelf(*offers))
    assert (clash.in_words(shelf(*offers)) if clash else "") == story


def test_targets_are_codes_or_tiers() -> None:
    assert (tier_of("tier:high"), tier_of("high")) == ("high", None)
    assert in_words("tier:high", "needs") == "a plan of tier high or higher"
    assert in_words("tier:high", "excludes", {"tier:high": "High"}) == "a plan of tier High"
    assert (in_words("cep", "needs", {"cep": "CEP"}), in_words("cep", "needs")) == ("CEP", "cep")
