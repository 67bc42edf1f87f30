"""Moving customers to another version: who, when, how it goes on, and back again.

Fjordlys has three Sales Premium (Ola, Ida), Nordvik one (Uma), Tindra one and nobody on it. Version 2 has no quotes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Version
from catalog.services import drafting, publishing
from customers.actor import SYSTEM
from customers.errors import Invalid
from customers.models import AuditEvent, OutboxMessage
from customers.outbox import deliver_due
from licensing.cohort import Cohort, codes_of
from licensing.errors import (
    MovedSince,
    NobodyToMove,
    NothingToRollBack,
    NotInState,
    NotPreviewed,
    NotPublished,
)
from licensing.models import Migration, Package
from licensing.services import migrating, moving
from licensing.services.subscriptions import change_items, move_to_version, subscribe
from tests.licensing.market import Market, Town, hours
from tests.licensing.moving import drafted, on_version, preview_of, proposed, published, row_of, runs, started, states

pytestmark = pytest.mark.django_db


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=3, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    town.gives("ida", "ten-sales-premium", at=hours(3))
    return town


@pytest.fixture
def nordvik(market: Market) -> Town:
    town = Town("nordvik", ["uma"])
    town.buys(sales_premium=1, at=hours(1))
    town.gives("uma", "ten-sales-premium", at=hours(2))
    return town


@pytest.fixture
def tindra(market: Market) -> Town:
    town = Town("tindra", ["tor"])
    subscribe(customer=town.customer, actor=SYSTEM, billing_months=1, items={"sales-premium": 1}, at=hours(1))
    return town


@pytest.fixture
def v2(market: Market, fjordlys: Town, nordvik: Town, tindra: Town) -> Version:
    return published(drafted(market, quotes=None))


# ── Proposing ───────────────────────────────────────────────────────────────
def test_a_proposal_moves_nobody_and_is_previewed(v2: Version, fjordlys: Town) -> None:
    before = fjordlys.revision()
    migration = proposed(v2)
    preview = preview_of(migration)
    assert (migration.state, preview.total, preview.worse) == ("proposed", 3, 5)
    assert fjordlys.revision() == before
    assert states(migration) == {}
    event = AuditEvent.objects.get(action="migration.proposed")
    assert event.changes == {"target": "sales-premium v2", "cohort": "all", "moment": "now"}


@pytest.mark.parametrize(
    ("says", "meant"),
    [
        ({}, {"fjordlys", "nordvik", "tindra"}),
        ({"billing_months": (1,)}, {"tindra"}),
        ({"search": "nord"}, {"nordvik"}),
        ({"codes": ("fjordlys", "tindra")}, {"fjordlys", "tindra"}),
        ({"versions": (1,)}, {"fjordlys", "nordvik", "tindra"}),
        ({"codes": ("fjordlys", "tindra"), "billing_months": (12,)}, {"fjordlys"}),
    ],
)
def test_a_cohort_is_all_or_by_filter_or_by_list(v2: Version, says: Any, meant: set[str]) -> None:
    migration = started(v2, **says)
    assert states(migration).keys() == meant
    assert preview_of(migration).total == len(meant)


def test_a_pasted_list_may_look_like_anything() -> None:
    assert codes_of(" Fjordlys\tnordvik\r\n;tindra,, FJORDLYS\n") == ("fjordlys", "nordvik", "tindra")
    assert Cohort.from_json(Cohort((1, 2), (12,), "x", ("a", "b")).to_json()) == Cohort((1, 2), (12,), "x", ("a", "b"))
    assert Cohort((1, 2), (12, 1), "x").words == "on v1 or v2, paying annually or monthly, matching “x”"


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({"codes": ("fjordlys", "fjordlis")}, "There is no customer fjordlis."),
        ({"moment": "date"}, "Say on which date, or choose another moment."),
        ({"moves_at": hours(60)}, "Say on which date, or choose another moment."),
        ({"moment": "date", "moves_at": hours(49)}, "The date has passed."),
        ({"deadline": hours(50)}, "The deadline has passed."),
        ({"moment": "date", "moves_at": hours(90), "deadline": hours(80)}, "before the date on which customers move"),
        ({"reason": "  "}, "blank"),
        ({"moment": "someday"}, "not a valid choice"),
    ],
)
def test_what_cannot_be_is_told_all_at_once(v2: Version, says: Any, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        proposed(v2, **says)
    assert told in " ".join(fault["message"] for fault in refused.value.faults)
    assert not Migration.objects.exists()


def test_nobody_is_moved_to_what_is_not_on_sale(market: Market, v2: Version) -> None:
    with pytest.raises(NotPublished):
        proposed(drafted(market))
    publishing.retire(version=v2, actor=SYSTEM, at=hours(45))
    with pytest.raises(NotPublished):
        proposed(v2)


def test_a_migration_without_anybody_is_refused(market: Market, v2: Version) -> None:
    with pytest.raises(NobodyToMove, match=r"\(on v2\)"):
        proposed(v2, versions=(2,))


# ── Starting ────────────────────────────────────────────────────────────────
def test_it_starts_after_its_preview_only(v2: Version) -> None:
    migration = migrating.propose(target=v2, actor=SYSTEM, at=hours(50), reason="Now")
    with pytest.raises(NotPreviewed):
        migrating.start(migration=migration, actor=SYSTEM, at=hours(50))
    assert states(migration) == {}


def test_everybody_moves_and_new_sales_have_been_there_all_along(v2: Version, fjordlys: Town, nordvik: Town) -> None:
    newcomer = Town("newcomer", ["eva"])
    newcomer.buys(sales_premium=1, at=hours(45))
    assert on_version(newcomer) == {2}
    migration = started(v2)
    assert "newcomer" not in states(migration)
    before = fjordlys.revision()
    assert set(runs(migration).values()) == {"moved"}
    assert migration.state == "done"
    assert (on_version(fjordlys), on_version(nordvik)) == ({2}, {2})
    assert fjordlys.revision() == before + 1
    assert fjordlys.access("ola", "quotes", hours(60)) == "none"
    assert fjordlys.access("ola", "quotes", hours(49)) == "edit"
    event = AuditEvent.objects.get(action="version.moved", customer=fjordlys.customer)
    assert (event.changes, event.reason) == ({"sales-premium": [1, 2]}, "Premium grew up.")


def test_nobody_else_moves(v2: Version, fjordlys: Town, nordvik: Town) -> None:
    runs(started(v2, codes=("nordvik",)))
    assert (on_version(fjordlys), on_version(nordvik)) == ({1}, {2})


def test_the_moment_is_now_a_date_or_each_renewal_but_never_after_the_deadline(v2: Version, fjordlys: Town) -> None:
    renewal = datetime(2027, 1, 5, tzinfo=UTC)
    for says, due in (
        ({}, hours(50)),
        ({"moment": "date", "moves_at": hours(80)}, hours(80)),
        ({"moment": "renewal"}, renewal),
        ({"moment": "renewal", "deadline": hours(90)}, hours(90)),
        ({"moment": "renewal", "deadline": renewal + timedelta(days=1)}, renewal),
    ):
        migration = started(v2, **says)
        assert row_of(migration, fjordlys).due_at == due
        migrating.cancel(migration=migration, actor=SYSTEM, at=hours(50))


def test_nobody_is_due_before_the_version_is_in_effect(market: Market, fjordlys: Town) -> None:
    coming = published(drafted(market, quotes=None), effective_from=hours(70))
    migration = started(coming)
    assert runs(migration, hours(69)) == {"fjordlys": "waiting"}
    assert runs(migration, hours(70)) == {"fjordlys": "moved"}


def test_whoever_is_in_another_open_migration_is_skipped(market: Market, v2: Version, nordvik: Town) -> None:
    first = started(v2, codes=("nordvik",), moment="date", moves_at=hours(90))
    second = started(v2)
    assert states(second) == {"fjordlys": "waiting", "nordvik": "skipped", "tindra": "waiting"}
    assert row_of(second, nordvik).why == "Another migration of the same plan moves this customer."
    migrating.cancel(migration=first, actor=SYSTEM, at=hours(51))
    assert states(started(v2, codes=("nordvik",))) == {"nordvik": "waiting"}


def test_the_cohort_is_fixed_at_the_start_and_who_came_and_went_is_told(v2: Version, market: Market) -> None:
    migration = started(v2, moment="date", moves_at=hours(90))
    assert migrating.drift(migration, hours(51)) == migrating.Drift(0, 0)
    late = Town("late", ["liv"])
    late.buys(sales_premium=1, at=hours(51))
    move_to_version(customer=late.customer, actor=SYSTEM, version=v2.base, at=hours(53))
    assert migrating.drift(migration, hours(54)) == migrating.Drift(1, 0)
    assert "late" not in runs(migration, hours(91))


# ── Running ─────────────────────────────────────────────────────────────────
def test_running_it_again_changes_nothing(v2: Version, fjordlys: Town) -> None:
    migration = started(v2)
    runs(migration)
    revision, events = fjordlys.revision(), AuditEvent.objects.count()
    runs(migration)
    # The message comes twice, as after a crash between the work and its receipt.
    moving.deliver_migration({"migration": migration.pk, "turn": migration.turn})
    assert (fjordlys.revision(), AuditEvent.objects.count()) == (revision, events)
    assert set(states(migration).values()) == {"moved"}


def test_pause_stops_after_the_customer_at_hand_and_resume_goes_on(v2: Version) -> None:
    migration = started(v2)
    assert sorted(runs(migration, most=1).values()) == ["moved", "waiting", "waiting"]
    migrating.pause(migration=migration, actor=SYSTEM, at=hours(52), reason="Somebody called")
    assert sorted(runs(migration, hours(53)).values()) == ["moved", "waiting", "waiting"]
    with pytest.raises(NotInState, match="paused, so it can't be paused"):
        migrating.pause(migration=migration, actor=SYSTEM, at=hours(53))
    migrating.resume(migration=migration, actor=SYSTEM, at=hours(54))
    assert set(runs(migration, hours(55)).values()) == {"moved"}
    trail = AuditEvent.objects.filter(object_type="migration").order_by("at", "pk").values_list("action", flat=True)
    assert list(trail) == [f"migration.{done}" for done in ("proposed", "started", "paused", "resumed", "done")]


def test_a_crash_loses_nothing_and_does_nothing_twice(
    v2: Version, fjordlys: Town, nordvik: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    migration = started(v2)
    real, calls = moving.move_to_version, []

    def power_cut(**how: Any) -> Any:
        calls.append(how["customer"].code)
        if len(calls) == 2:
            real(**how)  # done, but not committed
            raise KeyboardInterrupt
        return real(**how)

    monkeypatch.setattr(moving, "move_to_version", power_cut)
    with time_machine.travel(hours(51), tick=False), pytest.raises(KeyboardInterrupt):
        deliver_due(now=hours(51))
    assert sorted(states(migration).values()) == ["moved", "waiting", "waiting"]
    monkeypatch.setattr(moving, "move_to_version", real)
    again = OutboxMessage.objects.filter(topic="migration", delivered_at=None).get()
    assert again.leased_until is not None
    with time_machine.travel(hours(52), tick=False):
        assert deliver_due(now=again.leased_until) >= 1
    assert set(states(migration).values()) == {"moved"}
    assert AuditEvent.objects.filter(action="version.moved").count() == 3


def test_the_worker_comes_back_when_the_next_is_due(v2: Version, tindra: Town) -> None:
    migration = started(v2, moment="renewal")
    months: Callable[[int], datetime] = lambda n: datetime(2027, n, 5, tzinfo=UTC)  # noqa: E731
    with time_machine.travel(hours(51), tick=False):
        deliver_due(now=hours(51))
    message = OutboxMessage.objects.get(topic="migration", delivered_at=None)
    assert message.next_attempt_at == months(1)
    with time_machine.travel(months(1), tick=False):
        assert deliver_due(now=months(1)) == 1
    migration.refresh_from_db()
    assert (migration.state, set(states(migration).values())) == ("done", {"moved"})
    assert not OutboxMessage.objects.filter(topic="migration", delivered_at=None).exists()


def test_pausing_and_resuming_leaves_one_message_that_counts(v2: Version) -> None:
    migration = started(v2, moment="date", moves_at=hours(90))
    for n in range(3):
        migrating.pause(migration=migration, actor=SYSTEM, at=hours(51 + n))
        migrating.resume(migration=migration, actor=SYSTEM, at=hours(51 + n))
    with time_machine.travel(hours(60), tick=False):
        deliver_due(now=hours(60))
    waiting = OutboxMessage.objects.filter(topic="migration", delivered_at=None)
    assert [message.next_attempt_at for message in waiting] == [hours(90)]


# ── What is in the way ──────────────────────────────────────────────────────
@pytest.fixture
def crowded(v2: Version, market: Market, fjordlys: Town) -> Version:
    """Fjordlys asked for fewer seats than it uses: its package waits, and any other would wait too."""
    fjordlys.buys(sales_premium=1, at=hours(45))
    return v2


def test_a_package_that_would_not_fit_blocks_the_move_and_the_preview_says_so(crowded: Version, fjordlys: Town) -> None:
    migration = started(crowded, codes=("fjordlys",), deadline=hours(51 + 30))
    problem = preview_of(migration).problems.get()
    assert (problem.kind, problem.in_use, problem.new_total, problem.remove) == ("does_not_fit", 2, 1, 1)
    assert preview_of(migration).stopped == 1
    before = fjordlys.revision()
    assert runs(migration, hours(51)) == {"fjordlys": "blocked"}
    row = row_of(migration, fjordlys)
    assert row.why == (
        "Seats have to be given back first. superoffice.ten-sales-premium: 2 in use, 1 in the new package."
    )
    assert row.try_at == hours(51 + 24)
    assert (fjordlys.revision(), on_version(fjordlys)) == (before, {1})
    assert runs(migration, hours(51 + 24)) == {"fjordlys": "blocked"}
    assert row_of(migration, fjordlys).try_at == hours(51 + 30)  # the deadline: a last time
    assert runs(migration, hours(51 + 30)) == {"fjordlys": "overdue"}
    assert migration.state == "done"

    fjordlys.takes("ida", "ten-sales-premium", at=hours(90))
    assert migrating.try_again(migration=migration, actor=SYSTEM, at=hours(91)) == 1
    assert runs(migration, hours(91)) == {"fjordlys": "moved"}


def test_who_runs_it_may_let_packages_wait(crowded: Version, fjordlys: Town) -> None:
    migration = proposed(crowded, codes=("fjordlys",))
    migrating.start(migration=migration, actor=SYSTEM, at=hours(50), allows_pending=True)
    assert runs(migration) == {"fjordlys": "moved"}
    assert row_of(migration, fjordlys).why == "SUPEROFFICE #3 waits until seats are given back."
    assert Package.objects.get(customer=fjordlys.customer, state="pending").number == 3
    assert fjordlys.access("ola", "quotes", hours(60)) == "edit"  # until seats are given back


def test_what_a_version_needs_blocks_until_it_is_there(market: Market, fjordlys: Town) -> None:
    version = drafted(market)
    drafting.set_rules(version=version, needs=["chat"], excludes=[], actor=SYSTEM, at=hours(22))
    migration = started(published(version))
    assert runs(migration) == {"fjordlys": "blocked"}
    assert row_of(migration, fjordlys).why == "sales-premium needs chat."
    fjordlys.buys(chat=1, at=hours(60))
    assert runs(migration, hours(51 + 24)) == {"fjordlys": "moved"}


def test_who_left_the_plan_or_was_moved_by_hand_is_skipped(v2: Version, fjordlys: Town, nordvik: Town) -> None:
    migration = started(v2)
    change_items(customer=nordvik.customer, actor=SYSTEM, items={"sales-premium": 0, "chat": 1}, at=hours(50.2))
    move_to_version(customer=fjordlys.customer, actor=SYSTEM, version=v2, at=hours(50.3))
    assert migrating.drift(migration, hours(50.5)) == migrating.Drift(0, 2)
    assert runs(migration) == {"fjordlys": "skipped", "nordvik": "skipped", "tindra": "moved"}
    assert row_of(migration, fjordlys).why == "Was on sales-premium v2 already."
    assert row_of(migration, nordvik).why == "Nordvik AS doesn't have sales-premium."


def test_one_that_breaks_does_not_stop_the_others(v2: Version, nordvik: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    real = moving.move_to_version

    def breaks(**how: Any) -> Any:
        if how["customer"].code == "nordvik":
            raise ValueError("No such thing.")
        return real(**how)

    monkeypatch.setattr(moving, "move_to_version", breaks)
    migration = started(v2)
    assert runs(migration) == {"fjordlys": "moved", "nordvik": "failed", "tindra": "moved"}
    assert row_of(migration, nordvik).why == "ValueError: No such thing."
    monkeypatch.setattr(moving, "move_to_version", real)
    migrating.try_again(migration=migration, actor=SYSTEM, at=hours(52))
    assert set(runs(migration, hours(52)).values()) == {"moved"}


def test_a_target_that_is_retired_meanwhile_pauses_it(v2: Version) -> None:
    migration = started(v2, moment="date", moves_at=hours(90))
    publishing.retire(version=v2, actor=SYSTEM, at=hours(60))
    assert set(runs(migration, hours(91)).values()) == {"waiting"}
    assert migration.state == "paused"
    assert AuditEvent.objects.get(action="migration.paused").reason == "sales-premium v2 was retired meanwhile."
    with pytest.raises(NotPublished):
        migrating.resume(migration=migration, actor=SYSTEM, at=hours(92))


def test_cancelling_leaves_everybody_where_they_are(v2: Version) -> None:
    migration = started(v2)
    runs(migration, most=1)
    migrating.cancel(migration=migration, actor=SYSTEM, at=hours(52), reason="Never mind")
    assert sorted(runs(migration, hours(53)).values()) == ["moved", "skipped", "skipped"]
    assert migration.state == "cancelled"


# ── Back again ──────────────────────────────────────────────────────────────
def test_one_customer_goes_back_to_the_version_before(v2: Version, fjordlys: Town, nordvik: Town) -> None:
    before = fjordlys.answer("ola", hours(49))
    migration = started(v2)
    runs(migration)
    row = row_of(migration, fjordlys)
    told = moving.roll_back(row=row, actor=SYSTEM, at=hours(60), dry_run=True)
    assert told.was == v2
    assert on_version(fjordlys) == {2}
    moving.roll_back(row=row, actor=SYSTEM, at=hours(60))
    assert (on_version(fjordlys), on_version(nordvik)) == ({1}, {2})
    assert fjordlys.answer("ola", hours(61)) == before
    assert AuditEvent.objects.get(action="version.rolled_back").changes == {"sales-premium": [2, 1]}
    with pytest.raises(NothingToRollBack):
        moving.roll_back(row=row, actor=SYSTEM, at=hours(62))


def test_a_plan_that_moved_since_stays(market: Market, v2: Version, fjordlys: Town, nordvik: Town) -> None:
    migration = started(v2)
    runs(migration)
    v3 = published(drafted(market, chat=True), at=hours(55))
    move_to_version(customer=fjordlys.customer, actor=SYSTEM, version=v3, at=hours(60))
    with pytest.raises(MovedSince, match="has v3 of sales-premium now"):
        moving.roll_back(row=row_of(migration, fjordlys), actor=SYSTEM, at=hours(61))
    move_to_version(customer=fjordlys.customer, actor=SYSTEM, version=v2, at=hours(62))
    with pytest.raises(MovedSince):  # there again, but by another way
        moving.roll_back(row=row_of(migration, fjordlys), actor=SYSTEM, at=hours(63))
    change_items(customer=nordvik.customer, actor=SYSTEM, items={"sales-premium": 0, "chat": 1}, at=hours(60))
    with pytest.raises(MovedSince, match="has nothing of sales-premium now"):
        moving.roll_back(row=row_of(migration, nordvik), actor=SYSTEM, at=hours(61))


def test_seats_bought_since_are_kept_when_a_customer_goes_back(v2: Version, fjordlys: Town) -> None:
    migration = started(v2)
    runs(migration)
    fjordlys.buys(sales_premium=9, at=hours(55))
    moving.roll_back(row=row_of(migration, fjordlys), actor=SYSTEM, at=hours(60))
    item = fjordlys.customer.items.in_force(hours(61)).get()
    assert (item.version.number, item.quantity) == (1, 9)


def test_all_go_back_in_the_background_and_who_moved_since_stays(
    market: Market, v2: Version, fjordlys: Town, nordvik: Town, tindra: Town
) -> None:
    migration = started(v2)
    runs(migration)
    v3 = published(drafted(market, chat=True), at=hours(55))
    move_to_version(customer=fjordlys.customer, actor=SYSTEM, version=v3, at=hours(56))
    assert moving.roll_back_all(migration=migration, actor=SYSTEM, at=hours(60)) == 3
    assert set(states(migration).values()) == {"returning"}
    assert runs(migration, hours(60), most=1) is not None
    migrating.pause(migration=migration, actor=SYSTEM, at=hours(60))
    migrating.resume(migration=migration, actor=SYSTEM, at=hours(60))
    assert runs(migration, hours(61)) == {"fjordlys": "moved", "nordvik": "rolled_back", "tindra": "rolled_back"}
    assert migration.state == "done"
    assert row_of(migration, fjordlys).why.startswith("Not rolled back: fjordlys has v3 of sales-premium now")
    assert (on_version(nordvik), on_version(tindra), on_version(fjordlys)) == ({1}, {1}, {3})


def test_sending_all_back_ends_what_was_still_to_come(v2: Version) -> None:
    migration = started(v2)
    runs(migration, most=1)
    moving.roll_back_all(migration=migration, actor=SYSTEM, at=hours(52))
    assert sorted(runs(migration, hours(53)).values()) == ["rolled_back", "skipped", "skipped"]
    with pytest.raises(NothingToRollBack):
        moving.roll_back_all(migration=migration, actor=SYSTEM, at=hours(54))


def test_a_start_costs_the_same_for_all_and_a_move_the_same_for_each(v2: Version) -> None:
    few, many = proposed(v2, codes=("nordvik",)), proposed(v2, codes=("fjordlys", "tindra"))
    costs = []
    for migration in (few, many):
        with CaptureQueriesContext(connection) as asked:
            migrating.start(migration=migration, actor=SYSTEM, at=hours(50))
        costs.append(len(asked))
    assert costs[0] == costs[1]
    moves = []
    for n in (1, 2):
        migration.refresh_from_db()
        with CaptureQueriesContext(connection) as asked:
            moving.run_batch(migration=migration, at=hours(50 + n), most=1)
        moves.append(len(asked))
    assert moves[1] <= moves[0] + 3  # what ends the migration
