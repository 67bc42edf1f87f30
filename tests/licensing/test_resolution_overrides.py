"""What overrides make of it: set → add → at least → at most → deny, the user's after the customer's. R-9 to R-11."""

from __future__ import annotations

from itertools import permutations

import pytest

from catalog.kinds import UNLIMITED, Value
from licensing.facts import DateState, FeatureDef, Mode, Override
from tests.licensing.given import (
    OWN,
    PARTNER,
    answer,
    choice,
    decision,
    facts,
    holds,
    level,
    limit,
    override,
    plan,
    switch,
)

Told = tuple[str, Value | None]

PROJECTS = switch("projects", site="project", user="project-cal")
MAIL = limit("mail", site="mail", user="mail-cal")
BOARDS = level("boards", "charts", "tiles", "custom", site="dash", user="dash-cal")
SITE = ["project", "mail", "dash"]
CALS = ["project-cal", "mail-cal", "dash-cal"]


def result(feature: FeatureDef, value: Value, customer: list[Told], user: list[Told], seat: bool = True) -> str:
    """Returns the answer where a plan gives `value`, to somebody who holds it (or not), under these overrides."""
    at = facts(
        plan("ten-sales", {feature: value}, switches_on=CALS),
        site=SITE,
        overrides=[override(feature, mode, amount) for mode, amount in customer],
    )
    own = [override(feature, mode, amount) for mode, amount in user]
    return answer(at, holds("ten-sales", overrides=own) if seat else holds(overrides=own), feature)


class TestOneOverride:
    """With the seat, and without one: there, looking is what is left."""

    @pytest.mark.parametrize(
        ("feature", "value", "mode", "amount", "with_seat", "without"),
        [
            (PROJECTS, True, "set", True, "edit", "edit"),
            (PROJECTS, True, "set", False, "view", "view"),
            (PROJECTS, True, "add", True, "edit", "edit"),
            (PROJECTS, True, "at_least", True, "edit", "edit"),
            (PROJECTS, True, "at_least", False, "edit", "view"),
            (PROJECTS, True, "at_most", True, "edit", "view"),
            (PROJECTS, True, "at_most", False, "view", "view"),
            (PROJECTS, True, "deny", None, "none", "none"),
            (MAIL, 500, "set", 200, "edit 200", "edit 200"),
            (MAIL, 500, "set", UNLIMITED, "edit unlimited", "edit unlimited"),
            (MAIL, 500, "set", 0, "view", "view"),
            (MAIL, 500, "add", 200, "edit 700", "edit 200"),
            (MAIL, 500, "add", UNLIMITED, "edit unlimited", "edit unlimited"),
            (MAIL, 500, "add", 0, "edit 500", "view"),
            (MAIL, UNLIMITED, "add", 200, "edit unlimited", "edit 200"),
            (MAIL, 500, "at_least", 200, "edit 500", "edit 200"),
            (MAIL, 500, "at_least", 900, "edit 900", "edit 900"),
            (MAIL, 500, "at_least", UNLIMITED, "edit unlimited", "edit unlimited"),
            (MAIL, 500, "at_most", 200, "edit 200", "view"),
            (MAIL, 500, "at_most", 900, "edit 500", "view"),
            (MAIL, UNLIMITED, "at_most", 200, "edit 200", "view"),
            (MAIL, 500, "at_most", UNLIMITED, "edit 500", "view"),
            (MAIL, 500, "at_most", 0, "view", "view"),
            (MAIL, 500, "deny", None, "none", "none"),
            (BOARDS, "tiles", "set", "charts", "edit charts", "edit charts"),
            (BOARDS, "tiles", "add", "custom", "edit custom", "edit custom"),
            (BOARDS, "tiles", "add", "charts", "edit tiles", "edit charts"),
            (BOARDS, "tiles", "at_least", "custom", "edit custom", "edit custom"),
            (BOARDS, "tiles", "at_least", "charts", "edit tiles", "edit charts"),
            (BOARDS, "tiles", "at_most", "charts", "edit charts", "view"),
            (BOARDS, "tiles", "at_most", "custom", "edit tiles", "view"),
            (BOARDS, "tiles", "deny", None, "none", "none"),
        ],
    )
    @pytest.mark.parametrize("subject", ["customer", "user"])
    def test_it(
        self,
        feature: FeatureDef,
        value: Value,
        mode: str,
        amount: Value | None,
        with_seat: str,
        without: str,
        subject: str,
    ) -> None:
        listed: list[Told] = [(mode, amount)]
        customer, user = (listed, []) if subject == "customer" else ([], listed)
        assert result(feature, value, customer, user) == with_seat
        assert result(feature, value, customer, user, seat=False) == without

    def test_it_grants_what_nobody_sells(self) -> None:
        at = facts(overrides=[override(MAIL, "at_least", 50), override(PROJECTS, "at_most", True)])
        assert answer(at, holds(), MAIL) == "edit 50"
        assert answer(at, holds(), PROJECTS) == "none"

    def test_it_needs_no_user_module(self) -> None:
        boards = level("boards", "charts", choice("custom", "dash", "dash-cal"))
        at = facts(overrides=[override(boards, "set", "custom")])
        assert answer(at, holds(), boards) == "edit custom"


