"""Writes who holds what from when, and what each holding gives from when (docs/adr, "holdings and sets").

Every commit drops the periods that begin later and writes them anew from the facts, so what is due happens by the
clock. Queries grow with batches, never with users.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db.models import Q

from customers.conditions import AnyOf
from customers.inserting import insert_rows
from customers.models import CustomerUser
from licensing import facts as f
from licensing.models import EntitlementSet, Holding, HoldingPeriod, Override, UserPeriod
from licensing.resolution import canonical, digest, resolve
from licensing.selectors import (
    Timeline,
    holding_digest,
    holding_fact,
    holding_json,
    is_in_force,
    load_timeline,
    overrides_of,
    seats_leaving,
    stop_of,
)
from licensing.services.ledger import Commit

BATCH = 1000
Leaving = Mapping[str, datetime | None]  # owner.module → when a scheduled package takes the seat, if one does


@dataclass(frozen=True, slots=True)
class Segment:
    """A wanted period: from `starts` to `ends` (none: for good), with the fields that a row of it has."""

    starts: datetime
    ends: datetime | None
    fields: Mapping[str, Any]


def rewrite_users(commit: Commit, users: Sequence[CustomerUser], seats: Mapping[int, Leaving] | None = None) -> None:
    """Writes the periods of `users` anew from their seats and overrides, and what new holdings give.

    Who knows all `seats` that they hold now spares reading them.
    """
    overrides: dict[int, list[Override]] = defaultdict(list)
    for override in overrides_of(commit.customer, [user.pk for user in users], commit.at):
        overrides[cast(int, override.user_id)].append(override)
    for start in range(0, len(users), BATCH):
        batch = users[start : start + BATCH]
        held = seats_leaving([user.pk for user in batch], commit.at) if seats is None else seats
        _rewrite_batch(commit, batch, held, overrides)


def _rewrite_batch(
    commit: Commit,
    users: Sequence[CustomerUser],
    seats: Mapping[int, Leaving],
    overrides: Mapping[int, Sequence[Override]],
) -> None:
    spans = {user.pk: list(_user_spans(commit.at, user, seats[user.pk], overrides.get(user.pk, ()))) for user in users}
    # Users are many, combinations few: each is spelt once.
    contents = {content: content.as_json() for mine in spans.values() for _, _, content in mine}
    digests = {content: holding_digest(data) for content, data in contents.items()}
    holdings = _holdings(commit, contents.values())
    ids_of = {content: holdings[digest].pk for content, digest in digests.items()}
    wanted = {
        pk: [Segment(start, end, {"holding_id": ids_of[content]}) for start, end, content in mine]
        for pk, mine in spans.items()
    }
    _rewrite(commit, UserPeriod, "user_id", wanted)
    _cover(commit, {holding.pk: holding for holding in holdings.values()})


def rewrite_customer(commit: Commit) -> None:
    """Writes anew what every holding in use gives, after a change of packages or of the customer's overrides."""
    in_use = UserPeriod.objects.filter(Q(ends_at=None) | Q(ends_at__gt=commit.at), customer=commit.customer)
    live = set(in_use.order_by().values_list("holding_id", flat=True).distinct())
    holdings = {h.pk: h for h in Holding.objects.filter(customer=commit.customer)}
    timeline = load_timeline(commit.customer, commit.at, ahead=True)
    wanted = _holding_segments(timeline, [h for h in holdings.values() if h.pk in live or h.kind == "customer"])
    # What nobody holds ends here; whoever comes to hold it again starts it anew.
    wanted |= {pk: [] for pk in holdings if pk not in wanted}
    _rewrite(commit, HoldingPeriod, "holding_id", wanted)


def create_customer_holding(commit: Commit) -> Holding:
    """Writes the holding behind the customer's own answer, with its first periods."""
    content = holding_json(f.HolderKind.CUSTOMER, (), ())
    holding = _holdings(commit, [content])[holding_digest(content)]
    _cover(commit, {holding.pk: holding})
    return holding


