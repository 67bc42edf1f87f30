"""The one way to write at a customer: locked, stamped, counted (docs/adr, "holdings and sets")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from customers.actor import Actor
from customers.models import Customer
from licensing.models import CustomerRevision, RevisionEntry


@dataclass
class Commit:
    """A write at one customer in progress. `at` is its stamp; `changed()` counts it as a new revision."""

    customer: Customer
    actor: Actor
    at: datetime
    head: CustomerRevision
    cause: str
    is_changed: bool = field(default=False)

    def changed(self) -> int:
        """Says that what an entitlement, seat list or package shows has changed; returns the new revision."""
        if not self.is_changed:
            self.is_changed = True
            self.head.number += 1
        return self.head.number


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
            yield commit
            if commit.is_changed:
                RevisionEntry.objects.create(customer=customer, number=head.number, at=stamp, cause=cause)
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
