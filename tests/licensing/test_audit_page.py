"""The audit trail as a page: who reads which part of it, how it is narrowed, and that it stays quick. Rules T-3, T-4.

Pia edits the catalog, Cara looks after customers, Kari administers Fjordlys and Nils Nordvik; Aud reads everything.
"""

from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.services import drafting, editing
from customers.actor import SYSTEM, Actor
from customers.audit import Event, kinds_recorded, record, record_all
from customers.models import Account, AuditEvent, Membership
from customers.services import accounts
from licensing.facts import Mode
from licensing.portal import audit as audit_page
from licensing.services.overrides import grant_override
from licensing.services.people import edit_user
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Market, Town, hours


def as_(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


def member(town: Town, role: str, name: str) -> Account:
    account: Account = AccountFactory(name=name)
    MembershipFactory(customer=town.customer, account=account, role=role)
    return account


@pytest.fixture
def world(market: Market, pia: Account, cara: Account) -> dict[str, Town]:
    """Pia has begun a draft and renamed a feature; Cara sold to Fjordlys and Nordvik, and gave Ola a plan."""
    by_pia, by_cara = Actor(account=pia), Actor(account=cara)
    drafting.draft_from(offer=market.sales_premium, actor=by_pia, at=hours(1))
    feature = market.sales_premium.versions.last().grants.get(feature__code="quotes").feature
    feature.name = "Quotes & offers"
    editing.save_row(row=feature, actor=by_pia, at=hours(2))
    towns = {code: Town(code, actor=by_cara) for code in ("fjordlys", "nordvik")}
    for town in towns.values():
        town.buys(sales_premium=2, at=hours(3))
    towns["fjordlys"].gives("ola", "ten-sales-premium", at=hours(4), reason="She sells in the north.")
    accounts.create_account(actor=SYSTEM, email="new@planarium.example", name="New", at=hours(5))
    return towns


def events(answer: Any) -> list[AuditEvent]:
    assert answer.status_code == 200
    return list(answer.context["table"].page)


def told(account: Account, **asked: str) -> list[tuple[str, str]]:
    """Returns (action, object) of the events on the first page, the newest first."""
    return [(event.action, event.object_code) for event in events(as_(account).get("/audit/", asked))]


def types(account: Account) -> set[str]:
    return {event.object_type for event in events(as_(account).get("/audit/"))}


# ── Who reads what ──────────────────────────────────────────────────────────
def test_an_auditor_reads_everything(world: dict[str, Town], aud: Account, root: Account) -> None:
    for account in (aud, root):
        answer = as_(account).get("/audit/")
        assert answer.context["table"].page.paginator.count == AuditEvent.objects.count()
        assert "account" in {event.object_type for event in events(as_(account).get("/audit/", {"type": "account"}))}


@pytest.mark.parametrize("role", ["product_manager", "publisher"])
def test_whoever_works_on_plans_reads_of_the_catalog_and_of_contracts_never_of_seats(
    world: dict[str, Town], role: str
) -> None:
    reader = AccountFactory(name="Reader", roles=[role])
    assert types(reader) <= audit_page.CATALOG | {"customer", "user", "subscription", "package", "owner_key"}
    assert told(reader, search="draft.begun pia") == [("draft.begun", "sales-premium")]
    assert told(reader, type="seats") == told(reader)  # not offered, so not asked
    assert told(reader, object="fjordlys/ola") == [("user.created", "fjordlys/ola")]
    assert told(reader, search="new@planarium.example") == []


def test_customer_success_reads_of_customers_and_of_the_catalog(world: dict[str, Town], cara: Account) -> None:
    assert told(cara, object="fjordlys/ola") == [("seats.changed", "fjordlys/ola"), ("user.created", "fjordlys/ola")]
    assert told(cara, search="draft.begun pia") == [("draft.begun", "sales-premium")]


def test_who_administers_a_customer_reads_what_happened_there(world: dict[str, Town]) -> None:
    kari = member(world["fjordlys"], Membership.Role.ADMIN, "Kari Nordmann")
    answer = as_(kari).get("/audit/")
    assert {event.customer for event in events(answer)} == {world["fjordlys"].customer}
    assert "The whole catalog" not in answer.text
    assert "Draft begun" not in answer.text
    assert told(kari, customer="nordvik") == []
    assert told(kari, object="nordvik/ola") == []
    assert told(kari, type="catalog") == told(kari)


def test_nobody_else_reads_any_of_it(world: dict[str, Town]) -> None:
    vera = member(world["fjordlys"], Membership.Role.VIEWER, "Vera Vik")
    for account in (vera, AccountFactory(name="Nobody Yet")):
        assert as_(account).get("/audit/").status_code == 403
        assert as_(account).get("/audit/", {"format": "csv"}).status_code == 403
    assert Client().get("/audit/")["Location"] == "/account/login/?next=/audit/"


def test_every_type_that_services_write_is_readable_by_more_than_auditors(
    world: dict[str, Town], cara: Account
) -> None:
    grant_override(
        customer=world["fjordlys"].customer, actor=SYSTEM, feature="quotes", mode=Mode.DENY, reason="Audit", at=hours(6)
    )
    known = set(kinds_recorded("object_type"))
    assert {"addon", "customer", "feature", "override", "package", "plan", "seats", "subscription", "user"} <= known
    offered = {value for value, _ in as_(cara).get("/audit/").context["search"].fields["type"].choices}
    assert known <= offered


# ── What is told ────────────────────────────────────────────────────────────
def test_a_change_tells_who_when_from_to_and_why(world: dict[str, Town], aud: Account) -> None:
    answer = as_(aud).get("/audit/", {"search": "quotes feature.changed"})
    (event,) = events(answer)
    assert (event.actor, event.at, event.what) == ("Pia Product", hours(2), "Feature changed")
    assert ("Name", "Quotes", "Quotes & offers") in event.told
    assert "Quotes &amp; offers" in answer.text
    (given,) = events(as_(aud).get("/audit/", {"action": "seats.changed"}))
    assert given.reason == "She sells in the north."
    assert ("Seats", "", "superoffice.ten-sales-premium") in given.told


def test_an_object_leads_to_its_page_where_the_visitor_may_open_it(
    world: dict[str, Town], market: Market, aud: Account
) -> None:
    kari = member(world["fjordlys"], Membership.Role.ADMIN, "Kari Nordmann")
    plan = as_(aud).get("/audit/", {"object": "sales-premium"}).text
    assert f'href="/admin/catalog/plan/{market.sales_premium.pk}/change/">sales-premium</a>' in plan
    for account in (aud, kari):
        ola = as_(account).get("/audit/", {"object": "fjordlys/ola"}).text
        assert 'href="/portal/fjordlys/users/ola/">fjordlys/ola</a>' in ola
    gone = Event("plan.deleted", "plan", "long-gone")
    record_all(actor=SYSTEM, events=[gone], at=hours(6))
    assert "long-gone</a>" not in as_(aud).get("/audit/", {"object": "long-gone"}).text


def test_words_of_strangers_are_shown_as_text(world: dict[str, Town], aud: Account) -> None:
    evil = "<script>alert(1)</script>"
    record(
        actor=Actor(account=AccountFactory(name=evil)),
        action="plan.changed",
        object_type="plan",
        object_code=evil,
        changes={evil: [evil, evil], "facts": {evil: evil}},
        reason=evil,
        at=hours(9),
    )
    answer = as_(aud).get("/audit/", {"search": evil})
    assert len(events(answer)) == 1
    assert "<script>alert" not in answer.text


# ── Narrowing it ────────────────────────────────────────────────────────────
def test_it_is_narrowed_by_object_action_person_customer_and_day(
    world: dict[str, Town], aud: Account, pia: Account
) -> None:
    assert set(told(aud, type="subscription")) == {
        ("subscription.started", "fjordlys"),
        ("subscription.started", "nordvik"),
    }
    assert {event.object_type for event in events(as_(aud).get("/audit/", {"type": "catalog"}))} <= audit_page.CATALOG
    assert told(aud, type="user", object="fjordlys/ola")[0] == ("seats.changed", "fjordlys/ola")
    assert told(aud, action="draft.begun", who="pia")[:1] == [("draft.begun", "sales-premium")]
    assert told(aud, who=pia.email) == [("feature.changed", "quotes"), ("draft.begun", "sales-premium")]
    assert told(aud, who="nobody@planarium.example") == []
    assert told(aud, customer="FJORDLYS", action="seats.changed") == [("seats.changed", "fjordlys/ola")]
    assert told(aud, search="north seats") == [("seats.changed", "fjordlys/ola")]
    record(actor=SYSTEM, action="plan.changed", object_type="plan", object_code="late", at=hours(24 * 3))
    assert told(aud, since="2026-01-07") == [("plan.changed", "late")]
    assert told(aud, since="2026-01-08", until="2026-01-08") == [("plan.changed", "late")]
    assert told(aud, since="2026-01-09") == []
    assert ("plan.changed", "late") not in told(aud, until="2026-01-07")


@pytest.mark.parametrize("asked", [{"since": "yesterday"}, {"type": "dragon"}, {"until": "2026-13-01"}])
def test_nonsense_is_said_beside_its_field(world: dict[str, Town], aud: Account, asked: dict[str, str]) -> None:
    answer = as_(aud).get("/audit/", asked)
    assert "field-error" in answer.text
    assert answer.context["table"].page.paginator.count == AuditEvent.objects.count()


def test_odd_questions_are_no_mistake_of_ours(world: dict[str, Town], aud: Account) -> None:
    for asked in ({"search": "\0" * 3}, {"search": "%_'\""}, {"page": "900"}, {"sort": "-nonsense"}, {"who": "@"}):
        assert as_(aud).get("/audit/", asked).status_code == 200


def test_few_events_are_sorted_by_any_column_many_by_time_alone(
    world: dict[str, Town], aud: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    actors = [event.actor for event in events(as_(aud).get("/audit/", {"sort": "who"}))]
    assert actors == sorted(actors)
    assert told(aud, sort="when") == list(reversed(told(aud))) or len(told(aud)) == 50
    monkeypatch.setattr(audit_page, "MOST_COUNTED", 3)
    answer = as_(aud).get("/audit/", {"sort": "who"})
    assert answer.context["table"].sort == "-when"
    assert len(events(answer)) == 3
    assert "More than 3 events" in " ".join(answer.text.split())


# ── CSV ─────────────────────────────────────────────────────────────────────
def download(account: Account, **asked: str) -> list[list[str]]:
    answer = as_(account).get("/audit/", {"format": "csv", **asked})
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(StringIO(text)))


def test_csv_has_every_event_that_the_filters_leave(
    world: dict[str, Town], aud: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_page, "MOST_COUNTED", 1)
    head, *rows = download(aud, type="user", columns="kind", choose="1")
    assert head == ["When", "Kind"]
    assert len(rows) == AuditEvent.objects.filter(object_type__in=["user", "seats"]).count() > 1
    head, *rows = download(aud, action="seats.changed")
    assert head == ["When", "Who", "What", "Object", "Customer", "Was → is", "Why"]
    assert rows == [
        [
            "2026-01-05 16:00:00+00:00",
            "Cara Care",
            "Seats changed",
            "fjordlys/ola",
            "Fjordlys AS",
            "Change set: 1; Seats: superoffice.ten-sales-premium",
            "She sells in the north.",
        ]
    ]


def test_csv_holds_no_formulas(world: dict[str, Town], aud: Account) -> None:
    ola = world["fjordlys"].users["ola"]
    edit_user(customer=ola.customer, actor=SYSTEM, user=ola, reason='=HYPERLINK("x")', name="Ola II", at=hours(7))
    _, row = download(aud, action="user.edited")
    assert row[-1] == '\'=HYPERLINK("x")'


# ── Quick ───────────────────────────────────────────────────────────────────
def queries(client: Client, asked: dict[str, str]) -> list[str]:
    with CaptureQueriesContext(connection) as caught:
        answer = client.get("/audit/", asked)
        if answer.streaming:
            list(answer.streaming_content)
    return [query["sql"] for query in caught.captured_queries]


def test_queries_do_not_grow_with_events(world: dict[str, Town], aud: Account) -> None:
    client = as_(aud)
    asked: tuple[dict[str, str], ...] = (
        {"type": "user"},
        {"type": "user", "format": "csv"},
        {"search": "user.created"},
    )
    few = [len(queries(client, each)) for each in asked]
    more = [Event("user.created", "user", f"fjordlys/u{n}", {"name": [None, f"User {n}"]}) for n in range(500)]
    record_all(actor=SYSTEM, events=more, customer=world["fjordlys"].customer, at=hours(8))
    assert [len(queries(client, each)) for each in asked] == few
    # Session, account, roles, memberships; object types, actions; how many, the page's events.
    assert few[0] == 8


def test_the_kinds_there_are_cost_a_query_however_many_events(world: dict[str, Town]) -> None:
    with CaptureQueriesContext(connection) as caught:
        assert kinds_recorded("action") == sorted(set(AuditEvent.objects.values_list("action", flat=True)))
    assert len(caught.captured_queries) == 2  # ours and the comparison's
    with pytest.raises(ValueError, match="reason"):
        kinds_recorded("reason")


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="how PostgreSQL plans it")
def test_the_newest_of_many_events_are_read_by_an_index(
    world: dict[str, Town], aud: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_page, "MOST_COUNTED", 1000)
    record_all(
        actor=SYSTEM,
        events=[Event("user.created", "user", f"fjordlys/u{n}") for n in range(5000)],
        at=hours(8) + timedelta(minutes=1),
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE customers_auditevent")
        listed = next(sql for sql in queries(as_(aud), {}) if "LIMIT 50" in sql)
        cursor.execute(f"EXPLAIN {listed}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "audit_newest" in plan, plan
    assert "Sort" not in plan, plan
