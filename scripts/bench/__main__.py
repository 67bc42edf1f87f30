"""`make bench`: how fast the entitlement read is, beside a view that does nothing and one that does it the naive way.

`Options` tells what it reads from the environment. Prints a table, writes var/bench.json, and exits 1 when a goal is
missed, 2 when there was nothing to measure. docs/benchmark.md tells what the figures mean.
"""

from __future__ import annotations

import os
import signal
import sys

from scripts import debian, postgres
from scripts.bench import reporting
from scripts.bench.activations import measure_activation
from scripts.bench.changes import measure_change
from scripts.bench.databases import Databases
from scripts.bench.filing import measure_files
from scripts.bench.impact import measure_impact
from scripts.bench.lines import GOALS, LINES, Run, figures_of
from scripts.bench.lists import measure_pages
from scripts.bench.load import LoadError
from scripts.bench.measuring import measure
from scripts.bench.options import Options
from scripts.bench.preparing import CannotPrepareError, prepare


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every `finally` stops what it started
    try:
        return bench(Options.of(os.environ))
    except (ValueError, postgres.NoPostgresError, debian.CannotInstallError, CannotPrepareError, LoadError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


def bench(options: Options) -> int:
    with postgres.server() as url:
        databases = Databases(url)
        try:
            sites = prepare(databases, options)
            rounds, apps, memory = measure(sites, options)
            impacts = measure_impact(sites)
            pages = measure_pages(databases, options)
            activation = measure_activation(databases, options)
            change = measure_change(databases, options)
            files = measure_files(databases, options)
        finally:
            if not options.keep:
                for name in options.databases.values():
                    databases.drop(name)
    client_mb = max(site.contents.client_mb for site in sites.values())
    large = sites["large"]
    run = Run(
        rounds,
        large.statements,
        client_mb,
        pages,
        impacts,
        files,
        activation,
        change,
        large.verify_ms,
        apps.check_to_read,
        apps.busy_to_calm,
        max(memory.values()),
    )
    figures = [figures_of(line, rounds, sites[line.crowd].statements) for line in LINES]
    verdicts = [goal.judged(run) for goal in GOALS]
    report = reporting.document(options, sites, figures, verdicts, memory, run, apps)
    reporting.write(report, options)
    parts = (
        reporting.table(figures, sites),
        reporting.notes(report),
        reporting.apps(apps),
        reporting.lists(pages),
        reporting.impact(impacts),
        reporting.files(files),
        reporting.goals(verdicts),
    )
    print("\n" + "\n\n".join(parts) + f"\n\nWritten to {options.output}.", flush=True)
    return 0 if all(verdict.is_met for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
