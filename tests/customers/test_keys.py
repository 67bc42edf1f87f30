"""The life of an API key: made, shown once, used, rotated, expired, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from customers import last_used
from customers.actor import SYSTEM, Actor
from customers.api_keys import find_key, forget_keys, make_token
from customers.errors import Invalid
from customers.last_used import note_use, write_last_used
from customers.models import Account, ApiClient, ApiKey, AuditEvent, Customer
from customers.services import keys
from tests.factories.customers import NOON, ApiClientFactory, api_with_key, key_for

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=1)


@pytest.fixture
def app() -> ApiClient:
    client: ApiClient = ApiClientFactory(name="Mail merge", scopes=["customers:read"])
    return client


def status_with(key: str) -> int:
    return int(api_with_key(key).get("/api/v1/customers/").status_code)


# ── Made and shown once ─────────────────────────────────────────────────────
def test_only_the_fingerprint_is_stored(app: ApiClient) -> None:
    key, token = keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    assert token.startswith(f"plk_{key.prefix}_")
    stored = ApiKey.objects.values().get()
    assert not any(token.rpartition(key.prefix)[2] in str(value) for value in stored.values())
    assert len(key.digest) == 64


def test_two_keys_are_never_alike() -> None:
    made = [make_token() for _ in range(50)]
    assert len({new.token for new in made}) == len({new.digest for new in made}) == 50


def test_the_trail_tells_who_issued_it_and_never_the_secret(app: ApiClient, cara: Account) -> None:
    key, token = keys.issue_key(actor=Actor(account=cara), client=app, at=NOON)
    event = AuditEvent.objects.get(action="key.issued")
    assert (event.account, event.at, event.object_code) == (cara, NOON, "Mail merge")
    assert event.changes["prefix"] == [None, key.prefix]
    assert token.split("_", 2)[2] not in str(event.changes)


# ── Two live keys, for rotation ─────────────────────────────────────────────
def test_a_third_live_key_is_refused_until_one_is_revoked(app: ApiClient) -> None:
    first, first_token = keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    _, second_token = keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    with pytest.raises(keys.TwoLiveKeys) as refusal:
        keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    assert refusal.value.blocking == {"kind": "api_client", "code": "Mail merge"}
    assert [status_with(first_token), status_with(second_token)] == [200, 200]

    keys.revoke_key(actor=SYSTEM, key=first, at=LATER)
    _, third_token = keys.issue_key(actor=SYSTEM, client=app, at=LATER)
    assert [status_with(token) for token in (first_token, second_token, third_token)] == [401, 200, 200]


def test_the_database_itself_refuses_a_third_live_key(app: ApiClient) -> None:
    for _ in range(2):
        keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    for slot in (1, 2, 3):
        with pytest.raises(IntegrityError), transaction.atomic():
            ApiKey.objects.create(client=app, prefix=f"p{slot}", digest="d", slot=slot)


def test_an_expired_key_makes_room(app: ApiClient) -> None:
    old, _ = keys.issue_key(actor=SYSTEM, client=app, at=NOON, expires_at=LATER)
    keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    keys.issue_key(actor=SYSTEM, client=app, at=LATER)
    old.refresh_from_db()
    assert old.revoked_at == LATER


def test_a_key_does_not_begin_expired(app: ApiClient) -> None:
    with pytest.raises(Invalid):
        keys.issue_key(actor=SYSTEM, client=app, at=NOON, expires_at=NOON)
    assert not ApiKey.objects.exists()


def test_a_client_switched_off_gets_no_key(app: ApiClient) -> None:
    keys.edit_client(actor=SYSTEM, client=app, at=NOON, name=app.name, scopes=app.scopes, is_active=False)
    with pytest.raises(keys.ClientInactive):
        keys.issue_key(actor=SYSTEM, client=app, at=NOON)


def test_revoking_twice_changes_nothing_more(app: ApiClient) -> None:
    key, _ = keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    keys.revoke_key(actor=SYSTEM, key=key, at=NOON)
    keys.revoke_key(actor=SYSTEM, key=key, at=LATER)
    assert key.revoked_at == NOON
    assert AuditEvent.objects.filter(action="key.revoked").count() == 1


# ── What is refused looks the same ──────────────────────────────────────────
def malformed(app: ApiClient) -> str:
    return "plk_short"


def not_ascii(app: ApiClient) -> str:
    return "plk_ø"


def nothing(app: ApiClient) -> str:
    return ""


def unknown(app: ApiClient) -> str:
    return make_token().token


def wrong_secret(app: ApiClient) -> str:
    key, _ = keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    return f"plk_{key.prefix}_{'A' * 43}"


def expired(app: ApiClient) -> str:
    return key_for(app, expires_at=NOON + timedelta(seconds=1))


def revoked(app: ApiClient) -> str:
    key, token = keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    keys.revoke_key(actor=SYSTEM, key=key, at=NOON)
    return token


def of_an_inactive_client(app: ApiClient) -> str:
    token = key_for(app)
    keys.edit_client(actor=SYSTEM, client=app, at=NOON, name=app.name, scopes=app.scopes, is_active=False)
    return token


@pytest.mark.parametrize(
    "bad_key",
    [malformed, not_ascii, nothing, unknown, wrong_secret, expired, revoked, of_an_inactive_client],
    ids=lambda make: make.__name__,
)
def test_a_bad_key_is_401_whatever_is_wrong_with_it(app: ApiClient, bad_key: Any) -> None:
    answer = api_with_key(bad_key(app)).get("/api/v1/customers/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert answer.json() == {
        "type": "urn:planarium:problem:not_authenticated",
        "title": "Not authenticated",
        "status": 401,
        "detail": "This needs a valid API key or a session.",
        "code": "not_authenticated",
        "blocking": None,
        "next_action": "Send 'Authorization: Bearer KEY' with a live key, or sign in.",
        "instance": "/api/v1/customers/",
    }


def test_a_missing_key_is_answered_like_a_bad_one(app: ApiClient) -> None:
    without = api_with_key("x")
    without.credentials()
    assert without.get("/api/v1/customers/").json() == api_with_key("x").get("/api/v1/customers/").json()


def test_a_bad_key_is_refused_even_beside_a_session(cara: Account) -> None:
    http = api_with_key("plk_nonsense")
    http.force_login(cara)
    assert http.get("/api/v1/customers/").status_code == 401


def test_the_scheme_is_read_in_any_case(app: ApiClient) -> None:
    http = api_with_key("x")
    http.credentials(HTTP_AUTHORIZATION=f"bEARER {key_for(app)}")
    assert http.get("/api/v1/customers/").status_code == 200


# ── Remembered for a moment ─────────────────────────────────────────────────
def test_a_warm_key_costs_no_query(app: ApiClient, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    token = key_for(app)
    forget_keys()
    with django_assert_num_queries(1):  # the key with its client
        first = find_key(token, at=NOON)
    with django_assert_num_queries(0):
        assert find_key(token, at=NOON) is first


def test_an_unknown_key_is_not_remembered(app: ApiClient, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    token = make_token().token
    for _ in range(2):
        with django_assert_num_queries(1):
            assert find_key(token, at=NOON) is None


def test_a_remembered_key_still_expires(app: ApiClient) -> None:
    token = key_for(app, expires_at=LATER)
    assert find_key(token, at=LATER - timedelta(microseconds=1))
    assert find_key(token, at=LATER) is None


def test_another_process_forgets_a_revoked_key_in_time(app: ApiClient, settings: Any) -> None:
    token = key_for(app)
    assert find_key(token, at=NOON)
    ApiKey.objects.update(revoked_at=NOON)  # as another process does
    assert find_key(token, at=NOON)
    settings.API_KEY_MEMORY_SECONDS = 0
    assert find_key(token, at=NOON) is None


def test_new_scopes_count_at_once_in_the_same_process(app: ApiClient) -> None:
    token = key_for(app)
    assert status_with(token) == 200
    keys.edit_client(actor=SYSTEM, client=app, at=NOON, name=app.name, scopes=["catalog:read"], is_active=True)
    assert status_with(token) == 403


# ── Last used ───────────────────────────────────────────────────────────────
def test_using_a_key_writes_nothing_by_itself(
    app: ApiClient, fjordlys: Customer, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    http = api_with_key(key_for(app))
    http.get("/api/v1/customers/")
    with django_assert_num_queries(1):  # the page of customers
        http.get("/api/v1/customers/")
    assert ApiKey.objects.get().last_used_at is None


@time_machine.travel(LATER, tick=False)
def test_uses_are_written_in_one_update(app: ApiClient, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    other: ApiClient = ApiClientFactory()
    for client in (app, other):
        api_with_key(key_for(client)).get("/api/v1/customers/")
    with django_assert_num_queries(1):  # one UPDATE for both
        assert write_last_used() == 2
    assert set(ApiKey.objects.values_list("last_used_at", flat=True)) == {LATER}
    with django_assert_num_queries(0):  # nothing new
        assert write_last_used() == 0


def test_a_late_batch_never_moves_the_instant_back(app: ApiClient) -> None:
    key, _ = keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    ApiKey.objects.update(last_used_at=LATER)
    note_use(key.pk, at=NOON)
    write_last_used()
    key.refresh_from_db()
    assert key.last_used_at == LATER


def test_what_could_not_be_written_waits_for_the_next_time(app: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    note_use(key.pk, at=NOON)

    def out_of_order(noted: Any) -> None:
        raise DatabaseError

    with monkeypatch.context() as broken:
        broken.setattr(last_used, "_write", out_of_order)
        with pytest.raises(DatabaseError):
            write_last_used()
    assert write_last_used() == 1
    key.refresh_from_db()
    assert key.last_used_at == NOON


@pytest.mark.django_db(transaction=True)
def test_the_timer_writes_behind_the_back_of_the_calls(app: ApiClient, settings: Any) -> None:
    settings.KEY_USE_WRITTEN_EVERY_SECONDS = 0.01
    key, _ = keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    note_use(key.pk, at=NOON)
    timer = last_used._notes.timer
    assert timer is not None
    timer.join()
    key.refresh_from_db()
    assert key.last_used_at == NOON
