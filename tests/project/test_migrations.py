"""Migrations: none missing, every one reversible, all the way back and forth again."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations import Migration, RunPython, RunSQL
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation

APPS = ["customers", "catalog", "licensing"]


def own_migrations() -> Iterator[Migration]:
    loader = MigrationLoader(connection=None)
    for (app, _), migration in sorted(loader.disk_migrations.items()):
        if app in APPS:
            yield migration


def flatten(operations: list[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from flatten(list(operation.database_operations))
        yield operation


def own_tables() -> list[str]:
    prefixes = tuple(f"{app}_" for app in APPS)
    return sorted(table for table in connection.introspection.table_names() if table.startswith(prefixes))


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_every_operation_can_be_undone() -> None:
    operations = [(str(migration), op) for migration in own_migrations() for op in flatten(list(migration.operations))]
    assert operations
    one_way = [
        f"{migration}: {operation.describe()}"
        for migration, operation in operations
        if not operation.reversible
        or (isinstance(operation, RunPython) and operation.reverse_code is None)
        or (isinstance(operation, RunSQL) and operation.reverse_sql is None)
    ]
    assert one_way == []


@pytest.mark.django_db(transaction=True)
def test_the_way_back_to_nothing_and_forth_again() -> None:
    before = own_tables()
    assert "catalog_version" in before
    try:
        executor = MigrationExecutor(connection)
        executor.migrate([(app, None) for app in APPS])
        assert own_tables() == []
    finally:
        call_command("migrate", verbosity=0)
    assert own_tables() == before
