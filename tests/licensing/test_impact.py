"""What a draft would do to those who have its plan: worked out beforehand, and equal to what then happens.

Fjordlys has three Sales Premium (Ola, Ida) and Sales and Service in one plan (Per); Nordvik one Sales Premium (Uma).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from catalog.models import Version
from catalog.services import drafting, publishing
from customers.actor import SYSTEM
from customers.models import OutboxMessage
from customers.outbox import deliver_due
from licensing.errors import ItemsRefused, NothingToCompare
from licensing.facts import Mode
from licensing.models import ImpactCustomer, ImpactReport, SubscriptionItem
from licensing.reading import forget_sets
from licensing.services import impacting
from licensing.services.impacting import request_impact, run_impact
from licensing.services.overrides import grant_override
from licensing.services.subscriptions import move_to_version
from tests.licensing.market import Market, Town, hours

NOW = hours(30)


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=3, sales_service_premium=1, calendar=2, at=hours(1))
    town.gives("ola", "ten-sales-premium", "nebula", at=hours(2))
    town.gives("ida", "ten-sales-premium", at=hours(3))
    town.gives("per", "ten-sales-service-premium", at=hours(4))
    return town


@pytest.fixture
def nordvik(market: Market) -> Town:
    town = Town("nordvik", ["uma"])
    town.buys(sales_premium=1, at=hours(1))
    town.gives("uma", "ten-sales-premium", at=hours(2))
    return town


def draft(market: Market, **grants: object) -> Version:
    """Begins a draft of Sales Premium that grants something else than the version before."""
    version = drafting.draft_from(offer=market.sales_premium, actor=SYSTEM, at=hours(20))
    granted = {grant.feature.code: "unlimited" if grant.unlimited else grant.value for grant in version.grants.all()}
    wanted = {code: value for code, value in (granted | grants).items() if value is not None}
    drafting.set_grants(version=version, grants=wanted, actor=SYSTEM, at=hours(21))
    return drafting.update_draft(version=version, actor=SYSTEM, at=hours(21), changelog="Another Sales Premium.")


def looked_at(version: Version) -> ImpactReport:
    report = request_impact(version=version, actor=SYSTEM, at=NOW)
    run_impact(report)
    report.refresh_from_db()
    return report


def counts(report: ImpactReport) -> dict[str, dict[str, int]]:
    return {
        row.code: {effect: n for effect in ("gained", "raised", "lowered", "lost") if (n := getattr(row, effect))}
        for row in report.features.all()
    }


def test_who_loses_a_feature_that_a_draft_leaves_out(market: Market, fjordlys: Town, nordvik: Town) -> None:
    report = looked_at(draft(market, quotes=None))
    assert (report.state, report.total, report.done) == ("done", 2, 2)
    assert (report.users, report.changed, report.worse) == (3, 3, 3)
    # At Fjordlys the plan for both solutions still has quotes, so Ola and Ida may look; at Nordvik nothing is left.
    assert counts(report) == {"quotes": {"lowered": 2, "lost": 1}}
    customers = {row.customer.code: (row.users, row.versions, row.problems_count) for row in report.customers.all()}
    assert customers == {"fjordlys": (2, [1], 0), "nordvik": (1, [1], 0)}


def test_a_draft_that_says_the_same_changes_nobody(market: Market, fjordlys: Town) -> None:
    report = looked_at(draft(market))
    assert (report.users, report.changed, counts(report)) == (2, 0, {})


def test_an_override_holds_what_the_plan_no_longer_gives(market: Market, fjordlys: Town) -> None:
    grant_override(
        customer=fjordlys.customer,
        actor=SYSTEM,
        user=fjordlys.users["ola"],
        feature="quotes",
        mode=Mode.SET,
        value=True,
        reason="Promised",
        at=hours(5),
    )
    assert counts(looked_at(draft(market, quotes=None))) == {"quotes": {"lowered": 1}}


def test_needs_that_would_be_missing_are_told_per_customer(market: Market, fjordlys: Town, nordvik: Town) -> None:
    version = draft(market)
    drafting.set_rules(version=version, needs=["chat"], excludes=["calendar"], actor=SYSTEM, at=hours(22))
    told: dict[str, list[str]] = {}
    for problem in looked_at(version).problems.select_related("customer"):
        told.setdefault(problem.customer.code, []).append(problem.message)
    assert told == {
        "fjordlys": ["sales-premium needs chat.", "sales-premium can't stand beside calendar."],
        "nordvik": ["sales-premium needs chat."],
    }


def test_a_draft_that_cannot_be_published_has_no_impact(market: Market, fjordlys: Town) -> None:
    version = drafting.draft_from(offer=market.sales_premium, actor=SYSTEM, at=hours(20))
    with pytest.raises(NothingToCompare) as refused:
        request_impact(version=version, actor=SYSTEM, at=NOW)
    assert "Say in one line what is new" in refused.value.message


def test_the_worker_does_it_and_goes_on_where_it_was_stopped(
    market: Market, fjordlys: Town, nordvik: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impacting, "BATCH", 1)
    report = request_impact(version=draft(market, quotes=None), actor=SYSTEM, at=NOW)
    write = impacting._write
    written: list[Any] = []

    def stops_after_one(*args: Any) -> None:
        if written:
            raise RuntimeError("The power went.")
        written.append(args)
        write(*args)

    monkeypatch.setattr(impacting, "_write", stops_after_one)
    assert deliver_due(now=NOW) == 1
    report.refresh_from_db()
    assert (report.state, report.done) == ("running", 1)
    monkeypatch.setattr(impacting, "_write", write)
    message = OutboxMessage.objects.get(topic="impact")
    assert deliver_due(now=message.next_attempt_at) == 1
    report.refresh_from_db()
    assert (report.state, report.done, report.changed) == ("done", 2, 3)
    assert report.customers.count() == 2


def test_a_batch_costs_the_same_whatever_is_in_it(
    market: Market, fjordlys: Town, nordvik: Town, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    version = draft(market, quotes=None)
    few = request_impact(version=version, actor=SYSTEM, at=NOW)
    for number in range(6):
        Town(f"town-{number}", ["ann", "bob"]).buys(sales_premium=1, at=hours(1))
    many = request_impact(version=version, actor=SYSTEM, at=NOW)
    assert (few.total, many.total) == (2, 8)
    seer = impacting.seer_of(impacting.step_of(many))
    towns = sorted(SubscriptionItem.objects.order_by().values_list("customer", flat=True).distinct())
    for customers in (towns[:2], towns):
        # Packages, their rows, overrides; users per holding, open periods and ended ones; holdings; items.
        with django_assert_num_queries(7):
            impacting.look_at(seer, customers, NOW)
    costs = []
    for customers in (towns[:2], towns):
        looked = impacting.look_at(seer, customers, NOW)
        with CaptureQueriesContext(connection) as asked:
            impacting._write(many, looked)
        costs.append(len(asked))
        ImpactCustomer.objects.filter(report=many).delete()
    assert costs[0] >= costs[1]


def test_where_customers_are_now_is_counted_by_version(market: Market, fjordlys: Town, nordvik: Town) -> None:
    second = publishing.publish(version=draft(market, chat=True), actor=SYSTEM, at=hours(25), four_eyes=False)
    move_to_version(customer=nordvik.customer, actor=SYSTEM, version=second, at=hours(26))
    report = looked_at(draft(market, quotes=None))
    assert [(row.number, row.customers, row.users) for row in report.versions.all()] == [(2, 1, 1), (1, 1, 2)]
    assert report.users == 3


def test_an_add_on_that_would_lose_what_it_needs_is_told(market: Market, fjordlys: Town) -> None:
    """Ola's calendar needs the module `user`, which the common set brings along: a draft without it takes that away."""
    version = draft(market)
    drafting.set_includes(version=version, codes=[], actor=SYSTEM, at=hours(22))
    grants = {"dashboards": "custom-tiles", "quotes": True, "sales": True}
    drafting.set_grants(version=version, grants=grants, actor=SYSTEM, at=hours(22))
    problem = looked_at(version).problems.get()
    assert (problem.kind, problem.subject, problem.other, problem.users) == (
        "prerequisite",
        "superoffice.nebula",
        "superoffice.user",
        1,
    )
    assert problem.message == "superoffice.nebula needs superoffice.user, which 1 user would no longer have."
    assert not problem.is_blocking


