"""Counting what is used of limits: reported by apps, reserved atomically, never over (docs/adr, "usage").

Counting changes no answer, so it takes neither the customer's lock nor a revision (H-4): each counter is locked by
itself. What is counted may be above the limit, for apps report what is; only a reservation is refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Sum

from catalog.kinds import LARGEST_LIMIT, UNLIMITED, Value
from catalog.models import Feature
from customers.errors import Invalid, NotFound
from customers.models import Customer, CustomerUser
from licensing.errors import NotRecorded
from licensing.explaining import ways_at
from licensing.facts import Access
from licensing.models import Subscription, UsageCounter, UsageReservation
from licensing.reading import held_set, read_customer, read_user
from licensing.services.commit import DryRun, database_clock
from licensing.usage import Resets, Tally, WayOut, Window, ways_out, window_at
from licensing.usage_errors import LimitReached, NotCounted, ReservationOver, UsageBelowZero

LONGEST_RESERVATION: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose use of which limit it is; no user: the customer's as a whole."""

    customer: Customer
    user: CustomerUser | None
    feature: Feature

    @property
    def name(self) -> str:
        return self.customer.name if self.user is None else self.user.name


@dataclass(frozen=True, slots=True)
class Usage:
    """What is counted of a limit at `at`; `access` is that of the entitlement."""

    subject: Subject
    access: str
    tally: Tally
    window: Window | None
    at: datetime


def counted(customer: Customer, user: CustomerUser | None, code: str) -> Subject:
    """Returns the subject. Raises NotFound for an unknown feature, NotCounted for one that isn't counted so (L-1)."""
    feature = Feature.objects.named(code).published().first()
    if feature is None:
        raise NotFound("feature", code)
    if feature.counts != ("customer" if user is None else "user"):
        raise NotCounted(feature.code, feature.counts, of_user=user is not None)
    return Subject(customer, user, feature)


def usage_of(subject: Subject, *, at: datetime | None = None) -> Usage:
    """Returns what is counted now, in four queries at most."""
    return usages_of(subject.customer, subject.user, [subject.feature], at=at)[0]


def usages_of(
    customer: Customer, user: CustomerUser | None, features: Collection[Feature], *, at: datetime | None = None
) -> list[Usage]:
    """Returns what is counted of several features, in their order, in four queries at most."""
    granted, now = granted_to(customer, user, at)
    subjects = [Subject(customer, user, feature) for feature in features]
    anchor = contract_start(customer, now) if any(f.resets == Resets.CONTRACT_MONTH for f in features) else None
    windows = {f.pk: window_at(Resets(f.resets), anchor, now) for f in features}
    counters = {
        counter.feature_id: counter
        for counter in UsageCounter.objects.filter(customer=customer, user=user, feature__in=features)
        if counter.period == period_of(windows[counter.feature_id])
    }
    reserved = reserved_of([counter.pk for counter in counters.values()], now)
    found = []
    for subject in subjects:
        counter, (access, limit) = counters.get(subject.feature.pk), granted_of(granted, subject.feature.code)
        used, set_aside = (counter.used, reserved.get(counter.pk, 0)) if counter else (0, 0)
        found.append(Usage(subject, access, Tally(limit, used, set_aside), windows[subject.feature.pk], now))
    return found


def set_usage(*, subject: Subject, used: int, at: datetime | None = None, dry_run: bool = False) -> Usage:
    """Says how much is used in all, whatever was counted before (L-5)."""
    with _counting(subject, at, dry_run) as (counter, window, now):
        _write(counter, _whole(used, "used"), now)
        return _usage(subject, counter, window, now, at)


def add_usage(*, subject: Subject, amount: int, at: datetime | None = None, dry_run: bool = False) -> Usage:
    """Says that so much more is used, or less if `amount` is negative. Raises UsageBelowZero (L-5)."""
    with _counting(subject, at, dry_run) as (counter, window, now):
        if counter.used + amount < 0:
            raise UsageBelowZero(subject.feature.code, counter.used, amount)
        _write(counter, _whole(counter.used + amount, "add"), now)
        return _usage(subject, counter, window, now, at)


