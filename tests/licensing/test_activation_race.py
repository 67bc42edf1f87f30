"""Activation under fire: killed at any step; resize, assign and activate at the same moment (on PostgreSQL)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from django.db import connection

from customers.actor import SYSTEM
from customers.errors import Refusal
from licensing.models import Package, RevisionEntry, Seat
from licensing.services.activation import activate_package, release_superfluous
from licensing.services.packages import superfluous_of
from tests.licensing.market import Market, Town, hours
from tests.licensing.test_race import at_once, in_turn

PLAN = "ten-sales-essentials"
MODULE = f"superoffice.{PLAN}"
MOST_STEPS = 200


def killed_at(step: int, act: Callable[[], Any]) -> bool:
    """Runs `act` in a process of its own that dies by SIGKILL at its statement `step`; returns whether it did."""
    connection.close()
    child = os.fork()
    if child == 0:
        left = step

        def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(sql, params, many, context)

        status = 1
        try:
            with connection.execute_wrapper(count):
                act()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "it failed by itself"
    return False


@pytest.mark.django_db(transaction=True)
def test_killed_at_any_step_the_old_package_is_active_and_whole() -> None:
    """P-16: seats, holdings, sets and revision change in one transaction, or none of them does."""
    if connection.vendor != "postgresql":
        pytest.skip("in-memory SQLite dies with its process")
    Market()
    town = Town()
    town.buys(sales_essentials=3, at=hours(1))
    for name in town.users:
        town.gives(name, PLAN)
    town.buys(sales_essentials=1)

    def finish() -> None:
        release_superfluous(customer=town.customer, actor=SYSTEM, release={MODULE: ["ola", "ida"]})

    before = _state(town)
    steps = 0
    while killed_at(steps + 1, finish):
        steps += 1
        assert steps < MOST_STEPS
        assert _state(town) == before
        town.assert_whole()

    assert steps > 10, "locking, releasing, activating and the periods are steps of their own"
    active = town.customer.packages.active().get()
    assert (active.number, active.rows.get(module_name=PLAN).license_number) == (2, 1)
    assert set(Seat.objects.held().values_list("user__code", flat=True)) == {"per"}
    town.assert_whole()


def _state(town: Town) -> Any:
    packages = list(town.customer.packages.order_by("number").values_list("number", "state", "digest", "ended_at"))
    rows = list(town.customer.module_licenses.order_by("pk").values_list("pk", "license_number"))
    seats = list(Seat.objects.filter(customer=town.customer).order_by("pk").values_list("pk", "released_at"))
    periods = list(town.users["ola"].periods.order_by("pk").values_list("pk", "starts_at", "ends_at"))
    return packages, rows, seats, periods, town.revision(), RevisionEntry.objects.count()


@pytest.mark.django_db(transaction=True)
def test_resize_assign_and_activate_at_once_end_as_some_order_would() -> None:
    """P-16: three seats, two taken; a resize to two, a third assignment and an activation come together."""
    Market()
    explained = set()
    for order in permutations(range(3)):
        town = _two_of_three("serial-" + "".join(map(str, order)))
        for n in order:
            _acts(town)[n]()
        explained.add(_end(town))
    assert len(explained) > 1, "the order matters"

    for n in range(6):
        town = _two_of_three(f"together-{n}")
        run = in_turn if connection.vendor == "sqlite" else at_once
        run(_acts(town))
        assert _end(town) in explained
        assert superfluous_of(town.customer.packages.active().get(), hours(10**6)) == ()


def _two_of_three(code: str) -> Town:
    town = Town(code)
    town.buys(sales_essentials=3)
    town.gives("ola", PLAN)
    town.gives("ida", PLAN)
    return town


def _acts(town: Town) -> list[Callable[[], str]]:
    def tried(act: Callable[[], Any]) -> Callable[[], str]:
        def run() -> str:
            try:
                act()
            except Refusal as refusal:
                return refusal.code
            return "done"

        return run

    return [
        tried(lambda: town.buys(sales_essentials=2)),
        tried(lambda: town.gives("per", PLAN)),
        tried(lambda: activate_package(customer=town.customer, actor=SYSTEM)),
    ]


def _end(town: Town) -> tuple[Any, ...]:
    active = town.customer.packages.active().get()
    pending = town.customer.packages.filter(state=Package.State.PENDING).values_list("number", flat=True)
    holders = Seat.objects.held().filter(customer=town.customer).values_list("user__code", flat=True)
    return active.number, active.rows.get(module_name=PLAN).license_number, tuple(pending), tuple(sorted(holders))
