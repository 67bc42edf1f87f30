"""What several sources give together: every kind under every rule, levels with modules, sums. Rules R-6 to R-8."""

from __future__ import annotations

import pytest

from catalog.kinds import LARGEST_LIMIT, UNLIMITED, Value
from licensing.facts import DateState, FeatureDef
from licensing.resolution import Outcome
from tests.licensing.given import (
    CUSTOMER,
    OWN,
    Sold,
    add_on,
    answer,
    choice,
    decision,
    facts,
    holds,
    level,
    limit,
    plan,
    switch,
)

PRINT = switch("print")
BOARDS = level("boards", "charts", "tiles", "custom")


def merged(feature: FeatureDef, *values: Value) -> str:
    """Returns what somebody gets who holds one plan per value."""
    rows = [plan(f"plan-{n}", {feature: value}) for n, value in enumerate(values)]
    return answer(facts(*rows), holds(*(f"plan-{n}" for n in range(len(values)))), feature)


@pytest.mark.parametrize(
    ("feature", "values", "expected"),
    [
        (PRINT, [True], "edit"),
        (PRINT, [True, True], "edit"),
        (PRINT, [False, True], "edit"),
        (PRINT, [False], "none"),
        (limit("mail", "max"), [500], "edit 500"),
        (limit("mail", "max"), [100, 500, 300], "edit 500"),
        (limit("mail", "max"), [500, UNLIMITED], "edit unlimited"),
        (limit("mail", "max"), [UNLIMITED, UNLIMITED], "edit unlimited"),
        (limit("mail", "max"), [0, 1], "edit 1"),
        (limit("mail", "max"), [0], "none"),
        (limit("mail", "sum"), [500], "edit 500"),
        (limit("mail", "sum"), [100, 500, 300], "edit 900"),
        (limit("mail", "sum"), [500, UNLIMITED], "edit unlimited"),
        (limit("mail", "sum"), [LARGEST_LIMIT, 1], f"edit {LARGEST_LIMIT}"),
        (limit("mail", "min"), [500], "edit 500"),
        (limit("mail", "min"), [100, 500, 300], "edit 100"),
        (limit("mail", "min"), [500, UNLIMITED], "edit 500"),
        (limit("mail", "min"), [UNLIMITED, UNLIMITED], "edit unlimited"),
        (limit("mail", "min"), [0, 5], "none"),
        (BOARDS, ["charts"], "edit charts"),
        (BOARDS, ["tiles", "custom", "charts"], "edit custom"),
    ],
    ids=lambda given: given.rule if isinstance(given, FeatureDef) else repr(given),
)
def test_merge_rules(feature: FeatureDef, values: list[Value], expected: str) -> None:
    assert merged(feature, *values) == expected
    assert merged(feature, *reversed(values)) == expected


def test_only_what_is_held_is_merged() -> None:
    mail = limit("mail", "min")
    at = facts(plan("small", {mail: 10}), plan("large", {mail: 100}))
    assert answer(at, holds("large"), mail) == "edit 100"
    assert answer(at, holds("large", "small"), mail) == "edit 10"


def test_a_level_is_ranked_by_the_longest_list_of_choices() -> None:
    """Versions of different days know different choices: new ones came between, none ever goes."""
    old, new = level("boards", "charts", "custom"), level("boards", "charts", "tiles", "custom", "shared")
    at = facts(plan("earlier", {old: "custom"}), plan("later", {new: "tiles"}))
    assert answer(at, holds("earlier", "later"), "boards") == "edit custom"
    assert answer(at, holds("later"), "boards") == "edit tiles"
    found = decision(at, holds("earlier"), "boards")
    assert found is not None
    assert found.feature.choice_codes == ("charts", "tiles", "custom", "shared")


class TestLevelsWithModules:
    """Each choice is judged by its own modules; the value is the highest that has edit (R-7)."""

    BOARDS = level("boards", choice("charts"), choice("tiles", "dash"), choice("custom", "dash", "dash-cal"))

    @pytest.mark.parametrize(
        ("granted", "switched_on", "expected"),
        [
            ("custom", ["dash-cal"], "edit custom"),
            ("custom", [], "edit tiles"),
            ("tiles", ["dash-cal"], "edit tiles"),
            ("charts", [], "edit charts"),
        ],
    )
    def test_the_highest_choice_whose_module_is_held(self, granted: str, switched_on: list[str], expected: str) -> None:
        at = facts(plan("ten-sales", {self.BOARDS: granted}, switches_on=switched_on), site=["dash"])
        assert answer(at, holds("ten-sales"), self.BOARDS) == expected

    def test_view_only_when_no_choice_has_edit(self) -> None:
        at = facts(plan("ten-sales", {self.BOARDS: "custom"}), site=["dash"])
        assert answer(at, holds("ten-sales"), self.BOARDS) == "edit tiles"
        assert answer(at, holds(), self.BOARDS) == "view"

    @pytest.mark.parametrize(("granted", "expected"), [("charts", "none"), ("tiles", "none"), ("custom", "view")])
    def test_a_choice_without_user_module_gives_no_view(self, granted: str, expected: str) -> None:
        at = facts(plan("ten-sales", {self.BOARDS: granted}), site=["dash"])
        assert answer(at, holds(), self.BOARDS) == expected

    def test_the_choice_of_one_source_may_stand_on_the_module_of_another(self) -> None:
        service = plan("ten-service", {self.BOARDS: "tiles"}, switches_on=["dash-cal"], solutions=("service",))
        at = facts(plan("ten-sales", {self.BOARDS: "custom"}), service, site=["dash"])
        assert answer(at, holds("ten-sales", "ten-service"), self.BOARDS) == "edit custom"
        assert answer(at, holds("ten-service"), self.BOARDS) == "edit tiles"

    @pytest.mark.parametrize(
        ("held", "expected"),
        [
            ([], "view"),
            (["base-cal"], "edit wide"),
            (["deep-cal"], "edit deep"),
            (["base-cal", "deep-cal"], "edit deep"),
        ],
    )
    def test_what_a_choice_does_not_name_is_the_features(self, held: list[str], expected: str) -> None:
        wide, deep = choice("wide", site="wide"), choice("deep", user="deep-cal")
        mixed = level("mixed", "base", wide, deep, site="base", user="base-cal")
        at = facts(plan("ten-sales", {mixed: "deep"}, switches_on=held), site=["base"])
        assert answer(at, holds("ten-sales"), mixed) == expected


