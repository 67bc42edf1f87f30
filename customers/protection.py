"""Migration operations that make the database itself refuse what must never be, raw SQL included.

Each becomes a trigger on PostgreSQL and on SQLite. Altering a protected table on SQLite rebuilds it and drops its
triggers, so a later migration that does so repeats the operation; `tests/project/test_protection.py` watches.
"""

from typing import Any

from django.db.migrations.operations import RunPython


def _create_sql(vendor: str, name: str, table: str, event: str, condition: str, message: str) -> list[str]:
    row = "OLD" if event == "DELETE" else "NEW"
    if vendor == "sqlite":
        return [
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        ]
    return [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {condition} THEN "
        f"RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; END IF; RETURN {row}; END $$",
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]


def _drop_sql(vendor: str, name: str, table: str) -> list[str]:
    if vendor == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {name}"]
    return [f"DROP TRIGGER IF EXISTS {name} ON {table}", f"DROP FUNCTION IF EXISTS {name}()"]


def refuse(name: str, table: str, event: str, condition: str, message: str) -> RunPython:
    """Returns the operation that refuses `event` (INSERT, UPDATE or DELETE) on rows of `table` where `condition` holds.

    `condition` is SQL over OLD and NEW that both databases read; `message` is what the IntegrityError says.
    """

    def create(apps: Any, schema_editor: Any) -> None:
        for statement in _create_sql(schema_editor.connection.vendor, name, table, event, condition, message):
            schema_editor.execute(statement)

    def drop(apps: Any, schema_editor: Any) -> None:
        for statement in _drop_sql(schema_editor.connection.vendor, name, table):
            schema_editor.execute(statement)

    return RunPython(create, drop)
