"""Migration operations that make the database itself refuse what must never be, raw SQL included.

Each becomes a trigger on PostgreSQL and on SQLite. Altering a protected table on SQLite rebuilds it and drops its
triggers, so a later migration that does so repeats the operation; `tests/project/test_protection.py` watches.
"""

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


class Lifting(Protection):
    """What `lift` returns: a protection's opposite."""

    def describe(self) -> str:
        return f"Allow {self.event} on {self.table} while it is altered"

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        super().database_backwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        super().database_forwards(app_label, schema_editor, from_state, to_state)


def lift(refusal: Protection) -> Lifting:
    """Returns the operation that takes a protection away, for a migration that alters the table and then repeats it."""
    return Lifting(refusal.name, refusal.table, refusal.event, refusal.condition, refusal.message)


def refuse(name: str, table: str, event: str, condition: str, message: str) -> Protection:
    """Returns the operation that refuses `event` (INSERT, UPDATE or DELETE) on rows of `table` where `condition` holds.

    `condition` is SQL over OLD and NEW that both databases read; `message` is what the IntegrityError says.
    """
    return Protection(name, table, event, condition, message)
