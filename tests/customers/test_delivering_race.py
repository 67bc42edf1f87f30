"""Events under fire: posted by several threads, and by workers that are killed while they post (rules J-3, J-7)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from customers.delivering import AT_ONCE, deliver_events
from customers.events import emit, listeners
from customers.models import Customer, WebhookDelivery, WebhookEndpoint
from tests.customers.receivers import Receiver, receiver
from tests.customers.test_delivering import listening
from tests.factories.customers import CustomerFactory

ROOT = Path(__file__).resolve().parents[2]
STEP = """
import django; django.setup()
from django.utils import timezone
from customers.delivering import deliver_events
print("ready", flush=True)
deliver_events(now=timezone.now())
"""

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="workers share a database, not a memory")


@pytest.fixture
def there(settings: Any, transactional_db: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with receiver() as told:
        yield told


def happened(customer: Customer, number: int) -> None:
    data = {"customer": customer.code, "number": number}
    emit(listeners(customer), "change_set.applied", data, at=timezone.now(), revision=number)


def told_of(there: Receiver) -> dict[str, list[int]]:
    """Returns by customer the numbers of the events that arrived, in their order."""
    arrived: dict[str, list[int]] = {}
    for _, body in there.got:
        data = json.loads(body)["data"]
        arrived.setdefault(data["customer"], []).append(data["number"])
    return arrived


def test_several_threads_post_each_customers_events_in_order(there: Receiver, settings: Any) -> None:
    settings.WEBHOOK_THREADS = 8
    there.takes = 0.03
    customers: list[Customer] = [CustomerFactory(code=f"c{number}") for number in range(8)]
    listening(there, None)
    for number in range(6):
        for customer in customers:
            happened(customer, number)
    while WebhookDelivery.objects.open().exists():
        assert deliver_events(now=timezone.now()) > 0
    assert told_of(there) == {customer.code: list(range(6)) for customer in customers}
    assert 1 < there.most_at_once <= AT_ONCE < settings.WEBHOOK_THREADS


def worker() -> subprocess.Popen[str]:
    told = connection.settings_dict
    url = f"postgres://{told['USER']}:{told['PASSWORD']}@{told['HOST']}:{told['PORT'] or 5432}/{told['NAME']}"
    variables = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": url,
        "TESTING": "1",
        "WEBHOOK_ALLOW_PRIVATE": "true",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", STEP], cwd=ROOT, env=os.environ | variables, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_worker_killed_while_it_posts_loses_nothing(there: Receiver) -> None:
    """Killed at three moments: while a receiver has the event and has not answered, each time another event."""
    fjordlys: Customer = CustomerFactory(code="fjordlys")
    listening(there, fjordlys)
    for number in range(5):
        happened(fjordlys, number)
    there.takes = 30.0
    for _ in range(3):
        had = len(there.got)
        process = worker()
        deadline = time.monotonic() + 30
        while len(there.got) == had and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]  # it is a pipe
        assert len(there.got) == had + 1
        assert WebhookDelivery.objects.open().count() == 5, "nobody knows that it arrived"
        # The lease runs out, and the next try is due.
        WebhookDelivery.objects.open().update(leased_until=timezone.now(), next_attempt_at=timezone.now())
    there.takes = 0.0
    there.let_go()
    while WebhookDelivery.objects.open().exists():
        assert deliver_events(now=timezone.now()) > 0
    # Each at least once, and none before the one before it; so whoever keeps the newest has the final state.
    assert told_of(there) == {"fjordlys": [0, 0, 0, 0, 1, 2, 3, 4]}
    assert [row.attempts for row in WebhookDelivery.objects.order_by("pk")] == [4, 1, 1, 1, 1]
    assert WebhookEndpoint.objects.get().failing_since is None
