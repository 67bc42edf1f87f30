"""Migration operations that add indexes without holding up a live table. Their migration says `atomic = False`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.state import ProjectState


class AddIndexOnline(migrations.AddIndex):
    """Adds an index; PostgreSQL builds it concurrently, so that writes go on meanwhile."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        elif self.allow_migrate_model(
            schema_editor.connection.alias, to_state.apps.get_model(app_label, self.model_name)
        ):
            model = to_state.apps.get_model(app_label, self.model_name)
            schema_editor.add_index(model, self.index, concurrently=True)  # type: ignore[call-arg]  # PostgreSQL's editor

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
        else:
            model = from_state.apps.get_model(app_label, self.model_name)
            schema_editor.remove_index(model, self.index, concurrently=True)  # type: ignore[call-arg]  # likewise


class AddSubstringIndex(Operation):
    """Lets `icontains` on some columns of a table find its rows by their trigrams, where PostgreSQL has `pg_trgm`.

    It is a matter of speed alone: without the extension, or the right to create it, searches read the whole table, as
    they do on SQLite.
    """

    reversible = True
    atomic = False
    category = OperationCategory.ADDITION

    def __init__(self, name: str, table: str, columns: Sequence[str]) -> None:
        self.name, self.table, self.columns = name, table, columns

    def describe(self) -> str:
        return f"Index of substrings on {self.table}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass  # models don't know it

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            return
        try:
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except DatabaseError:
            return
        columns = ", ".join(f'upper("{column}"::text) gin_trgm_ops' for column in self.columns)
        schema_editor.execute(f'CREATE INDEX CONCURRENTLY "{self.name}" ON "{self.table}" USING gin ({columns})')

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f'DROP INDEX IF EXISTS "{self.name}"')


class AddOrderIndex(Operation):
    """Serves an order that SQLite cannot index as such, since it says where nulls go: on PostgreSQL alone.

    As with AddSubstringIndex, it is a matter of speed, and models don't know it.
    """

    reversible = True
    atomic = False
    category = OperationCategory.ADDITION

    def __init__(self, name: str, table: str, order: str) -> None:
        self.name, self.table, self.order = name, table, order

    def describe(self) -> str:
        return f"Index of {self.table} in the order {self.order}"

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f'CREATE INDEX CONCURRENTLY "{self.name}" ON "{self.table}" ({self.order})')

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f'DROP INDEX IF EXISTS "{self.name}"')


class AddCheckOnline(migrations.AddConstraint):
    """Adds a CHECK; PostgreSQL looks at the rows there are without holding up writes."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model: Any = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            table, name = model._meta.db_table, self.constraint.name
            schema_editor.execute(f"{self.constraint.create_sql(model, schema_editor)} NOT VALID")
            schema_editor.execute(f'ALTER TABLE "{table}" VALIDATE CONSTRAINT "{name}"')
