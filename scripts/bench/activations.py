"""Measures compiling and activating (scripts/bench/activating.py) in a process and a database of their own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from dataclasses import dataclass

from scripts.bench.databases import Databases
from scripts.bench.options import Options
from scripts.bench.preparing import LAST_WORDS, ROOT, WORKING, CannotPrepareError
from scripts.bench.server import environment

MOST_USERS = 10_000


@dataclass(frozen=True, slots=True)
class Activation:
    """A resize of all plans: the worst seconds with many users, its statements with few and with many, the memory."""

    items: int
    users: int
    seconds: float
    few_statements: int
    statements: int
    memory_mb: int
    memory_before_mb: int


def measure_activation(databases: Databases, options: Options) -> Activation:
    """Builds two customers, measures, and drops the database again. Raises CannotPrepareError."""
    many = min(options.users, MOST_USERS)
    few = many // 2 if many < 1000 else many // 10
    name = f"{options.database}_activation"
    databases.create(name)
    try:
        variables = dict(environment(databases.url_of(name), secret=secrets.token_urlsafe(40)))
        command = [sys.executable, "-m", "scripts.bench.activating", str(few), str(many), str(max(options.rounds, 3))]
        run = subprocess.run(command, cwd=ROOT, env=variables | WORKING, text=True, capture_output=True, check=False)
    finally:
        databases.drop(name)
    if run.returncode != 0:
        raise CannotPrepareError("Activating failed:\n" + "\n".join(run.stderr.splitlines()[-LAST_WORDS:]))
    return Activation(**json.loads(run.stdout.strip().rpartition("\n")[2]))
