"""The checker of freshness: that it finds what is stale, and that nothing is (rule H-13)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from random import Random

import psycopg
import pytest
from django.db import connection

from scripts.bench.databases import Databases
from scripts.checking.__main__ import WORKERS, build, run, settings_for, summary
from scripts.checking.calling import Caller, Tally, Town
from scripts.checking.history import NEVER, History
from scripts.checking.workers import Worker

OLA = ("fjordlys", "ola")


# ── The rules by which it judges ────────────────────────────────────────────
@pytest.fixture
def history() -> History:
    history = History()
    history.written(*OLA, history.writing(*OLA, "essentials"), 4)
    return history


def test_what_was_acknowledged_before_must_be_seen(history: History) -> None:
    began = history.reading(*OLA)
    assert history.fault_of(began, ["essentials"], 4) is None
    assert history.fault_of(began, ["essentials"], 9) is None
    assert history.fault_of(began, ["essentials"], 3) == "revision 3, though 4 had been acknowledged"
    assert "though one of ['essentials']" in str(history.fault_of(began, ["premium"], 4))
    assert "though one of ['essentials']" in str(history.fault_of(began, ["premium"], NEVER))


def test_what_is_under_way_may_be_seen(history: History) -> None:
    history.writing(*OLA, "premium")
    began = history.reading(*OLA)
    assert history.fault_of(began, ["premium"], 5) is None
    assert history.fault_of(began, ["essentials"], 4) is None


def test_what_was_lost_may_be_seen_until_the_next_is_acknowledged(history: History) -> None:
    history.writing(*OLA, "premium")
    began = history.reading(*OLA)
    history.written(*OLA, history.writing(*OLA, "essentials"), 6)
    assert history.fault_of(began, ["premium"], 5) is None
    assert history.fault_of(history.reading(*OLA), ["premium"], 6) is not None


def test_a_colleagues_commit_counts_in_the_revision(history: History) -> None:
    ida = ("fjordlys", "ida")
    history.written(*ida, history.writing(*ida, "premium"), 7)
    assert history.fault_of(history.reading(*OLA), ["essentials"], 6) == "revision 6, though 7 had been acknowledged"


# ── The real thing, short ───────────────────────────────────────────────────
@pytest.fixture(scope="module")
def town() -> Iterator[tuple[Town, dict[str, str]]]:
    if connection.vendor != "postgresql":
        pytest.skip("workers share a database, so it isn't in one's memory")
    told = connection.settings_dict
    server = f"postgres://{told['USER']}:{told['PASSWORD']}@{told['HOST']}:{told['PORT'] or 5432}/postgres"
    databases, name = Databases(server), f"planarium_check_{os.getpid()}"
    databases.create(name)
    try:
        settings = settings_for(databases.url_of(name))
        yield build(settings), settings
    finally:
        databases.drop(name)


def test_no_read_is_stale_while_workers_are_killed_and_a_cache_is_found_out(
    town: tuple[Town, dict[str, str]],
) -> None:
    def checked(application: str, seconds: float) -> tuple[Tally, int]:
        return run(town[0], [Worker(town[1], application) for _ in range(WORKERS)], seconds, seed=1)

    fresh, kills = checked("config.wsgi:application", 6)
    assert fresh.faults == []
    assert kills > 0
    assert fresh.counts["commits"] > 0
    assert fresh.counts["reads with min_revision"] > 0
    assert summary(fresh, kills, 6).endswith(": 0 wrong.")

    stale, _ = checked("tests.project.stale:application", 4)
    assert stale.counts["faults"] > 0
    assert any("had been acknowledged" in fault for fault in stale.faults)


def test_a_revoked_key_opens_nothing_on_any_worker_within_a_second(town: tuple[Town, dict[str, str]]) -> None:
    """By another process, as an admin at the other worker would: none of these is told of it."""
    found, settings = town
    workers = [Worker(settings, "config.wsgi:application") for _ in range(WORKERS)]
    path = "/api/v1/customers/fjordlys/users/user-1/entitlements/"
    callers = [Caller([worker.port], found.key, Random(1)) for worker in workers]  # noqa: S311 - there is no choice

    def asked() -> list[int]:
        return [caller.call("GET", path)[0] for caller in callers]

    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.wait()
        assert asked() == [200, 200]
        with psycopg.connect(settings["DATABASE_URL"], autocommit=True) as database:
            database.execute("UPDATE customers_apikey SET revoked_at = now()")
        time.sleep(1.0)
        assert asked() == [401, 401]
    finally:
        for caller in callers:
            caller.close()
        for worker in workers:
            worker.kill()
