"""Which events a change writes, with which state. Rules J-1 and J-2."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from customers.actor import SYSTEM
from customers.models import WebhookEndpoint, WebhookEvent
from licensing.errors import RevisionNotReached
from licensing.facts import Mode
from licensing.services import telling
from licensing.services.erasing import erase_user
from licensing.services.overrides import grant_override
from licensing.services.replaying import replay, would_tell
from licensing.services.subscriptions import cancel_subscription
from licensing.services.sweeping import sweep
from licensing.snapshots import read_snapshot, read_state
from tests.licensing.market import Town, hours


@pytest.fixture
def heard(town: Town) -> Town:
    """Somebody listens to everything of Fjordlys, which has bought and given nothing yet."""
    WebhookEndpoint.objects.create(customer=town.customer, url="https://example.com/", created_at=timezone.now())
    return town


def events() -> list[tuple[str, dict[str, Any]]]:
    told = [json.loads(event.body) for event in WebhookEvent.objects.order_by("pk")]
    return [(event["type"], event["data"]) for event in told]


def test_a_purchase_and_a_seat_are_told_with_what_is_so_then(heard: Town) -> None:
    heard.buys(sales_premium=2, at=hours(1))
    heard.gives("ola", "ten-sales-premium", at=hours(2))
    assert [type_ for type_, _ in events()] == [
        "subscription.started",
        "package.activated",
        "entitlements.changed",
        "change_set.applied",
        "entitlements.changed",
    ]
    told = events()[-1][1]
    assert (told["customer"], told["revision"], set(told["users"])) == ("fjordlys", heard.revision(), {"ola"})
    held = told["sets"][told["users"]["ola"]]
    assert held["features"]["quotes"]["access"] == "edit"


def test_the_state_says_until_when_it_holds_as_a_snapshot_does(heard: Town) -> None:
    heard.buys(sales_premium=2, at=hours(1))
    heard.gives("ola", "ten-sales-premium", at=hours(2))
    grant_override(
        customer=heard.customer,
        user=heard.users["ola"],
        actor=SYSTEM,
        feature="quotes",
        mode=Mode.DENY,
        reason="Trial",
        ends_at=hours(9),
        at=hours(3),
    )
    told = events()[-1][1]
    snapshot = read_snapshot("fjordlys", hours(4))
    assert snapshot is not None
    assert (
        (told["status"], told["owners"])
        == (snapshot.status, json.loads(snapshot.owners))
        == (
            "active",
            {"SUPEROFFICE": "active"},
        )
    )
    assert parse_datetime(told["valid_until"]) == snapshot.valid_until == hours(9)


def test_the_example_of_the_page_has_the_members_of_an_event(heard: Town) -> None:
    heard.buys(sales_premium=2, at=hours(1))
    heard.gives("ola", "ten-sales-premium", at=hours(2))
    page = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
    shown = json.loads(page.partition("```json\n")[2].partition("```")[0])
    told = json.loads(WebhookEvent.objects.filter(type="entitlements.changed").latest("pk").body)
    assert set(shown) == set(told)
    assert set(shown["data"]) == set(told["data"])
    assert set(shown["data"]["sets"][0]) == set(told["data"]["sets"][0])


def test_where_nobody_listens_it_costs_one_query(town: Town) -> None:
    town.buys(sales_premium=2, at=hours(1))
    with CaptureQueriesContext(connection) as queries:
        town.gives("ola", "ten-sales-premium", at=hours(2))
    asked = [query["sql"] for query in queries if "customers_webhook" in query["sql"]]
    assert len(asked) == 1
    assert not WebhookEvent.objects.exists()


def test_a_refused_change_is_not_told(heard: Town) -> None:
    with pytest.raises(Exception, match="not part of"):
        heard.gives("ola", "ten-sales-premium", at=hours(1))
    heard.gives("ola", at=hours(2), dry_run=True)
    assert not WebhookEvent.objects.exists()


def test_more_users_than_fit_are_told_to_fetch_a_snapshot(heard: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MOST_USERS", 2)
    heard.buys(sales_premium=2, chat=1, at=hours(1))
    told = events()[-1][1]
    assert told["resync"] is True
    assert told["snapshot"] == "/api/v1/customers/fjordlys/entitlements/snapshot/"


def test_what_the_clock_changes_is_told_once_somebody_writes_it_down(heard: Town) -> None:
    heard.buys(sales_premium=2, at=hours(1))
    heard.gives("ola", "ten-sales-premium", at=hours(2))
    cancelled = heard.customer.subscriptions.get()
    cancel_subscription(customer=heard.customer, actor=SYSTEM, at=hours(3))
    cancelled.refresh_from_db()
    assert cancelled.ends_at is not None
    before = len(events())
    sweep(now=cancelled.ends_at + timedelta(days=30))
    after = events()[before:]
    assert "subscription.ended" in [type_ for type_, _ in after]
    last = [data for type_, data in after if type_ == "entitlements.changed"][-1]
    held = last["sets"][last["users"]["ola"]]
    assert all(feature["access"] == "view" for feature in held["features"].values())


def test_a_replay_tells_the_present_state_of_whoever_changed_since(heard: Town) -> None:
    """J-6: however old the revision, and whatever was kept of it."""
    heard.buys(sales_premium=2, sales_essentials=2, at=hours(1))
    after = heard.revision()
    heard.gives("ola", "ten-sales-premium", at=hours(2))
    heard.gives("ola", "ten-sales-essentials", at=hours(3))
    WebhookEvent.objects.all().delete()
    endpoint = WebhookEndpoint.objects.get()

    replay(actor=SYSTEM, endpoint=endpoint, customer=heard.customer, after=after, at=hours(4))

    (told,) = [data for _, data in events()]
    assert (told["revision"], set(told["users"])) == (heard.revision(), {"ola"})
    assert told["sets"][told["users"]["ola"]]["plans"][0]["code"] == "sales-essentials"
    replay(actor=SYSTEM, endpoint=endpoint, customer=heard.customer, after=heard.revision(), at=hours(5))
    assert (events()[-1][1]["revision"], events()[-1][1]["users"]) == (heard.revision(), {}), "it has all there is"
    with pytest.raises(RevisionNotReached):
        replay(actor=SYSTEM, endpoint=endpoint, customer=heard.customer, after=heard.revision() + 1, at=hours(5))


def test_a_replay_knows_what_the_clock_has_done_and_nobody_has_written_down(heard: Town) -> None:
    """A read has told that revision already (H-8)."""
    heard.buys(sales_premium=2, at=hours(1))
    heard.gives("ola", "ten-sales-premium", at=hours(2))
    how: dict[str, Any] = {"customer": heard.customer, "user": heard.users["ola"], "actor": SYSTEM}
    grant_override(**how, feature="quotes", mode=Mode.DENY, reason="Trial", ends_at=hours(5), at=hours(3))
    before, endpoint = heard.revision(), WebhookEndpoint.objects.get()
    state = read_state("fjordlys", hours(6))
    assert state is not None
    assert state.revision == before + 1
    assert len(would_tell(customer=heard.customer, after=before, at=hours(6)).users) == 1
    assert heard.revision() == before
    replay(actor=SYSTEM, endpoint=endpoint, customer=heard.customer, after=before, at=hours(6))
    told = events()[-1][1]
    assert (told["revision"], set(told["users"])) == (before + 1, {"ola"})
    replay(actor=SYSTEM, endpoint=endpoint, customer=heard.customer, after=before + 1, at=hours(7))
    assert events()[-1][1]["users"] == {}


def test_who_is_erased_is_told_as_a_resync_for_the_old_code_can_not_be_told(heard: Town) -> None:
    """Who kept Ola's answer by her code finds out that she is gone from a snapshot (U-7, J-2)."""
    heard.buys(sales_premium=2, at=hours(1))
    heard.gives("ola", "ten-sales-premium", at=hours(2))
    after = heard.revision()
    erase_user(customer=heard.customer, actor=SYSTEM, user=heard.users["ola"], confirm="ola", at=hours(3))
    told = events()[-1][1]
    assert (told["revision"], told["resync"], told["users"]) == (heard.revision(), True, {})
    assert told["snapshot"] == "/api/v1/customers/fjordlys/entitlements/snapshot/"

    heard.gives("ida", "ten-sales-premium", at=hours(4))
    assert events()[-1][1]["resync"] is False
    endpoint = WebhookEndpoint.objects.get()
    for since, is_anew in ((after, True), (after + 1, False)):
        replay(actor=SYSTEM, endpoint=endpoint, customer=heard.customer, after=since, at=hours(5))
        assert events()[-1][1]["resync"] is is_anew, since


def test_duplicated_and_shuffled_events_lead_to_the_state_that_is(heard: Town) -> None:
    """A client that keeps the newest revision of each user converges, whatever arrives when."""
    dice = Random(4711)  # noqa: S311 - the same history each time
    heard.buys(sales_premium=2, sales_essentials=2, service_premium=2, at=hours(1))
    modules = ("ten-sales-premium", "ten-sales-essentials", "ten-service-premium")
    for step in range(12):
        name, module = dice.choice(("ola", "ida")), dice.choice(modules)
        (heard.takes if module in heard.holds(name) else heard.gives)(name, module, at=hours(2 + step))
    sent = [data for type_, data in events() if type_ == "entitlements.changed"] * 2
    dice.shuffle(sent)
    known: dict[str, tuple[int, Any]] = {}
    for data in sent:
        for user, place in data["users"].items():
            if data["revision"] >= known.get(user, (0, None))[0]:
                known[user] = (data["revision"], data["sets"][place]["features"])
    for user in ("ola", "ida"):
        features = {code: feature["access"] for code, feature in known[user][1].items()}
        assert features == {code: feature["access"] for code, feature in heard.answer(user).items()}
