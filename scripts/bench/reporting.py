"""Tells what came out: a table and the goals on the terminal, everything in a file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import median
from typing import Any

from scripts.bench.apps import Apps
from scripts.bench.filing import Files
from scripts.bench.impact import Impacts
from scripts.bench.lines import Figures, Run, Verdict
from scripts.bench.lists import Pages
from scripts.bench.options import Options
from scripts.bench.preparing import Site
from scripts.bench.server import THREADS, WORKERS

HEAD = f"{'':<46}{'req/s':>9}{'of no-op':>10}{'p50 ms':>9}{'p99 ms':>9}{'SQL':>5}"


def table(figures: Sequence[Figures], sites: Mapping[str, Site]) -> str:
    """Returns one row per line."""
    rows = [HEAD]
    for each in figures:
        users = sites[each.line.crowd].population.users
        label = f"{each.line.label}, {users:,} users" if each.line.is_about_users else each.line.label
        rows.append(
            f"{label:<46}{each.per_second:>9,.0f}{each.of_nothing:>10.2f}{each.p50_ms:>9.2f}{each.p99_ms:>9.2f}"
            f"{each.statements:>5}"
        )
    return "\n".join(rows)


def apps(found: Apps) -> str:
    """Returns what apps feel: a check beside a read, and the slowest reads at half the maximum rate."""
    rows = [f"{'what apps feel, ms':<46}{'calm':>9}{'busy':>9}"]
    calm, busy = median(found.calm_p99_ms), median(found.busy_p99_ms)
    rows.append(f"{f'p99 of {found.per_second:,.0f} reads a second':<46}{calm:>9.2f}{busy:>9.2f}")
    rows.append(f"{'a read, alone':<46}{median(found.read_ms):>9.2f}")
    rows.append(f"{'a check of 1,000, alone':<46}{median(found.check_ms):>9.2f}")
    return "\n".join(rows) + f"\nBusy: {median(found.changes_per_second):.0f} seat changes committed a second."


def lists(pages: Pages) -> str:
    """Returns one row per list: its server time with few rows and with many; and what the heaviest page weighs."""
    few, many = f"{pages.few:,} rows", f"{pages.many:,} rows"
    rows = [f"{'server time, ms':<46}{few:>14}{many:>14}{'ratio':>9}"]
    rows += [f"{label:<46}{a:>14.1f}{b:>14.1f}{b / a:>9.2f}" for label, (a, b) in pages.lists.items()]
    sizes = ", ".join(f"{label} {size / 1000:.1f}" for label, size in pages.bytes.items())
    return "\n".join(rows) + f"\nkB sent when warm: {sizes}."


def impact(impacts: Impacts) -> str:
    """Returns one row per crowd: how long it takes to say what a draft would do to everybody there."""
    rows = [f"{'impact of a draft':<46}{'users':>9}{'seconds':>10}{'users/s':>10}{'MB':>6}{'ratio':>9}"]
    for label, run in (("customers of many users", impacts.large), ("customers of few users", impacts.small)):
        row = f"{label:<46}{run.users:>9,}{run.seconds:>10.2f}{run.per_second:>10,.0f}{run.memory_mb:>6}"
        rows.append(row + (f"{impacts.ratio:>9.2f}" if run is impacts.large else f"{1:>9.2f}"))
    return "\n".join(rows)


def files(found: Files) -> str:
    """Returns one row per database: what planning a catalog file takes, beside reading its YAML alone."""
    title = f"catalog file, {found.features:,} features"
    rows = [f"{title:<46}{'YAML, s':>9}{'same, s':>9}{'news, s':>9}{'of YAML':>9}{'features/s':>12}"]
    rows += [
        f"{label:<46}{taken['yaml']:>9.2f}{taken['nothing']:>9.2f}{taken['everything']:>9.2f}"
        f"{taken['everything'] / taken['yaml']:>9.1f}{found.features / taken['everything']:>12,.0f}"
        for label, taken in found.seconds.items()
    ]
    return "\n".join(rows)


def goals(verdicts: Sequence[Verdict]) -> str:
    """Returns one row per goal: what it came to, what it had to be, and whether it is met."""
    return "\n".join(
        f"{'ok' if each.is_met else 'MISSED':<8}{each.goal.label:<46}{each.value:>8.2f}   {each.goal.bounds}"
        for each in verdicts
    )


def notes(report: Mapping[str, Any]) -> str:
    """Returns one row on the circumstances; `report` is the document."""
    large, small = report["crowds"]["large"], report["crowds"]["small"]
    return (
        f"{large['users']:,} and {small['users']:,} users of {large['customers']} customers, "
        f"{report['server']['workers']} workers of at most {max(large['worker_mb'], small['worker_mb'])} MB, "
        f"{report['machine']['processors']} processors, of which the generator took "
        f"{report['generator_share_of_a_processor']:.0%} of one."
    )


def document(
    options: Options,
    sites: Mapping[str, Site],
    figures: Sequence[Figures],
    verdicts: Sequence[Verdict],
    memory: Mapping[str, int],
    run: Run,
    apps: Apps,
) -> dict[str, Any]:
    """Returns everything as plain data, as it is written to var/bench.json."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processors": os.cpu_count(), "architecture": platform.machine(), "system": platform.system()},
        "server": {"name": "granian", "workers": WORKERS, "threads": THREADS, "python": platform.python_version()},
        "rounds": options.rounds,
        "seconds_per_line_and_round": options.seconds,
        "generator_share_of_a_processor": round(run.generator_share, 3),
        "crowds": {
            crowd: {
                "users": site.population.users,
                "customers": site.population.customers,
                "built_in_seconds": site.contents.seconds,
                "building_client_mb": site.contents.client_mb,
                "users_compared_with_the_rules": site.checked,
                "worker_mb": memory[crowd],
            }
            for crowd, site in sites.items()
        },
        "lines": {each.line.code: each.as_json() for each in figures},
        "apps": asdict(apps),
        "lists": {
            label: {"few_ms": round(few, 2), "many_ms": round(many, 2)}
            for label, (few, many) in run.pages.lists.items()
        },
        "impact": {"large": run.impacts.large.as_json(), "small": run.impacts.small.as_json()},
        "page_bytes": dict(run.pages.bytes),
        "activation": asdict(run.activation),
        "change": asdict(run.change),
        "catalog_file": {
            "features": run.files.features,
            "seconds": {label: dict(taken) for label, taken in run.files.seconds.items()},
        },
        "goals": {each.goal.code: each.as_json() for each in verdicts},
    }


def write(report: Mapping[str, Any], options: Options) -> None:
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + "\n")
