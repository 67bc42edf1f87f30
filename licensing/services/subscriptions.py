"""What a customer pays: starts a subscription, changes its items now or later, and ends it (docs/adr, 0014)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal

from django.db.models.functions import Lower

from catalog.models import Offer, Version
from catalog.selectors import tier_ranks
from customers import audit
from customers.actor import Actor
from customers.errors import Invalid, NotFound
from customers.models import Customer, CustomerUser
from licensing.bundling import Member, judge
from licensing.courses import Course, Stretch, at_instant, changed, course_of, instants, moved, stretches_of, without
from licensing.errors import ItemsRefused, NoSubscription, NothingScheduled, SubscriptionCancelled, WouldNotFit
from licensing.models import PlannedRelease, Subscription, SubscriptionItem
from licensing.outlook import Outlook, outlook_of
from licensing.services.commit import Commit, customer_commit
from licensing.services.future import derive
from licensing.services.packages import Issued, issue_package, own_owner
from licensing.term import midnight

Due = Literal["now", "renewal"] | datetime
Release = Mapping[str, Collection[str]]  # module (bare or owner.module) → codes of the users whose seats go
NOW: Final = "now"
RENEWAL: Final = "renewal"


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The subscription, the package that came of it at once, and, of a dry run, everything that it would lead to."""

    subscription: Subscription
    issued: Issued
    outlook: Outlook | None = None
    items: list[SubscriptionItem] | None = None  # as they would be, likewise


