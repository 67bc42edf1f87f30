"""What a user holds after a change of seats, or why not. Rules S-1 to S-5 of docs/rules.md."""

from __future__ import annotations

from typing import Any

import pytest

from customers.errors import Refusal
from licensing.errors import ConflictingPlans, MissingPrerequisite, SeatNotHeld, SolutionWouldBeLost
from licensing.seating import Assignable, Inventory, Wish, judge
from tests.licensing.given import full

SOLUTIONS = {
    "sales-e": "sales",
    "sales-p": "sales",
    "service-e": "service",
    "service-p": "service",
    "marketing-p": "marketing",
    "sales+service": "sales service",
    "service+marketing": "service marketing",
    "all": "sales service marketing",
}


def names(listed: str) -> frozenset[str]:
    return frozenset(full(name) for name in listed.split())


def seat(module: str, prerequisite: str | None = None, **fields: Any) -> Assignable:
    return Assignable(full(module), prerequisite=None if prerequisite is None else full(prerequisite), **fields)


PLANS = [
    seat(code, is_plan=True, solutions=frozenset(solutions.split()), switches_on=(full("user"), full("web")))
    for code, solutions in SOLUTIONS.items()
]
ASSISTANT = seat("assistant", is_plan=True, solutions=frozenset({"desk"}))  # a plan that switches nothing on
PARTNERS = [
    seat("acme.basic", is_plan=True),
    seat("acme.plus", is_plan=True),
    seat("umbra.plus", is_plan=True),
]
EXTRAS = [
    seat("visible-for"),
    seat("acme.phone"),
    seat("nebula", prerequisite="user"),
    seat("windows", prerequisite="server"),
    seat("travel", prerequisite="windows"),
    seat("remote-travel", prerequisite="travel"),
    seat("orphan", prerequisite="nowhere"),
]
INVENTORY = Inventory({a.module: a for a in [*PLANS, ASSISTANT, *PARTNERS, *EXTRAS]}, names("server"))


def after(held: str, assign: str = "", release: str = "", *, accept_loss: bool = False) -> str:
    """Returns the bare names held afterwards, or the code of the refusal."""
    wish = Wish(
        tuple(full(name) for name in assign.split()), tuple(full(name) for name in release.split()), accept_loss
    )
    try:
        result = judge(INVENTORY, "ola", names(held), wish)
    except Refusal as refused:
        return f"! {refused.code}"
    return " ".join(sorted(name.removeprefix("superoffice.") for name in result))


class TestOnePlanPerSolution:
    @pytest.mark.parametrize(
        ("held", "assign", "expected"),
        [
            ("", "sales-e", "sales-e"),
            ("sales-e", "sales-e", "sales-e"),
            ("sales-e", "sales-p", "sales-p"),
            ("sales-p", "sales-e", "sales-e"),
            ("sales-e", "service-e", "sales-e service-e"),
            ("sales-e service-e", "sales-p", "sales-p service-e"),
            ("sales-e service-e", "sales+service", "sales+service"),
            ("sales-e service-e marketing-p", "sales+service", "marketing-p sales+service"),
            ("sales+service", "all", "all"),
            ("sales-e service-e", "all", "all"),
            ("", "sales-e service-e", "sales-e service-e"),
            ("sales-e", "sales-p service-p", "sales-p service-p"),
            ("sales-e", "", "sales-e"),
        ],
    )
    def test_assigning_releases_held_plans_of_the_same_solution(self, held: str, assign: str, expected: str) -> None:
        assert after(held, assign) == expected

    @pytest.mark.parametrize("assign", ["sales-e sales-p", "sales-e sales+service", "all marketing-p"])
    def test_two_of_one_solution_can_not_be_asked_for(self, assign: str) -> None:
        assert after("", assign) == "! conflicting_plans"

    def test_the_refusal_names_both(self) -> None:
        with pytest.raises(ConflictingPlans) as refused:
            judge(INVENTORY, "ola", frozenset(), Wish((full("sales-e"), full("sales-p"))))
        assert full("sales-e") in str(refused.value)
        assert refused.value.blocking == {"kind": "module", "code": full("sales-p")}

    def test_other_seats_survive_a_swap(self) -> None:
        assert after("sales-e visible-for nebula", "sales-p") == "nebula sales-p visible-for"


class TestWhatWouldBeLost:
    """Assigning a plan may push out one that covers more: named, replaced or accepted, else refused."""

    @pytest.mark.parametrize(
        ("held", "assign", "lost"),
        [
            ("sales+service", "service-e", "sales"),
            ("all", "sales-p", "marketing, service"),
            ("all", "sales+service", "marketing"),
            ("sales+service", "service+marketing", "sales"),
            ("sales+service marketing-p", "service+marketing", "sales"),
        ],
    )
    def test_it_is_refused(self, held: str, assign: str, lost: str) -> None:
        with pytest.raises(SolutionWouldBeLost) as refused:
            judge(INVENTORY, "ola", names(held), Wish((full(assign),)))
        assert ", ".join(refused.value.details["lost_solutions"]) == lost
        assert refused.value.details["released"] == sorted(names(held))
        assert refused.value.code == "solution_would_be_lost"

    @pytest.mark.parametrize(
        ("held", "assign", "expected"),
        [
            ("sales+service", "service-e sales-p", "sales-p service-e"),
            ("all", "sales+service marketing-p", "marketing-p sales+service"),
            ("all", "sales-e", "! solution_would_be_lost"),
            ("all", "sales-e service-e", "! solution_would_be_lost"),
            ("sales+service", "service+marketing sales-e", "sales-e service+marketing"),
            ("sales-e service+marketing", "service-p marketing-p", "marketing-p sales-e service-p"),
        ],
    )
    def test_unless_the_request_names_the_replacement(self, held: str, assign: str, expected: str) -> None:
        assert after(held, assign) == expected

    def test_or_a_plan_that_stays_covers_it(self) -> None:
        """Both were held since before their solutions came to overlap."""
        assert after("sales-e sales+service", "service-e") == "sales-e service-e"

    def test_or_accepts_the_loss(self) -> None:
        assert after("sales+service", "service-e", accept_loss=True) == "service-e"

    def test_or_names_what_to_release(self) -> None:
        assert after("sales+service", "service-e", "sales+service") == "service-e"

    def test_releasing_by_name_loses_nothing_by_surprise(self) -> None:
        assert after("sales+service visible-for", "", "sales+service") == "visible-for"


