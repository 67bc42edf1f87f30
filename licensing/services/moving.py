"""Moving customers, one by one: each in a transaction of its own, in batches that the outbox keeps going (G-5 to G-12).

Whatever stops it, nothing is done twice: what a row says and what happened to its customer are written together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import OperationalError, transaction
from django.db.models import Count, Min
from django.utils import timezone

from catalog.models import Version
from customers.actor import SYSTEM, Actor
from customers.errors import Refusal
from licensing.errors import MovedSince, NothingToRollBack, WouldNotFit
from licensing.models import Migration, MigrationCustomer, SubscriptionItem
from licensing.services import migrating
from licensing.services.subscriptions import Moved, move_to_version

BATCH: Final = 50  # customers per message, so that no message outlives its lease
RETRY_AFTER: Final = timedelta(days=1)
_LOG: Final = structlog.get_logger(__name__)
State = MigrationCustomer.State


def deliver_migration(payload: Mapping[str, Any]) -> None:
    """Delivers the topic `migration`: works off a batch of what is due, and sends the message that goes on."""
    migration = Migration.objects.filter(pk=payload["migration"], turn=payload["turn"]).first()
    if migration is not None:
        run_batch(migration=migration)


def run_batch(*, migration: Migration, at: datetime | None = None, most: int = BATCH) -> int:
    """Works off up to `most` customers that are due, as long as the migration runs; returns how many.

    Afterwards the next message is sent, for now or for whenever somebody is due next; without anybody left the
    migration is done. Two of these at once share the work. `at` is the clock of tests.
    """
    done = 0
    while done < most and _work_off_one(migration, at):
        done += 1
    _go_on_or_end(migration, at or timezone.now())
    return done


def _work_off_one(migration: Migration, at: datetime | None) -> bool:
    now = at or timezone.now()
    running = Migration.objects.filter(pk=migration.pk, state=Migration.State.RUNNING).select_related("target").first()
    if running is None:
        return False
    if running.target.state != Version.State.PUBLISHED and running.rows.open().due(now).exists():
        why = f"{running.target} was retired meanwhile."
        migrating.pause(migration=running, actor=SYSTEM, at=now, reason=why)
        return False
    with transaction.atomic():
        rows = running.rows.due(now).select_for_update(skip_locked=True, of=("self",))
        rows = rows.select_related("customer", "offer", "was__offer", "migration__target__offer")
        row = rows.select_related("migration__started_by", "migration__rolled_back_by").order_by("try_at", "pk").first()
        if row is None:
            return False
        _try(row, at)
    return True


def _try(row: MigrationCustomer, at: datetime | None) -> None:
    """Moves one customer, or brings it back, and writes down how it went; whatever happens, the others go on."""
    is_return = row.state == State.RETURNING
    try:
        with transaction.atomic():
            if is_return:
                _bring_back(row, Actor(account=row.migration.rolled_back_by), at)
            else:
                _move(row, Actor(account=row.migration.started_by), at)
    except Refusal as refusal:
        _refused(row, refusal, at or timezone.now())
    except OperationalError:  # the database's own trouble passes: the message comes again
        raise
    except Exception as fault:
        _LOG.exception("migration_of_customer_failed", migration=row.migration_id, customer=row.customer.code)
        _leave(row, State.MOVED if is_return else State.FAILED, f"{type(fault).__name__}: {fault}")
    row.save()


def _move(row: MigrationCustomer, actor: Actor, at: datetime | None) -> None:
    migration = row.migration
    moved = move_to_version(
        customer=row.customer,
        actor=actor,
        version=migration.target,
        at=at,
        must_fit=not migration.allows_pending,
        reason=migration.reason,
    )
    if moved.was is None:
        _leave(row, State.SKIPPED, f"Was on {migration.target} already.")
        return
    row.was, row.moved_at = moved.was, moved.at
    waits = f"{moved.issued.package} waits until seats are given back." if moved.issued.superfluous else ""
    _leave(row, State.MOVED, waits)


def _bring_back(row: MigrationCustomer, actor: Actor, at: datetime | None) -> Moved:
    """Moves the customer to the version before. Raises MovedSince, ItemsRefused, WouldNotFit."""
    was = refuse_moved_since(row, at or timezone.now())
    moved = move_to_version(
        customer=row.customer,
        actor=actor,
        version=was,
        at=at,
        must_fit=True,
        cause="version.rolled_back",
        reason=row.migration.reason,
    )
    row.returned_at = moved.at
    _leave(row, State.ROLLED_BACK, "")
    return moved


def refuse_moved_since(row: MigrationCustomer, at: datetime) -> Version:
    """Returns the version to go back to; raises MovedSince when the plan left the migration's target (rule G-10).

    More or fewer seats of the same version are no move: they stay as they are.
    """
    if row.was is None or row.moved_at is None:
        raise NothingToRollBack(row.migration.code, row.customer.code)
    items = SubscriptionItem.objects.filter(customer=row.customer_id, version__offer=row.offer_id)
    later = items.filter(starts_at__gte=row.moved_at).exclude(version=row.migration.target_id)
    last = items.in_force(max(at, row.moved_at)).select_related("version").order_by("-starts_at").first()
    if last is None or last.version_id != row.migration.target_id or later.exists():
        now = f"v{last.version.number}" if last is not None else "nothing"
        raise MovedSince(row.customer.code, row.offer.code, now)
    return row.was


def _refused(row: MigrationCustomer, refusal: Refusal, at: datetime) -> None:
    if row.state == State.RETURNING:
        _leave(row, State.MOVED, f"Not rolled back: {refusal.message}")
    elif any(fault.get("code") == "not_held" for fault in refusal.details.get("faults", ())):
        _leave(row, State.SKIPPED, refusal.message)
    else:
        _block(row, _why(refusal), at)


def _why(refusal: Refusal) -> str:
    """Returns what is in the way; of a package that wouldn't fit, what would have to be given back."""
    if not isinstance(refusal, WouldNotFit):
        return refusal.message
    rows = refusal.details["superfluous"]
    listed = (f"{each['module']}: {each['in_use']} in use, {each['new_total']} in the new package" for each in rows)
    return f"Seats have to be given back first. {'; '.join(listed)}."