class TestSum:
    """Plans of one origin count once, by the largest; add-ons times quantity; plans never times seats (R-8)."""

    STORAGE = limit("storage", "sum")

    def test_the_shared_part_of_two_plans_counts_once(self) -> None:
        rows = [plan(name, {self.STORAGE: 10}, origin="common") for name in ("sales", "service")]
        assert answer(facts(*rows), holds("sales", "service"), self.STORAGE) == "edit 10"

    def test_of_one_origin_the_largest_counts(self) -> None:
        rows = [plan(n, {self.STORAGE: v}, origin="common") for n, v in (("sales", 10), ("service", 30), ("more", 20))]
        assert answer(facts(*rows), holds("sales", "service", "more"), self.STORAGE) == "edit 30"
        assert answer(facts(*rows), holds("sales", "more"), self.STORAGE) == "edit 20"

    def test_different_origins_add_up(self) -> None:
        common = plan("sales", {self.STORAGE: 10}, origin="common")
        premium = plan("service", {self.STORAGE: 50}, origin="service-premium")
        assert answer(facts(common, premium), holds("sales", "service"), self.STORAGE) == "edit 60"

    def test_plans_are_never_times_seats(self) -> None:
        at = facts(plan("sales", {self.STORAGE: 10}, quantity=25))
        assert answer(at, holds("sales"), self.STORAGE) == "edit 10"
        assert answer(at, CUSTOMER, self.STORAGE) == "edit 10"

    def test_a_site_add_on_counts_times_quantity(self) -> None:
        at = facts(plan("sales", {self.STORAGE: 10}), add_on("extra-storage", {self.STORAGE: 100}, quantity=3))
        assert answer(at, holds("sales"), self.STORAGE) == "edit 310"
        assert answer(at, holds(), self.STORAGE) == "edit 300"

    def test_two_add_ons_of_one_origin_both_count(self) -> None:
        rows = [add_on(name, {self.STORAGE: 100}, origin="storage") for name in ("small", "large")]
        assert answer(facts(*rows), holds(), self.STORAGE) == "edit 200"

    def test_a_plan_counts_beside_an_add_on_of_its_origin(self) -> None:
        at = facts(
            plan("sales", {self.STORAGE: 10}, origin="common"), add_on("disk", {self.STORAGE: 100}, origin="common")
        )
        assert answer(at, holds("sales"), self.STORAGE) == "edit 110"

    def test_of_an_add_on_per_user_everybody_holds_one_and_the_customer_all(self) -> None:
        at = facts(add_on("mailbox", {self.STORAGE: 5}, per_user=True, quantity=40))
        assert answer(at, holds("mailbox"), self.STORAGE) == "edit 5"
        assert answer(at, CUSTOMER, self.STORAGE) == "edit 200"

    @pytest.mark.parametrize("value", [7, UNLIMITED])
    def test_other_rules_know_no_quantity(self, value: Value) -> None:
        storage = limit("storage", "max")
        at = facts(add_on("extra-storage", {storage: value}, quantity=3))
        assert answer(at, holds(), storage) == ("edit 7" if value == 7 else "edit unlimited")

    def test_any_unlimited_part_makes_it_unlimited(self) -> None:
        at = facts(plan("sales", {self.STORAGE: 10}), add_on("extra-storage", {self.STORAGE: UNLIMITED}, quantity=2))
        assert answer(at, holds("sales"), self.STORAGE) == "edit unlimited"

    def test_a_stopped_package_adds_nothing(self) -> None:
        rows = plan("sales", {self.STORAGE: 10}), add_on("acme.disk", {self.STORAGE: 100})
        at = facts(*rows, states={OWN: DateState.ACTIVE, "ACME": DateState.STOPPED})
        assert answer(at, holds("sales"), self.STORAGE) == "edit 10"

    def test_the_trace_says_which_plan_of_an_origin_counts(self) -> None:
        rows: list[Sold] = [
            plan("a", {self.STORAGE: 10}, origin="common"),
            plan("b", {self.STORAGE: 30}, origin="common"),
            plan("c", {self.STORAGE: 30}, origin="common"),
            plan("d", {self.STORAGE: 5}),
            add_on("e", {self.STORAGE: 1}),
        ]
        found = decision(facts(*rows), holds("a", "b", "c", "d"), self.STORAGE)
        assert found is not None
        assert [c.outcome for c in found.considered] == [
            Outcome.OUTRANKED,
            Outcome.COUNTS,
            Outcome.OUTRANKED,
            Outcome.COUNTS,
            Outcome.COUNTS,
        ]
        assert found.merged == 36
