"""Events for who listens: what a commit has changed, told with the full new state (docs/webhooks.md, rules J-1, J-2).

Every event carries what is true after it, so a listener that keeps the highest revision per user converges, however
often and in whatever order events arrive.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from customers.actor import SYSTEM
from customers.events import Listeners, emit, listeners
from customers.models import Customer, WebhookEvent
from licensing.models import (
    ChangeSet,
    CustomerRevision,
    EntitlementSet,
    HoldingPeriod,
    Package,
    RevisionEntry,
    UserPeriod,
)
from licensing.models.revision import ERASING
from licensing.querysets import open_at
from licensing.services.ledger import Commit

MOST_USERS: Final = 1000
_SUBSCRIPTION: Final = frozenset(
    f"subscription.{what}" for what in ("started", "changed", "cancelled", "resumed", "ended")
)
_MOVED: Final = frozenset({"version.moved", "version.rolled_back"})  # they change what is subscribed to, too


def tell(commit: Commit) -> None:
    """Writes the events of a commit that changed something. One query where nobody listens."""
    heard = listeners(commit.customer)
    if not heard.endpoints:
        return
    if commit.cause in _SUBSCRIPTION:
        _emit(heard, commit, commit.cause, {})
    elif commit.cause in _MOVED:
        _emit(heard, commit, "subscription.changed", {})
    for change in commit.applied:
        _emit(heard, commit, "change_set.applied", _change(change))
    packages = Package.objects.filter(customer=commit.customer, activated_at=commit.at).in_force(commit.at)
    for package in packages.select_related("owner"):
        _emit(heard, commit, "package.activated", {"owner": package.owner.code, "package": package.number})
    if heard.to("entitlements.changed"):
        users = changed_users(commit.customer, commit.at, commit.at)
        tell_state(heard, commit, Following(users, commit.cause == ERASING))


def tell_applied(change: ChangeSet, head: CustomerRevision, at: datetime) -> None:
    """Writes the event of a change made batch by batch, once its last one is written or no more will follow."""
    heard = listeners(change.customer)
    _emit(heard, Commit(change.customer, SYSTEM, at, head, ""), "change_set.applied", _change(change))


def state_of(commit: Commit, users: Iterable[int]) -> dict[str, Any]:
    """Returns what these users may do at the commit's instant: each set once, users by its index.

    And, as a snapshot does, the customer's `status`, that of each owner, and until when all of it holds.
    """
    periods = UserPeriod.objects.filter(open_at("ends_at", commit.at), user__in=users, starts_at__lte=commit.at)
    held = list(periods.order_by("user__code").values_list("user__code", "holding", "ends_at"))
    own = commit.head.own_holding_id
    given = HoldingPeriod.objects.filter(open_at("ends_at", commit.at), starts_at__lte=commit.at)
    given = given.filter(holding__in={own, *(holding for _, holding, _ in held)})
    told = {period.holding_id: period for period in given}
    ids = sorted({told[holding].set_id for _, holding, _ in held if holding in told})
    bodies = dict(EntitlementSet.objects.filter(pk__in=ids).values_list("pk", "body"))
    place = {pk: index for index, pk in enumerate(ids)}
    ends = [*(ends_at for _, _, ends_at in held), *(period.ends_at for period in told.values())]
    return {
        "status": told[own].status if own in told else "none",
        "owners": told[own].owners if own in told else {},
        "valid_until": min((end for end in ends if end is not None), default=None),
        "sets": [json.loads(bodies[pk]) for pk in ids],
        "users": {code: place[told[holding].set_id] for code, holding, _ in held if holding in told},
    }


def changed_users(customer: Customer, since: datetime, until: datetime) -> list[int]:
    """Returns the ids of the users whose answer began anew in [since, until]: MOST_USERS and one at most."""
    begun = {"starts_at__gte": since, "starts_at__lte": until}
    holdings = HoldingPeriod.objects.filter(customer=customer, **begun).values("holding")
    anew = Q(holding__in=holdings) | Q(**begun)
    now = UserPeriod.objects.filter(anew, open_at("ends_at", until), customer=customer, starts_at__lte=until)
    return list(now.order_by().values_list("user", flat=True).distinct()[: MOST_USERS + 1])


@dataclass(frozen=True, slots=True)
class Following:
    """What changed at a customer after a revision.

    `users` are the ids of whom an event would tell, MOST_USERS and one at most; `is_anew`: somebody was erased, whom
    only a new snapshot shows to be gone (docs/adr/0026).
    """

    users: Sequence[int] = ()
    is_anew: bool = False

    @property
    def is_resync(self) -> bool:
        return self.is_anew or len(self.users) > MOST_USERS


def following(customer: Customer, after: int, until: datetime) -> Following:
    """Returns what changed after the revision `after`, as far as it is written down. Three queries at most."""
    entries = RevisionEntry.objects.filter(customer=customer, number__gt=after)
    first = entries.order_by("number").first()
    if first is None:
        return Following()
    return Following(changed_users(customer, first.at, until), entries.filter(cause=ERASING).exists())


def tell_state(heard: Listeners, commit: Commit, changed: Following) -> WebhookEvent | None:
    """Writes the event with the full new state of whom it names; returns it, or none where nobody wants it."""
    if changed.is_resync:
        address = f"/api/v1/customers/{commit.customer.code}/entitlements/snapshot/"
        said: dict[str, Any] = {"resync": True, "snapshot": address, **state_of(commit, [])}
    else:
        said = {"resync": False, "snapshot": None, **state_of(commit, changed.users)}
    return _emit(heard, commit, "entitlements.changed", said)


def _change(change: ChangeSet) -> dict[str, Any]:
    return {
        "change_set": change.number,
        "by": change.actor,
        "reason": change.reason,
        "users": change.rows.count(),
    }


def _emit(heard: Listeners, commit: Commit, type_: str, data: Mapping[str, Any]) -> WebhookEvent | None:
    revision = commit.head.number
    told = {"customer": commit.customer.code, "revision": revision, **data}
    return emit(heard, type_, told, at=commit.at, revision=revision)
