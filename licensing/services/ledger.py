"""A write at one customer in progress: who, when, what for, and what it has changed so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from customers.actor import Actor
from customers.models import Customer
from licensing.models import ChangeSet, CustomerRevision


@dataclass
class Commit:
    """A write at one customer. `at` is its stamp; `changed()` counts it as a new revision."""

    customer: Customer
    actor: Actor
    at: datetime
    head: CustomerRevision
    cause: str
    is_changed: bool = field(default=False)
    moves_contract: bool = field(default=False)  # items, terms or packages: what is scheduled is derived anew
    is_derived: bool = field(default=False)
    applied: list[ChangeSet] = field(default_factory=list)  # the change sets that are whole with it
    moves_clock: bool = field(default=False)  # the instants at which the clock changes something are others now

    def changed(self) -> int:
        """Says that what an entitlement, seat list or package shows has changed; returns the new revision."""
        if not self.is_changed:
            self.is_changed = True
            self.head.number += 1
        return self.head.number
