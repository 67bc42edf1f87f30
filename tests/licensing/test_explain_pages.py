"""The pages that explain, and a user's timeline: who opens them, what they say, what they cost. Rules W-4 to W-7.

Fjordlys has bought two Sales Premium and one Service Premium; Ola holds both. Kari administers it, Vera may look.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from customers.actor import SYSTEM
from customers.models import Membership
from licensing.facts import Mode
from licensing.portal.instants import InstantField, for_input, spelled
from licensing.services.erasing import erase_user
from licensing.services.people import edit_user
from licensing.services.subscriptions import cancel_subscription
from tests.licensing.market import Market, Town, hours
from tests.licensing.test_periods import override
from tests.licensing.test_portal import member, visitor

EXPLAIN, TIMELINE = "/portal/fjordlys/explain/", "/portal/fjordlys/users/ola/timeline/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=2, service_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", "ten-service-premium", at=hours(2), reason="First team")
    return town


@pytest.fixture
def kari(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.ADMIN, "Kari Nordmann")


@pytest.fixture
def vera(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.VIEWER, "Vera Vik")


def asks(client: Client, page: str = EXPLAIN, **asked: str) -> Any:
    return client.get(page, asked)


# ── Who may open them ───────────────────────────────────────────────────────
@pytest.mark.parametrize("page", [EXPLAIN, TIMELINE])
def test_members_may_and_strangers_may_not_know(page: str, kari: Client, vera: Client) -> None:
    for client in (kari, vera, visitor(roles=["customer_success"])):
        assert client.get(page).status_code == 200
    assert member(Town("nordvik", []), Membership.Role.ADMIN, "Nils").get(page).status_code == 404
    assert Client().get(page).status_code == 302


def test_who_may_not_explain_or_see_seats_is_refused(fjordlys: Town) -> None:
    publisher, pia = visitor(roles=["publisher"]), visitor(roles=["product_manager"])
    assert [publisher.get(EXPLAIN).status_code, pia.get(EXPLAIN).status_code] == [403, 200]
    assert [publisher.get(TIMELINE).status_code, pia.get(TIMELINE).status_code] == [403, 403]


def test_users_of_other_customers_are_not_found(kari: Client) -> None:
    Town("nordvik", ["nora"])
    assert "Nobody matches" in asks(kari, user="nora").text
    assert kari.get("/portal/fjordlys/users/nora/timeline/").status_code == 404


def test_they_are_found_from_the_other_pages(kari: Client) -> None:
    assert EXPLAIN in kari.get("/portal/fjordlys/").text
    ola = kari.get("/portal/fjordlys/users/ola/").text
    assert f"{EXPLAIN}?user=ola" in ola
    assert TIMELINE in ola
    assert EXPLAIN in visitor(roles=["customer_success"]).get("/portal/").text
    assert EXPLAIN not in visitor(roles=["publisher"]).get("/portal/").text


# ── Asking ──────────────────────────────────────────────────────────────────
def test_every_known_feature_can_be_asked_for_with_its_answer_at_hand(kari: Client) -> None:
    lines = {line.feature.code: line for line in asks(kari, user="OLA").context["inquiry"].page}
    assert (lines["quotes"].access, lines["quotes"].value) == ("edit", "Included")
    assert (lines["storage"].access, lines["storage"].value) == ("none", "Not there")
    assert "feature=storage" in lines["storage"].address
    assert asks(kari, user="ola", feature="storage").context["inquiry"].explained.access == "none"


def test_part_of_a_name_offers_what_matches_and_one_match_is_taken(kari: Client) -> None:
    several = asks(kari, user="a").context["inquiry"]  # ola and ida
    assert {person.code for person, _ in several.offered_users} == {"ola", "ida"}
    assert several.explained is None
    found = asks(kari, user="Ol", feature="quot").context["inquiry"]
    assert (found.user.code, found.feature.code) == ("ola", "quotes")
    assert "No feature matches" in asks(kari, feature="teleport").text


def test_without_a_user_the_customer_as_a_whole_answers(kari: Client) -> None:
    told = asks(kari, feature="quotes").context["inquiry"].explained
    assert (told.user, told.access, told.because) == (None, "edit", "Included, from sales-premium.")


def test_one_more_of_an_add_on_is_offered(kari: Client, fjordlys: Town) -> None:
    fjordlys.buys(storage=1, at=hours(3))
    (way,) = asks(kari, feature="storage").context["inquiry"].explained.ways
    assert (way["label"], way["answer"]) == ("One more", "200 GB")


@pytest.mark.parametrize(
    "asked",
    [
        {"user": "o\0la", "feature": "quo\0tes", "at": "2026\0"},
        {"at": "0001-01-01T00:00+14:00", "feature": "quotes"},
        {"at": "9999-12-31T23:59-12:00", "feature": "quotes"},
        {"at": "yesterday", "feature": "quotes"},
        {"user": "x" * 500, "feature": "y" * 500},
        {"page": "minus one"},
    ],
)
def test_nonsense_is_told_beside_its_field_or_finds_nothing(asked: dict[str, str], kari: Client) -> None:
    assert kari.get(EXPLAIN, asked).status_code == 200


# ── The answer ──────────────────────────────────────────────────────────────
def test_the_answer_says_why_from_what_and_by_whom(kari: Client) -> None:
    page = asks(kari, user="ola", feature="quotes")
    told = page.context["inquiry"].explained
    assert [(s["code"], s["version"], s["outcome"]) for s in told.sources] == [("sales-premium", 1, "counts")]
    assert "First team" in page.text
    assert told.changed["before"] == "To look at only"
    assert told.changed["causes"][0]["seats_gained"] == ["Ten Sales Premium", "Ten Service Premium"]
    ida = asks(kari, user="ida", feature="quotes")
    assert "1 of 2 free" in ida.text
    assert "superoffice.ten-sales-premium" not in ida.text, "people read names, not licence names"


def test_a_past_date_tells_what_was_then(kari: Client, fjordlys: Town) -> None:
    fjordlys.takes("ola", "ten-sales-premium", at=hours(5))
    for at, access in ((hours(1.5), "view"), (hours(3), "edit"), (hours(6), "view")):
        told = asks(kari, user="ola", feature="quotes", at=spelled(at)).context["inquiry"].explained
        assert (told.access, told.at) == (access, at)
    early = asks(kari, user="ola", feature="quotes", at="2001-01-01T00:00")
    assert "not recorded" in early.text
    assert "Nothing is recorded for that time." in asks(kari, user="ola", at="2001-01-01T00:00").text


def test_the_future_is_told_as_derived(kari: Client, fjordlys: Town) -> None:
    cancel_subscription(customer=fjordlys.customer, actor=SYSTEM, at=hours(3))
    told = asks(kari, user="ola", feature="quotes", at="2040-01-01T00:00").context["inquiry"].explained
    assert (told.access, "has stopped" in told.because) == ("view", True)


def test_the_text_for_a_ticket_names_all_and_its_link_leads_to_the_same_answer(kari: Client, fjordlys: Town) -> None:
    text = asks(kari, user="ola", feature="quotes", at=spelled(hours(3))).context["inquiry"].text
    lines = text.splitlines()
    assert lines[:6] == [
        "Customer: Fjordlys AS (fjordlys)",
        "User: Ola (ola)",
        "Feature: Quotes (quotes)",
        f"At: {spelled(hours(3))}, revision {fjordlys.revision()}",
        "Answer: edit. Included",
        "Why: Included, from sales-premium.",
    ]
    assert "- Change set 1 by system: + Ten Sales Premium, + Ten Service Premium. First team" in lines
    assert lines[-1].startswith("Link: http://testserver/portal/fjordlys/explain/?user=ola&feature=quotes&at=")
    again = kari.get(lines[-1].removeprefix("Link: http://testserver"))
    assert again.context["inquiry"].text == text
    assert unescape(again.text).find("Customer: Fjordlys AS (fjordlys)") > 0, "selectable without a script"


def test_who_did_it_is_for_those_who_may_read_the_trail(kari: Client, vera: Client, fjordlys: Town) -> None:
    edit_user(customer=fjordlys.customer, actor=SYSTEM, user=fjordlys.users["ola"], can_log_in=False, reason="Secret")
    assert "Secret" in kari.get(TIMELINE).text
    seen = vera.get(TIMELINE).context["timeline"].page
    events = [event.happening for step in seen for event in step.events]
    (event,) = [each for each in events if each.kind == "user" and "log in" in each.words]
    assert (event.actor, event.reason) == ("", "")


def test_explaining_costs_the_same_whatever_happened(
    kari: Client, fjordlys: Town, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(3, 30):
        fjordlys.takes("ola", "ten-service-premium", at=hours(n))
        fjordlys.gives("ola", "ten-service-premium", at=hours(n + 0.5))
    kari.get(EXPLAIN)
    with django_assert_num_queries(24):
        # session, account, roles, memberships; customer; user; feature, its choices; names of modules; revision; and
        # the 14 of explaining: packages, rows, overrides, period; on sale; seats; user periods, holding periods, sets;
        # trail, seats, overrides, packages; revision of the change
        asks(kari, user="ola", feature="quotes")
    with django_assert_num_queries(12):
        # session, account, roles, memberships; customer; user; user periods, holding periods, set; features counted,
        # listed, their choices
        asks(kari, user="ola")


# ── The timeline ────────────────────────────────────────────────────────────
def steps(client: Client, **asked: str) -> list[Any]:
    return list(client.get(TIMELINE, asked).context["timeline"].page)


def test_it_tells_what_happened_newest_first_and_what_was_gained_and_lost(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-premium", at=hours(2.5))  # holds it: nothing happens
    fjordlys.takes("ola", "ten-service-premium", at=hours(3))
    override(fjordlys, Mode.SET, feature="storage", value=5, user=fjordlys.users["ola"], at=hours(4), ends_at=hours(8))
    edit_user(customer=fjordlys.customer, actor=SYSTEM, user=fjordlys.users["ola"], name="Ola Ås", at=hours(5))
    edit_user(
        customer=fjordlys.customer, actor=SYSTEM, user=fjordlys.users["ola"], is_former_employee=True, at=hours(6)
    )

    told = steps(kari)

    assert [step.at for step in told[:-1]] == [hours(n) for n in (8, 6, 5, 4, 3, 2, 1)]
    words = [[event.happening.words for event in step.events] for step in told]
    assert words[1] == ["Change set 3", "Became a former employee"]
    assert words[2] == ["Edited: name"]
    assert words[4] == ["Change set 2"]
    sold = "Ten Sales Premium v1 added, Ten Service Premium v1 added"
    assert words[6] == [f"Package SUPEROFFICE #1 came into force: {sold}"]
    assert words[7] == ["Created"]
    turns = [{turns.turn.value: [(t.name, t.words) for t in turns.told] for turns in step.turns} for step in told]
    assert turns[2] == {}
    assert turns[3] == {"gained": [("Storage", "5 GB")]}
    assert ("Escalations", "Included → To look at only") in turns[4]["changed"]
    assert "Storage" in {name for name, _ in turns[1]["lost"]}
    assert told[1].events[0].lost == ["Ten Sales Premium"]


def test_an_erased_person_keeps_a_timeline_that_names_nobody(kari: Client, fjordlys: Town) -> None:
    erased = erase_user(
        customer=fjordlys.customer, actor=SYSTEM, user=fjordlys.users["ola"], confirm="ola", at=hours(5)
    )
    page = kari.get(f"/portal/fjordlys/users/{erased.user.code}/timeline/")
    words = [event.happening.words for event in page.context["timeline"].page[0].events]
    assert words == ["Change set 2", "Erased"]
    assert "Ola" not in page.text


def test_each_step_leads_to_the_answer_of_that_instant(kari: Client, fjordlys: Town) -> None:
    (step,) = [step for step in steps(kari) if step.at == hours(2)]
    (quotes,) = [told for turns in step.turns for told in turns.told if told.name == "Quotes"]
    told = kari.get(quotes.address).context["inquiry"].explained
    assert (told.user.code, told.code, told.at, told.access) == ("ola", "quotes", hours(2), "edit")
    assert step.events[0].happening.change_set == 1
    for page in (TIMELINE, quotes.address):
        assert 'href="/portal/fjordlys/changes/1/">Change set 1</a>' in kari.get(page).text
    pia = visitor(roles=["product_manager"])
    assert "/changes/1/" not in pia.get(quotes.address).text, "nobody's seats are for her"
    assert kari.get(step.address).context["inquiry"].at == hours(2)


def test_what_is_to_come_is_marked(kari: Client, fjordlys: Town) -> None:
    cancel_subscription(customer=fjordlys.customer, actor=SYSTEM)
    coming = [step for step in steps(kari) if step.is_coming]
    assert any("has stopped" in event.happening.words for step in coming for event in step.events)
    assert "to come" in kari.get(TIMELINE).text


def test_it_has_pages_and_constant_queries(
    kari: Client, fjordlys: Town, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(3, 30):
        fjordlys.takes("ola", "ten-service-premium", at=hours(n))
        fjordlys.gives("ola", "ten-service-premium", at=hours(n + 0.5))
    assert len(steps(kari)) == 20
    with django_assert_num_queries(19):
        # session, account, roles, memberships; customer; user; user periods, holding periods; seats, trail and
        # overrides of the user; sets; features, choices; trail, seats, overrides, packages of those instants;
        # names of modules (no package came into force on this page)
        kari.get(TIMELINE)
    last = steps(kari, page="3")
    assert last[-1].events[0].happening.words == "Created"


# ── Instants ────────────────────────────────────────────────────────────────
def test_instants_come_back_as_they_were_spelled() -> None:
    at = datetime(2026, 3, 1, 8, 0, 0, 123456, UTC)
    field = InstantField()
    assert field.clean(spelled(at)) == at
    assert field.clean("2026-03-01T08:00") == at.replace(microsecond=0)
    assert field.clean("2026-03-01T10:00:00.123456 02:00") == at, "a plus sign that arrived as a space"
    assert for_input(at) == "2026-03-01T08:00:00.124", "never before it"
    assert for_input(at.replace(microsecond=0)) == "2026-03-01T08:00:00"
    assert field.clean(for_input(at)) - at < timedelta(milliseconds=1)
    assert for_input(datetime.max.replace(tzinfo=UTC))


def test_before_anything_is_bought(market: Market) -> None:
    kari = member(Town("nordvik", ["nora"]), Membership.Role.ADMIN, "Kari")
    page = kari.get("/portal/nordvik/explain/", {"user": "nora", "feature": "quotes"})
    assert "On sale" in page.text
    assert kari.get("/portal/nordvik/users/nora/timeline/").status_code == 200
