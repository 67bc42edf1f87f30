"""A read replica that is behind: what comes from it, and what never does. Rule H-9."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from psycopg import sql
from rest_framework.test import APIClient

from customers.replica import REPLICA, replica_is_usable
from licensing.reading import forget_sets
from tests.factories.customers import CustomerFactory, api_with
from tests.licensing.market import Market, Town, hours

SNAPSHOT = "/api/v1/customers/fjordlys/entitlements/snapshot/"
READ = "/api/v1/customers/fjordlys/users/ola/entitlements/"


@pytest.fixture
def town(transactional_db: None) -> Town:
    """Ola holds Sales Essentials; and the replica will know no more than this."""
    Market()
    town = Town()
    town.buys(sales_essentials=1, sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2))
    return town


@pytest.fixture
def replica(town: Town, settings: Any, tmp_path: Path) -> Iterator[str]:
    """A copy of the database as it is now, which nothing reaches any more."""
    given = connection.settings_dict
    name = f"{given['NAME']}_copy" if connection.vendor == "postgresql" else str(tmp_path / "copy.sqlite3")
    _copy(name)
    connections.settings[REPLICA] = {**given, "NAME": name}
    copy: Any = connections[REPLICA]

    def connect() -> None:
        # What Django's own does; in tests that refuses aliases which weren't there when the test began.
        if copy.connection is None:
            with copy.wrap_database_errors:
                copy.connect()

    copy.ensure_connection = connect
    settings.DATABASE_ROUTERS = ["customers.replica.ReplicaRouter"]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "customers.replica.RememberWriters"]
    replica_is_usable.forget()
    yield name
    connections[REPLICA].close()
    del connections[REPLICA], connections.settings[REPLICA]
    replica_is_usable.forget()
    forget_sets()
    if connection.vendor == "postgresql":
        with _maintenance() as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _maintenance() -> psycopg.Connection[Any]:
    given = connection.get_connection_params() | {"dbname": "postgres"}
    return psycopg.connect(
        **{name: given[name] for name in ("host", "port", "user", "password", "dbname") if name in given},
        autocommit=True,
    )


def _copy(name: str) -> None:
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        target = sqlite3.connect(name)
        connection.connection.backup(target)
        target.close()
        return
    source = connection.settings_dict["NAME"]
    connection.close()
    with _maintenance() as server:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        server.execute(copy.format(sql.Identifier(name), sql.Identifier(source)))


def plans(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [plan["code"] for plan in answer.json()["plans"]]


def test_a_read_that_names_a_revision_is_never_older(town: Town, replica: str) -> None:
    api = api_with("entitlements:read")
    then = town.revision()
    town.gives("ola", "ten-sales-premium", at=hours(3))

    assert plans(api.get(READ)) == ["sales-premium"], "without one it is fresh"
    assert plans(api.get(READ, {"min_revision": then})) == ["sales-essentials"], "new enough: the replica's"
    assert plans(api.get(READ, {"min_revision": then + 1})) == ["sales-premium"], "the replica is behind"
    refused = api.get(READ, {"min_revision": then + 2})
    assert (refused.status_code, refused.json()["code"], refused["Retry-After"]) == (409, "revision_not_reached", "1")
    assert refused.json()["revision"] == then + 1

    connections[REPLICA].close()
    connections[REPLICA].settings_dict["NAME"] = "/nowhere/at/all"
    assert plans(api.get(READ, {"min_revision": then})) == ["sales-premium"], "without its replica it is answered too"
    assert api_with().get("/api/v1/customers/").status_code == 200


def test_a_replica_that_lacks_a_table_is_passed_by(town: Town, replica: str) -> None:
    """As while a migration has not reached it; prepared on the server or not."""
    api, then = api_with("entitlements:read"), town.revision()
    assert plans(api.get(READ, {"min_revision": then})) == ["sales-essentials"]
    town.gives("ola", "ten-sales-premium", at=hours(3))
    with connections[REPLICA].cursor() as cursor:
        cursor.execute("ALTER TABLE licensing_userperiod RENAME TO licensing_period")
    for address in (READ, SNAPSHOT):
        for _ in range(2):
            answer = api.get(address, {"min_revision": then})
            assert (answer.status_code, json.loads(answer.getvalue())["revision"]) == (200, then + 1)


def customers(api: APIClient) -> list[str]:
    return [found["code"] for found in api.get("/api/v1/customers/").json()["results"]]


def test_lists_come_from_the_replica_but_for_who_just_wrote(town: Town, replica: str, settings: Any) -> None:
    # The replica does not know these keys, and is not asked about them.
    reader, writer = api_with(), api_with()
    CustomerFactory(code="nordvik")
    assert customers(reader) == customers(writer) == ["fjordlys"]
    written = writer.delete("/api/v1/customers/fjordlys/users/ola/seats/ten-sales-essentials/")
    assert written.status_code == 200
    assert customers(writer) == ["fjordlys", "nordvik"]
    assert customers(reader) == ["fjordlys"]

    # Likewise of who sends the key as X-API-Key, as OpenFeature's providers do.
    key = api_with()._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    other = APIClient(headers={"X-API-Key": key})
    assert customers(other) == ["fjordlys"]
    assert other.patch("/api/v1/customers/fjordlys/users/ola/", {"name": "Ola"}, format="json").status_code == 200
    assert customers(other) == ["fjordlys", "nordvik"]

    settings.REPLICA_MAX_LAG_SECONDS = -1  # one that is not behind at all is too far behind
    replica_is_usable.forget()
    assert customers(reader) == ["fjordlys", "nordvik"]


def test_the_hot_read_works_outside_a_transaction(town: Town) -> None:
    """Prepared once per connection, and again when the server has forgotten it, or the connection is another."""
    api = api_with("entitlements:read")
    assert plans(api.get(READ)) == ["sales-essentials"]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DEALLOCATE ALL")
        assert plans(api.get(READ)) == ["sales-essentials"]
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        with _maintenance() as server:
            server.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert plans(api.get(READ)) == ["sales-essentials"]
