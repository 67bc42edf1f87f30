"""Measures previewing and applying a change of many seats (scripts/bench/changing.py) in a process of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from dataclasses import dataclass
from math import ceil

from scripts.bench.databases import Databases
from scripts.bench.options import Options
from scripts.bench.preparing import LAST_WORDS, ROOT, WORKING, CannotPrepareError
from scripts.bench.server import environment

MOST_USERS = 10_000
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """A swap of plans for everybody: the worst seconds with many users, statements with few and many, the memory."""

    users: int
    few_users: int
    preview_seconds: float
    apply_seconds: float
    few_preview_statements: int
    few_apply_statements: int
    preview_statements: int
    apply_statements: int
    memory_mb: int
    memory_before_mb: int
    snapshot_ms: float = 0.0
    snapshot_kb: float = 0.0

    @property
    def statements_per_batch(self) -> float:
        """How many more statements, previewing and applying, every further batch of 1,000 users takes."""
        more = self.preview_statements + self.apply_statements - self.few_preview_statements - self.few_apply_statements
        return more / max(ceil(self.users / BATCH) - ceil(self.few_users / BATCH), 1)


def measure_change(databases: Databases, options: Options) -> Change:
    """Builds two customers, measures, and drops the database again. Raises CannotPrepareError."""
    # A tenth more than are changed: those who can't log in are not.
    many = min(options.users, MOST_USERS * 11 // 10)
    few = many // 2 if many < 1000 else many // 10
    name = f"{options.database}_change"
    databases.create(name)
    try:
        variables = dict(environment(databases.url_of(name), secret=secrets.token_urlsafe(40)))
        command = [sys.executable, "-m", "scripts.bench.changing", str(few), str(many), str(max(options.rounds, 2))]
        run = subprocess.run(command, cwd=ROOT, env=variables | WORKING, text=True, capture_output=True, check=False)
    finally:
        databases.drop(name)
    if run.returncode != 0:
        raise CannotPrepareError("Changing failed:\n" + "\n".join(run.stderr.splitlines()[-LAST_WORDS:]))
    return Change(**json.loads(run.stdout.strip().rpartition("\n")[2]))
