"""What is measured, and what it has to come to: a new line is an entry in LINES, a new goal one in GOALS. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import Any

from scripts.bench.activations import Activation
from scripts.bench.changes import Change
from scripts.bench.filing import Files
from scripts.bench.impact import Impacts
from scripts.bench.lists import Pages
from scripts.bench.load import Sample, get
from scripts.bench.population import Population

ENTITLEMENTS = "/api/v1/customers/{customer}/users/{user}/entitlements/"
NAIVE = "/bench/naive/{customer}/{user}/"
NOTHING = "/bench/nothing/"
WORKER = "/bench/worker/"
FULL = "/bench/full/"


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of request: `path` may name {customer} and {user}, which are random ones of the `crowd` asked about."""

    code: str
    label: str
    path: str
    crowd: str = "large"
    status: int = 200
    is_known: bool = False  # the caller says that it has the answer already

    @property
    def is_about_users(self) -> bool:
        return "{user}" in self.path

    @property
    def headers(self) -> dict[str, str]:
        return {"if_none_match": "*"} if self.is_known else {}

    def path_for(self, customer: str, user: str) -> str:
        return self.path.format(customer=customer, user=user)

    def requests(self, population: Population, key: str, count: int, dice: Random) -> list[bytes]:
        """Returns `count` requests about random users."""
        users = (population.user(dice.randrange(population.users)) for _ in range(count))
        return [get(self.path_for(*user), key, **self.headers) for user in users]


LINES = (
    Line("nothing", "no-op view", NOTHING),
    Line("entitlements", "entitlement read", ENTITLEMENTS),
    Line("unchanged", "entitlement read, unchanged", ENTITLEMENTS, status=304, is_known=True),
    Line("naive", "naive reading", NAIVE),
    Line("entitlements_small", "entitlement read", ENTITLEMENTS, crowd="small"),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one line came to: the median over the rounds of each figure. Latencies in milliseconds."""

    line: Line
    per_second: float
    p50_ms: float
    p99_ms: float
    statements: int
    requests: int
    of_nothing: float

    def as_json(self) -> dict[str, Any]:
        return {
            "label": self.line.label,
            "path": self.line.path,
            "crowd": self.line.crowd,
            "requests_per_second": round(self.per_second, 1),
            "p50_ms": round(self.p50_ms, 3),
            "p99_ms": round(self.p99_ms, 3),
            "sql_statements": self.statements,
            "requests": self.requests,
            "of_nothing": round(self.of_nothing, 3),
        }


Rounds = Sequence[Mapping[str, Sample]]  # per round, per line's code


def ratio(rounds: Rounds, code: str, to: str) -> float:
    """Returns how many times the rate of `to` the rate of `code` is: the median of the rounds' own ratios.

    They were measured in slices of a quarter of a second in turn, so whatever else the machine did then hit both alike.
    """
    return median(samples[code].per_second / samples[to].per_second for samples in rounds)


def figures_of(line: Line, rounds: Rounds, statements: Mapping[str, int]) -> Figures:
    samples = [samples[line.code] for samples in rounds]
    return Figures(
        line=line,
        per_second=median(sample.per_second for sample in samples),
        p50_ms=1000 * median(sample.percentile(0.50) for sample in samples),
        p99_ms=1000 * median(sample.percentile(0.99) for sample in samples),
        statements=statements[line.code],
        requests=sum(len(sample.latencies) for sample in samples),
        of_nothing=ratio(rounds, line.code, "nothing"),
    )


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that goals are judged by."""

    rounds: Rounds
    statements: Mapping[str, int]
    client_mb: int
    pages: Pages
    impacts: Impacts
    files: Files
    activation: Activation
    change: Change
    verify_ms: float = 0.0  # a package of 60 rows
    check_to_read: float = 0.0  # how many reads a check of 1,000 takes the time of
    busy_to_calm: float = 0.0  # p99 at half the rate while others commit, beside the same without
    worker_mb: int = 0

    @property
    def generator_share(self) -> float:
        """How much of one processor the load generator took."""
        samples = [sample for samples in self.rounds for sample in samples.values()]
        return sum(sample.busy_seconds for sample in samples) / sum(sample.seconds for sample in samples)


@dataclass(frozen=True, slots=True)
class Goal:
    """A promise: `measure` gives a figure between `least` and `most`."""

    code: str
    label: str
    measure: Callable[[Run], float]
    least: float | None = None
    most: float | None = None

    @property
    def bounds(self) -> str:
        if self.least == self.most:
            return f"exactly {self.least:g}"
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"

    def judged(self, run: Run) -> Verdict:
        value = self.measure(run)
        is_met = (self.least is None or self.least <= value) and (self.most is None or value <= self.most)
        return Verdict(self, value, is_met)


@dataclass(frozen=True, slots=True)
class Verdict:
    goal: Goal
    value: float
    is_met: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "label": self.goal.label,
            "value": round(self.value, 3),
            "least": self.goal.least,
            "most": self.goal.most,
            "is_met": self.is_met,
        }


