"""Whatever is scheduled: the same as doing it by hand on the day; and activation never leaves too few seats."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.actor import SYSTEM
from customers.errors import Refusal
from licensing.models import ModuleLicense, Package, Seat
from licensing.services.activation import activate_package, release_superfluous
from licensing.services.packages import superfluous_of
from licensing.services.subscriptions import change_items
from licensing.services.sweeping import sweep
from tests.licensing.market import Market, Town, hours

OFFERS = {
    "sales-essentials": "ten-sales-essentials",
    "service-essentials": "ten-service-essentials",
    "calendar": "nebula",
}
ITEMS = st.dictionaries(st.sampled_from(sorted(OFFERS)), st.integers(0, 3), min_size=1)
PEOPLE = ("ola", "ida", "per")
SEATS = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(sorted(OFFERS.values()))), max_size=4)
SCHEDULE = st.lists(st.tuples(st.integers(1, 3), ITEMS), min_size=1, max_size=3)
THROUGH_THE_DATABASE = settings(max_examples=12, suppress_health_check=list(HealthCheck))


def settle_in(town: Town, seats: list[tuple[str, str]]) -> None:
    town.buys(at=hours(1), **{code.replace("-", "_"): 3 for code in OFFERS})
    for n, (who, module) in enumerate(seats):
        try:
            town.gives(who, module, at=hours(2 + n / 100))
        except Refusal:
            continue  # without the plan that it needs, say


def in_force(town: Town, at: datetime) -> dict[str, int]:
    rows = ModuleLicense.objects.filter(customer=town.customer).in_force(at)
    return {row.module_name: row.license_number for row in rows}


def held(town: Town, at: datetime) -> set[tuple[str, str]]:
    seats = Seat.objects.filter(customer=town.customer).held_at(at)
    return set(seats.values_list("user__code", "module_name"))


@given(SEATS, SCHEDULE)
@THROUGH_THE_DATABASE
def test_what_is_derived_for_an_instant_is_what_doing_it_then_gives(
    market: Market, seats: list[tuple[str, str]], schedule: list[tuple[int, Any]]
) -> None:
    """P-9, P-12, P-13: entitlements, licences and seats, at the instant itself and before the sweeper."""
    with transaction.atomic():
        planned, by_hand = Town("planned", PEOPLE), Town("byhand", PEOPLE)
        for town in (planned, by_hand):
            settle_in(town, seats)
        due: dict[datetime, dict[str, int]] = {}
        # In the order of their days: scheduling what is already to be so then leaves no step of its own.
        for n, (day, items) in enumerate(sorted(schedule, key=lambda change: change[0])):
            due.setdefault(hours(10 * day), {}).update(items)
            change_items(
                customer=planned.customer, actor=SYSTEM, items=items, due=hours(10 * day), at=hours(4 + n / 100)
            )
        for at, items in sorted(due.items()):
            change_items(customer=by_hand.customer, actor=SYSTEM, items=items, release={}, at=at)
            assert in_force(planned, at) == in_force(by_hand, at)
            assert held(planned, at) == held(by_hand, at)
            for who in (*PEOPLE, None):
                assert planned.answer(who, at) == by_hand.answer(who, at)
        planned.assert_whole()
        answers = {(who, at): planned.answer(who, at) for who in (*PEOPLE, None) for at in due}
        sweep(now=hours(60))
        assert answers == {(who, at): planned.answer(who, at) for who in (*PEOPLE, None) for at in due}
        planned.assert_whole()
        transaction.set_rollback(True)


@given(SEATS, ITEMS, st.lists(st.sampled_from(PEOPLE), max_size=3))
@THROUGH_THE_DATABASE
def test_activation_leaves_no_module_over_its_count_or_changes_nothing(
    market: Market, seats: list[tuple[str, str]], items: dict[str, int], leaving: list[str]
) -> None:
    """C-26."""
    with transaction.atomic():
        town = Town("fits", PEOPLE)
        settle_in(town, seats)
        change_items(customer=town.customer, actor=SYSTEM, items=items, at=hours(5))
        before = (in_force(town, hours(7)), held(town, hours(7)), town.revision())
        try:
            activate_package(customer=town.customer, actor=SYSTEM, at=hours(6))
        except Refusal:
            assert (in_force(town, hours(7)), held(town, hours(7)), town.revision()) == before
        assert_fits(town, hours(7))
        if Package.objects.filter(customer=town.customer).pending().exists():
            release = {f"superoffice.{module}": leaving for module in OFFERS.values()}
            made = release_superfluous(customer=town.customer, actor=SYSTEM, release=release, at=hours(8))
            assert made.is_active == (not made.left)
            assert_fits(town, hours(9))
        transaction.set_rollback(True)


def assert_fits(town: Town, at: datetime) -> None:
    active = Package.objects.filter(customer=town.customer).active(at).get()
    assert superfluous_of(active, at) == ()
