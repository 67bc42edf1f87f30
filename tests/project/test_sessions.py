"""Kari sees where she is signed in, and ends it there. Rules Y-17 to Y-19."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.core import mail
from django.test import Client
from django.utils import timezone

from customers.devices import device_of
from customers.models import Account, AuditEvent
from customers.outbox import deliver_due
from customers.services.sessions import live_sessions

PASSWORD = "lighthouse in the fog"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
LAPTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0"


@pytest.fixture
def kari(kari: Account) -> Account:
    kari.set_password(PASSWORD)
    kari.save()
    return kari


def signed_in(account: Account, agent: str = LAPTOP, address: str = "192.0.2.1") -> Client:
    client = Client(headers={"User-Agent": agent}, REMOTE_ADDR=address)
    client.post("/account/login/", {"login": account.email, "password": PASSWORD})
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def row_of(client: Client) -> UserSession:
    found: UserSession = UserSession.objects.get(session_key=client.session.session_key)
    return found


def test_each_is_told_with_device_and_address(kari: Account) -> None:
    laptop, phone = signed_in(kari), signed_in(kari, PHONE, "2001:db8::7")
    told = laptop.get("/account/sessions/")
    shown = {(row["device"], row["session"].ip, row["is_current"]) for row in told.context["rows"]}
    assert shown == {("Edge on Windows", "192.0.2.1", True), ("Safari on iPhone", "2001:db8::7", False)}
    assert is_in(phone)


def test_one_is_ended_and_the_others_stay(kari: Account) -> None:
    laptop, phone, tablet = signed_in(kari), signed_in(kari, PHONE), signed_in(kari)
    answer = laptop.post("/account/sessions/", {"session": row_of(phone).pk}, follow=True)
    assert "Signed out: Safari on iPhone." in answer.text
    assert [is_in(client) for client in (laptop, phone, tablet)] == [True, False, True]
    assert AuditEvent.objects.get(action="account.session_ended").account == kari


def test_ending_the_own_one_leads_to_the_door(kari: Account) -> None:
    laptop = signed_in(kari)
    assert laptop.post("/account/sessions/", {"session": row_of(laptop).pk})["Location"] == "/account/login/"
    assert not is_in(laptop)


def test_everywhere_else_and_everywhere(kari: Account) -> None:
    laptop, phone, tablet = signed_in(kari), signed_in(kari, PHONE), signed_in(kari)
    assert "2 other sessions signed out." in laptop.post("/account/sessions/", {"others": "1"}, follow=True).text
    assert [is_in(client) for client in (laptop, phone, tablet)] == [True, False, False]
    phone = signed_in(kari, PHONE)
    laptop.post("/account/sessions/", {"here": "1"})
    assert [is_in(client) for client in (laptop, phone)] == [False, False]
    assert not UserSession.objects.exists()


@pytest.mark.parametrize("asked", ["0", "999999999999999999"])
def test_nobody_ends_what_is_not_theirs(kari: Account, nils: Account, asked: str) -> None:
    nils.set_password(PASSWORD)
    nils.save()
    his, hers = signed_in(nils), signed_in(kari)
    assert hers.post("/account/sessions/", {"session": row_of(his).pk}).status_code == 404
    assert hers.post("/account/sessions/", {"session": asked}).status_code == 404
    assert is_in(his)


@pytest.mark.parametrize("way", ["change", "reset"])
def test_a_new_password_ends_the_other_sessions(kari: Account, way: str) -> None:
    laptop, phone = signed_in(kari), signed_in(kari, PHONE)
    new = {"password1": "a different lighthouse", "password2": "a different lighthouse"}
    if way == "change":
        laptop.post("/account/password/change/", {"oldpassword": PASSWORD, **new})
    else:
        reset(Client(), kari, new)
    assert not is_in(phone)
    assert is_in(laptop) == (way == "change")
    assert live_sessions(kari, at=timezone.now()).count() == (1 if way == "change" else 0)


def reset(client: Client, account: Account, new: dict[str, str]) -> None:
    client.post("/account/password/reset/", {"email": account.email})
    deliver_due(now=timezone.now())
    link = re.search(r"/account/password/reset/key/\S+", str(mail.outbox[0].body))
    assert link is not None
    form = client.get(link[0], follow=True)
    assert client.post(form.request["PATH_INFO"], new).status_code == 302


def test_when_a_session_was_last_used_is_written_now_and_then(kari: Account, settings: Any) -> None:
    laptop = signed_in(kari)
    settings.SESSION_USE_WRITTEN_EVERY_SECONDS = 300
    longer_ago = timezone.now() - timedelta(minutes=6)
    UserSession.objects.update(last_seen_at=longer_ago)
    laptop.get("/account/", REMOTE_ADDR="192.0.2.77")
    noted = row_of(laptop)
    assert noted.last_seen_at > longer_ago + timedelta(minutes=5)
    assert noted.ip == "192.0.2.77"
    laptop.get("/account/", REMOTE_ADDR="192.0.2.78")
    assert row_of(laptop).ip == "192.0.2.77"


def test_the_list_costs_the_same_for_many(kari: Account, django_assert_num_queries: Any) -> None:
    laptop = signed_in(kari)
    for _ in range(30):
        signed_in(kari, PHONE)
    with django_assert_num_queries(6):  # session, account; roles, memberships; how many sessions, a page of them
        told = laptop.get("/account/sessions/")
    assert len(told.context["rows"]) == 20
    assert len(laptop.get("/account/sessions/?page=2").context["rows"]) == 11


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (LAPTOP, "Edge on Windows"),
        (PHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("", "Unknown device"),
    ],
)
def test_a_device_in_words(agent: str, device: str) -> None:
    assert device_of(agent) == device