GOALS = (
    Goal(
        "read_to_nothing",
        "entitlement read : no-op view",
        lambda run: ratio(run.rounds, "entitlements", "nothing"),
        least=0.60,
    ),
    Goal(
        "unchanged_to_nothing",
        "entitlement read, unchanged : no-op view",
        lambda run: ratio(run.rounds, "unchanged", "nothing"),
        least=0.65,
    ),
    Goal(
        "read_to_naive",
        "entitlement read : naive reading",
        lambda run: ratio(run.rounds, "entitlements", "naive"),
        least=5.0,
    ),
    Goal(
        "large_to_small",
        "all users : few users",
        lambda run: ratio(run.rounds, "entitlements", "entitlements_small"),
        least=0.85,
    ),
    Goal(
        "statements",
        "SQL statements of a warm read",
        lambda run: run.statements["entitlements"],
        least=1,
        most=1,
    ),
    Goal("check_to_read", "a check of 1,000 : a read", lambda run: run.check_to_read, most=60),
    Goal("busy_to_calm", "p99 with 50 seat changes a second : without", lambda run: run.busy_to_calm, most=3),
    Goal("worker_mb", "memory of a worker with all sets it keeps, MB", lambda run: run.worker_mb, most=150),
    Goal("snapshot_kb", "snapshot of 10,000 users, kB compressed", lambda run: run.change.snapshot_kb, most=150),
    Goal("snapshot_ms", "its server time, ms", lambda run: run.change.snapshot_ms, most=100),
    Goal("lists", "heaviest list, many rows : few rows", lambda run: run.pages.worst_list, most=3),
    Goal("page_kb", "heaviest page as sent when warm, kB", lambda run: run.pages.heaviest_page / 1000, most=60),
    Goal("verify_ms", "verify a package of 60 rows, ms", lambda run: run.verify_ms, most=5),
    Goal("activation_s", "a package compiled and activated, seconds", lambda run: run.activation.seconds, most=5),
    Goal(
        "activation_statements",
        "its statements, many users - few users",
        lambda run: run.activation.statements - run.activation.few_statements,
        least=0,
        most=0,
    ),
    Goal("activation_mb", "its memory, MB", lambda run: run.activation.memory_mb, most=200),
    Goal("change_preview_s", "preview of 10,000 users' seats, seconds", lambda run: run.change.preview_seconds, most=5),
    Goal("change_apply_s", "applying it, seconds", lambda run: run.change.apply_seconds, most=5),
    Goal(
        "change_statements",
        "their statements per 1,000 users more",
        lambda run: run.change.statements_per_batch,
        most=40,
    ),
    Goal("change_mb", "their memory, MB", lambda run: run.change.memory_mb, most=250),
    Goal("impact", "impact of 100,000 users, s", lambda run: run.impacts.large.seconds_per_100k, most=10),
    Goal("plan_to_yaml", "plan of a catalog file : its YAML alone", lambda run: run.files.worst_plan, most=25),
    Goal("client_mb", "memory of the client that builds, MB", lambda run: run.client_mb, most=500),
)
