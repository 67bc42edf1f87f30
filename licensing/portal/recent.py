"""The last changes of a customer's seats, with what can be undone: for lists and for other pages to include."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from django.db.models import Count
from django.urls import reverse

from customers.models import Customer
from licensing.models import ChangeSet, ChangeSetRow
from licensing.services.bulk import UNDO_WITHIN, undos_of

RECENT: int = 6


@dataclass(frozen=True, slots=True)
class Told:
    """A change set as lists show it: how many `users` it changed, and of how many that was `undone`, by which other."""

    change: ChangeSet
    customer: Customer
    users: int
    undone: int
    undone_by: ChangeSet | None
    is_recent: bool

    @property
    def can_be_undone(self) -> bool:
        """Whether an undo can be previewed: not too old, and not undone, or in part only."""
        return self.is_recent and self.undone < self.users

    @property
    def state(self) -> str:
        if self.undone_by is not None:
            return f"{'in part ' if self.undone < self.users else ''}by {self.undone_by.number}"
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
    undone = undos_of(customer=customer, change_sets=changes)
    counted_in = [each.pk for each in (*changes, *chain.from_iterable(undone.values()))]
    counted = ChangeSetRow.objects.filter(change_set__in=counted_in).order_by()
    users = dict(counted.values_list("change_set").annotate(Count("pk")))
    told = []
    for change in changes:
        undos = undone.get(change.number, [])
        is_recent = change.at >= at - UNDO_WITHIN
        back = sum(users.get(undo.pk, 0) for undo in undos)
        told.append(Told(change, customer, users.get(change.pk, 0), back, undos[0] if undos else None, is_recent))
    return told
