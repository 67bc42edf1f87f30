"""Moving customers to another version, on paper: proposed, previewed, started, paused, cancelled (rules G-1 to G-9).

The product manager proposes, customer success runs; `licensing.services.moving` does the moving.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from itertools import islice
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Lower

from catalog.models import Offer, Version
from customers import audit, outbox
from customers.actor import Actor
from customers.errors import Invalid
from customers.models import Customer
from licensing.cohort import MOST_CODES, Cohort
from licensing.errors import NobodyToMove, NotInState, NotPreviewed, NotPublished
from licensing.models import ImpactReport, Migration, MigrationCustomer, SubscriptionItem
from licensing.selectors import customers_of, items_of
from licensing.services.impacting import request_impact
from licensing.services.onboarding import faults_of
from licensing.term import next_renewal

TOPIC: Final = "migration"
BATCH: Final = 1000
TOLD: Final = 20
State = Migration.State


# ── Proposing ───────────────────────────────────────────────────────────────
def propose(
    *,
    target: Version,
    actor: Actor,
    at: datetime,
    reason: str,
    cohort: Cohort | None = None,
    moment: str = Migration.Moment.NOW,
    moves_at: datetime | None = None,
    deadline: datetime | None = None,
    allows_pending: bool = False,
) -> Migration:
    """Returns the proposal, with its preview asked for. Nobody is moved yet.

    Raises NotPublished, Invalid (unknown customers, moments that don't go together), NobodyToMove.
    """
    target = Version.objects.select_related("offer").get(pk=target.pk)
    migration = Migration(
        offer=target.offer,
        target=target,
        cohort_data=(cohort or Cohort()).to_json(),
        moment=moment,
        moves_at=moves_at,
        deadline=deadline,
        allows_pending=allows_pending,
        reason=reason.strip(),
        proposed_by=actor.account,
        proposed_at=at,
    )
    refuse_unpublished(target)
    _check(migration, at)
    with transaction.atomic():
        migration.save()
        _preview(migration, actor, at)
        told = {"target": str(target), "cohort": migration.cohort.words, "moment": moment}
        told |= {"deadline": deadline.isoformat()} if deadline else {}
        record(migration, "migration.proposed", actor=actor, at=at, changes=told)
    return migration


def look_again(*, migration: Migration, actor: Actor, at: datetime) -> ImpactReport:
    """Returns a new preview of a proposal: customers come and go. Raises NotInState."""
    with transaction.atomic():
        locked = lock(migration, "looked at again", State.PROPOSED)
        return _preview(locked, actor, at)


def _preview(migration: Migration, actor: Actor, at: datetime) -> ImpactReport:
    report = request_impact(
        version=migration.target, actor=actor, at=at, cohort=migration.cohort, leaves_out_target=True
    )
    migration.preview = report
    migration.save(update_fields=["preview"])
    return report


def refuse_unpublished(target: Version) -> None:
    if target.state != Version.State.PUBLISHED:
        raise NotPublished(str(target))


def _check(migration: Migration, at: datetime) -> None:
    faults = [*_bad_moments(migration, at), *_unknown_customers(migration.cohort)]
    try:
        migration.full_clean()
    except ValidationError as error:
        faults += faults_of(error)
    if faults:
        raise Invalid("The migration can't be proposed like this.", faults)
    cohort, target = migration.cohort, migration.target
    if not customers_of(migration.offer_id, cohort, at, target=target.pk).exists():
        raise NobodyToMove(cohort.words, str(target))


def _bad_moments(migration: Migration, at: datetime) -> Iterator[dict[str, str]]:
    moves_at, deadline, effective = migration.moves_at, migration.deadline, migration.target.effective_from
    if moves_at is not None and moves_at < at:
        yield {"field": "moves_at", "message": "The date has passed."}
    if deadline is not None and deadline <= at:
        yield {"field": "deadline", "message": "The deadline has passed."}
    elif deadline is not None and moves_at is not None and deadline < moves_at:
        yield {"field": "deadline", "message": "The deadline is before the date on which customers move."}
    elif deadline is not None and effective is not None and deadline < effective:
        yield {"field": "deadline", "message": "The deadline is before the version takes effect."}


def _unknown_customers(cohort: Cohort) -> Iterator[dict[str, str]]:
    if len(cohort.codes) > MOST_CODES:
        yield {"field": "codes", "message": f"At most {MOST_CODES} customers can be listed, not {len(cohort.codes)}."}
        return
    lowered = Customer.objects.annotate(lower_code=Lower("code"))
    known = set(lowered.filter(lower_code__in=cohort.codes).values_list("lower_code", flat=True))
    unknown = [code for code in cohort.codes if code not in known]
    if unknown:
        more = f" and {len(unknown) - TOLD} more" if len(unknown) > TOLD else ""
        yield {"field": "codes", "message": f"There is no customer {', '.join(unknown[:TOLD])}{more}."}


# ── Running ─────────────────────────────────────────────────────────────────
def start(*, migration: Migration, actor: Actor, at: datetime, allows_pending: bool | None = None) -> Migration:
    """Fixes whom the migration moves and when each is due, and sets it going (rules G-3, G-4).

    `allows_pending` (none: as proposed) also moves customers whose package has to wait. Who is in another open
    migration of the plan is skipped. Raises NotInState, NotPublished, NotPreviewed, NobodyToMove.
    """
    with transaction.atomic():
        # One start per plan at a time, so that a customer is never in two open migrations of it.
        Offer.objects.select_for_update().get(pk=migration.offer_id)
        locked = lock(migration, "started", State.PROPOSED)
        refuse_unpublished(locked.target)
        if locked.preview is None or not locked.preview.is_done:
            raise NotPreviewed(locked.code)
        if allows_pending is not None:
            locked.allows_pending = allows_pending
        locked.state, locked.started_by, locked.started_at = State.RUNNING, actor.account, at
        locked.save()
        taken = _enrol(locked, at)
        if not taken:
            raise NobodyToMove(locked.cohort.words, str(locked.target))
        go_on(locked, at)
        record(locked, "migration.started", actor=actor, at=at, changes={"customers": taken})
    return locked


def _enrol(migration: Migration, at: datetime) -> int:
    """Writes a row per customer of the cohort, in batches; returns how many."""
    elsewhere = MigrationCustomer.objects.open().exclude(migration=migration)
    elsewhere = elsewhere.filter(offer=migration.offer_id, customer=OuterRef("customer"))
    items = items_of(migration.offer_id, migration.cohort, at, target=migration.target_id)
    rows = items.annotate(is_elsewhere=Exists(elsewhere)).select_related("subscription").order_by("customer", "pk")
    found = _once_each(rows.iterator(chunk_size=BATCH))
    count = 0
    while batch := list(islice(found, BATCH)):
        MigrationCustomer.objects.bulk_create(_enrolled(migration, item, at) for item in batch)
        count += len(batch)
    return count


def _once_each(items: Iterator[SubscriptionItem]) -> Iterator[SubscriptionItem]:
    last = None
    for item in items:
        if item.customer_id != last:
            yield item
        last = item.customer_id


def _enrolled(migration: Migration, item: Any, at: datetime) -> MigrationCustomer:
    due_at = due(migration, item, at)
    row = MigrationCustomer(
        migration=migration, offer_id=migration.offer_id, customer_id=item.customer_id, due_at=due_at, try_at=due_at
    )
    if item.is_elsewhere:
        row.state, row.try_at = MigrationCustomer.State.SKIPPED, None
        row.why = "Another migration of the same plan moves this customer."
    return row


def due(migration: Migration, item: SubscriptionItem, at: datetime) -> datetime:
    """Returns when the customer with this item is due: its moment or the deadline, whichever comes first (rule G-4).

    A renewal is the end of the running term or billing period, at midnight UTC; nobody is due before the version is.
    """
    moment = at
    if migration.moment == Migration.Moment.DATE and migration.moves_at is not None:
        moment = migration.moves_at
    elif migration.moment == Migration.Moment.RENEWAL:
        contract = item.subscription
        renews = next_renewal(contract.starts_on, contract.billing_months, at.date())
        moment = datetime.combine(renews, time(), UTC)
    if migration.deadline is not None:
        moment = min(moment, migration.deadline)
    effective: datetime | None = migration.target.effective_from
    return max(moment, effective) if effective is not None else moment


def pause(*, migration: Migration, actor: Actor, at: datetime, reason: str = "") -> Migration:
    """Stops a running migration after the customer it is at. Raises NotInState."""
    with transaction.atomic():
        locked = lock(migration, "paused", State.RUNNING)
        locked.state = State.PAUSED
        locked.save(update_fields=["state"])
        record(locked, "migration.paused", actor=actor, at=at, reason=reason)
    return locked


def resume(*, migration: Migration, actor: Actor, at: datetime) -> Migration:
    """Lets a paused migration go on where it stopped. Raises NotInState, NotPublished."""
    with transaction.atomic():
        locked = lock(migration, "resumed", State.PAUSED)
        if locked.rows.open().exists():
            refuse_unpublished(locked.target)
        locked.state = State.RUNNING
        locked.save(update_fields=["state"])
        go_on(locked, at)
        record(locked, "migration.resumed", actor=actor, at=at)
    return locked


def try_again(*, migration: Migration, actor: Actor, at: datetime) -> int:
    """Tries now all that were blocked, overdue or failed; returns how many. Raises NotInState, NotPublished."""
    states = MigrationCustomer.State
    with transaction.atomic():
        Offer.objects.select_for_update().get(pk=migration.offer_id)
        locked = lock(migration, "tried again", State.RUNNING, State.DONE)
        refuse_unpublished(locked.target)
        stuck = locked.rows.filter(state__in=[states.BLOCKED, states.OVERDUE, states.FAILED])
        mine = stuck.filter(state=states.BLOCKED).update(try_at=at)
        elsewhere = MigrationCustomer.objects.open().filter(offer=locked.offer_id).exclude(migration=locked)
        free = stuck.exclude(state=states.BLOCKED).exclude(customer__in=elsewhere.values("customer"))
        again = mine + free.update(state=states.WAITING, try_at=at, why="")
        if again:
            locked.state, locked.ended_at = State.RUNNING, None
            locked.save(update_fields=["state", "ended_at"])
            go_on(locked, at)
            record(locked, "migration.tried_again", actor=actor, at=at, changes={"customers": again})
    return int(again)


def cancel(*, migration: Migration, actor: Actor, at: datetime, reason: str = "") -> Migration:
    """Ends a migration; who was moved stays moved, who waits stays where they are. Raises NotInState."""
    with transaction.atomic():
        locked = lock(migration, "cancelled", State.PROPOSED, State.RUNNING, State.PAUSED)
        locked.state, locked.ended_at = State.CANCELLED, at
        locked.save(update_fields=["state", "ended_at"])
        skipped = give_up(locked, "The migration was cancelled.")
        kept = locked.rows.filter(state=MigrationCustomer.State.RETURNING)
        kept.update(state=MigrationCustomer.State.MOVED, try_at=None, why="Cancelled before its turn to go back.")
        record(locked, "migration.cancelled", actor=actor, at=at, changes={"not_moved": skipped}, reason=reason)
    return locked


def give_up(migration: Migration, why: str) -> int:
    """Leaves those who are still to be moved where they are; returns how many."""
    state = MigrationCustomer.State.SKIPPED
    return int(migration.rows.open().update(state=state, try_at=None, why=why))


# ── What the others need ────────────────────────────────────────────────────
def lock(migration: Migration, verb: str, *states: str) -> Migration:
    """Returns the migration as it is now, locked until the transaction ends. Raises NotInState."""
    locked: Migration = Migration.objects.select_for_update().get(pk=migration.pk)
    if locked.state not in states:
        raise NotInState(locked.code, locked.get_state_display(), verb)
    return locked


def go_on(migration: Migration, at: datetime) -> None:
    """Sends the message that the migration is worked on from `at`; one sent before is void (rule G-6)."""
    migration.turn += 1
    migration.save(update_fields=["turn"])
    outbox.enqueue(topic=TOPIC, payload={"migration": migration.pk, "turn": migration.turn}, at=at)


def record(
    migration: Migration, action: str, *, actor: Actor, at: datetime, changes: Any = None, reason: str = ""
) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_type="migration",
        object_code=migration.code,
        changes=changes,
        reason=reason or migration.reason,
        at=at,
    )


@dataclass(frozen=True, slots=True)
class Drift:
    """How many customers would be in the cohort now but are not in the migration, and the other way round."""

    joined: int
    left: int


def drift(migration: Migration, at: datetime) -> Drift:
    """Returns who came and went since the migration was started. Two queries."""
    now = customers_of(migration.offer_id, migration.cohort, at, target=migration.target_id)
    mine = migration.rows.values("customer")
    return Drift(
        now.exclude(customer__in=mine).count(),
        migration.rows.open().exclude(customer__in=now.values("customer")).count(),
    )
