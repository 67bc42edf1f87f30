"""What two contents differ in."""

from __future__ import annotations

from dataclasses import replace

from catalog.content import (
    KINDS_OF_LINE,
    ChoiceContent,
    OtherOffer,
    diff,
    tell,
)
from tests.catalog.drawing import (
    CARRIED,
    DASHBOARDS,
    MAIL,
    SALE,
    SALE_CAL,
    SALES,
    USER_MODULE,
    frozen,
    full,
    including,
    knowing,
    level,
    module,
    plan,
    switch,
)


class TestDiff:
    def test_the_first_version_adds_everything(self) -> None:
        content = frozen(plan("sales", {CARRIED: True, MAIL: "unlimited"}, modules=(SALE, SALE_CAL)))
        changes = diff(None, content)
        assert [(change.code, change.was, change.now) for change in changes.added] == [
            ("sales", "", "Included"),
            ("mail", "", "Unlimited recipients"),
        ]
        assert changes.modules_in == (full("sale"), full("sale-cal"), full("ten-sales"))
        assert changes.set_in == ("sale-cal",)
        assert not changes.is_empty

    def test_the_same_content_differs_in_nothing(self) -> None:
        content = frozen(plan("sales", {SALES: True, DASHBOARDS: "tiles"}))
        assert diff(content, content).is_empty

    def test_features_that_came_went_rose_and_fell(self) -> None:
        forms = switch("forms")
        was = frozen(plan("sales", {SALES: True, MAIL: 500, DASHBOARDS: "custom"}))
        now = frozen(plan("sales", {forms: True, MAIL: "unlimited", DASHBOARDS: "tiles"}))
        changes = diff(was, now)
        assert [change.code for change in changes.added] == ["forms"]
        assert [change.code for change in changes.removed] == ["sales"]
        assert [(c.code, c.was, c.now) for c in changes.raised] == [("mail", "500 recipients", "Unlimited recipients")]
        assert [(c.code, c.was, c.now) for c in changes.lowered] == [("dashboards", "Custom", "Tiles")]
        assert changes.changed == changes.words == changes.terms == ()

    def test_modules_in_and_out_of_the_version_and_of_set(self) -> None:
        was = frozen(plan("sales", {CARRIED: True}, modules=(SALE, SALE_CAL)))
        now = frozen(plan("sales", {MAIL: 1}, extra_modules=(full("user"),), modules=(USER_MODULE,)))
        changes = diff(was, now)
        assert (changes.modules_in, changes.modules_out) == ((full("user"),), (full("sale"), full("sale-cal")))
        assert (changes.set_in, changes.set_out) == (("user",), ("sale-cal",))

    def test_what_a_feature_is_against_what_it_is_called(self) -> None:
        was = frozen(plan("sales", {SALES: True}))
        now = frozen(plan("sales", {switch("sales", read_only_without_seat=False, description="Deals"): True}))
        changes = diff(was, now)
        assert [(c.path, c.was, c.now) for c in changes.changed] == [
            ("features.sales.read_only_without_seat", "yes", "no")
        ]
        assert [(c.path, c.was, c.now) for c in changes.words] == [("features.sales.description", "", "Deals")]

    def test_choices_that_came_are_a_change_and_renamed_ones_are_words(self) -> None:
        more = level("dashboards", "charts", ChoiceContent("tiles", "Tile view"), "custom", "shared")
        changes = diff(frozen(plan("sales", {DASHBOARDS: "tiles"})), frozen(plan("sales", {more: "tiles"})))
        assert [(c.path, c.was, c.now) for c in changes.changed] == [
            ("features.dashboards.choices", "charts, tiles, custom", "charts, tiles, custom, shared")
        ]
        assert [(c.path, c.was, c.now) for c in changes.words] == [
            ("features.dashboards.choices.tiles", "Tiles", "Tile view")
        ]

    def test_terms_of_the_offer_of_modules_and_of_the_version(self) -> None:
        common = including(plan("common", {MAIL: 1}))
        was = plan("cep", {CARRIED: True}, type="addon", modules=(SALE, SALE_CAL), includes=common)
        now = replace(
            knowing(was, replace(SALE, description="Sales", unrestricted=True)),
            offer=replace(was.offer, name="CEP", solutions=("sales", "service")),
            needs=(OtherOffer("ai"), OtherOffer("tier:premium")),
            includes=including(plan("common", {MAIL: 1}), version=2),
            max_quantity=2,
        )
        changes = diff(frozen(was), frozen(now))
        assert {(c.path, c.was, c.now) for c in changes.terms} == {
            ("offer.solutions", "sales", "sales, service"),
            ("modules.superoffice.sale.unrestricted", "no", "yes"),
            ("rules.needs", "", "ai, a plan of tier premium or higher"),
            ("max_quantity", "", "2"),
            ("includes", "common v1", "common v2"),
        }
        assert {(c.path, c.was, c.now) for c in changes.words} == {
            ("offer.name", "Cep", "CEP"),
            ("modules.superoffice.sale.description", "sale", "Sales"),
        }

    def test_a_choice_carried_by_another_module(self) -> None:
        moved = level("dashboards", "charts", ChoiceContent("tiles", "Tiles", None, full("sale-cal")), "custom")
        was = frozen(plan("sales", {DASHBOARDS: "charts"}, modules=(SALE, SALE_CAL)))
        now = frozen(plan("sales", {moved: "charts"}, modules=(SALE, SALE_CAL)))
        assert [(c.path, c.was, c.now) for c in diff(was, now).changed] == [
            ("features.dashboards.choices.tiles.user_module", "", full("sale-cal"))
        ]

    def test_the_same_names_in_another_order(self) -> None:
        names = (full("user"), full("web"))
        was = plan("sales", {MAIL: 1, SALES: True}, extra_modules=names, modules=(USER_MODULE, module("web")))
        now = replace(knowing(was, module("web", sort_order=9)), positions={"mail": 5, "sales": 2})
        changes = diff(frozen(was), frozen(now))
        assert [(c.path, c.was, c.now) for c in changes.terms] == [("set", "web,user", "user,web")]
        assert [(c.path, c.was, c.now) for c in changes.words] == [("features", "… mail …", "… sales …")]

    def test_why_a_module_is_shipped_and_where_a_grant_comes_from(self) -> None:
        common = plan("common", {CARRIED: True}, modules=(SALE, SALE_CAL))
        was = plan("sales", {CARRIED: True}, modules=(SALE, SALE_CAL), includes=including(common))
        now = replace(was, grants=(), extra_modules=(full("sale"),))
        assert {(c.path, c.was, c.now) for c in diff(frozen(was), frozen(now)).terms} == {
            ("features.sales.origin", "sales", "common"),
            ("modules.superoffice.sale.role", "feature", "extra"),
        }


