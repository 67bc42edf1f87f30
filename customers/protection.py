"""Migration operations that make the database itself refuse what must never be, raw SQL included.

Each becomes a trigger on PostgreSQL and on SQLite. Altering a protected table on SQLite rebuilds it and drops its
triggers, so a later migration that does so lifts the refusals first (`lift`) and repeats them after;
`tests/project/test_protection.py` watches.
"""

from typing import Any

from django.db import router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState


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


class Protection(Operation):
    """What `refuse` returns. Not a RunPython: that renders every model anew for each operation, which takes seconds."""

    reduces_to_sql = True
    reversible = True
    category = OperationCategory.SQL

    def __init__(self, name: str, table: str, event: str, condition: str, message: str) -> None:
        self.name, self.table, self.event, self.condition, self.message = name, table, event, condition, message

    @property
    def migration_name_fragment(self) -> str:
        return self.name

    def describe(self) -> str:
        return f"Refuse {self.event} on {self.table}: {self.message}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass  # triggers are no part of Django's models

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        vendor = schema_editor.connection.vendor
        self._execute(
            app_label,
            schema_editor,
            _create_sql(vendor, self.name, self.table, self.event, self.condition, self.message),
        )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        self._execute(app_label, schema_editor, _drop_sql(schema_editor.connection.vendor, self.name, self.table))

    def _execute(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, statements: list[str]) -> None:
        if router.allow_migrate(schema_editor.connection.alias, app_label):
            for statement in statements:
                schema_editor.execute(statement)


class Lift(Operation):
    """What `lift` returns: a refusal, the other way round."""

    reduces_to_sql = True
    reversible = True
    category = OperationCategory.SQL

    def __init__(self, refusal: Protection) -> None:
        self.refusal = refusal

    @property
    def migration_name_fragment(self) -> str:
        return f"lift_{self.refusal.name}"

    def describe(self) -> str:
        return f"Lift for a moment: {self.refusal.describe()}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(self, *args: Any, **kwargs: Any) -> None:
        self.refusal.database_backwards(*args, **kwargs)

    def database_backwards(self, *args: Any, **kwargs: Any) -> None:
        self.refusal.database_forwards(*args, **kwargs)


def lift(refusal: Protection) -> Lift:
    """Returns the operation that takes a refusal away, for a table to be altered; repeat the refusal thereafter."""
    return Lift(refusal)


def refuse(name: str, table: str, event: str, condition: str, message: str) -> Protection:
    """Returns the operation that refuses `event` (INSERT, UPDATE or DELETE) on rows of `table` where `condition` holds.

    `condition` is SQL over OLD and NEW that both databases read; `message` is what the IntegrityError says.
    """
    return Protection(name, table, event, condition, message)