def reserve(
    *,
    subject: Subject,
    amount: int,
    expires_in: timedelta | None = None,
    at: datetime | None = None,
    dry_run: bool = False,
) -> tuple[Usage, UsageReservation | None]:
    """Takes `amount` if so much is left, else nothing: counted at once, or set aside for `expires_in` (L-3, L-6).

    Raises LimitReached, which names what would allow it: that is found once others may count again.
    """
    try:
        return _reserved(subject, amount, expires_in, at, dry_run)
    except _NoRoom as full:
        tally = full.usage.tally
        ways = _ways(subject, tally.taken + amount, full.usage.at)
        raise LimitReached(subject.feature.code, subject.name, tally, amount, ways) from None


def _reserved(
    subject: Subject, amount: int, expires_in: timedelta | None, at: datetime | None, dry_run: bool
) -> tuple[Usage, UsageReservation | None]:
    with _counting(subject, at, dry_run) as (counter, window, now):
        before = _usage(subject, counter, window, now, at)
        if before.access != "edit" or not before.tally.has_room_for(amount):
            raise _NoRoom(before)
        if expires_in is None:
            _write(counter, _whole(counter.used + amount, "amount"), now)
            return _usage(subject, counter, window, now, at), None
        reservation: UsageReservation = UsageReservation.objects.create(
            customer=subject.customer, counter=counter, amount=amount, created_at=now, expires_at=now + expires_in
        )
        return _usage(subject, counter, window, now, at), reservation


class _NoRoom(Exception):
    def __init__(self, usage: Usage) -> None:
        super().__init__()
        self.usage = usage


def find_reservation(customer: Customer, token: uuid.UUID) -> UsageReservation:
    """Returns the customer's reservation. Raises NotFound."""
    rows = UsageReservation.objects.filter(customer=customer, token=token)
    found: UsageReservation | None = rows.select_related("counter__feature", "counter__user").first()
    if found is None:
        raise NotFound("reservation", str(token))
    return found


def confirm_reservation(
    *, reservation: UsageReservation, used: int | None = None, at: datetime | None = None, dry_run: bool = False
) -> Usage:
    """Counts what was reserved as used, or only `used` of it. Raises ReservationOver (L-6)."""
    taken = reservation.amount if used is None else used
    if taken > reservation.amount:
        message = f"At most the {reservation.amount} that are reserved."
        raise Invalid("More was used than is reserved.", [{"field": "used", "message": message}])
    return _settle(reservation, UsageReservation.Outcome.CONFIRMED, taken, at, dry_run)


def release_reservation(*, reservation: UsageReservation, at: datetime | None = None, dry_run: bool = False) -> Usage:
    """Gives back what was reserved. Raises ReservationOver (L-6)."""
    return _settle(reservation, UsageReservation.Outcome.RELEASED, None, at, dry_run)


# ── What is counted ─────────────────────────────────────────────────────────
def granted_to(
    customer: Customer, user: CustomerUser | None, at: datetime | None = None
) -> tuple[Mapping[str, Mapping[str, Any]], datetime]:
    """Returns the features of the entitlement by code, and the instant of the answer. Raises NotRecorded."""
    reading = read_customer(customer.code, at) if user is None else read_user(customer.code, user.code, at)
    if reading is None or reading.set_id is None:
        kind, code = ("customer", customer.code) if user is None else ("user", user.code)
        raise NotRecorded(kind, code, at or database_clock())
    return held_set(reading.set_id).features, reading.as_of


def granted_of(features: Mapping[str, Mapping[str, Any]], code: str) -> tuple[str, Value]:
    """Returns access and limit; without `edit` the limit is 0."""
    feature = features.get(code)
    if feature is None or feature["access"] != "edit":
        return (feature["access"] if feature else "none"), 0
    return "edit", UNLIMITED if feature["unlimited"] else int(feature["value"])


def contract_start(customer: Customer, at: datetime) -> date | None:
    """Returns the day from which months of the contract are counted; none without a running subscription."""
    running = Subscription.objects.running(at).filter(customer=customer)
    found: date | None = running.values_list("starts_on", flat=True).first()
    return found


def period_of(window: Window | None) -> str:
    """Returns what the counter's `period` says of it."""
    return window.starts_at.date().isoformat() if window else ""