@dataclass(frozen=True, slots=True)
class _Content:
    """What a holding is made of."""

    kind: f.HolderKind
    modules: frozenset[str] = frozenset()
    overrides: tuple[f.Override, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return holding_json(self.kind, self.modules, self.overrides)


def _user_spans(
    at: datetime, user: CustomerUser, seats: Mapping[str, datetime | None], overrides: Sequence[Override]
) -> Iterator[tuple[datetime, datetime | None, _Content]]:
    """Yields (start, end, content) from `at` on, of a user with these seats (module → when it leaves).

    Somebody who may hold nothing is *inactive* throughout.
    """
    if not user.may_hold_seats:
        yield at, None, _Content(f.HolderKind.INACTIVE)
        return
    instants = {instant for o in overrides for instant in (o.starts_at, stop_of(o)) if instant}
    instants |= {leaves for leaves in seats.values() if leaves}
    starts = [at, *sorted(instant for instant in instants if instant > at)]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        modules = frozenset(module for module, leaves in seats.items() if leaves is None or start < leaves)
        yield (
            start,
            end,
            _Content(f.HolderKind.USER, modules, tuple(o.fact() for o in overrides if is_in_force(o, start))),
        )


def _holdings(commit: Commit, contents: Iterable[Mapping[str, Any]]) -> dict[str, Holding]:
    """Returns the customer's holdings by digest, creating those not met before."""
    by_digest = {holding_digest(content): content for content in contents}
    found = {h.digest: h for h in Holding.objects.filter(customer=commit.customer, digest__in=by_digest)}
    new = [
        Holding(customer=commit.customer, digest=key, **content)
        for key, content in by_digest.items()
        if key not in found
    ]
    return found | {h.digest: h for h in Holding.objects.bulk_create(new, batch_size=BATCH)}


def _cover(commit: Commit, holdings: Mapping[int, Holding]) -> None:
    """Writes periods for those of `holdings` that have none from here on."""
    open_ends = HoldingPeriod.objects.filter(holding__in=holdings, ends_at=None)
    covered = set(open_ends.values_list("holding_id", flat=True))
    missing = [holding for pk, holding in holdings.items() if pk not in covered]
    if missing:
        timeline = load_timeline(commit.customer, commit.at, ahead=True)
        _rewrite(commit, HoldingPeriod, "holding_id", _holding_segments(timeline, missing))


def _holding_segments(timeline: Timeline, holdings: Sequence[Holding]) -> dict[int, list[Segment]]:
    """Resolves each holding once per stretch of time in which nothing changes; equal neighbours become one."""
    starts = [timeline.start, *timeline.boundaries()]
    facts = [timeline.facts(start) for start in starts]
    bodies: dict[int, list[str]] = {}
    for holding in holdings:
        held = holding_fact(holding)
        bodies[holding.pk] = [canonical(resolve(fact, held).content()) for fact in facts]
    sets = _sets({body for per_start in bodies.values() for body in per_start})
    wanted = {}
    for pk, per_start in bodies.items():
        fields = [
            {
                "set_id": sets[body],
                "status": fact.status.value,
                "owners": {owner: state.value for owner, state in sorted(fact.states.items())},
            }
            for body, fact in zip(per_start, facts, strict=True)
        ]
        wanted[pk] = _joined(starts, fields)
    return wanted


def _joined(starts: Sequence[datetime], fields: Sequence[Mapping[str, Any]]) -> list[Segment]:
    kept = [i for i in range(len(starts)) if i == 0 or fields[i] != fields[i - 1]]
    ends: list[datetime | None] = [starts[i] for i in kept[1:]]
    return [Segment(starts[i], end, fields[i]) for i, end in zip(kept, [*ends, None], strict=True)]


def _sets(bodies: Iterable[str]) -> dict[str, int]:
    """Returns the id of each content's entitlement set, writing those not met before by any customer."""
    by_digest = {digest(body): body for body in bodies}
    known = dict(EntitlementSet.objects.filter(digest__in=by_digest).values_list("digest", "pk"))
    new = [
        EntitlementSet(digest=key, body=body, multi_plan=json.loads(body)["multi_plan"])
        for key, body in sorted(by_digest.items())
        if key not in known
    ]
    if new:
        # Another customer's commit may write the same content at this moment: whoever is first, both use it.
        EntitlementSet.objects.bulk_create(new, batch_size=BATCH, ignore_conflicts=True)
        known = dict(EntitlementSet.objects.filter(digest__in=by_digest).values_list("digest", "pk"))
    return {body: known[key] for key, body in by_digest.items()}


def _rewrite(commit: Commit, model: Any, subject: str, wanted: Mapping[int, Sequence[Segment]]) -> None:
    """Makes the rows of each subject from `commit.at` on be the wanted segments; the past stays.

    An empty list ends the subject's current period.
    """
    rows = model.objects.filter(AnyOf(subject, wanted)).filter(Q(ends_at=None) | Q(ends_at__gt=commit.at))
    names = sorted({name for segments in wanted.values() for segment in segments for name in segment.fields})
    current: dict[int, Any] = {}
    later: list[int] = []
    for key, whose, starts, ends, *values in rows.order_by().values_list("pk", subject, "starts_at", "ends_at", *names):
        if starts < commit.at:
            current[whose] = (key, ends, values)
        else:
            later.append(key)
    new: list[tuple[int, Segment]] = []
    moved: dict[datetime | None, list[int]] = defaultdict(list)
    for pk, segments in wanted.items():
        kept = 0
        if pk in current:
            key, ended, was = current[pk]
            kept = int(bool(segments) and was == [segments[0].fields[name] for name in names])
            end = segments[0].ends if kept else commit.at
            if ended != end:
                moved[end].append(key)
        new += [(pk, s) for s in segments[kept:]]
    commit.moves_clock |= bool(later) or any(segment.starts > commit.at for _, segment in new)
    if later:
        model.objects.filter(AnyOf("pk", later)).delete()
    for end, keys in moved.items():
        model.objects.filter(AnyOf("pk", keys)).update(ends_at=end)
    insert_rows(
        model,
        ("customer_id", subject, "starts_at", "ends_at", *names),
        ((commit.customer.pk, pk, s.starts, s.ends, *(s.fields[name] for name in names)) for pk, s in new),
    )