@dataclass(frozen=True, slots=True)
class Moved(Subscribed):
    """`was` is the version before, none where the customer was there already; `at` the stamp of the move."""

    was: Version | None = field(kw_only=True)
    at: datetime = field(kw_only=True)


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

    Where it starts on a later day, the package comes into force by itself on that day. Raises Invalid (billing period,
    quantity), ItemsRefused, NotFound.
    """
    if billing_months not in Subscription.BillingPeriod.values:
        raise Invalid(
            "The billing period is 1, 3, 6 or 12 months.",
            [{"field": "billing_months", "message": "Choose 1, 3, 6 or 12."}],
        )
    with customer_commit(
        customer=customer, actor=actor, cause="subscription.started", at=at, dry_run=dry_run
    ) as commit:
        running = Subscription.objects.running(commit.at).filter(customer=customer).first()
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
        start = midnight(subscription.starts_on)
        issued = _set_items(commit, subscription, items, start if start > commit.at else commit.at, None)
        return _told(commit, subscription, issued, dry_run)


def change_items(
    *,
    customer: Customer,
    actor: Actor,
    items: Mapping[str, int],
    due: Due = NOW,
    release: Release | None = None,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Subscribed:
    """Sets the quantities of `items` (offer code → quantity; 0 ends it), now, at the next renewal or at an instant.

    Others stay as they are. A resize keeps its version, even a retired one; what is new takes the version on sale. What
    goes together is judged for every instant to come (P-10). At once, a package with fewer seats than are held waits,
    unless `release` says whose go; later, those named go and the newest until the count fits (P-13).
    """
    with customer_commit(
        customer=customer, actor=actor, cause="subscription.changed", at=at, dry_run=dry_run
    ) as commit:
        subscription = _running(commit)
        instant = _due(commit, subscription, due)
        issued = _set_items(commit, subscription, items, instant, release)
        return _told(commit, subscription, issued, dry_run)


def cancel_scheduled(
    *,
    customer: Customer,
    actor: Actor,
    offer: str | None = None,
    due_at: datetime | None = None,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Subscribed:
    """Takes back what is scheduled: of one `offer` or all, at one instant or all; with the releases it carried.

    Raises NothingScheduled, and ItemsRefused where what is left doesn't go together.
    """
    with customer_commit(
        customer=customer, actor=actor, cause="subscription.changed", at=at, dry_run=dry_run
    ) as commit:
        subscription = _running(commit)
        courses, versions = _courses(commit, subscription)
        modules = {code: _modules(courses, versions, [code]) for code in courses}
        taken: dict[str, list[datetime]] = {}
        for code, course in courses.items():
            if offer is not None and code.lower() != offer.lower():
                continue
            for step in course:
                if step.at > commit.at and due_at in (None, step.at):
                    courses[code] = without(courses[code], step.at)
                    taken.setdefault(code, []).append(step.at)
        if not taken:
            raise NothingScheduled(offer or customer.code)
        _judge(commit, subscription, courses, versions)
        for code, ats in taken.items():
            _store(commit, subscription, code, courses[code], versions)
            for taken_at in ats:
                _forget_releases(subscription, taken_at, modules[code])
        _record(commit, {code: [[at_.isoformat() for at_ in ats], None] for code, ats in taken.items()})
        issued = issue_package(commit, subscription)
        return _told(commit, subscription, issued, dry_run)


def cancel_subscription(
    *, customer: Customer, actor: Actor, reason: str = "", at: datetime | None = None, dry_run: bool = False
) -> Subscribed:
    """Cancels the subscription to the end of its running term, and issues the package that ends then (B-3, B-4).

    Raises NoSubscription, SubscriptionCancelled.
    """
    with customer_commit(
        customer=customer, actor=actor, cause="subscription.cancelled", at=at, dry_run=dry_run
    ) as commit:
        subscription = _running(commit)
        if subscription.ends_at is not None:
            raise SubscriptionCancelled(customer.code, subscription.ends_at)
        subscription.cancelled_at, subscription.ends_at = commit.at, subscription.term_end(commit.at)
        return _ended_otherwise(commit, subscription, reason, dry_run)


def resume_subscription(
    *, customer: Customer, actor: Actor, reason: str = "", at: datetime | None = None, dry_run: bool = False
) -> Subscribed:
    """Takes a cancellation back before its day: the subscription renews again. Raises NoSubscription, ItemsRefused."""
    with customer_commit(
        customer=customer, actor=actor, cause="subscription.resumed", at=at, dry_run=dry_run
    ) as commit:
        subscription = _running(commit)
        if subscription.ends_at is None:
            raise NothingScheduled(customer.code, f"{customer}'s subscription isn't cancelled.")
        subscription.cancelled_at = subscription.ends_at = None
        courses, versions = _courses(commit, subscription)
        _judge(commit, subscription, courses, versions)
        return _ended_otherwise(commit, subscription, reason, dry_run)


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

    What is scheduled of it moves along (P-7). Raises ItemsRefused where the customer doesn't have it, where the version
    isn't in effect, or where what the new version needs or excludes is in the way; with `must_fit` also WouldNotFit,
    where the package would stay pending. One that the customer is on already changes nothing.
    """
    with customer_commit(customer=customer, actor=actor, cause=cause, at=at, dry_run=dry_run) as commit:
        subscription = Subscription.objects.running(commit.at).filter(customer=customer).first()
        courses, versions = _courses(commit, subscription) if subscription is not None else ({}, {})
        code = version.offer.code
        now = at_instant(courses.get(code, ()), commit.at)
        if subscription is None or now is None or not now.quantity:
            raise ItemsRefused([{"code": "not_held", "offer": code, "message": f"{customer} doesn't have {code}."}])
        if not version.is_frozen or version.is_scheduled(commit.at):
            message = f"{version} isn't in effect."
            raise ItemsRefused([{"code": "not_in_effect", "offer": code, "message": message}])
        before = versions[now.version]
        versions[version.pk] = version
        courses[code] = moved(courses[code], version.pk)
        _judge(commit, subscription, courses, versions)
        if before.pk == version.pk:
            return Moved(subscription, Issued(None), was=None, at=commit.at)
        _store(commit, subscription, code, courses[code], versions)
        _record_move(commit, before, version, reason)
        issued = issue_package(commit, subscription)
        if must_fit and issued.superfluous:
            raise WouldNotFit(str(issued.package), [asdict(row) for row in issued.superfluous])
    return Moved(subscription, issued, was=before, at=commit.at)


