"""How far a long transaction is, told while it runs: written outside it, where others can read it.

PostgreSQL lets a second connection write beside the transaction. SQLite has one writer, and with it everything runs on
one machine, so there a small file per preview tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection, connections

from licensing.models import ChangePreview

_TABLE: Final = ChangePreview._meta.db_table
Note = Callable[[int], None]


@contextmanager
def noting(preview: ChangePreview) -> Iterator[Note]:
    """Yields a function that tells how many rows are done by now; a progress that can't be told stops nothing."""
    if connection.vendor == "postgresql":
        beside = connections.create_connection(connection.alias)
        try:
            yield lambda done: _write_row(beside, preview.pk, done)
        finally:
            beside.close()
        return
    path = _path(preview)
    try:
        yield lambda done: _write_file(path, done)
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def noted(preview: ChangePreview) -> int:
    """Returns how many rows were done when it was told last."""
    if connection.vendor != "postgresql":
        with suppress(OSError, ValueError):
            return min(int(_path(preview).read_text()), preview.total)
    return preview.done


def _write_row(beside: object, pk: int, done: int) -> None:
    with suppress(DatabaseError), beside.cursor() as cursor:  # type: ignore[attr-defined] # a wrapper of any backend
        cursor.execute("SET lock_timeout = '100ms'")
        cursor.execute(f"UPDATE {_TABLE} SET done = %s WHERE id = %s AND done < %s", [done, pk, done])  # noqa: S608 - our own table


def _write_file(path: Path, done: int) -> None:
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(done))


def _path(preview: ChangePreview) -> Path:
    folder: Path = settings.PROGRESS_DIR
    return folder / preview.token
