"""Does what was previewed: worked out again under the lock, compared, written; all at once or batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import OuterRef, Subquery
from django.db.models.functions import Lower

from customers.actor import Actor
from customers.conditions import AnyOf
from customers.models import CustomerUser
from licensing.bulk_effects import digests_of
from licensing.bulk_errors import StateMoved, difference_of
from licensing.bulk_plan import BulkWish, Judged, Rule
from licensing.errors import SeatsMoved
from licensing.models import ChangePreview, ChangePreviewRow, ChangeSet
from licensing.services.bulk_working import RULES, Worked, new_user, why, wishes_in, work_out_wishes
from licensing.services.change_sets import UserOutcome, open_change_set, write_rows
from licensing.services.commit import Commit, customer_commit
from licensing.services.ground import BATCH
from licensing.services.people import add_users
from licensing.services.progress import noting
from licensing.services.telling import tell_applied

State = ChangePreview.State
CAUSE: Final = "seats.changed"
STEP: Final = 2 * BATCH  # users per transaction, where as many as possible are changed
_OPEN: Final = (State.READY, State.APPLYING)
_MOVING: Final = ("state", "batches", "done", "totals", "change_set")


@dataclass
class Run:
    """Batches applied one after another: what was worked out, and the revision at which that still stands."""

    wishes: Sequence[BulkWish]
    worked: Worked | None = None
    revision: int | None = None


def apply_now(preview: ChangePreview, actor: Actor, *, at: datetime | None = None, dry_run: bool = False) -> None:
    """Applies a preview in one transaction, or refuses with StateMoved and keeps the difference."""
    try:
        with noting(preview) as note:
            _apply_whole(preview, actor, at, dry_run, note)
    except StateMoved as moved:
        if not dry_run:
            _leave_stale(preview, moved)
        raise


def apply_in_batches(preview: ChangePreview, actor: Actor, *, at: datetime | None = None) -> None:
    """Applies as many as possible, a batch per transaction, and goes on where a run before was interrupted.

    The first batch compares the whole preview, as `apply_now` does. A row of a later one that comes out differently
    when its turn comes is left out, and says why.
    """
    run = Run(wishes_in(preview))
    try:
        while _apply_batch(preview, actor, at, run):
            pass
    except StateMoved as moved:
        _leave_stale(preview, moved)
        raise


def _apply_whole(
    preview: ChangePreview, actor: Actor, at: datetime | None, dry_run: bool, note: Callable[[int], None]
) -> None:
    with customer_commit(customer=preview.customer, actor=actor, cause=CAUSE, at=at, dry_run=dry_run) as commit:
        preview.refresh_from_db()
        if preview.state not in _OPEN:  # somebody else was faster
            return
        worked = work_out_wishes(commit, wishes_in(preview), _rule(preview))
        _refuse_moved(preview, worked)
        if dry_run:
            return
        changes = worked.plan.changes
        users = _create(commit, preview, worked, changes)
        preview.change_set = _change_set(commit, preview, changes)
        idle = preview.total - len(changes)
        for start in range(0, len(changes), BATCH):
            batch = changes[start : start + BATCH]
            _write(commit, preview, worked, batch, users)
            note(idle + start + len(batch))
        preview.state, preview.done, preview.revision = State.APPLIED, preview.total, commit.head.number
        preview.save(update_fields=["change_set", "state", "done", "revision"])


def _apply_batch(preview: ChangePreview, actor: Actor, at: datetime | None, run: Run) -> bool:
    """Applies the next batch, and writes down in the same transaction that it is done; returns whether more follow."""
    with customer_commit(customer=preview.customer, actor=actor, cause=CAUSE, at=at) as commit:
        preview.refresh_from_db(fields=_MOVING)
        if preview.state not in _OPEN:
            return False
        if not preview.batches:
            run.worked = _begin(commit, preview, run.wishes)
            run.revision = commit.head.number
        batch = set(preview.batches[0]) if preview.batches else set()
        if run.worked is not None and run.revision == commit.head.number:  # nobody wrote since: what was found stands
            worked = run.worked
            changes = [row for row in worked.plan.rows if row.position in batch]
            strays: list[Judged] = []
        else:
            run.worked = None
            worked = work_out_wishes(commit, [wish for wish in run.wishes if wish.position in batch], _rule(preview))
            changes, strays = _as_recorded(preview, worked, batch)
        _leave_out(preview, worked, strays)
        users = _create(commit, preview, worked, changes)
        if preview.change_set is None:
            preview.change_set = _change_set(commit, preview, changes, goes_on=True)
        _write(commit, preview, worked, changes, users)
        preview.batches = preview.batches[1:]
        preview.done += len(batch)
        preview.revision = commit.head.number
        if not preview.batches:
            preview.state, preview.done = State.APPLIED, preview.total
            if preview.change_set is not None:
                tell_applied(preview.change_set, commit.head, commit.at)
        preview.save(update_fields=["change_set", "batches", "done", "state", "totals", "revision"])
    run.revision = commit.head.number
    return preview.state == State.APPLYING


def _begin(commit: Commit, preview: ChangePreview, wishes: Sequence[BulkWish]) -> Worked:
    """Works out and compares everything, and lays down the batches."""
    worked = work_out_wishes(commit, wishes, _rule(preview))
    _refuse_moved(preview, worked)
    preview.batches = worked.plan.batches(STEP)
    preview.state = State.APPLYING
    preview.done = preview.total - sum(map(len, preview.batches))
    return worked


def _as_recorded(preview: ChangePreview, worked: Worked, batch: Set[int]) -> tuple[list[Judged], list[Judged]]:
    """Returns the rows of a batch: those that come out as they were previewed, and the others."""
    recorded = _recorded(preview, batch)
    now = worked.told()
    rows = [row for row in worked.plan.rows if row.position in batch]
    same = [row for row in rows if now[row.position] == recorded.get(row.position)]
    return same, [row for row in rows if now[row.position] != recorded.get(row.position)]


def _leave_out(preview: ChangePreview, worked: Worked, strays: Sequence[Judged]) -> None:
    """Blocks the rows that come out differently now: what is in the way, or that somebody moved the seats."""
    if not strays:
        return
    short = worked.ground.seat_refusals(strays)
    positions = [stray.position for stray in strays]
    rows = {row.position: row for row in preview.rows.filter(position__in=positions)}
    for stray in strays:
        row = rows[stray.position]
        refusal = short[stray.short] if stray.short is not None else stray.refusal
        refusal = refusal or SeatsMoved(stray.user, row.before, sorted(stray.before))
        row.outcome, row.after, row.effect, row.creates = ChangePreviewRow.Outcome.BLOCKED, row.before, None, False
        for name, value in why(refusal).items():
            setattr(row, name, value)
    told = ["outcome", "after", "effect", "creates", "code", "message", "next_action", "blocking"]
    ChangePreviewRow.objects.bulk_update(rows.values(), told, batch_size=100)
    totals = preview.totals
    totals["changes"] -= len(strays)
    totals["blocked"] += len(strays)
    totals["left_out"] = totals.get("left_out", 0) + len(strays)


def _create(
    commit: Commit, preview: ChangePreview, worked: Worked, changes: Sequence[Judged]
) -> Mapping[str, CustomerUser]:
    """Returns the users of the rows by lower-cased code, having created those that aren't there yet."""
    new = {row.position for row in changes if row.creates}
    if not new:
        return worked.ground.users
    seated = {row.position for row in changes if row.before != row.after}
    wanted = [(wish.position, new_user(wish)) for wish in wishes_in(preview, new)]
    follow = {user["code"] for position, user in wanted if position in seated}
    made = add_users(commit, [user for _, user in wanted], are_faultless=True, seats_follow=follow)
    return {**worked.ground.users, **{user.code.lower(): user for user in made}}