class TestTelling:
    def test_every_class_of_difference_in_words(self) -> None:
        forms = switch("forms")
        common = including(plan("common", {MAIL: 1}))
        was = plan(
            "sales",
            {CARRIED: True, MAIL: 500, DASHBOARDS: "custom", switch("flows"): True, switch("tips"): True},
            modules=(SALE, SALE_CAL),
            includes=common,
        )
        tips = switch("tips", description="Every day", read_only_without_seat=False)
        now = knowing(
            plan(
                "sales",
                {forms: True, MAIL: "unlimited", DASHBOARDS: "tiles", switch("flows"): True, tips: True},
                modules=(USER_MODULE,),
                extra_modules=(full("user"),),
            ),
            module("ten-sales", hidden=False, description="Ten"),
        )
        now = replace(
            now,
            offer=replace(now.offer, name="Sell", solutions=("service",)),
            needs=(OtherOffer("ai"),),
            excludes=(OtherOffer("old"),),
            max_quantity=3,
            changelog="Newer.",
        )
        old, new = frozen(was), frozen(now)
        lines = tell(diff(old, new), old, new, changelogs=("Old.", "Newer."))
        assert [(line.kind, line.what, line.was, line.now) for line in lines] == [
            ("Added", "Forms", "", "Included"),
            ("Removed", "Sales", "Included", ""),
            ("Raised", "Mail", "500 recipients", "Unlimited recipients"),
            ("Lowered", "Dashboards", "Custom", "Tiles"),
            ("Changed", "Tips: can be seen without a seat", "yes", "no"),
            ("Module in", "superoffice.user", "", "shipped"),
            ("Module out", "superoffice.sale", "shipped", ""),
            ("Module out", "superoffice.sale-cal", "shipped", ""),
            ("Into set=", "user", "", "listed"),
            ("Out of set=", "sale-cal", "listed", ""),
            ("Rules", "Needs", "", "ai"),
            ("Rules", "Excludes", "", "old"),
            ("Rules", "At most", "", "3"),
            ("Rules", "Includes", "common v1", ""),
            ("Terms", "Solutions", "sales", "service"),
            ("Words", "Name", "Sales", "Sell"),
            ("Words", "Tips: description", "", "Every day"),
            ("Words", "superoffice.ten-sales: description", "ten-sales", "Ten"),
            ("Words", "Changelog", "Old.", "Newer."),
        ]
        assert {line.kind for line in lines} == set(KINDS_OF_LINE.values())
        assert len({line.path for line in lines}) == len(lines)

    def test_choices_are_named(self) -> None:
        more = level("dashboards", "charts", ChoiceContent("tiles", "Tile view", None, full("user")), "custom", "all")
        old = frozen(plan("sales", {DASHBOARDS: "charts"}, modules=(USER_MODULE,)))
        new = frozen(plan("sales", {more: "charts"}, modules=(USER_MODULE,)))
        assert [(line.kind, line.what, line.was, line.now) for line in tell(diff(old, new), old, new)] == [
            ("Changed", "Dashboards: choices", "charts, tiles, custom", "charts, tiles, custom, all"),
            ("Changed", "Dashboards: choice tiles, user module", "", "superoffice.user"),
            ("Words", "Dashboards: choice tiles", "Tiles", "Tile view"),
        ]
