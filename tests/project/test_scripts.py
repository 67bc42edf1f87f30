"""What `make` leans on: the verdict of `make test`, the supervisor and the first steps of `make demo`."""

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import demo
from scripts.test import Outcome, Phase, total

ROOT = Path(__file__).resolve().parents[2]


def test_help_lists_every_target() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    steps_of_others = {"runtime"}
    assert {line.split()[1] for line in shown.stdout.splitlines()} == set(phony.split()[1:]) - steps_of_others


class TestVerdict:
    lines = (
        "FAILED tests/licensing/test_seats.py::test_race - assert 2 == 1",
        "ERROR tests/catalog/test_versions.py",
        "=========== 1 failed, 650 passed, 3 skipped, 1 error in 430.53s (0:07:10) ===========",
    )

    def test_a_phase_keeps_pytest_s_own_words(self) -> None:
        outcome = Outcome(Phase("tests", []), ok=False, seconds=1.0, lines=list(self.lines))
        assert outcome.failures == list(self.lines[:2])
        assert outcome.closing_line == self.lines[2]

    def test_quiet_closing_lines_count_too(self) -> None:
        outcome = Outcome(Phase("tests", []), ok=True, seconds=1.0, lines=["....", "4 passed in 0.10s"])
        assert outcome.closing_line == "4 passed in 0.10s"

    def test_a_linter_has_no_closing_line(self) -> None:
        assert Outcome(Phase("lint", []), ok=True, seconds=1.0, lines=["All checks passed!"]).closing_line == ""

    def test_the_total_adds_up_and_counts_errors_as_failures(self) -> None:
        assert total([self.lines[2], "4 passed in 0.10s"]) == "654 passed, 2 failed, 3 skipped"
        assert total(["2 errors in 0.10s"]) == "0 passed, 2 failed"


class TestDemo:
    def test_a_taken_port_is_named_in_one_line(self) -> None:
        with socket.socket() as taken:
            taken.bind((demo.HOST, 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(SystemExit, match=rf"can't listen on 127\.0\.0\.1:{port} .*already in use"):
                demo.refuse_taken_port(port)

    def test_a_port_that_is_none_is_refused_too(self) -> None:
        with pytest.raises(SystemExit, match=r"can't listen on 127\.0\.0\.1:123456"):
            demo.refuse_taken_port(123456)

    def test_the_secret_is_made_once_and_for_its_owner_only(self, tmp_path: Path) -> None:
        secret = demo.secret_key(tmp_path / "secret-key")
        assert len(secret) >= 50
        assert demo.secret_key(tmp_path / "secret-key") == secret
        assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600


class TestRunningTogether:
    """In a process of its own: it takes over the signals."""

    def start(self, *commands: str) -> subprocess.Popen[str]:
        named = {f"program {n}": [sys.executable, "-c", command] for n, command in enumerate(commands, start=1)}
        program = (
            "import asyncio, os\n"
            "from scripts.processes import run_together\n"
            "async def started(): print('started', flush=True)\n"
            f"print(run_together({named!r}, env=dict(os.environ), once_started=started))\n"
        )
        return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def test_when_one_ends_the_other_is_stopped_and_the_first_is_named(self, tmp_path: Path) -> None:
        pid = tmp_path / "pid"
        waits = f"import os, signal; open({str(pid)!r}, 'w').write(str(os.getpid())); signal.pause()"
        ends = f"import os\nwhile not (os.path.exists({str(pid)!r}) and open({str(pid)!r}).read()): pass\nexit(3)"
        with self.start(waits, ends) as process:
            output, _ = process.communicate()
        assert output.splitlines()[-1] == "the program 2 ended by itself (status 3)"
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_told_to_stop_it_stops_all_and_has_no_complaint(self, number: signal.Signals) -> None:
        with self.start("import signal; signal.pause()", "import signal; signal.pause()") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            process.send_signal(number)
            output, _ = process.communicate()
        assert output.splitlines()[-1] == "None"
        assert process.returncode == 0
