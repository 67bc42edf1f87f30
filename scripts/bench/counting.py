"""Counts the SQL statements of a request where no way of sending them can hide: on the wire."""

from __future__ import annotations

import tempfile
from collections import Counter

from django.db import connection
from django.test import Client


def statements_of(path: str, key: str) -> int:
    """Returns how many statements a GET sends to PostgreSQL once the key, the set and the connection are warm.

    Raises RuntimeError when the answer is not 200.
    """
    client = Client(headers={"Authorization": f"Bearer {key}", "Host": "127.0.0.1"})
    for _ in range(2):
        answer = client.get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.content!r:.300}")
    connection.ensure_connection()
    wire = connection.connection.pgconn
    with tempfile.TemporaryFile() as trace:
        wire.trace(trace.fileno())
        client.get(path)
        wire.untrace()
        trace.seek(0)
        return _executed(trace.read().decode(errors="replace"))


def _executed(trace: str) -> int:
    """Returns how many statements libpq's trace tells of: lines of time, F(rontend) or B(ackend), length, message."""
    fields = (line.split("\t") for line in trace.splitlines())
    sent = Counter(part[3].strip() for part in fields if len(part) > 3 and part[1] == "F")
    return sent["Query"] + sent["Execute"]
