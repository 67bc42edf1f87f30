"""The catalog as files: what planning a large file costs beside reading its YAML alone.

Run inside Django, in a process of its own, on an empty database: `python -m scripts.bench.files FEATURES ROUNDS`. Its
last line is JSON: seconds. The file is applied and published first; then the two take turns, and a plan is of what came
after a morning's work, so that every plan of the catalog changes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import django

django.setup()

import yaml  # noqa: E402 - as the rest, once Django is set up
from django.core.management import call_command  # noqa: E402 - models can be imported once Django is set up
from django.utils import timezone  # noqa: E402 - likewise

from catalog.services.applying import apply_document  # noqa: E402 - likewise
from catalog.services.collecting import without_collecting  # noqa: E402 - likewise
from catalog.services.documents import read_contents  # noqa: E402 - likewise
from catalog.services.planning import CatalogPlan, plan_document  # noqa: E402 - likewise
from customers.actor import SYSTEM  # noqa: E402 - likewise
from scripts.bench.catalogs import PLANS, catalog, edited  # noqa: E402 - likewise


def measure(features: int, rounds: int) -> dict[str, float]:
    """Returns seconds: reading the YAML alone, planning where nothing is to do, and where every plan changes."""
    call_command("migrate", verbosity=0)
    text = catalog(features)
    changed = edited(text)
    apply_document(read(text), actor=SYSTEM, publish=True, at=timezone.now())
    same, all_of_it = plan(text), plan(changed)
    if not same.is_published or len(all_of_it.offers) != PLANS:
        sys.exit("The plans of the catalog as files are not what they have to be.")
    work: dict[str, Callable[[], object]] = {
        "yaml": lambda: compose(changed),
        "nothing": lambda: plan(text),
        "everything": lambda: plan(changed),
    }
    taken: dict[str, list[float]] = {code: [] for code in work}
    for _ in range(rounds):
        for code, do in work.items():
            started = time.perf_counter()
            do()
            taken[code].append(time.perf_counter() - started)
    return {code: median(seconds) for code, seconds in taken.items()}


def read(text: str) -> Any:
    return read_contents([("catalog.yaml", text.encode())])


def plan(text: str) -> CatalogPlan:
    return plan_document(read(text), at=timezone.now())


@without_collecting()
def compose(text: str) -> object:
    return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))), flush=True)
