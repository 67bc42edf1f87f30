"""What is due happens by the clock; this writes down what has happened, and derives what is to come (docs/adr, 0014).

Facts are the items with their instants, the end of a cancelled subscription, and the releases planned by name. From
them every commit derives the scheduled packages, the seats that leave with them, and the periods. Reads look at those
and need no job; the next commit, or the sweeper, makes the past of them what is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from django.db.models import Min

from catalog.models import Owner
from customers.actor import SYSTEM
from customers.models import CustomerUser
from licensing.models import (
    HoldingPeriod,
    Package,
    PlannedRelease,
    RevisionEntry,
    Seat,
    Subscription,
    SubscriptionItem,
    UserPeriod,
)
from licensing.passed import instants_passed
from licensing.recorded import SEALED
from licensing.services.change_sets import UserOutcome, write_outcomes
from licensing.services.ledger import Commit
from licensing.services.packages import (
    Compiled,
    compile_package,
    compiled_items,
    own_owner,
    record,
    says,
    seats_to_release,
    supersede,
    withdraw,
    write_package,
)
from licensing.services.periods import BATCH, rewrite_customer, rewrite_users
from licensing.services.telling import tell
from licensing.term import dates_ending


@dataclass(frozen=True, slots=True)
class Stage:
    """What is to be in force from `starts_at` on."""

    starts_at: datetime
    compiled: Compiled


# ── What the clock has made fact ────────────────────────────────────────────
def settle(commit: Commit) -> int:
    """Writes down what came due since the customer's last commit: one revision per instant. Returns how many.

    Packages on their day become the active ones, seats that left are released in a change set, a cancelled subscription
    is over. Periods stand already.
    """
    instants = instants_passed(commit.customer.pk, commit.head.stamp, commit.at)
    for at in instants:
        then = Commit(commit.customer, SYSTEM, at, commit.head, "clock.passed")
        _settle_packages(then)
        _settle_seats(then)
        _settle_subscription(then)
        number = then.changed()
        RevisionEntry.objects.create(customer=commit.customer, number=number, at=at, cause=then.cause)
        tell(then)
    commit.moves_contract = commit.moves_clock = True
    return len(instants)


def _settle_packages(then: Commit) -> None:
    due = Package.objects.filter(customer=then.customer, activated_at=then.at).scheduled()
    for package in due.select_related("owner"):
        mine = Package.objects.filter(customer=then.customer, owner=package.owner_id)
        withdraw(then, mine.pending())
        supersede(then, mine.filter(state=Package.State.ACTIVE))
        was, package.state = package.state, Package.State.ACTIVE
        package.save(update_fields=["state"])
        then.cause = "package.activated"
        record(then, "package.activated", package, was)


def _settle_seats(then: Commit) -> None:
    leaving = list(
        Seat.objects.filter(customer=then.customer, released_at=None, leaves_at=then.at).select_related("owner")
    )
    if not leaving:
        return
    gone: dict[int, set[str]] = defaultdict(set)
    for seat in leaving:
        gone[seat.user_id].add(seat.full_name)
    users = CustomerUser.objects.select_related("customer").in_bulk(gone)
    held: dict[int, dict[str, Seat]] = {pk: {} for pk in gone}
    for seat in Seat.objects.filter(user__in=gone, released_at=None).select_related("owner"):
        held[seat.user_id][seat.full_name] = seat
    outcomes = [
        UserOutcome(users[pk], frozenset(held[pk]), frozenset(held[pk]) - modules) for pk, modules in gone.items()
    ]
    write_outcomes(then, outcomes, held, "Left with the package that came into force.", was_planned=True)


def _settle_subscription(then: Commit) -> None:
    over = Subscription.objects.filter(customer=then.customer, ended_at=None, ends_at=then.at)
    for subscription in over:
        subscription.ended_at = then.at
        subscription.save(update_fields=["ended_at"])
        items = SubscriptionItem.objects.filter(subscription=subscription)
        items.filter(starts_at__gte=then.at).delete()
        items.not_over(then.at).update(ends_at=then.at)
        then.cause = "subscription.ended"


# ── What is to come ─────────────────────────────────────────────────────────
def derive(commit: Commit) -> None:
    """Makes what is scheduled be what the facts say, if this commit may have changed any of it.

    Equal scheduled packages keep their number; others, and those that somebody edited, are withdrawn and written anew
    (P-12, Z-6).
    """
    if commit.moves_contract or (commit.head.has_plans and commit.is_changed and not commit.is_derived):
        subscription = Subscription.objects.running(commit.at).filter(customer=commit.customer).first()
        stages = _stages(commit, subscription)
        chain, are_others = _schedule(commit, subscription, stages)
        users = _plan_releases(commit, chain)
        if users:
            rewrite_users(commit, users)
        if are_others:
            rewrite_customer(commit)
        if users or are_others:
            commit.changed()
        commit.head.has_plans = bool(chain)
        commit.moves_clock, commit.moves_contract, commit.is_derived = True, False, True
    if commit.moves_clock:
        commit.head.due_at = _next_due(commit)


def _stages(commit: Commit, subscription: Subscription | None) -> list[Stage]:
    """Returns the packages that the facts lead to after the present one, in order."""
    if subscription is None:
        return []
    items = list(
        SubscriptionItem.objects.filter(subscription=subscription).not_over(commit.at).select_related("version")
    )
    present = Package.objects.filter(customer=commit.customer, owner=own_owner()).active(commit.at).first()
    dates = dates_ending(subscription.ends_at)
    stages: list[Stage] = []
    for at in _steps(items, commit.at, subscription.ends_at):
        # With the end of the subscription nothing begins: what is in force then has to say that it ends.
        in_force = [item for item in items if item.is_in_force(at, is_end=at == subscription.ends_at)]
        compiled = compile_package(commit.customer, compiled_items(in_force), dates)
        is_same = compiled == stages[-1].compiled if stages else present is not None and compiled.equals(present)
        if not is_same and (compiled.rows or stages or present is not None):
            stages.append(Stage(at, compiled))
    return stages


def _steps(items: Iterable[SubscriptionItem], after: datetime, end: datetime | None) -> list[datetime]:
    """Returns the instants to come at which items begin or end, and the subscription's end."""
    found = {at for item in items for at in (item.starts_at, item.ends_at) if at is not None and at > after}
    return sorted(found) if end is None else [*sorted(at for at in found if at < end), end]


