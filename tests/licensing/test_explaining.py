"""Why an answer is what it is, what else would give it, and what changed it last. Rules W-1 to W-4."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from customers.actor import SYSTEM, Actor
from customers.errors import Refusal
from licensing.answers import NOTHING, Turn, turned
from licensing.explaining import explain
from licensing.facts import Mode
from licensing.models import EntitlementSet
from licensing.reading import read_customer, read_user
from licensing.services.change_sets import UserOutcome, open_change_set, write_rows
from licensing.services.commit import customer_commit
from licensing.services.overrides import end_override
from licensing.services.people import create_user, edit_user
from licensing.services.subscriptions import RENEWAL, cancel_subscription, change_items
from licensing.stretches import answers_in, last_change, stretch_at, stretches_of
from tests.factories.catalog import NOON
from tests.factories.customers import AccountFactory
from tests.licensing.market import Market, Town, hours
from tests.licensing.test_periods import TICK, give_dates, happen, override, step

PREMIUM, ESSENTIALS = "superoffice.ten-sales-premium", "superoffice.ten-sales-essentials"


def why(town: Town, user: str | None, feature: str, at: datetime, **how: Any) -> dict[str, Any]:
    return explain(town.customer, town.users[user] if user else None, feature, at, **how)


def ways(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(way["how"], way["code"]) for way in told["would_give"]]


# ── What else would give it ─────────────────────────────────────────────────
def test_a_free_seat_comes_before_a_taken_one_and_before_what_is_on_sale(town: Town) -> None:
    town.buys(sales_premium=1, sales_service_premium=1, at=hours(1))
    town.gives("ida", "ten-sales-premium", at=hours(2))

    told = why(town, "ola", "quotes", hours(3))

    assert ways(told) == [("seat", "sales-service-premium"), ("seat", "sales-premium")]
    free, full = told["would_give"]
    assert free["seats"] == {"total": 1, "in_use": 0, "free": 1, "unrestricted": False}
    assert full["seats"]["free"] == 0
    assert full["words"].endswith("All 1 are taken.")
    assert free["gives"]["access"] == "edit"


def test_what_the_user_holds_that_must_make_way_is_named(town: Town) -> None:
    town.buys(sales_essentials=1, sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2))
    (way,) = [way for way in why(town, "ola", "quotes", hours(3))["would_give"] if way["how"] == "seat"]
    assert way["releases"] == [ESSENTIALS]


def test_what_would_change_nothing_is_not_offered(town: Town) -> None:
    town.buys(sales_premium=2, sales_essentials=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    assert why(town, "ola", "quotes", hours(3))["would_give"] == []
    override(town, Mode.DENY, feature="quotes", user=town.users["ida"], at=hours(3))
    assert why(town, "ida", "quotes", hours(4))["would_give"] == [], "no plan gives what is denied"


def test_an_add_on_says_what_it_needs(town: Town) -> None:
    town.buys(sales_premium=1, calendar=1, at=hours(1))
    (way,) = why(town, "ola", "calendar-synchronization", hours(2))["would_give"]
    assert (way["how"], way["needs"]) == ("seat", "superoffice.user")
    town.gives("ola", "ten-sales-premium", at=hours(3))
    assert why(town, "ola", "calendar-synchronization", hours(4))["would_give"][0]["needs"] is None


def test_what_is_on_sale_and_a_newer_version(town: Town, market: Market) -> None:
    town.buys(sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    assert ways(why(town, "ola", "storage", hours(3))) == [("sale", "storage")]
    assert ways(why(town, None, "storage", hours(3))) == [("sale", "storage")]
    town.buys(storage=2, at=hours(4))
    (more,) = why(town, None, "storage", hours(5))["would_give"]
    assert (more["how"], more["gives"]["value"], more["words"][:11]) == ("more", 300, "One more of")
    with transaction.atomic():
        market.publish(market.storage, grants={"storage": 100}, max_quantity=2)
        nordvik = Town("nordvik", people=())
        nordvik.buys(storage=1, at=hours(6))
        assert ways(why(nordvik, None, "storage", hours(7))) == [("more", "storage")]
        nordvik.buys(storage=2, at=hours(8))
        assert why(nordvik, None, "storage", hours(9))["would_give"] == [], "two are all that may be had"
        transaction.set_rollback(True)
    with transaction.atomic():
        market.publish(market.sales_premium, grants={"storage": 5}, includes=("sales-essentials",))
        later = hours(24 * 365 * 50)
        assert ("version", "sales-premium") in ways(why(town, "ola", "storage", later))
        transaction.set_rollback(True)


def test_before_anything_is_bought_all_is_on_sale(town: Town) -> None:
    found = ways(why(town, "ola", "email-limit", hours(1)))
    assert ("sale", "sales-essentials") in found
    assert {how for how, _ in found} == {"sale"}


def test_who_may_hold_nothing_is_offered_nothing(town: Town) -> None:
    town.buys(sales_premium=1, at=hours(1))
    edit_user(customer=town.customer, actor=SYSTEM, user=town.users["ola"], can_log_in=False, at=hours(2))
    told = why(town, "ola", "quotes", hours(3))
    assert told["would_give"] == []
    assert told["because"].startswith("A former employee, or somebody who can't log in")
    assert [cause["words"] for cause in told["changed_last"]["causes"]] == ["Can’t log in any more"]


# ── What changed last ───────────────────────────────────────────────────────
def test_a_seat_with_who_and_why(town: Town) -> None:
    town.buys(sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2), reason="New in Sales")
    town.buys(sales_premium=4, at=hours(3))  # another package, the same answer

    changed = why(town, "ola", "quotes", hours(4))["changed_last"]

    assert (changed["at"], changed["before"]["access"], changed["after"]["access"]) == (hours(2), "view", "edit")
    (cause,) = changed["causes"]
    assert (cause["kind"], cause["reason"], cause["seats_gained"]) == ("seats", "New in Sales", [PREMIUM])
    assert (cause["actor"], cause["change_set"]) == (SYSTEM.label, 1)


def test_a_change_set_in_batches_is_told_at_the_instant_of_each(town: Town) -> None:
    """What is worked off in batches is one change set with an instant per batch."""
    town.buys(sales_premium=3, at=hours(1))
    change_set = None
    for hour, name in ((2, "ola"), (3, "ida")):
        with customer_commit(customer=town.customer, actor=SYSTEM, cause="seats.changed", at=hours(hour)) as commit:
            change_set = change_set or open_change_set(commit, "From a list")
            write_rows(commit, change_set, [UserOutcome(town.users[name], frozenset(), frozenset({PREMIUM}))], {})
    for hour, name in ((2, "ola"), (3, "ida")):
        changed = why(town, name, "quotes", hours(4))["changed_last"]
        assert changed["at"] == hours(hour)
        assert [(c["change_set"], c["seats_gained"], c["reason"]) for c in changed["causes"]] == [
            (1, [PREMIUM], "From a list"),
        ]


def test_a_seat_that_leaves_with_a_package(town: Town) -> None:
    town.buys(sales_premium=2, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    change_items(customer=town.customer, actor=SYSTEM, items={"sales-premium": 0, "chat": 1}, due=RENEWAL, at=hours(3))
    due = town.users["ola"].seats.get().leaves_at
    assert due is not None
    for _ in ("while it is planned", "once it is written down"):
        changed = why(town, "ola", "quotes", due)["changed_last"]
        assert (changed["at"], changed["after"]["access"]) == (due, "none")
        assert [cause["seats_lost"] for cause in changed["causes"] if cause["kind"] == "seats"] == [[PREMIUM]]
        edit_user(customer=town.customer, actor=SYSTEM, user=town.users["ida"], name="I", at=due + timedelta(hours=1))


def test_a_package_with_what_it_brought(town: Town) -> None:
    town.actor = Actor(account=AccountFactory(name="Cara Care"))
    town.buys(sales_premium=1, at=hours(1))
    changed = why(town, "ola", "quotes", hours(2))["changed_last"]
    assert (changed["at"], changed["after"]["access"]) == (hours(1), "view")
    (cause,) = changed["causes"]
    assert cause["words"] == "Package SUPEROFFICE #1 came into force: Ten Sales Premium v1 added"
    assert cause["actor"] == "Cara Care"
    untold = why(town, "ola", "quotes", hours(2), tells_who=False)["changed_last"]["causes"]
    assert (untold[0]["actor"], untold[0]["words"]) == ("", cause["words"])


def test_overrides_that_begin_and_end(town: Town) -> None:
    town.buys(sales_premium=1, at=hours(1))
    override(town, Mode.DENY, feature="quotes", at=hours(2), ends_at=hours(5))
    begun = why(town, "ola", "quotes", hours(3))["changed_last"]
    assert [cause["words"] for cause in begun["causes"]] == ["Override granted. Quotes: taken away, for everybody"]
    over = why(town, "ola", "quotes", hours(6))["changed_last"]
    assert (over["at"], over["before"]["access"], over["after"]["access"]) == (hours(5), "none", "view")
    assert [cause["words"] for cause in over["causes"]] == ["Override over. Quotes: taken away, for everybody"]


def test_an_override_that_somebody_ended(town: Town) -> None:
    town.buys(sales_premium=1, at=hours(1))
    given_ = override(town, Mode.SET, feature="quotes", value=True, user=town.users["ola"], at=hours(2))
    end_override(customer=town.customer, actor=SYSTEM, override=given_, at=hours(3))
    (cause,) = why(town, "ola", "quotes", hours(4))["changed_last"]["causes"]
    assert cause["words"].startswith("Override ended before its time.")
    assert cause["actor"] == SYSTEM.label


def test_dates_that_passed(town: Town) -> None:
    town.buys(sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(1.5))
    give_dates(town, warning_at=hours(10), expires_at=hours(20), grace_until=hours(30))
    stopped = why(town, "ola", "quotes", hours(31))["changed_last"]
    assert (stopped["at"], stopped["before"]["access"], stopped["after"]["access"]) == (hours(30), "edit", "view")
    assert "has stopped" in stopped["causes"][0]["words"]


def test_a_new_user_had_no_answer_before(town: Town) -> None:
    town.buys(sales_premium=1, at=hours(1))
    town.users["eva"] = create_user(customer=town.customer, actor=SYSTEM, code="eva", name="Eva", at=hours(2))
    changed = why(town, "eva", "quotes", hours(3))["changed_last"]
    assert (changed["at"], changed["before"]) == (hours(2), None)
    assert [cause["words"] for cause in changed["causes"]] == ["Created"]


def test_before_the_first_period_nothing_is_recorded(town: Town) -> None:
    told = why(town, "ola", "quotes", NOON - TICK)
    assert told["because"] == "Nothing is recorded for that time."
    assert (told["would_give"], told["changed_last"]) == ([], None)


def test_the_future_is_explained_as_it_is_derived(town: Town) -> None:
    town.buys(sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    cancel_subscription(customer=town.customer, actor=SYSTEM, at=hours(3))
    late = why(town, "ola", "quotes", hours(24 * 400))
    assert late["because"] == "To look at only: the package that gives it has stopped."
    assert "has stopped" in late["changed_last"]["causes"][0]["words"]


# ── It agrees with what is stored ───────────────────────────────────────────
def stored(town: Town, user: str | None, at: datetime) -> dict[str, Any]:
    reading = read_customer(town.customer.code, at) if user is None else read_user(town.customer.code, user, at)
    assert reading is not None
    assert reading.set_id is not None
    body: dict[str, Any] = json.loads(EntitlementSet.objects.get(pk=reading.set_id).body)["features"]
    return body


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=3, max_size=9))
def test_whatever_happens_past_answers_are_told_as_they_were_read(
    town: Town, steps: list[tuple[str, Any, Any]]
) -> None:
    """At any past instant: stretches say what a read says; what changed last was another answer right before, and the
    one at hand ever since; its cause is known; and what is gained and lost leads from each set to the next."""
    with transaction.atomic():
        town.buys(
            sales_essentials=1, sales_premium=2, service_premium=1, sales_service_premium=1, calendar=1, at=hours(1)
        )
        for number, (verb, who, what) in enumerate(steps, start=2):
            try:
                happen(town, verb, who, what, hours(number))
            except Refusal:
                continue
        instants = [hours(n) + shift for n in range(1, len(steps) + 6) for shift in (timedelta(0), TICK)]
        for user in ("ola", None):
            agrees(town, user, instants)
        transaction.set_rollback(True)


def agrees(town: Town, user: str | None, instants: Sequence[datetime]) -> None:
    stretches = stretches_of(town.customer, town.users[user] if user else None)
    answers = answers_in({stretch.set_id for stretch in stretches})
    for at in instants:
        there = stretch_at(stretches, at)
        assert there is not None
        assert answers[there.set_id] == stored(town, user, at)
    for before, after in pairwise(stretches):
        assert before.ends_at == after.starts_at
        replayed = dict(answers[before.set_id])
        for each in turned(answers[before.set_id], answers[after.set_id]):
            replayed[each.code] = each.after
            if each.turn is Turn.LOST:
                del replayed[each.code]
        assert replayed == answers[after.set_id]
    for feature in ("quotes", "email-limit", "nowhere"):
        change = last_change(stretches, feature, instants[-1])
        assert change is not None
        assert stored(town, user, instants[-1]).get(feature, NOTHING) == change.after
        assert stored(town, user, change.at).get(feature, NOTHING) == change.after
        if change.before is not None:
            assert stored(town, user, change.at - TICK).get(feature, NOTHING) == change.before != change.after
        told = why(town, user, feature, instants[-1])["changed_last"]
        assert told["causes"] or change.at == NOON, "somebody, or the clock, made it so"


# ── Queries ─────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("users", [3, 40])
def test_queries_do_not_grow_with_users_or_history(
    users: int, market: Market, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    town = Town(people=[f"user-{n}" for n in range(users)])
    town.buys(sales_premium=users, storage=1, at=hours(1))
    for n in range(users):
        town.gives(f"user-{n}", "ten-sales-premium", at=hours(2 + n))
        town.takes(f"user-{n}", "ten-sales-premium", at=hours(2.5 + n))
    with django_assert_num_queries(17):
        # packages, rows, overrides; the user's period; on sale; users per holding (2), holdings; seats; user periods,
        # holding periods, sets; trail, seats, overrides, packages; revision
        why(town, "user-0", "quotes", hours(100))
