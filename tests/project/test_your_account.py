"""The pages about whoever is signed in: what they say, what they cost, and where they lead."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from customers.models import Account, Customer
from tests.factories.customers import AccountFactory, CustomerFactory, MembershipFactory

PASSWORD = "lighthouse in the fog"


def as_(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


def words(answer: Any) -> str:
    """Returns the text of the page's main part, as it is read."""
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def test_our_own_people_read_what_their_roles_are(cara: Account) -> None:
    cara.staff_roles.create(role="auditor")
    answer = as_(cara).get("/account/")
    assert "Roles Auditor Customer success" in words(answer)
    assert "cara.care@planarium.example" in words(answer)
    assert "Your customers" not in words(answer)


def test_a_superuser_reads_it(root: Account) -> None:
    assert "Role Superuser" in words(as_(root).get("/account/"))


def test_a_member_reads_where_and_as_what(kari: Account, nordvik: Customer) -> None:
    MembershipFactory(account=kari, customer=nordvik, role="viewer")
    told = words(as_(kari).get("/account/"))
    assert "Fjordlys AS admin Nordvik Handel AS viewer" in told
    assert "All your customers" not in told


@pytest.mark.django_db
def test_a_member_of_many_is_told_of_ten() -> None:
    account = AccountFactory(name="Ada Adviser")
    for n in range(11):
        MembershipFactory(account=account, customer=CustomerFactory(code=f"client-{n:02}"))
    answer = as_(account).get("/account/")
    assert len(answer.context["memberships"]) == 10
    assert "All your customers" in words(answer)


def test_whether_the_second_step_is_on(kari: Account) -> None:
    client = as_(kari)
    assert "Second step Off" in words(client.get("/account/"))
    kari.authenticator_set.create(type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
    assert "Second step On" in words(client.get("/account/"))


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/account/", "/account/2fa/", "/account/password/change/"])
def test_a_stranger_is_sent_to_the_door(path: str) -> None:
    assert Client().get(path)["Location"] == f"/account/login/?next={path}"


def test_addresses_are_changed_by_those_who_manage_accounts(kari: Account) -> None:
    """allauth would let anybody add one, past the audit trail."""
    client = as_(kari)
    answer = client.post("/account/email/", {"action_add": "", "email": "other@fjordlys.example"})
    assert answer["Location"] == "/account/"
    assert not kari.emailaddress_set.exists()
    assert client.get("/account/email/")["Location"] == "/account/"


def test_an_account_without_a_password_is_asked_to_choose_one(kari: Account) -> None:
    kari.set_unusable_password()
    kari.save()
    client = as_(kari)
    form = client.get("/account/password/change/", follow=True)
    assert "Choose a password" in words(form)
    done = client.post(form.request["PATH_INFO"], {"password1": PASSWORD, "password2": PASSWORD}, follow=True)
    assert "Your password is saved." in words(done)
    kari.refresh_from_db()
    assert kari.check_password(PASSWORD)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["confirm-email/", "confirm-email/some:old:key/", "inactive/"])
def test_pages_that_old_links_lead_to_have_our_words(path: str) -> None:
    answer = Client().get(f"/account/{path}")
    assert "css/components.css" in answer.text
    assert "Please" not in words(answer)


def test_a_closed_account_is_told_so(kari: Account) -> None:
    kari.set_password(PASSWORD)
    kari.is_active = False
    kari.save()
    answer = Client().post("/account/login/", {"login": kari.email, "password": PASSWORD}, follow=True)
    assert "This account is closed" in words(answer)
    assert not answer.wsgi_request.user.is_authenticated


def test_signing_in_and_out_is_not_celebrated(kari: Account) -> None:
    kari.set_password(PASSWORD)
    kari.save()
    client = Client()
    client.post("/account/login/", {"login": kari.email, "password": PASSWORD})
    assert "Successfully" not in client.get("/account/").text
    assert "You are signed out." in words(client.post("/account/logout/", follow=True))


# ── What they cost ──────────────────────────────────────────────────────────
@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/account/login/", "/account/password/reset/", "/account/password/reset/done/", "/nothing/"]
)
def test_a_stranger_at_the_door_costs_no_query(django_assert_num_queries: Any, path: str) -> None:
    client = Client()
    client.get(path)
    with django_assert_num_queries(0):
        client.get(path)


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/account/", 7),  # session, account; roles and memberships, twice: the navigation asks as well; second step
        ("/account/2fa/", 5),  # session, account; second steps, twice; who asks for one
        ("/account/logout/", 2),  # session, account
        ("/account/password/change/", 4),  # session, account; roles and memberships: may they come in without one
        ("/account/sessions/", 5),  # session, account; roles and memberships; how many sessions
    ],
)
def test_pages_of_the_account_cost_few_queries(
    django_assert_num_queries: Any, kari: Account, path: str, queries: int
) -> None:
    client = as_(kari)
    client.get(path)
    with django_assert_num_queries(queries):
        client.get(path)
