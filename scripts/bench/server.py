"""The real server, as in production: granian, two workers; it is stopped by its process id."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scripts.bench.load import HOST, LoadError

ROOT = Path(__file__).resolve().parents[2]
GRANIAN = Path(sys.executable).parent / "granian"
WORKERS = 2
# One thread a worker: with one processor for each worker, a second one only fights the first for the interpreter.
THREADS = 1
PATIENCE_SECONDS = 60
KEEP_ALIVE_MS = 60_000  # a connection waits for its turn while the other lines have theirs


@contextmanager
def running(environment: Mapping[str, str]) -> Iterator[int]:
    """Yields the port of a server that answers; raises LoadError when it doesn't."""
    port = free_port()
    command = [str(GRANIAN), "--interface", "wsgi", "--host", HOST, "--port", str(port), "--workers", str(WORKERS)]
    command += ["--blocking-threads", str(THREADS), "--http", "1", "--no-ws", "--log-level", "warning"]
    command += ["--http1-header-read-timeout", str(KEEP_ALIVE_MS)]
    process = subprocess.Popen([*command, "config.wsgi:application"], cwd=ROOT, env=dict(environment))
    try:
        _wait_until_it_answers(port, process)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def memory_mb(pid: int) -> int | None:
    """Returns the most memory that a process has held so far; None where the system doesn't tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return None if peak is None else int(peak) // 1024


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5):
                return
        except urllib.error.HTTPError as error:
            raise LoadError(f"The server is not ready: {error.read()[:300]!r}") from error
        except OSError:
            time.sleep(0.1)
    raise LoadError(f"The server did not start within {PATIENCE_SECONDS} s (status {process.poll()}).")


def environment(database_url: str, *, secret: str) -> dict[str, str]:
    """Returns the environment of everything that runs Django here: production's defaults, but plain HTTP on this host,
    no log of each request, and a rate limit that counts every call and refuses none.
    """
    own = {
        "DJANGO_SETTINGS_MODULE": "scripts.bench.settings",
        "DATABASE_URL": database_url,
        "SECRET_KEY": secret,
        "SIGNING_KEY": base64.b64encode(hashlib.sha256(secret.encode()).digest()).decode(),
        "DEBUG": "false",
        "DEMO": "false",
        "TESTING": "false",
        "BEHIND_TLS": "false",
        "ALLOWED_HOSTS": HOST,
        "STATIC_ROOT": str(ROOT / "static"),
        "OWN_OWNER": "SUPEROFFICE",
        "FOUR_EYES": "false",
        "CACHE_URL": "",
        "LOG_LEVEL": "WARNING",
        "API_RATE": "1000000000/min",
    }
    return dict(os.environ) | own
