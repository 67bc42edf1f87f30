"""What is due happens by the clock: scheduled items, packages, releases and ends (P-9 to P-16, B-3, B-4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from customers.actor import SYSTEM
from customers.errors import Invalid, NotFound
from licensing.errors import ItemsRefused, NoSubscription, NothingScheduled, SubscriptionCancelled
from licensing.models import CustomerRevision, Package, PlannedRelease, RevisionEntry, Seat, SubscriptionItem
from licensing.outlook import outlook_of
from licensing.selectors import users_per_module
from licensing.services.subscriptions import (
    RENEWAL,
    cancel_scheduled,
    cancel_subscription,
    change_items,
    move_to_version,
    resume_subscription,
    subscribe,
)
from tests.licensing.market import Market, Town, hours

RENEWS = datetime(2027, 1, 5, tzinfo=UTC)  # a year after the shop opened
TICK = timedelta(microseconds=1)
PLAN = "ten-sales-essentials"
WHO = ("ola", "ida", "per")


@pytest.fixture
def full(town: Town) -> Town:
    """Fjordlys with three seats of Sales Essentials, all taken: Ola's is the oldest, Per's the newest."""
    town.buys(sales_essentials=3, at=hours(1))
    for at, name in enumerate(WHO, start=2):
        town.gives(name, PLAN, at=hours(at))
    return town


def later(
    town: Town, due: datetime | str = RENEWAL, at: datetime | None = None, release: Any = None, **items: int
) -> Any:
    wanted = {code.replace("_", "-"): quantity for code, quantity in items.items()}
    return change_items(customer=town.customer, actor=SYSTEM, items=wanted, due=due, release=release, at=at or hours(9))


def holders(at: datetime) -> set[str]:
    return set(Seat.objects.held_at(at).values_list("user__code", flat=True))


def states(town: Town) -> dict[int, str]:
    return dict(town.customer.packages.order_by("number").values_list("number", "state"))


class TestScheduledItems:
    def test_a_resize_at_renewal_has_its_package_and_its_number_at_once(self, full: Town) -> None:
        """P-9, P-12."""
        later(full, sales_essentials=5)

        now, then = full.customer.packages.order_by("number")
        assert (now.number, now.state, now.ended_at) == (1, Package.State.ACTIVE, RENEWS)
        assert (then.number, then.state, then.activated_at) == (2, Package.State.SCHEDULED, RENEWS)
        assert then.rows.get(module_name=PLAN).license_number == 5
        items = SubscriptionItem.objects.filter(customer=full.customer)
        assert [(i.quantity, i.ends_at) for i in items.in_force(RENEWS - TICK)] == [(3, RENEWS)]
        assert [(i.quantity, i.ends_at) for i in items.in_force(RENEWS)] == [(5, None)]

    def test_what_is_due_happens_without_a_job(self, full: Town) -> None:
        later(full, service_essentials=2)

        assert full.access(None, "requests", RENEWS - TICK) == "none"
        assert full.access(None, "requests", RENEWS) == "edit"
        assert Package.objects.filter(customer=full.customer).active(RENEWS).get().number == 2
        full.assert_whole()

    def test_the_next_commit_writes_down_what_the_clock_has_done(self, full: Town) -> None:
        """P-14: one revision per instant, dated with it."""
        later(full, sales_essentials=2)
        before = full.revision()

        full.gives("ola", release=[PLAN], at=RENEWS + timedelta(hours=1))

        assert states(full) == {1: "superseded", 2: "active"}
        entries = RevisionEntry.objects.filter(customer=full.customer, number__gt=before).order_by("number")
        assert [(entry.at, entry.cause) for entry in entries] == [
            (RENEWS, "package.activated"),
            (RENEWS + timedelta(hours=1), "seats.changed"),
        ]
        per = Seat.objects.get(user__code="per")
        assert (per.released_at, per.leaves_at) == (RENEWS, None)
        assert per.released_in.at == RENEWS
        full.assert_whole()

    def test_a_change_at_an_instant_keeps_later_ones(self, full: Town) -> None:
        later(full, sales_essentials=8)
        later(full, due=hours(48), sales_essentials=5, at=hours(10))

        items = SubscriptionItem.objects.filter(customer=full.customer).order_by("starts_at")
        assert [(i.quantity, i.starts_at, i.ends_at) for i in items] == [
            (3, hours(1), hours(48)),
            (5, hours(48), RENEWS),
            (8, RENEWS, None),
        ]
        assert {p.activated_at for p in full.customer.packages.scheduled()} == {hours(48), RENEWS}

    def test_what_is_scheduled_can_be_taken_back(self, full: Town) -> None:
        later(full, sales_essentials=1, release={PLAN: ["ola"]})

        cancel_scheduled(customer=full.customer, actor=SYSTEM, offer="sales-essentials", at=hours(10))

        assert states(full) == {1: "active", 2: "withdrawn"}
        item = SubscriptionItem.objects.get(customer=full.customer)
        assert (item.quantity, item.ends_at) == (3, None)
        assert not PlannedRelease.objects.exists()
        assert holders(RENEWS) == set(WHO)
        assert CustomerRevision.objects.get(customer=full.customer).due_at is None
        with pytest.raises(NothingScheduled):
            cancel_scheduled(customer=full.customer, actor=SYSTEM, at=hours(11))

    def test_a_package_that_stays_the_same_keeps_its_number(self, full: Town) -> None:
        later(full, sales_essentials=5)
        later(full, due=hours(48), storage=1, at=hours(10))
        full.takes("ola", PLAN, at=hours(11))

        assert states(full) == {1: "active", 2: "withdrawn", 3: "scheduled", 4: "scheduled"}, "renewal has storage now"

    def test_a_start_on_a_later_day(self, town: Town) -> None:
        day = hours(24 * 30).date()
        subscribe(
            customer=town.customer,
            actor=SYSTEM,
            billing_months=1,
            items={"sales-essentials": 1},
            starts_on=day,
            at=hours(1),
        )

        start = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
        assert town.access(None, "sales", start - TICK) == "none"
        assert town.access(None, "sales", start) == "edit"

    @pytest.mark.parametrize("due", [hours(8), hours(9)])
    def test_nothing_is_scheduled_for_the_past(self, full: Town, due: datetime) -> None:
        with pytest.raises(Invalid):
            later(full, due=due, sales_essentials=5)

    def test_a_move_takes_what_is_scheduled_along(self, market: Market, full: Town) -> None:
        """P-7: one version of a plan at any instant."""
        later(full, sales_essentials=5)
        new = market.publish(
            market.sales_essentials, grants={"sales": True, "quotes": True}, includes=("common",), at=hours(10)
        )

        move_to_version(customer=full.customer, actor=SYSTEM, version=new, at=hours(11))

        items = SubscriptionItem.objects.filter(customer=full.customer).not_over(hours(11))
        assert [(i.version_id, i.quantity) for i in items.order_by("starts_at")] == [(new.pk, 3), (new.pk, 5)]


class TestRulesOfItems:
    """P-10: what goes together is judged for every instant to come."""

    @pytest.fixture
    def needy(self, market: Market, town: Town) -> Town:
        market.publish(market.storage, grants={"storage": 100}, needs=("chat",), at=hours(1))
        town.buys(storage=1, chat=1, at=hours(2))
        return town

    def test_ending_what_is_needed_later_is_refused_now(self, needy: Town) -> None:
        with pytest.raises(ItemsRefused) as refused:
            later(needy, chat=0)
        (fault,) = refused.value.details["faults"]
        assert (fault["code"], fault["offer"], fault["at"]) == ("needs", "storage", RENEWS.isoformat())
        assert "2027-01-05" in fault["message"]

    def test_both_can_end_together(self, needy: Town) -> None:
        later(needy, chat=0, storage=0)
        assert needy.customer.packages.scheduled().get().rows.count() == 0

    def test_what_stands_later_can_stand_in_the_way_now(self, needy: Town) -> None:
        later(needy, chat=0, storage=0)
        with pytest.raises(ItemsRefused) as refused:
            cancel_scheduled(customer=needy.customer, actor=SYSTEM, offer="storage", at=hours(10))
        assert [fault["offer"] for fault in refused.value.details["faults"]] == ["storage"]

    def test_all_that_is_wrong_at_all_instants_is_told_at_once(self, needy: Town) -> None:
        later(needy, due=hours(100), sales_essentials=1)
        with pytest.raises(ItemsRefused) as refused:
            change_items(
                customer=needy.customer, actor=SYSTEM, items={"chat": 2, "storage": 0}, due=hours(50), at=hours(10)
            )
        assert [fault["code"] for fault in refused.value.details["faults"]] == ["too_many"]


class TestReleases:
    """P-13: a scheduled downgrade names who gives up their seat."""

    def test_those_named_go_and_nobody_else(self, full: Town) -> None:
        later(full, sales_essentials=2, release={PLAN: ["ola"]})

        assert holders(RENEWS - TICK) == set(WHO)
        assert holders(RENEWS) == {"ida", "per"}
        assert full.access("ola", "sales", RENEWS - TICK) == "edit"
        assert full.access("ola", "sales", RENEWS) == "view"
        full.assert_whole()

    def test_where_names_do_not_do_the_newest_go(self, full: Town) -> None:
        later(full, sales_essentials=1, release={PLAN: ["ola"]})
        assert holders(RENEWS) == {"ida"}

    def test_a_name_whose_seat_is_gone_is_skipped(self, full: Town) -> None:
        later(full, sales_essentials=2, release={PLAN: ["ola"]})

        full.takes("ola", PLAN, at=hours(10))
        assert holders(RENEWS) == {"ida", "per"}, "two are left, and fit"

        full.gives("ola", PLAN, at=hours(11))
        assert holders(RENEWS) == {"ida", "per"}, "named once, gone then: the seat is there again"

    def test_a_seat_given_meanwhile_is_reckoned_with(self, full: Town) -> None:
        full.takes("per", PLAN, at=hours(8))
        later(full, sales_essentials=2)
        assert holders(RENEWS) == {"ola", "ida"}

        full.gives("per", PLAN, at=hours(10))

        assert holders(RENEWS) == {"ola", "ida"}, "the newest goes"
        assert full.answer("per", RENEWS) != full.answer("per", RENEWS - TICK)
        full.assert_whole()

    def test_names_go_with_the_change_they_were_given_for(self, full: Town) -> None:
        later(full, sales_essentials=2, storage=1, release={PLAN: ["ola"]})

        cancel_scheduled(customer=full.customer, actor=SYSTEM, offer="sales-essentials", at=hours(10))
        assert holders(RENEWS) == set(WHO)
        later(full, sales_essentials=2, release={PLAN: ["ola"]}, at=hours(11))
        later(full, sales_essentials=4, at=hours(12))

        assert holders(RENEWS) == set(WHO), "more seats than before: nobody has to go"

    def test_somebody_unknown_is_refused(self, full: Town) -> None:
        with pytest.raises(NotFound):
            later(full, sales_essentials=2, release={PLAN: ["nobody"]})

    def test_at_once_the_named_are_released_and_it_is_active(self, full: Town) -> None:
        made = change_items(
            customer=full.customer,
            actor=SYSTEM,
            items={"sales-essentials": 1},
            release={f"superoffice.{PLAN}": ["per", "ola"]},
            at=hours(9),
        )
        assert made.issued.package is not None
        assert made.issued.package.state == Package.State.ACTIVE
        assert full.holds("ida") == {PLAN}
        assert full.holds("ola") == full.holds("per") == set()

    def test_counts_agree_at_any_instant(self, full: Town) -> None:
        """P-14: between two commits lists and counts go by the clock, as entitlements do."""
        later(full, sales_essentials=1)
        assert users_per_module(full.customer, RENEWS - TICK)[f"superoffice.{PLAN}"] == 3
        assert users_per_module(full.customer, RENEWS)[f"superoffice.{PLAN}"] == 1
        assert Seat.objects.held(RENEWS - TICK).count() == 3
        assert Seat.objects.held(RENEWS).count() == 1

    def test_the_seats_of_a_pending_downgrade_go_with_the_next_package(self, full: Town) -> None:
        full.buys(sales_essentials=1, at=hours(8))
        later(full, storage=1)
        assert states(full) == {1: "active", 2: "pending", 3: "scheduled"}

        full.gives("ola", release=[PLAN], at=RENEWS)

        assert states(full) == {1: "superseded", 2: "withdrawn", 3: "active"}


class TestCancelling:
    """B-3, B-4, P-15."""

    def test_it_ends_with_the_running_term(self, full: Town) -> None:
        made = cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(9))

        assert made.subscription.ends_at == RENEWS
        package = made.issued.package
        assert package is not None
        assert (package.number, package.state) == (2, Package.State.ACTIVE)
        assert package.warning_at == datetime(2026, 12, 5, tzinfo=UTC)
        assert package.expires_at == RENEWS
        assert package.grace_until == datetime(2027, 1, 17, tzinfo=UTC)
        with pytest.raises(SubscriptionCancelled):
            cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(10))

    @pytest.mark.parametrize(
        ("at", "state", "access"),
        [
            (datetime(2026, 12, 5, tzinfo=UTC), "warning", "edit"),
            (RENEWS, "grace", "edit"),
            (datetime(2027, 1, 17, tzinfo=UTC), "stopped", "view"),
        ],
    )
    @pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
    def test_states_begin_at_their_instant_in_every_zone(
        self, full: Town, settings: Any, at: datetime, state: str, access: str, zone: str
    ) -> None:
        """D-1: half-open, in UTC, whatever the server's zone."""
        settings.TIME_ZONE = zone
        before = {"warning": "active", "grace": "warning", "stopped": "grace"}[state]
        package = cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(9)).issued.package
        assert package is not None
        assert package.state_at(at - TICK) == before
        assert package.state_at(at) == package.state_at(at + TICK) == state
        assert full.access("ola", "sales", at - TICK) == "edit"
        assert full.access("ola", "sales", at) == full.access("ola", "sales", at + TICK) == access

    def test_in_a_later_period_it_ends_with_that_period(self, town: Town) -> None:
        subscribe(
            customer=town.customer,
            actor=SYSTEM,
            billing_months=3,
            items={"sales-essentials": 1},
            starts_on=datetime(2024, 1, 31, tzinfo=UTC).date(),
            at=hours(1),
        )
        made = cancel_subscription(customer=town.customer, actor=SYSTEM, at=hours(2))
        assert made.subscription.ends_at == datetime(2026, 1, 31, tzinfo=UTC)
        assert made.issued.package is not None
        assert made.issued.package.state_at(hours(3)) == "warning", "less than a month is left"

    def test_it_can_be_taken_back(self, full: Town) -> None:
        cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(9))

        made = resume_subscription(customer=full.customer, actor=SYSTEM, at=hours(10))

        assert made.subscription.ends_at is None
        assert made.issued.package is not None
        assert made.issued.package.expires_at is None
        assert full.access("ola", "sales", RENEWS + timedelta(days=90)) == "edit"
        with pytest.raises(NothingScheduled):
            resume_subscription(customer=full.customer, actor=SYSTEM, at=hours(11))

    def test_after_its_end_it_is_over_and_another_may_begin(self, full: Town) -> None:
        cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(9))
        after = RENEWS + timedelta(days=1)
        with pytest.raises(NoSubscription):
            change_items(customer=full.customer, actor=SYSTEM, items={"chat": 1}, at=after)

        made = subscribe(
            customer=full.customer, actor=SYSTEM, billing_months=1, items={"sales-essentials": 3}, at=after
        )

        assert made.issued.package is not None
        assert full.customer.subscriptions.get(ended_at=RENEWS).items.get().ends_at == RENEWS
        assert full.access("ola", "sales", after + timedelta(days=60)) == "edit"

    def test_what_was_scheduled_for_later_lapses_and_comes_back(self, full: Town) -> None:
        later(full, due=RENEWS + timedelta(days=30), sales_essentials=9)
        cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(10))
        assert not full.customer.packages.scheduled().exists()
        with pytest.raises(Invalid):
            later(full, due=RENEWS, sales_essentials=9, at=hours(11))

        resume_subscription(customer=full.customer, actor=SYSTEM, at=hours(12))
        assert full.customer.packages.scheduled().get().rows.get(module_name=PLAN).license_number == 9

    def test_what_is_scheduled_before_the_end_ends_too(self, full: Town) -> None:
        later(full, due=hours(100), sales_essentials=9)
        cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(10))
        assert full.customer.packages.scheduled().get().expires_at == RENEWS

    def test_a_package_that_waits_cannot_keep_the_contract_alive(self, full: Town) -> None:
        """The old package has no end; at the end of the term one that has takes its place."""
        full.buys(sales_essentials=1, at=hours(8))
        cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(9))

        assert full.customer.packages.active(RENEWS).get().expires_at == RENEWS
        assert full.access("ola", "sales", RENEWS + timedelta(days=12)) == "view"


