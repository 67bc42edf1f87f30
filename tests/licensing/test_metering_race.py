"""A hundred at once reserve what is left for fifty. Threads with connections of their own. Rule L-3."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from customers.errors import Refusal
from licensing.services.metering import reserve, set_usage, usage_of
from tests.licensing.counting import of, open_counting_market
from tests.licensing.test_race import at_once, in_turn

MINUTE = timedelta(minutes=1)
CLAIMS = 100


@pytest.mark.django_db(transaction=True)
def test_a_hundred_reserve_the_last_fifty_units_and_fifty_get_one() -> None:
    town = open_counting_market()
    subject = of(town, "storage", None)
    set_usage(subject=subject, used=50)

    def claim(number: int) -> str:
        try:
            reserve(subject=subject, amount=1, expires_in=MINUTE if number % 2 else None)
        except Refusal as refusal:
            return refusal.code
        return "reserved"

    # In-memory SQLite has one connection, which threads would have to share: there one comes after another.
    run = in_turn if connection.vendor == "sqlite" else at_once
    said = run([partial(claim, number) for number in range(CLAIMS)])

    assert Counter(said) == {"reserved": 50, "limit_reached": 50}
    assert usage_of(subject).tally.remaining == 0