def _block(row: MigrationCustomer, why: str, at: datetime) -> None:
    """Tries again a day later, and a last time at the deadline; then the customer is overdue (rule G-8)."""
    deadline = row.migration.deadline
    if deadline is not None and at >= deadline:
        _leave(row, State.OVERDUE, why)
        return
    row.state, row.why = State.BLOCKED, why[:1000]
    row.try_at = at + RETRY_AFTER if deadline is None else min(at + RETRY_AFTER, deadline)


def _leave(row: MigrationCustomer, state: str, why: str) -> None:
    row.state, row.try_at, row.why = state, None, why[:1000]


def _go_on_or_end(migration: Migration, at: datetime) -> None:
    with transaction.atomic():
        locked = Migration.objects.select_for_update().get(pk=migration.pk)
        if locked.state != Migration.State.RUNNING or locked.turn != migration.turn:
            return
        coming = locked.rows.to_do().aggregate(first=Min("try_at"))["first"]
        if coming is not None:
            migrating.go_on(locked, max(coming, at))
            return
        locked.state, locked.ended_at = Migration.State.DONE, at
        locked.save(update_fields=["state", "ended_at"])
        told = {state: n for state, n in tally(locked).items() if n}
        migrating.record(locked, "migration.done", actor=Actor(account=locked.started_by), at=at, changes=told)


def tally(migration: Migration) -> dict[str, int]:
    """Returns how many customers are in each state, every state named. One query."""
    counted = dict(migration.rows.order_by().values_list("state").annotate(Count("pk")))
    return {state: counted.get(state, 0) for state in State.values}


# ── Back again ──────────────────────────────────────────────────────────────
def roll_back(*, row: MigrationCustomer, actor: Actor, at: datetime | None = None, dry_run: bool = False) -> Moved:
    """Moves one customer back to the version it had before; a dry run only says whether that can be done.

    Raises NothingToRollBack, MovedSince, ItemsRefused (what the old version needs is gone) or WouldNotFit.
    """
    with transaction.atomic():
        rows = MigrationCustomer.objects.select_for_update(of=("self",))
        locked = rows.select_related("customer", "migration__target", "offer", "was__offer").get(pk=row.pk)
        if locked.state not in (State.MOVED, State.RETURNING):
            raise NothingToRollBack(locked.migration.code, locked.customer.name)
        moved = _bring_back(locked, actor, at)
        locked.save()
        if dry_run:
            transaction.set_rollback(True)
    return moved


def roll_back_all(*, migration: Migration, actor: Actor, at: datetime) -> int:
    """Sends every customer moved back, in the background; who still waits stays. Returns how many go back.

    Who has moved since stays where they are, and the row says so. Raises NothingToRollBack, NotInState.
    """
    states = Migration.State
    with transaction.atomic():
        locked = migrating.lock(migration, "rolled back", states.RUNNING, states.PAUSED, states.DONE, states.CANCELLED)
        if locked.started_at is None:
            raise NothingToRollBack(locked.code, "Nobody")
        back = locked.rows.filter(state=State.MOVED).update(state=State.RETURNING, try_at=at, why="")
        if not back:
            raise NothingToRollBack(locked.code, "Nobody")
        migrating.give_up(locked, "Everybody was rolled back before its turn.")
        locked.state, locked.ended_at, locked.rolled_back_by = states.RUNNING, None, actor.account
        locked.save(update_fields=["state", "ended_at", "rolled_back_by"])
        migrating.go_on(locked, at)
        migrating.record(locked, "migration.rolled_back", actor=actor, at=at, changes={"customers": back})
    return int(back)
