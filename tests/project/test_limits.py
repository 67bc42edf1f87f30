"""Guessing is slowed down, and never tells whether there is an account. Rules Y-20 to Y-22."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client

from config import settings as project
from config.errors import WAIT_AFTER_TOO_MANY
from customers.models import Account

PASSWORD = "lighthouse in the fog"
STRANGER = "stranger@fjordlys.example"
GUESS = "a guess"
SECRET = "JBSWY3DPEHPK3PXP"
LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "20/m/ip",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
    "signup": "20/m/ip",
}


@pytest.fixture(autouse=True)
def _limited(settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = LIMITS


@pytest.fixture
def kari(kari: Account) -> Account:
    kari.set_password(PASSWORD)
    kari.save()
    return kari


def guess(email: str, password: str = GUESS, address: str = "192.0.2.1") -> Any:
    return Client(REMOTE_ADDR=address).post("/account/login/", {"login": email, "password": password})


def assert_told_to_wait(answer: Any) -> None:
    assert answer.status_code == 429
    assert answer["Retry-After"] == str(WAIT_AFTER_TOO_MANY)
    assert "Too many attempts" in answer.text
    assert "css/components.css" in answer.text


def test_an_account_is_locked_after_five_guesses_and_so_is_one_that_does_not_exist(kari: Account) -> None:
    told = []
    for email in (kari.email, STRANGER):
        answers = [guess(email, address=f"192.0.2.{n}") for n in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert_told_to_wait(answers[-1])
        told.append(answers[-1].content.partition(b"<main")[2])
    assert told[0] == told[1]


def test_while_it_lasts_the_right_password_opens_nothing_and_case_is_no_way_around(kari: Account) -> None:
    for n in range(5):
        guess(kari.email.upper() if n % 2 else kari.email, address=f"192.0.2.{n}")
    assert_told_to_wait(guess(kari.email, PASSWORD, address="192.0.2.99"))


def test_an_address_of_the_network_is_locked_after_ten(kari: Account) -> None:
    for n in range(10):
        assert guess(f"person{n}@fjordlys.example").status_code == 200
    assert_told_to_wait(guess(kari.email, PASSWORD))
    assert guess(kari.email, PASSWORD, address="192.0.2.2").status_code == 302


def test_who_asks_is_told_by_the_proxy_in_front(kari: Account, settings: Any) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for n in range(11):
        client = Client(headers={"X-Forwarded-For": f"203.0.113.{n}, 198.51.100.{n}"})
        assert client.post("/account/login/", {"login": f"p{n}@fjordlys.example", "password": "x"}).status_code == 200
    for forwarded in ("", "nonsense", "192.0.2.1"):
        client = Client(headers={"X-Forwarded-For": forwarded})
        assert client.post("/account/login/", {"login": kari.email, "password": "x"}).status_code == 200


def test_resets_are_limited_alike_for_everybody(kari: Account) -> None:
    for email in (kari.email, STRANGER):
        answers = [
            Client(REMOTE_ADDR=f"192.0.2.{n}").post("/account/password/reset/", {"email": email}) for n in range(6)
        ]
        assert [answer.status_code for answer in answers] == [302] * 5 + [429]
        assert_told_to_wait(answers[-1])


def test_codes_are_guessed_five_times(kari: Account) -> None:
    kari.authenticator_set.create(type="totp", data={"secret": SECRET})
    client = Client()
    client.post("/account/login/", {"login": kari.email, "password": PASSWORD})
    answers = [client.post("/account/2fa/authenticate/", {"code": "000000"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert_told_to_wait(answers[-1])
    right = str(format_hotp_value(hotp_value(SECRET, int(time.time()) // 30)))
    assert_told_to_wait(client.post("/account/2fa/authenticate/", {"code": right}))


def test_proving_who_one_is_is_limited(kari: Account) -> None:
    client = Client()
    client.force_login(kari, backend="django.contrib.auth.backends.ModelBackend")
    answers = [client.post("/account/reauthenticate/", {"password": "a guess"}) for _ in range(11)]
    assert_told_to_wait(answers[-1])


class Counting(MD5PasswordHasher):
    """A hasher that counts: each hash is what a slow one would take its time for."""

    hashed: ClassVar[list[str]] = []

    def encode(self, password: str, salt: str) -> str:
        self.hashed.append(password)
        return super().encode(password, salt)


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_stranger_takes_as_long_as_a_wrong_password(kari: Account, settings: Any, is_closed: bool) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
    kari.is_active = not is_closed
    kari.save()
    counted = []
    for email in (kari.email, STRANGER):
        Counting.hashed.clear()
        guess(email)
        counted.append(len(Counting.hashed))
    assert counted[0] == counted[1] > 0


def test_the_limits_are_those_of_the_settings() -> None:
    source = Path(project.__file__).read_text()  # the tests themselves run without limits
    for action, limit in LIMITS.items():
        assert f'"{action}": "{limit}"' in source
