"""The same over the API: members and invitations, with keys and with sessions."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import Account, Customer, Invitation, Membership, OutboxMessage
from tests.factories.customers import api_with

MEMBERS = "/api/v1/customers/fjordlys/members/"
INVITATIONS = "/api/v1/customers/fjordlys/invitations/"
IDA = {"email": "ida@fjordlys.example", "role": "admin"}


@pytest.fixture
def own(fjordlys: Customer) -> APIClient:
    return api_with("members:read", "members:write", customer=fjordlys)


def test_members_are_listed_changed_and_removed(own: APIClient, kari: Account, vera: Account) -> None:
    listed = own.get(MEMBERS).json()["results"]
    assert [(row["name"], row["role"]) for row in listed] == [("Kari Nordmann", "admin"), ("Vera Vik", "viewer")]
    hers = f"{MEMBERS}{listed[1]['id']}/"
    assert own.patch(hers, {"role": "admin"}).json()["role"] == "admin"
    assert own.delete(hers).status_code == 200
    last = own.delete(f"{MEMBERS}{listed[0]['id']}/")
    assert (last.status_code, last.json()["code"]) == (409, "last_admin")
    assert own.patch(f"{MEMBERS}{listed[0]['id']}/", {"role": "viewer"}).json()["code"] == "last_admin"
    assert Membership.objects.get().account == kari


def test_an_invitation_is_made_sent_again_and_withdrawn(own: APIClient) -> None:
    made = own.post(INVITATIONS, IDA)
    assert made.status_code == 201
    assert "token" not in made.content.decode()
    one = f"{INVITATIONS}{made.json()['id']}/"
    assert own.post(INVITATIONS, IDA).json()["code"] == "already_invited"
    assert own.post(f"{one}resend/").status_code == 200
    assert OutboxMessage.objects.count() == 2
    assert own.delete(one).status_code == 200
    assert own.get(INVITATIONS).json()["results"] == []
    assert own.delete(one).status_code == 404


def test_a_dry_run_sends_nothing_and_a_repetition_sends_once(own: APIClient, kari: Account, vera: Account) -> None:
    assert own.post(f"{INVITATIONS}?dry_run=true", IDA).status_code == 200
    assert not OutboxMessage.objects.exists()
    for _ in range(2):
        assert own.post(INVITATIONS, IDA, headers={"Idempotency-Key": "one"}).status_code == 201
    assert OutboxMessage.objects.count() == Invitation.objects.count() == 1
    hers = Membership.objects.get(account=vera)
    assert own.delete(f"{MEMBERS}{hers.pk}/?dry_run=true").status_code == 200
    assert own.patch(f"{MEMBERS}{hers.pk}/?dry_run=true", {"role": "admin"}).json()["role"] == "admin"
    hers.refresh_from_db()
    assert hers.role == "viewer"


@pytest.mark.parametrize(
    "body", [{}, {"email": "x", "role": "admin"}, {**IDA, "role": "owner"}, {**IDA, "name": "Ida"}, []]
)
def test_what_is_wrong_is_told(own: APIClient, body: Any) -> None:
    assert own.post(INVITATIONS, body).json()["code"] == "invalid"


def test_the_lists_cost_the_same_for_many(own: APIClient, kari: Account, django_assert_num_queries: Any) -> None:
    own.get(MEMBERS)
    for list_ in (MEMBERS, INVITATIONS):
        with django_assert_num_queries(2):  # the customer; a page
            own.get(list_)
