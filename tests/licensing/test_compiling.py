"""From items in force to the rows of a package: counts, `set=`, flags, order. Rules P-1 to P-6 of docs/rules.md."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from licensing.compiling import SITE, USER, CompiledItem, Row, compile_rows, header_digest
from licensing.extra_info import BadExtraInfo
from tests.licensing.given import full

Module = tuple[str, dict[str, Any]]


def module(name: str, type_: int = USER, role: str = "feature", **fields: Any) -> Module:
    """Returns a module as a version froze it: of the users hidden ones, unless said otherwise."""
    given: dict[str, Any] = {
        "owner": "SUPEROFFICE",
        "name": name,
        "type": type_,
        "description": name.capitalize(),
        "tooltip": "",
        "hidden": type_ == USER and role != "own",
        "unrestricted": False,
        "prerequisite": None,
        "sort_order": 0,
        "role": role,
        **fields,
    }
    return full(name), given


def item(code: str, quantity: int, *modules: Module, own: Module | None = None, **offer: Any) -> CompiledItem:
    """Returns so many of a plan per user; `type`, `scope`, `tier` and `solutions` as given."""
    own = own or module(f"ten-{code}", role="own")
    shipped = dict([own, *modules])
    hidden = [m["name"] for m in shipped.values() if m["type"] == USER and m["hidden"]]
    content = {
        "offer": {"code": code, "type": "plan", "scope": "user", "tier": None, "solutions": ["sales"], **offer},
        "module": own[0],
        "modules": shipped,
        "set": hidden if offer.get("scope", "user") == "user" else [],
        "features": {"print": {"kind": "switch", "rule": "any", "value": True, "origin": code}},
    }
    return CompiledItem(version_id=len(code), number=1, quantity=quantity, content=content)


def site_add_on(code: str, quantity: int, *modules: Module) -> CompiledItem:
    own = module(code, SITE, "own")
    return item(code, quantity, *modules, own=own, type="addon", scope="site", solutions=[])


def rows(*items: CompiledItem) -> dict[str, Row]:
    return {row.module_name: row for row in compile_rows(items)}


USER_CAL, SALE_CAL = module("user"), module("sale-cal")
SALE = module("sale", SITE)


class TestCounts:
    """Own rows by quantity; hidden user modules cover the plans that contain them; site modules once."""

    def test_of_one_plan(self) -> None:
        found = rows(item("sales", 25, USER_CAL, SALE_CAL, SALE))
        assert {name: row.license_number for name, row in found.items()} == {
            "ten-sales": 25,
            "user": 25,
            "sale-cal": 25,
            "sale": 1,
        }

    def test_hidden_modules_cover_all_plans_that_contain_them(self) -> None:
        found = rows(
            item("sales", 25, USER_CAL, SALE_CAL, SALE), item("service", 10, USER_CAL), item("both", 3, SALE_CAL)
        )
        assert found["user"].license_number == 35
        assert found["sale-cal"].license_number == 28
        assert found["ten-service"].license_number == 10
        assert found["sale"].license_number == 1

    def test_a_visible_module_that_plans_ship_is_counted_likewise(self) -> None:
        visible = module("visible-for", role="extra", hidden=False)
        assert rows(item("sales", 25, visible), item("service", 10, visible))["visible-for"].license_number == 35

    def test_a_site_add_on_has_its_quantity_and_ships_each_module_once(self) -> None:
        found = rows(site_add_on("extra-storage", 3, module("disk", SITE)))
        assert (found["extra-storage"].license_number, found["disk"].license_number) == (3, 1)

    def test_a_site_add_on_does_not_add_to_what_plans_switch_on(self) -> None:
        chat = site_add_on("cep", 1, module("chat-cal"))
        assert rows(chat, item("sales", 25, module("chat-cal")))["chat-cal"].license_number == 25
        assert rows(chat)["chat-cal"].license_number == 1, "a count is at least 1"

    def test_an_add_on_per_user_counts_its_own_row(self) -> None:
        calendar = item("calendar", 7, type="addon", solutions=[], own=module("nebula", role="own"))
        assert rows(calendar)["nebula"].license_number == 7

    @pytest.mark.parametrize("other", ["a-plan", "z-plan"])
    def test_the_own_row_of_an_add_on_keeps_its_quantity_beside_a_plan_that_ships_it_too(self, other: str) -> None:
        found = rows(site_add_on("extra-storage", 3), item(other, 25, module("extra-storage", SITE, "extra")))
        assert found["extra-storage"].license_number == 3


class TestUnrestricted:
    def test_an_unrestricted_module_stays_so(self) -> None:
        free = module("ej-mod-spm-cal", unrestricted=True)
        assert rows(item("sales", 2, free))["ej-mod-spm-cal"].unrestricted

    @pytest.mark.parametrize("order", [("sales", "trial"), ("trial", "sales")])
    def test_an_unrestricted_plan_makes_its_hidden_modules_unrestricted(self, order: tuple[str, str]) -> None:
        trial = item("trial", 1, USER_CAL, own=module("ten-trial", role="own", unrestricted=True))
        both = {"trial": trial, "sales": item("sales", 25, USER_CAL, SALE_CAL)}
        found = rows(*(both[code] for code in order))
        assert (found["user"].unrestricted, found["sale-cal"].unrestricted) == (True, False)
        assert (found["ten-trial"].unrestricted, found["ten-sales"].unrestricted) == (True, False)
        assert found["user"].license_number == 26

    def test_and_not_its_visible_or_site_ones(self) -> None:
        visible = module("visible-for", role="extra", hidden=False)
        found = rows(item("trial", 1, visible, SALE, own=module("ten-trial", role="own", unrestricted=True)))
        assert not found["visible-for"].unrestricted
        assert not found["sale"].unrestricted

    @pytest.mark.parametrize(("type_", "scope"), [(SITE, "site"), (USER, "user")])
    def test_an_unrestricted_add_on_makes_nothing_else_unrestricted(self, type_: int, scope: str) -> None:
        own = module("chat", type_, "own", unrestricted=True)
        chat = item("cep", 1, module("chat-cal"), own=own, type="addon", scope=scope, solutions=[])
        found = rows(chat, item("sales", 25, module("chat-cal")))
        assert (found["chat"].unrestricted, found["chat-cal"].unrestricted) == (True, False)

    def test_unrestricted_in_any_version_is_unrestricted(self) -> None:
        was, now = module("publish"), module("publish", unrestricted=True)
        assert rows(item("a", 1, was), item("b", 1, now))["publish"].unrestricted
        assert rows(item("a", 1, now), item("b", 1, was))["publish"].unrestricted


class TestRows:
    def test_a_plans_row(self) -> None:
        row = rows(item("sales", 25, USER_CAL, SALE_CAL, SALE, tier="premium"))["ten-sales"]
        assert (row.license_type, row.hidden, row.allowed_user_type) == (USER, False, "InternalAssociate")
        assert (row.extra_flags, row.extra_info, row.is_plan) == (1, "set=user,sale-cal", True)
        assert (row.offer_code, row.version_number, row.tier, row.solutions) == ("sales", 1, "premium", ["sales"])
        assert row.grants == {"print": {"kind": "switch", "rule": "any", "value": True, "origin": "sales"}}

    def test_a_plan_that_switches_nothing_on(self) -> None:
        row = rows(item("nothing", 1))["ten-nothing"]
        assert (row.extra_flags, row.extra_info) == (1, "set=")

    def test_an_add_ons_row_carries_its_grants_and_is_no_plan(self) -> None:
        row = rows(site_add_on("cep", 1))["cep"]
        assert (row.extra_flags, row.extra_info, row.is_plan) == (0, "", False)
        assert (row.license_type, row.allowed_user_type) == (SITE, "")
        assert set(row.grants) == {"print"}

    def test_other_rows_carry_no_grants(self) -> None:
        found = rows(item("sales", 1, USER_CAL, SALE))
        assert [row.grants for row in (found["user"], found["sale"])] == [{}, {}]
        assert [row.offer_code for row in (found["user"], found["sale"])] == ["", ""]

    @pytest.mark.parametrize(
        ("shipped", "flags"),
        [
            (module("sales-t2", SITE, "marker", hidden=True), 2),
            (module("t2", USER, "marker"), 0),
            (module("server", SITE, "extra"), 0),
            (module("user", USER, "extra"), 0),
        ],
        ids=["site marker", "user marker", "site module", "user module"],
    )
    def test_flags_of_what_a_plan_ships(self, shipped: Module, flags: int) -> None:
        row = rows(item("sales", 1, shipped))[shipped[1]["name"]]
        assert (row.extra_flags, row.extra_info, row.hidden) == (flags, "", shipped[1]["hidden"])

    def test_a_prerequisite_is_written_without_its_owner(self) -> None:
        web = module("web", prerequisite=full("user"))
        found = rows(item("sales", 1, web, USER_CAL))
        assert (found["web"].prerequisite_module, found["user"].prerequisite_module) == ("user", "")

    def test_a_name_that_set_cannot_hold_is_refused(self) -> None:
        with pytest.raises(BadExtraInfo):
            rows(item("sales", 1, module("user,web")))


class TestOrder:
    """The same items make the same rows, in the same order, with the same digests."""

    ITEMS = (
        item("sales", 25, module("user", sort_order=2), module("sale-cal", sort_order=1), module("sale", SITE)),
        item("service", 10, module("user", sort_order=2, description="As called later"), module("request", SITE)),
        site_add_on("cep", 1, module("chat-cal", sort_order=9)),
    )

    def test_whatever_the_order_of_the_items(self) -> None:
        told = {repr(compile_rows(order)) for order in permutations(self.ITEMS)}
        assert len(told) == 1

    def test_by_the_modules_order_then_name_numbered_from_one(self) -> None:
        found = compile_rows(self.ITEMS)
        assert [row.module_name for row in found] == [
            "cep",
            "request",
            "sale",
            "ten-sales",
            "ten-service",
            "sale-cal",
            "user",
            "chat-cal",
        ]
        assert [row.sort_order for row in found] == list(range(1, 9))

    def test_nothing_in_force_makes_no_rows(self) -> None:
        assert compile_rows([]) == []

    def test_a_check_covers_every_field_but_the_database_key(self) -> None:
        row = rows(*self.ITEMS)["ten-sales"]
        before = row.check("1.0")
        assert row.check("1.1") != before
        row.version_id = 99
        assert row.check("1.0") == before
        changes = {"license_number": 24, "extra_info": "set=user", "unrestricted": True, "grants": {}, "sort_order": 9}
        for name, value in changes.items():
            was = getattr(row, name)
            setattr(row, name, value)
            assert row.check("1.0") != before, name
            setattr(row, name, was)
        assert row.check("1.0") == before

    def test_the_packages_digest_covers_header_rows_and_their_order(self) -> None:
        digest = header_digest({"company_name": "Fjordlys AS"}, ["a", "b"])
        assert header_digest({"company_name": "Fjordlys AS"}, ["a", "b"]) == digest
        assert header_digest({"company_name": "Nordvik Handel AS"}, ["a", "b"]) != digest
        assert header_digest({"company_name": "Fjordlys AS"}, ["b", "a"]) != digest
