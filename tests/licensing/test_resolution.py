"""Who gets edit, view or nothing, and what became of each source. Rules R-1 to R-5 and R-12 to R-15."""

from __future__ import annotations

import json

import pytest

from catalog.kinds import UNLIMITED
from licensing.facts import Access, DateState, Holding
from licensing.resolution import Outcome, canonical, digest, resolve, resolve_feature
from tests.licensing.given import (
    CUSTOMER,
    INACTIVE,
    OWN,
    PARTNER,
    add_on,
    answer,
    decision,
    facts,
    full,
    holds,
    level,
    limit,
    override,
    plan,
    switch,
)

PROJECTS = switch("projects", site="project", user="project-cal")
PRINT = switch("print")
SALES = plan("ten-sales", {PROJECTS: True, PRINT: True}, switches_on=["project-cal"])
SALES_WITHOUT_CAL = plan("ten-sales", {PROJECTS: True, PRINT: True})

EVERY_STATE = list(DateState)
STOPPED_STATES = [DateState.STOPPED, DateState.NONE]


class TestEdit:
    """A source the user holds, a site add-on or an override grants it, and its user module is held."""

    def test_by_a_held_plan_that_carries_the_user_module(self) -> None:
        assert answer(facts(SALES, site=["project"]), holds("ten-sales"), PROJECTS) == "edit"

    def test_a_feature_without_modules_needs_only_the_seat(self) -> None:
        assert answer(facts(SALES), holds("ten-sales"), PRINT) == "edit"
        assert answer(facts(SALES), holds(), PRINT) == "none"

    def test_no_site_module_is_needed_for_edit(self) -> None:
        assert answer(facts(SALES), holds("ten-sales"), PROJECTS) == "edit"

    def test_a_plan_that_grants_but_lacks_the_user_module_is_not_enough(self) -> None:
        assert answer(facts(SALES_WITHOUT_CAL, site=["project"]), holds("ten-sales"), PROJECTS) == "view"

    def test_the_user_module_may_come_with_another_plan(self) -> None:
        service = plan("ten-service", {}, switches_on=["project-cal"], solutions=("service",))
        at = facts(SALES_WITHOUT_CAL, service, site=["project"])
        assert answer(at, holds("ten-sales", "ten-service"), PROJECTS) == "edit"
        assert answer(at, holds("ten-sales"), PROJECTS) == "view"

    def test_the_user_module_may_be_a_visible_one_held_by_seat(self) -> None:
        at = facts(SALES_WITHOUT_CAL, visible=["project-cal"])
        assert answer(at, holds("ten-sales", "project-cal"), PROJECTS) == "edit"

    def test_the_user_module_alone_grants_nothing(self) -> None:
        empty = plan("ten-service", {}, switches_on=["project-cal"], solutions=("service",))
        at = facts(SALES, empty, site=["project"])
        assert answer(at, holds("ten-service"), PROJECTS) == "view"
        assert answer(facts(empty, site=["project"]), holds("ten-service"), PROJECTS) == "none"

    def test_a_site_add_on_counts_for_everybody(self) -> None:
        at = facts(add_on("expander-services", {PRINT: True}))
        assert answer(at, holds(), PRINT) == "edit"

    def test_a_site_add_on_still_needs_the_user_module(self) -> None:
        chat_cal = plan("ten-sales", {}, switches_on=["project-cal"])
        at = facts(chat_cal, add_on("cep", {PROJECTS: True}), site=["project"])
        assert answer(at, holds(), PROJECTS) == "view"
        assert answer(at, holds("ten-sales"), PROJECTS) == "edit"

    def test_an_add_on_per_user_counts_for_its_holders(self) -> None:
        at = facts(add_on("nebula", {PRINT: True}, per_user=True))
        assert answer(at, holds("nebula"), PRINT) == "edit"
        assert answer(at, holds(), PRINT) == "none"

    def test_a_seat_of_something_no_longer_sold_gives_nothing(self) -> None:
        at = facts(SALES_WITHOUT_CAL, site=["project"])
        assert answer(at, holds("ten-service"), PRINT) == "none"
        assert answer(at, holds("ten-sales", "project-cal"), PROJECTS) == "view"
        assert resolve(at, holds("ten-service", "project-cal")).modules == (full("project"),)


