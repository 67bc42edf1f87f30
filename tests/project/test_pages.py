"""The pages that belong to no app: where people start, how they get in, and what they read when something is wrong."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import timezone

from config.errors import bad_request, server_error
from customers.models import Account, Customer
from customers.outbox import deliver_due
from tests.factories.customers import AccountFactory, CustomerFactory, MembershipFactory


def as_(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


# ── Where people start ──────────────────────────────────────────────────────
@pytest.mark.django_db
def test_a_stranger_is_sent_to_the_door() -> None:
    answer = Client().get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/account/login/?next=/")


def test_a_member_of_one_customer_goes_straight_there(kari: Account, vera: Account) -> None:
    for account in (kari, vera):
        assert as_(account).get("/")["Location"] == "/portal/fjordlys/"


def test_a_member_of_several_chooses(kari: Account, nordvik: Customer) -> None:
    MembershipFactory(account=kari, customer=nordvik, role="viewer")
    answer = as_(kari).get("/")
    assert [customer.code for customer in answer.context["customers"]] == ["fjordlys", "nordvik"]
    assert "All your customers" not in answer.text


@pytest.mark.django_db
def test_a_member_of_many_is_shown_the_first_of_them() -> None:
    """Eleven customers: ten are named, and a link leads to all."""
    account = AccountFactory(name="Ada Adviser")
    for n in range(11):
        MembershipFactory(account=account, customer=CustomerFactory(code=f"client-{n:02}"))
    answer = as_(account).get("/")
    assert len(answer.context["customers"]) == 10
    assert "All your customers" in answer.text


def test_the_navigation_offers_customers_to_who_has_several(kari: Account, cara: Account, nordvik: Customer) -> None:
    assert '<a class="nav-link" href="/portal/"' not in re.sub(r"\s+", " ", as_(kari).get("/portal/").text)
    MembershipFactory(account=kari, customer=nordvik)
    for account in (kari, cara):
        assert '<a class="nav-link" href="/portal/"' in re.sub(r"\s+", " ", as_(account).get("/portal/").text)


@pytest.mark.django_db
def test_an_account_without_any_role_is_told_so() -> None:
    assert "Your account has no role." in as_(AccountFactory(name="Nobody Yet")).get("/").text


# ── How they get in ─────────────────────────────────────────────────────────
def test_the_door_never_says_whether_an_account_exists(kari: Account) -> None:
    """The same words for a wrong password and for a stranger; a reset is answered alike, and mails only the address."""
    kari.set_password("lighthouse in the fog")
    kari.save()
    told = []
    for email in (kari.email, "stranger@fjordlys.example"):
        answer = Client().post("/account/login/", {"login": email, "password": "wrong"})
        told.append(re.sub(r'(csrfmiddlewaretoken"|name="login"|nonce=)[^>]*>', "", answer.text))
        reset = Client().post("/account/password/reset/", {"email": email})
        assert reset["Location"] == "/account/password/reset/done/"
    deliver_due(now=timezone.now())
    assert "are not correct" in told[0]
    assert told[0] == told[1]
    assert [message.to for message in mail.outbox] == [[kari.email], ["stranger@fjordlys.example"]]


def test_a_forgotten_password_is_replaced(kari: Account) -> None:
    client = Client()
    client.post("/account/password/reset/", {"email": kari.email})
    deliver_due(now=timezone.now())
    link = re.search(r"/account/password/reset/key/\S+", str(mail.outbox[0].body))
    assert link is not None
    form = client.get(link[0], follow=True)
    assert "Choose a new password" in form.text
    secret = "a different lighthouse"
    done = client.post(form.request["PATH_INFO"], {"password1": secret, "password2": secret}, follow=True)
    assert "Your new password is saved" in done.text
    assert client.login(email=kari.email, password=secret)
    assert "This link no longer works" in Client().get(link[0], follow=True).text


def test_nobody_signs_up_by_themselves(kari: Account) -> None:
    answer = Client().get("/account/signup/")
    assert "Accounts are by invitation" in answer.text


def test_pages_of_the_account_stand_in_our_frame(kari: Account) -> None:
    client = as_(kari)
    for path in ("/account/password/change/", "/account/email/", "/account/logout/", "/account/reauthenticate/"):
        assert "css/components.css" in client.get(path, follow=True).text, path


# ── When something is wrong ─────────────────────────────────────────────────
@pytest.mark.django_db
def test_an_unknown_address_says_what_to_do() -> None:
    answer = Client().get("/no/such/page/")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_a_page_one_may_not_open_names_the_account(pia: Account, fjordlys: Customer) -> None:
    answer = as_(pia).get("/portal/fjordlys/users/")
    assert answer.status_code == 403
    assert f"You are signed in as {pia.email}." in answer.text


@pytest.mark.django_db
def test_a_form_from_elsewhere_is_answered_in_our_words() -> None:
    answer = Client(enforce_csrf_checks=True).post("/account/login/", {"login": "x"})
    assert answer.status_code == 403
    assert "This form has expired" in answer.text
    assert "<style" not in answer.text  # the CSP forbids it


def test_a_broken_request_and_our_own_mistake_have_pages_that_need_nothing() -> None:
    """Neither a database nor a session: either may be what is broken."""
    request = RequestFactory().get("/portal/")
    request.user = AnonymousUser()
    for answer, heading in (
        (bad_request(request, ValueError()), "This request can’t be read"),
        (server_error(request), "That was our mistake"),
    ):
        assert heading in answer.content.decode()


TEMPLATES = ["400.html", "403.html", "403_csrf.html", "404.html", "500.html"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_error_pages_are_drawn_without_a_request(name: str) -> None:
    assert "To the start page" in render_to_string(name)
