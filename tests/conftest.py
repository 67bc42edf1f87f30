"""What every test starts from: an empty cache, a database that can be emptied, one way of drawing examples."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.db.backends.sqlite3.base import DatabaseWrapper
from hypothesis import settings as hypothesis_settings

pytest_plugins = ["tests.factories.fixtures"]

# Neither profile has a deadline: a slow machine is not a wrong answer. CI draws the same examples every time.
hypothesis_settings.register_profile("dev", deadline=None)
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True, scope="session")
def _flush_past_protected_rows() -> Iterator[None]:
    """Lets transactional tests empty SQLite, whose flush is a DELETE that the triggers of protected tables refuse.

    PostgreSQL flushes by TRUNCATE, which fires no row trigger.
    """

    def flush(self: Any, sql_list: list[str]) -> None:
        with transaction.atomic(using=self.connection.alias), self.connection.cursor() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = cursor.fetchall()
            for name, _ in triggers:
                cursor.execute(f"DROP TRIGGER {self.quote_name(name)}")
            for statement in sql_list:
                cursor.execute(statement)
            for _, create in triggers:
                cursor.execute(create)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseWrapper.ops_class, "execute_sql_flush", flush)
        yield
