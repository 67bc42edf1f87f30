"""What compiling and activating a package costs at a customer with many users: `python -m … FEW MANY`.

Makes a customer of each size with twelve plans, whose users hold every combination of the single ones, and resizes all
of them at once: items, package, holdings, sets, revision. DATABASE_URL names an empty
database. Its last line is JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - models can be imported once Django is set up
from django.db import connection, connections  # noqa: E402 - likewise
from django.test.utils import CaptureQueriesContext  # noqa: E402 - likewise

from catalog.models import Offer  # noqa: E402 - likewise
from customers.actor import SYSTEM  # noqa: E402 - likewise
from customers.models import Customer  # noqa: E402 - likewise
from licensing.models import Package  # noqa: E402 - likewise
from licensing.services.onboarding import create_customer  # noqa: E402 - likewise
from licensing.services.subscriptions import change_items, subscribe  # noqa: E402 - likewise
from scripts.bench import building  # noqa: E402 - likewise
from scripts.bench.population import MARKETING, SALES, SERVICE, Mix, customer_code  # noqa: E402 - likewise

FEW, MANY = 0, 1
PLANS: Final = 12
HELD: Final = Mix((SALES, SERVICE, MARKETING))
SEATS: Final = 1_000_000
# The seed sells seven plans; these are sold beside them.
MORE: Final = """
planarium-catalog: 1
modules:
{modules}
plans:
{plans}
"""
MODULE: Final = "  ten-bench-{n}: {{type: user, description: Plan {n}, sort: {n}}}"
PLAN: Final = """
  bench-{n}:
    name: Plan {n}
    solutions: [sales, service, marketing]
    tier: premium
    module: ten-bench-{n}
    includes: [sales-premium, service-premium, marketing-premium]
"""


def build(sizes: dict[int, int]) -> None:
    call_command("migrate", verbosity=0)
    call_command("catalog", "apply", "--publish", str(building.SEED), verbosity=0)
    _add_plans(PLANS - Offer.objects.filter(type="plan", for_sale=True).count())
    modules = dict(Offer.objects.exclude(module=None).values_list("code", "module__name"))
    for number, size in sizes.items():
        code = customer_code(number)
        customer = create_customer(actor=SYSTEM, code=code, name=code)
        subscribe(customer=customer, actor=SYSTEM, billing_months=12, items=_items(SEATS))
        building.add_users(customer, HELD, size, modules)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _add_plans(count: int) -> None:
    numbers = range(200, 200 + count)
    text = MORE.format(
        modules="\n".join(MODULE.format(n=n) for n in numbers), plans="".join(PLAN.format(n=n) for n in numbers)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "more.yaml"
        path.write_text(text)
        call_command("catalog", "apply", "--publish", str(path), verbosity=0)


def _items(quantity: int) -> dict[str, int]:
    plans = Offer.objects.filter(type="plan", for_sale=True).values_list("code", flat=True)
    return dict.fromkeys(plans, quantity)


def measure(sizes: dict[int, int], rounds: int) -> dict[str, Any]:
    """Returns the worst seconds of a resize with many users, and its statements with few and with many."""
    found: dict[str, Any] = {"items": len(_items(1)), "users": sizes[MANY], "seconds": 0.0}
    for number, name in ((FEW, "few_statements"), (MANY, "statements")):
        customer = Customer.objects.get(code=customer_code(number))
        for turn in range(rounds):
            wanted = _items(SEATS + turn + 1)
            with CaptureQueriesContext(connection) as queries:
                started = time.perf_counter()
                made = change_items(customer=customer, actor=SYSTEM, items=wanted)
                took = time.perf_counter() - started
            if made.issued.package is None or made.issued.package.state != Package.State.ACTIVE:
                raise SystemExit("The package did not become active.")
            found[name] = len(queries)
            if number == MANY:
                found["seconds"] = max(found["seconds"], took)
    return found


if __name__ == "__main__":
    few, many, rounds = map(int, sys.argv[1:])
    sizes = {FEW: few, MANY: many}
    build(sizes)
    connections.close_all()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = measure(sizes, rounds)
    told["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    told["memory_before_mb"] = before // 1024
    print(json.dumps(told))
