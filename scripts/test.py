"""`make test`: every check, each named and timed, all of them run before the verdict.

`python -m scripts.test [all|lint|types|fast]`; exits 1 when anything failed. Nothing is skipped: what can't run fails.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts import chromium, debian, postgres

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
IN_MEMORY = "sqlite://:memory:"
TEST_DB = os.environ.get("TEST_DB") or f"run{os.getpid()}"  # nobody else's, should two runs meet on one server
CLOSING_LINE = re.compile(r"^(=+ )?(no tests ran|\d+ \w+(, \d+ \w+)*) in [\d.]+s( \([\d:]+\))?( =+)?$")
COUNT = re.compile(r"(\d+) (passed|failed|error|skipped)")


@contextmanager
def sqlite() -> Iterator[str]:
    yield IN_MEMORY


@contextmanager
def postgresql() -> Iterator[str]:
    with postgres.server() as url:
        try:
            yield url
        finally:
            postgres.drop_databases(url, name=f"test_planarium_{TEST_DB}")


@contextmanager
def sqlite_and_chromium() -> Iterator[str]:
    chromium.ensure()
    yield IN_MEMORY


@dataclass(frozen=True)
class Phase:
    """One check: a command, and whatever has to be there while it runs (which yields its DATABASE_URL)."""

    name: str
    command: Sequence[str]
    database: Callable[[], AbstractContextManager[str]] = sqlite


@dataclass
class Outcome:
    phase: Phase
    ok: bool
    seconds: float
    reason: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def closing_line(self) -> str:
        """Pytest's last line, or nothing where the phase is none of pytest's."""
        return next((line for line in reversed(self.lines) if CLOSING_LINE.match(line)), "")

    @property
    def failures(self) -> list[str]:
        return [line for line in self.lines if line.startswith(("FAILED ", "ERROR "))]


def tool(name: str, *arguments: str) -> list[str]:
    return [str(BIN / name), *arguments]


def pytest(*arguments: str) -> list[str]:
    # Two workers: on the two cores this was measured on, more of them wait for each other. A file stays with one
    # of them, for many set up their world once per module.
    return tool("pytest", "--numprocesses=2", "--dist=loadfile", "--quiet", *arguments)


LINT = [
    Phase("lint", tool("ruff", "check", "--output-format=concise", ".")),
    Phase("format", tool("ruff", "format", "--check", "--output-format=concise", ".")),
    Phase("import contracts", tool("lint-imports", "--no-logo")),
    Phase("templates", tool("djlint", "--lint", "--quiet", "templates")),
    Phase("migrations", tool("python", "manage.py", "makemigrations", "--check", "--dry-run")),
]
TYPES = [Phase("types", tool("mypy"))]
ON_SQLITE = [Phase("tests on SQLite", pytest("--ignore=tests/browser"))]
ON_POSTGRES = [Phase("tests on PostgreSQL", pytest("--ignore=tests/browser"), postgresql)]
IN_BROWSER = [Phase("browser tests", pytest("tests/browser"), sqlite_and_chromium)]
GROUPS = {
    "all": [*LINT, *TYPES, *ON_SQLITE, *ON_POSTGRES, *IN_BROWSER],
    "lint": LINT,
    "types": TYPES,
    "fast": ON_SQLITE,
}


def main(arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every `finally` below runs
    group = arguments[0] if arguments else "all"
    if len(arguments) > 1 or group not in GROUPS:
        print(f"usage: python -m scripts.test [{'|'.join(GROUPS)}]")
        return 2
    outcomes = [run(phase) for phase in GROUPS[group]]
    print_summary(outcomes)
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def run(phase: Phase) -> Outcome:
    print(f"\n── {phase.name} {'─' * (76 - len(phase.name))}", flush=True)
    started = time.monotonic()
    lines: list[str] = []
    try:
        with phase.database() as url:
            status = follow(phase.command, environment(url), lines)
        reason = f"status {status}" if status else ""
    except (postgres.NoPostgresError, debian.CannotInstallError) as error:
        reason = str(error)
        print(reason)
    outcome = Outcome(phase, not reason, time.monotonic() - started, reason, lines)
    print(f"{'ok' if outcome.ok else 'FAILED'}, {outcome.seconds:.1f} s", flush=True)
    return outcome


def environment(url: str) -> dict[str, str]:
    return os.environ | {"TESTING": "1", "DATABASE_URL": url, "TEST_DB": TEST_DB, "PYTHONUNBUFFERED": "1"}


def follow(command: Sequence[str], env: Mapping[str, str], lines: list[str]) -> int:
    """Runs the command, passes its output on as it comes, collects it in `lines`; returns the exit status."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                lines.append(line.rstrip("\n"))
            return process.wait()
        except BaseException:  # Ctrl-C or TERM: the check first, then what it stands on
            process.terminate()
            raise


def print_summary(outcomes: Sequence[Outcome]) -> None:
    print(f"\n── summary {'─' * 69}")
    for outcome in outcomes:
        verdict = "ok" if outcome.ok else "FAILED"
        remark = "" if outcome.closing_line else outcome.reason
        print(f"{verdict:<7}{outcome.seconds:6.1f} s  {outcome.phase.name:<22}{remark}".rstrip())
        for failure in outcome.failures:
            print(f"    {failure}")
    closing_lines = [outcome.closing_line for outcome in outcomes if outcome.closing_line]
    if closing_lines:
        print("\n".join(["", *closing_lines, "", total(closing_lines)]), flush=True)


def total(closing_lines: Sequence[str]) -> str:
    """Returns "N passed, N failed", with ", N skipped" where there are such; an error counts as a failure."""
    sums = dict.fromkeys(("passed", "failed", "error", "skipped"), 0)
    for line in closing_lines:
        for count, what in COUNT.findall(line):
            sums[what] += int(count)
    text = f"{sums['passed']} passed, {sums['failed'] + sums['error']} failed"
    return f"{text}, {sums['skipped']} skipped" if sums["skipped"] else text


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("\nstopped")
