"""Worker processes of the real server that are killed, and started again at the same port."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field

from scripts.bench.load import HOST, LoadError
from scripts.bench.server import GRANIAN, ROOT, free_port

PATIENCE_SECONDS = 60.0
THREADS = 4


@dataclass
class Worker:
    """One server with one worker, in a process group of its own."""

    environment: Mapping[str, str]
    application: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(GRANIAN), "--interface", "wsgi", "--host", HOST, "--port", str(self.port), "--workers", "1"]
        command += ["--blocking-threads", str(THREADS), "--http", "1", "--no-ws", "--log-level", "error"]
        self.process = subprocess.Popen(
            [*command, self.application], cwd=ROOT, env=dict(self.environment), start_new_session=True
        )

    def wait(self) -> None:
        """Returns once it answers. Raises LoadError."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise LoadError(f"A worker ended by itself (status {self.process.returncode}).")
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
                with closing(connection):
                    connection.request("GET", "/readyz")
                    answer = connection.getresponse()
                    answer.read()
                if answer.status == http.client.OK:
                    return
            time.sleep(0.05)
        raise LoadError(f"A worker did not start within {PATIENCE_SECONDS:.0f} s.")

    def kill(self) -> None:
        """Kills it as a power cut would."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
