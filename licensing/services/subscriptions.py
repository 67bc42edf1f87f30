"""What a customer pays: starts a subscription, changes its items, and issues the package that follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from catalog.models import Offer, Version
from catalog.selectors import tier_ranks
from customers import audit
from customers.actor import Actor
from customers.errors import Invalid, NotFound
from customers.models import Customer
from licensing.bundling import Member, judge
from licensing.errors import ItemsRefused, WouldNotFit
from licensing.models import Subscription, SubscriptionItem
from licensing.services.commit import Commit, customer_commit
from licensing.services.packages import Issued, issue_package


@dataclass(frozen=True, slots=True)
class Subscribed:
    subscription: Subscription
    issued: Issued


@dataclass(frozen=True, slots=True)
class Moved(Subscribed):
    """`was` is the version before, none where the customer was there already; `at` the stamp of the move."""

    was: Version | None
    at: datetime


def subscribe(
    *,
    customer: Customer,
    actor: Actor,
    billing_months: int,
    items: Mapping[str, int],
    starts_on: date | None = None,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Subscribed:
    """Starts the customer's subscription with `items` (offer code → quantity) and issues the first package.

    Raises Invalid (billing period, quantity), ItemsRefused, NotFound.
    """
    if billing_months not in Subscription.BillingPeriod.values:
        raise Invalid(
            "The billing period is 1, 3, 6 or 12 months.",
            [{"field": "billing_months", "message": "Choose 1, 3, 6 or 12."}],
        )
    with customer_commit(
        customer=customer, actor=actor, cause="subscription.started", at=at, dry_run=dry_run
    ) as commit:
        running = Subscription.objects.running().filter(customer=customer).first()
        if running is not None:
            raise ItemsRefused(
                [{"code": "subscription_runs", "message": f"{customer} has a running subscription: {running}."}]
            )
        subscription = Subscription.objects.create(
            customer=customer,
            billing_months=billing_months,
            starts_on=starts_on or commit.at.date(),
            created_at=commit.at,
        )
        issued = _set_items(commit, subscription, items)
    return Subscribed(subscription, issued)


def change_items(
    *,
    customer: Customer,
    actor: Actor,
    items: Mapping[str, int],
    at: datetime | None = None,
    dry_run: bool = False,
) -> Subscribed:
    """Sets the quantities of `items` (offer code → quantity; 0 ends it) and issues the package that follows.

    Others stay as they are. A resize keeps its version, even a retired one; what is new takes the version on sale.
    """
    with customer_commit(
        customer=customer, actor=actor, cause="subscription.changed", at=at, dry_run=dry_run
    ) as commit:
        subscription = Subscription.objects.running().filter(customer=customer).first()
        if subscription is None:
            raise ItemsRefused([{"code": "no_subscription", "message": f"{customer} has no running subscription."}])
        issued = _set_items(commit, subscription, items)
    return Subscribed(subscription, issued)


def move_to_version(
    *,
    customer: Customer,
    actor: Actor,
    version: Version,
    at: datetime | None = None,
    dry_run: bool = False,
    must_fit: bool = False,
    cause: str = "version.moved",
    reason: str = "",
) -> Moved:
    """Moves what the customer has of a plan or add-on to another version of it, and issues the package that follows.

    Raises ItemsRefused where the customer doesn't have it, where the version isn't in effect, or where what the new
    version needs or excludes is in the way; with `must_fit` also WouldNotFit, where the package would stay pending.
    One that the customer is on already changes nothing.
    """
    with customer_commit(customer=customer, actor=actor, cause=cause, at=at, dry_run=dry_run) as commit:
        subscription = Subscription.objects.running().filter(customer=customer).first()
        now = [item for item in _in_force(commit) if item.version.offer_id == version.offer_id]
        if subscription is None or not now:
            message = f"{customer} doesn't have {version.offer.code}."
            raise ItemsRefused([{"code": "not_held", "offer": version.offer.code, "message": message}])
        if not version.is_frozen or version.is_scheduled(commit.at):
            message = f"{version} isn't in effect."
            raise ItemsRefused([{"code": "not_in_effect", "offer": version.offer.code, "message": message}])
        stands = {item.version.offer.code: (item.version, item.quantity) for item in _in_force(commit)}
        faults = item_faults(stands | {version.offer.code: (version, sum(item.quantity for item in now))})
        if faults:
            raise ItemsRefused(faults)
        moved = [item for item in now if item.version_id != version.pk]
        for item in moved:
            _move(commit, item, version)
        if not moved:
            return Moved(subscription, Issued(None), None, commit.at)
        _record_move(commit, moved[0].version, version, reason)
        issued = issue_package(commit, subscription)
        if must_fit and issued.superfluous:
            raise WouldNotFit(str(issued.package), [asdict(row) for row in issued.superfluous])
    return Moved(subscription, issued, moved[0].version, commit.at)


def _move(commit: Commit, item: SubscriptionItem, version: Version) -> None:
    ends_at, item.ends_at = item.ends_at, commit.at
    item.save(update_fields=["ends_at"])
    SubscriptionItem.objects.create(
        customer=commit.customer,
        subscription=item.subscription,
        version=version,
        quantity=item.quantity,
        starts_at=commit.at,
        ends_at=ends_at,
    )


def _record_move(commit: Commit, was: Version, now: Version, reason: str) -> None:
    audit.record(
        actor=commit.actor,
        action=commit.cause,
        object_type="subscription",
        object_code=commit.customer.code,
        customer=commit.customer,
        changes={now.offer.code: [was.number, now.number]},
        reason=reason,
        at=commit.at,
    )


def _set_items(commit: Commit, subscription: Subscription, wanted: Mapping[str, int]) -> Issued:
    _refuse_bad_quantities(wanted)
    now = {i.version.offer.code: i for i in _in_force(commit)}
    before = {code: item.quantity for code, item in now.items()}
    versions = {code: item.version for code, item in now.items()}
    versions |= {code: _on_sale(code, commit.at) for code, n in wanted.items() if n and code not in versions}
    after = {code: n for code, n in (before | dict(wanted)).items() if n}
    faults = item_faults({code: (versions[code], n) for code, n in after.items()})
    if faults:
        raise ItemsRefused(faults)
    for code, item in now.items():
        if after.get(code) != item.quantity:
            item.ends_at = commit.at
            item.save(update_fields=["ends_at"])
    for code, quantity in sorted(after.items()):
        if before.get(code) != quantity:
            SubscriptionItem.objects.create(
                customer=commit.customer,
                subscription=subscription,
                version=versions[code],
                quantity=quantity,
                starts_at=commit.at,
            )
    changes = {
        code: [before.get(code, 0), after.get(code, 0)] for code in wanted if before.get(code, 0) != after.get(code, 0)
    }
    if changes:
        audit.record(
            actor=commit.actor,
            action=commit.cause,
            object_type="subscription",
            object_code=commit.customer.code,
            customer=commit.customer,
            changes=changes,
            at=commit.at,
        )
    return issue_package(commit, subscription)


def _in_force(commit: Commit) -> list[SubscriptionItem]:
    items = SubscriptionItem.objects.filter(customer=commit.customer).in_force(commit.at)
    return list(items.select_related("version__offer").order_by("pk"))


def _refuse_bad_quantities(wanted: Mapping[str, int]) -> None:
    faults = [
        {"field": code, "message": "A quantity is a whole number from 0."}
        for code, n in wanted.items()
        if isinstance(n, bool) or not 0 <= n <= 10_000_000
    ]
    if faults:
        raise Invalid("Some quantities can't be.", faults)


def _on_sale(code: str, at: datetime) -> Version:
    offer = Offer.objects.named(code).first()
    if offer is None:
        raise NotFound("plan or add-on", code)
    version: Version | None = Version.objects.live(at).filter(offer=offer).select_related("offer").first()
    if version is None or not offer.for_sale:
        raise ItemsRefused([{"code": "not_for_sale", "offer": code, "message": f"{offer} has no version for sale."}])
    return version


def item_faults(items: Mapping[str, tuple[Version, int]]) -> list[dict[str, Any]]:
    """Returns everything wrong with versions (offer code → version, quantity) that stand together. One query."""
    members = [Member.of_content(version.content or {}, quantity) for version, quantity in items.values()]
    return [misfit.to_json() for misfit in judge(members, tier_ranks())]
