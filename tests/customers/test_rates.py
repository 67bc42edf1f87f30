"""How often a client may call, and what every answer says of it (rules A-5 to A-7)."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from rest_framework.test import APIClient

from customers import throttling
from customers.actor import SYSTEM
from customers.models import ApiClient, AuditEvent
from customers.services import keys
from customers.throttling import PerCallerThrottle
from tests.factories.customers import NOON, api_with, api_with_key, key_for

pytestmark = pytest.mark.django_db
LIST = "/api/v1/customers/"


class Clock:
    now = 1_000_000_020.0  # a minute's beginning

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(PerCallerThrottle, "clock", staticmethod(clock))
    monkeypatch.setattr(PerCallerThrottle, "rests_until", 0.0)
    return clock


def limited(calls: int | None) -> tuple[Any, ApiClient]:
    http = api_with()
    client = ApiClient.objects.latest("pk")
    keys.edit_client(actor=SYSTEM, client=client, at=NOON, calls_per_minute=calls)
    return http, client


def test_every_answer_says_what_is_left(clock: Clock) -> None:
    http, _ = limited(3)
    clock.now += 12.4
    told = [http.get(LIST), http.get("/api/v1/customers/nowhere/"), http.get(LIST, {"limit": "x"}), http.get(LIST)]
    assert [answer.status_code for answer in told] == [200, 404, 400, 429]
    assert [answer["RateLimit"] for answer in told] == [f'"calls";r={left};t=48' for left in (2, 1, 0, 0)]
    assert {answer["RateLimit-Policy"] for answer in told} == {'"calls";q=3;w=60'}
    assert told[-1]["Retry-After"] == "48"


def test_refused_calls_are_counted_too(clock: Clock) -> None:
    """What the client may not do; whom it may not see."""
    http = api_with("catalog:read")
    keys.edit_client(actor=SYSTEM, client=ApiClient.objects.get(), at=NOON, calls_per_minute=3)
    told = [
        http.get(LIST),
        http.post(f"{LIST}nowhere/subscription/cancel/"),
        http.get(f"{LIST}nowhere/users/"),
        http.get(LIST),
    ]
    assert [answer.status_code for answer in told] == [403, 403, 403, 429]
    assert [answer["RateLimit"] for answer in told] == [f'"calls";r={left};t=60' for left in (2, 1, 0, 0)]


@pytest.mark.parametrize("http", [APIClient(), api_with_key("plk_abc_wrong")], ids=["no key", "a wrong one"])
def test_strangers_are_counted_by_their_address(clock: Clock, settings: Any, http: APIClient) -> None:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {"caller": "2/min"}}
    told = [http.get(LIST) for _ in range(3)]
    assert [answer.status_code for answer in told] == [401, 401, 429]
    assert [answer["RateLimit"] for answer in told] == [f'"calls";r={left};t=60' for left in (1, 0, 0)]
    assert told[-1]["Retry-After"] == "60"
    assert http.get(LIST, headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 429, "whatever it says of itself"
    assert http.get(LIST, REMOTE_ADDR="192.0.2.7").status_code == 401
    assert api_with().get(LIST).status_code == 200


def test_a_clients_own_rate_goes_before_everybodys(clock: Clock, settings: Any) -> None:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {"caller": "2/min"}}
    own, client = limited(5)
    usual = api_with()
    assert own.get(LIST)["RateLimit-Policy"] == '"calls";q=5;w=60'
    assert usual.get(LIST)["RateLimit-Policy"] == '"calls";q=2;w=60'
    keys.edit_client(actor=SYSTEM, client=client, at=NOON, calls_per_minute=None)
    assert own.get(LIST)["RateLimit"] == '"calls";r=0;t=60'


def test_two_keys_of_a_client_share_what_it_may(clock: Clock) -> None:
    http, client = limited(9)
    other = api_with_key(key_for(client))
    http.get(LIST)
    assert other.get(LIST)["RateLimit"] == '"calls";r=7;t=60'


def test_where_there_is_no_limit_nothing_is_said(clock: Clock, settings: Any) -> None:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {"caller": ""}}
    assert not api_with().get(LIST).has_header("RateLimit")


def test_calls_are_served_while_the_cache_is_away(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []
    real, is_away = throttling._count, True

    def counted(key: str, *, keep_for: int) -> int:
        asked.append(key)
        if is_away:
            raise ConnectionError("redis://somebody:secret@cache")
        return real(key, keep_for=keep_for)

    http, _ = limited(1)
    monkeypatch.setattr(throttling, "_count", counted)
    with caplog.at_level(logging.ERROR):
        answers = [http.get(LIST) for _ in range(3)]
    assert [(answer.status_code, answer.has_header("RateLimit")) for answer in answers] == [(200, False)] * 3
    assert len(asked) == 1, "for a while it isn't asked again"
    assert "ConnectionError" in caplog.text
    assert "secret" not in caplog.text

    is_away = False
    clock.now += 4.9
    assert not http.get(LIST).has_header("RateLimit")
    clock.now += 0.2
    assert http.get(LIST)["RateLimit"] == '"calls";r=0;t=55'
    assert len(asked) == 2


def test_a_call_is_counted_in_one_step(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    http, _ = limited(9)
    http.get(LIST)  # begins the window
    steps: list[str] = []

    def counting(name: str) -> Any:
        real = getattr(cache, name)

        def step(*args: Any, **named: Any) -> Any:
            steps.append(name)
            return real(*args, **named)

        return step

    for name in ("incr", "add", "get", "set"):
        monkeypatch.setattr(cache, name, counting(name))
    http.get(LIST)
    assert steps == ["incr"]


@pytest.mark.parametrize("calls", [0, -1])
def test_a_rate_of_nothing_is_refused(calls: int) -> None:
    _, client = limited(None)
    with pytest.raises(ValidationError):
        keys.edit_client(actor=SYSTEM, client=client, at=NOON, calls_per_minute=calls)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApiClient.objects.filter(pk=client.pk).update(calls_per_minute=calls)


def test_a_new_rate_is_told_in_the_trail() -> None:
    _, client = limited(7)
    told = AuditEvent.objects.filter(object_code=client.name, action="client.edited").get()
    assert told.changes == {"calls_per_minute": [None, 7]}
