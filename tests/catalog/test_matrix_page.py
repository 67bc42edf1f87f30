"""The matrix as a page: what is open, what a cell says, and that it stays small however large the catalog is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from catalog.models import Feature, FeatureGroup, Grant, Module, Offer, Version
from catalog.services import drafting
from catalog.views.gridding import MOST_CELLS, Opened, fit, page_rows
from customers.actor import SYSTEM
from customers.models import Account, AuditEvent
from tests.catalog.visiting import as_
from tests.factories.catalog import NOON, FeatureGroupFactory, LimitFactory, PlanFactory, Shop, SolutionFactory

PAGE, SAVE, REPEATED = "/catalog/matrix/", "/catalog/matrix/save/", "/catalog/matrix/repeated/"
CELL = re.compile(r'<td class="(?P<looks>[^"]*)"(?P<data>[^>]*)><span>(?P<text>[^<]*)</span></td>')


class Grid:
    """A page taken apart: columns, open groups, and cells as `(looks, data, text)` by column and feature."""

    def __init__(self, answer: Any) -> None:
        assert answer.status_code == 200
        html = answer.text
        self.columns = re.findall(r'data-offer="([^"]+)"', html)
        self.stages = re.findall(r'<span class="badge[^"]*">([^<]+)</span>\s*</th>', html)
        self.open = re.findall(r'<tbody data-group="([^"]+)" data-page="[1-9]', html)
        self.groups = re.findall(r'<tbody data-group="([^"]+)"', html)
        self.features = re.findall(r'<tr data-feature="([^"]+)"', html)
        self.cells: dict[tuple[str, str], tuple[str, dict[str, str], str]] = {}
        for row in html.split('<tr data-feature="')[1:]:
            feature = row[: row.index('"')]
            for column, cell in zip(self.columns or self._counted(row), CELL.finditer(row), strict=True):
                data = dict(re.findall(r'data-(\w+)="([^"]*)"', cell["data"]))
                self.cells[column, feature] = (cell["looks"], data, cell["text"])

    def _counted(self, row: str) -> list[str]:
        return [str(number) for number, _ in enumerate(CELL.finditer(row))]


def grid(client: Client, query: str = "") -> Grid:
    return Grid(client.get(PAGE + query))


class TestCells:
    def test_own_inherited_and_nothing(self, shop: Shop, pia: Account) -> None:
        shown = grid(as_(pia))
        assert shown.columns == ["common", "sales-essentials", "sales-premium", "service-essentials"]
        assert shown.cells["common", "email-limit"] == ("own", {"own": "500"}, "500")
        assert shown.cells["sales-premium", "email-limit"] == ("in", {"in": "500", "from": "common v1"}, "500")
        assert shown.cells["sales-premium", "sales"] == ("in", {"in": "yes", "from": "sales-essentials v1"}, "✓")
        assert shown.cells["common", "sales"] == ("none", {}, "")
        assert shown.cells["sales-premium", "dashboards"] == (
            "own",
            {"own": "custom-tiles", "in": "default-tiles", "from": "sales-essentials v1"},
            "Custom tiles",
        )

    def test_an_own_value_that_repeats(self, shop: Shop, pia: Account) -> None:
        shop.draft(shop.sales_essentials, grants={"email-limit": 500, "sales": True}, includes=("common",))
        shown = grid(as_(pia))
        assert shown.cells["sales-essentials", "email-limit"][0] == "own repeats"
        assert shown.cells["sales-essentials", "sales"][0] == "own"

    def test_what_a_published_version_took_in_is_shown_though_it_moved_on(self, shop: Shop, pia: Account) -> None:
        shop.publish(shop.common, grants={"email-limit": 900})
        shown = grid(as_(pia))
        assert shown.cells["service-essentials", "email-limit"][1] == {"in": "500", "from": "common v1"}
        drafting.draft_from(offer=shop.service_essentials, actor=SYSTEM, at=NOON)
        shown = grid(as_(pia))
        assert shown.cells["service-essentials", "email-limit"][1] == {"in": "900", "from": "common v2"}

    def test_a_repetition_is_one_in_the_draft_to_come_too(self, shop: Shop, pia: Account) -> None:
        shop.publish(shop.service_essentials, grants={"requests": True, "email-limit": 500}, includes=("common",))
        assert grid(as_(pia)).cells["service-essentials", "email-limit"][0] == "own repeats"
        shop.publish(shop.common, grants={"email-limit": 900})
        assert grid(as_(pia)).cells["service-essentials", "email-limit"][0] == "own"

    def test_where_includes_differ_nobody_can_say(self, shop: Shop, pia: Account) -> None:
        one = shop.publish(PlanFactory(code="one"), grants={"email-limit": 1})
        shop.draft(PlanFactory(code="two"), grants={"email-limit": 5}, includes=(one.offer.code, "common"))
        shop.draft(PlanFactory(code="three"), includes=(one.offer.code, "common"))
        shown = grid(as_(pia))
        assert shown.cells["two", "email-limit"] == ("own disputed", {"own": "5"}, "5")
        assert shown.cells["three", "email-limit"] == ("in disputed", {}, "differ")

    def test_a_choice_that_is_gone(self, shop: Shop, pia: Account) -> None:
        draft: Any = shop.draft(shop.common, grants={"dashboards": "default-tiles"})
        draft.grants.update(value="gold")
        assert grid(as_(pia)).cells["common", "dashboards"] == ("own", {"own": "gold"}, "gold (gone)")

    def test_how_far_each_column_is(self, shop: Shop, pia: Account) -> None:
        drafting.submit(version=shop.draft(shop.common, grants={"email-limit": 1}), actor=SYSTEM, at=NOON)
        shop.draft(shop.sales_premium, grants={"quotes": True})
        PlanFactory(code="zero", position=9)
        assert grid(as_(pia)).stages == ["in review", "v1", "draft", "v1", "nothing yet"]


class TestWhatIsAskedFor:
    def test_a_solution_has_its_plans_and_those_of_none(self, shop: Shop, pia: Account) -> None:
        assert grid(as_(pia), "?solution=service").columns == ["common", "service-essentials"]
        assert grid(as_(pia), "?show=common&show=nowhere").columns == ["common"]

    def test_a_search_goes_over_all_groups(self, shop: Shop, pia: Account) -> None:
        assert grid(as_(pia), "?search=QUOTE").features == ["quotes"]
        found = grid(as_(pia), "?search=s&open=")
        assert (found.features, set(found.groups) > {"work"}) == ([], True)
        assert "No feature is called so" in as_(pia).get(f"{PAGE}?search=nothing-like-it").text

    def test_groups_are_open_as_the_address_says(self, shop: Shop, pia: Account) -> None:
        assert grid(as_(pia)).open == ["reporting", "email", "work"]
        assert grid(as_(pia), "?open=work").features == ["sales", "quotes", "requests"]
        assert grid(as_(pia), "?open=").features == []
        part = grid(as_(pia), "?part=email")
        assert (part.groups, part.features) == (["email"], ["email-limit"])

    @pytest.mark.parametrize(
        "query", ["?open=work:99", "?open=work:-1", "?open=x:y:z", "?part=nowhere", "?search=%00", "?solution=%00"]
    )
    def test_nonsense_is_no_error(self, query: str, shop: Shop, pia: Account) -> None:
        assert as_(pia).get(PAGE + query).status_code == 200


class TestWhoMay:
    def test_an_auditor_looks_on(self, shop: Shop, aud: Account) -> None:
        html = as_(aud).get(PAGE).text
        assert "data-save" not in html
        assert as_(aud).post(SAVE, "{}", content_type="application/json").status_code == 403

    def test_customers_see_no_drafts(self, shop: Shop, kari: Account) -> None:
        assert [as_(kari).get(address).status_code for address in (PAGE, REPEATED)] == [403, 403]

    def test_strangers_sign_in_first(self, db: Any) -> None:
        assert [Client().get(address).status_code for address in (PAGE, REPEATED)] == [302, 302]


class TestSaving:
    def send(self, client: Client, columns: Any) -> Any:
        return client.post(SAVE, json.dumps({"columns": columns}), content_type="application/json")

    def column(self, offer: Any, cells: dict[str, list[Any]]) -> dict[str, Any]:
        version = Version.objects.filter(offer=offer).latest("pk")
        return {offer.code: {"version": version.pk, "draft": not version.is_frozen, "cells": cells}}

    def test_one_request_saves_all(self, shop: Shop, pia: Account) -> None:
        columns = self.column(shop.common, {"email-limit": [500, "unlimited"]})
        columns |= self.column(shop.sales_premium, {"quotes": [True, None]})
        answer = self.send(as_(pia), columns)
        assert answer.json() == {"cells": 2, "begun": ["common", "sales-premium"], "reopened": []}
        assert AuditEvent.objects.filter(action="draft.edited", account=pia).count() == 2
        shown = grid(as_(pia))
        assert shown.cells["common", "email-limit"] == ("own", {"own": "unlimited"}, "Unlimited")
        assert shown.cells["sales-premium", "quotes"] == ("none", {}, "")

    def test_faults_name_their_cells(self, shop: Shop, pia: Account) -> None:
        answer = self.send(as_(pia), self.column(shop.common, {"email-limit": [500, "many"]}))
        assert answer.status_code == 400
        [fault] = answer.json()["faults"]
        assert (fault["offer"], fault["feature"]) == ("common", "email-limit")

    def test_a_conflict_is_told_in_full(self, shop: Shop, pia: Account, paul: Account) -> None:
        columns = self.column(shop.common, {"email-limit": [500, 700]})
        self.send(as_(paul), self.column(shop.common, {"email-limit": [500, 900]}))
        answer = self.send(as_(pia), columns)
        assert (answer.status_code, answer.json()["code"]) == (409, "cells_changed_since")
        [cell] = answer.json()["cells"]
        assert (cell["theirs"], cell["mine"], cell["who"]) == (900, 700, paul.name)

    @pytest.mark.parametrize(
        "body",
        [
            *("", "[]", "{}", "[" * 5000),
            *('{"columns": 1}', '{"columns": {"c": null}}', '{"columns": {"common": {}}}'),
            '{"columns": {"common": {"version": "x", "draft": 1, "cells": {"quotes": [1]}}}}',
        ],
    )
    def test_what_is_no_such_document(self, body: str, shop: Shop, pia: Account) -> None:
        assert as_(pia).post(SAVE, body, content_type="application/json").status_code == 400

    def test_it_is_not_read(self, shop: Shop, pia: Account) -> None:
        assert as_(pia).get(SAVE).status_code == 405


def test_repetitions_of_the_whole_matrix(shop: Shop, pia: Account) -> None:
    draft = shop.draft(shop.sales_essentials, grants={"email-limit": 500, "sales": True}, includes=("common",))
    told = as_(pia).get(REPEATED).json()["repeated"]
    assert [(each["offer"], each["feature"], each["own"], each["version"]) for each in told] == [
        ("sales-essentials", "email-limit", "500", draft.pk)
    ]
    assert as_(pia).get(f"{REPEATED}?solution=service").json() == {"repeated": []}


# ── How large it may be ─────────────────────────────────────────────────────
COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 3000), min_size=1)
WANTED = st.none() | st.lists(st.builds(Opened, st.sampled_from("abcdefghi"), st.integers(1, 50)))


@given(COUNTS, WANTED, st.integers(1, 300), st.booleans())
def test_whatever_is_asked_for_the_page_stays_in_its_budget(
    counts: dict[str, int], wanted: list[Opened] | None, columns: int, is_search: bool
) -> None:
    opened = fit(counts, wanted, columns, is_search=is_search)
    each = page_rows(columns)
    rows = [min(each, counts[one.group] - (one.page - 1) * each) for one in opened]
    assert all(row > 0 for row in rows)
    assert sum(rows) * columns <= MOST_CELLS
    assert len({one.group for one in opened}) == len(opened)
    if wanted is None:
        assert opened  # something is always shown
    elif wanted and wanted[-1].group in counts:
        assert opened[-1].group == wanted[-1].group  # the last one opened stays


def fill(features: int, plans: int) -> None:
    """Adds so many limits in groups of 125, and so many plans that include the common set; half the cells are own."""
    groups = [FeatureGroupFactory(code=f"big-{n}", position=9) for n in range(-(-features // 125))]
    limits = Feature.objects.bulk_create(
        LimitFactory.build(code=f"big-{n}", group=groups[n // 125], position=n) for n in range(features)
    )
    modules = Module.objects.filter(name="user")
    offers = Offer.objects.bulk_create(
        Offer(code=f"big-{n}", name=f"Big {n}", type="plan", for_sale=False, position=9) for n in range(plans)
    )
    assert modules.exists()
    common = Offer.objects.get(code="common")
    drafts = [drafting.draft_from(offer=offer, actor=SYSTEM, at=NOON) for offer in offers]
    for draft in drafts:
        drafting.set_includes(version=draft, codes=[common.code], actor=SYSTEM, at=NOON)
    Grant.objects.bulk_create(
        Grant(version=draft, feature=limit, value=n) for n, draft in enumerate(drafts) for limit in limits[::2]
    )


def test_a_thousand_features_and_fifty_plans(shop: Shop, pia: Account) -> None:
    def asked(query: str) -> tuple[Grid, int]:
        with CaptureQueriesContext(connection) as captured:
            answer = grid(client, query)
        return answer, len(captured)

    client = as_(pia)
    fill(20, 2)
    queries = [asked(query)[1] for query in ("", "?open=big-0", "?part=big-0")]
    Grant.objects.filter(version__offer__code__startswith="big").delete()
    Version.objects.filter(offer__code__startswith="big").delete()
    Offer.objects.filter(code__startswith="big").delete()
    Feature.objects.filter(code__startswith="big").delete()
    FeatureGroup.objects.filter(code__startswith="big").delete()

    fill(1000, 50)
    everything = "?" + "&".join(f"open=big-{n}" for n in range(8))
    found = {query: asked(query) for query in ("", "?open=big-0", "?part=big-0", everything)}
    assert [count for _, count in list(found.values())[:3]] == queries
    assert found[everything][1] == queries[1]
    for shown, _ in found.values():
        assert 0 < len(shown.cells) <= MOST_CELLS
    assert len(found[""][0].columns) == 54
    assert found[everything][0].open[-1] == "big-7"
    page = asked("?open=big-3:3")[0]
    assert page.features[0] == f"big-{3 * 125 + 2 * page_rows(54)}"


def test_solutions_to_choose_from(shop: Shop, pia: Account) -> None:
    SolutionFactory(code="marketing", name="Marketing")
    assert '<option value="marketing">Marketing</option>' in as_(pia).get(PAGE).text
