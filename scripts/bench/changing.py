"""What previewing and applying a change of many users' seats costs: `python -m … FEW MANY ROUNDS`.

Makes a customer of each size whose users hold every combination of the single plans, some with an override, and has
everybody swap sales plans: previewed, applied, undone. DATABASE_URL names an empty database. Its last line is JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, Final

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - models can be imported once Django is set up
from django.db import connection, connections  # noqa: E402 - likewise
from django.test import Client  # noqa: E402 - likewise

from catalog.models import Offer  # noqa: E402 - likewise
from customers.actor import SYSTEM  # noqa: E402 - likewise
from customers.models import Customer, CustomerUser, OutboxMessage  # noqa: E402 - likewise
from licensing.bulk_plan import MOST_ROWS, BulkWish  # noqa: E402 - likewise
from licensing.models import ChangePreview  # noqa: E402 - likewise
from licensing.services import bulk  # noqa: E402 - likewise
from licensing.services.bulk_worker import deliver_changes  # noqa: E402 - likewise
from licensing.services.onboarding import create_customer  # noqa: E402 - likewise
from licensing.services.subscriptions import subscribe  # noqa: E402 - likewise
from scripts.bench import building  # noqa: E402 - likewise
from scripts.bench.population import MARKETING, SERVICE, Mix, customer_code  # noqa: E402 - likewise

FEW, MANY = 0, 1
HELD: Final = Mix((("sales-essentials",), SERVICE, MARKETING), has_override=True)
SEATS: Final = 1_000_000


def build(sizes: dict[int, int]) -> None:
    call_command("migrate", verbosity=0)
    call_command("catalog", "apply", "--publish", str(building.SEED), verbosity=0)
    modules = dict(Offer.objects.exclude(module=None).values_list("code", "module__name"))
    plans = Offer.objects.filter(type="plan", for_sale=True).values_list("code", flat=True)
    for number, size in sizes.items():
        code = customer_code(number)
        customer = create_customer(actor=SYSTEM, code=code, name=code)
        subscribe(customer=customer, actor=SYSTEM, billing_months=12, items=dict.fromkeys(plans, SEATS))
        building.add_users(customer, HELD, size, modules)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def wishes(customer: Customer) -> list[BulkWish]:
    """Returns for everybody who holds sales Essentials to have Premium instead; for everybody else, to get it."""
    modules = dict(Offer.objects.exclude(module=None).values_list("code", "module__name"))
    wanted = (modules["sales-premium"],)
    codes = CustomerUser.objects.of(customer).able_to_hold_seats().order_by("code").values_list("code", flat=True)
    return [BulkWish(position, code, wanted, accept_loss=True) for position, code in enumerate(codes[:MOST_ROWS], 1)]


def timed(act: Callable[[], Any]) -> tuple[Any, float, int]:
    """Returns what `act` returns, its seconds and its statements."""
    count = 0

    def counting(execute: Any, *args: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*args)

    with connection.execute_wrapper(counting):
        started = time.perf_counter()
        made = act()
        return made, time.perf_counter() - started, count


def work(preview: ChangePreview, state: str) -> ChangePreview:
    """Does what the worker would, and returns the preview thereafter."""
    for message in OutboxMessage.objects.filter(topic="change_sets", delivered_at=None):
        deliver_changes(message.payload)
        message.delete()
    preview = bulk.find_preview(customer=preview.customer, token=preview.token)
    if preview.state != state:
        raise SystemExit(f"The preview is {preview.state}: {preview.why}")
    return preview


def change(customer: Customer, mode: str) -> dict[str, Any]:
    """Returns seconds and statements of a preview and of applying it; undoes it thereafter."""
    asked = wishes(customer)
    who: dict[str, Any] = {"customer": customer, "actor": SYSTEM}

    def preview() -> ChangePreview:
        return work(bulk.preview_changes(**who, wishes=asked, mode=mode), "ready")

    def apply() -> ChangePreview:
        return work(bulk.apply_preview(**who, token=made.token), "applied")

    made, preview_s, preview_statements = timed(preview)
    made, apply_s, apply_statements = timed(apply)
    if made.change_set is None or made.totals["changes"] != len(asked):
        raise SystemExit("Not everybody was changed.")
    undo = work(bulk.preview_undo(**who, number=made.change_set.number), "ready")
    work(bulk.apply_preview(**who, token=undo.token), "applied")
    return {
        "users": len(asked),
        "preview_seconds": preview_s,
        "preview_statements": preview_statements,
        "apply_seconds": apply_s,
        "apply_statements": apply_statements,
    }


def snapshot(rounds: int) -> dict[str, float]:
    """Returns the median milliseconds of server time of a snapshot of 10,000 users, and its size compressed, in kB."""
    client = Client(headers={"Authorization": f"Bearer {building.new_key()}", "Host": "127.0.0.1"})
    address = f"/api/v1/customers/{customer_code(MANY)}/entitlements/snapshot/"
    taken, size = [], 0
    for turn in range(rounds + 1):  # the first one warms up
        started = time.perf_counter()
        answer = client.get(address, headers={"Accept-Encoding": "gzip"})
        body = answer.getvalue()
        if turn:
            taken.append(1000 * (time.perf_counter() - started))
        if answer.status_code != 200 or answer["Content-Encoding"] != "gzip":
            raise SystemExit(f"The snapshot is answered {answer.status_code}: {body[:300]!r}")
        size = len(body)
    return {"snapshot_ms": median(taken), "snapshot_kb": size / 1000}


def measure(rounds: int) -> dict[str, Any]:
    """Returns the worst seconds with many users, and the statements with few and with many."""
    found: dict[str, Any] = {"users": 0, "preview_seconds": 0.0, "apply_seconds": 0.0}
    for number, prefix in ((FEW, "few_"), (MANY, "")):
        customer = Customer.objects.get(code=customer_code(number))
        for turn in range(rounds):
            told = change(customer, "all_or_nothing" if turn % 2 else "as_many")
            for name in ("preview_statements", "apply_statements"):
                found[prefix + name] = max(found.get(prefix + name, 0), told[name])
            found["users" if number == MANY else "few_users"] = told["users"]
            if number == MANY:
                for name in ("preview_seconds", "apply_seconds"):
                    found[name] = max(found[name], told[name])
    return found


if __name__ == "__main__":
    few, many, rounds = map(int, sys.argv[1:])
    build({FEW: few, MANY: many})
    connections.close_all()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = measure(rounds) | snapshot(rounds)
    told["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    told["memory_before_mb"] = before // 1024
    print(json.dumps(told))
