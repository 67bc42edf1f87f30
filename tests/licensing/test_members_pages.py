"""The portal's pages of people: Kari administers Fjordlys, Vera looks, Cara helps, Nils is of another customer."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from customers.actor import Actor
from customers.models import Account, AuditEvent, Customer, Invitation, Membership, OutboxMessage
from customers.services.invitations import invite
from tests.factories.customers import AccountFactory, MembershipFactory

PEOPLE = "/portal/fjordlys/people/"


def as_(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def invitation(kari: Account, fjordlys: Customer) -> Invitation:
    by = Actor(account=kari)
    return invite(actor=by, customer=fjordlys, email="ida@fjordlys.example", role="viewer", link=str, at=timezone.now())


def hers(account: Account) -> Membership:
    found: Membership = Membership.objects.get(account=account)
    return found


def addresses(membership: Membership, invitation: Invitation) -> list[str]:
    member = f"{PEOPLE}{membership.pk}/"
    return [
        *(PEOPLE, f"{PEOPLE}invite/", f"{PEOPLE}invitations/", f"{PEOPLE}invitations/{invitation.pk}/"),
        *(f"{PEOPLE}second-step/", member, f"{member}remove/"),
    ]


# ── Who may ─────────────────────────────────────────────────────────────────
def test_another_customers_admin_finds_none_of_it(kari: Account, nils: Account, invitation: Invitation) -> None:
    for address in addresses(hers(kari), invitation):
        assert as_(nils).get(address).status_code == 404, address
        assert as_(nils).post(address).status_code in (404, 405), address
    mine = f"/portal/nordvik/people/{hers(kari).pk}/"
    assert as_(nils).get(mine).status_code == as_(nils).post(f"{mine}remove/").status_code == 404
    assert as_(nils).post(f"/portal/nordvik/people/invitations/{invitation.pk}/").status_code == 404
    assert Membership.objects.filter(account=kari).exists()


def test_a_viewer_sees_the_lists_and_changes_nothing(kari: Account, vera: Account, invitation: Invitation) -> None:
    client = as_(vera)
    for address in addresses(hers(kari), invitation):
        expected = 200 if address in (PEOPLE, f"{PEOPLE}invitations/") else 403
        assert client.get(address).status_code == expected, address
        assert client.post(address).status_code in (403, 405), address
    listed = client.get(PEOPLE).text
    assert "kari@fjordlys.example" in listed
    assert "Invite somebody" not in listed
    assert "Second step" not in listed


@pytest.mark.parametrize(("who", "status"), [("cara", 200), ("root", 200), ("aud", 403), ("pia", 403), ("paul", 403)])
def test_of_our_own_people_customer_success_manages_them(
    who: str, status: int, request: pytest.FixtureRequest, kari: Account
) -> None:
    client = as_(request.getfixturevalue(who))
    assert client.get(f"{PEOPLE}invite/").status_code == status
    assert client.get(PEOPLE).status_code == (200 if who in ("cara", "root", "aud") else 403)


def test_customer_success_invites_the_first_admin(cara: Account, fjordlys: Customer) -> None:
    client = as_(cara)
    assert "Nobody yet" in client.get(PEOPLE).text
    answer = client.post(f"{PEOPLE}invite/", {"email": "kari@fjordlys.example", "role": "admin"}, follow=True)
    assert "The invitation to kari@fjordlys.example is on its way." in answer.text
    assert Invitation.objects.get().inviter == "Cara Care"
    assert OutboxMessage.objects.get().payload["to"] == ["kari@fjordlys.example"]


# ── What they do ────────────────────────────────────────────────────────────
def test_an_invitation_is_sent_again_and_withdrawn(kari: Account, invitation: Invitation) -> None:
    client, page = as_(kari), f"{PEOPLE}invitations/{invitation.pk}/"
    assert "A new link is on its way" in client.post(page, {"resend": "1"}, follow=True).text
    assert OutboxMessage.objects.count() == 2
    assert "is withdrawn" in client.post(page, {"withdraw": "1"}, follow=True).text
    assert client.get(page).status_code == 404


def test_what_is_wrong_with_an_invitation_stands_beside_it(kari: Account, invitation: Invitation) -> None:
    client = as_(kari)
    for email, told in (("nonsense", "valid"), ("ida@fjordlys.example", "invited already"), (kari.email, "already")):
        answer = client.post(f"{PEOPLE}invite/", {"email": email, "role": "viewer"})
        assert answer.status_code == 400
        assert told in answer.text
    assert client.post(f"{PEOPLE}invite/", {"email": "a@b.example", "role": "owner"}).status_code == 400
    assert Invitation.objects.count() == 1


def test_a_role_is_changed_and_a_member_removed(kari: Account, vera: Account) -> None:
    client, member = as_(kari), f"{PEOPLE}{hers(vera).pk}/"
    assert "Vera Vik is admin now." in client.post(member, {"role": "admin"}, follow=True).text
    assert "Remove Vera Vik?" in client.get(f"{member}remove/").text
    assert "can’t open Fjordlys AS any more" in client.post(f"{member}remove/", follow=True).text
    assert as_(vera).get("/portal/fjordlys/").status_code in (403, 404)
    told = AuditEvent.objects.filter(object_type="membership").order_by("pk").values_list("action", "actor")
    assert list(told) == [("member.changed", "Kari Nordmann"), ("member.removed", "Kari Nordmann")]


def test_the_last_admin_can_neither_step_down_nor_leave(kari: Account, vera: Account) -> None:
    client, own = as_(kari), f"{PEOPLE}{hers(kari).pk}/"
    stepping_down = client.post(own, {"role": "viewer", "is_sure": "on"})
    assert stepping_down.status_code == 409
    assert "the last admin of Fjordlys AS" in stepping_down.text
    leaving = client.post(f"{own}remove/")
    assert leaving.status_code == 409
    assert "Make somebody else an admin first." in leaving.text
    assert hers(kari).role == "admin"


def test_giving_up_ones_own_rights_is_asked_twice(kari: Account, fjordlys: Customer) -> None:
    MembershipFactory(customer=fjordlys, account=AccountFactory(name="Ada Adviser"), role="admin")
    client, own = as_(kari), f"{PEOPLE}{hers(kari).pk}/"
    unsure = client.post(own, {"role": "viewer"})
    assert unsure.status_code == 400
    assert "Say that you are sure." in unsure.text
    assert "Leave Fjordlys AS?" in client.get(f"{own}remove/").text
    assert client.post(f"{own}remove/")["Location"] == "/"
    assert not Membership.objects.filter(account=kari).exists()


# ── The lists ───────────────────────────────────────────────────────────────
def names(answer: Any) -> list[str]:
    return [row.account.get_full_name() for row in answer.context["table"].page]


def test_members_are_found_and_sorted(kari: Account, vera: Account) -> None:
    client = as_(kari)
    assert names(client.get(PEOPLE)) == ["Kari Nordmann", "Vera Vik"]
    assert names(client.get(f"{PEOPLE}?sort=-name")) == ["Vera Vik", "Kari Nordmann"]
    assert names(client.get(f"{PEOPLE}?search=vera%40")) == ["Vera Vik"]
    assert names(client.get(f"{PEOPLE}?role=admin")) == ["Kari Nordmann"]
    assert "Nobody matches" in client.get(f"{PEOPLE}?search=nils").text


def test_an_old_link_says_so(kari: Account, invitation: Invitation) -> None:
    client = as_(kari)
    assert "waits" in client.get(f"{PEOPLE}invitations/").text
    Invitation.objects.update(expires_at=timezone.now())
    assert "link too old" in client.get(f"{PEOPLE}invitations/").text
    assert client.get(f"{PEOPLE}invitations/?search=ida").context["table"].page.paginator.count == 1
    assert client.get(f"{PEOPLE}invitations/?search=ola").context["table"].page.paginator.count == 0


@pytest.mark.parametrize("list_", ["", "invitations/"])
def test_csv_has_everybody(kari: Account, vera: Account, invitation: Invitation, list_: str) -> None:
    answer: Any = as_(kari).get(f"{PEOPLE}{list_}?format=csv")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == (2 if list_ else 3)
    assert "Change" not in lines[0]


def test_what_the_lists_cost_does_not_grow(
    kari: Account, fjordlys: Customer, django_assert_num_queries: Any, invitation: Invitation
) -> None:
    client = as_(kari)

    def cost() -> None:
        # session, account; roles, memberships; the customer; how many members, a page of them, their second steps
        with django_assert_num_queries(8):
            client.get(PEOPLE)
        # session, account; roles, memberships; the customer; how many invitations, a page of them
        with django_assert_num_queries(7):
            client.get(f"{PEOPLE}invitations/")

    cost()
    for n in range(60):
        account = AccountFactory(name=f"Member {n}")
        MembershipFactory(customer=fjordlys, account=account)
        account.authenticator_set.create(type="totp", data={})
        by = Actor(account=kari)
        invite(
            actor=by, customer=fjordlys, email=f"new{n}@fjordlys.example", role="viewer", link=str, at=timezone.now()
        )
    cost()
    assert len(names(client.get(f"{PEOPLE}?page=2"))) == 11
