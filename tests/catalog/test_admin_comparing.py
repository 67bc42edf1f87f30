"""Two versions side by side in the admin: what is compared, what is left of it, and what is taken along."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Feature, Version
from catalog.services import publishing
from catalog.services.editing import save_row
from customers.actor import SYSTEM
from customers.models import Account
from tests.catalog.visiting import as_, page
from tests.factories.catalog import NOON, FeatureFactory, PlanFactory, Shop

pytestmark = pytest.mark.django_db


def address(code: str, **asked: str) -> str:
    return page("version_compare", code) + "?" + "&".join(f"{name}={value}" for name, value in asked.items())


def lines(response: Any) -> list[tuple[str, str, str, str]]:
    """Returns the lines of the page: kind, what, was, now."""
    return [(line.kind, line.what, line.was, line.now) for line in response.context["comparison"].page]


def rows(response: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


@pytest.fixture
def premium(shop: Shop) -> Shop:
    """Sales Premium v1 and v2; v2 has no quotes, smaller dashboards and more mail."""
    shop.publish(
        shop.sales_premium, grants={"email-limit": 900, "dashboards": "default-tiles"}, includes=["sales-essentials"]
    )
    return shop


class TestWhatIsCompared:
    def test_two_versions(self, premium: Shop, aud: Account) -> None:
        response = as_(aud).get(address("sales-premium", **{"from": "1", "to": "2"}))
        assert "From Sales Premium, v1 (published), to Sales Premium, v2 (live)" in response.text
        assert lines(response) == [
            ("Removed", "Quotes", "Included", ""),
            ("Raised", "Email limit", "500 recipients", "900 recipients"),
            ("Lowered", "Dashboards", "Custom tiles", "Default tiles"),
            ("Module out", "superoffice.dash-cal", "shipped", ""),
            ("Module out", "superoffice.quote", "shipped", ""),
            ("Module out", "superoffice.quote-cal", "shipped", ""),
            ("Out of set=", "dash-cal", "listed", ""),
            ("Out of set=", "quote-cal", "listed", ""),
        ]

    def test_backwards_too(self, premium: Shop, aud: Account) -> None:
        response = as_(aud).get(address("sales-premium", **{"from": "2", "to": "1"}))
        assert lines(response)[:2] == [
            ("Added", "Quotes", "", "Included"),
            ("Raised", "Dashboards", "Default tiles", "Custom tiles"),
        ]

    def test_the_draft_and_what_is_live_unless_said_otherwise(self, premium: Shop, aud: Account) -> None:
        premium.draft(
            premium.sales_premium,
            grants={"quotes": True},
            includes=["sales-essentials"],
            needs=["common"],
            changelog="Quotes again.",
        )
        for asked in ({}, {"from": "live?", "to": "99"}):
            response = as_(aud).get(address("sales-premium", **asked))
            assert "From Sales Premium, v2 (live), to Sales Premium, the draft (draft)" in response.text
            found = lines(response)
            assert ("Added", "Quotes", "", "Included") in found
            assert ("Rules", "Needs", "", "common") in found
            assert found[-1] == ("Words", "Changelog", "What is new.", "Quotes again.")

    def test_words_that_changed(self, shop: Shop, aud: Account) -> None:
        plan, feature = shop.sales_essentials, Feature.objects.get(code="sales")
        plan.description, feature.name = "For those who sell", "Deals"
        for row in (plan, feature):
            save_row(row=row, actor=SYSTEM, at=NOON)
        shop.draft(plan, grants={"sales": True, "dashboards": "default-tiles"}, includes=["common"])
        assert lines(as_(aud).get(address("sales-essentials"))) == [
            ("Words", "Description", "", "For those who sell"),
            ("Words", "Deals: name", "Sales", "Deals"),
        ]

    def test_one_plan_and_another(self, shop: Shop, aud: Account) -> None:
        response = as_(aud).get(address("sales-premium", **{"with": "sales-essentials"}))
        assert "From Sales Essentials, v1 (live), to Sales Premium, v1 (live)" in response.text
        assert ("Added", "Quotes", "", "Included") in lines(response)
        assert ("Terms", "Tier", "essentials", "premium") in lines(response)

    def test_a_version_with_itself_says_the_same(self, shop: Shop, aud: Account) -> None:
        assert "They say the same." in as_(aud).get(address("common")).text

    def test_a_draft_with_faults_tells_them_instead(self, shop: Shop, aud: Account) -> None:
        shop.draft(shop.sales_premium, changelog="", extra_modules=["t1"])
        response = as_(aud).get(address("sales-premium"))
        assert "has faults, so nobody knows yet what it comes to" in response.text
        assert "Say in one line what is new in this version." in response.text
        assert "CSV" not in response.text
        assert as_(aud).get(address("sales-premium", format="csv"))["Content-Type"].startswith("text/html")

    def test_a_plan_without_versions_says_so(self, aud: Account) -> None:
        plan = PlanFactory(name="Sales Ultra")
        assert "There is no version of Sales Ultra yet." in as_(aud).get(address(plan.code)).text
        assert as_(aud).get(address("nonsense")).status_code == 404

    def test_what_was_called_off_says_so(self, premium: Shop, aud: Account) -> None:
        version = Version.objects.get(offer=premium.sales_premium, number=2)
        publishing.retire(version=version, actor=SYSTEM, at=NOON)
        response = as_(aud).get(address("sales-premium", **{"from": "1"}))
        assert [choice.stage for choice in response.context["comparison"].to_choices] == ["retired", "live"]


class TestWhatIsLeftOfIt:
    def test_one_kind(self, premium: Shop, aud: Account) -> None:
        response = as_(aud).get(address("sales-premium", **{"from": "1", "to": "2", "kind": "lowered"}))
        assert lines(response) == [("Lowered", "Dashboards", "Custom tiles", "Default tiles")]
        assert ("set-out", "Out of set=", 2) in response.context["comparison"].kinds
        unknown = as_(aud).get(address("sales-premium", **{"from": "1", "to": "2", "kind": "nonsense"}))
        assert len(lines(unknown)) == 8

    def test_words_anywhere_in_a_line(self, premium: Shop, aud: Account) -> None:
        for words, count in (("QUOTE", 4), ("900", 1), ("features.dash", 1), ("nothing like it", 0)):
            response = as_(aud).get(address("sales-premium", **{"from": "1", "to": "2", "q": words}))
            assert len(lines(response)) == count, words
            assert ("None like that." in response.text) == (count == 0)

    def test_in_pages(self, shop: Shop, aud: Account) -> None:
        features = [FeatureFactory(code=f"more-{n:03}") for n in range(130)]
        shop.draft(shop.sales_premium, grants={feature.code: True for feature in features}, extra_modules=["user"])
        response = as_(aud).get(address("sales-premium", kind="added"))
        assert len(lines(response)) == 100
        assert "1–100 of 130 differences" in response.text
        response = as_(aud).get(address("sales-premium", kind="added", page="2"))
        assert [line[1] for line in lines(response)][-1] == "More 129"

    def test_as_csv(self, premium: Shop, aud: Account) -> None:
        response = as_(aud).get(address("sales-premium", **{"from": "1", "to": "2", "kind": "raised", "format": "csv"}))
        assert response["Content-Disposition"] == 'attachment; filename="sales-premium-1-sales-premium-2.csv"'
        assert rows(response) == [
            ["Kind", "What", "Path", "Before", "After"],
            ["Raised", "Email limit", "features.email-limit", "500 recipients", "900 recipients"],
        ]

    def test_no_formula_leaves_in_a_csv(self, shop: Shop, aud: Account) -> None:
        draft = shop.draft(shop.common, grants={"email-limit": 900}, changelog="=HYPERLINK(1)")
        assert rows(as_(aud).get(address("common", q="changelog", format="csv")))[1] == [
            "Words",
            "Changelog",
            "changelog",
            "What is new.",
            "'=HYPERLINK(1)",
        ]
        assert draft.number is None


class TestWhatItCosts:
    def test_as_many_questions_for_many_versions_and_differences(self, shop: Shop, aud: Account) -> None:
        client = as_(aud)

        def queries(**asked: str) -> int:
            client.get(address("common", **asked))
            with CaptureQueriesContext(connection) as captured:
                client.get(address("common", **asked))
            return len(captured)

        shop.publish(shop.common, grants={"email-limit": 900})
        few = queries(**{"from": "1", "to": "2"})
        features = {FeatureFactory(code=f"more-{n}").code: True for n in range(40)}
        for limit in (1, 2, 3):
            shop.publish(shop.common, grants={"email-limit": limit} | features)
        assert queries(**{"from": "1", "to": "5"}) == few

    def test_no_content_is_read_but_that_of_the_two(self, premium: Shop, aud: Account) -> None:
        client = as_(aud)
        with CaptureQueriesContext(connection) as captured:
            client.get(address("sales-premium", **{"from": "1", "to": "2"}))
        reading = [query["sql"] for query in captured if '"catalog_version"."content"' in query["sql"]]
        assert len(reading) == 2, reading

    def test_who_has_no_business_there_is_sent_away(self, shop: Shop, kari: Account) -> None:
        assert as_(kari).get(address("common")).status_code in {302, 403}