class TestInOrder:
    """Within one subject the modes have one order; the user's come after all of the customer's."""

    @pytest.mark.parametrize(
        ("customer", "user", "expected"),
        [
            ([("set", 100), ("add", 50)], [], "edit 150"),
            ([("add", 50), ("at_least", 700)], [], "edit 700"),
            ([("add", 300), ("at_least", 700)], [], "edit 800"),
            ([("at_least", 700), ("at_most", 600)], [], "edit 600"),
            ([("set", 100), ("add", 50), ("at_least", 120), ("at_most", 140)], [], "edit 140"),
            ([("set", 100), ("add", 50), ("at_least", 120), ("at_most", 140), ("deny", None)], [], "none"),
            ([("at_most", 200)], [("add", 50)], "edit 250"),
            ([("at_most", 200)], [("set", 900)], "edit 900"),
            ([("set", 900)], [("at_most", 200)], "edit 200"),
            ([("add", 100)], [("add", 100)], "edit 700"),
            ([("at_least", 900)], [("deny", None)], "none"),
        ],
    )
    def test_it(self, customer: list[Told], user: list[Told], expected: str) -> None:
        for listed in permutations(customer):
            assert result(MAIL, 500, list(listed), user) == expected

    def test_the_steps_tell_each_before_and_after(self) -> None:
        at = facts(
            plan("ten-sales", {MAIL: 500}, switches_on=CALS), overrides=[override(MAIL, m, v) for m, v in [("add", 50)]]
        )
        found = decision(at, holds("ten-sales", overrides=[override(MAIL, "deny")]), MAIL)
        assert found is not None
        told = [(s.override.subject, s.override.mode, s.before, s.after) for s in found.steps]
        assert told == [("customer", Mode.ADD, 500, 550), ("user", Mode.DENY, 550, None)]
        assert found.merged == 500

    def test_an_override_of_another_feature_changes_nothing(self) -> None:
        at = facts(plan("ten-sales", {MAIL: 500}, switches_on=CALS), overrides=[override(PROJECTS, "deny")])
        assert answer(at, holds("ten-sales"), MAIL) == "edit 500"


class TestDenied:
    """Only a user's `set` lifts a customer's `deny`."""

    @pytest.mark.parametrize(
        ("customer", "user", "expected"),
        [
            ([("deny", None)], [], "none"),
            ([("deny", None)], [("set", 100)], "edit 100"),
            ([("deny", None)], [("set", 0)], "view"),
            ([("deny", None)], [("add", 100)], "none"),
            ([("deny", None)], [("at_least", 100)], "none"),
            ([("deny", None)], [("at_most", 100)], "none"),
            ([("deny", None)], [("set", 100), ("add", 20)], "edit 120"),
            ([("deny", None)], [("set", 100), ("deny", None)], "none"),
            ([("set", 100), ("deny", None)], [], "none"),
            ([], [("set", 100), ("deny", None)], "none"),
        ],
    )
    def test_it(self, customer: list[Told], user: list[Told], expected: str) -> None:
        assert result(MAIL, 500, customer, user) == expected
        assert result(MAIL, 500, customer, user, seat=False) == expected


class TestWhereTheOwnPackageHasStopped:
    """Overrides follow the own owner's state: they give nothing, and still take away (R-11)."""

    @pytest.mark.parametrize("state", [DateState.STOPPED, DateState.NONE])
    @pytest.mark.parametrize(
        ("overrides", "expected"),
        [
            ([], "view"),
            ([("set", 900)], "view"),
            ([("set", 0)], "view"),
            ([("add", 100)], "view"),
            ([("at_least", 900)], "view"),
            ([("at_most", 100)], "view"),
            ([("deny", None)], "none"),
        ],
    )
    def test_our_own_features(self, state: DateState, overrides: list[Told], expected: str) -> None:
        at = facts(
            plan("ten-sales", {MAIL: 500}, switches_on=CALS),
            site=SITE,
            states={OWN: state},
            overrides=[override(MAIL, mode, amount) for mode, amount in overrides],
        )
        assert answer(at, holds("ten-sales"), MAIL) == expected
        assert answer(at, holds(), MAIL) == expected

    @pytest.mark.parametrize(
        ("overrides", "expected"),
        [
            ([], "edit 500"),
            ([("set", 900)], "edit 500"),
            ([("set", 100)], "edit 100"),
            ([("add", 100)], "edit 500"),
            ([("at_least", 900)], "edit 500"),
            ([("at_most", 100)], "edit 100"),
            ([("deny", None)], "none"),
        ],
    )
    def test_features_of_a_partner_that_still_runs(self, overrides: list[Told], expected: str) -> None:
        at = facts(
            plan("acme.mail", {limit("mail"): 500}),
            states={OWN: DateState.STOPPED, PARTNER: DateState.ACTIVE},
            overrides=[override(limit("mail"), mode, amount) for mode, amount in overrides],
        )
        assert answer(at, holds("acme.mail"), "mail") == expected

    @pytest.mark.parametrize("state", list(DateState))
    def test_a_users_set_lifts_the_deny_whatever_the_state(self, state: DateState) -> None:
        at = facts(
            plan("ten-sales", {MAIL: 500}, switches_on=CALS),
            site=SITE,
            states={OWN: state},
            overrides=[override(MAIL, "deny")],
        )
        lifted: list[Override] = [override(MAIL, "set", 100)]
        assert answer(at, holds("ten-sales", overrides=lifted), MAIL) == ("edit 100" if state.works else "view")

    def test_what_nothing_else_grants_is_left_to_look_at_where_its_site_module_is_in_force(self) -> None:
        given = [override(PROJECTS, "set", True)]
        stopped = {OWN: DateState.STOPPED}
        assert answer(facts(site=SITE, states=stopped, overrides=given), holds(), PROJECTS) == "view"
        assert answer(facts(states=stopped, overrides=given), holds(), PROJECTS) == "none"
