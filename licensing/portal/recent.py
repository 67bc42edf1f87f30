"""The last changes of a customer's seats, with what can be undone: for lists and for other pages to include."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count
from django.urls import reverse

from customers.models import Customer
from licensing.models import ChangeSet, ChangeSetRow
from licensing.services.bulk import UNDO_WITHIN, undone_by

RECENT: int = 6


@dataclass(frozen=True, slots=True)
class Told:
    """A change set as lists show it. `undone_by` is the change set that undid it."""

    change: ChangeSet
    customer: Customer
    users: int
    undone_by: ChangeSet | None
    is_recent: bool

    @property
    def can_be_undone(self) -> bool:
        """Whether an undo can be previewed: not too old, and not undone."""
        return self.is_recent and self.undone_by is None and self.users > 0

    @property
    def state(self) -> str:
        if self.undone_by is not None:
            return f"by {self.undone_by.number}"
        return f"undoes {self.change.undoes.number}" if self.change.undoes is not None else ""

    @property
    def address(self) -> str:
        return reverse("portal:change", args=[self.customer.code, self.change.number])


def recent_changes(customer: Customer, at: datetime, most: int = RECENT) -> list[Told]:
    """Returns the newest change sets, for `licensing/portal/recent.html` (`changes`, `customer`, `may_undo`).

    Three queries.
    """
    rows = ChangeSet.objects.filter(customer=customer).select_related("undoes").order_by("-number")
    return tell(customer, list(rows[:most]), at)


def tell(customer: Customer, changes: Sequence[ChangeSet], at: datetime) -> list[Told]:
    """Returns the change sets with how many users they changed and whether they are undone. Two queries."""
    counted = ChangeSetRow.objects.filter(change_set__in=[change.pk for change in changes]).order_by()
    users = dict(counted.values_list("change_set").annotate(Count("pk")))
    undone = undone_by(customer=customer, change_sets=changes)
    return [
        Told(change, customer, users.get(change.pk, 0), undone.get(change.number), change.at > at - UNDO_WITHIN)
        for change in changes
    ]
