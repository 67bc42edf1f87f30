"""Anybody compares the plans: now, on a day that is over, on a day to come; as a page, and as data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.contrib.messages.storage.cookie import MessageEncoder
from django.contrib.messages.storage.session import SessionStorage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from catalog.models import Offer, Solution, Version
from catalog.services import publishing
from catalog.views.plans import forget_drawn
from customers.actor import SYSTEM
from customers.models import Account, Customer
from tests.catalog.visiting import as_
from tests.factories.catalog import AddOnFactory, PlanFactory, Shop, TierFactory
from tests.factories.customers import MembershipFactory

PAGE = "/plans/"
TODAY = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
OFFERED = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)  # when the shop published its plans


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(TODAY, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def _nothing_drawn_yet() -> None:
    forget_drawn()


@pytest.fixture
def visitor(shop: Shop) -> Client:
    return Client()


def names(answer: Any) -> list[str]:
    return [plan.name for plan in answer.context["found"].chosen]


def row(answer: Any, name: str) -> list[str]:
    """Returns the cells of a feature as somebody reads them in the HTML."""
    for _, rows in answer.context["groups"]:
        for each, cells in rows:
            if each.name == name:
                drawn = re.sub(r'<svg[^>]*aria-label="([^"]*)".*?</svg>', r"\1", cells)
                drawn = re.sub(r'<span[^>]*aria-hidden="true">.*?</span>', "", drawn)
                return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", drawn)]
    raise LookupError(name)


def data(client: Client, query: str = "") -> Any:
    answer = client.get(f"{PAGE}?format=json{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def combined(shop: Shop) -> Any:
    plan = PlanFactory(code="both", name="Both", solutions=("sales", "service"), tier=TierFactory(code="premium"))
    shop.publish(plan, includes=("sales-premium", "service-essentials"), grants={"dashboards": "custom-tiles"})
    return plan


def chat(shop: Shop, **says: Any) -> Any:
    add_on = AddOnFactory(code="chat", name="Chat")
    shop.publish(add_on, **{"grants": {"email-limit": 1000}, "max_quantity": 3, **says})
    return add_on


# ── What is side by side ────────────────────────────────────────────────────
def test_plans_stand_by_solution_and_tier_with_their_values_in_words(visitor: Client) -> None:
    answer = visitor.get(PAGE)
    assert answer.status_code == 200
    assert names(answer) == ["Sales Essentials", "Sales Premium", "Service Essentials"]
    assert row(answer, "Sales") == ["Included", "Included", "Not included"]
    assert row(answer, "Email limit") == ["500 recipients"] * 3
    assert row(answer, "Dashboards") == ["Default tiles", "Custom tiles", "Default charts"]
    assert [name for name, _ in answer.context["groups"]] == ["Reporting", "Email", "Work"]
    assert "Common" not in answer.text  # not for sale


def test_a_combined_plan_comes_last_and_begins_a_part_of_its_own(shop: Shop, visitor: Client) -> None:
    combined(shop)
    answer = visitor.get(PAGE)
    assert names(answer)[-1] == "Both"
    assert [is_first for _, is_first in answer.context["plans"]] == [False, False, True, True]


def test_a_plan_tells_its_version_since_when_and_what_is_new(shop: Shop, visitor: Client) -> None:
    says = {"grants": {"quotes": True}, "includes": ("sales-essentials",), "changelog": "Quotes for <everybody>."}
    shop.publish(shop.sales_premium, at=datetime(2026, 2, 1, tzinfo=UTC), **says)
    page = re.sub(r"\s+", " ", re.sub(r"<(?!everybody)[^>]+>", "", visitor.get(PAGE).text))
    assert "v2, since 1 Feb 2026" in page
    assert "Quotes for &lt;everybody&gt;." in page


def test_an_add_on_tells_what_it_adds_for_whom_and_what_it_asks_for(shop: Shop, visitor: Client) -> None:
    chat(shop, needs=["sales-essentials"], excludes=["service-essentials"])
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", visitor.get(PAGE).text))
    for told in (
        "Chat Whole site Email limit 1,000 recipients",
        "At most 3 for each customer.",
        "Needs Sales Essentials.",
        "Not together with Service Essentials.",
    ):
        assert told in text


@pytest.mark.parametrize("what", ["for_sale", "retired"])
def test_what_is_no_longer_sold_is_gone(shop: Shop, visitor: Client, what: str) -> None:
    if what == "for_sale":
        Offer.objects.filter(code="sales-premium").update(for_sale=False)
    else:
        version = Version.objects.get(offer__code="sales-premium")
        publishing.retire(version=version, actor=SYSTEM, at=TODAY)
    assert names(visitor.get(PAGE)) == ["Sales Essentials", "Service Essentials"]


# ── Filters ─────────────────────────────────────────────────────────────────
def test_a_solution_narrows_the_plans(shop: Shop, visitor: Client) -> None:
    combined(shop)
    assert names(visitor.get(PAGE, {"solution": "service"})) == ["Service Essentials", "Both"]


def test_plans_are_picked_and_add_ons_marked(shop: Shop, visitor: Client) -> None:
    chat(shop)
    answer = visitor.get(PAGE, {"show": ["sales-premium", "CHAT"]})
    assert names(answer) == ["Sales Premium"]
    assert [add_on["is_marked"] for add_on in answer.context["add_ons"]] == [True]
    assert '<a href="#chat">Chat</a>' in answer.text


def test_only_differences_says_how_many_rows_it_hides(visitor: Client) -> None:
    answer = visitor.get(PAGE, {"differences": "1", "show": ["sales-essentials", "sales-premium"]})
    rows = [each.name for _, rows in answer.context["groups"] for each, _ in rows]
    assert rows == ["Dashboards", "Quotes"]
    assert "2 features, 2 the same and hidden" in re.sub(r"\s+", " ", answer.text)


def test_one_plan_alone_is_shown_in_full(visitor: Client) -> None:
    answer = visitor.get(PAGE, {"differences": "1", "show": "sales-essentials"})
    assert answer.context["found"].table.shown == 3
    assert "One plan alone has nothing to differ from" in answer.text


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"on": "yesterday"}, "“yesterday” is not a date. Write year, month and day, like 2026-03-04."),
        ({"on": "2026-02-30"}, "“2026-02-30” is not a date."),
        ({"on": "<b>" + "9" * 5000}, "“&lt;b&gt;9999"),
        ({"solution": "marketing"}, "No plan on offer covers “marketing”. These are all plans."),
        ({"solution": "\x00"}, "No plan on offer covers"),
        ({"show": ["x", "sales-premium"]}, "Not on offer then: x."),
        ({"show": "sales-premium", "solution": "service"}, "None of the plans you ticked covers that solution"),
        ({"on": "9999-12-31"}, "What will be on offer at the end of 31 Dec 9999 (UTC)"),
        ({"on": "0001-01-01"}, "No plan was on offer on 1 Jan 0001"),
    ],
)
def test_nonsense_gets_a_sentence(visitor: Client, asked: dict[str, Any], told: str) -> None:
    answer = visitor.get(PAGE, asked)
    assert answer.status_code == 200
    assert told in answer.text


# ── Other days ──────────────────────────────────────────────────────────────
def test_a_day_shows_what_was_on_offer_at_its_end(shop: Shop, visitor: Client) -> None:
    """Versions published later don't count, those retired since do, and midnight belongs to the next day."""
    says = {"includes": ("sales-essentials",), "grants": {"quotes": True, "email-limit": 900}}
    midnight = datetime(2026, 2, 1, tzinfo=UTC)
    second = shop.publish(shop.sales_premium, at=midnight, **says)
    gone = Version.objects.get(offer__code="service-essentials")
    publishing.retire(version=gone, actor=SYSTEM, at=midnight)

    before = visitor.get(PAGE, {"on": "2026-01-31"})
    assert names(before) == ["Sales Essentials", "Sales Premium", "Service Essentials"]
    assert row(before, "Email limit") == ["500 recipients"] * 3
    assert "What was on offer at the end of 31 Jan 2026 (UTC)." in before.text

    after = visitor.get(PAGE, {"on": "2026-02-01"})
    assert names(after) == ["Sales Essentials", "Sales Premium"]
    assert row(after, "Email limit") == ["500 recipients", "900 recipients"]
    assert second.number == 2


