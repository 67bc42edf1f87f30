"""Finds a PostgreSQL server for tests and benchmarks, or starts one that leaves nothing behind."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from scripts import debian

LOCAL_PORT = 5432
DEBIAN_BINARIES = Path("/usr/lib/postgresql")
# What a server that is thrown away does not need: to survive a power cut.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


class NoPostgresError(Exception):
    """One sentence for the terminal: why there is no server."""


@contextmanager
def server() -> Iterator[str]:
    """Yields the URL of a server where databases may be created; raises NoPostgresError.

    In this order: DATABASE_URL; a server on this machine that wants no password; a throw-away one from the installed
    binaries; the same after installing Debian's package.
    """
    url = _named_by_environment() or _answering_locally()
    if url:
        yield url
        return
    with throw_away(_binaries() or _installed_binaries()) as url:
        yield url


def drop_databases(url: str, *, name: str) -> None:
    """Drops `name` and its per-worker siblings `name_gw0`, …: what a test run that was killed may have left behind."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname ~ %s", [f"^{name}(_gw[0-9]+)?$"])
        for (database,) in rows.fetchall():
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))


def _named_by_environment() -> str | None:
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith(("postgres://", "postgresql://")):
        return None
    if complaint := _complaint(url):
        raise NoPostgresError(f"DATABASE_URL names a PostgreSQL server that is of no use: {complaint}")
    return url


def _answering_locally() -> str | None:
    urls = [f"postgres://{user}@127.0.0.1:{LOCAL_PORT}/postgres" for user in ("postgres", "root")]
    return next((url for url in urls if _complaint(url) is None), None)


def _complaint(url: str) -> str | None:
    """Returns None when the server answers and lets us create databases, else what is wrong."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return None if row and row[0] else "this user may not create databases"


def _binaries() -> Path | None:
    """Returns the folder with `initdb` and `postgres` of the newest version installed."""
    debian_versions = sorted(DEBIAN_BINARIES.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True)
    on_path = shutil.which("initdb")
    found = [*debian_versions, *([Path(on_path).resolve()] if on_path else [])]
    return next((initdb.parent for initdb in found if initdb.with_name("postgres").exists()), None)


def _installed_binaries() -> Path:
    try:
        debian.install("postgresql")
    except debian.CannotInstallError as error:
        raise NoPostgresError(f"No PostgreSQL server answers on port {LOCAL_PORT}; {error}") from error
    binaries = _binaries()
    if binaries is None:
        raise NoPostgresError(f"Debian's postgresql package brought no binaries to {DEBIAN_BINARIES}.")
    return binaries


@contextmanager
def throw_away(binaries: Path) -> Iterator[str]:
    """Yields the URL of a new server in a temporary folder; stops and removes it afterwards."""
    account = _unprivileged() if os.geteuid() == 0 else None
    # Not $TMPDIR: it may lie where the unprivileged user can't go.
    with tempfile.TemporaryDirectory(prefix="planarium-postgres-", dir="/tmp") as name:
        folder = Path(name)
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        _create_cluster(binaries, folder, account)
        port = _free_port()
        process = _start(binaries, folder, port, account)
        try:
            url = f"postgres://postgres@127.0.0.1:{port}/postgres"
            _wait_until_it_answers(url, process, folder)
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait()


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgresError("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody.")


def _create_cluster(binaries: Path, folder: Path, account: pwd.struct_passwd | None) -> None:
    initdb = [str(binaries / "initdb"), "--pgdata=data", "--username=postgres", "--auth=trust", "--no-sync"]
    result = subprocess.run(
        [*initdb, "--encoding=UTF8", "--locale=C.UTF-8"],
        cwd=folder,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise NoPostgresError(f"initdb failed: {' '.join(result.stdout.split()[-40:])}")


def _start(binaries: Path, folder: Path, port: int, account: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    options = CARELESS | {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [str(binaries / "postgres"), "-D", "data", *(f"--{name}={value}" for name, value in options.items())],
            cwd=folder,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,  # Ctrl-C is ours to handle: tests first, then the server
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if _complaint(url) is None:
            return
        time.sleep(0.1)
    last_words = " ".join((folder / "log").read_text(errors="replace").split()[-40:])
    raise NoPostgresError(f"A throw-away PostgreSQL server did not start: {last_words}")