def reserved_of(counters: Collection[int], at: datetime) -> dict[int, int]:
    """Returns what is set aside, by counter; counters without any are left out. One query, none for none."""
    if not counters:
        return {}
    rows = UsageReservation.objects.live(at).filter(counter__in=counters).order_by().values("counter")
    return {row["counter"]: int(row["total"]) for row in rows.annotate(total=Sum("amount"))}


def _anchor(subject: Subject, at: datetime) -> date | None:
    is_contract = subject.feature.resets == Resets.CONTRACT_MONTH
    return contract_start(subject.customer, at) if is_contract else None


def _counters(subject: Subject) -> Any:
    return UsageCounter.objects.filter(customer=subject.customer, user=subject.user, feature=subject.feature)


def _usage(
    subject: Subject, counter: UsageCounter | None, window: Window | None, now: datetime, at: datetime | None
) -> Usage:
    """Returns what the counter says beside the entitlement at `at`, or of this moment."""
    features, _ = granted_to(subject.customer, subject.user, at)
    access, limit = granted_of(features, subject.feature.code)
    used = counter.used if counter else 0
    set_aside = reserved_of([counter.pk], now).get(counter.pk, 0) if counter else 0
    return Usage(subject, access, Tally(limit, used, set_aside), window, now)


@contextmanager
def _written(dry_run: bool) -> Iterator[None]:
    """Runs what is inside in one transaction; with `dry_run` nothing stays of it."""
    try:
        with transaction.atomic():
            yield
            if dry_run:
                raise DryRun
    except DryRun:
        pass


@contextmanager
def _counting(
    subject: Subject, at: datetime | None, dry_run: bool
) -> Iterator[tuple[UsageCounter, Window | None, datetime]]:
    """Locks the counter that `at` belongs to, made if there is none; with `dry_run` nothing stays of it."""
    with _written(dry_run):
        now = at or database_clock()
        window = window_at(Resets(subject.feature.resets), _anchor(subject, now), now)
        new = UsageCounter(
            customer=subject.customer,
            user=subject.user,
            feature=subject.feature,
            period=period_of(window),
            updated_at=now,
        )
        # Whoever comes second waits here for the first, and then finds the row.
        UsageCounter.objects.bulk_create([new], ignore_conflicts=True)
        counter = _counters(subject).select_for_update().get(period=new.period)
        yield counter, window, now


def _write(counter: UsageCounter, used: int, now: datetime) -> None:
    counter.used, counter.updated_at = used, now
    counter.save(update_fields=["used", "updated_at"])


def _whole(number: int, field: str) -> int:
    if number > LARGEST_LIMIT:
        raise Invalid("That is more than can be counted.", [{"field": field, "message": f"At most {LARGEST_LIMIT}."}])
    return number


def _settle(
    reservation: UsageReservation, outcome: str, taken: int | None, at: datetime | None, dry_run: bool
) -> Usage:
    counter = reservation.counter
    subject = Subject(reservation.customer, counter.user, counter.feature)
    with _written(dry_run):
        locked = UsageCounter.objects.select_for_update().get(pk=counter.pk)
        now = at or database_clock()
        fresh = UsageReservation.objects.get(pk=reservation.pk)
        if fresh.settled_at is not None or fresh.expires_at <= now:
            raise ReservationOver(str(fresh.token), fresh.outcome, fresh.settled_at or fresh.expires_at)
        fresh.settled_at, fresh.outcome, fresh.taken = now, outcome, taken
        fresh.save(update_fields=["settled_at", "outcome", "taken"])
        if taken:
            _write(locked, _whole(locked.used + taken, "used"), now)
        window = window_at(Resets(subject.feature.resets), _anchor(subject, now), fresh.created_at)
        return _usage(subject, locked, window, now, at)


def _ways(subject: Subject, amount: int, at: datetime) -> list[WayOut]:
    """Returns what would allow so much, each tried with whatever else holds at the customer (L-7, W-3)."""
    tried = ways_at(subject.customer, subject.user, subject.feature.code, at)
    found = (
        WayOut(way.how, way.code, way.name, way.type, way.answer.value, way.needs, way.free)
        for way in tried
        if way.answer.access is Access.EDIT and way.answer.value is not None
    )
    return list(ways_out(amount, found))
