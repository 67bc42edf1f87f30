"""Signing in with the provider that the settings name, which really is there and listens. Rules Y-14 to Y-16."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.test import Client

from customers.models import Account, AuditEvent
from customers.oidc import NO_ACCOUNT
from tests.project.provider import CLIENT, SECRET, Provider, open_provider

BUTTON = "Sign in with Fjordlys ID"
START = "/account/oidc/company/login/"
KARI = {"sub": "4711", "email": "Kari@fjordlys.example", "email_verified": True, "name": "Kari N."}


@pytest.fixture
def provider(db: None, settings: Any) -> Iterator[Provider]:
    with open_provider() as listening:
        app = {
            "provider_id": "company",
            "name": "Fjordlys ID",
            "client_id": CLIENT,
            "secret": SECRET,
            "settings": {"server_url": listening.issuer},
        }
        settings.OIDC_ISSUER, settings.OIDC_NAME = listening.issuer, "Fjordlys ID"
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
        yield listening


def sign_in(client: Client, provider: Provider, person: dict[str, Any], following: str = "") -> Any:
    """Returns what the callback answers after the browser went there and back."""
    provider.person = person
    begun = client.post(START, {"next": following} if following else {})
    assert begun.status_code == 302
    assert begun["Location"].startswith(f"{provider.issuer}/authorize?")
    back = urlsplit(requests.get(begun["Location"], allow_redirects=False, timeout=10).headers["Location"])
    assert back.path == f"{START}callback/"
    return client.get(f"{back.path}?{back.query}")


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def test_the_first_sign_in_links_an_account_by_its_verified_address(kari: Account, provider: Provider) -> None:
    kari.set_password("lighthouse in the fog")
    kari.save()
    client = Client()
    assert BUTTON in client.get("/account/login/").text
    assert sign_in(client, provider, KARI, "/portal/fjordlys/")["Location"] == "/portal/fjordlys/"
    assert is_in(client)
    kari.refresh_from_db()
    assert kari.check_password("lighthouse in the fog")  # it is no less hers than before
    assert (kari.name, kari.email) == ("Kari Nordmann", "kari@fjordlys.example")
    assert AuditEvent.objects.get(action="account.account_connected").account == kari
    assert "linked on" in client.get("/account/").text


def test_afterwards_the_provider_knows_her_whatever_her_address_there(kari: Account, provider: Provider) -> None:
    sign_in(Client(), provider, KARI)
    client = Client()
    sign_in(client, provider, {**KARI, "email": "kari.nordmann@elsewhere.example"})
    assert client.session["_auth_user_id"] == str(kari.pk)


@pytest.mark.parametrize(
    "unlike",
    [
        {"email": "stranger@fjordlys.example"},
        {"email_verified": False},
        {"email_verified": "false"},
        {"email": "vera@fjordlys.example"},  # whose account is closed
        {"email": None},
    ],
)
def test_nobody_else_comes_in_and_all_are_told_the_same(
    kari: Account, vera: Account, provider: Provider, unlike: dict[str, Any]
) -> None:
    vera.is_active = False
    vera.save()
    client, before = Client(), Account.objects.count()
    assert sign_in(client, provider, {**KARI, **unlike})["Location"] == "/account/login/"
    assert NO_ACCOUNT in client.get("/account/login/").text
    assert not is_in(client)
    assert Account.objects.count() == before
    assert not kari.socialaccount_set.exists()


def test_a_closed_account_stays_closed(kari: Account, provider: Provider) -> None:
    sign_in(Client(), provider, KARI)
    kari.is_active = False
    kari.save()
    client = Client()
    sign_in(client, provider, KARI)
    assert not is_in(client)


def test_her_second_step_is_asked_for_all_the_same(kari: Account, provider: Provider) -> None:
    kari.authenticator_set.create(type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
    client = Client()
    assert sign_in(client, provider, KARI)["Location"] == "/account/2fa/authenticate/"
    assert not is_in(client)


def test_a_token_for_somebody_else_opens_nothing(kari: Account, provider: Provider) -> None:
    provider.audience = "another site"
    client = Client()
    assert "The provider did not say who you are." in sign_in(client, provider, KARI).text
    assert not is_in(client)


@pytest.mark.parametrize(
    "query", ["", "?code=x&state=never", "?error=access_denied&state=never", "?code=%00&state=%00"]
)
def test_what_did_not_begin_here_ends_nowhere(kari: Account, provider: Provider, query: str) -> None:
    answer = Client().get(f"{START}callback/{query}", follow=True)
    assert answer.status_code < 500
    assert "css/components.css" in answer.text


def test_a_provider_that_is_down_is_said_to_be(kari: Account, provider: Provider) -> None:
    provider.is_down = True
    answer = Client().post(START)
    assert answer.status_code == 502
    assert "The provider did not say who you are." in answer.text


@pytest.mark.django_db
def test_without_one_in_the_settings_there_is_no_button_and_no_way() -> None:
    client = Client()
    assert "Sign in with" not in client.get("/account/login/").text
    assert client.post(START).status_code == client.get(f"{START}callback/").status_code == 404


def test_nobody_signs_up_or_links_by_hand(kari: Account, provider: Provider) -> None:
    client = Client()
    client.force_login(kari, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/account/3rdparty/")["Location"] == "/account/"
    assert "Accounts are by invitation" in Client().get("/account/3rdparty/signup/", follow=True).text