def test_a_retired_version_gives_way_to_the_one_before(shop: Shop, visitor: Client) -> None:
    """As new sales do: the newest version that is not retired."""
    says = {"includes": ("sales-essentials",), "grants": {"email-limit": 900}}
    second = shop.publish(shop.sales_premium, **says)
    publishing.retire(version=second, actor=SYSTEM, at=TODAY)
    assert row(visitor.get(PAGE), "Email limit") == ["500 recipients"] * 3
    yesterday = visitor.get(PAGE, {"on": "2026-03-03"})
    assert row(yesterday, "Email limit") == ["500 recipients", "900 recipients", "500 recipients"]


def test_today_shows_what_is_live_and_a_day_to_come_what_is_scheduled(shop: Shop, visitor: Client) -> None:
    soon = TODAY + timedelta(hours=3)
    shop.publish(shop.service_essentials, grants={"requests": True}, effective_from=soon)
    assert visitor.get(PAGE).context["found"].chosen[-1].head.number == 1
    by_tonight = visitor.get(PAGE, {"on": "2026-03-04"})
    assert by_tonight.context["found"].chosen[-1].head.number == 2
    assert "What will be on offer at the end of 4 Mar 2026 (UTC), as scheduled now." in by_tonight.text
    assert visitor.get(PAGE, {"on": "2026-03-03"}).context["found"].chosen[-1].head.number == 1


