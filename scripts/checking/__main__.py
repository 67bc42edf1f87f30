"""Checks that no read is stale, while workers are killed: `make check-freshness SECONDS=60`.

Writers give plans to users and readers ask, at two workers of the real server that are killed and started again at
random. No read may be older than the last commit that was acknowledged before it began, none with `min_revision` older
than asked. The last line tells what came of it; the status is 1 if a read was wrong, 2 if nothing could be checked.

SECONDS; SEED; CHECK_DATABASE names the database, made anew and dropped; CHECK_APPLICATION another WSGI application.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random

from scripts import debian, postgres
from scripts.bench.databases import Databases
from scripts.bench.load import LoadError
from scripts.bench.preparing import LAST_WORDS, CannotPrepareError
from scripts.bench.server import ROOT, environment
from scripts.checking.calling import Checker, Tally, Town
from scripts.checking.history import History
from scripts.checking.workers import Worker

WRITERS, READERS, WORKERS = 3, 5, 2
UP_SECONDS = (0.5, 3.0)  # for which workers live, at random


def main(variables: Mapping[str, str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every `finally` stops what it started
    try:
        with postgres.server() as url:
            return check(Databases(url), variables)
    except (ValueError, postgres.NoPostgresError, debian.CannotInstallError, CannotPrepareError, LoadError) as fault:
        print(f"Nothing checked: {fault}", file=sys.stderr)
        return 2


def check(databases: Databases, variables: Mapping[str, str]) -> int:
    seconds, seed = float(variables.get("SECONDS", "60")), int(variables.get("SEED", "1"))
    name = variables.get("CHECK_DATABASE", "planarium_check")
    told = settings_for(databases.url_of(name))
    databases.create(name)
    try:
        town = build(told)
        application = variables.get("CHECK_APPLICATION", "config.wsgi:application")
        tally, kills = run(town, [Worker(told, application) for _ in range(WORKERS)], seconds, seed)
    finally:
        databases.drop(name)
    for fault in tally.faults:
        print(fault)
    print(summary(tally, kills, seconds))
    return 1 if tally.counts["faults"] else 0


def settings_for(database_url: str) -> dict[str, str]:
    """Returns the environment of the workers: production's, on this machine."""
    told = environment(database_url, secret=secrets.token_urlsafe(40))
    return told | {"DJANGO_SETTINGS_MODULE": "config.settings"}


def build(variables: Mapping[str, str]) -> Town:
    command = [sys.executable, "-m", "scripts.checking.town"]
    built = subprocess.run(command, cwd=ROOT, env=dict(variables), text=True, capture_output=True, check=False)
    if built.returncode != 0:
        raise CannotPrepareError("Building failed:\n" + "\n".join(built.stderr.splitlines()[-LAST_WORDS:]))
    return Town(**json.loads(built.stdout.strip().rpartition("\n")[2]))


def run(town: Town, workers: Sequence[Worker], seconds: float, seed: int) -> tuple[Tally, int]:
    """Returns what came of it, and how many workers were killed. Raises LoadError."""
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.wait()
        checker = Checker(town, [worker.port for worker in workers], History(), Tally(), threading.Event())
        threads = [threading.Thread(target=act) for act in _acts(checker, seed)]
        for thread in threads:
            thread.start()
        try:
            kills = _kill_at_random(workers, seconds, seed)
        finally:
            checker.stop.set()
            for thread in threads:
                thread.join()
        return checker.tally, kills
    finally:
        for worker in workers:
            worker.kill()


def _acts(checker: Checker, seed: int) -> list[Callable[[], None]]:
    everybody = [(customer, user) for customer, users in checker.town.customers.items() for user in users]
    writers = [partial(checker.write, seed * 1000 + n, everybody[n::WRITERS]) for n in range(WRITERS)]
    return [*writers, *(partial(checker.read, seed * 1000 + WRITERS + n) for n in range(READERS))]


def _kill_at_random(workers: Sequence[Worker], seconds: float, seed: int) -> int:
    """Kills one worker after the other, and starts it again; one always lives. Returns how many."""
    random, kills = Random(seed), 0  # noqa: S311 - decides who is next, not who gets in
    deadline = time.monotonic() + seconds
    while True:
        time.sleep(min(random.uniform(*UP_SECONDS), max(deadline - time.monotonic(), 0)))
        if time.monotonic() >= deadline:
            return kills
        worker = random.choice(workers)
        worker.kill()
        kills += 1
        worker.start()
        worker.wait()


def summary(tally: Tally, kills: int, seconds: float) -> str:
    counts = tally.counts
    return (
        f"{seconds:.0f} s: {counts['commits']} commits and {counts['reads']} reads "
        f"({counts['reads with min_revision']} with min_revision, {counts['reads answered 304']} answered 304), "
        f"{kills} workers killed, {counts['writes lost'] + counts['reads lost']} calls lost with them: "
        f"{counts['faults']} wrong."
    )


if __name__ == "__main__":
    sys.exit(main(os.environ))
