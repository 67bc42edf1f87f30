"""Counting what is used: reported, reserved, never over. Rules L-1 to L-7."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from customers.errors import Invalid, NotFound
from licensing.facts import Mode
from licensing.models import UsageCounter, UsageReservation
from licensing.services.metering import (
    add_usage,
    confirm_reservation,
    release_reservation,
    reserve,
    set_usage,
    usage_of,
    usages_of,
)
from licensing.usage_errors import LimitReached, NotCounted, ReservationOver, UsageBelowZero
from tests.licensing.counting import of, open_counting_market
from tests.licensing.market import Town, hours
from tests.licensing.test_periods import override

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def _open_town(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Town]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield open_counting_market()
        transaction.set_rollback(True)


@pytest.fixture
def here(_open_town: Town, db: Any) -> Town:
    return _open_town


class TestReporting:
    def test_the_absolute_number_and_what_comes_on_top(self, here: Town) -> None:
        assert set_usage(subject=of(here, "projects"), used=3).tally.used == 3
        assert add_usage(subject=of(here, "projects"), amount=1).tally.remaining == 1
        usage = add_usage(subject=of(here, "projects"), amount=-2)
        assert (usage.tally.used, usage.tally.limit, usage.tally.state) == (2, 5, "normal")
        assert usage_of(of(here, "projects", "ida")).tally.used == 0

    def test_what_is_used_may_be_above_the_limit_for_it_is_what_is(self, here: Town) -> None:
        usage = set_usage(subject=of(here, "projects"), used=9)
        assert (usage.tally.used, usage.tally.remaining, usage.tally.state) == (9, 0, "reached")

    def test_less_than_nothing_is_refused(self, here: Town) -> None:
        set_usage(subject=of(here, "projects"), used=2)
        with pytest.raises(UsageBelowZero):
            add_usage(subject=of(here, "projects"), amount=-3)
        assert usage_of(of(here, "projects")).tally.used == 2

    def test_more_than_can_be_counted_is_refused(self, here: Town) -> None:
        set_usage(subject=of(here, "projects"), used=2**53 - 1)
        with pytest.raises(Invalid):
            add_usage(subject=of(here, "projects"), amount=1)

    def test_counting_changes_no_answer_and_so_no_revision(self, here: Town) -> None:
        before = here.revision()
        set_usage(subject=of(here, "projects"), used=3)
        reserve(subject=of(here, "projects"), amount=1)
        assert here.revision() == before

    def test_a_dry_run_counts_nothing(self, here: Town) -> None:
        assert set_usage(subject=of(here, "projects"), used=3, dry_run=True).tally.used == 3
        assert reserve(subject=of(here, "projects"), amount=5, dry_run=True)[0].tally.used == 5
        assert not UsageCounter.objects.exists()

    def test_a_customers_limit_is_that_of_all_its_users_together(self, here: Town) -> None:
        usage = set_usage(subject=of(here, "storage", None), used=99)
        assert (usage.tally.limit, usage.tally.remaining, usage.tally.state) == (100, 1, "near")


class TestWhatIsCounted:
    @pytest.mark.parametrize(
        ("feature", "user", "where"),
        [("storage", "ola", "customer"), ("projects", None, "user"), ("email-limit", "ola", ""), ("sales", None, "")],
    )
    def test_each_limit_at_its_own_place(self, here: Town, feature: str, user: str | None, where: str) -> None:
        with pytest.raises(NotCounted) as refusal:
            of(here, feature, user)
        assert where in refusal.value.next_action

    def test_an_unknown_feature(self, here: Town) -> None:
        with pytest.raises(NotFound):
            of(here, "teleport")


class TestReserving:
    def test_up_to_the_limit_and_not_one_more(self, here: Town) -> None:
        usage, held = reserve(subject=of(here, "projects"), amount=5)
        assert (usage.tally.used, held) == (5, None)
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "projects"), amount=1)
        assert "Ola has 0 of 5 left of projects" in refusal.value.message

    def test_the_refusal_names_the_plan_that_would_allow_it(self, here: Town) -> None:
        set_usage(subject=of(here, "projects"), used=5)
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "projects"), amount=1)
        ways = refusal.value.details["would_allow"]
        assert [(way["code"], way["limit"]) for way in ways] == [("sales-premium", 20), ("sales-service-premium", None)]
        assert refusal.value.next_action == f"{ways[0]['name']} would allow it."

    def test_what_is_named_is_tried_with_all_that_holds(self, here: Town) -> None:
        """A plan takes the place of another of its solution, and what an override holds down no plan lifts."""
        override(here, Mode.AT_MOST, feature="projects", value=7, user=here.users["ola"], at=hours(30))
        set_usage(subject=of(here, "projects"), used=5)
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "projects"), amount=2)
        assert {(way["code"], way["limit"]) for way in refusal.value.details["would_allow"]} == {
            ("sales-premium", 7), ("sales-service-premium", 7),
        }  # fmt: skip
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "projects"), amount=3)
        assert refusal.value.details["would_allow"] == []
        assert refusal.value.next_action == "Free some of what is used, or ask for an override."

    def test_what_adds_up_adds_up_once(self, here: Town) -> None:
        """Points add up over plans, but Premium, which includes Essentials, takes its place."""
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "points"), amount=31)
        ways = refusal.value.details["would_allow"]
        assert [(way["code"], way["limit"]) for way in ways] == [
            ("sales-premium", 31), ("sales-service-premium", 31),
        ]  # fmt: skip
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "points"), amount=32)
        assert refusal.value.details["would_allow"] == []

    def test_one_more_of_an_add_on_is_a_way_too(self, here: Town) -> None:
        set_usage(subject=of(here, "storage", None), used=100)
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "storage", None), amount=100)
        (way,) = refusal.value.details["would_allow"]
        assert (way["how"], way["code"], way["type"], way["limit"]) == ("more", "storage", "add_on", 200)
        assert refusal.value.next_action == f"One more of {way['name']} would allow it."
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "storage", None), amount=101)
        assert refusal.value.details["would_allow"] == []

    def test_a_seat_that_is_there_is_told_as_one(self, here: Town) -> None:
        here.buys(sales_premium=1, at=hours(30))
        set_usage(subject=of(here, "projects"), used=5)
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "projects"), amount=1)
        assert [(way["how"], way["code"]) for way in refusal.value.details["would_allow"]] == [
            ("seat", "sales-premium"), ("sale", "sales-service-premium"),
        ]  # fmt: skip
        assert refusal.value.next_action.startswith("A seat of ")
        here.gives("per", "ten-sales-premium", at=hours(31))
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "projects"), amount=1)
        assert [(way["how"], way["free"]) for way in refusal.value.details["would_allow"]] == [
            ("seat", 0), ("sale", None),
        ]  # fmt: skip
        assert refusal.value.next_action.startswith("One more seat of ")
        assert refusal.value.next_action.endswith(" would allow it; all of them are taken.")

    def test_who_has_no_such_feature_may_reserve_nothing(self, here: Town) -> None:
        with pytest.raises(LimitReached) as refusal:
            reserve(subject=of(here, "projects", "per"), amount=1)
        assert refusal.value.message == "Per may not use projects."
        assert refusal.value.details["would_allow"][0]["code"] == "sales-essentials"

    def test_after_a_downgrade_the_data_stays_and_nothing_new_is_reserved(self, here: Town) -> None:
        here.buys(sales_premium=1, at=hours(30))
        here.gives("ola", "ten-sales-premium", at=hours(31))
        reserve(subject=of(here, "projects"), amount=12)
        here.gives("ola", "ten-sales-essentials", at=hours(32))

        usage = usage_of(of(here, "projects"))

        assert (usage.tally.used, usage.tally.limit, usage.tally.state) == (12, 5, "reached")
        with pytest.raises(LimitReached):
            reserve(subject=of(here, "projects"), amount=1)

    def test_without_a_limit_there_is_always_room(self, here: Town) -> None:
        here.buys(sales_service_premium=1, at=hours(30))
        here.gives("ola", "ten-sales-service-premium", at=hours(31))
        usage, _ = reserve(subject=of(here, "projects"), amount=10**6)
        assert (usage.tally.remaining, usage.tally.state) == (None, "normal")


class TestReservationsForAWhile:
    def test_what_is_set_aside_is_confirmed_in_part_and_the_rest_is_free(self, here: Town) -> None:
        usage, held = reserve(subject=of(here, "projects"), amount=4, expires_in=MINUTE)
        assert held is not None
        assert (usage.tally.used, usage.tally.reserved, usage.tally.remaining) == (0, 4, 1)
        with pytest.raises(LimitReached):
            reserve(subject=of(here, "projects"), amount=2)

        usage = confirm_reservation(reservation=held, used=3)

        assert (usage.tally.used, usage.tally.reserved, usage.tally.remaining) == (3, 0, 2)

    def test_released_it_never_was(self, here: Town) -> None:
        _, held = reserve(subject=of(here, "projects"), amount=4, expires_in=MINUTE)
        assert held is not None
        assert release_reservation(reservation=held).tally.remaining == 5

    @pytest.mark.parametrize("settle", [confirm_reservation, release_reservation])
    def test_it_is_settled_once(self, here: Town, settle: Any) -> None:
        _, held = reserve(subject=of(here, "projects"), amount=4, expires_in=MINUTE)
        assert held is not None
        settle(reservation=held)
        with pytest.raises(ReservationOver):
            settle(reservation=held)

    def test_when_its_time_is_over_it_counts_no_longer_and_is_not_confirmed(self, here: Town) -> None:
        noon = datetime(2026, 5, 5, 12, tzinfo=UTC)
        _, held = reserve(subject=of(here, "projects"), amount=4, expires_in=MINUTE, at=noon)
        assert held is not None
        assert usage_of(of(here, "projects"), at=noon + MINUTE / 2).tally.reserved == 4
        assert usage_of(of(here, "projects"), at=noon + MINUTE).tally.reserved == 0
        with pytest.raises(ReservationOver) as refusal:
            confirm_reservation(reservation=held, at=noon + MINUTE)
        assert refusal.value.details == {"outcome": "expired"}

    def test_more_than_was_reserved_is_not_confirmed(self, here: Town) -> None:
        _, held = reserve(subject=of(here, "projects"), amount=1, expires_in=MINUTE)
        assert held is not None
        with pytest.raises(Invalid):
            confirm_reservation(reservation=held, used=2)
        assert confirm_reservation(reservation=held, used=0).tally.used == 0


class TestPeriods:
    def test_each_calendar_month_begins_at_0(self, here: Town) -> None:
        may = datetime(2026, 5, 31, 23, 59, tzinfo=UTC)
        usage = set_usage(subject=of(here, "mails"), used=90, at=may)
        assert usage.window is not None
        assert (usage.window.starts_at.isoformat(), usage.tally.state) == ("2026-05-01T00:00:00+00:00", "near")
        assert usage_of(of(here, "mails"), at=may + MINUTE).tally.used == 0
        assert usage_of(of(here, "mails"), at=may).tally.used == 90

    def test_months_of_the_contract_begin_on_its_day(self, here: Town) -> None:
        start = here.customer.subscriptions.get().starts_on
        at = datetime(start.year + 1, start.month, start.day, tzinfo=UTC) - MINUTE
        set_usage(subject=of(here, "calls", None), used=40, at=at)
        assert usage_of(of(here, "calls", None), at=at + MINUTE).tally.used == 0
        assert usage_of(of(here, "calls", None), at=at).tally.used == 40

    def test_several_at_once_say_what_each_says_alone(self, here: Town) -> None:
        set_usage(subject=of(here, "mails"), used=7)
        reserve(subject=of(here, "projects"), amount=1, expires_in=MINUTE)
        subjects = [of(here, "projects"), of(here, "mails")]
        at = datetime.now(UTC)
        together = usages_of(here.customer, here.users["ola"], [subject.feature for subject in subjects], at=at)
        assert together == [usage_of(subject, at=at) for subject in subjects]


class TestTheDatabaseRefuses:
    def test_two_counters_of_one_thing(self, here: Town) -> None:
        set_usage(subject=of(here, "projects"), used=1)
        set_usage(subject=of(here, "storage", None), used=1)
        for counter in UsageCounter.objects.all():
            counter.pk = None
            with pytest.raises(IntegrityError), transaction.atomic():
                counter.save(force_insert=True)

    def test_a_reservation_that_is_settled_by_half(self, here: Town) -> None:
        _, held = reserve(subject=of(here, "projects"), amount=1, expires_in=MINUTE)
        assert held is not None
        rows = UsageReservation.objects.filter(pk=held.pk)
        for change in ({"outcome": "confirmed"}, {"settled_at": held.created_at}, {"amount": 0}):
            with pytest.raises(IntegrityError), transaction.atomic():
                rows.update(**change)
