"""The workbench: drafts, what comes, who is on which version, what happened; for whom, and at what cost. T-7, T-8.

Fjordlys and Nordvik have Sales Premium 1; a second version is published, and Tindra buys that.
"""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import Version
from catalog.services import drafting, publishing
from catalog.services.commenting import comment
from customers.access import access_of_account
from customers.actor import Actor
from customers.models import Account, Membership
from licensing.portal.workbench import tools
from tests.factories.catalog import draft, published
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Market, Town, hours


def as_(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


def bench(account: Account, **asked: str) -> Any:
    answer = as_(account).get("/catalog/", asked)
    assert answer.status_code == 200
    return answer


def waiting(account: Account) -> list[tuple[str, str, bool]]:
    return [(line.draft.offer.code, line.badge, line.mine) for line in bench(account).context["waiting"]]


def second(market: Market, at: datetime, **when: Any) -> Version:
    return published(market.sales_premium, at=at, grants={"quotes": True}, includes=("sales-essentials",), **when)


@pytest.fixture
def towns(market: Market) -> dict[str, Town]:
    """Two customers bought version 1 and one version 2; two people at Fjordlys and one at Tindra hold a seat."""
    found = {code: Town(code) for code in ("fjordlys", "nordvik", "tindra")}
    found["fjordlys"].buys(sales_premium=2, chat=1, at=hours(1))
    found["nordvik"].buys(sales_premium=2, at=hours(1))
    second(market, hours(2))
    found["tindra"].buys(sales_premium=2, at=hours(3))
    for town, people in (("fjordlys", ("ola", "ida")), ("tindra", ("per",))):
        for person in people:
            found[town].gives(person, "ten-sales-premium", at=hours(4))
    return found


# ── Who opens it ────────────────────────────────────────────────────────────
def test_it_is_for_those_of_us_who_read_the_catalog(
    towns: dict[str, Town], pia: Account, paul: Account, cara: Account, aud: Account, root: Account
) -> None:
    for account in (pia, paul, cara, aud, root):
        assert "Customers per version" in bench(account).text
    kari = AccountFactory(name="Kari Nordmann")
    MembershipFactory(customer=towns["fjordlys"].customer, account=kari, role=Membership.Role.ADMIN)
    for account in (kari, AccountFactory(name="Nobody Yet")):
        assert as_(account).get("/catalog/").status_code == 403
    assert Client().get("/catalog/")["Location"] == "/account/login/?next=/catalog/"


def test_it_leads_to_the_tools_that_the_visitor_may_use(pia: Account, aud: Account) -> None:
    titles = {account: {title for title, _ in tools(access_of_account(account))} for account in (pia, aud)}
    assert {"Impact", "Import & export", "Compare plans"} <= titles[pia]
    assert titles[aud].isdisjoint({"Impact", "Import & export"})


# ── Drafts and publications ─────────────────────────────────────────────────
def test_drafts_that_wait_for_the_visitor_come_first(
    market: Market, pia: Account, paul: Account, cara: Account, settings: Any
) -> None:
    by_pia, by_paul = Actor(account=pia), Actor(account=paul)
    draft(market.calendar, by=by_pia, grants={"calendar-synchronization": True})
    submitted = draft(market.chat, by=by_pia, grants={"chat": True})
    drafting.submit(version=submitted, actor=by_pia, at=hours(1))
    draft(market.storage, by=by_paul, grants={"storage": 50})
    assert waiting(pia)[0] == ("calendar", "Draft", True)
    assert ("chat", "In review", False) in waiting(pia)
    assert {line for line in waiting(paul) if line[2]} == {("chat", "To approve", True), ("storage", "Draft", True)}
    assert not any(mine for *_, mine in waiting(cara))
    settings.FOUR_EYES = True
    drafting.update_draft(version=submitted, actor=by_paul, at=hours(2), changelog="Mended by Paul.")
    drafting.submit(version=submitted, actor=by_pia, at=hours(3))
    assert ("chat", "In review", False) in waiting(paul)  # he worked on it
    publishing.approve(version=submitted, actor=Actor(account=AccountFactory(roles=["publisher"])), at=hours(4))
    assert ("chat", "Approved", True) in waiting(paul)


def test_a_draft_tells_of_comments_and_of_a_superseded_base(market: Market, pia: Account) -> None:
    begun = draft(market.calendar, grants={"calendar-synchronization": True})
    for text in ("Really?", "Really."):
        comment(version=begun, text=text, actor=Actor(account=pia), at=hours(1))
    assert "2 comments" in bench(pia).text
    assert "Base superseded" not in bench(pia).text
    Version.objects.filter(pk=begun.pk).update(base=None)
    assert "Base superseded" in bench(pia).text


def test_what_is_scheduled_and_what_is_approved_for_a_day_come(market: Market, pia: Account) -> None:
    soon, later = timezone.now() + timedelta(days=2), timezone.now() + timedelta(days=9)
    scheduled = second(market, timezone.now(), effective_from=later)
    planned = drafting.submit(version=draft(market.chat, grants={"chat": True}), actor=Actor(account=pia), at=hours(1))
    publishing.approve(version=planned, actor=Actor(), at=timezone.now(), effective_from=soon, four_eyes=False)
    answer = bench(pia)
    assert [version.pk for version in answer.context["coming"]] == [planned.pk, scheduled.pk]
    assert "To be published" in answer.text
    publishing.retire(version=scheduled, actor=Actor(), at=timezone.now())
    assert [version.pk for version in bench(pia).context["coming"]] == [planned.pk]


# ── Customers ───────────────────────────────────────────────────────────────
def test_customers_and_users_are_counted_per_version(towns: dict[str, Town], pia: Account) -> None:
    rows = {
        (row.version.offer.code, row.version.number): (row.customers, row.users, row.standing)
        for row in bench(pia).context["table"].page
    }
    assert rows == {
        ("sales-premium", 1): (2, 2, "superseded"),
        ("sales-premium", 2): (1, 1, "live"),
        ("chat", 1): (1, 0, "live"),
    }


def test_customers_on_an_older_version_are_grandfathered_since_the_next_took_effect(
    market: Market, towns: dict[str, Town], pia: Account
) -> None:
    def premium() -> Any:
        lines = [line for line, *_ in bench(pia).context["plans"]]
        return next(line for line in lines if line.offer.code == "sales-premium")

    line = premium()
    assert (line.live, line.customers, line.on_live, line.grandfathered, line.since) == (2, 3, 1, 2, hours(2))
    assert [line.offer.code for line, *_ in bench(pia).context["plans"]] == ["sales-premium", "chat"]
    only = bench(pia, only="grandfathered").context["table"].page
    assert [(row.version.number, row.left_behind_at) for row in only] == [(1, hours(2))]
    # What is scheduled leaves nobody behind yet; what is retired does.
    second(market, timezone.now(), effective_from=timezone.now() + timedelta(days=1))
    assert premium().grandfathered == 2
    for version in Version.objects.filter(offer=market.chat):
        publishing.retire(version=version, actor=Actor(), at=hours(9))
    chat = next(line for line, *_ in bench(pia).context["plans"] if line.offer.code == "chat")
    assert (chat.live, chat.grandfathered, chat.since) == (None, 1, hours(9))


def test_the_table_is_searched_sorted_and_taken_along(towns: dict[str, Town], pia: Account) -> None:
    def versions(**asked: str) -> list[str]:
        return [str(row.version) for row in bench(pia, **asked).context["table"].page]

    assert versions(search="chat") == ["chat v1"]
    assert versions(search="dragon\0") == []
    assert versions(sort="customers")[-1] == versions()[0] == "sales-premium v1"
    answer = as_(pia).get("/catalog/", {"format": "csv", "search": "premium"})
    rows = list(csv.reader(StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert rows[0][0] == "Plan or add-on"
    assert [(row[0], row[2], row[3]) for row in rows[1:]] == [("Sales Premium", "2", "2"), ("Sales Premium", "1", "1")]


def test_nothing_sold_is_said(market: Market, pia: Account) -> None:
    assert "Nothing is sold yet." in bench(pia).text


# ── What happened, and what it costs ────────────────────────────────────────
def test_the_latest_changes_of_the_catalog_are_told_and_no_others(towns: dict[str, Town], pia: Account) -> None:
    answer = bench(pia)
    assert len(answer.context["events"]) == 8
    assert answer.context["events"][0].action == "version.published"
    assert "seats.changed" not in {event.action for event in answer.context["events"]}
    assert 'href="/audit/?type=catalog"' in answer.text


def test_queries_do_not_grow_with_customers_drafts_or_versions(
    market: Market, towns: dict[str, Town], pia: Account
) -> None:
    client = as_(pia)

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert client.get("/catalog/").status_code == 200
        return len(caught.captured_queries)

    draft(market.calendar, grants={"calendar-synchronization": True})
    few = queries()
    draft(market.storage, grants={"storage": 50})
    second(market, hours(5))
    for code in ("havbris", "lysefjord"):
        Town(code, ()).buys(sales_premium=1, calendar=1, storage=2, at=hours(6))
    # Session, account, roles, memberships; drafts, their editors; what comes; events; customers by version, the
    # versions, the live ones; the table's rows, how many, their users.
    assert queries() == few == 14
