"""Sends the statements of the hot reads, in the shortest way that a database has.

On PostgreSQL each is prepared once per connection, which Django's own cursor can't (planning five tables anew costs
four times the read), and then executed through libpq itself: what a psycopg cursor does besides costs 65 µs, nearly a
tenth of a whole request. What psycopg knows about types still reads the result. A thread keeps what it prepared as
long as its connection.

Inside a transaction, and where Django listens (debugging, counted queries), the same statement goes through Django's
cursor: there a statement that the server has forgotten would break more than itself.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format

Row = tuple[Any, ...]
# The server knows the statement no longer, or tables have changed since it was prepared.
_FORGOTTEN: Final = frozenset({b"26000", b"0A000"})


@dataclass(frozen=True)
class Statement:
    """SQL for one vendor with parameters as `%(name)s`, each a text or none; `name` is unique among all statements."""

    name: str
    sql: str
    parameters: tuple[str, ...]

    @cached_property
    def numbered(self) -> bytes:
        """The SQL as libpq wants it: `$1`, `$2`, …"""
        places = {name: f"${number}" for number, name in enumerate(self.parameters, start=1)}
        return (self.sql % places).encode()


@dataclass(slots=True)
class _Prepared:
    """What one thread has prepared on one connection."""

    connection: psycopg.Connection[Any]
    transformer: Any  # psycopg's: in C where that is installed, so it has no type
    names: dict[str, bytes]
    made: int = 0


class _Own(threading.local):
    """What each thread keeps, as Django keeps it a connection."""

    def __init__(self) -> None:
        self.prepared: dict[str, _Prepared] = {}


_own: Final = _Own()


def fetch(statement: Statement, values: Mapping[str, str | None], using: str = DEFAULT_DB_ALIAS) -> list[Row]:
    """Returns the rows. Raises Django's DatabaseError, an OperationalError where the database can't be reached, after a
    second attempt.
    """
    connection = connections[using]
    if connection.vendor != "postgresql" or connection.queries_logged or connection.execute_wrappers:
        return _run(connection, statement, values)
    connection.ensure_connection()
    if connection.in_atomic_block:
        return _run(connection, statement, values)
    try:
        return _run_prepared(connection, statement, values)
    except psycopg.Error as fault:
        # What was lost on the way has no state of its own to go by: ask the connection.
        if not (connection.connection.pgconn.status == ConnStatus.BAD or isinstance(fault, psycopg.OperationalError)):
            with connection.wrap_database_errors:  # as Django's own cursor would say it
                raise
        connection.close()  # the server went away between two requests: once more on a new connection
        return _run(connection, statement, values)


def _run(connection: BaseDatabaseWrapper, statement: Statement, values: Mapping[str, str | None]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, values)
        return cast(list[Row], cursor.fetchall())


def _run_prepared(connection: Any, statement: Statement, values: Mapping[str, str | None]) -> list[Row]:
    raw = connection.connection
    own = _own.prepared.get(connection.alias)
    if own is None or own.connection is not raw:
        own = _own.prepared[connection.alias] = _Prepared(raw, psycopg.adapt.Transformer(raw), {})
    given = [None if (value := values[name]) is None else value.encode() for name in statement.parameters]
    name = own.names.get(statement.name) or _prepare(own, statement)
    result = raw.pgconn.exec_prepared(name, given, None, Format.BINARY)
    if result.error_field(DiagnosticField.SQLSTATE) in _FORGOTTEN:
        result = raw.pgconn.exec_prepared(_prepare(own, statement), given, None, Format.BINARY)
    if result.status != ExecStatus.TUPLES_OK:
        raise _error(result)
    own.transformer.set_pgresult(result)
    rows: list[Row] = own.transformer.load_rows(0, result.ntuples, tuple)
    return rows


def _prepare(own: _Prepared, statement: Statement) -> bytes:
    own.made += 1
    name = f"planarium_{statement.name}_{own.made}".encode()
    result = own.connection.pgconn.prepare(name, statement.numbered)
    if result.status != ExecStatus.COMMAND_OK:
        raise _error(result)
    own.names[statement.name] = name
    return name


def _error(result: Any) -> psycopg.Error:
    return psycopg.errors.error_from_result(result)
