"""Works out what a preview's wishes come to at this moment, and writes it down as the preview's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import transaction

from customers.errors import NotFound, Refusal
from customers.inserting import insert_rows
from customers.models import CustomerUser
from licensing.bulk_effects import Effects
from licensing.bulk_errors import RowUnreadable
from licensing.bulk_plan import BulkWish, Case, Judged, Outcome, Plan, Rule, digest_of, told, work_out
from licensing.models import ChangePreview, ChangePreviewRow
from licensing.seating import Wish
from licensing.selectors import load_timeline
from licensing.services.ground import BATCH, Ground, survey
from licensing.services.ledger import Commit
from licensing.services.people import faults_of_new

RULES: Final = {ChangePreview.Kind.SEATS: Rule.BULK, ChangePreview.Kind.UNDO: Rule.UNDO}
_COLUMNS: Final = (
    *("customer_id", "preview_id", "position", "user_code", "user_id", "outcome", "creates"),
    *("before", "after", "effect"),
    *("code", "message", "next_action", "blocking"),
)


@dataclass(frozen=True)
class Worked:
    """What wishes come to: each row judged, with its user if there is one, and the place of its effect."""

    ground: Ground
    plan: Plan
    effects: Effects
    places: Mapping[int, int]  # position → place among the effects
    digest: str

    def user_of(self, row: Judged) -> CustomerUser | None:
        return self.ground.users.get(row.user.lower())

    def told(self) -> dict[int, tuple[Any, ...]]:
        """Returns by position what has to be the same when it is applied."""
        digests = self.effects.digests()
        return {
            row.position: (*told(row), digests[self.places[row.position]] if row.position in self.places else "")
            for row in self.plan.rows
        }


def work_out_wishes(commit: Commit, wishes: Sequence[BulkWish], rule: Rule) -> Worked:
    """Returns what the wishes come to now, under the customer's lock, by as many queries for all as for few."""
    ground = survey(customer=commit.customer, codes=[wish.user for wish in wishes], at=commit.at)
    cases = _refuse_new(ground, [_case(ground, wish) for wish in wishes], wishes)
    plan = work_out(ground.inventory, ground.free({m for case in cases for m in case.wish.assign}), cases, rule)
    effects, places = _effects(ground, plan)
    digests = effects.digests()
    return Worked(
        ground,
        plan,
        effects,
        places,
        digest_of(plan.rows, {position: digests[place] for position, place in places.items()}),
    )


def _case(ground: Ground, wish: BulkWish) -> Case:
    user = ground.users.get(wish.user.lower())
    held = ground.held_by(user)
    code = user.code if user is not None else wish.user
    if wish.fault:
        return Case(wish.position, code, held, creates=user is None, refusal=RowUnreadable(wish.position, wish.fault))
    try:
        named = Wish(
            tuple(dict.fromkeys(ground.names.assignable(name, held) for name in wish.assign)),
            tuple(dict.fromkeys(ground.names.known(name, held) for name in wish.release)),
            wish.accept_loss,
        )
        if user is None and wish.create is None:
            raise NotFound("user", wish.user)
    except Refusal as refusal:
        return Case(wish.position, code, held, creates=user is None, refusal=refusal)
    if user is None:
        told = frozenset((name, str(said)) for name, said in (wish.create or {}).items())
        return Case(wish.position, code, held, named, creates=True, created_as=told)
    return Case(wish.position, code, held, named, may_hold=user.may_hold_seats, is_former=user.is_former_employee)


def _refuse_new(ground: Ground, cases: Sequence[Case], wishes: Sequence[BulkWish]) -> list[Case]:
    """Returns the cases, those refused whose user can't be created."""
    first: dict[str, int] = {}
    for index, case in enumerate(cases):
        if case.creates and case.refusal is None:
            first.setdefault(case.user.lower(), index)
    if not first:
        return list(cases)
    order = sorted(first.values(), key=lambda index: cases[index].position)
    found = list(cases)
    faults = faults_of_new(ground.customer, [new_user(wishes[index]) for index in order])
    for index, fault in zip(order, faults, strict=True):
        if fault is not None:
            found[index] = replace(found[index], refusal=fault)
    return found


def new_user(wish: BulkWish) -> dict[str, Any]:
    """Returns what the user of a wish is created with."""
    return {**(wish.create or {}), "code": wish.user}


