"""What somebody with access to the database could do, and the application could not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection

from licensing.models import Package
from licensing.recorded import examine_many


@contextmanager
def behind_the_back() -> Iterator[Any]:
    """Yields a cursor for which no trigger fires; afterwards they stand as before."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
            yield cursor
            cursor.execute("SET session_replication_role = origin")
            return
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _ in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
        yield cursor
        for _, create in triggers:
            cursor.execute(create)


def is_intact(package: Package) -> bool:
    """Whether a package (with SEALED at hand) and all its rows are as they were sealed."""
    return examine_many([package])[package.pk].is_intact


def edit(statement: str, parameters: Sequence[Any] = ()) -> int:
    """Runs a statement behind the application's back; returns how many rows it met."""
    with behind_the_back() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
