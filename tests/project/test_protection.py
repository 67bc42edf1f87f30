"""What migrations forbid by `refuse(...)` is forbidden in the database as it stands after the last of them."""

import pytest
from django.db import connection

from customers.protection import Protection
from tests.project.test_migrations import flatten, own_migrations


def refusals() -> set[tuple[str, str]]:
    """Returns (trigger, table) of every `refuse(...)` in our migrations."""
    return {
        (operation.name, operation.table)
        for migration in own_migrations()
        for operation in flatten(list(migration.operations))
        if isinstance(operation, Protection)
    }


def triggers() -> set[tuple[str, str]]:
    """Returns (trigger, table) as the database has them."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute(
                "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE NOT tgisinternal"
            )
        return {(str(name), str(table)) for name, table in cursor.fetchall()}


@pytest.mark.django_db
def test_every_refusal_stands_in_the_database() -> None:
    assert refusals()
    assert refusals() - triggers() == set()


@pytest.mark.django_db(transaction=True)
class TestEmptyingTheDatabaseBetweenTests:
    """Transactional tests leave the protection as they found it; the second of these runs after a flush."""

    def test_protection_before(self) -> None:
        assert refusals() - triggers() == set()

    def test_protection_after(self) -> None:
        assert refusals() - triggers() == set()