class TestView:
    """Else: it has a user module, its site module is in force, a source grants it, and looking is allowed (C-40)."""

    @pytest.mark.parametrize(
        ("feature", "site", "expected"),
        [
            (PROJECTS, ["project"], "view"),
            (PROJECTS, [], "none"),
            (PROJECTS, ["sale"], "none"),
            (switch("projects", user="project-cal"), ["project"], "none"),
            (switch("projects", site="project"), ["project"], "none"),
            (switch("projects"), ["project"], "none"),
            (switch("projects", "project", "project-cal", read_only_without_seat=False), ["project"], "none"),
        ],
        ids=[
            "site module in force",
            "site module not in force",
            "another site module",
            "feature without site module",
            "feature without user module",
            "feature without modules",
            "no looking without the seat",
        ],
    )
    def test_without_the_seat(self, feature: object, site: list[str], expected: str) -> None:
        at = facts(plan("ten-sales", {feature: True}), site=site)  # type: ignore[dict-item]
        assert answer(at, holds(), "projects") == expected

    def test_nobody_grants_it(self) -> None:
        at = facts(plan("ten-sales", {PRINT: True}), site=["project"])
        assert answer(at, holds(), PROJECTS) == "none"
        assert PROJECTS.code not in resolve(at, holds()).features

    @pytest.mark.parametrize(("feature", "nothing"), [(PROJECTS, False), (limit("mail", "max", "mail", "mail-cal"), 0)])
    def test_a_grant_of_nothing_gives_no_view(self, feature: object, nothing: object) -> None:
        at = facts(plan("ten-sales", {feature: nothing}), site=["project", "mail"])  # type: ignore[dict-item]
        assert answer(at, holds(), getattr(feature, "code", "")) == "none"

    def test_one_source_that_allows_looking_is_enough(self) -> None:
        shut = switch("projects", "project", "project-cal", read_only_without_seat=False)
        at = facts(plan("ten-sales", {shut: True}), plan("ten-service", {PROJECTS: True}), site=["project"])
        assert answer(at, holds(), "projects") == "view"

    def test_view_has_no_value(self) -> None:
        mail = limit("mail", site="mail", user="mail-cal")
        boards = level("boards", "basic", "custom", site="dash", user="dash-cal")
        at = facts(
            plan("ten-sales", {mail: UNLIMITED, boards: "custom", PROJECTS: True}), site=["mail", "dash", "project"]
        )
        shown = resolve(at, holds()).content()["features"]
        assert shown["mail"] == {"kind": "limit", "access": "view", "value": None, "unlimited": False}
        assert shown["boards"] == {"kind": "level", "access": "view", "value": None}
        assert shown["projects"] == {"kind": "switch", "access": "view", "value": False}


class TestDateStates:
    """Each owner's package by its own clock; grace still works, stopped and none don't (R-12)."""

    @pytest.mark.parametrize("state", EVERY_STATE)
    def test_edit_of_a_feature_with_modules(self, state: DateState) -> None:
        at = facts(SALES, site=["project"], states={OWN: state})
        assert answer(at, holds("ten-sales"), PROJECTS) == ("view" if state in STOPPED_STATES else "edit")

    @pytest.mark.parametrize("state", EVERY_STATE)
    def test_edit_of_a_feature_without_modules(self, state: DateState) -> None:
        at = facts(SALES, states={OWN: state})
        assert answer(at, holds("ten-sales"), PRINT) == ("none" if state in STOPPED_STATES else "edit")

    @pytest.mark.parametrize("state", EVERY_STATE)
    def test_a_site_add_on(self, state: DateState) -> None:
        at = facts(add_on("cep", {PRINT: True}), states={OWN: state})
        assert answer(at, holds(), PRINT) == ("none" if state in STOPPED_STATES else "edit")

    def test_an_owner_without_a_package_is_none(self) -> None:
        at = facts(SALES, states={})
        assert at.state_of("NOBODY") is DateState.NONE
        assert not DateState.NONE.works

    def test_a_stopped_partner_leaves_our_own_alone(self) -> None:
        telephony = plan("acme.telephony", {PRINT: True, limit("calls"): 5}, solutions=())
        at = facts(SALES, telephony, states={PARTNER: DateState.STOPPED})
        who = holds("ten-sales", "acme.telephony")
        assert answer(at, who, PRINT) == "edit"
        assert answer(at, who, "calls") == "none"

    def test_a_stopped_own_package_leaves_the_partner_alone(self) -> None:
        telephony = plan("acme.telephony", {limit("calls"): 5}, solutions=())
        at = facts(SALES, telephony, states={OWN: DateState.STOPPED})
        assert answer(at, holds("ten-sales", "acme.telephony"), "calls") == "edit 5"
        assert at.status is DateState.STOPPED

    def test_user_modules_of_a_stopped_package_are_not_in_force_and_its_site_modules_are(self) -> None:
        at = facts(SALES, site=["project"], states={OWN: DateState.STOPPED})
        assert resolve(at, holds("ten-sales")).modules == (full("project"),)