class TestReleasing:
    def test_what_is_not_held_can_not_be_released(self) -> None:
        with pytest.raises(SeatNotHeld) as refused:
            judge(INVENTORY, "ola", names("sales-e"), Wish(release=(full("service-e"),)))
        assert refused.value.status == 404
        assert refused.value.blocking == {"kind": "seat", "code": full("service-e"), "user": "ola"}

    def test_what_is_no_longer_sold_can_still_be_released(self) -> None:
        assert after("gone sales-e", "", "gone") == "sales-e"

    def test_what_is_no_longer_sold_stays_otherwise(self) -> None:
        assert after("gone sales-e", "sales-p") == "gone sales-p"

    def test_releases_come_before_assignments(self) -> None:
        assert after("sales-e", "sales-e", "sales-e") == "sales-e"
        assert after("visible-for", "visible-for", "visible-for") == "visible-for"

    def test_nothing_asked_changes_nothing(self) -> None:
        assert after("sales-e nebula") == "nebula sales-e"


class TestPrerequisites:
    """Judged on the end state; what lacked its own before may stay."""

    @pytest.mark.parametrize(
        ("held", "assign", "release", "expected"),
        [
            ("", "nebula", "", "! missing_prerequisite"),
            ("sales-e", "nebula", "", "nebula sales-e"),
            ("", "nebula sales-e", "", "nebula sales-e"),
            ("", "windows", "", "windows"),
            ("", "travel", "", "! missing_prerequisite"),
            ("", "travel windows", "", "travel windows"),
            ("", "remote-travel windows", "", "! missing_prerequisite"),
            ("", "remote-travel travel windows", "", "remote-travel travel windows"),
            ("sales-e nebula", "", "sales-e", "! missing_prerequisite"),
            ("sales-e nebula", "", "sales-e nebula", ""),
            ("sales-e nebula", "sales-p", "", "nebula sales-p"),
            ("sales-e nebula", "service-e", "sales-e", "nebula service-e"),
            ("sales-e nebula", "assistant", "sales-e", "! missing_prerequisite"),
            ("", "orphan", "", "! missing_prerequisite"),
            ("orphan", "visible-for", "", "orphan visible-for"),
            ("orphan", "orphan", "", "orphan"),
        ],
    )
    def test_it(self, held: str, assign: str, release: str, expected: str) -> None:
        assert after(held, assign, release) == expected

    def test_the_refusal_says_what_would_bring_it(self) -> None:
        with pytest.raises(MissingPrerequisite) as refused:
            judge(INVENTORY, "ola", frozenset(), Wish((full("travel"),)))
        assert refused.value.blocking == {"kind": "module", "code": full("windows")}
        assert refused.value.details == {"user": "ola", "module": full("travel"), "carried_by": [full("windows")]}

    def test_a_hidden_prerequisite_is_carried_by_plans(self) -> None:
        with pytest.raises(MissingPrerequisite) as refused:
            judge(INVENTORY, "ola", frozenset(), Wish((full("nebula"),)))
        assert refused.value.details["carried_by"] == sorted(full(code) for code in SOLUTIONS)

    def test_one_that_nothing_brings_is_for_the_subscription(self) -> None:
        with pytest.raises(MissingPrerequisite) as refused:
            judge(INVENTORY, "ola", frozenset(), Wish((full("orphan"),)))
        assert refused.value.next_action.startswith("Add superoffice.nowhere to the subscription")


class TestImportedPlans:
    """Plans of a partner cover no solution of ours unless a mapping says so; of one owner only one is held."""

    @pytest.mark.parametrize(
        ("held", "assign", "expected"),
        [
            ("acme.basic", "acme.plus", "acme.plus"),
            ("acme.basic", "umbra.plus", "acme.basic umbra.plus"),
            ("sales-e", "acme.basic", "acme.basic sales-e"),
            ("acme.basic", "all", "acme.basic all"),
            ("acme.phone", "acme.basic", "acme.basic acme.phone"),
            ("", "acme.basic acme.plus", "! conflicting_plans"),
        ],
    )
    def test_without_solutions(self, held: str, assign: str, expected: str) -> None:
        assert after(held, assign) == expected

    def test_with_solutions_they_stand_beside_ours(self) -> None:
        mapped = seat("acme.sales", is_plan=True, solutions=frozenset({"sales"}))
        inventory = Inventory({**INVENTORY.assignables, mapped.module: mapped})
        held = names("sales-e acme.basic")
        assert judge(inventory, "ola", held, Wish((mapped.module,))) == frozenset({mapped.module, "acme.basic"})


class TestOverlap:
    def test_it_is_mutual_and_never_with_itself(self) -> None:
        everything = list(INVENTORY.assignables.values())
        for one in everything:
            assert not one.overlaps(one)
            for other in everything:
                assert one.overlaps(other) == other.overlaps(one)

    def test_only_plans_overlap(self) -> None:
        overlapping = {a.module for a in INVENTORY.assignables.values() for b in PLANS if a.overlaps(b)}
        assert overlapping == {plan.module for plan in PLANS}
