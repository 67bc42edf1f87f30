"""Writes who held what before and after: every change of seats is one change set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from catalog.models import Owner
from customers.audit import Event, record_all
from customers.conditions import AnyOf
from customers.inserting import insert_rows
from customers.models import CustomerUser
from licensing.facts import owner_of
from licensing.models import ChangeSet, ChangeSetRow, Seat
from licensing.services.ledger import Commit
from licensing.services.periods import BATCH, Leaving, rewrite_users


@dataclass(frozen=True, slots=True)
class UserOutcome:
    user: CustomerUser
    before: frozenset[str]
    after: frozenset[str]

    @property
    def assigned(self) -> list[str]:
        return sorted(self.after - self.before)

    @property
    def released(self) -> list[str]:
        return sorted(self.before - self.after)


def write_outcomes(
    commit: Commit,
    outcomes: Iterable[UserOutcome],
    held: Mapping[int, Mapping[str, Seat]],
    reason: str,
    *,
    was_planned: bool = False,
) -> ChangeSet | None:
    """Writes what changed as one change set: seats, trail, periods, revision. None where nothing changed.

    What `was_planned` has its periods already.
    """
    changed = [outcome for outcome in outcomes if outcome.before != outcome.after]
    if not changed:
        return None
    seats = {user: {module: seat.pk for module, seat in mine.items()} for user, mine in held.items()}
    change_set = open_change_set(commit, reason)
    write_rows(commit, change_set, changed, seats, was_planned=was_planned)
    return change_set


def open_change_set(
    commit: Commit, reason: str, *, undoes: ChangeSet | None = None, goes_on: bool = False
) -> ChangeSet:
    """Returns a new change set, to write rows to; counts the revision. `goes_on`: later commits write to it, too."""
    last = ChangeSet.objects.filter(customer=commit.customer).aggregate(last=Max("number"))["last"] or 0
    change_set: ChangeSet = ChangeSet.objects.create(
        customer=commit.customer,
        number=last + 1,
        at=commit.at,
        account=commit.actor.account,
        client=commit.actor.client,
        actor=commit.actor.label,
        reason=reason,
        revision=commit.changed(),
        undoes=undoes,
    )
    if not goes_on:
        commit.applied.append(change_set)
    return change_set


def write_rows(
    commit: Commit,
    change_set: ChangeSet,
    changed: Sequence[UserOutcome],
    seats: Mapping[int, Mapping[str, int]],
    *,
    leaves: Mapping[int, Mapping[str, datetime]] | None = None,
    was_planned: bool = False,
) -> None:
    """Writes what changed to a change set: seats (`seats`: user → module → seat held), trail, periods, revision.

    Where outcomes name all that users hold, `leaves` (user → module → when a scheduled package takes it) spares reading
    it again. Queries grow with batches of users.
    """
    commit.changed()
    owners = {
        owner.code: owner for owner in Owner.objects.filter(code__in={owner_of(m) for o in changed for m in o.after})
    }
    for start in range(0, len(changed), BATCH):
        _write_batch(commit, change_set, changed[start : start + BATCH], seats, owners)
    if not was_planned:
        held = None if leaves is None else {o.user.pk: _leaving(o, leaves.get(o.user.pk, {})) for o in changed}
        rewrite_users(commit, [outcome.user for outcome in changed], held)


def _leaving(outcome: UserOutcome, leaves: Mapping[str, datetime]) -> Leaving:
    return {module: leaves.get(module) for module in outcome.after}


def _write_batch(
    commit: Commit,
    change_set: ChangeSet,
    changed: Sequence[UserOutcome],
    seats: Mapping[int, Mapping[str, int]],
    owners: Mapping[str, Owner],
) -> None:
    customer = commit.customer.pk
    insert_rows(
        ChangeSetRow,
        ("customer_id", "change_set_id", "user_id", "before", "after"),
        ((customer, change_set.pk, o.user.pk, sorted(o.before), sorted(o.after)) for o in changed),
    )
    ended = [seats[o.user.pk][module] for o in changed for module in o.released]
    if ended:
        Seat.objects.filter(AnyOf("pk", ended)).update(released_at=commit.at, released_in=change_set, leaves_at=None)
    insert_rows(
        Seat,
        ("customer_id", "user_id", "owner_id", "module_name", "assigned_at", "assigned_in_id"),
        (
            (customer, o.user.pk, owners[owner_of(m)].pk, m.partition(".")[2], commit.at, change_set.pk)
            for o in changed
            for m in o.assigned
        ),
    )
    events = (
        Event(
            "seats.changed",
            "seats",
            known_as(o.user),
            {"seats": [sorted(o.before), sorted(o.after)], "change_set": change_set.number},
        )
        for o in changed
    )
    record_all(actor=commit.actor, events=events, customer=commit.customer, reason=change_set.reason, at=commit.at)


def known_as(user: CustomerUser) -> str:
    """Returns the name under which the audit trail knows a user; their customer is to be at hand."""
    return f"{user.customer.code}/{user.code}"
