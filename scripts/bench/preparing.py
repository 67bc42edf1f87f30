"""Sees to it that each crowd's database is there and right: builds it, or keeps it from the last run."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.bench.databases import Contents, Databases, program_digest
from scripts.bench.options import WRONG_DATA, Options
from scripts.bench.population import Population
from scripts.bench.server import environment

ROOT = Path(__file__).resolve().parents[2]
# A database that can be built again may lose its last second.
LAST_WORDS = 25  # lines of a traceback
BUILDING = {"PGOPTIONS": "-c synchronous_commit=off -c jit=off"}


class CannotPrepareError(Exception):
    """One sentence for the terminal."""


class RulesChanged(Exception):
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


def prepare(databases: Databases, options: Options) -> dict[str, Site]:
    """Returns the sites by crowd. Raises CannotPrepareError."""
    secret = secrets.token_urlsafe(40)
    is_kept = not options.fresh and _are_there(databases, options)
    if not is_kept:
        _build(databases, options, secret)
    try:
        sites = _check(databases, options, secret)
    except RulesChanged as wrong:
        if not is_kept:
            raise CannotPrepareError(f"What was just built is not what the rules say: {wrong}") from wrong
        _build(databases, options, secret)
        sites = _check(databases, options, secret)
    databases.settle()
    return sites


def _are_there(databases: Databases, options: Options) -> bool:
    found = {crowd: databases.contents(name) for crowd, name in options.databases.items()}
    return all(
        (there := found[crowd]) is not None and there.fits(_contents(population))
        for crowd, population in options.crowds.items()
    )


def _contents(population: Population, seconds: float = 0.0, client_mb: int = 0) -> Contents:
    return Contents(population.users, population.customers, program_digest(), round(seconds, 1), client_mb)


def _build(databases: Databases, options: Options, secret: str) -> None:
    """Builds the small crowd, then copies its database and adds users to the copy."""
    large, small = options.crowds["large"], options.crowds["small"]
    names = options.databases
    variables = {crowd: environment(databases.url_of(name), secret=secret) | BUILDING for crowd, name in names.items()}
    started = time.monotonic()
    databases.drop(names["large"])
    databases.create(names["small"])
    # What the customers buy suffices for the large crowd; in the small one most seats stay free.
    steps = [_work(f"{large.customers} customers and what they buy", "prepare", large, variables["small"])]
    steps.append(_work(f"{small.users:,} users and what they hold", "populate", small, variables["small"]))
    databases.create(names["large"], template=names["small"])
    steps.append(_work(f"{large.users:,} users and what they hold", "populate", large, variables["large"]))
    for crowd, population in options.crowds.items():
        most = max(step["memory_mb"] for step in steps)
        databases.note(names[crowd], _contents(population, time.monotonic() - started, most))


def _check(databases: Databases, options: Options, secret: str) -> dict[str, Site]:
    """Raises RulesChanged."""
    sites = {}
    for crowd, population in options.crowds.items():
        name = options.databases[crowd]
        contents = databases.contents(name)
        if contents is None:
            raise CannotPrepareError(f"Somebody else changed the database {name}.")
        variables = environment(databases.url_of(name), secret=secret)
        found = _work(f"checked: {population.users:,} users", "check", population, variables)["result"]
        sites[crowd] = Site(population, variables, contents, found["checked"], found["key"], found["statements"])
    return sites


def _work(what: str, task: str, population: Population, variables: Mapping[str, str]) -> dict[str, Any]:
    """Runs a task of scripts/bench/work.py. Raises CannotPrepareError, RulesChanged."""
    started = time.monotonic()
    command = [sys.executable, "-m", "scripts.bench.work", task, str(population.users), str(population.customers)]
    run = subprocess.run(command, cwd=ROOT, env=dict(variables), text=True, capture_output=True, check=False)
    if run.returncode == WRONG_DATA:
        raise RulesChanged(run.stderr.strip())
    if run.returncode != 0:
        last_words = "\n".join(run.stderr.splitlines()[-LAST_WORDS:])
        raise CannotPrepareError(f"{task} failed (status {run.returncode}):\n{last_words}")
    print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)
    done: dict[str, Any] = json.loads(run.stdout.strip().rpartition("\n")[2])
    return done
