"""A load generator cheap enough to share two cores with what it measures: one thread, raw sockets, kept alive.

It works in a closed loop: each connection sends its next request as soon as the answer to the last one is complete.
The connections are shared out evenly among the server's workers, which the kernel would not do by itself.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

HOST = "127.0.0.1"
PATIENCE_SECONDS = 30.0
ATTEMPTS_PER_CONNECTION = 50


class LoadError(Exception):
    """One sentence for the terminal: what the server did that a measurement can't be made of."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


@dataclass(slots=True)
class Sample:
    """What one stretch of load came to; `latencies` are in seconds, in no order."""

    seconds: float = 0.0
    latencies: array[float] = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter)
    busy_seconds: float = 0.0  # the processor time that the generator itself took

    def add(self, other: Sample) -> None:
        self.seconds += other.seconds
        self.latencies.extend(other.latencies)
        self.statuses.update(other.statuses)
        self.busy_seconds += other.busy_seconds

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Returns the latency, in seconds, that `share` (0.99, say) of the requests did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def get(path: str, key: str, **headers: str) -> bytes:
    """Returns the bytes of a GET request with an API key; `if_none_match="*"` is the header of that name."""
    return _request("GET", path, key, headers)


def post(path: str, key: str, body: bytes) -> bytes:
    """Returns the bytes of a POST request of JSON with an API key."""
    return _request("POST", path, key, {"content_type": "application/json", "content_length": str(len(body))}) + body


def _request(method: str, path: str, key: str, headers: Mapping[str, str]) -> bytes:
    said = {"Host": HOST, "Authorization": f"Bearer {key}", "Accept": "application/json"}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


class Connection:
    """One kept-alive connection with at most one request on its way."""

    __slots__ = ("_expected", "_received", "sent_at", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._received = b""
        self._expected = -1

    def send(self, request: bytes) -> None:
        self._received, self._expected = b"", -1
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Takes what has arrived; returns whether the answer is complete."""
        chunk = self.socket.recv(65_536)
        if not chunk:
            raise LoadError("The server closed a connection that was to be kept alive.")
        self._received = self._received + chunk if self._received else chunk
        if self._expected < 0:
            self._expected = _length(self._received)
        return 0 <= self._expected <= len(self._received)

    @property
    def status(self) -> int:
        return int(self._received[9:12])

    def ask(self, request: bytes) -> Answer:
        """Sends one request and waits for its answer."""
        self.send(request)
        while not self.receive():
            pass
        return Answer(self.status, self._received.partition(b"\r\n\r\n")[2])

    def close(self) -> None:
        self.socket.close()


def _length(received: bytes) -> int:
    """Returns how long the whole answer will be, -1 while its head is incomplete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return -1
    head = received[:end].lower()
    start = head.find(b"\r\ncontent-length:")
    if start < 0 and head.startswith(b"http/1.1 304"):
        return end + 4
    if start < 0:
        raise LoadError(f"An answer without Content-Length: {head[:200]!r}")
    return end + 4 + int(head[start + 17 :].split(b"\r\n", 1)[0])


class Load:
    """A few connections to one server, the same number to each of its workers."""

    def __init__(self, *, port: int, workers: int, per_worker: int, whoami: bytes) -> None:
        """`whoami` is a request that a worker answers with `{"worker": its pid}`."""
        self.connections: list[Connection] = []
        self.workers: Counter[int] = Counter()
        spare = []
        for _ in range(ATTEMPTS_PER_CONNECTION * workers * per_worker):
            connection = Connection(port)
            answer = connection.ask(whoami)
            if answer.status != 200:
                raise LoadError(f"The server answered {answer.status}: {answer.body[:300]!r}")
            worker = json.loads(answer.body)["worker"]
            if self.workers[worker] < per_worker:
                self.workers[worker] += 1
                self.connections.append(connection)
            else:
                spare.append(connection)  # kept open for now: a closed one would make room for its like
            if len(self.connections) == workers * per_worker:
                break
        for connection in spare:
            connection.close()
        if len(self.connections) != workers * per_worker:
            raise LoadError(f"Not all of the {workers} workers took connections: {dict(self.workers)}.")

    def __enter__(self) -> Load:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self.connections:
            connection.close()

    def ask(self, request: bytes) -> Answer:
        """Returns the answer to one request, made while nothing else is going on."""
        return self.connections[0].ask(request)

    def ask_everywhere(self, request: bytes) -> list[Answer]:
        """Returns what is answered to the same request on each connection, and so by each worker."""
        return [connection.ask(request) for connection in self.connections]

    def run(self, requests: Sequence[bytes], seconds: float) -> Sample:
        """Sends `requests`, over and over if they don't suffice, for `seconds`; then waits for what is on its way."""
        sample = Sample()
        with selectors.DefaultSelector() as selector:
            for connection in self.connections:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            busy = time.process_time()
            started = time.perf_counter()
            _drive(selector, self.connections, _endless(requests), started + seconds, sample)
            sample.seconds = time.perf_counter() - started
            sample.busy_seconds = time.process_time() - busy
        return sample


def _drive(
    selector: selectors.BaseSelector,
    connections: Sequence[Connection],
    requests: Iterator[bytes],
    until: float,
    sample: Sample,
) -> None:
    clock, latencies, statuses = time.perf_counter, sample.latencies, sample.statuses
    for connection in connections:
        connection.send(next(requests))
    on_their_way = len(connections)
    while on_their_way:
        ready = selector.select(PATIENCE_SECONDS)
        if not ready:
            raise LoadError(f"No answer within {PATIENCE_SECONDS:.0f} s.")
        for key, _ in ready:
            connection = key.data
            if not connection.receive():
                continue
            now = clock()
            latencies.append(now - connection.sent_at)
            statuses[connection.status] += 1
            if now < until:
                connection.send(next(requests))
            else:
                on_their_way -= 1


def _endless(requests: Sequence[bytes]) -> Iterator[bytes]:
    while True:
        yield from requests