def _told(commit: Commit, subscription: Subscription, issued: Issued, dry_run: bool) -> Subscribed:
    """Returns what came of it; of a dry run with all that would follow, read before it is rolled back."""
    if not dry_run:
        return Subscribed(subscription, issued)
    derive(commit)
    items = SubscriptionItem.objects.filter(subscription=subscription).not_over(commit.at)
    return Subscribed(
        subscription,
        issued,
        outlook_of(commit.customer, commit.at, since=commit.at),
        list(items.select_related("version__offer").order_by("starts_at", "pk")),
    )


def _ended_otherwise(commit: Commit, subscription: Subscription, reason: str, dry_run: bool) -> Subscribed:
    subscription.save(update_fields=["cancelled_at", "ends_at"])
    ends = subscription.ends_at
    _record(commit, {"ends_at": None if ends is None else ends.isoformat()}, reason)
    commit.changed()
    return _told(commit, subscription, issue_package(commit, subscription), dry_run)


def _running(commit: Commit) -> Subscription:
    subscription: Subscription | None = Subscription.objects.running(commit.at).filter(customer=commit.customer).first()
    if subscription is None:
        raise NoSubscription(commit.customer.code)
    return subscription


def _due(commit: Commit, subscription: Subscription, due: Due) -> datetime:
    """Returns the instant that is meant. Raises Invalid for one that is over, or after the subscription's end."""
    if due == NOW:
        return commit.at
    instant = subscription.term_end(commit.at) if due == RENEWAL else due
    if instant <= commit.at:
        raise Invalid("The day lies in the past.", [{"field": "due_at", "message": "Choose an instant to come."}])
    if subscription.ends_at is not None and instant >= subscription.ends_at:
        message = f"The subscription ends on {subscription.ends_at.date().isoformat()}."
        raise Invalid("Nothing can be scheduled for then.", [{"field": "due_at", "message": message}])
    return instant


def _courses(commit: Commit, subscription: Subscription) -> tuple[dict[str, Course], dict[int, Version]]:
    """Returns per offer code how many there are from now on, and the versions by id."""
    items = SubscriptionItem.objects.filter(subscription=subscription).not_over(commit.at)
    stretches: dict[str, list[Stretch]] = {}
    versions: dict[int, Version] = {}
    for item in items.select_related("version__offer").order_by("starts_at", "pk"):
        versions[item.version_id] = item.version
        stretch = Stretch(item.version_id, item.quantity, item.starts_at, item.ends_at)
        stretches.setdefault(item.version.offer.code, []).append(stretch)
    return {code: course_of(listed, commit.at) for code, listed in stretches.items()}, versions


def _set_items(
    commit: Commit, subscription: Subscription, wanted: Mapping[str, int], instant: datetime, release: Release | None
) -> Issued:
    _refuse_bad_quantities(wanted)
    courses, versions = _courses(commit, subscription)
    changes: dict[str, list[int]] = {}
    for code, quantity in wanted.items():
        course = courses.get(code, ())
        step = at_instant(course, instant)
        if quantity and step is None:
            version = _on_sale(code, commit.at)
            versions[version.pk] = version
            number = version.pk
        else:
            number = step.version if step is not None else 0
        before = step.quantity if step is not None else 0
        if before != quantity:
            courses[code] = changed(course, instant, number, quantity)
            changes[code] = [before, quantity]
    _judge(commit, subscription, courses, versions)
    for code in changes:
        _store(commit, subscription, code, courses[code], versions)
    if instant > commit.at:
        _forget_releases(subscription, instant, _modules(courses, versions, changes))
        _plan_releases(commit, subscription, instant, release or {})
    if changes:
        _record(commit, {**changes, **({"due_at": instant.isoformat()} if instant > commit.at else {})})
    return issue_package(commit, subscription, release=release if instant <= commit.at else None)


