"""What the benchmark does inside Django, in a process of its own: `python -m scripts.bench.work USERS CUSTOMERS TASK…`.

DATABASE_URL names the database. Its last line is `{"result": the last task's, "memory_mb": the most that it held}`.
Exits with WRONG_DATA, and a sentence on stderr, where what is stored is not what the rules say.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from typing import Any, Final

import django

django.setup()

from scripts.bench import building, foreseeing  # noqa: E402 - models can be imported once Django is set up
from scripts.bench.counting import statements_of  # noqa: E402 - likewise
from scripts.bench.lines import LINES  # noqa: E402 - likewise
from scripts.bench.options import WRONG_DATA  # noqa: E402 - likewise
from scripts.bench.population import Population  # noqa: E402 - likewise
from scripts.bench.verifying import verify_ms  # noqa: E402 - likewise

LARGEST_SAMPLE: Final = 50


def check(population: Population) -> dict[str, Any]:
    """Returns how many users were compared with the rules, an API key, what verifying a package takes, and how
    many statements each line costs.
    """
    checked = building.verify(population, min(LARGEST_SAMPLE, population.users // 10))
    key = building.new_key()
    somebody = population.user(population.users // 2)
    return {
        "checked": checked,
        "key": key,
        "verify_ms": verify_ms(),
        "statements": {line.code: statements_of(line.path_for(*somebody), key) for line in LINES},
    }


TASKS: Final[dict[str, Callable[[Population], Any]]] = {
    "prepare": building.prepare,
    "populate": building.populate,
    "check": check,
    "impact": foreseeing.foresee,
}


def main(users: str, customers: str, *tasks: str) -> int:
    population = Population(int(users), int(customers))
    result = None
    try:
        for task in tasks:
            result = TASKS[task](population)
    except building.WrongDataError as wrong:
        print(wrong, file=sys.stderr)
        return WRONG_DATA
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"result": result, "memory_mb": memory}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
