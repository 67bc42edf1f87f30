"""Many at once: one seat, one winner. Threads with connections of their own, so on PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from customers.errors import Refusal
from licensing.models import Seat
from licensing.reading import held_set, read_user
from tests.licensing.market import Market, Town, hours

CLAIMANTS = 200
CONNECTIONS = 40  # PostgreSQL takes a hundred by default, and other tests run beside these
SWAPS = 1_000


def at_once(acts: list[Callable[[], str]]) -> list[str]:
    """Runs each act on a thread of its own, all at once; returns what each said.

    CONNECTIONS of them are at the database at a time, whoever comes first.
    """
    barrier, room = threading.Barrier(len(acts)), threading.BoundedSemaphore(CONNECTIONS)

    def run(act: Callable[[], str]) -> str:
        barrier.wait()
        with room:
            try:
                return act()
            finally:
                connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def in_turn(acts: list[Callable[[], str]]) -> list[str]:
    return [act() for act in acts]


@pytest.mark.django_db(transaction=True)
def test_two_hundred_claim_the_last_seat_and_one_gets_it() -> None:
    # In-memory SQLite has one connection, which threads would have to share: there one claim comes after another.
    outcomes = _claims(in_turn if connection.vendor == "sqlite" else at_once)
    assert outcomes == {"won": 1, "no_seat_left": CLAIMANTS - 1}
    assert Seat.objects.held().filter(module_name="ten-sales-premium").count() == 1


def _claims(run: Callable[[list[Callable[[], str]]], list[str]]) -> Counter[str]:
    Market()
    people = [f"user{number}" for number in range(CLAIMANTS)]
    town = Town(people=people)
    town.buys(sales_premium=1, at=hours(1))

    def claim(name: str) -> str:
        try:
            town.gives(name, "ten-sales-premium")
        except Refusal as refusal:
            return refusal.code
        return "won"

    return Counter(run([partial(claim, name) for name in people]))


@pytest.mark.django_db(transaction=True)
def test_during_a_swap_no_read_sees_the_user_without_either_plan() -> None:
    Market()
    town = Town(people=("ola",))
    town.buys(sales_premium=1, sales_essentials=1, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2))
    plans = ("ten-sales-premium", "ten-sales-essentials")
    done = threading.Event()

    def swap() -> str:
        for turn in range(SWAPS if connection.vendor == "postgresql" else 20):  # on SQLite nobody looks meanwhile
            town.gives("ola", plans[turn % 2])
        done.set()
        return "swapped"

    def look() -> str:
        gaps = 0
        while not done.is_set():
            reading = read_user("fjordlys", "ola")
            assert reading is not None
            assert reading.set_id is not None
            gaps += held_set(reading.set_id).features["sales"]["access"] != "edit"
        return f"{gaps} gaps"

    if connection.vendor == "sqlite":
        swap()
        assert look() == "0 gaps"
    else:
        assert at_once([swap, look]) == ["swapped", "0 gaps"]