def _judge(
    commit: Commit, subscription: Subscription, courses: Mapping[str, Course], versions: Mapping[int, Version]
) -> None:
    """Raises ItemsRefused with everything wrong now and at every instant to come, each where it begins (P-10)."""
    faults: list[dict[str, Any]] = []
    told: set[str] = set()
    for at in instants(courses, commit.at):
        if subscription.ends_at is not None and at >= subscription.ends_at:
            break
        steps = {code: at_instant(course, at) for code, course in courses.items()}
        there = {code: (versions[s.version], s.quantity) for code, s in steps.items() if s is not None and s.quantity}
        found = item_faults(there)
        for fault in found:
            if fault["message"] not in told:
                later = at > commit.at
                dated = {"at": at.isoformat(), "message": f"From {at.date().isoformat()}: {fault['message']}"}
                faults.append(fault | (dated if later else {}))
        told = {fault["message"] for fault in found}
    if faults:
        raise ItemsRefused(faults)


def _store(
    commit: Commit, subscription: Subscription, code: str, course: Course, versions: Mapping[int, Version]
) -> None:
    """Makes the items of an offer be the course from now on; what was before stays as it was."""
    commit.moves_contract = True
    rows = SubscriptionItem.objects.filter(subscription=subscription, version__offer__code=code).not_over(commit.at)
    wanted = stretches_of(course)
    for row in rows.order_by("starts_at", "pk"):
        same = next((s for s in wanted if _continues(row, s, commit.at)), None)
        if same is not None:
            wanted.remove(same)
            if row.ends_at != same.ends_at:
                row.ends_at = same.ends_at
                row.save(update_fields=["ends_at"])
        elif row.starts_at < commit.at:
            row.ends_at = commit.at
            row.save(update_fields=["ends_at"])
        else:
            row.delete()
    SubscriptionItem.objects.bulk_create(
        SubscriptionItem(
            customer=commit.customer,
            subscription=subscription,
            version=versions[stretch.version],
            quantity=stretch.quantity,
            starts_at=stretch.starts_at,
            ends_at=stretch.ends_at,
        )
        for stretch in wanted
    )


def _continues(row: SubscriptionItem, stretch: Stretch, now: datetime) -> bool:
    """Whether the row can go on as this stretch: same version, same quantity, and there at its start."""
    begins = row.starts_at <= now if stretch.starts_at == now else row.starts_at == stretch.starts_at
    return begins and (row.version_id, row.quantity) == (stretch.version, stretch.quantity)


def _plan_releases(commit: Commit, subscription: Subscription, due_at: datetime, release: Release) -> None:
    """Writes whose seats go then; names given before for the same modules are replaced. Raises NotFound."""
    owner = own_owner()
    codes = {code.lower(): code for users in release.values() for code in users}
    rows = CustomerUser.objects.of(commit.customer).annotate(lowered=Lower("code")).filter(lowered__in=codes)
    users = {user.code.lower(): user for user in rows}
    for lowered, code in codes.items():
        if lowered not in users:
            raise NotFound("user", code)
    for module, named in release.items():
        name = module.lower().removeprefix(f"{owner.code.lower()}.")
        planned = PlannedRelease.objects.filter(subscription=subscription, due_at=due_at, module_name=name)
        planned.delete()
        PlannedRelease.objects.bulk_create(
            PlannedRelease(
                customer=commit.customer,
                subscription=subscription,
                user=users[code],
                owner=owner,
                module_name=name,
                due_at=due_at,
                planned_at=commit.at,
                planned_by=commit.actor.label,
            )
            for code in sorted({code.lower() for code in named})
        )


def _forget_releases(subscription: Subscription, due_at: datetime, modules: Collection[str]) -> None:
    """Drops who was named for these modules then: what they were named for is another change now, or none."""
    PlannedRelease.objects.filter(subscription=subscription, due_at=due_at, module_name__in=modules).delete()


def _modules(courses: Mapping[str, Course], versions: Mapping[int, Version], codes: Collection[str]) -> set[str]:
    """Returns the bare names of the modules that plans and add-ons are given by."""
    contents = (versions[step.version].content or {} for code in codes for step in courses.get(code, ()))
    return {content["module"].partition(".")[2] for content in contents if content.get("module")}


def _record(commit: Commit, changes: Mapping[str, Any], reason: str = "") -> None:
    audit.record(
        actor=commit.actor,
        action=commit.cause,
        object_type="subscription",
        object_code=commit.customer.code,
        customer=commit.customer,
        changes=dict(changes),
        reason=reason,
        at=commit.at,
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
