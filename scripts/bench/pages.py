"""The pages: what a list of many rows costs beside the same list of few, and how much of a page is sent.

Run inside Django, in a process of its own, on an empty database: `python -m scripts.bench.pages FEW MANY ROUNDS`. Its
last line is JSON. Server time is that of the whole request, middleware and rendering included, without a network; lists
of few and of many rows take turns.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Mapping
from statistics import median
from typing import Any, Final

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - models can be imported once Django is set up
from django.db import connection  # noqa: E402 - likewise
from django.test import Client  # noqa: E402 - likewise
from django.utils import timezone  # noqa: E402 - likewise

from catalog.models import Offer  # noqa: E402 - likewise
from customers.actor import SYSTEM  # noqa: E402 - likewise
from customers.audit import Event, record_all  # noqa: E402 - likewise
from customers.models import Account, Customer  # noqa: E402 - likewise
from customers.services import accounts  # noqa: E402 - likewise
from scripts.bench import building  # noqa: E402 - likewise
from scripts.bench.load import HOST  # noqa: E402 - likewise
from scripts.bench.population import MIXES, customer_code, user_code  # noqa: E402 - likewise

FEW, MANY = 0, 1
MIX: Final = MIXES[4]
USERS: Final = "/portal/{customer}/users/"
AUDIT: Final = "/audit/?customer={customer}"
# What is asked of the list of users; {last} is the number of its last page.
LISTS: Final[Mapping[str, str]] = {
    "users": USERS,
    "users, last page": USERS + "?page={last}",
    "users, newest first": USERS + "?sort=-created",
    "users, searched": USERS + "?search=u0000042",
    "users, of one plan": USERS + "?plan=superoffice.ten-sales-premium",
    "users, several solutions": USERS + "?plan=several",
    "users, no plan": USERS + "?plan=none",
    "users, former": USERS + "?status=former",
    "one user": USERS + "u0000002/",
    "one user’s plans": USERS + "u0000002/plans/",
    "seats of a plan": "/portal/{customer}/seats/superoffice.ten-sales-premium/",
    "seats of a plan, last seen": "/portal/{customer}/seats/superoffice.ten-sales-premium/?sort=-seen",
    "audit trail": AUDIT,
    "audit trail, last page": AUDIT + "&page={last}",
    "audit trail, searched": AUDIT + "&search=u0000042",
}
PAGES: Final[Mapping[str, str]] = {
    "home": "/",
    "customers": "/portal/",
    "customer": "/portal/{customer}/",
    "users": USERS,
    "user": USERS + "u0000002/?feature=quote-management",
    "add a user": "/portal/{customer}/new-user/",
    "seat requests": "/requests/",
    "figures": "/figures/",
    "plans": "/plans/",
    "matrix": "/catalog/matrix/",
    "search": "/search/?q=u00000",
    "account": "/account/",
}


def build(few: int, many: int) -> None:
    """Makes the catalog, one customer of few users and one of many, and the account that looks at them."""
    call_command("migrate", verbosity=0)
    call_command("catalog", "apply", "--publish", str(building.SEED), verbosity=0)
    modules = dict(Offer.objects.exclude(module=None).values_list("code", "module__name"))
    for number, size in ((FEW, few), (MANY, many)):
        building.create_customer_of(number, MIX)
        customer = Customer.objects.get(code=customer_code(number))
        building.add_users(customer, MIX, size, modules)
        seen = (Event("user.edited", "user", f"{customer.code}/{user_code(n)}") for n in range(size))
        record_all(actor=SYSTEM, events=seen, customer=customer, at=timezone.now())
    accounts.create_account(
        actor=SYSTEM,
        email="cara@planarium.example",
        at=timezone.now(),
        name="Cara Care",
        roles=["customer_success"],
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def measure(few: int, many: int, rounds: int) -> dict[str, Any]:
    """Returns per list the median milliseconds with few and with many rows, and per page the bytes that are sent."""
    client = Client(HTTP_HOST=HOST)
    client.force_login(Account.objects.get(), backend="django.contrib.auth.backends.ModelBackend")
    sizes = {FEW: few, MANY: many}
    lists = {}
    for name, path in LISTS.items():
        times: dict[int, list[float]] = {FEW: [], MANY: []}
        for _ in range(rounds + 1):  # the first one warms up
            for number, size in sizes.items():
                times[number].append(_time(client, path.format(customer=customer_code(number), last=-(-size // 50))))
        lists[name] = {"few_ms": 1000 * median(times[FEW][1:]), "many_ms": 1000 * median(times[MANY][1:])}
    return {"lists": lists, "bytes": {name: _sent(client, path) for name, path in PAGES.items()}}


def _time(client: Client, path: str) -> float:
    started = time.perf_counter()
    answer = client.get(path)
    took = time.perf_counter() - started
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.status_code}")
    return took


def _sent(client: Client, path: str) -> int:
    """Returns how many bytes a browser that has the styles and scripts already is sent."""
    answer = client.get(path.format(customer=customer_code(MANY)), headers={"Accept-Encoding": "gzip"})
    if answer.status_code != 200 or not gzip.decompress(answer.content):
        raise SystemExit(f"{path}: {answer.status_code}")
    return len(answer.content)


if __name__ == "__main__":
    few, many, rounds = map(int, sys.argv[1:])
    build(few, many)
    print(json.dumps(measure(few, many, rounds)))
