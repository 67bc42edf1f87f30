"""Tells a customer's admins of ends that come: by mail through the outbox, each notice once (D-3, D-4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.formats import date_format

from catalog.models import Owner
from customers import outbox
from customers.models import Customer, Membership
from licensing.models import Notice, Package, Seat, Subscription
from licensing.notices import FURTHEST, Ending, NoticeKind
from licensing.term import FIRST_TERM_MONTHS, add_months, first_term_end, midnight

NAMED: Final = 20
BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Coming:
    """An end that comes at a customer; `owner` is whose licences it is about."""

    customer: Customer
    ending: Ending
    owner: int | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A notice as it is sent."""

    to: tuple[str, ...]
    subject: str
    text: str


def send_notices(*, now: datetime, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Writes the mails that are due into the outbox; returns how many. Stopped, it goes on where it was."""
    sent = 0
    for batch in _batched(coming(now)):
        known = _known(batch)
        for each in batch:
            if is_stopping():
                return sent
            days = each.ending.days_due(now)
            key = (each.customer.pk, each.ending.kind.value, each.ending.about, each.ending.at)
            if days and (*key, days[-1]) not in known:
                sent += _send(each, [day for day in days if (*key, day) not in known], now)
    return sent


def coming(now: datetime, customers: Iterable[Customer] | None = None) -> Iterator[Coming]:
    """Yields the ends of the next 90 days (at these customers alone, if given): terms, expiries, ends of grace."""
    until = now + FURTHEST
    of = Q() if customers is None else Q(customer__in=list(customers))
    subscriptions = Subscription.objects.running(now).filter(of).select_related("customer").order_by("pk")
    # A year before: the exact day is reckoned in months, below.
    since, before = (add_months(at.date(), -FIRST_TERM_MONTHS) for at in (now, until))
    renewing = subscriptions.filter(
        ends_at=None, starts_on__gte=since - timedelta(days=2), starts_on__lte=before + timedelta(days=2)
    )
    for subscription in renewing.iterator(BATCH):
        at = midnight(first_term_end(subscription.starts_on))
        if now < at <= until:
            ending = Ending(NoticeKind.FIRST_TERM, f"subscription {subscription.pk}", at, subscription.created_at)
            yield Coming(subscription.customer, ending)
    own = Owner.objects.filter(code=settings.OWN_OWNER).values_list("pk", flat=True).first()
    for subscription in subscriptions.filter(ends_at__lte=until).iterator(BATCH):
        if subscription.ends_at is not None:
            about = f"subscription {subscription.pk}"
            ending = Ending(NoticeKind.CANCELLED, about, subscription.ends_at, subscription.cancelled_at)
            yield Coming(subscription.customer, ending, own)
    packages = Package.objects.active(now).filter(of).select_related("customer", "owner").order_by("pk")
    # What a cancelled subscription ends is told with the term.
    for package in packages.filter(subscription=None, expires_at__gt=now, expires_at__lte=until).iterator(BATCH):
        ending = Ending(NoticeKind.EXPIRY, str(package), package.expires_at, package.activated_at)
        yield Coming(package.customer, ending, package.owner_id)
    for package in packages.filter(grace_until__gt=now, grace_until__lte=until).iterator(BATCH):
        ending = Ending(NoticeKind.GRACE, str(package), package.grace_until, package.expires_at)
        yield Coming(package.customer, ending, package.owner_id)


def mail_of(each: Coming, days: int) -> Mail:
    """Returns the mail on an end that comes in so many days, with the users whom it affects."""
    admins = Membership.objects.filter(customer=each.customer, role=Membership.Role.ADMIN)
    to = tuple(admins.order_by("account__email").values_list("account__email", flat=True))
    day = date_format(each.ending.at.astimezone(UTC), "j F Y")
    soon = "tomorrow" if days == 1 else f"in {days} days"
    subject, what = _WORDS[each.ending.kind]
    told = {"name": each.customer.name, "day": day, "soon": soon, "about": each.ending.about}
    paragraphs = [what.format(**told), *_affected(each)]
    return Mail(to, subject.format(**told), "\n\n".join(paragraphs) + "\n")


_WORDS: Final = {
    NoticeKind.FIRST_TERM: (
        "{name}: the first term ends {soon}",
        "The first term of your subscription ends on {day}. It renews by itself from then on, one billing period at a "
        "time, until it is cancelled. To leave with the end of this term, cancel before that day.",
    ),
    NoticeKind.CANCELLED: (
        "{name}: your subscription ends {soon}",
        "Your subscription is cancelled and ends on {day}. Everything works for 12 days more; then what was bought can "
        "only be looked at. Until that day the cancellation can be taken back.",
    ),
    NoticeKind.EXPIRY: (
        "{name}: licences expire {soon}",
        "The licences of {about} expire on {day}. Ask whoever issued them for new ones.",
    ),
    NoticeKind.GRACE: (
        "{name}: nothing can be edited {soon}",
        "The licences of {about} have expired. On {day} they stop: what was bought can only be looked at from then on.",
    ),
}


def _affected(each: Coming) -> list[str]:
    """Returns sentences on the users concerned: those whose seats go at a renewal, or all who hold seats."""
    seats = Seat.objects.filter(customer=each.customer, released_at=None)
    if each.ending.kind is NoticeKind.FIRST_TERM:
        seats, head = seats.filter(leaves_at=each.ending.at), "With that day go the seats of"
    else:
        seats, head = seats.filter(owner=each.owner), "This affects"
    users = seats.order_by("user__name", "user__code").values_list("user__name", "user__code").distinct()
    count = users.count()
    if not count:
        return []
    names = [f"{name} ({code})" for name, code in users[:NAMED]]
    more = [f"and {count - len(names)} more"] if count > len(names) else []
    return [f"{head} {count} user{'' if count == 1 else 's'}: {', '.join([*names, *more])}."]


def _send(each: Coming, days: Sequence[int], now: datetime) -> int:
    """Writes the last of the notices due with its mail, and of those before that they were passed over."""
    mail = mail_of(each, days[-1])
    try:
        with transaction.atomic():
            message = None
            if mail.to:
                payload = {"to": list(mail.to), "subject": mail.subject, "text": mail.text}
                message = outbox.enqueue(topic="mail", payload=payload, customer=each.customer, at=now)
            Notice.objects.bulk_create(
                Notice(
                    customer=each.customer,
                    kind=each.ending.kind.value,
                    about=each.ending.about,
                    happens_at=each.ending.at,
                    days=day,
                    written_at=now,
                    message=message if day == days[-1] else None,
                )
                for day in days
            )
    except IntegrityError:
        return 0  # another worker was first
    return int(message is not None)


def _known(batch: Sequence[Coming]) -> set[tuple[Any, ...]]:
    rows = Notice.objects.filter(customer__in={each.customer.pk for each in batch})
    return set(rows.values_list("customer", "kind", "about", "happens_at", "days"))


def _batched(each: Iterable[Coming]) -> Iterator[list[Coming]]:
    left = iter(each)
    while batch := list(islice(left, BATCH)):
        yield batch
