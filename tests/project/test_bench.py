"""The benchmark, very small: that it measures what it says, never how fast anything is."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from django.db import connection

from catalog.document import Source, parse
from scripts.bench.activations import Activation
from scripts.bench.catalogs import OWNER, PLANS, catalog, edited
from scripts.bench.changes import Change
from scripts.bench.filing import Files
from scripts.bench.impact import ImpactRun, Impacts
from scripts.bench.lines import GOALS, LINES, Goal, Run, figures_of, ratio
from scripts.bench.lists import Pages
from scripts.bench.load import Sample
from scripts.bench.options import Options
from scripts.bench.population import MIXES, Population
from scripts.bench.reporting import files, impact, lists

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
@pytest.mark.skipif(connection.vendor != "postgresql", reason="it measures what runs on PostgreSQL")
@pytest.mark.django_db
def test_a_whole_run_of_200_users(tmp_path: Path) -> None:
    """One test, so that it runs once: it builds two databases and starts real servers."""
    database = f"planarium_bench_{os.getpid()}"
    output = tmp_path / "bench.json"
    run = bench(USERS="200", ROUNDS="2", TURN="0.1", KEEP="0", BENCH_DATABASE=database, BENCH_JSON=str(output))
    assert output.exists(), run.stdout + run.stderr
    report = json.loads(output.read_text())

    lines = report["lines"]
    assert {code: line["sql_statements"] for code, line in lines.items()} == {
        "nothing": 0,
        "entitlements": 1,  # warm: key, set and connection are there
        "unchanged": 1,
        "naive": 7,
        "entitlements_small": 1,
    }
    for line in lines.values():
        assert line["requests"] > 0
        assert line["requests_per_second"] > 0
        assert 0 < line["p50_ms"] <= line["p99_ms"]

    assert all(times["few_ms"] > 0 and times["many_ms"] > 0 for times in report["lists"].values())
    assert min(report["page_bytes"].values()) > 500
    assert report["impact"]["large"]["users"] > report["impact"]["small"]["users"] > 0
    assert report["impact"]["large"]["seconds"] > 0
    assert report["catalog_file"]["features"] == 200
    for taken in report["catalog_file"]["seconds"].values():
        assert 0 < taken["yaml"] < taken["everything"]

    felt = report["apps"]
    assert len(felt["check_ms"]) == len(felt["busy_p99_ms"]) == 2
    assert min(*felt["check_ms"], *felt["read_ms"], *felt["calm_p99_ms"], *felt["busy_p99_ms"]) > 0
    assert max(felt["changes_per_second"]) > 0
    assert report["change"]["snapshot_ms"] > 0
    assert report["change"]["snapshot_kb"] > 1

    activation = report["activation"]
    assert (activation["items"], activation["users"]) == (12, 200)
    assert activation["statements"] == activation["few_statements"] > 0
    assert activation["seconds"] > 0
    change = report["change"]
    assert change["users"] > change["few_users"] > 0
    assert change["preview_statements"] == change["few_preview_statements"] > 0
    # A note of progress, which the clock decides on, is two statements.
    assert abs(change["apply_statements"] - change["few_apply_statements"]) <= 4
    assert change["few_apply_statements"] > 0

    missed = sum(not goal["is_met"] for goal in report["goals"].values())
    assert list(report["goals"]) == [goal.code for goal in GOALS]
    assert run.returncode == (MISSED if missed else MET)
    assert run.stdout.count("MISSED") == missed
    assert "entitlement read, 200 users" in run.stdout

    for crowd, users in (("large", 200), ("small", 100)):
        found = report["crowds"][crowd]
        assert found["users"] == users
        assert found["users_compared_with_the_rules"] == users // 10
        assert 0 < found["building_client_mb"] < 500

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE %s", [f"{database}%"])
        assert cursor.fetchone() == (0,)  # KEEP=0: nothing is left behind


def test_sizes_that_measure_nothing_are_refused_at_once() -> None:
    run = bench(USERS="1")
    assert run.returncode == NOTHING_MEASURED
    assert "USERS is at least 100" in run.stderr


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
        assert {code for kind in mix.kinds for code in kind.holds} <= mix.items.keys()


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


NO_PAGES = Pages(1, 2, {}, {})
NO_ACTIVATION = Activation(12, 200, 0.0, 0, 0, 0, 0)
NO_CHANGE = Change(200, 100, 0.0, 0.0, 0, 0, 0, 0, 0, 0)
NO_IMPACTS = Impacts(ImpactRun(1, 2_000, 0.5, 90), ImpactRun(1, 200, 0.25, 90))
NO_FILES = Files(1, {})
NOTHING_ELSE = {
    "pages": NO_PAGES,
    "impacts": NO_IMPACTS,
    "files": NO_FILES,
    "activation": NO_ACTIVATION,
    "change": NO_CHANGE,
}


def test_an_impact_is_told_per_second_and_beside_the_small_crowd() -> None:
    assert (NO_IMPACTS.ratio, NO_IMPACTS.large.per_second, NO_IMPACTS.large.seconds_per_100k) == (2, 4000, 25)
    assert "customers of many users                           2,000      0.50     4,000    90     2.00" in impact(
        NO_IMPACTS
    )


def test_a_list_is_as_good_as_its_worst_case() -> None:
    pages = Pages(100, 100_000, {"users": (20.0, 30.0), "searched": (10.0, 25.0)}, {"home": 900, "users": 7000})
    assert (pages.worst_list, pages.heaviest_page) == (2.5, 7000)
    assert "searched                                                10.0          25.0     2.50" in lists(pages)


def test_a_goal_is_met_from_its_bound_on() -> None:
    goal = Goal("memory", "memory, MB", lambda run: run.client_mb, most=500)
    assert goal.judged(Run([], {}, 500, **NOTHING_ELSE)).is_met
    assert not goal.judged(Run([], {}, 501, **NOTHING_ELSE)).is_met
    exact = Goal("statements", "statements", lambda run: run.statements["read"], least=1, most=1)
    assert [exact.judged(Run([], {"read": n}, 0, **NOTHING_ELSE)).is_met for n in (0, 1, 2)] == [False, True, False]


def test_a_plan_is_as_slow_as_on_the_slower_database() -> None:
    quick = {"yaml": 0.5, "nothing": 1.0, "everything": 2.0}
    found = Files(5000, {"PostgreSQL": quick, "SQLite": quick | {"everything": 3.0}})
    assert found.worst_plan == 6
    rows = files(found).splitlines()
    assert [row.split() for row in rows[1:]] == [
        ["PostgreSQL", "0.50", "1.00", "2.00", "4.0", "2,500"],
        ["SQLite", "0.50", "1.00", "3.00", "6.0", "1,667"],
    ]


def test_a_large_catalog_has_as_many_features_and_plans_as_it_says() -> None:
    document = parse([Source("file.yaml", catalog(200))], own_owner=OWNER)
    news = parse([Source("file.yaml", edited(catalog(200)))], own_owner=OWNER)
    assert (len(document.features), len(document.plans)) == (200, PLANS)
    assert {feature.kind for feature in document.features} == {"switch", "limit", "level"}
    assert [old.code for old, new in zip(document.plans, news.plans, strict=True) if old != new] == ["common"]


def test_the_goals_are_those_that_were_promised() -> None:
    bounds = {goal.code: (goal.least, goal.most) for goal in GOALS}
    assert bounds == {
        "read_to_nothing": (0.60, None),
        "unchanged_to_nothing": (0.65, None),
        "read_to_naive": (5.0, None),
        "large_to_small": (0.85, None),
        "statements": (1, 1),
        "check_to_read": (None, 60),
        "busy_to_calm": (None, 3),
        "worker_mb": (None, 150),
        "snapshot_kb": (None, 150),
        "snapshot_ms": (None, 100),
        "lists": (None, 3),
        "page_kb": (None, 60),
        "verify_ms": (None, 5),
        "activation_s": (None, 5),
        "activation_statements": (0, 0),
        "activation_mb": (None, 200),
        "change_preview_s": (None, 5),
        "change_apply_s": (None, 5),
        "change_statements": (None, 40),
        "change_mb": (None, 250),
        "impact": (None, 10),
        "plan_to_yaml": (None, 25),
        "client_mb": (None, 500),
    }
