"""Commits seat changes at a steady rate while it is told to: `python -m scripts.bench.committing RATE`.

Each commit changes the seats of PER_COMMIT users of one customer, as an admin who saves a page does. Reads `go` and
`stop` from standard input, and answers each with a line: how many seats it has changed so far. Every second commit
gives back what the one before it took, so that in the end everybody holds what they held.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections import defaultdict
from itertools import cycle
from typing import Final

import django

django.setup()

from customers.actor import SYSTEM  # noqa: E402 - models can be imported once Django is set up
from licensing.models import Seat  # noqa: E402 - likewise
from licensing.services.seats import UserWish, change_seats  # noqa: E402 - likewise

PER_COMMIT: Final = 5
CUSTOMERS: Final = 20
ROWS: Final = 100


def crowds() -> list[list[Seat]]:
    """Returns for some customers the seats of users who hold a single one, PER_COMMIT of them at most.

    What stands alone can be taken: nothing else that the user holds needs it.
    """
    customers = Seat.objects.held().order_by("customer").values_list("customer", flat=True).distinct()[:CUSTOMERS]
    found = []
    for customer in customers:
        held: dict[int, list[Seat]] = defaultdict(list)
        rows = Seat.objects.held().filter(customer=customer).select_related("customer", "user", "owner")
        for seat in rows.order_by("user", "pk")[:ROWS]:
            held[seat.user_id].append(seat)
        # The last user's other seats may not be among those rows.
        single = [seats[0] for seats in list(held.values())[:-1] if len(seats) == 1]
        found += [single[:PER_COMMIT]] if single else []
    return found


def commit_steadily(rate: float, going: threading.Event, over: threading.Event, done: list[int]) -> None:
    due, found = time.monotonic(), crowds()
    if not found:
        raise LookupError("Nobody holds a single seat.")
    for seats in cycle(found):
        if not going.is_set():
            while not going.wait(0.1):
                if over.is_set():
                    return
            due = time.monotonic()  # what wasn't asked for meanwhile is not made up for
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

    def commit() -> None:
        try:
            commit_steadily(float(rate), going, over, done)
        except BaseException:
            traceback.print_exc()
            os._exit(1)  # whoever waits for the next line hears that there is none

    thread = threading.Thread(target=commit)
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
