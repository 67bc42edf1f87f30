"""Where a second step is asked for, whoever has none sets one up first and reaches nothing else. Rules Y-10 to Y-13."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from customers.actor import SYSTEM
from customers.models import Account, AuditEvent, Customer
from customers.services.customers import require_second_step
from tests.factories.customers import MembershipFactory, api_as, api_with

PAGES = ["/", "/account/", "/account/password/change/", "/portal/fjordlys/", "/portal/fjordlys/people/", "/plans/"]
PASSWORD = "lighthouse in the fog"


def as_(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def strict(fjordlys: Customer) -> Customer:
    return require_second_step(actor=SYSTEM, customer=fjordlys, is_required=True, at=timezone.now())


def with_app(account: Account) -> Account:
    account.authenticator_set.create(type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
    account.authenticator_set.create(type="recovery_codes", data={"seed": "ab", "used_mask": 0})
    return account


def is_kept_out(client: Client, page: str) -> bool:
    answer: Any = client.get(page)
    return bool(answer.status_code == 302 and answer["Location"].startswith("/account/2fa/?next="))


# ── Customers ───────────────────────────────────────────────────────────────
@pytest.mark.parametrize("page", PAGES)
def test_whoever_lacks_one_is_led_to_where_it_is_set_up(kari: Account, strict: Customer, page: str) -> None:
    client = as_(kari)
    assert is_kept_out(client, page)
    told = client.get(page, follow=True)
    assert "Fjordlys AS asks a second step of you. Set one up to go on." in told.text
    with_app(kari)
    assert not is_kept_out(client, page)


def test_what_sets_it_up_is_open_and_so_is_the_way_out(kari: Account, strict: Customer) -> None:
    kari.set_password(PASSWORD)
    kari.save()
    client = as_(kari)
    assert client.get("/account/2fa/totp/activate/")["Location"].startswith("/account/reauthenticate/")
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    assert client.get("/account/2fa/totp/activate/").status_code == 200
    assert client.get("/account/2fa/webauthn/add/").status_code == 200
    assert client.post("/account/logout/").status_code == 302


def test_a_form_is_not_sent_past_it(kari: Account, vera: Account, strict: Customer) -> None:
    assert as_(kari).post("/portal/fjordlys/people/second-step/", {"require": "0"})["Location"] == "/account/2fa/?"
    strict.refresh_from_db()
    assert strict.requires_second_step


def test_htmx_leaves_for_the_whole_page(kari: Account, strict: Customer) -> None:
    answer = as_(kari).get("/search/?q=ola", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"].startswith("/account/2fa/")


def test_recovery_codes_alone_are_none(kari: Account, strict: Customer) -> None:
    kari.authenticator_set.create(type="recovery_codes", data={"seed": "ab", "used_mask": 0})
    assert is_kept_out(as_(kari), "/portal/fjordlys/")


def test_the_api_answers_a_session_with_the_refusal_and_a_key_as_ever(kari: Account, strict: Customer) -> None:
    answer = api_as(kari).get("/api/v1/customers/fjordlys/")
    assert (answer.status_code, answer.json()["code"]) == (403, "second_step_required")
    assert api_with(customer=strict).get("/api/v1/customers/fjordlys/").status_code == 200
    assert api_as(with_app(kari)).get("/api/v1/customers/fjordlys/").status_code == 200


def test_it_is_asked_of_members_of_that_customer_alone(
    kari: Account, nils: Account, cara: Account, root: Account, strict: Customer, nordvik: Customer
) -> None:
    assert not is_kept_out(as_(nils), "/portal/nordvik/")
    assert not is_kept_out(as_(cara), "/portal/fjordlys/")
    assert not is_kept_out(as_(root), "/portal/fjordlys/")
    MembershipFactory(customer=nordvik, account=kari)
    assert is_kept_out(as_(kari), "/portal/nordvik/")


def test_an_admin_asks_it_of_the_own_people(kari: Account, vera: Account, fjordlys: Customer) -> None:
    client, page = as_(with_app(kari)), "/portal/fjordlys/people/second-step/"
    assert "1 of the people here has none yet." in client.get(page).text
    client.post(page, {"require": "1"})
    assert is_kept_out(as_(vera), "/portal/fjordlys/")
    assert AuditEvent.objects.get(action="customer.second_step_required").changes == {
        "requires_second_step": [False, True]
    }
    client.post(page, {"require": "0"})
    assert not is_kept_out(as_(vera), "/portal/fjordlys/")


# ── Our own people ──────────────────────────────────────────────────────────
@pytest.mark.parametrize("who", ["pia", "cara", "aud", "root"])
def test_a_setting_asks_it_of_our_own_people_the_admin_included(
    who: str, request: pytest.FixtureRequest, settings: Any
) -> None:
    account: Account = request.getfixturevalue(who)
    assert not is_kept_out(as_(account), "/admin/")
    settings.SECOND_STEP_FOR_STAFF = True
    for page in ("/admin/", "/admin/customers/account/", "/", "/audit/"):
        assert is_kept_out(as_(account), page)
    assert api_as(account).get("/api/v1/catalog/plans/").json()["code"] == "second_step_required"
    assert "Planarium asks a second step of you" in as_(account).get("/admin/", follow=True).text
    assert not is_kept_out(as_(with_app(account)), "/admin/")


def test_the_setting_is_not_about_customers_people(kari: Account, settings: Any) -> None:
    settings.SECOND_STEP_FOR_STAFF = True
    assert not is_kept_out(as_(kari), "/portal/fjordlys/")


# ── The last one stays ──────────────────────────────────────────────────────
def turn_off(account: Account, path: str) -> Any:
    account.set_password(PASSWORD)
    account.save()
    client = as_(account)
    client.post("/account/reauthenticate/", {"password": PASSWORD})
    return client.post(path, follow=True)


def test_the_last_second_step_can_not_be_removed_where_one_is_asked_for(kari: Account, strict: Customer) -> None:
    passkey = with_app(kari).authenticator_set.create(type="webauthn", data={"name": "Laptop"})
    turn_off(kari, "/account/2fa/totp/deactivate/")
    assert set(kari.authenticator_set.values_list("type", flat=True)) == {"webauthn", "recovery_codes"}
    kept = turn_off(kari, f"/account/2fa/webauthn/keys/{passkey.pk}/remove/")
    assert "You have to have a second step." in kept.text
    assert kari.authenticator_set.filter(type="webauthn").exists()


def test_an_app_that_is_the_last_one_stays_too(kari: Account, strict: Customer) -> None:
    assert "You have to have a second step." in turn_off(with_app(kari), "/account/2fa/totp/deactivate/").text
    assert kari.authenticator_set.filter(type="totp").exists()


def test_elsewhere_it_goes(kari: Account) -> None:
    turn_off(with_app(kari), "/account/2fa/totp/deactivate/")
    assert not kari.authenticator_set.exists()


def test_somebody_elses_passkey_is_nobodys_to_remove(kari: Account, nils: Account) -> None:
    passkey = nils.authenticator_set.create(type="webauthn", data={"name": "Laptop"})
    assert turn_off(kari, f"/account/2fa/webauthn/keys/{passkey.pk}/remove/").status_code == 404


# ── What it costs ───────────────────────────────────────────────────────────
def test_it_costs_a_query_only_where_it_is_asked_for(
    kari: Account, fjordlys: Customer, django_assert_num_queries: Any
) -> None:
    client = as_(with_app(kari))
    with django_assert_num_queries(7):  # session, account; roles, memberships; customer; count, page of customers
        client.get("/portal/")
    require_second_step(actor=SYSTEM, customer=fjordlys, is_required=True, at=timezone.now())
    with django_assert_num_queries(8):  # and whether there is a second step
        client.get("/portal/")
