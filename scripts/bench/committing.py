"""Commits seat changes at a steady rate while it is told to: `python -m scripts.bench.committing RATE`.

Each commit changes the seats of PER_COMMIT users of one customer, as an admin who saves a page does. Reads `go` and
`stop` from standard input, and answers each with a line: how many seats it has changed so far. Every second commit
gives back what the one before it took, so that in the end everybody holds what they held.
"""

from __future__ import annotations

import sys
import threading
import time
from itertools import cycle
from typing import Final

import django

django.setup()

from customers.actor import SYSTEM  # noqa: E402 - models can be imported once Django is set up
from customers.models import Customer  # noqa: E402 - likewise
from licensing.models import Seat  # noqa: E402 - likewise
from licensing.services.seats import UserWish, change_seats  # noqa: E402 - likewise

PER_COMMIT: Final = 5
CUSTOMERS: Final = 20


def crowds() -> list[list[Seat]]:
    """Returns for some customers a seat of each of PER_COMMIT users."""
    customers = Customer.objects.filter(seats__released_at=None).distinct().order_by("pk")[:CUSTOMERS]
    held = Seat.objects.held().select_related("customer", "user", "owner")
    found = []
    for customer in customers:
        seats = {seat.user_id: seat for seat in held.filter(customer=customer).order_by("pk")[: 4 * PER_COMMIT]}
        found.append(list(seats.values())[:PER_COMMIT])
    return found


def commit_steadily(rate: float, going: threading.Event, over: threading.Event, done: list[int]) -> None:
    due = 0.0
    for seats in cycle(crowds()):
        if not going.is_set():
            due = 0.0
            while not going.wait(0.1):
                if over.is_set():
                    return
        taken = [UserWish(seat.user.code, release=(seat.full_name,), accept_loss=True) for seat in seats]
        given = [UserWish(seat.user.code, assign=(seat.full_name,)) for seat in seats]
        for wishes in (taken, given):
            due = max(due, time.monotonic() - 1)
            time.sleep(max(0.0, due - time.monotonic()))
            due += len(seats) / rate
            change_seats(customer=seats[0].customer, actor=SYSTEM, wishes=wishes, reason="Benchmark")
            done[0] += len(seats)


def main(rate: str) -> None:
    going, over, done = threading.Event(), threading.Event(), [0]
    thread = threading.Thread(target=commit_steadily, args=(float(rate), going, over, done))
    thread.start()
    print(0, flush=True)
    for line in sys.stdin:
        going.set() if line.strip() == "go" else going.clear()
        print(done[0], flush=True)
    going.clear()
    over.set()
    thread.join()


if __name__ == "__main__":
    main(sys.argv[1])