def _schedule(commit: Commit, subscription: Subscription | None, stages: Sequence[Stage]) -> tuple[list[Package], bool]:
    """Returns the scheduled packages, in order, and whether any of them is another than before."""
    owner = own_owner()
    mine = Package.objects.filter(customer=commit.customer, owner=owner).select_related(*SEALED)
    planned = {package.activated_at: package for package in mine.scheduled()}
    kept = {
        stage.starts_at: planned[stage.starts_at]
        for stage in stages
        if stage.starts_at in planned and says(planned[stage.starts_at], stage.compiled, commit)
    }
    dropped = [package.pk for at, package in planned.items() if at not in kept]
    withdraw(commit, mine.filter(pk__in=dropped))
    starts = [stage.starts_at for stage in stages]
    ends: dict[datetime, datetime | None] = dict(zip_longest(starts, starts[1:]))
    present = mine.active(commit.at).first()
    moved = _end(present, starts[0] if starts else None)
    for at, package in kept.items():
        moved |= _end(package, ends[at])
    chain = [
        kept.get(stage.starts_at) or _write(commit, subscription, owner, stage, ends[stage.starts_at])
        for stage in stages
    ]
    return chain, bool(dropped) or moved or len(chain) > len(kept)


def _end(package: Package | None, at: datetime | None) -> bool:
    """Lets a package end at `at`; returns whether that is another instant than before."""
    if package is None or package.ended_at == at:
        return False
    package.ended_at = at
    package.save(update_fields=["ended_at"])
    return True


def _write(
    commit: Commit, subscription: Subscription | None, owner: Owner, stage: Stage, ends_at: datetime | None
) -> Package:
    if subscription is None:
        raise AssertionError("without a subscription there are no stages")
    state = Package.State.SCHEDULED
    return write_package(
        commit, subscription, owner, stage.compiled, state, activated_at=stage.starts_at, ended_at=ends_at
    )


def _plan_releases(commit: Commit, chain: Sequence[Package]) -> list[CustomerUser]:
    """Says of each seat when it leaves; returns the users for whom that is otherwise than before (P-13)."""
    planned = Seat.objects.filter(customer=commit.customer, released_at=None, leaves_at__isnull=False)
    before: dict[int, tuple[int, datetime]] = {
        pk: (user, at) for pk, user, at in planned.values_list("pk", "user", "leaves_at")
    }
    if before:
        planned.update(leaves_at=None)
    after: dict[int, tuple[int, datetime]] = {}
    named = _names(commit, chain)
    for package in chain:
        at = package.activated_at
        if at is None:
            raise AssertionError("what is scheduled has its day")
        seats = seats_to_release(package, named.get(at, {}), at)
        after |= {seat.pk: (seat.user_id, at) for seat in seats}
        ids = [seat.pk for seat in seats]
        for start in range(0, len(ids), BATCH):
            Seat.objects.filter(pk__in=ids[start : start + BATCH]).update(leaves_at=at)
    changed = {user for pk, (user, at) in (before | after).items() if before.get(pk) != after.get(pk)}
    return list(CustomerUser.objects.filter(pk__in=changed)) if changed else []


def _names(commit: Commit, chain: Sequence[Package]) -> Mapping[datetime, Mapping[str, list[int]]]:
    """Returns per instant the users whose seats were planned to go, by module name."""
    named: dict[datetime, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    if chain:
        rows = PlannedRelease.objects.filter(customer=commit.customer, due_at__gt=commit.at)
        for at, module, user in rows.values_list("due_at", "module_name", "user"):
            named[at][module].append(user)
    return named


def _next_due(commit: Commit) -> datetime | None:
    """Returns the next instant at which the clock changes what is read of the customer."""
    customer, at = commit.customer, commit.at
    ahead: list[Any] = [
        model.objects.filter(customer=customer, ends_at__gt=at).aggregate(next=Min("ends_at"))["next"]
        for model in (HoldingPeriod, UserPeriod)
    ]
    scheduled = Package.objects.filter(customer=customer).scheduled()
    ahead.append(scheduled.aggregate(next=Min("activated_at"))["next"])
    running = Subscription.objects.filter(customer=customer, ended_at=None, ends_at__gt=at)
    ahead.append(running.aggregate(next=Min("ends_at"))["next"])
    return min((instant for instant in ahead if instant is not None), default=None)
