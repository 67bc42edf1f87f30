"""From drafts to frozen content: which definition of a feature wins, what is shipped, how it is marked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.content import (
    SITE,
    ChoiceContent,
    FeatureDefinition,
    VersionContent,
    digest,
    flatten,
)
from catalog.kinds import UNLIMITED
from tests.catalog.drawing import (
    CARRIED,
    DASHBOARDS,
    ESSENTIALS,
    MAIL,
    PREMIUM,
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


def values(content: VersionContent) -> dict[str, tuple[object, str, int | None, int]]:
    """Returns, per feature, its value, the origin of the grant with its version, and the depth."""
    return {
        code: (feature.value, feature.origin, feature.origin_version, feature.depth)
        for code, feature in content.features.items()
    }


class TestWhichDefinitionWins:
    def test_an_own_grant_is_at_depth_0_and_of_this_very_version(self) -> None:
        assert values(frozen(plan("sales", {SALES: True}))) == {"sales": (True, "sales", None, 0)}

    def test_what_is_included_is_one_deeper_and_names_the_version_it_came_from(self) -> None:
        common = plan("common", {MAIL: 500})
        essentials = plan("essentials", {SALES: True}, includes=including(common, version=3))
        premium = plan("premium", {DASHBOARDS: "custom"}, includes=including(essentials, version=7))
        assert values(frozen(premium)) == {
            "dashboards": ("custom", "premium", None, 0),
            "sales": (True, "essentials", 7, 1),
            "mail": (500, "common", 3, 2),
        }

    @pytest.mark.parametrize(("far", "near"), [(500, 900), (900, 500), (500, "unlimited"), ("unlimited", 500)], ids=str)
    def test_the_nearest_wins_even_where_it_gives_less(self, far: object, near: object) -> None:
        premium = frozen(plan("premium", {MAIL: near}, includes=including(plan("common", {MAIL: far}))))
        assert values(premium) == {"mail": (UNLIMITED if near == "unlimited" else near, "premium", None, 0)}

    def test_nearer_by_one_include_beats_what_a_sibling_has_from_further_away(self) -> None:
        common = plan("common", {DASHBOARDS: "charts"})
        sales = plan("sales", {DASHBOARDS: "custom"}, includes=including(common))
        service = plan("service", {SALES: True}, includes=including(common))
        both = frozen(plan("both", includes=including(service, sales)))
        assert values(both)["dashboards"] == ("custom", "sales", 1, 1)

    def test_equal_siblings_are_one_grant_of_the_first_include(self) -> None:
        sales, service = plan("sales", {DASHBOARDS: "custom"}), plan("service", {DASHBOARDS: "custom"})
        assert values(frozen(plan("both", includes=including(service, sales))))["dashboards"][1] == "service"
        assert values(frozen(plan("both", includes=including(sales, service))))["dashboards"][1] == "sales"

    def test_a_diamond_gives_the_shared_part_once(self) -> None:
        common = plan("common", {MAIL: 500})
        sales = plan("sales", {SALES: True}, includes=including(common))
        service = plan("service", {switch("requests"): True}, includes=including(common))
        both = frozen(plan("both", includes=including(sales, service)))
        assert values(both)["mail"] == (500, "common", 1, 2)

    def test_siblings_that_differ_are_a_fault_that_names_both(self) -> None:
        sales, service = plan("sales", {MAIL: 500}), plan("service", {MAIL: 900})
        content, faults = flatten(plan("both", includes=including(sales, service)))
        assert content is None
        assert [(fault.code, fault.path) for fault in faults] == [("sibling_conflict", "features.mail")]
        assert "sales v1 and service v1" in faults[0].message
        assert "500 recipients and 900 recipients" in faults[0].message

    def test_each_sibling_that_differs_from_the_first_is_told(self) -> None:
        drafts = [plan(f"plan{n}", {MAIL: n}) for n in (1, 2, 3)]
        assert faults_of(plan("all", includes=including(*drafts))) == {"sibling_conflict": ["features.mail"] * 2}

    def test_an_own_grant_settles_what_siblings_differ_in(self) -> None:
        sales, service = plan("sales", {MAIL: 500}), plan("service", {MAIL: 900})
        both = frozen(plan("both", {MAIL: 700}, includes=including(sales, service)))
        assert values(both) == {"mail": (700, "both", None, 0)}

    def test_a_diamond_over_two_versions_of_the_shared_part_is_a_fault(self) -> None:
        sales = plan("sales", includes=including(plan("common", {MAIL: 500}), version=1))
        service = plan("service", includes=including(plan("common", {MAIL: 900}), version=2))
        assert faults_of(plan("both", includes=including(sales, service))) == {"sibling_conflict": ["features.mail"]}

    def test_siblings_may_not_differ_in_definition_either(self) -> None:
        renamed = replace(MAIL, name="E-mail", unit="messages")
        sales, service = plan("sales", {MAIL: 500}), plan("service", {renamed: 500})
        _, faults = flatten(plan("both", includes=including(sales, service)))
        assert [fault.code for fault in faults] == ["sibling_conflict"]
        assert "differ in name, unit." in faults[0].message

    @pytest.mark.parametrize(("feature", "nothing"), [(SALES, False), (MAIL, 0)], ids=["off switch", "limit of 0"])
    def test_a_value_that_grants_nothing_takes_the_feature_away(
        self, feature: FeatureDefinition, nothing: object
    ) -> None:
        something = True if feature is SALES else 500
        essentials = plan("essentials", {feature: something, DASHBOARDS: "tiles"})
        lite = frozen(plan("lite", {feature: nothing}, includes=including(essentials)))
        assert list(lite.features) == ["dashboards"]
        assert list(frozen(plan("more", includes=including(lite))).features) == ["dashboards"]

    def test_the_lowest_choice_of_a_level_is_something(self) -> None:
        assert values(frozen(plan("sales", {DASHBOARDS: "charts"}))) == {"dashboards": ("charts", "sales", None, 0)}

    def test_features_keep_the_order_of_the_day(self) -> None:
        draft = plan("sales", {SALES: True}, includes=including(plan("common", {MAIL: 500, DASHBOARDS: "tiles"})))
        content = frozen(replace(draft, positions={"dashboards": 1, "sales": 2, "mail": 3}))
        assert [feature.code for feature in content.ordered_features] == ["dashboards", "sales", "mail"]


class TestWhatIsShipped:
    def roles(self, content: VersionContent) -> dict[str, str]:
        return {row.name: row.role for row in content.modules.values()}

    def test_the_modules_that_carry_the_granted_features_and_the_own_one(self) -> None:
        content = frozen(plan("sales", {CARRIED: True}, modules=(SALE, SALE_CAL, USER_MODULE)))
        assert self.roles(content) == {"sale": "feature", "sale-cal": "feature", "ten-sales": "own"}
        assert content.module == full("ten-sales")
        assert content.own_module == replace(content.modules[full("ten-sales")], role="own")

    def test_inherited_features_bring_their_modules_and_removed_ones_take_them_along(self) -> None:
        essentials = plan("essentials", {CARRIED: True, MAIL: 1}, modules=(SALE, SALE_CAL))
        assert "sale-cal" in self.roles(
            frozen(plan("premium", includes=including(essentials), modules=(SALE, SALE_CAL)))
        )
        assert "sale-cal" not in self.roles(frozen(plan("lite", {CARRIED: False}, includes=including(essentials))))

    @pytest.mark.parametrize(
        ("choice", "shipped"),
        [("charts", {"dash"}), ("tiles", {"dash", "tile-cal"}), ("custom", {"dash", "tile-cal", "custom-cal"})],
    )
    def test_a_level_ships_what_every_choice_up_to_the_granted_one_names(self, choice: str, shipped: set[str]) -> None:
        tiles = ChoiceContent("tiles", "Tiles", None, full("tile-cal"))
        custom = ChoiceContent("custom", "Custom", None, full("custom-cal"))
        dashboards = level("dashboards", "charts", tiles, custom, site_module=full("dash"))
        known = (module("dash", SITE), module("tile-cal"), module("custom-cal"))
        content = frozen(plan("sales", {dashboards: choice}, modules=known))
        assert self.roles(content).keys() - {"ten-sales"} == shipped

    def test_extra_modules_are_inherited(self) -> None:
        common = plan("common", extra_modules=(full("user"),), modules=(USER_MODULE,))
        premium = frozen(plan("premium", {SALES: True}, includes=including(common), modules=(USER_MODULE,)))
        assert self.roles(premium)["user"] == "extra"

    def test_an_extra_module_stays_when_the_feature_that_names_it_goes(self) -> None:
        common = plan("common", {CARRIED: True}, extra_modules=(full("sale-cal"),), modules=(SALE, SALE_CAL))
        lite = frozen(plan("lite", {CARRIED: False}, includes=including(common)))
        assert self.roles(lite) == {"sale-cal": "extra", "ten-lite": "own"}

    def test_own_modules_are_not_inherited(self) -> None:
        premium = frozen(plan("premium", includes=including(plan("essentials", {SALES: True}))))
        assert self.roles(premium) == {"ten-premium": "own"}

    def test_module_attributes_are_those_of_the_day_also_for_what_is_inherited(self) -> None:
        common = plan("common", extra_modules=(full("user"),), modules=(USER_MODULE,))
        renamed = replace(USER_MODULE, description="Login", sort_order=9)
        premium = frozen(knowing(plan("premium", includes=including(common)), renamed))
        assert premium.modules[full("user")] == replace(renamed, role="extra")

    def test_a_module_the_catalog_has_lost_is_shipped_as_it_was_frozen(self) -> None:
        common = plan("common", extra_modules=(full("user"),), modules=(USER_MODULE,))
        premium = frozen(plan("premium", includes=including(common)))
        assert premium.modules[full("user")] == replace(USER_MODULE, role="extra")

    def test_set_lists_hidden_user_modules_by_sort_order_then_name(self) -> None:
        visible = module("visible-for", hidden=False)
        extras = (module("b", sort_order=2), module("a", sort_order=2), USER_MODULE, visible, module("dash", SITE))
        draft = plan("sales", modules=extras, extra_modules=tuple(row.full_name for row in extras))
        content = frozen(draft)
        assert content.set_names == ("user", "a", "b")
        assert content.extra_info == "set=user,a,b"

    def test_what_is_for_the_whole_site_has_no_set(self) -> None:
        content = frozen(plan("cep", {CARRIED: True}, type="addon", scope="site", modules=(SALE, SALE_CAL)))
        assert content.set_names == ()


class TestTierMarkers:
    def markers(self, content: VersionContent) -> set[str]:
        return {row.name for row in content.modules.values() if row.role == "marker"}

    def test_a_plan_has_the_user_marker_of_its_tier_and_the_site_marker_per_solution(self) -> None:
        content = frozen(plan("both", {SALES: True}, tier=PREMIUM, solutions=("sales", "service")))
        assert self.markers(content) == {"t2", "sales-t2", "service-t2"}
        assert content.set_names == ("t2",)

    def test_a_solution_without_a_site_marker_in_that_tier_has_none(self) -> None:
        content = frozen(plan("service", {SALES: True}, tier=ESSENTIALS, solutions=("service",)))
        assert self.markers(content) == {"t1"}

    def test_markers_are_not_inherited(self) -> None:
        essentials = plan("essentials", {SALES: True}, tier=ESSENTIALS)
        assert self.markers(frozen(plan("premium", tier=PREMIUM, includes=including(essentials)))) == {"t2", "sales-t2"}

    def test_a_plan_without_a_tier_is_of_the_highest_it_includes(self) -> None:
        sales = plan("sales", {SALES: True}, tier=PREMIUM)
        service = plan("service", {MAIL: 1}, tier=ESSENTIALS, solutions=("service",))
        both = frozen(plan("both", includes=including(service, sales), solutions=("sales", "service")))
        assert self.markers(both) == {"t2", "sales-t2", "service-t2"}
        assert (both.offer.tier, both.offer.tier_name) == ("premium", "Premium")
        assert self.markers(frozen(plan("again", includes=including(both)))) == {"t2", "sales-t2"}

    def test_no_tier_anywhere_no_marker(self) -> None:
        content = frozen(plan("sales", {SALES: True}, includes=including(plan("common", {MAIL: 1}))))
        assert self.markers(content) == set()
        assert content.offer.tier is None

    def test_an_add_on_has_no_marker(self) -> None:
        content = frozen(
            plan("calendar", {SALES: True}, type="addon", includes=including(plan("x", {MAIL: 1}, tier=PREMIUM)))
        )
        assert self.markers(content) == set()


def test_content_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 2"):
        VersionContent.from_json({**frozen(plan("sales", {SALES: True})).to_json(), "format": 2})


def test_the_digest_is_of_canonical_json() -> None:
    assert digest({"b": "é", "a": 1}) == digest({"a": 1, "b": "é"})
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