def test_now_is_what_the_api_sells(shop: Shop, visitor: Client) -> None:
    """The same versions as `live`, whatever was retired or scheduled."""
    shop.publish(shop.sales_premium, grants={"quotes": True}, effective_from=TODAY + timedelta(days=1))
    publishing.retire(version=Version.objects.get(offer__code="service-essentials"), actor=SYSTEM, at=TODAY)
    live = Version.objects.live(TODAY).filter(offer__for_sale=True).values_list("pk", flat=True)
    assert {head.pk for head in visitor.get(PAGE).context["offering"].heads} == set(live)


def test_before_the_first_plan_the_page_says_from_when_there_is_something(visitor: Client) -> None:
    answer = visitor.get(PAGE, {"on": "2026-01-04", "solution": "sales"})
    assert "No plan was on offer on 4 Jan 2026" in answer.text
    assert '<a href="?on=2026-01-05">5 Jan 2026</a>' in answer.text
    assert answer.context["question"].errors == {}
    assert data(visitor, "&on=2026-01-04&solution=sales")["plans"] == []


def test_when_everything_is_retired(shop: Shop, visitor: Client) -> None:
    for version in Version.objects.all():
        publishing.retire(version=version, actor=SYSTEM, at=TODAY)
    assert "No plan is on offer any more" in visitor.get(PAGE).text


def test_with_nothing_for_sale_the_page_says_so(visitor: Client) -> None:
    Offer.objects.update(for_sale=False)
    assert "No plan is on offer yet" in visitor.get(PAGE).text


# ── As data ─────────────────────────────────────────────────────────────────
def test_the_same_as_data(shop: Shop, visitor: Client) -> None:
    chat(shop)
    told = data(visitor, "&show=sales-essentials&show=service-essentials&show=x&differences=1")
    assert (told["on"], told["solution"], told["hidden"], told["not_on_offer"]) == ("2026-03-04", None, 1, ["x"])
    assert told["solutions"] == [{"code": "sales", "name": "Sales"}, {"code": "service", "name": "Service"}]
    assert told["plans"][1] == {
        "code": "service-essentials",
        "name": "Service Essentials",
        "description": "",
        "version": 1,
        "since": "2026-01-05",
        "changelog": "What is new.",
        "solutions": ["service"],
        "tier": "essentials",
    }
    assert [group["code"] for group in told["groups"]] == ["reporting", "work"]
    assert told["groups"][1]["features"][0] == {
        "code": "sales",
        "name": "Sales",
        "description": "",
        "kind": "switch",
        "counts": "",
        "differs": True,
        "values": {"sales-essentials": {"value": True, "text": "Included"}, "service-essentials": None},
    }
    assert told["add_ons"] == [
        {
            "code": "chat",
            "name": "Chat",
            "description": "",
            "version": 1,
            "since": "2026-01-05",
            "changelog": "What is new.",
            "scope": "site",
            "needs": [],
            "excludes": [],
            "max_quantity": 3,
            "features": [{"name": "Email limit", "value": 1000, "unlimited": False, "text": "1,000 recipients"}],
        }
    ]


def test_data_that_cannot_be_asked_for_is_refused_field_by_field(visitor: Client) -> None:
    answer = visitor.get(PAGE, {"format": "json", "on": "soon", "solution": "nix"})
    assert answer.status_code == 400
    assert answer.json()["errors"].keys() == {"on", "solution"}
    assert "ETag" not in answer


def test_other_websites_may_fetch_the_data_and_nobody_is_told_apart(visitor: Client, pia: Account) -> None:
    anybody, somebody = (client.get(PAGE, {"format": "json"}) for client in (visitor, as_(pia)))
    assert anybody["Access-Control-Allow-Origin"] == "*"
    assert anybody["Cache-Control"] == "public, max-age=60"
    assert "Cookie" not in anybody.get("Vary", "")
    assert (somebody.content, somebody["ETag"]) == (anybody.content, anybody["ETag"])


