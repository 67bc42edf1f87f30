"""Makes the tools and the environment: `python3 scripts/setup.py runtime|dev`. Instant when nothing has changed.

Runs on the machine's own python3 and imports nothing but its standard library. `runtime` is what the program needs,
`dev` adds what the checks need; asking for `runtime` never takes packages of `dev` away.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
UV = TOOLS / "bin" / "uv"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
RUNTIME_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"  # contains all of RUNTIME_LOCK; tests/project/test_locks.py watches
STAMP = VENV / "installed.lock"  # a copy of the lock that was installed last


def main(arguments: Sequence[str]) -> None:
    if list(arguments) not in (["runtime"], ["dev"]):
        sys.exit("usage: python3 scripts/setup.py runtime|dev")
    wanted = DEV_LOCK if arguments[0] == "dev" else RUNTIME_LOCK
    with _one_at_a_time():
        _make_var()
        if not _is_installed(wanted):
            _install(wanted)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two `make` commands at once wait for each other here instead of mixing their installs."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "setup.mutex").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        yield


def _make_var() -> None:
    """Database, secrets and collected files of this machine; not in git."""
    (ROOT / "var" / "static").mkdir(parents=True, exist_ok=True)


def _is_installed(wanted: Path) -> bool:
    if not (PYTHON.exists() and STAMP.exists()):
        return False
    installed = STAMP.read_bytes()
    return installed == DEV_LOCK.read_bytes() or installed == wanted.read_bytes()


def _install(wanted: Path) -> None:
    if not UV.exists():
        print("Fetching uv …", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        _run([*pip, "--target", str(TOOLS), "uv"], hint="This needs pip (Debian: apt-get install python3-pip).")
    if not PYTHON.exists():
        _run([str(UV), "venv", "--quiet", "--clear", str(VENV)], hint="Planarium needs Python 3.11 or newer.")
    print(f"Installing {wanted.name} …", flush=True)
    STAMP.unlink(missing_ok=True)
    # `sync` also takes away what the lock no longer names; for the runtime that would be the packages of `dev`.
    verb = ["sync"] if wanted is DEV_LOCK else ["install", "--require-hashes", "--requirements"]
    _run([str(UV), "pip", *verb, str(wanted), "--python", str(PYTHON), "--quiet"], hint="The install failed.")
    unfinished = STAMP.with_suffix(".new")
    shutil.copyfile(wanted, unfinished)
    unfinished.replace(STAMP)


def _run(command: Sequence[str], *, hint: str) -> None:
    # Certificates of the machine (a company's proxy, say) count; the wheel's own bundle would not know them.
    environment = os.environ | {"UV_SYSTEM_CERTS": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0:
        sys.exit(f"setup: {' '.join(command)} did not succeed. {hint}")


if __name__ == "__main__":
    main(sys.argv[1:])
