"""The benchmark, very small: that it measures what it says, never how fast anything is."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.db import connection

from scripts.bench.lines import GOALS, LINES, Goal, Run, figures_of, ratio
from scripts.bench.load import Sample
from scripts.bench.options import Options
from scripts.bench.population import MIXES, Population

ROOT = Path(__file__).resolve().parents[2]
MET, MISSED, NOTHING_MEASURED = 0, 1, 2


def bench(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.bench"],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


# ── A whole run ─────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """200 users, two rounds of a blink, on real servers; returns the process and what it wrote."""
    output = tmp_path_factory.mktemp("bench") / "bench.json"
    run = bench(
        USERS="200",
        ROUNDS="2",
        TURN="0.1",
        KEEP="0",
        BENCH_DATABASE=f"planarium_bench_{os.getpid()}",
        BENCH_JSON=str(output),
    )
    assert output.exists(), run.stdout + run.stderr
    return run, json.loads(output.read_text())


on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="it measures what runs on PostgreSQL")


@on_postgresql
def test_a_run_tells_every_line_and_every_goal(
    tiny_run: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
) -> None:
    run, report = tiny_run
    assert list(report["lines"]) == ["nothing", "entitlements", "naive", "entitlements_small"]
    for line in report["lines"].values():
        assert line["requests"] > 0
        assert line["requests_per_second"] > 0
        assert 0 < line["p50_ms"] <= line["p99_ms"]
    assert list(report["goals"]) == [goal.code for goal in GOALS]
    all_met = all(goal["is_met"] for goal in report["goals"].values())
    assert run.returncode == (MET if all_met else MISSED)
    assert run.stdout.count("MISSED") == sum(not goal["is_met"] for goal in report["goals"].values())
    assert "entitlement read, 200 users" in run.stdout


@on_postgresql
def test_a_warm_read_is_one_statement_on_the_wire(
    tiny_run: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
) -> None:
    statements = {code: line["sql_statements"] for code, line in tiny_run[1]["lines"].items()}
    assert statements == {"nothing": 0, "entitlements": 1, "naive": 7, "entitlements_small": 1}


@on_postgresql
def test_both_crowds_were_compared_with_the_rules(
    tiny_run: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
) -> None:
    crowds = tiny_run[1]["crowds"]
    assert {crowd: found["users"] for crowd, found in crowds.items()} == {"large": 200, "small": 100}
    assert all(found["users_compared_with_the_rules"] == 50 for found in crowds.values())
    assert all(0 < found["building_client_mb"] < 500 for found in crowds.values())


@on_postgresql
@pytest.mark.django_db
def test_nothing_is_left_behind_where_nothing_is_to_be_kept(
    tiny_run: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
) -> None:
    assert tiny_run[1]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE %s", [f"planarium_bench_{os.getpid()}%"])
        assert cursor.fetchone() == (0,)


@pytest.mark.parametrize("variables", [{"USERS": "many"}, {"USERS": "1"}, {"ROUNDS": "0"}, {"TURN": "0"}])
def test_sizes_that_measure_nothing_are_refused(variables: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"USERS|invalid literal"):
        Options.of(variables)


# ── Who there is ────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("users", "customers"), [(100, 2), (10_000, 100), (1_000_000, 100)])
def test_every_index_is_another_user(users: int, customers: int) -> None:
    population = Population(users, customers)
    assert sum(population.sizes) == users
    assert min(population.sizes) > 0
    assert len(population.sizes) == customers
    sample = range(0, users, max(1, users // 5000))
    assert len({population.user(index) for index in sample}) == len(sample)
    assert population.user(0) == ("c0000", "u0000000")
    assert population.user(users - 1) == (f"c{customers - 1:04}", f"u{population.sizes[-1] - 1:07}")


def test_a_larger_crowd_has_everybody_of_the_smaller_one() -> None:
    crowds = Options.of({"USERS": "100000"}).crowds
    pairs = zip(crowds["small"].sizes, crowds["large"].sizes, strict=True)
    assert all(few < many for few, many in pairs)


def test_every_mix_has_somebody_with_nothing_with_an_override_and_gone() -> None:
    for mix in MIXES:
        assert any(not kind.holds and not kind.is_former for kind in mix.kinds)
        assert any(kind.has_override for kind in mix.kinds)
        assert any(kind.is_former for kind in mix.kinds)
        assert {code for kind in mix.kinds for code in kind.holds} <= mix.items(10).keys()


def test_requests_ask_about_users_that_exist() -> None:
    population = Population(300, 3)
    everybody = {population.user(index) for index in range(300)}
    line = next(line for line in LINES if line.code == "entitlements")
    asked = line.requests(population, "plk_key", 200, Random(1))  # noqa: S311 - a sample
    paths = [request.split(b" ")[1].decode() for request in asked]
    found = [(path.split("/")[4], path.split("/")[6]) for path in paths]
    assert set(found) <= everybody
    assert max(Counter(found).values()) < 10


# ── What comes out ──────────────────────────────────────────────────────────
def sample(per_second: int, milliseconds: list[float]) -> Sample:
    found = Sample(seconds=len(milliseconds) / per_second)
    found.latencies.extend(each / 1000 for each in milliseconds)
    return found


def rounds(*rates: dict[str, int]) -> list[dict[str, Sample]]:
    return [{code: sample(rate, [1.0] * 100) for code, rate in each.items()} for each in rates]


def test_a_ratio_is_the_median_of_what_each_round_says() -> None:
    # In the second round the machine did something else: both lines suffered.
    run = rounds({"a": 500, "b": 1000}, {"a": 60, "b": 100}, {"a": 600, "b": 1000})
    assert ratio(run, "a", "b") == pytest.approx(0.6)


def test_figures_are_medians_in_milliseconds() -> None:
    line = next(line for line in LINES if line.code == "entitlements")
    latencies = [float(each) for each in range(1, 101)]
    run = [
        {"entitlements": sample(rate, latencies), "nothing": sample(2 * rate, latencies)} for rate in (100, 900, 1000)
    ]
    figures = figures_of(line, run, {"entitlements": 1})
    assert figures.per_second == pytest.approx(900)
    assert figures.p50_ms == pytest.approx(51)
    assert figures.p99_ms == pytest.approx(100)
    assert figures.of_nothing == pytest.approx(0.5)
    assert figures.requests == 300


def test_a_goal_is_met_from_its_bound_on() -> None:
    goal = Goal("memory", "memory, MB", lambda run: run.client_mb, most=500)
    assert goal.judged(Run([], {}, client_mb=500)).is_met
    assert not goal.judged(Run([], {}, client_mb=501)).is_met
    exact = Goal("statements", "statements", lambda run: run.statements["read"], least=1, most=1)
    assert [exact.judged(Run([], {"read": n}, 0)).is_met for n in (0, 1, 2)] == [False, True, False]


def test_the_goals_are_those_that_were_promised() -> None:
    bounds = {goal.code: (goal.least, goal.most) for goal in GOALS}
    assert bounds == {
        "read_to_nothing": (0.50, None),
        "read_to_naive": (4.0, None),
        "large_to_small": (0.80, None),
        "statements": (1, 1),
        "client_mb": (None, 500),
    }
