"""Lets feeds hear of what the clock did: one commit per customer at which something came due (D-2).

Reads never wait for it; they go by the clock. Each customer is a commit of its own, so a sweep that is stopped goes on
where it was, and two at once do no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from customers.actor import SYSTEM
from customers.models import Customer
from licensing.models import CustomerRevision
from licensing.services.commit import customer_commit

BATCH: Final = 200
_LOG: Final = structlog.get_logger(__name__)


def sweep(*, now: datetime, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Writes down what is due by `now` at every customer; returns at how many. One that fails holds up no other."""
    settled, last = 0, 0
    while True:
        due = CustomerRevision.objects.filter(due_at__lte=now, customer__gt=last).order_by("customer")
        batch = list(due.select_related("customer")[:BATCH])
        for head in batch:
            if is_stopping():
                return settled
            settled += _settled(head.customer, now)
            last = head.customer_id
        if len(batch) < BATCH:
            return settled


def _settled(customer: Customer, now: datetime) -> int:
    try:
        with customer_commit(customer=customer, actor=SYSTEM, cause="clock.passed", at=now):
            pass  # settling comes before any work, and there is none
    except Exception:  # whatever is wrong at one customer must not stop the others
        _LOG.exception("sweep_failed", customer=customer.code)
        return 0
    return 1
