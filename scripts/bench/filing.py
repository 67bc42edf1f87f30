"""Measures the catalog as files (scripts/bench/files.py) on both databases, each new and in a process of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.databases import Databases
from scripts.bench.options import Options
from scripts.bench.preparing import LAST_WORDS, ROOT, WORKING, CannotPrepareError
from scripts.bench.server import environment

MOST_FEATURES = 5_000


@dataclass(frozen=True, slots=True)
class Files:
    """Seconds that a file of so many features takes, by database: `yaml` alone, planning `nothing` and `everything`."""

    features: int
    seconds: Mapping[str, Mapping[str, float]]

    @property
    def worst_plan(self) -> float:
        """How many times the time of reading the YAML alone a plan takes in which every plan changes."""
        return max(taken["everything"] / taken["yaml"] for taken in self.seconds.values())


def measure_files(databases: Databases, options: Options) -> Files:
    """Plans on PostgreSQL and on SQLite, and leaves neither database behind. Raises CannotPrepareError."""
    features = min(options.users, MOST_FEATURES)
    rounds = max(options.rounds, 3)
    name = f"{options.database}_files"
    databases.create(name)
    try:
        postgres = _measured(databases.url_of(name), features, rounds)
    finally:
        databases.drop(name)
    with tempfile.TemporaryDirectory() as folder:
        sqlite = _measured(f"sqlite:///{Path(folder) / 'bench.sqlite3'}", features, rounds)
    return Files(features, {"PostgreSQL": postgres, "SQLite": sqlite})


def _measured(url: str, features: int, rounds: int) -> dict[str, float]:
    variables = dict(environment(url, secret=secrets.token_urlsafe(40)))
    command = [sys.executable, "-m", "scripts.bench.files", str(features), str(rounds)]
    run = subprocess.run(command, cwd=ROOT, env=variables | WORKING, text=True, capture_output=True, check=False)
    if run.returncode != 0:
        last_words = "\n".join(run.stderr.splitlines()[-LAST_WORDS:])
        raise CannotPrepareError(f"The catalog as files failed:\n{last_words}")
    found: dict[str, float] = json.loads(run.stdout.strip().rpartition("\n")[2])
    return found