class TestWhoAsks:
    def test_the_customer_is_answered_as_if_everything_visible_were_held(self) -> None:
        seat = add_on("nebula", {switch("calendar"): True}, per_user=True)
        at = facts(SALES, seat, site=["project"])
        everything = resolve(at, CUSTOMER)
        assert everything.content() == resolve(at, holds("ten-sales", "nebula")).content()
        assert set(everything.modules) == {full(m) for m in ("ten-sales", "nebula", "project", "project-cal")}

    def test_the_customers_answer_ignores_overrides_of_users(self) -> None:
        at = facts(SALES)
        user_override = override(PRINT, "deny")
        assert answer(at, Holding(CUSTOMER.kind, overrides=(user_override,)), PRINT) == "edit"
        assert answer(facts(SALES, overrides=[user_override]), CUSTOMER, PRINT) == "none"

    def test_the_inactive_have_nothing_not_even_add_ons_and_overrides(self) -> None:
        at = facts(add_on("cep", {PRINT: True}), overrides=[override(PROJECTS, "set", True)])
        left = Holding(INACTIVE.kind, frozenset({full("ten-sales")}), (override(PRINT, "set", True),))
        assert resolve(at, left).content() == {"plans": [], "multi_plan": False, "modules": [], "features": {}}
        assert resolve_feature(at, left, "print") is None

    def test_a_feature_that_nothing_names_is_not_decided(self) -> None:
        assert resolve_feature(facts(SALES), holds("ten-sales"), "chat") is None


class TestContent:
    """The entitlement set: plans, modules and features; the same for all who have the same (R-15)."""

    AT = facts(
        plan("ten-sales", {PRINT: True}, tier="premium", version=3, switches_on=["sale-cal"]),
        plan("ten-both", {PRINT: True, PROJECTS: True}, solutions=("sales", "service")),
        site=["sale"],
    )

    def test_the_whole_of_it(self) -> None:
        assert resolve(self.AT, holds("ten-sales")).content() == {
            "plans": [{"code": "ten-sales", "tier": "premium", "solutions": ["sales"], "version": 3}],
            "multi_plan": False,
            "modules": [full("sale"), full("sale-cal"), full("ten-sales")],
            "features": {"print": {"kind": "switch", "access": "edit", "value": True}},
        }

    @pytest.mark.parametrize(
        ("modules", "expected"), [((), False), (("ten-sales",), False), (("ten-both",), True)], ids=str
    )
    def test_multi_plan_is_more_than_one_solution(self, modules: tuple[str, ...], expected: bool) -> None:
        assert resolve(self.AT, holds(*modules)).content()["multi_plan"] is expected

    def test_several_plans_of_one_solution_are_not_multi_plan(self) -> None:
        at = facts(plan("ten-sales", {}), plan("ten-more", {}))
        content = resolve(at, holds("ten-sales", "ten-more")).content()
        assert [held["code"] for held in content["plans"]] == ["ten-more", "ten-sales"]
        assert content["multi_plan"] is False

    def test_canonical_text_has_one_spelling(self) -> None:
        assert canonical({"b": 1, "a": {"d": "ø", "c": None}}) == '{"a":{"c":null,"d":"ø"},"b":1}'
        assert digest("ø") == "d48b452a88ac264c8b303ab6ecd9e7d12e38fa4b8cd21aa104b5b3acf83accf3"  # of its UTF-8
        text = canonical(resolve(self.AT, holds("ten-sales")).content())
        assert canonical(json.loads(text)) == text


class TestTrace:
    """What became of every source, losing ones included."""

    MAIL = limit("mail", user="mail-cal")

    def outcomes(self, found: object) -> dict[str, Outcome]:
        return {c.source.code: c.outcome for c in getattr(found, "considered", ())}

    def test_each_outcome(self) -> None:
        at = facts(
            plan("best", {self.MAIL: 500}, switches_on=["mail-cal"]),
            plan("equal", {self.MAIL: 500}),
            plan("less", {self.MAIL: 100}),
            plan("unheld", {self.MAIL: 900}),
            plan("acme.stopped", {self.MAIL: 900}, solutions=()),
            states={PARTNER: DateState.STOPPED},
        )
        found = decision(at, holds("best", "equal", "less", "acme.stopped"), self.MAIL)
        assert self.outcomes(found) == {
            "best": Outcome.COUNTS,
            "equal": Outcome.COUNTS,
            "less": Outcome.OUTRANKED,
            "unheld": Outcome.NO_SEAT,
            "stopped": Outcome.STOPPED,
        }
        assert found is not None
        assert (found.access, found.value, found.merged) == (Access.EDIT, 500, 500)

    def test_a_user_module_nobody_gave(self) -> None:
        found = decision(facts(plan("best", {self.MAIL: 500})), holds("best"), self.MAIL)
        assert self.outcomes(found) == {"best": Outcome.MODULE_NOT_HELD}
        assert found is not None
        assert (found.access, found.value, found.merged) == (Access.NONE, None, None)

    def test_sources_stand_in_one_order(self) -> None:
        rows = [plan(name, {self.MAIL: 5}, switches_on=["mail-cal"]) for name in ("c", "a", "b")]
        found = decision(facts(*rows), holds("a"), self.MAIL)
        assert list(self.outcomes(found)) == ["a", "b", "c"]

    def test_one_feature_alone_is_decided_like_among_all(self) -> None:
        at = facts(SALES, site=["project"])
        for who in (holds(), holds("ten-sales"), CUSTOMER):
            assert resolve_feature(at, who, "projects") == resolve(at, who).features["projects"]
