"""`make demo`: a database under var/, the seed catalog, demo customers, then the server and the worker."""

import argparse
import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from scripts.processes import run_together

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"
BIN = Path(sys.executable).parent
HOST = "127.0.0.1"
DAYS_OF_HISTORY = 420


def main() -> None:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("demo: stopped."))  # takes the running step along
    refuse_taken_port(port)
    VAR.mkdir(exist_ok=True)
    environment = demo_environment()
    prepare(port=port, environment=environment)
    refuse_taken_port(port)  # another demo may have been quicker
    serve(port=port, environment=environment)


def refuse_taken_port(port: int) -> None:
    """Ends with one line when nobody can listen there: the server shares a taken port with its owner in silence."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a demo stopped a second ago is no hindrance
        try:
            listener.bind((HOST, port))
        except (OSError, OverflowError) as error:
            sys.exit(f"demo: can't listen on {HOST}:{port} ({error}). Choose another: make demo PORT=8001")


def demo_environment() -> dict[str, str]:
    """Returns the environment of every demo process; the database is the file under var/, whatever the shell says."""
    return os.environ | {
        "DEMO": "1",
        "SECRET_KEY": secret_key(VAR / "secret-key"),
        "DATABASE_URL": f"sqlite:///{VAR / 'planarium.sqlite3'}",
    }


def secret_key(path: Path) -> str:
    """Returns the key kept in `path`, made once and readable by its owner only."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


def prepare(*, port: int, environment: dict[str, str]) -> None:
    for what, arguments in (
        ("Database", ["migrate", "--verbosity", "0"]),
        ("Signatures", ["license", "sign"]),
        ("Catalog", ["catalog", "apply", "--publish", "--as-of", long_ago(), "catalog/seed"]),
        ("Demo customers", ["demo", "--port", str(port)]),
    ):
        manage(what, arguments, environment)


def long_ago() -> str:
    """Returns when the demo's catalog counts as published: before its oldest customer."""
    return (datetime.now(UTC) - timedelta(days=DAYS_OF_HISTORY)).isoformat()


def manage(what: str, arguments: Sequence[str], environment: dict[str, str]) -> None:
    started = time.monotonic()
    command = [sys.executable, "manage.py", *arguments]
    run = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if run.returncode != 0:
        sys.exit(f"{run.stdout}\ndemo: manage.py {' '.join(arguments)} failed (status {run.returncode}).")
    print(f"{what:<15} {time.monotonic() - started:5.1f} s", flush=True)


def serve(*, port: int, environment: dict[str, str]) -> None:
    """Runs server and worker until told to stop; exits 1 when one of them ends by itself."""

    offer = announcement()

    async def announce_when_ready() -> None:
        while not await asyncio.to_thread(answers, port):
            await asyncio.sleep(0.2)
        print(offer, flush=True)

    # One process with a few threads: counters kept in memory (throttles) are then exact.
    server = [str(BIN / "granian"), "--interface", "wsgi", "--host", HOST, "--port", str(port)]
    server += ["--workers", "1", "--blocking-threads", "4", "--no-ws", "--log-level", "warning"]
    complaint = run_together(
        {"server": [*server, "config.wsgi:application"], "worker": [sys.executable, "manage.py", "worker"]},
        env=environment,
        once_started=announce_when_ready,
    )
    if complaint:
        sys.exit(f"demo: {complaint}; stopped.")
    print("demo: stopped.")


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500  # an own list of ALLOWED_HOSTS, say; not ours to refuse
    except OSError:
        return False


def announcement() -> str:
    """Returns what the demo offers, as `manage.py demo` wrote it to var/demo.json."""
    demo = json.loads((VAR / "demo.json").read_text())
    logins = [
        f"  {role.replace('_', ' '):<18} {login['email']:<32} {login['password']}"
        for role, login in demo["logins"].items()
    ]
    lines = [
        "",
        f"Planarium answers at {demo['url']}",
        "",
        *logins,
        "",
        f"  API key  {demo['api_key']}",
        "",
        "Ctrl-C stops.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\ndemo: stopped.")
