"""The screen of what goes with what: rule E-13. A page, JSON and CSV say the same."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from catalog.content import Shelf, outline
from catalog.content.compatibility import grid
from catalog.content.standing import OnShelf
from catalog.services import publishing
from customers.actor import SYSTEM
from customers.models import Account
from tests.catalog.drawing import SALES, plan
from tests.catalog.test_standing import shelves
from tests.catalog.visiting import as_
from tests.factories.catalog import (
    AddOnFactory,
    FeatureFactory,
    LimitFactory,
    ModuleFactory,
    PlanFactory,
    Shop,
    SiteModuleFactory,
    TierFactory,
)
from tests.factories.customers import AccountFactory

PAGE = "/catalog/compatibility/"
TODAY = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(TODAY, tick=False):
        yield


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """Five add-ons: one for Premium, one that shuts another out, one that adds nothing, one that caps, one per user."""
    shop.publish(AddOnFactory(code="ai", name="AI"), grants={FeatureFactory(code="ai").code: True}, max_quantity=1)
    shop.publish(
        AddOnFactory(code="assistant", name="Assistant", scope="user", module=ModuleFactory()),
        grants={FeatureFactory(code="assistant").code: True},
        needs=("ai", "tier:premium"),
        max_quantity=50,
    )
    shop.publish(
        AddOnFactory(code="starter", name="Starter"),
        grants={FeatureFactory(code="starter").code: True},
        excludes=("ai", "sales-essentials"),
        max_quantity=1,
    )
    shop.publish(AddOnFactory(code="selling", name="Selling"), grants={"sales": True}, max_quantity=1)
    cap = LimitFactory(code="cap", rule="min", unit="GB")
    shop.publish(AddOnFactory(code="saver", name="Saver"), grants={cap.code: 5}, max_quantity=1)
    shop.publish(shop.service_essentials, grants={"requests": True, cap.code: 50}, includes=("common",))
    return shop


def asked(client: Client, **asking: str) -> Any:
    return client.get(PAGE, asking)


def states(data: Any, add_on: str) -> dict[str, str]:
    (row,) = (row for row in data["add_ons"] if row["code"] == add_on)
    return {column: cell["state"] for column, cell in row["cells"].items()}


def reasons(data: Any, add_on: str) -> dict[str, str]:
    (row,) = (row for row in data["add_ons"] if row["code"] == add_on)
    return {column: cell["reason"] for column, cell in row["cells"].items()}


def test_what_each_pair_is_to_each_other_and_why(sold: Shop, pia: Account) -> None:
    data = asked(as_(pia), format="json").json()
    assert [column["code"] for column in data["columns"]][:3] == [
        "sales-essentials",
        "sales-premium",
        "service-essentials",
    ]
    assert states(data, "assistant") == {
        "sales-essentials": "along",
        "sales-premium": "meets",
        "service-essentials": "along",
        "ai": "needed",
        "assistant": "itself",
        "saver": "along",
        "selling": "along",
        "starter": "excluded",
    }
    why = reasons(data, "assistant")
    assert why["sales-premium"] == "Assistant needs a plan of tier Premium or higher; Sales Premium is one."
    assert why["ai"] == "Assistant needs AI."
    assert why["starter"] == "Assistant needs AI, and Starter excludes AI."
    assert states(data, "ai")["assistant"] == "needs_it"
    assert states(data, "selling") == {
        "sales-essentials": "no_effect",
        "sales-premium": "no_effect",
        "service-essentials": "along",
        "ai": "along",
        "assistant": "along",
        "saver": "along",
        "selling": "itself",
        "starter": "along",
    }
    assert states(data, "saver")["service-essentials"] == "lowers"
    assert reasons(data, "saver")["service-essentials"] == "Saver lowers what Service Essentials gives of Cap."
    assert reasons(data, "selling")["sales-premium"] == "Sales Premium gives all that Selling gives."


def test_every_row_says_how_many_for_whom_and_what_is_odd(sold: Shop, pia: Account) -> None:
    data = asked(as_(pia), format="json").json()
    rows = {row["code"]: row for row in data["add_ons"]}
    assistant = rows["assistant"]
    assert (assistant["scope"], assistant["max_quantity"], assistant["version"]) == ("user", 50, 1)
    assert (assistant["needs"], assistant["excludes"]) == (["ai", "tier:premium"], [])
    assert [finding["code"] for finding in assistant["findings"]] == ["need_not_asked_of_users"]
    assert [finding["code"] for finding in rows["saver"]["findings"]] == ["caps_below"]

    page = asked(as_(pia)).content.decode()
    assert "v1, per user, at most 50" in page
    assert "Needs AI and a plan of tier Premium or higher" in page
    assert "Excludes AI and Sales Essentials" in page
    assert "it can be given to somebody without" in page


def test_each_cell_says_why_also_to_those_who_do_not_see_it(sold: Shop, pia: Account) -> None:
    page = asked(as_(pia)).content.decode()
    assert page.count('title="Assistant needs AI, and Starter excludes AI."') == 2, "the same from both sides"
    assert page.count('<p class="small">Assistant needs AI, and Starter excludes AI.</p>') == 2
    assert '<span class="visually-hidden">Goes along: AI goes along with Sales Essentials.</span>' in page


def test_a_solution_narrows_the_plans(sold: Shop, pia: Account) -> None:
    client = as_(pia)
    data = asked(client, solution="service", format="json").json()
    assert [column["code"] for column in data["columns"] if column["type"] == "plan"] == ["service-essentials"]
    assert data["solution"] == "service"
    unknown = asked(client, solution="nothing", format="json")
    assert (unknown.status_code, unknown.json()["errors"].keys()) == (400, {"solution"})
    assert "No plan on offer covers “nothing”" in asked(client, solution="nothing").content.decode()


def test_another_day_has_what_was_on_offer_then(sold: Shop, pia: Account) -> None:
    client = as_(pia)
    sold.publish(
        AddOnFactory(code="later", name="Later"),
        grants={FeatureFactory(code="later").code: True},
        at=TODAY,
        effective_from=TODAY + timedelta(days=30),
    )
    publishing.retire(version=sold.service_essentials.versions.latest("number"), actor=SYSTEM, at=TODAY)
    publishing.retire(version=sold.service_essentials.versions.earliest("number"), actor=SYSTEM, at=TODAY)

    def columns(**asking: str) -> set[str]:
        return {column["code"] for column in asked(client, format="json", **asking).json()["columns"]}

    assert "service-essentials" in columns(on="2026-03-03")
    assert "service-essentials" not in columns()
    assert "later" in columns(on="2026-04-03")
    assert "later" not in columns(on="2026-04-02")
    assert columns(on="2025-12-31") == set()
    assert "No add-on is on offer" in asked(client, on="2025-12-31").content.decode()
    assert asked(client, on="soon", format="csv").status_code == 400
    assert "“soon” is not a date" in asked(client, on="soon").content.decode()


def test_csv_has_a_line_for_each_pair(sold: Shop, pia: Account) -> None:
    response = asked(as_(pia), format="csv")
    assert response["Content-Disposition"] == 'attachment; filename="compatibility-2026-03-04.csv"'
    head, *lines = csv.reader(StringIO(response.content.decode().removeprefix("\ufeff")))
    assert head == ["Add-on", "Version", "Scope", "At most", "Beside", "Type", "Tier", "State", "Why"]
    assert len(lines) == 5 * 8
    assert ["assistant", "1", "user", "50", "sales-premium", "plan", "premium", "Meets a need"] in [
        line[:-1] for line in lines
    ]


def test_who_may_look(sold: Shop, pia: Account, kari: Account) -> None:
    assert Client().get(PAGE).status_code == 302
    assert as_(AccountFactory()).get(PAGE).status_code == 403
    ours, customers = (as_(account).get(PAGE).content.decode() for account in (pia, kari))
    assert "/admin/catalog/version/" in ours
    assert "/admin/catalog/version/" not in customers, "a link that they may not follow"
    assert "at most 50" in customers
    assert "given to somebody without" not in customers
    rows = asked(as_(kari), format="json").json()["add_ons"]
    assert [row["code"] for row in rows if "findings" in row] == []
    assert f'href="{PAGE}"' in customers, "it is in their navigation"


def test_queries_do_not_grow_with_what_is_sold(
    sold: Shop, pia: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = as_(pia)

    def count() -> int:
        with django_assert_max_num_queries(20) as captured:
            assert asked(client).status_code == 200
        return len(captured)

    before = count()
    for number in range(4):
        feature = FeatureFactory()
        sold.publish(AddOnFactory(module=SiteModuleFactory()), grants={feature.code: True}, needs=("ai",))
        sold.publish(
            PlanFactory(code=f"more-{number}", tier=TierFactory(code="premium")), grants={feature.code: True}
        )  # fmt: skip
    assert count() == before


# ── The grid by itself ──────────────────────────────────────────────────────
@given(shelves(), st.data())
def test_excluding_is_mutual_and_needing_has_its_counterpart(drawn: Shelf, data: st.DataObject) -> None:
    codes = sorted(drawn.offers)
    contents = []
    for code in codes:
        offer = drawn.offers[code]
        tier = {"tier": offer.tier, "tier_name": offer.tier}
        content = outline(plan(code, {SALES: True}, type=offer.type, scope=offer.scope))
        content = replace(content, offer=replace(content.offer, **tier), needs=offer.needs, excludes=offer.excludes)
        contents.append(content)
        drawn = drawn.having(OnShelf.of_content(content))
    rows = {
        row.offer.code: {cell.column: cell for cell in row.cells}
        for row in grid(contents, list(drawn.offers.values()), drawn)
    }
    for one in codes:
        assert rows[one][one].state == "itself"
        for other in codes:
            here, there = rows[one][other], rows[other][one]
            assert (here.state == "excluded") == (there.state == "excluded")
            assert (here.reason == there.reason) or here.state != "excluded"
            if here.state == "needs_it":
                assert there.state in ("needed", "meets")
            assert here.reason.endswith(".")