# ── Asked for again ─────────────────────────────────────────────────────────
@pytest.mark.parametrize("query", ["", "?format=json", "?differences=1&on=2026-02-01"])
def test_who_has_it_already_is_told_so_without_reading_contents(
    visitor: Client, query: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = visitor.get(PAGE + query)
    with django_assert_num_queries(3):  # versions on offer, solutions, tiers
        again = visitor.get(PAGE + query, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert again["Cache-Control"] == first["Cache-Control"] == "public, max-age=60"


def publish_something(shop: Shop) -> None:
    shop.publish(shop.sales_premium, grants={"quotes": True}, at=TODAY)


def retire_something(shop: Shop) -> None:
    publishing.retire(version=Version.objects.get(offer__code="sales-premium"), actor=SYSTEM, at=TODAY)


def rename_a_solution(shop: Shop) -> None:
    Solution.objects.filter(code="sales").update(name="Selling")


def move_a_plan(shop: Shop) -> None:
    Offer.objects.filter(code="sales-premium").update(position=9)


def take_something_off_sale(shop: Shop) -> None:
    Offer.objects.filter(code="sales-premium").update(for_sale=False)


@pytest.mark.parametrize(
    "change", [publish_something, retire_something, rename_a_solution, move_a_plan, take_something_off_sale]
)
@pytest.mark.parametrize("query", ["", "?format=json"])
def test_whatever_changes_the_answer_changes_its_tag(shop: Shop, visitor: Client, change: Any, query: str) -> None:
    before = visitor.get(PAGE + query)
    change(shop)
    after = visitor.get(PAGE + query, headers={"If-None-Match": before["ETag"]})
    assert after.status_code == 200
    assert after["ETag"] != before["ETag"]


def test_tomorrow_it_is_another_page(visitor: Client, clock: time_machine.Traveller) -> None:
    tag = visitor.get(PAGE)["ETag"]
    clock.move_to(TODAY + timedelta(days=1))
    assert visitor.get(PAGE, headers={"If-None-Match": tag}).status_code == 200


def test_a_page_with_a_name_on_it_is_private(visitor: Client, pia: Account, paul: Account) -> None:
    hers = as_(pia).get(PAGE)
    assert set(hers["Cache-Control"].split(", ")) == {"private", "no-cache"}
    assert "Cookie" in hers["Vary"]
    assert "Pia" in hers.text
    assert as_(pia).get(PAGE, headers={"If-None-Match": hers["ETag"]}).status_code == 304
    for other in (visitor, as_(paul)):
        answer = other.get(PAGE, headers={"If-None-Match": hers["ETag"]})
        assert answer.status_code == 200
        assert "Pia" not in answer.text
    assert "Cookie" in visitor.get(PAGE)["Vary"]


def test_a_new_role_is_a_new_page(shop: Shop, kari: Account, nordvik: Customer) -> None:
    tag = as_(kari).get(PAGE)["ETag"]
    MembershipFactory(account=kari, customer=nordvik)
    assert as_(kari).get(PAGE, headers={"If-None-Match": tag}).status_code == 200


def test_a_message_is_said_once_and_kept_by_nobody(shop: Shop, pia: Account, settings: Any) -> None:
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
    client = as_(pia)
    session = client.session
    said = Message(messages.SUCCESS, "Your password is changed.")
    session[SessionStorage.session_key] = MessageEncoder().encode([said])
    session.save()
    told = client.get(PAGE)
    assert "Your password is changed." in told.text
    assert "no-store" in told["Cache-Control"]
    assert "ETag" not in told
    assert "Your password is changed." not in client.get(PAGE).text


# ── How much is read ────────────────────────────────────────────────────────
@pytest.mark.parametrize("query", ["", "?format=json", "?on=2026-01-01", "?solution=sales&differences=1"])
def test_few_queries(visitor: Client, query: str) -> None:
    """Versions on offer, solutions, tiers; the names of what is on offer, contents; or since when there is any."""
    with CaptureQueriesContext(connection) as asked:
        visitor.get(PAGE + query)
    assert len(asked) <= 6


def test_as_many_queries_for_many_plans_as_for_few(shop: Shop, visitor: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            visitor.get(PAGE)
        return len(asked)

    few = queries()
    for number in range(12):
        plan = PlanFactory(code=f"more-{number}")
        shop.publish(plan, includes=("common",), grants={"sales": True})
    assert queries() == few == 5
    with CaptureQueriesContext(connection) as again:
        visitor.get(PAGE)
    assert len(again) == 3  # what was drawn a moment ago is sent again


def test_licence_names_are_neither_read_nor_told(visitor: Client) -> None:
    with CaptureQueriesContext(connection) as asked:
        answer = visitor.get(PAGE, {"format": "json"})
    assert "modules" not in " ".join(query["sql"] for query in asked)
    assert "ten-sales" not in answer.content.decode()
