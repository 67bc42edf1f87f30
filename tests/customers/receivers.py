"""A receiver of events: a real HTTP server on this machine that answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """`answers` are given in turn, the last one again and again: a status, and headers."""

    url: str = ""
    answers: list[tuple[int, Mapping[str, str]]] = field(default_factory=lambda: [(204, {})])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    takes: float = 0.0  # seconds until it answers
    most_at_once: int = 0
    _here: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _free: threading.Event = field(default_factory=threading.Event)

    def let_go(self) -> None:
        """Has everybody who waits for an answer have it now."""
        self._free.set()

    def wait(self) -> None:
        with self._lock:
            self._here += 1
            self.most_at_once = max(self.most_at_once, self._here)
        if self.takes:
            self._free.wait(self.takes)
        with self._lock:
            self._here -= 1

    def says(self, *statuses: int, **headers: str) -> None:
        self.answers = [
            (status, {name.replace("_", "-"): value for name, value in headers.items()}) for status in statuses
        ]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Yields a receiver that listens on 127.0.0.1, and stops it."""
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            told.wait()
            status, headers = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            with suppress(ConnectionError):  # whoever asked may be gone
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}/events"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.let_go()
        server.shutdown()
        thread.join()
        server.server_close()
