"""What must be sent is sent: leased, tried again, given up visibly, and never twice at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction

from customers.models import Customer, OutboxMessage
from customers.outbox import GIVE_UP_AFTER, LEASE, backoff, deliver_due, deliver_next, enqueue
from tests.factories.customers import NOON

pytestmark = pytest.mark.django_db

LETTER = {"to": ["kari@fjordlys.example"], "subject": "Two seats left", "text": "Sales Premium: 2 of 40 seats left."}
SENT: list[Mapping[str, Any]] = []


class WorkerKilled(BaseException):
    """As `kill -9` would: nothing after it runs."""


def note(payload: Mapping[str, Any]) -> None:
    SENT.append(payload)


def fail(payload: Mapping[str, Any]) -> None:
    raise ConnectionError("mail server unreachable")


def die(payload: Mapping[str, Any]) -> None:
    raise WorkerKilled


def overtaken(payload: Mapping[str, Any]) -> None:
    """So slow that another worker has taken it over and delivered it meanwhile; then it fails."""
    OutboxMessage.objects.update(delivered_at=NOON + LEASE, leased_until=None, next_attempt_at=None, last_error="")
    raise ConnectionError


@pytest.fixture(autouse=True)
def _handlers(settings: Any) -> None:
    SENT.clear()
    settings.OUTBOX_HANDLERS = settings.OUTBOX_HANDLERS | {
        name: f"{__name__}.{name}" for name in ("note", "fail", "die", "overtaken")
    }


def message() -> OutboxMessage:
    return OutboxMessage.objects.get()


def test_mail_goes_out_once(fjordlys: Customer) -> None:
    enqueue(topic="mail", payload=LETTER, customer=fjordlys, at=NOON)
    assert [deliver_due(now=NOON), deliver_due(now=NOON + timedelta(days=1))] == [1, 0]
    (sent,) = mail.outbox
    assert (sent.to, sent.subject, sent.body) == (LETTER["to"], LETTER["subject"], LETTER["text"])
    assert (message().delivered_at, message().attempts, message().last_error) == (NOON, 1, "")


def test_it_waits_for_its_time() -> None:
    enqueue(topic="note", payload={"n": 1}, at=NOON)
    assert deliver_due(now=NOON - timedelta(microseconds=1)) == 0
    assert deliver_due(now=NOON) == 1


def test_the_oldest_goes_first_and_a_limit_is_kept() -> None:
    for minutes in (2, 0, 1):
        enqueue(topic="note", payload={"minute": minutes}, at=NOON + timedelta(minutes=minutes))
    assert deliver_due(now=NOON + timedelta(hours=1), limit=2) == 2
    assert [payload["minute"] for payload in SENT] == [0, 1]


def test_what_is_rolled_back_is_never_sent() -> None:
    with transaction.atomic():
        enqueue(topic="note", payload={}, at=NOON)
        transaction.set_rollback(True)
    assert deliver_due(now=NOON) == 0


def test_an_unknown_topic_is_refused_where_it_is_written() -> None:
    with pytest.raises(LookupError):
        enqueue(topic="pigeon", payload={}, at=NOON)
    assert not OutboxMessage.objects.exists()


def test_a_failure_is_tried_again_later_and_later() -> None:
    enqueue(topic="fail", payload={}, at=NOON)
    now, waits = NOON, []
    for _ in range(5):
        assert deliver_due(now=now) == 1
        next_attempt_at = message().next_attempt_at
        assert next_attempt_at is not None
        waits.append((next_attempt_at - now).total_seconds())
        assert deliver_due(now=next_attempt_at - timedelta(seconds=1)) == 0
        now = next_attempt_at
    assert waits == [30, 60, 120, 240, 480]
    assert message().last_error == "ConnectionError: mail server unreachable"
    assert message().delivered_at is None


def test_one_that_fails_does_not_hold_up_the_others() -> None:
    enqueue(topic="fail", payload={}, at=NOON)
    enqueue(topic="note", payload={"n": 1}, at=NOON)
    assert deliver_due(now=NOON) == 2
    assert SENT == [{"n": 1}]


def test_after_72_hours_it_is_given_up() -> None:
    enqueue(topic="fail", payload={}, at=NOON)
    now, tries = NOON, 0
    while message().next_attempt_at is not None:
        now = message().next_attempt_at or now
        tries += deliver_due(now=now)
    assert NOON + GIVE_UP_AFTER - timedelta(hours=6) < now <= NOON + GIVE_UP_AFTER
    assert message().attempts == tries
    assert message().last_error
    assert deliver_due(now=now + timedelta(days=30)) == 0


def test_a_worker_that_slept_for_days_still_tries_once() -> None:
    enqueue(topic="note", payload={}, at=NOON)
    assert deliver_due(now=NOON + timedelta(days=9)) == 1
    assert message().delivered_at == NOON + timedelta(days=9)


def test_the_message_of_a_killed_worker_goes_again_when_its_lease_is_over() -> None:
    enqueue(topic="die", payload={"n": 1}, at=NOON)
    with pytest.raises(WorkerKilled):
        deliver_next(now=NOON)
    OutboxMessage.objects.update(topic="note")  # whatever killed the worker is mended
    assert deliver_due(now=NOON + LEASE - timedelta(microseconds=1)) == 0
    assert deliver_due(now=NOON + LEASE) == 1
    assert SENT == [{"n": 1}]
    assert message().attempts == 2


def test_a_message_that_kills_every_worker_is_given_up_too() -> None:
    enqueue(topic="die", payload={}, at=NOON)
    now = NOON
    while message().next_attempt_at is not None:
        now = max(message().next_attempt_at or now, message().leased_until or now)
        with pytest.raises(WorkerKilled):
            deliver_next(now=now)
    assert now <= NOON + GIVE_UP_AFTER
    assert message().last_error == "The worker stopped before it had finished."


def test_a_late_worker_does_not_undo_what_another_one_did() -> None:
    enqueue(topic="overtaken", payload={}, at=NOON)
    assert deliver_due(now=NOON) == 1
    assert (message().delivered_at, message().last_error) == (NOON + LEASE, "")


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 30), (2, 60), (10, 15_360), (11, 21_600), (4000, 21_600)])
def test_backoff(attempts: int, seconds: int) -> None:
    assert backoff(attempts).total_seconds() == seconds


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it locks the whole database, so nobody can hold a row")
def test_two_workers_take_two_messages() -> None:
    other = connection.copy()
    try:
        enqueue(topic="note", payload={"n": 1}, at=NOON)
        enqueue(topic="note", payload={"n": 2}, at=NOON)
        other.set_autocommit(False)
        with other.cursor() as cursor:  # another worker is leasing the first one in this very moment
            cursor.execute("SELECT id FROM customers_outboxmessage ORDER BY id LIMIT 1 FOR UPDATE")
            assert deliver_due(now=NOON) == 1
        assert SENT == [{"n": 2}]
    finally:
        other.close()
