"""`manage.py worker` sends, tidies, and stops when told."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from customers.management.commands import worker
from customers.models import IdempotencyRecord, OutboxMessage
from customers.outbox import enqueue

pytestmark = pytest.mark.django_db


def test_once_does_what_is_due() -> None:
    now = timezone.now()
    enqueue(topic="mail", payload={"to": ["a@b.example"], "subject": "s", "text": "t"}, at=now)
    enqueue(topic="mail", payload={"to": ["c@d.example"], "subject": "s", "text": "t"}, at=now + timedelta(days=1))
    IdempotencyRecord.objects.create(caller="client:1", key="old", created_at=now - timedelta(hours=25))
    IdempotencyRecord.objects.create(caller="client:1", key="new", created_at=now - timedelta(hours=23))
    Session.objects.create(session_key="old", session_data="", expire_date=now - timedelta(days=1))
    Session.objects.create(session_key="new", session_data="", expire_date=now + timedelta(days=1))

    call_command("worker", "--once")

    assert [letter.to for letter in mail.outbox] == [["a@b.example"]]
    assert OutboxMessage.objects.filter(delivered_at=None).count() == 1
    assert IdempotencyRecord.objects.get().key == "new"
    assert Session.objects.get().session_key == "new"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_stops_when_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(getattr(signal, name))
    tidied = []

    def tidy_and_be_told(self: worker.Command, now: object) -> None:
        tidied.append(now)
        os.kill(os.getpid(), getattr(signal, name))

    monkeypatch.setattr(worker.Command, "_tidy", tidy_and_be_told)
    try:
        call_command("worker", "--interval", "600")  # returns at once, not in ten minutes
    finally:
        signal.signal(getattr(signal, name), before)
    assert len(tidied) == 1


@pytest.mark.django_db(transaction=True)
def test_it_outlives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    looks = []

    def away(*, now: object) -> bool:
        looks.append(now)
        if len(looks) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(worker, "deliver_next", away)
    try:
        call_command("worker", "--interval", "0")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(looks) == 3


def failing_step(*, now: object, is_stopping: object) -> None:
    raise RuntimeError("something is wrong with it")


def test_a_step_that_fails_holds_up_no_mail(settings: Any) -> None:
    settings.WORKER_STEPS = {f"{__name__}.failing_step": 1}
    enqueue(topic="mail", payload={"to": ["a@b.example"], "subject": "s", "text": "t"}, at=timezone.now())
    call_command("worker", "--once")
    assert len(mail.outbox) == 1
