"""Events for who listens: what a commit has changed, told with the full new state (docs/webhooks.md, rules J-1, J-2).

Every event carries what is true after it, so a listener that keeps the highest revision per user converges, however
often and in whatever order events arrive.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.db.models import Q

from customers.events import Listeners, emit, listeners
from licensing.models import ChangeSet, EntitlementSet, HoldingPeriod, Package, UserPeriod
from licensing.querysets import open_at
from licensing.services.ledger import Commit

MOST_USERS: Final = 1000
_SUBSCRIPTION: Final = frozenset(
    f"subscription.{what}" for what in ("started", "changed", "cancelled", "resumed", "ended")
)


def tell(commit: Commit) -> None:
    """Writes the events of a commit that changed something. One query where nobody listens."""
    heard = listeners(commit.customer)
    if not heard.endpoints:
        return
    if commit.cause in _SUBSCRIPTION:
        _emit(heard, commit, commit.cause, {})
    for change in ChangeSet.objects.filter(customer=commit.customer, at=commit.at):
        _emit(heard, commit, "change_set.applied", _change(change))
    packages = Package.objects.filter(customer=commit.customer, activated_at=commit.at).in_force(commit.at)
    for package in packages.select_related("owner"):
        _emit(heard, commit, "package.activated", {"owner": package.owner.code, "package": package.number})
    if heard.to("entitlements.changed"):
        _entitlements(heard, commit)


def state_of(commit: Commit, users: Iterable[int]) -> dict[str, Any]:
    """Returns what these users may do at the commit's instant: each set once, users by its index."""
    periods = UserPeriod.objects.filter(open_at("ends_at", commit.at), user__in=users, starts_at__lte=commit.at)
    held = list(periods.order_by("user__code").values_list("user__code", "holding"))
    given = HoldingPeriod.objects.filter(open_at("ends_at", commit.at), starts_at__lte=commit.at)
    sets = dict(given.filter(holding__in={holding for _, holding in held}).values_list("holding", "set"))
    ids = sorted(set(sets.values()))
    bodies = dict(EntitlementSet.objects.filter(pk__in=ids).values_list("pk", "body"))
    place = {pk: index for index, pk in enumerate(ids)}
    return {
        "sets": [json.loads(bodies[pk]) for pk in ids],
        "users": {code: place[sets[holding]] for code, holding in held if holding in sets},
    }


def changed_users(commit: Commit) -> list[int]:
    """Returns the ids of the users whose answer begins anew at the commit's instant: MOST_USERS and one at most."""
    at = commit.at
    holdings = HoldingPeriod.objects.filter(customer=commit.customer, starts_at=at).values("holding")
    mine = UserPeriod.objects.filter(Q(starts_at=at) | Q(holding__in=holdings), customer=commit.customer)
    now = mine.filter(open_at("ends_at", at), starts_at__lte=at).order_by()
    return list(now.values_list("user", flat=True).distinct()[: MOST_USERS + 1])


def _entitlements(heard: Listeners, commit: Commit) -> None:
    users = changed_users(commit)
    if len(users) > MOST_USERS:
        address = f"/api/v1/customers/{commit.customer.code}/entitlements/snapshot/"
        _emit(heard, commit, "entitlements.changed", {"resync": True, "snapshot": address, "sets": [], "users": {}})
    elif users:
        _emit(heard, commit, "entitlements.changed", {"resync": False, **state_of(commit, users)})


def _change(change: ChangeSet) -> dict[str, Any]:
    return {
        "change_set": change.number,
        "by": change.actor,
        "reason": change.reason,
        "users": change.rows.count(),
    }


def _emit(heard: Listeners, commit: Commit, type_: str, data: Mapping[str, Any]) -> None:
    revision = commit.head.number
    told = {"customer": commit.customer.code, "revision": revision, **data}
    emit(heard, type_, told, at=commit.at, revision=revision)
