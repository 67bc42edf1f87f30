"""Who writes and who reads, each in a thread of its own, at whichever worker answers."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from scripts.bench.load import HOST
from scripts.checking.history import NEVER, Beginning, History

TIMEOUT_SECONDS: Final = 10
MOST_FAULTS: Final = 20


@dataclass(frozen=True)
class Town:
    """What was built: the key, the users of each customer, the module of each plan."""

    key: str
    customers: Mapping[str, Sequence[str]]
    modules: Mapping[str, str]


@dataclass
class Tally:
    """What happened so far, and what was wrong with it."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def fault(self, what: str) -> None:
        with self.lock:
            self.counts["faults"] += 1
            if len(self.faults) < MOST_FAULTS:
                self.faults.append(what)


class Lost(Exception):
    """No answer: the worker died, or wasn't there."""


@dataclass
class Caller:
    """Calls one worker or the other, over a connection to each that is kept."""

    ports: Sequence[int]
    key: str
    random: Random
    connections: dict[int, http.client.HTTPConnection] = field(default_factory=dict)

    def call(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str, bytes]:
        """Returns (status, ETag, body). Raises Lost."""
        port = self.random.choice(self.ports)
        connection = self.connections.setdefault(port, http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_SECONDS))
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {self.key}", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers.get("ETag", ""), answer.read()
        except (OSError, http.client.HTTPException) as lost:
            self.connections.pop(port).close()
            raise Lost from lost

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()


@dataclass
class Checker:
    """What writers and readers share."""

    town: Town
    ports: Sequence[int]
    history: History
    tally: Tally
    stop: threading.Event

    def write(self, seed: int, users: Sequence[tuple[str, str]]) -> None:
        """Gives these users one plan after the other, until it is time to stop. Nobody else writes them."""
        random = Random(seed)  # noqa: S311 - decides who is next, not who gets in
        with closing(Caller(self.ports, self.town.key, random)) as caller:
            self._write(caller, random, users)

    def _write(self, caller: Caller, random: Random, users: Sequence[tuple[str, str]]) -> None:
        while not self.stop.is_set():
            customer, user = random.choice(users)
            plan = random.choice(sorted(self.town.modules))
            path = f"/api/v1/customers/{customer}/users/{user}/seats/{self.town.modules[plan]}/"
            write = self.history.writing(customer, user, plan)
            try:
                status, _, body = caller.call("PUT", path)
            except Lost:
                self.tally.count("writes lost")
                self.stop.wait(0.05)
                continue
            if status != http.client.OK:
                self.tally.fault(f"PUT {path}: {status} {body[:200]!r}")
                continue
            self.history.written(customer, user, write, json.loads(body)["revision"])
            self.tally.count("commits")

    def read(self, seed: int) -> None:
        """Reads whoever comes up, in every way there is to ask, until it is time to stop."""
        random = Random(seed)  # noqa: S311 - decides who is next, not who gets in
        with closing(Caller(self.ports, self.town.key, random)) as caller:
            self._read(caller, random)

    def _read(self, caller: Caller, random: Random) -> None:
        known: dict[tuple[str, str], tuple[str, list[str]]] = {}
        everybody = [(customer, user) for customer, users in self.town.customers.items() for user in users]
        while not self.stop.is_set():
            whom = random.choice(everybody)
            began = self.history.reading(*whom)
            asks = random.choice(["plain", "min_revision", "if_none_match"])
            path = f"/api/v1/customers/{whom[0]}/users/{whom[1]}/entitlements/"
            if asks == "min_revision":
                path += f"?min_revision={began.revision}"
            headers = {"If-None-Match": known[whom][0]} if asks == "if_none_match" and whom in known else {}
            try:
                status, tag, body = caller.call("GET", path, headers)
            except Lost:
                self.tally.count("reads lost")
                self.stop.wait(0.05)
                continue
            self._judge(began, path, known, (status, tag, body))
            self.tally.count("reads")
            if asks == "min_revision":
                self.tally.count("reads with min_revision")

    def _judge(
        self,
        began: Beginning,
        path: str,
        known: dict[tuple[str, str], tuple[str, list[str]]],
        answer: tuple[int, str, bytes],
    ) -> None:
        status, tag, body = answer
        whom = (began.customer, began.user)
        if status == http.client.NOT_MODIFIED:
            self.tally.count("reads answered 304")
            fault = self.history.fault_of(began, known[whom][1], NEVER)
        elif status == http.client.OK:
            told: dict[str, Any] = json.loads(body)
            plans = [plan["code"] for plan in told["plans"]]
            known[whom] = (tag, plans)
            fault = self.history.fault_of(began, plans, told["revision"])
        else:
            fault = f"{status} {body[:200]!r}"
        if fault:
            self.tally.fault(f"GET {path}: {fault}")
