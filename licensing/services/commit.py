"""The one way to write at a customer: locked, stamped, counted (docs/adr, "holdings and sets", "the future").

First what the clock has made fact since the last commit is written down, then the work is done, then what is to come
is derived anew from the facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from customers.actor import Actor
from customers.models import Customer
from licensing.models import CustomerRevision, RevisionEntry
from licensing.services.future import derive, settle
from licensing.services.ledger import Commit
from licensing.services.telling import tell

__all__ = ["Commit", "DryRun", "customer_commit", "database_clock"]


class DryRun(Exception):
    """Leaves a commit without a trace; carries nothing, `customer_commit` swallows it."""


@contextmanager
def customer_commit(
    *, customer: Customer, actor: Actor, cause: str, at: datetime | None = None, dry_run: bool = False
) -> Iterator[Commit]:
    """Runs a write in one transaction with the customer's revision row locked.

    The stamp is the later of the database's wall clock (or `at`, in tests) and the last stamp plus 1 µs, taken after
    the lock, so stamps of one customer only grow. With `dry_run` everything is rolled back at the end.
    """
    try:
        with transaction.atomic():
            head = CustomerRevision.objects.select_for_update().get(customer=customer)
            stamp = max(at or database_clock(), head.stamp + timedelta(microseconds=1))
            commit = Commit(customer, actor, stamp, head, cause)
            if head.due_at is not None and head.due_at <= stamp:
                settle(commit)
            yield commit
            derive(commit)
            if commit.is_changed:
                RevisionEntry.objects.create(customer=customer, number=head.number, at=stamp, cause=cause)
                tell(commit)
            head.stamp = stamp
            head.save()
            if dry_run:
                raise DryRun
    except DryRun:
        pass


def database_clock() -> datetime:
    """Returns the database's wall clock (not the transaction's start); on SQLite it is this machine's."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        stamp: datetime = cursor.fetchone()[0]
    return stamp.astimezone(UTC)
