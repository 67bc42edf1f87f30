"""The benchmark's own databases: made, kept while they fit, dropped. A comment on each says what is in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Contents:
    """What was built: how many users, from which program, how long it took and how much memory the client needed."""

    users: int
    customers: int
    program: str
    seconds: float
    client_mb: int

    def fits(self, other: Contents) -> bool:
        return (self.users, self.customers, self.program) == (other.users, other.customers, other.program)


def program_digest() -> str:
    """Returns the digest of everything that shapes the data: the catalog, the tables, and who fills them."""
    files = sorted([*ROOT.glob("catalog/seed/*.yaml"), *ROOT.glob("*/migrations/*.py")])
    files += [ROOT / "scripts" / "bench" / name for name in ("building.py", "population.py")]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


@dataclass(frozen=True, slots=True)
class Databases:
    """Databases on the server that `url` names."""

    url: str

    def url_of(self, name: str) -> str:
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def contents(self, name: str) -> Contents | None:
        """Returns what the benchmark noted about a database; None if there is none, or an unfinished one."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
            ).fetchone()
        if row is None or row[0] is None:
            return None
        with suppress(ValueError, TypeError):
            return Contents(**json.loads(row[0]))
        return None

    def note(self, name: str, contents: Contents) -> None:
        note = sql.SQL("COMMENT ON DATABASE {} IS {}")
        with self._connection() as connection:
            connection.execute(note.format(sql.Identifier(name), sql.Literal(json.dumps(asdict(contents)))))

    def create(self, name: str, template: str = "template0") -> None:
        """Makes the database anew, empty or as a copy of `template`."""
        self.drop(name)
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with self._connection() as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))

    def drop(self, name: str) -> None:
        with self._connection() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def settle(self) -> None:
        """Has the server write out what was built, if we may ask for it, so that it need not while it is measured."""
        with self._connection() as connection, suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute("CHECKPOINT")

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            yield connection