class TestOutlook:
    def test_a_dry_run_tells_packages_seats_gains_and_losses_and_leaves_no_trace(self, full: Town) -> None:
        before = full.revision()
        told = change_items(
            customer=full.customer,
            actor=SYSTEM,
            items={"sales-essentials": 1, "service-essentials": 2},
            due=RENEWAL,
            release={PLAN: ["ola"]},
            at=hours(9),
            dry_run=True,
        )
        assert told.outlook is not None
        (stage,) = told.outlook.stages
        assert stage.starts_at == RENEWS
        deltas = {change.module: (change.before, change.total, change.added, change.free) for change in stage.changes}
        assert deltas[f"superoffice.{PLAN}"] == (3, 1, -2, 0)
        assert deltas["superoffice.ten-service-essentials"] == (0, 2, 2, 2)
        assert [seat.user for seat in stage.leaving] == ["ola", "per"]
        assert "requests" in {difference.feature.code for difference in stage.differences}
        assert full.revision() == before
        assert outlook_of(full.customer, hours(9)).stages == ()
        assert not Package.objects.scheduled().exists()

    def test_at_once_it_tells_of_the_package_that_would_be_active_or_wait(self, full: Town) -> None:
        told = change_items(
            customer=full.customer, actor=SYSTEM, items={"sales-essentials": 1}, at=hours(9), dry_run=True
        )
        assert told.outlook is not None
        pending = told.outlook.pending
        assert pending is not None
        (plan,) = [change for change in pending.modules if change.module.endswith(PLAN)]
        assert (plan.in_use, plan.total, plan.superfluous) == (3, 1, 2)