def _effects(ground: Ground, plan: Plan) -> tuple[Effects, dict[int, int]]:
    effects = Effects(load_timeline(ground.customer, ground.at).facts(ground.at))
    changes = [row for row in plan.changes if row.before != row.after]
    users = {row.position: ground.users[row.user.lower()].pk for row in changes if row.user.lower() in ground.users}
    overrides = ground.overrides(users.values())
    places = {
        row.position: effects.place_of(row.before, row.after, overrides.get(users.get(row.position, 0), ()))
        for row in changes
    }
    return effects, places


def write_preview(preview: ChangePreview, worked: Worked, revision: int) -> None:
    """Writes what was worked out as the preview's rows, batch by batch, and makes it `ready` or `blocked`."""
    refusals = worked.ground.seat_refusals(worked.plan.rows)
    ChangePreviewRow.objects.filter(preview=preview).delete()
    rows = worked.plan.rows
    for start in range(0, len(rows), BATCH):
        with transaction.atomic():
            batch = rows[start : start + BATCH]
            insert_rows(ChangePreviewRow, _COLUMNS, (_row(preview, worked, row, refusals) for row in batch))
            preview.done = start + len(batch)
            preview.save(update_fields=["done"])
    is_blocked = preview.mode == ChangePreview.Mode.ALL_OR_NOTHING and worked.plan.is_blocked
    preview.state = ChangePreview.State.BLOCKED if is_blocked else ChangePreview.State.READY
    preview.revision, preview.digest = revision, worked.digest
    preview.effects = worked.effects.found
    preview.totals = _totals(worked)
    preview.seat_deltas = _seat_deltas(worked)
    preview.save(update_fields=["state", "revision", "digest", "effects", "totals", "seat_deltas"])


def _row(preview: ChangePreview, worked: Worked, row: Judged, seat_refusals: Mapping[str, Refusal]) -> tuple[Any, ...]:
    refusal = seat_refusals[row.short] if row.short is not None else row.refusal
    user = worked.user_of(row)
    return (
        preview.customer_id,
        preview.pk,
        row.position,
        row.user,
        None if user is None else user.pk,
        row.outcome.value,
        row.creates and not row.is_blocked,
        sorted(row.before),
        sorted(row.after),
        worked.places.get(row.position),
        *why(refusal).values(),
    )


def why(refusal: Refusal | None) -> dict[str, Any]:
    """Returns the fields of a row that tell what is in its way."""
    if refusal is None:
        return {"code": "", "message": "", "next_action": "", "blocking": {}}
    listed = " ".join(str(fault["message"]) for fault in refusal.details.get("faults", ()))
    return {
        "code": refusal.code,
        "message": f"{refusal.message} {listed}".strip(),
        "next_action": refusal.next_action,
        "blocking": refusal.blocking,
    }


def _totals(worked: Worked) -> dict[str, Any]:
    rows = worked.plan.rows
    outcomes = Counter(row.outcome for row in rows)
    return {
        **{outcome.value: outcomes[outcome] for outcome in Outcome},
        "creates": sum(row.creates and not row.is_blocked for row in rows),
        "codes": dict(sorted(Counter(row.code for row in rows if row.is_blocked).items())),
        **worked.effects.totals(),
    }


def _seat_deltas(worked: Worked) -> list[dict[str, Any]]:
    """Returns per module that changes: how many are in use before and after, how many there are, what moves."""
    changes = worked.plan.changes
    assigned = Counter(module for row in changes for module in row.after - row.before)
    released = Counter(module for row in changes for module in row.before - row.after)
    ground = worked.ground
    modules = sorted(assigned.keys() | released.keys())
    in_use = ground.in_use(modules)
    return [
        {
            "module": module,
            "name": _name(ground, module),
            "before": in_use[module],
            "assigned": assigned[module],
            "released": released[module],
            "after": in_use[module] + assigned[module] - released[module],
            "total": row.license_number if (row := ground.rows.get(module)) is not None else 0,
            "unrestricted": row is not None and row.unrestricted,
        }
        for module in modules
    ]


def _name(ground: Ground, module: str) -> str:
    row = ground.rows.get(module)
    return (row.module_description if row is not None else "") or module.partition(".")[2]


def wishes_in(preview: ChangePreview, positions: Iterable[int] | None = None) -> list[BulkWish]:
    """Returns the preview's wishes; only those of these positions, if any are named."""
    wanted = None if positions is None else set(positions)
    return [BulkWish.from_json(data) for data in preview.wishes if wanted is None or data["position"] in wanted]
