"""What keeps a draft from being published: every rule, its code and where it points."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catalog.content import (
    SITE,
    USER,
    DraftFacts,
    FeatureDefinition,
    OtherOffer,
    PublishedDefinition,
    flatten,
)
from tests.catalog.drawing import (
    DASHBOARDS,
    MAIL,
    SALE,
    SALE_CAL,
    SALES,
    USER_MODULE,
    faults_of,
    frozen,
    full,
    including,
    knowing,
    level,
    module,
    plan,
    switch,
)


class TestFaults:
    """Each fault by itself: its code and where it lies."""

    def test_a_sound_draft_has_none(self) -> None:
        assert faults_of(plan("sales", {SALES: True})) == {}

    def test_an_include_that_nobody_has_published(self) -> None:
        draft = plan("sales", {SALES: True}, includes=(OtherOffer("common"),))
        assert faults_of(draft) == {"include_not_published": ["includes.common"]}

    def test_while_an_include_is_missing_its_content_is_not_missed(self) -> None:
        web = module("web", prerequisite=full("user"))
        draft = plan(
            "sales", includes=(OtherOffer("common"),), extra_modules=(full("web"),), modules=(web, USER_MODULE)
        )
        assert faults_of(draft) == {"include_not_published": ["includes.common"]}

    def test_a_plan_that_includes_itself(self) -> None:
        assert faults_of(plan("sales", {SALES: True}, includes=(OtherOffer("sales"),))) == {
            "include_cycle": ["includes.sales"]
        }
        published = including(plan("sales", {SALES: True}))
        assert faults_of(plan("sales", includes=published)) == {"include_cycle": ["includes.sales"]}

    def test_a_cycle_over_several_plans(self) -> None:
        graph = {("b", 2): (("c", 5),), ("c", 5): (("d", 1), ("a", 1)), ("d", 1): ()}
        draft = plan("a", includes=including(plan("b", {SALES: True}), version=2), include_graph=graph)
        _, faults = flatten(draft)
        assert [(fault.code, fault.path) for fault in faults] == [("include_cycle", "includes.b")]
        assert faults[0].message == "a includes b includes c includes a: it would contain itself."

    def test_an_older_version_of_an_include_that_had_us_is_no_cycle(self) -> None:
        graph = {("b", 1): (("a", 1),), ("b", 2): ()}
        draft = plan("a", includes=including(plan("b", {SALES: True}), version=2), include_graph=graph)
        assert faults_of(draft) == {}

    def test_for_sale_without_a_module(self) -> None:
        assert faults_of(plan("sales", {SALES: True}, module=None)) == {"module_missing": ["module"]}
        assert faults_of(plan("common", {SALES: True}, module=None, for_sale=False)) == {}

    def test_for_sale_without_a_solution(self) -> None:
        assert faults_of(plan("sales", {SALES: True}, solutions=())) == {"solution_missing": ["solutions"]}
        assert faults_of(plan("sales", {SALES: True}, solutions=(), for_sale=False)) == {}
        assert faults_of(plan("cep", {SALES: True}, solutions=(), type="addon")) == {}

    def test_a_module_of_another_owner(self) -> None:
        foreign = module("map", hidden=False, owner="MAPS")
        draft = knowing(plan("sales", {SALES: True}, module="maps.map"), foreign)
        assert faults_of(draft) == {"foreign_module": ["module"]}

    def test_what_is_for_sale_ships_no_module_of_another_owner(self) -> None:
        foreign = module("map", SITE, owner="MAPS")
        feature = switch("maps", site_module="maps.map")
        assert faults_of(plan("sales", {feature: True}, modules=(foreign,))) == {"foreign_module": ["modules.maps.map"]}
        partner = plan("partner", {feature: True}, modules=(foreign,), for_sale=False, module=None)
        assert faults_of(partner) == {}

    @pytest.mark.parametrize(
        ("type_", "scope", "own", "fault"),
        [
            ("addon", "site", module("x", SITE), None),
            ("addon", "site", module("x", USER), "module_type"),
            ("addon", "user", module("x", SITE), "module_type"),
            ("addon", "user", module("x", USER, hidden=False), None),
            ("addon", "user", module("x", USER), "module_hidden"),
            ("plan", "user", module("x", USER), "module_hidden"),
            ("plan", "user", module("x", SITE), "module_type"),
        ],
    )
    def test_the_module_fits_the_scope(self, type_: str, scope: str, own: Any, fault: str | None) -> None:
        draft = plan("thing", {SALES: True}, type=type_, scope=scope, module=own.full_name, modules=(own,))
        assert faults_of(draft) == ({fault: ["module"]} if fault else {})

    def test_a_prerequisite_that_is_not_shipped(self) -> None:
        web = module("web", prerequisite=full("user"))
        draft = plan("sales", {SALES: True}, extra_modules=(full("web"),), modules=(web, USER_MODULE))
        assert faults_of(draft) == {"prerequisite_missing": ["modules.superoffice.web"]}
        assert faults_of(replace(draft, extra_modules=(full("web"), full("user")))) == {}

    def test_an_add_on_may_rely_on_what_it_needs(self) -> None:
        web = module("web", prerequisite=full("user"))
        known = (web, USER_MODULE)
        sales = including(plan("sales", {SALES: True}, extra_modules=(full("user"),), modules=known))
        facts: Any = {"extra_modules": (full("web"),), "modules": known, "needs": sales}
        assert faults_of(plan("calendar", type="addon", **facts)) == {}
        assert faults_of(plan("premium", **facts)) == {"prerequisite_missing": ["modules.superoffice.web"]}

    def test_what_an_add_on_given_by_hand_needs_is_judged_when_it_is_given(self) -> None:
        by_hand = module("calendar", hidden=False, prerequisite=full("user"))
        draft = plan("x", {SALES: True}, type="addon", module=by_hand.full_name, modules=(by_hand, USER_MODULE))
        assert faults_of(draft) == {}
        site = module("calendar", SITE, prerequisite=full("user"))
        assert faults_of(replace(knowing(draft, site), offer=replace(draft.offer, scope="site"))) == {
            "prerequisite_missing": ["modules.superoffice.calendar"]
        }

    def test_a_user_module_without_any_of_its_counterparts(self) -> None:
        lone = switch("sales", user_module=full("sale-cal"))
        pairs = {full("sale-cal"): frozenset({full("sale"), full("sale-lite")})}
        draft = plan("sales", {lone: True}, modules=(SALE, SALE_CAL, module("sale-lite", SITE)), counterparts=pairs)
        assert faults_of(draft) == {"counterpart_missing": ["modules.superoffice.sale-cal"]}
        assert faults_of(replace(draft, extra_modules=(full("sale-lite"),))) == {}
        assert faults_of(replace(draft, counterparts={})) == {}

    def test_extra_modules_need_no_counterpart(self) -> None:
        pairs = {full("sale-cal"): frozenset({full("sale")})}
        extra = plan(
            "sales", {MAIL: 1}, extra_modules=(full("sale-cal"),), modules=(SALE, SALE_CAL), counterparts=pairs
        )
        assert faults_of(extra) == {}

    @pytest.mark.parametrize("where", ["extra", "feature"])
    def test_a_tier_marker_used_for_something_else(self, where: str) -> None:
        feature = switch("sales", user_module=full("t2")) if where == "feature" else SALES
        extras = (full("t2"),) if where == "extra" else ()
        draft = plan("sales", {feature: True}, extra_modules=extras)
        assert faults_of(draft) == {"marker_misused": ["modules.superoffice.t2"]}

    def test_an_empty_version(self) -> None:
        assert faults_of(plan("sales")) == {"empty_version": ["features"]}
        assert faults_of(plan("sales", {SALES: False})) == {"empty_version": ["features"]}
        assert faults_of(plan("sales", extra_modules=(full("user"),), modules=(USER_MODULE,))) == {}

    def test_no_word_about_what_is_new(self) -> None:
        assert faults_of(plan("sales", {SALES: True}, is_first=False)) == {"changelog_missing": ["changelog"]}
        assert faults_of(plan("sales", {SALES: True}, is_first=False, changelog=" ")) == {
            "changelog_missing": ["changelog"]
        }
        assert faults_of(plan("sales", {SALES: True}, is_first=False, changelog="More.")) == {}

    def test_a_value_the_feature_cannot_have(self) -> None:
        assert faults_of(plan("sales", {SALES: True, MAIL: -1, DASHBOARDS: "huge"})) == {
            "bad_value": ["features.mail", "features.dashboards"]
        }

    def test_a_set_that_extra_info_cannot_hold(self) -> None:
        def draft(*lengths: int) -> DraftFacts:
            rows = tuple(module(chr(97 + n) * length) for n, length in enumerate(lengths))
            return plan("sales", extra_modules=tuple(row.full_name for row in rows), modules=rows)

        fits = [239] * 16 + [155]  # "set=" and 17 names, 16 commas between them: 3999 characters
        assert len(frozen(draft(*fits)).extra_info) == 3999
        assert faults_of(draft(*fits[:-1], 156)) == {"set_too_long": ["set"]}

    def test_all_faults_at_once(self) -> None:
        web = module("web", prerequisite=full("user"))
        draft = plan(
            "sales",
            {MAIL: "many"},
            module=None,
            solutions=(),
            is_first=False,
            extra_modules=(full("web"), full("t1")),
            modules=(web, USER_MODULE),
            needs=(OtherOffer("sales"),),
        )
        assert faults_of(draft).keys() == {
            "module_missing",
            "solution_missing",
            "changelog_missing",
            "rule_names_itself",
            "bad_value",
            "prerequisite_missing",
            "marker_misused",
        }


class TestRulesThatContradict:
    def test_itself(self) -> None:
        draft = plan("cep", {SALES: True}, type="addon")
        assert faults_of(replace(draft, needs=(OtherOffer("cep"),))) == {"rule_names_itself": ["rules.needs.cep"]}
        assert faults_of(replace(draft, excludes=(OtherOffer("cep"),))) == {"rule_names_itself": ["rules.excludes.cep"]}

    def test_the_same_needed_and_excluded(self) -> None:
        both = (OtherOffer("ai"),)
        draft = plan("cep", {SALES: True}, type="addon", needs=both, excludes=both)
        assert faults_of(draft) == {"rules_contradict": ["rules.needs.ai"]}

    def test_needing_what_excludes_it(self) -> None:
        needs = including(plan("ai", {SALES: True}, type="addon", excludes=(OtherOffer("cep"),)))
        assert faults_of(plan("cep", {SALES: True}, type="addon", needs=needs)) == {
            "rules_contradict": ["rules.needs.ai"]
        }

    def test_needing_two_that_exclude_each_other(self) -> None:
        ai = plan("ai", {SALES: True}, type="addon", excludes=(OtherOffer("forms"),))
        needs = including(ai, plan("forms", {MAIL: 1}, type="addon"))
        assert faults_of(plan("cep", {SALES: True}, type="addon", needs=needs)) == {
            "rules_contradict": ["rules.needs.ai"]
        }

    def test_harmless_rules_are_frozen_sorted(self) -> None:
        draft = plan("cep", {SALES: True}, type="addon", needs=(OtherOffer("b"), OtherOffer("a")), max_quantity=3)
        content = frozen(replace(draft, excludes=(OtherOffer("c"),)))
        assert (content.needs, content.excludes, content.max_quantity) == (("a", "b"), ("c",), 3)


class TestDefinitionsForGood:
    @pytest.mark.parametrize(
        ("was", "now", "complaints"),
        [
            (MAIL, MAIL, 0),
            (MAIL, replace(MAIL, name="E-mail", description="More words", read_only_without_seat=False), 0),
            (MAIL, replace(MAIL, rule="sum"), 1),
            (MAIL, replace(MAIL, unit="messages"), 1),
            (MAIL, replace(MAIL, counts="user", rule="min"), 2),
            (switch("mail"), MAIL, 4),
            (DASHBOARDS, level("dashboards", "none-yet", "charts", "new", "tiles", "custom"), 0),
            (DASHBOARDS, level("dashboards", "charts", "custom", "tiles"), 1),
            (DASHBOARDS, level("dashboards", "charts", "custom"), 1),
        ],
        ids=["same", "words", "rule", "unit", "counting", "kind", "more choices", "other order", "fewer choices"],
    )
    def test_what_was_published_stays(self, was: FeatureDefinition, now: FeatureDefinition, complaints: int) -> None:
        value = "charts" if now.kind == "level" else 500
        published = {now.code: PublishedDefinition(was, "common v1")}
        found = faults_of(plan("sales", {now: value}, published=published))
        assert found == ({"definition_changed": [f"features.{now.code}"] * complaints} if complaints else {})