def answers(*towns: Town) -> dict[tuple[str, str], dict[str, Any]]:
    return {(town.customer.code, user): town.answer(user, hours(60)) for town in towns for user in town.users}


def effect(before: dict[str, Any] | None, after: dict[str, Any] | None) -> str:
    """Says what happened to one feature, from what apps were told."""
    access = {"none": 0, "view": 1, "edit": 2}
    was, now = (access[told["access"]] if told else 0 for told in (before, after))
    if was == 0 or now == 0:
        return "gained" if was == 0 else "lost"
    if was != now:
        return "raised" if now > was else "lowered"
    order = [None, False, True, "default-tiles", "custom-tiles"]
    values = [
        10**12
        if told and told.get("unlimited")
        else order.index(told["value"])
        if told and told["value"] in order
        else told["value"]
        for told in (before, after)
        if told
    ]
    return "raised" if values[1] > values[0] else "lowered"


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    quotes=st.sampled_from([None, True]),
    dashboards=st.sampled_from([None, "default-tiles", "custom-tiles"]),
    chat=st.sampled_from([None, True]),
)
def test_the_impact_is_what_publishing_and_moving_everybody_then_does(
    market: Market, db: Any, quotes: bool | None, dashboards: str | None, chat: bool | None
) -> None:
    forget_sets()  # numbers of sets come again after a rollback
    with transaction.atomic():
        fjordlys, nordvik = Town(), Town("nordvik", ["uma", "ann"])
        fjordlys.buys(sales_premium=3, sales_service_premium=1, calendar=2, at=hours(1))
        fjordlys.gives("ola", "ten-sales-premium", "nebula", at=hours(2))
        fjordlys.gives("per", "ten-sales-service-premium", at=hours(4))
        nordvik.buys(sales_premium=1, at=hours(1))
        nordvik.gives("uma", "ten-sales-premium", at=hours(2))
        version = draft(market, quotes=quotes, dashboards=dashboards, chat=chat)
        told = counts(looked_at(version))
        before = answers(fjordlys, nordvik)
        published = publishing.publish(version=version, actor=SYSTEM, at=hours(40), four_eyes=False)
        for town in (fjordlys, nordvik):
            move_to_version(customer=town.customer, actor=SYSTEM, version=published, at=hours(50))
        after = answers(fjordlys, nordvik)
        really: dict[str, Counter[str]] = {}
        for holder in before:
            for code in before[holder].keys() | after[holder].keys():
                was, now = before[holder].get(code), after[holder].get(code)
                if was != now:
                    really.setdefault(code, Counter())[effect(was, now)] += 1
        assert told == {code: dict(found) for code, found in really.items()}
        transaction.set_rollback(True)


def test_moving_is_refused_where_it_makes_no_sense(market: Market, fjordlys: Town) -> None:
    with pytest.raises(ItemsRefused, match="doesn't have chat"):
        move_to_version(customer=fjordlys.customer, actor=SYSTEM, version=Version.objects.get(offer=market.chat))
    with pytest.raises(ItemsRefused, match="isn't in effect"):
        move_to_version(customer=fjordlys.customer, actor=SYSTEM, version=draft(market), at=NOW)
    same = Version.objects.frozen().get(offer=market.sales_premium)
    before = fjordlys.revision()
    move_to_version(customer=fjordlys.customer, actor=SYSTEM, version=same, at=NOW)
    assert fjordlys.revision() == before
