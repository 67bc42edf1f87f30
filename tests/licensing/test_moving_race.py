"""Several workers at one migration, and several people at its buttons: everything happens once. On PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection

from customers.actor import SYSTEM
from customers.errors import Refusal
from customers.models import AuditEvent, OutboxMessage
from licensing.models import Migration
from licensing.services import migrating, moving
from tests.licensing.market import Market, Town, hours
from tests.licensing.moving import drafted, on_version, proposed, published, states
from tests.licensing.test_race import at_once, in_turn

TOWNS = 12


def settled() -> tuple[Migration, list[Town]]:
    market = Market()
    towns = [Town(f"town-{number}", ["ann"]) for number in range(TOWNS)]
    for town in towns:
        town.buys(sales_premium=1, at=hours(1))
    return proposed(published(drafted(market, quotes=None))), towns


def together(acts: list[Callable[[], str]]) -> Counter[str]:
    # In-memory SQLite has one connection, which threads would have to share: there one comes after another.
    return Counter((in_turn if connection.vendor == "sqlite" else at_once)(acts))


@pytest.mark.django_db(transaction=True)
def test_two_workers_share_a_migration_and_move_everybody_once() -> None:
    migration, towns = settled()
    migrating.start(migration=migration, actor=SYSTEM, at=hours(50))
    migration.refresh_from_db()
    revisions = [town.revision() for town in towns]

    def work() -> str:
        return str(moving.run_batch(migration=Migration.objects.get(pk=migration.pk), at=hours(51)) >= 0)

    assert together([work] * 3) == {"True": 3}
    # Whoever came last may have found nothing left that wasn't somebody else's; the message of the other goes on.
    moving.run_batch(migration=Migration.objects.get(pk=migration.pk), at=hours(52))
    assert Counter(states(migration).values()) == {"moved": TOWNS}
    assert AuditEvent.objects.filter(action="version.moved").count() == TOWNS
    assert [town.revision() for town in towns] == [number + 1 for number in revisions]
    assert all(on_version(town) == {2} for town in towns)
    migration.refresh_from_db()
    assert migration.state == "done"


@pytest.mark.django_db(transaction=True)
def test_of_many_who_start_it_one_does() -> None:
    migration, _ = settled()

    def start() -> str:
        try:
            migrating.start(migration=Migration.objects.get(pk=migration.pk), actor=SYSTEM, at=hours(50))
        except Refusal as refusal:
            return refusal.code
        return "started"

    assert together([start] * 5) == {"started": 1, "migration_not_in_state": 4}
    assert migration.rows.count() == TOWNS
    assert OutboxMessage.objects.filter(topic="migration").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_customer_is_never_in_two_open_migrations() -> None:
    first, _ = settled()
    second = proposed(first.target)

    def start(migration: Migration) -> Callable[[], str]:
        def act() -> str:
            return migrating.start(migration=migration, actor=SYSTEM, at=hours(50)).state

        return act

    assert together([start(first), start(second)]) == {"running": 2}
    found = sorted([Counter(states(first).values()), Counter(states(second).values())], key=lambda c: c["skipped"])
    assert found == [{"waiting": TOWNS}, {"skipped": TOWNS}]
