"""The run itself: real servers, real requests, every line in short turns with the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from random import Random
from typing import Any

from scripts.bench.apps import Apps, measure_apps
from scripts.bench.lines import ENTITLEMENTS, FULL, LINES, NAIVE, WORKER, Line, figures_of
from scripts.bench.load import Load, LoadError, Sample, get
from scripts.bench.options import Options
from scripts.bench.preparing import Site
from scripts.bench.server import WORKERS, memory_mb, running

SLICE_SECONDS = 0.25
CONNECTIONS_PER_WORKER = 2
RANDOM_USERS = 2_500  # per slice: more than it gets round to
ALIKE = 20
_READ = next(line for line in LINES if line.code == "entitlements")


class DifferentAnswersError(LoadError):
    """The naive reading and the product disagree, so their speeds can't be compared."""


def measure(sites: Mapping[str, Site], options: Options) -> tuple[list[dict[str, Sample]], Apps, dict[str, int]]:
    """Returns per round each line's sample, what apps feel, and per crowd the most memory that one of its workers
    held, in MB. Raises LoadError, CannotPrepareError.
    """
    dice = Random(options.users)  # noqa: S311 - whom to ask about, not a secret
    with ExitStack() as stack:
        ports = {crowd: stack.enter_context(running(site.environment)) for crowd, site in sites.items()}
        loads = {crowd: stack.enter_context(_load(ports[crowd], site)) for crowd, site in sites.items()}
        for crowd, site in sites.items():
            _refuse_different_answers(loads[crowd], site, dice)
        turn = _Turn(sites, loads, dice)
        for line in LINES:
            turn.take(line, min(1.0, options.seconds))
        rounds = [turn.round(options.seconds) for _ in range(options.rounds)]
        most = figures_of(_READ, rounds, sites[_READ.crowd].statements).per_second
        large = sites["large"]
        whoami = get(WORKER, large.key)
        apps = measure_apps(ports["large"], large, whoami, WORKERS, most, options.rounds, options.seconds)
        _fill_memory(loads["large"], large)
        memory = {crowd: max(memory_mb(pid) or 0 for pid in load.workers) for crowd, load in loads.items()}
    return rounds, apps, memory


def _fill_memory(load: Load, site: Site) -> None:
    """Has every worker hold as many entitlement sets as it ever will. Raises LoadError."""
    for answer in load.ask_everywhere(get(FULL, site.key)):
        if answer.status != 200:
            raise LoadError(f"{FULL}: {answer.status} {answer.body!r:.300}")


def _load(port: int, site: Site) -> Load:
    whoami = get(WORKER, site.key)
    return Load(port=port, workers=WORKERS, per_worker=CONNECTIONS_PER_WORKER, whoami=whoami)


class _Turn:
    def __init__(self, sites: Mapping[str, Site], loads: Mapping[str, Load], dice: Random) -> None:
        self.sites, self.loads, self.dice = sites, loads, dice

    def take(self, line: Line, seconds: float) -> Sample:
        """Lets one line have the machine. Raises LoadError unless every answer has the line's status."""
        site = self.sites[line.crowd]
        requests = line.requests(site.population, site.key, RANDOM_USERS, self.dice)
        sample = self.loads[line.crowd].run(requests, seconds)
        if set(sample.statuses) != {line.status}:
            raise LoadError(f"{line.label}: answers other than {line.status}: {dict(sample.statuses)}.")
        return sample

    def round(self, seconds: float) -> dict[str, Sample]:
        """Gives each line `seconds`, in short slices; every other pass goes backwards."""
        samples = {line.code: Sample() for line in LINES}
        passes = max(1, round(seconds / SLICE_SECONDS))
        order: Sequence[Line] = LINES
        for _ in range(passes):
            for line in order:
                samples[line.code].add(self.take(line, seconds / passes))
            order = order[::-1]
        return samples


def _refuse_different_answers(load: Load, site: Site, dice: Random) -> None:
    """Raises DifferentAnswersError unless the naive reading says the same of some random users."""
    for _ in range(ALIKE):
        customer, user = site.population.user(dice.randrange(site.population.users))
        product, naive = (
            _said(load, path.format(customer=customer, user=user), site.key) for path in (ENTITLEMENTS, NAIVE)
        )
        if product != naive:
            raise DifferentAnswersError(f"{customer}/{user}: {product!r:.400} is not what the naive reading says.")


def _said(load: Load, path: str, key: str) -> dict[str, Any]:
    """Returns an answer without its instant."""
    answer = load.ask(get(path, key))
    if answer.status != 200:
        raise LoadError(f"{path}: {answer.status} {answer.body!r:.300}")
    said: dict[str, Any] = json.loads(answer.body)
    said.pop("as_of")
    return said
