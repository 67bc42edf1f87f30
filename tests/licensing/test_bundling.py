"""What may stand together at one customer: rules E-1 to E-4."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.bundling import Member, judge
from licensing.errors import ItemsRefused
from tests.licensing.market import Market, Town, hours

RANKS = {"essentials": 1, "premium": 2, "ultimate": 3}


def plan(code: str, tier: str | None = None, **rules: Any) -> Member:
    return add_on(code, **rules, type="plan", tier=tier)


def add_on(
    code: str,
    needs: tuple[str, ...] = (),
    excludes: tuple[str, ...] = (),
    most: int | None = None,
    quantity: int = 1,
    **fields: Any,
) -> Member:
    return Member(
        **{"code": code, "type": "addon", "tier": None, **fields},
        needs=needs,
        excludes=excludes,
        most=most,
        quantity=quantity,
    )


def told(*members: Member) -> list[tuple[str, str]]:
    return [(misfit.code, misfit.message) for misfit in judge(members, RANKS)]


SALES, SERVICE, MAX = plan("sales", "essentials"), plan("service", "premium"), plan("max", "ultimate")


@pytest.mark.parametrize(
    ("members", "misfits"),
    [
        ([], []),
        ([SALES, add_on("chat", needs=("sales",))], []),
        ([SERVICE, add_on("chat", needs=("sales",))], [("needs", "chat needs sales.")]),
        ([SALES, add_on("chat", excludes=("service",))], []),
        ([SERVICE, add_on("chat", excludes=("service",))], [("excludes", "chat can't stand beside service.")]),
        # A tier that is needed is met by a higher one; one that is excluded is that tier and no other.
        ([SALES, add_on("ai", needs=("tier:premium",))], [("needs", "ai needs a plan of tier premium or higher.")]),
        ([SERVICE, add_on("ai", needs=("tier:premium",))], []),
        ([MAX, add_on("ai", needs=("tier:premium",))], []),
        ([MAX, add_on("ai", excludes=("tier:premium",))], []),
        (
            [MAX, SERVICE, add_on("ai", excludes=("tier:premium",))],
            [("excludes", "ai can't stand beside service, a plan of tier premium.")],
        ),
        ([add_on("cheap", tier="ultimate"), add_on("ai", needs=("tier:essentials",))],
         [("needs", "ai needs a plan of tier essentials or higher.")]),
        # A tier that the catalog ranks no longer is met by that very tier.
        ([plan("old", "gold"), add_on("ai", needs=("tier:gold",))], []),
        ([MAX, add_on("ai", needs=("tier:gold",))], [("needs", "ai needs a plan of tier gold or higher.")]),
        # What a plan says of its own tier is about the others.
        ([plan("sales", "premium", needs=("tier:premium",))],
         [("needs", "sales needs a plan of tier premium or higher.")]),
        ([plan("sales", "premium", excludes=("tier:premium",))], []),
        ([add_on("chat", most=2, quantity=3)], [("too_many", "At most 2 of chat, not 3.")]),
        ([add_on("chat", most=2, quantity=2)], []),
        (
            [SALES, add_on("chat", needs=("ai",), excludes=("sales", "tier:essentials"), most=1, quantity=9)],
            [
                ("needs", "chat needs ai."),
                ("excludes", "chat can't stand beside sales."),
                ("excludes", "chat can't stand beside sales, a plan of tier essentials."),
                ("too_many", "At most 1 of chat, not 9."),
            ],
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_told_at_once(members: list[Member], misfits: list[tuple[str, str]]) -> None:
    assert told(*members) == misfits


def test_each_misfit_says_what_to_do_and_what_it_is_about() -> None:
    chat = add_on("chat", needs=("tier:premium",), excludes=("tier:essentials",), most=1, quantity=2)
    assert [misfit.to_json() for misfit in judge([SALES, chat], RANKS)] == [
        {
            "code": "needs",
            "offer": "chat",
            "needs": "tier:premium",
            "message": "chat needs a plan of tier premium or higher.",
            "next_action": "Add a plan of tier premium or higher, or leave chat out.",
        },
        {
            "code": "excludes",
            "offer": "chat",
            "excludes": "tier:essentials",
            "beside": "sales",
            "message": "chat can't stand beside sales, a plan of tier essentials.",
            "next_action": "Leave chat or sales out.",
        },
        {
            "code": "too_many",
            "offer": "chat",
            "most": 1,
            "message": "At most 1 of chat, not 2.",
            "next_action": "Take 1 or fewer.",
        },
    ]


targets = st.lists(st.sampled_from(["a", "b", "c", "d", *(f"tier:{tier}" for tier in RANKS)]), max_size=3, unique=True)
members = st.lists(
    st.builds(
        lambda code, tier, needs, excludes: plan(code, tier, needs=tuple(needs), excludes=tuple(excludes)),
        st.sampled_from("abcd"),
        st.sampled_from([None, *RANKS]),
        targets,
        targets,
    ),
    unique_by=lambda member: member.code,
)


@given(members, st.randoms())
def test_order_never_matters(drawn: list[Member], random: Any) -> None:
    shuffled = random.sample(drawn, len(drawn))
    assert judge(drawn, RANKS) == judge(shuffled, RANKS)


@given(members)
def test_leaving_something_out_never_adds_a_clash(drawn: list[Member]) -> None:
    clashes = {(m.offer, m.target, m.other) for m in judge(drawn, RANKS) if m.code == "excludes"}
    for member in drawn:
        fewer = [other for other in drawn if other is not member]
        assert {(m.offer, m.target, m.other) for m in judge(fewer, RANKS) if m.code == "excludes"} <= clashes


# ── Through the services ────────────────────────────────────────────────────
def test_a_plan_of_the_tier_must_be_bought_along(market: Market, town: Town) -> None:
    market.publish(market.storage, grants={"storage": 100}, needs=("tier:premium",), at=hours(1))
    with pytest.raises(ItemsRefused) as refused:
        town.buys(sales_essentials=1, storage=1, at=hours(2))
    (fault,) = refused.value.details["faults"]
    assert (fault["code"], fault["needs"]) == ("needs", "tier:premium")
    assert fault["next_action"] == "Add a plan of tier premium or higher, or leave storage out."

    town.buys(sales_premium=1, storage=1, at=hours(2))

    with pytest.raises(ItemsRefused, match="needs a plan of tier premium or higher"):
        town.buys(sales_premium=0, sales_essentials=1, at=hours(3))


def test_a_plan_of_an_excluded_tier_is_not_bought_along(market: Market, town: Town) -> None:
    market.publish(market.storage, grants={"storage": 100}, excludes=("tier:essentials",), at=hours(1))
    town.buys(sales_premium=1, storage=1, at=hours(2))
    with pytest.raises(ItemsRefused, match="can't stand beside service-essentials, a plan of tier essentials"):
        town.buys(service_essentials=1, at=hours(3))


def test_needs_are_the_customers_not_the_users(market: Market, town: Town) -> None:
    """E-5: who is given the add-on needs what its module says, not what the contract does."""
    market.publish(market.calendar, grants={"calendar-synchronization": True}, needs=("tier:premium",), at=hours(1))
    town.buys(sales_premium=1, sales_essentials=1, calendar=1, at=hours(2))
    town.gives("ida", "ten-sales-essentials", at=hours(3))
    town.gives("ida", "nebula", at=hours(4))
    assert town.access("ida", "calendar-synchronization") == "edit"
