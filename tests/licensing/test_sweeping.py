"""The clock's transitions become revisions, and ends that come are told of, once: D-2 to D-4."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from customers.actor import SYSTEM
from customers.models import Membership, OutboxMessage
from customers.outbox import deliver_due
from licensing.facts import Mode
from licensing.models import CustomerRevision, Notice, RevisionEntry
from licensing.notices import DAYS, Ending, NoticeKind
from licensing.services import sweeping
from licensing.services.noticing import coming, mail_of, send_notices
from licensing.services.overrides import grant_override
from licensing.services.subscriptions import RENEWAL, cancel_subscription, change_items, resume_subscription
from licensing.services.sweeping import sweep
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Market, Town, hours

RENEWS = datetime(2027, 1, 5, tzinfo=UTC)
STOPS = datetime(2027, 1, 17, tzinfo=UTC)
TICK = timedelta(microseconds=1)
PLAN = "ten-sales-essentials"


@pytest.fixture
def full(town: Town) -> Town:
    kari = AccountFactory(name="Kari Nordmann", email="kari@fjordlys.example")
    MembershipFactory(customer=town.customer, account=kari, role=Membership.Role.ADMIN)
    town.buys(sales_essentials=3, at=hours(1))
    for at, name in enumerate(town.users, start=2):
        town.gives(name, PLAN, at=hours(at))
    return town


def entries(town: Town, after: int) -> list[tuple[datetime, str]]:
    found = RevisionEntry.objects.filter(customer=town.customer, number__gt=after).order_by("number")
    return [(entry.at, entry.cause) for entry in found]


# ── The sweeper ─────────────────────────────────────────────────────────────
def test_each_transition_is_one_revision_dated_with_it(full: Town) -> None:
    """D-2: active → warning → grace → stopped."""
    cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(9))
    before = full.revision()
    warns = datetime(2026, 12, 5, tzinfo=UTC)

    assert sweep(now=warns - TICK) == 0
    assert entries(full, before) == []
    assert sweep(now=warns) == 1
    assert entries(full, before) == [(warns, "clock.passed")]
    assert sweep(now=warns) == 0
    assert sweep(now=STOPS) == 1
    assert entries(full, before) == [
        (warns, "clock.passed"),
        (RENEWS, "subscription.ended"),
        (STOPS, "clock.passed"),
    ]
    assert CustomerRevision.objects.get(customer=full.customer).due_at is None
    full.assert_whole()


def test_ends_of_overrides_are_transitions(full: Town) -> None:
    for user, ends in ((None, hours(30)), (full.users["ola"], hours(40))):
        grant_override(
            customer=full.customer,
            actor=SYSTEM,
            feature="quotes",
            mode=Mode.SET,
            value=True,
            reason="trial",
            user=user,
            ends_at=ends,
            at=hours(10),
        )
    before = full.revision()
    assert sweep(now=hours(41)) == 1
    assert [at for at, _ in entries(full, before)] == [hours(30), hours(40)]


def test_the_answers_are_there_before_the_sweeper(full: Town) -> None:
    change_items(customer=full.customer, actor=SYSTEM, items={"service-essentials": 1}, due=RENEWAL, at=hours(9))
    read = full.answer(None, RENEWS)
    sweep(now=RENEWS + timedelta(minutes=5))
    assert full.answer(None, RENEWS) == read
    assert full.access(None, "requests", RENEWS) == "edit"


def test_one_customer_that_fails_holds_up_no_other(market: Market, full: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Town("nordvik", people=())
    other.buys(sales_essentials=1, at=hours(1))
    for town in (full, other):
        cancel_subscription(customer=town.customer, actor=SYSTEM, at=hours(9))
    whole = sweeping.customer_commit

    def failing(*, customer: Any, **how: Any) -> Any:
        if customer.code == "fjordlys":
            raise RuntimeError("broken")
        return whole(customer=customer, **how)

    monkeypatch.setattr(sweeping, "customer_commit", failing)
    assert sweep(now=STOPS) == 1
    assert other.customer.subscriptions.get().ended_at == RENEWS


def test_a_sweep_can_be_stopped_and_goes_on(full: Town) -> None:
    cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(9))
    assert sweep(now=STOPS, is_stopping=lambda: True) == 0
    assert sweep(now=STOPS) == 1


def test_the_command_and_the_worker_sweep(full: Town, capsys: pytest.CaptureFixture[str]) -> None:
    # The stamps of this customer go on from what was given; both commands go by the wall clock.
    start = timezone.now() - timedelta(days=400)
    town = Town("nordvik", people=())
    town.buys(sales_essentials=1, at=max(start, hours(1)))
    CustomerRevision.objects.filter(customer=town.customer).update(due_at=start)
    call_command("sweep")
    assert "1 customers settled" in capsys.readouterr().out
    CustomerRevision.objects.filter(customer=town.customer).update(due_at=start)
    call_command("worker", "--once")
    assert CustomerRevision.objects.get(customer=town.customer).due_at != start


# ── Notices ─────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("days", DAYS)
def test_a_notice_is_due_from_its_instant_on(days: int) -> None:
    """D-3: 90, 30, 7 and 1 days before."""
    ending = Ending(NoticeKind.EXPIRY, "x", RENEWS)
    at = RENEWS - timedelta(days=days)
    assert days not in ending.days_due(at - TICK)
    assert ending.days_due(at)[-1] == days
    assert ending.days_due(RENEWS) == ()


def test_grace_is_told_of_once_it_runs() -> None:
    ending = Ending(NoticeKind.GRACE, "x", STOPS, since=RENEWS)
    assert ending.days_due(STOPS - timedelta(days=8)) == ()
    assert ending.days_due(STOPS - timedelta(days=7)) == (7,)
    assert ending.days_due(STOPS - timedelta(days=1)) == (7, 1)


def kinds() -> list[tuple[str, int, bool]]:
    rows = Notice.objects.order_by("pk").values_list("kind", "days", "message")
    return [(kind, days, message is not None) for kind, days, message in rows]


def test_each_notice_is_sent_once(full: Town) -> None:
    for at in (90, 89, 30, 7, 1):
        send_notices(now=RENEWS - timedelta(days=at))
        send_notices(now=RENEWS - timedelta(days=at) + timedelta(minutes=1))
    assert kinds() == [("first_term", days, True) for days in DAYS]
    assert OutboxMessage.objects.filter(topic="mail").count() == len(DAYS)
    again = Notice.objects.first()
    assert again is not None
    again.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        again.save(force_insert=True)


def test_of_several_that_came_due_together_the_last_is_sent(full: Town) -> None:
    send_notices(now=RENEWS - timedelta(days=5))
    assert kinds() == [("first_term", 90, False), ("first_term", 30, False), ("first_term", 7, True)]


def test_renewals_after_the_first_term_are_not_told_of(full: Town) -> None:
    assert list(coming(RENEWS)) == []
    assert list(coming(RENEWS + timedelta(days=300))) == []


def test_a_cancelled_term_is_told_of_with_the_users_it_affects(full: Town) -> None:
    cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(9))
    send_notices(now=RENEWS - timedelta(days=7))
    deliver_due(now=timezone.now() if timezone.now() > RENEWS else RENEWS)

    (message,) = mail.outbox
    assert message.to == ["kari@fjordlys.example"]
    assert message.subject == "Fjordlys AS: your subscription ends in 7 days"
    assert "5 January 2027" in message.body
    assert "This affects 3 users: Ida (ida), Ola (ola), Per (per)." in message.body


def test_a_renewal_names_whose_seats_go(full: Town) -> None:
    change_items(customer=full.customer, actor=SYSTEM, items={"sales-essentials": 2}, due=RENEWAL, at=hours(9))
    (each,) = coming(RENEWS - timedelta(days=30))
    assert "With that day go the seats of 1 user: Per (per)." in mail_of(each, 30).text


def test_after_expiry_the_end_of_grace_is_told_of(full: Town) -> None:
    cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(9))
    sweep(now=RENEWS)
    send_notices(now=STOPS - timedelta(days=1))
    assert ("grace", 1, True) in kinds()


def test_a_cancellation_taken_back_is_told_of_no_more(full: Town) -> None:
    cancel_subscription(customer=full.customer, actor=SYSTEM, at=hours(9))
    resume_subscription(customer=full.customer, actor=SYSTEM, at=hours(10))
    assert [each.ending.kind for each in coming(RENEWS - timedelta(days=3))] == [NoticeKind.FIRST_TERM]


def test_without_an_admin_there_is_nobody_to_be_told(town: Town) -> None:
    town.buys(sales_essentials=1, at=hours(1))
    assert send_notices(now=RENEWS - timedelta(days=1)) == 0
    assert {message for _, _, message in kinds()} == {False}
