"""What apps feel: a check of a thousand beside a single read; and reads at half the maximum rate, while others commit.

The rate is kept whatever the answers take (an open loop), and a request's time begins when it is due: a server that
stumbles is not spared by callers who wait for it.
"""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from statistics import median

from scripts.bench.lines import ENTITLEMENTS
from scripts.bench.load import Connection, Load, LoadError, Sample, get, post
from scripts.bench.preparing import LAST_WORDS, ROOT, WORKING, CannotPrepareError, Site

QUESTIONS = 1_000
FEATURE = "send-email-to"
CHECK = "/api/v1/entitlements/check/"
CHANGES_PER_SECOND = 50
LONE_READS = 100
PATIENCE_SECONDS = 30.0
CONNECTIONS = 8  # per worker, so that the server never waits for the generator


@dataclass(slots=True)
class Apps:
    """Per round: what a check and a read take when nothing else is asked, and the 99th percentile under a steady
    load, calm and while others commit. Milliseconds.
    """

    check_ms: list[float] = field(default_factory=list)
    read_ms: list[float] = field(default_factory=list)
    calm_p99_ms: list[float] = field(default_factory=list)
    busy_p99_ms: list[float] = field(default_factory=list)
    per_second: float = 0.0
    changes_per_second: list[float] = field(default_factory=list)

    @property
    def check_to_read(self) -> float:
        return _median_ratio(self.check_ms, self.read_ms)

    @property
    def busy_to_calm(self) -> float:
        return _median_ratio(self.busy_p99_ms, self.calm_p99_ms)


def _median_ratio(these: Sequence[float], those: Sequence[float]) -> float:
    return median(a / b for a, b in zip(these, those, strict=True)) if these else 0.0


def measure_apps(port: int, site: Site, whoami: bytes, workers: int, most: float, rounds: int, seconds: float) -> Apps:
    """`most` is the rate of the closed loop; half of it is asked for. Raises LoadError, CannotPrepareError."""
    found, dice = Apps(per_second=most / 2), Random(site.population.users)  # noqa: S311 - whom to ask about
    with (
        Load(port=port, workers=workers, per_worker=CONNECTIONS, whoami=whoami) as load,
        _committing(site) as tell,
    ):
        reads = [get(ENTITLEMENTS.format(customer=c, user=u), site.key) for c, u in _users(site, dice, 5_000)]
        _paced(load.connections, reads, found.per_second, 1.0)  # warm
        for _ in range(rounds):
            found.read_ms.append(_alone(load, reads[:LONE_READS]))
            found.check_ms.append(_alone(load, [_check(site, dice) for _ in range(5)]))
            found.calm_p99_ms.append(_p99(load, reads, found.per_second, seconds))
            before, started = tell("go"), time.perf_counter()
            _until(partial(_is_more, tell, before))
            found.busy_p99_ms.append(_p99(load, reads, found.per_second, seconds))
            found.changes_per_second.append((tell("stop") - before) / (time.perf_counter() - started))
    return found


def _is_more(tell: Callable[[str], int], before: int) -> bool:
    return tell("go") > before


def _until(is_so: Callable[[], bool]) -> None:
    """Raises CannotPrepareError."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise CannotPrepareError("Nothing was committed.")
        time.sleep(0.01)


def _users(site: Site, dice: Random, count: int) -> Iterator[tuple[str, str]]:
    return (site.population.user(dice.randrange(site.population.users)) for _ in range(count))


def _check(site: Site, dice: Random) -> bytes:
    items = [{"customer": c, "user": u, "feature": FEATURE} for c, u in _users(site, dice, QUESTIONS)]
    return post(CHECK, site.key, json.dumps({"items": items}).encode())


def _alone(load: Load, requests: Sequence[bytes]) -> float:
    """Returns the median time of requests that are made one after the other, in milliseconds."""
    taken = []
    for request in requests:
        started = time.perf_counter()
        answer = load.ask(request)
        taken.append(1000 * (time.perf_counter() - started))
        if answer.status != 200:
            raise LoadError(f"{answer.status}: {answer.body[:300]!r}")
    return median(taken)


def _p99(load: Load, reads: Sequence[bytes], rate: float, seconds: float) -> float:
    sample = _paced(load.connections, reads, rate, seconds)
    if set(sample.statuses) != {200}:
        raise LoadError(f"Answers other than 200: {dict(sample.statuses)}.")
    return 1000 * sample.percentile(0.99)


def _paced(connections: Sequence[Connection], requests: Sequence[bytes], rate: float, seconds: float) -> Sample:
    """Sends a request every 1/rate seconds, over whichever connection is free; times count from when each was due."""
    sample, free, clock = Sample(), deque(connections), time.perf_counter
    total, sent, done = max(1, int(rate * seconds)), 0, 0
    due: dict[int, float] = {}
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        started = clock()
        while done < total:
            while sent < total and free and clock() >= started + sent / rate:
                connection = free.popleft()
                due[id(connection)] = started + sent / rate
                connection.send(requests[sent % len(requests)])
                sent += 1
            wait = max(0.0, started + sent / rate - clock()) if sent < total and free else 5.0
            ready = selector.select(wait)
            if not ready and wait == 5.0:
                raise LoadError("No answer within 5 s.")
            for key, _ in ready:
                if key.data.receive():
                    sample.latencies.append(clock() - due[id(key.data)])
                    sample.statuses[key.data.status] += 1
                    free.append(key.data)
                    done += 1
        sample.seconds = clock() - started
    return sample


@contextmanager
def _committing(site: Site) -> Iterator[Callable[[str], int]]:
    """Yields what tells the process that commits to `go` or `stop`, and returns how many it has made."""
    command = [sys.executable, "-m", "scripts.bench.committing", str(CHANGES_PER_SECOND)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(site.environment) | WORKING,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise AssertionError("all three are pipes")
    pipe, answers = process.stdin, process.stdout

    def heard() -> int:
        line = answers.readline()
        if not line.strip().isdigit():
            last_words = "\n".join((process.stderr.read() if process.stderr else "").splitlines()[-LAST_WORDS:])
            raise CannotPrepareError(f"Committing failed:\n{last_words}")
        return int(line)

    def tell(word: str) -> int:
        pipe.write(f"{word}\n")
        pipe.flush()
        return heard()

    try:
        heard()
        yield tell
    finally:
        pipe.close()
        process.wait(timeout=30)
        process.stdout.close()
        process.stderr.close()
