"""Measures the pages (scripts/bench/pages.py) in a process and a database of their own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.bench.databases import Databases
from scripts.bench.options import Options
from scripts.bench.preparing import LAST_WORDS, ROOT, WORKING, CannotPrepareError
from scripts.bench.server import environment

MOST_ROWS = 100_000
FEW_ROWS = 100


@dataclass(frozen=True, slots=True)
class Pages:
    """What pages cost: per list the median milliseconds with few and with many rows, per page the bytes sent."""

    few: int
    many: int
    lists: Mapping[str, tuple[float, float]]
    bytes: Mapping[str, int]

    @property
    def worst_list(self) -> float:
        """How many times the server time of few rows the heaviest list takes with many."""
        return max(many / few for few, many in self.lists.values())

    @property
    def heaviest_page(self) -> int:
        return max(self.bytes.values())


def measure_pages(databases: Databases, options: Options) -> Pages:
    """Builds the rows, measures, and drops the database again. Raises CannotPrepareError."""
    many = min(options.users, MOST_ROWS)
    few = min(FEW_ROWS, many // 2)
    name = f"{options.database}_pages"
    databases.create(name)
    try:
        variables = dict(environment(databases.url_of(name), secret=secrets.token_urlsafe(40)))
        command = [sys.executable, "-m", "scripts.bench.pages", str(few), str(many), str(max(options.rounds, 3))]
        run = subprocess.run(command, cwd=ROOT, env=variables | WORKING, text=True, capture_output=True, check=False)
    finally:
        databases.drop(name)
    if run.returncode != 0:
        raise CannotPrepareError("The pages failed:\n" + "\n".join(run.stderr.splitlines()[-LAST_WORDS:]))
    found = json.loads(run.stdout.strip().rpartition("\n")[2])
    lists = {label: (times["few_ms"], times["many_ms"]) for label, times in found["lists"].items()}
    return Pages(few, many, lists, found["bytes"])