def _change_set(
    commit: Commit, preview: ChangePreview, changes: Sequence[Judged], *, goes_on: bool = False
) -> ChangeSet | None:
    if all(row.before == row.after for row in changes):
        return None
    return open_change_set(commit, preview.reason, undoes=preview.undoes, goes_on=goes_on)


def _write(
    commit: Commit,
    preview: ChangePreview,
    worked: Worked,
    changes: Sequence[Judged],
    users: Mapping[str, CustomerUser],
) -> None:
    outcomes = [
        UserOutcome(users[row.user.lower()], row.before, row.after) for row in changes if row.before != row.after
    ]
    if outcomes and preview.change_set is not None:
        write_rows(commit, preview.change_set, outcomes, worked.ground.seats, leaves=worked.ground.leaves)
    if any(row.creates for row in changes):
        named = CustomerUser.objects.filter(customer=commit.customer).alias(low=Lower("code"))
        user = named.filter(low=Lower(OuterRef("user_code"))).values("pk")[:1]
        mine = preview.rows.filter(AnyOf("position", [row.position for row in changes]), user=None)
        mine.update(user=Subquery(user))


def _refuse_moved(preview: ChangePreview, worked: Worked) -> None:
    """Raises StateMoved unless every row comes out as it was previewed."""
    if worked.digest == preview.digest:
        return
    was, now = _recorded(preview), worked.told()
    moved = [
        {"position": position, "user": after[1], "was": _in_words(was.get(position)), "now": _in_words(after)}
        for position, after in sorted(now.items())
        if was.get(position) != after
    ]
    raise StateMoved(preview.token, difference_of(moved))


def _recorded(preview: ChangePreview, positions: Set[int] | None = None) -> dict[int, tuple[Any, ...]]:
    """Returns of the preview's rows what `Worked.told` says of the same now."""
    rows = preview.rows.all() if positions is None else preview.rows.filter(position__in=positions)
    digests = digests_of(preview.effects)
    columns = ("position", "user_code", "outcome", "code", "before", "after", "effect")
    return {
        position: (position, user.lower(), outcome, code, before, after, "" if place is None else digests[place])
        for position, user, outcome, code, before, after, place in rows.values_list(*columns)
    }


def _in_words(row: tuple[Any, ...] | None) -> dict[str, Any]:
    if row is None:
        return {}
    return {"outcome": row[2], "code": row[3], "before": row[4], "after": row[5]}


def _leave_stale(preview: ChangePreview, moved: StateMoved) -> None:
    ChangePreview.objects.filter(pk=preview.pk, state__in=_OPEN).update(state=State.STALE, difference=moved.details)


def _rule(preview: ChangePreview) -> Rule:
    return RULES[ChangePreview.Kind(preview.kind)]
