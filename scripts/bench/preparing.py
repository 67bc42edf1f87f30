"""Sees to it that each crowd's database is there and right: builds it, or keeps it from the last run."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bench.databases import Contents, Databases, program_digest
from scripts.bench.options import WRONG_DATA, Options
from scripts.bench.population import Population
from scripts.bench.server import environment

ROOT = Path(__file__).resolve().parents[2]
LAST_WORDS = 25  # lines of a traceback
# A database that can be built again may lose its last second.
WORKING = {"PGOPTIONS": "-c synchronous_commit=off -c jit=off"}


class CannotPrepareError(Exception):
    """One sentence for the terminal."""


class RulesChanged(CannotPrepareError):
    """What is stored is not what the rules say (any more)."""


@dataclass(frozen=True, slots=True)
class Site:
    """One crowd's database, ready to be asked about."""

    population: Population
    environment: Mapping[str, str]
    contents: Contents
    checked: int  # users compared with the rules
    key: str
    statements: Mapping[str, int]  # per line
    verify_ms: float  # a package of 60 rows, in the process


def prepare(databases: Databases, options: Options) -> dict[str, Site]:
    """Returns the sites by crowd. Raises CannotPrepareError."""
    secret = secrets.token_urlsafe(40)
    kept = [] if options.fresh else _kept(databases, options)
    try:
        sites = _sites(databases, options, secret, kept)
    except RulesChanged:
        if not kept:
            raise
        print("The rules are not what they were when this was built.", flush=True)
        sites = _sites(databases, options, secret, [])
    databases.settle()
    return sites


def _kept(databases: Databases, options: Options) -> list[str]:
    """Returns the crowds whose database is there already."""
    return [
        crowd
        for crowd, population in options.crowds.items()
        if (there := databases.contents(options.databases[crowd])) is not None and there.fits(_contents(population))
    ]


def _contents(population: Population, seconds: float = 0.0, client_mb: int = 0) -> Contents:
    return Contents(population.users, population.customers, program_digest(), round(seconds, 1), client_mb)


def _sites(databases: Databases, options: Options, secret: str, kept: Collection[str]) -> dict[str, Site]:
    """Builds what isn't kept: the small crowd first, then the large one as a copy of it with more users.

    Raises CannotPrepareError, RulesChanged.
    """
    few, many = options.databases["small"], options.databases["large"]
    tasks = {"small": ["check"], "large": ["check"]}
    if "small" not in kept:
        databases.create(few)
        tasks["small"] = ["prepare", "populate", "check"]
    small = _site(databases, options, secret, "small", tasks["small"])
    if "large" not in kept:
        databases.create(many, template=few)
        tasks["large"] = ["populate", "check"]
    return {"large": _site(databases, options, secret, "large", tasks["large"]), "small": small}


def _site(databases: Databases, options: Options, secret: str, crowd: str, tasks: Sequence[str]) -> Site:
    population, name = options.crowds[crowd], options.databases[crowd]
    variables = environment(databases.url_of(name), secret=secret)
    started = time.monotonic()
    done = work(tasks, population, variables)
    seconds = time.monotonic() - started
    print(f"{seconds:6.1f} s  {', '.join(tasks)}: {population.users:,} users", flush=True)
    if "populate" in tasks:
        databases.note(name, _contents(population, seconds, done["memory_mb"]))
    contents = databases.contents(name)
    if contents is None:
        raise CannotPrepareError(f"Somebody else changed the database {name}.")
    found = done["result"]
    checked, key, statements = found["checked"], found["key"], found["statements"]
    return Site(population, variables, contents, checked, key, statements, found["verify_ms"])


def work(tasks: Sequence[str], population: Population, variables: Mapping[str, str]) -> dict[str, Any]:
    """Runs tasks of scripts/bench/work.py, one after the other. Raises CannotPrepareError, RulesChanged."""
    command = [sys.executable, "-m", "scripts.bench.work", str(population.users), str(population.customers), *tasks]
    run = subprocess.run(command, cwd=ROOT, env=dict(variables) | WORKING, text=True, capture_output=True, check=False)
    if run.returncode == WRONG_DATA:
        raise RulesChanged(run.stderr.strip())
    if run.returncode != 0:
        last_words = "\n".join(run.stderr.splitlines()[-LAST_WORDS:])
        raise CannotPrepareError(f"{' '.join(tasks)} failed (status {run.returncode}):\n{last_words}")
    done: dict[str, Any] = json.loads(run.stdout.strip().rpartition("\n")[2])
    return done
