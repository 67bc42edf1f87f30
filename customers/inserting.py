"""Writes many rows of one table: on PostgreSQL through COPY, which spells no statements (docs/adr/0025)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import connection
from django.db.models import AutoField, JSONField, Model
from psycopg import sql

FEW: Final = 100  # of so few rows an INSERT costs no more, and is counted with the other queries
BATCH: Final = 1000


def insert_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes `rows`, each a value for every one of `columns` (`user_id`, not `user`); the rest gets its defaults.

    In the caller's transaction; nothing is returned, not the keys either. Raises IntegrityError as `bulk_create` does.
    """
    listed = list(rows)
    if not listed:
        return
    if connection.vendor != "postgresql" or len(listed) <= FEW:
        made = (model(**dict(zip(columns, row, strict=True))) for row in listed)
        model._default_manager.bulk_create(made, batch_size=BATCH)
    else:
        _copy(model, columns, listed)


def _copy(model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    named = [fields[column] for column in columns]
    rest = [field for field in fields.values() if field not in named and not isinstance(field, AutoField)]
    spelt = [place for place, field in enumerate((*named, *rest)) if isinstance(field, JSONField)]
    same = [field.get_default() for field in rest]
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(model._meta.db_table),
        sql.SQL(", ").join(sql.Identifier(str(field.column)) for field in (*named, *rest)),
    )
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for row in rows:
            values = [*row, *same]
            for place in spelt:
                values[place] = None if values[place] is None else json.dumps(values[place])
            copy.write_row(values)
