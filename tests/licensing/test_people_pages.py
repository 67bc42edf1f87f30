"""The pages of a user's life and plans: added, given plans, edited, leaving, erased (rules U-1 to U-10, U-16).

Fjordlys has two seats of Sales Premium and one of Service Premium; Ola holds both. Kari administers it, Vera may look.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.models import Account, CustomerUser, Membership
from customers.services.accounts import note_seen
from licensing.models import ChangeSet
from licensing.services.people import create_user, edit_user
from licensing.services.requests import ask_for_seats
from tests.factories.customers import AccountFactory
from tests.licensing.market import Market, Town, hours
from tests.licensing.test_portal import BOTH, CALENDAR, PREMIUM, SECRET, SERVICE, member, saves, visitor

OLA, IDA = "/portal/fjordlys/users/ola/", "/portal/fjordlys/users/ida/"
NEW = "/portal/fjordlys/new-user/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=2, service_premium=1, calendar=2, chat=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", "ten-service-premium", at=hours(2))
    return town


@pytest.fixture
def kari(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.ADMIN, "Kari Nordmann")


@pytest.fixture
def vera(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.VIEWER, "Vera Vik")


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def user(code: str) -> CustomerUser:
    found: CustomerUser = CustomerUser.objects.get(code=code)
    return found


def test_who_may_only_look_is_offered_no_change(vera: Client) -> None:
    page = vera.get(OLA)
    assert page.status_code == 200
    for words in ("Edit…", "Former employee…", "Erase…", 'name="plan:'):
        assert words not in page.text
    for path in (NEW, f"{OLA}edit/", f"{OLA}leaves/", f"{OLA}erase/"):
        assert vera.get(path).status_code == 403
        assert vera.post(path).status_code == 403
    assert vera.get(f"{OLA}plans/").status_code == 200
    assert vera.post(f"{OLA}plans/").status_code == 403


# ── Adding and editing ──────────────────────────────────────────────────────
class TestAdding:
    def test_a_user_and_then_another(self, kari: Client) -> None:
        new = {"name": "Nora Lie", "code": "nora", "email": "nora@fjordlys.example", "can_log_in": "on"}
        answer = kari.post(NEW, new)
        assert answer["Location"] == "/portal/fjordlys/users/nora/"
        assert said(answer) == ["Nora Lie is a user now, and holds nothing yet."]
        assert kari.post(NEW, {"name": "Per II", "code": "per2", "another": "1"})["Location"] == NEW
        assert (user("nora").can_log_in, user("per2").can_log_in) == (True, False)

    def test_what_is_wrong_stands_at_its_field(self, kari: Client) -> None:
        answer = kari.post(NEW, {"name": "Another", "code": "no such code", "email": "ola"})
        assert answer.status_code == 400
        assert answer.context["form"].errors.keys() == {"email"}
        answer = kari.post(NEW, {"name": "Another", "code": "no such code"})
        assert answer.context["form"].errors.keys() == {"code"}
        taken = kari.post(NEW, {"name": "Another", "code": "OLA"})
        assert "This customer has a user with this code already." in taken.text
        assert CustomerUser.objects.filter(name="Another").count() == 0


class TestEditing:
    def test_what_somebody_else_changed_meanwhile_is_not_put_back(self, kari: Client, fjordlys: Town) -> None:
        shown = kari.get(f"{OLA}edit/").text
        told = dict(re.findall(r'<input type="hidden" name="(initial-\w+)"(?: value="([^"]*)")?', shown))
        assert set(told) == {"initial-name", "initial-email", "initial-can_log_in"}
        others = {"name": "Ola Berg", "can_log_in": False}
        edit_user(customer=fjordlys.customer, actor=fjordlys.actor, user=user("ola"), **others)
        mine = {"name": told["initial-name"], "email": "ola@x.example", "can_log_in": "on"}
        kari.post(f"{OLA}edit/", told | mine)
        ola = user("ola")
        assert (ola.name, ola.email, ola.can_log_in) == ("Ola Berg", "ola@x.example", False)

    def test_name_and_address(self, kari: Client, fjordlys: Town) -> None:
        answer = kari.post(f"{OLA}edit/", {"name": "Ola Berg", "email": "ola@x.example", "can_log_in": "on"})
        assert answer["Location"] == OLA
        assert (user("ola").name, user("ola").email) == ("Ola Berg", "ola@x.example")
        assert fjordlys.holds("ola") == {"ten-sales-premium", "ten-service-premium"}

    def test_what_is_freed_is_shown_before_it_is(self, kari: Client, fjordlys: Town) -> None:
        change = {"name": "Ola", "email": ""}
        preview = kari.post(f"{OLA}edit/", change)
        assert preview.context["released"] == ["Ten Sales Premium", "Ten Service Premium"]
        assert fjordlys.holds("ola") == {"ten-sales-premium", "ten-service-premium"}
        sure = {**dict(preview.context["sent"]), "confirm": "1", "revision": preview.context["revision"]}
        answer = kari.post(f"{OLA}edit/", sure | {"reason": "Parental leave"})
        assert said(answer) == ["Ola is saved. Freed: Ten Sales Premium and Ten Service Premium."]
        assert (fjordlys.holds("ola"), user("ola").can_log_in) == (set(), False)
        assert ChangeSet.objects.latest("number").reason == "Parental leave"


# ── Leaving and coming back ─────────────────────────────────────────────────
class TestLeaving:
    def test_shown_then_done(self, kari: Client, fjordlys: Town) -> None:
        page = kari.get(f"{OLA}leaves/")
        assert "Free 2 seats" in page.text
        assert not user("ola").is_former_employee
        answer = kari.post(f"{OLA}leaves/", {"confirm": "1", "revision": page.context["revision"]})
        assert said(answer) == ["Ola is saved. Freed: Ten Sales Premium and Ten Service Premium."]
        assert (user("ola").is_former_employee, fjordlys.holds("ola")) == (True, set())

    def test_what_changed_since_is_looked_at_again(self, kari: Client, fjordlys: Town) -> None:
        page = kari.get(f"{OLA}leaves/")
        fjordlys.gives("ida", "ten-sales-premium")
        again = kari.post(f"{OLA}leaves/", {"confirm": "1", "revision": page.context["revision"]})
        assert again.status_code == 409
        assert "Something changed here in the meantime." in again.text
        assert not user("ola").is_former_employee

    def test_coming_back_brings_no_seat_back(self, kari: Client, fjordlys: Town) -> None:
        edit_user(customer=fjordlys.customer, actor=fjordlys.actor, user=user("ola"), is_former_employee=True)
        page = kari.get(f"{OLA}leaves/")
        assert "No seat comes back by itself." in page.text
        kari.post(f"{OLA}leaves/", {"confirm": "1", "returns": "1", "revision": page.context["revision"]})
        assert (user("ola").is_former_employee, fjordlys.holds("ola")) == (False, set())

    def test_sent_twice_it_happens_once(self, kari: Client, fjordlys: Town) -> None:
        revision = kari.get(f"{OLA}leaves/").context["revision"]
        kari.post(f"{OLA}leaves/", {"confirm": "1", "revision": revision})
        kari.post(f"{OLA}leaves/", {"confirm": "1", "revision": revision})
        assert user("ola").is_former_employee


class TestErasing:
    def test_what_goes_and_what_stays_is_said_and_the_code_typed(self, kari: Client, fjordlys: Town) -> None:
        page = kari.get(f"{OLA}erase/")
        assert page.context["released"] == ["Ten Sales Premium", "Ten Service Premium"]
        refused = kari.post(f"{OLA}erase/", {"confirm": "Ola"})
        assert refused.status_code == 400
        assert "Type ola exactly as it is written here." in refused.text
        answer = kari.post(f"{OLA}erase/", {"confirm": "ola"})
        erased = CustomerUser.objects.exclude(erased_at=None).get()
        assert answer["Location"] == f"/portal/fjordlys/users/{erased.code}/"
        assert kari.get(OLA).status_code == 404
        page = kari.get(answer["Location"])
        assert "Erased" in page.text
        assert "Erase…" not in page.text
        assert "+ Ten Sales Premium, Ten Service Premium" in page.text

    def test_nobody_is_erased_twice(self, kari: Client, fjordlys: Town) -> None:
        kari.post(f"{OLA}erase/", {"confirm": "ola"})
        code = CustomerUser.objects.exclude(erased_at=None).get().code
        for path in ("erase/", "edit/", "leaves/"):
            assert kari.get(f"/portal/fjordlys/users/{code}/{path}").status_code in (200, 409)
        assert kari.post(f"/portal/fjordlys/users/{code}/erase/", {"confirm": code}).status_code == 409


# ── The plans of one user ───────────────────────────────────────────────────
class TestPlans:
    def test_a_picker_per_solution_and_what_else_there_is(self, kari: Client) -> None:
        row = kari.get(IDA).context["plans"].row
        offered = {cell.label: [(o.meter.name, o.meter.left) for o in cell.options] for cell in row.cells}
        assert offered == {
            "Sales": [("Ten Sales Premium", "1 left")],
            "Service": [("Ten Service Premium", "full")],
        }
        assert [(box.meter.name, box.meter.left) for box in row.boxes] == [("Nebula", "2 left"), ("Visible For", "")]

    def test_a_choice_is_shown_before_it_counts_and_then_saved(self, kari: Client, fjordlys: Town) -> None:
        chosen = {"ida": {"sales": PREMIUM, "service": "", "extras": [CALENDAR, SECRET]}}
        preview = saves(kari, chosen, f"{IDA}plans/", preview="1")
        assert "Quotes (can now be edited)" in preview.text
        assert fjordlys.holds("ida") == set()
        answer = saves(kari, chosen, f"{IDA}plans/", reason="Joined")
        assert answer["Location"] == IDA
        assert fjordlys.holds("ida") == {"ten-sales-premium", "nebula", "visible-for"}
        assert ChangeSet.objects.latest("number").reason == "Joined"

    def test_nothing_chosen_changes_nothing(self, kari: Client) -> None:
        assert said(saves(kari, {"ida": {"sales": ""}}, f"{IDA}plans/")) == ["Nothing was changed."]

    def test_a_full_plan_names_who_could_give_one_up_and_asks_for_more(self, kari: Client, fjordlys: Town) -> None:
        (full,) = kari.get(IDA).context["plans"].full
        assert (full.meter.name, [other.code for other in full.unseen]) == ("Ten Service Premium", ["ola"])
        page = kari.get(IDA)
        assert "Ask for more seats…" in page.text
        assert f"/portal/fjordlys/requests/new/?module={SERVICE}&amp;user=ida" in page.text
        ask_for_seats(customer=fjordlys.customer, actor=fjordlys.actor, module=SERVICE, quantity=3)
        assert "3 more asked for" in kari.get(IDA).text

    def test_the_last_seat_given_to_somebody_else_since(self, kari: Client, fjordlys: Town) -> None:
        fjordlys.gives("per", "ten-sales-premium")
        answer = saves(kari, {"ida": {"sales": PREMIUM}}, f"{IDA}plans/")
        assert answer.status_code == 409
        assert "Ten Sales Premium has 2 seats; this would take 1 more than that." in answer.text
        assert [full.meter.module for full in answer.context["plans"].full] == [PREMIUM, SERVICE]
        assert fjordlys.holds("ida") == set()

    def test_a_solution_is_lost_only_when_somebody_says_so(self, kari: Client, fjordlys: Town) -> None:
        fjordlys.buys(sales_service_premium=1)
        fjordlys.gives("ida", "ten-sales-service-premium")
        chosen = {"was": [BOTH], "sales": PREMIUM, "service": BOTH}
        asked = saves(kari, {"ida": chosen}, f"{IDA}plans/")
        assert asked.status_code == 409
        assert 'name="accept:ida"' in asked.text
        asks = "Ten Sales Premium takes the place of Ten Sales Service Premium, and Ida would lose Service."
        assert asks in asked.text
        hint = saves(kari, {"ida": chosen}, "/portal/fjordlys/seats/hint/")
        assert 'name="accept:ida"' not in hint.text
        saves(kari, {"ida": chosen | {"accept": True}}, f"{IDA}plans/")
        assert fjordlys.holds("ida") == {"ten-sales-premium"}

    def test_who_has_left_has_no_pickers(self, kari: Client, fjordlys: Town) -> None:
        edit_user(customer=fjordlys.customer, actor=fjordlys.actor, user=user("ola"), is_former_employee=True)
        assert kari.get(OLA).context["plans"] is None
        assert "hold nothing" in kari.get(f"{OLA}plans/").text

    def test_it_costs_the_same_however_many_users(
        self, kari: Client, fjordlys: Town, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for n in range(30):
            create_user(customer=fjordlys.customer, actor=fjordlys.actor, code=f"u{n}", name=f"U{n}")
        kari.get(f"{IDA}plans/")
        with django_assert_num_queries(15):
            # session, account, roles, memberships, customer, user; board (packages, rows, solutions), seats used (3),
            # the user's seats; of what is full: open requests, and who was unseen longest
            kari.get(f"{IDA}plans/")


class TestSeatsOf:
    def test_who_was_unseen_longest_comes_first(self, kari: Client, fjordlys: Town) -> None:
        fjordlys.gives("per", "ten-sales-premium")
        CustomerUser.objects.filter(code="ola").update(last_seen_at=timezone.now() - timedelta(days=200))
        page = kari.get(f"/portal/fjordlys/seats/{PREMIUM}/")
        assert [seat.user.code for seat in page.context["table"].page] == ["per", "ola"]  # Per was never seen
        assert "All 2 seats are taken." in page.text

    def test_what_is_not_assigned_here_is_not_there(self, kari: Client) -> None:
        for module in ("superoffice.sale-cal", "nonsense"):
            assert kari.get(f"/portal/fjordlys/seats/{module}/").status_code == 404


# ── When somebody was seen ──────────────────────────────────────────────────
class TestSeen:
    def test_whoever_signs_in_was_seen_as_the_users_linked_to_the_account(self, fjordlys: Town, market: Market) -> None:
        account = AccountFactory(name="Ola", email="ola@fjordlys.example")
        account.set_password("lighthouse in the fog")
        account.save()
        nordvik = Town("nordvik", ["ola"])
        CustomerUser.objects.filter(code="ola").update(account=account)
        before = fjordlys.revision()
        Client().post("/account/login/", {"login": account.email, "password": "lighthouse in the fog"})
        seen = CustomerUser.objects.filter(code="ola").values_list("last_seen_at", flat=True)
        assert all(seen)
        assert not user("ida").last_seen_at
        assert (fjordlys.revision(), nordvik.revision()) == (before, nordvik.revision())

    def test_it_never_moves_back(self, fjordlys: Town) -> None:
        account: Account = AccountFactory(name="Ola")
        CustomerUser.objects.filter(code="ola").update(account=account, last_seen_at=hours(9))
        assert note_seen(account=account, at=hours(8)) == 0
        assert note_seen(account=account, at=hours(10)) == 1
        assert user("ola").last_seen_at == hours(10)

    def test_a_wrong_password_was_nobody(self, fjordlys: Town) -> None:
        account: Account = AccountFactory(name="Ola", email="ola@fjordlys.example")
        CustomerUser.objects.filter(code="ola").update(account=account)
        Client().post("/account/login/", {"login": account.email, "password": "wrong"})
        assert user("ola").last_seen_at is None


def test_customer_success_does_it_too(fjordlys: Town) -> None:
    cara = visitor(name="Cara Care", roles=["customer_success"])
    assert cara.get(f"{OLA}erase/").status_code == 200
    assert visitor(name="Aud Auditor", roles=["auditor"]).get(f"{OLA}erase/").status_code == 403
