"""The pages of requests for more seats: asked by who administers a customer, answered by customer success (U-13).

Fjordlys has one seat of Sales Premium, which Ola holds.
"""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from customers.models import Membership
from licensing.models import SeatRequest
from licensing.services.requests import ask_for_seats, withdraw_request
from tests.licensing.market import Market, Town, hours
from tests.licensing.test_portal import PREMIUM, member, visitor

MINE, NEW, ALL = "/portal/fjordlys/requests/", "/portal/fjordlys/requests/new/", "/requests/"
CHANGE = "/portal/fjordlys/subscription/change/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=1, chat=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    return town


@pytest.fixture
def kari(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.ADMIN, "Kari Nordmann")


@pytest.fixture
def vera(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.VIEWER, "Vera Vik")


@pytest.fixture
def cara(fjordlys: Town) -> Client:
    return visitor(name="Cara Care", roles=["customer_success"])


@pytest.fixture
def asked(fjordlys: Town) -> SeatRequest:
    who: dict[str, Any] = {"customer": fjordlys.customer, "actor": fjordlys.actor}
    return ask_for_seats(**who, module=PREMIUM, quantity=2, note="Two start in May")


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


class TestAsking:
    def test_from_the_full_plan_to_the_request(self, kari: Client, fjordlys: Town) -> None:
        form = kari.get(NEW, {"module": PREMIUM, "user": "ida"})
        assert form.context["form"].initial == {"module": PREMIUM, "user": "ida"}
        answer = kari.post(NEW, {"module": PREMIUM, "quantity": "2", "user": "ida", "note": "She starts in May"})
        request = SeatRequest.objects.get()
        assert answer["Location"] == f"{MINE}{request.pk}/"
        assert (request.asked_by, request.user) == ("Kari Nordmann", fjordlys.users["ida"])
        page = kari.get(answer["Location"])
        assert "Customer success has not answered yet." in page.text
        assert "now 1 of 1 are taken" in page.text

    @pytest.mark.parametrize(
        ("form", "field"),
        [
            ({"module": PREMIUM, "quantity": "0"}, "quantity"),
            ({"module": "superoffice.visible-for", "quantity": "1"}, "module"),  # there is no limit to it
            ({"module": PREMIUM, "quantity": "1", "user": "nobody"}, "user"),
        ],
    )
    def test_what_is_wrong_stands_at_its_field(self, kari: Client, form: dict[str, str], field: str) -> None:
        answer = kari.post(NEW, form)
        assert answer.status_code == 400
        assert answer.context["form"].errors.keys() == {field}
        assert SeatRequest.objects.count() == 0

    def test_a_second_one_is_told_of_the_first(self, kari: Client, asked: SeatRequest) -> None:
        answer = kari.post(NEW, {"module": PREMIUM, "quantity": "1"})
        assert "2 more of Ten Sales Premium were asked for already, by system." in answer.text

    def test_who_only_looks_asks_for_nothing(self, vera: Client, asked: SeatRequest) -> None:
        assert vera.get(NEW).status_code == 403
        page = vera.get(f"{MINE}{asked.pk}/")
        assert "Withdraw" not in page.text
        assert vera.post(f"{MINE}{asked.pk}/", {"withdraw": "1"}).status_code == 403

    def test_withdrawn(self, kari: Client, asked: SeatRequest) -> None:
        kari.post(f"{MINE}{asked.pk}/", {"withdraw": "1"})
        asked.refresh_from_db()
        assert (asked.state, asked.answered_by) == ("withdrawn", "Kari Nordmann")
        again = kari.post(f"{MINE}{asked.pk}/", {"withdraw": "1"})
        assert again.status_code == 409
        assert "withdrawn already" in again.text


class TestAnswering:
    def test_who_asks_does_not_answer(self, kari: Client, asked: SeatRequest) -> None:
        assert "Decline" not in kari.get(f"{MINE}{asked.pk}/").text
        assert kari.post(f"{MINE}{asked.pk}/", {"decline": "1", "reason": "No"}).status_code == 403
        assert kari.get("/portal/fjordlys/subscription/", {"request": asked.pk}).status_code == 403

    def test_declined_with_a_reason(self, cara: Client, kari: Client, asked: SeatRequest) -> None:
        assert cara.post(f"{MINE}{asked.pk}/", {"decline": "1", "reason": " "}).status_code == 400
        cara.post(f"{MINE}{asked.pk}/", {"decline": "1", "reason": "Call us first"})
        page = kari.get(f"{MINE}{asked.pk}/")
        assert "Call us first" in page.text
        assert "by Cara Care" in page.text

    def test_granted_after_a_preview(self, cara: Client, fjordlys: Town, asked: SeatRequest) -> None:
        page = cara.get(f"{MINE}{asked.pk}/")
        assert page.context["wanted"] == {"sales-premium": 3, "chat": 1}
        form = {"request": asked.pk, "when": "now", **page.context["wanted"]}
        preview = cara.post(CHANGE, form)
        assert preview.context["wanted"].title == "Grant 2 more of Ten Sales Premium"
        asked.refresh_from_db()
        assert asked.is_open
        sure = {**dict(preview.context["sent"]), "confirm": "1", "revision": preview.context["revision"]}
        assert said(cara.post(CHANGE, sure)) == ["The subscription is changed. The request is granted."]
        asked.refresh_from_db()
        assert (asked.state, asked.answered_by) == ("granted", "Cara Care")
        fjordlys.gives("ida", "ten-sales-premium")
        assert "Bought" in cara.get(f"{MINE}{asked.pk}/").text

    def test_the_subscriptions_page_is_filled_in(self, cara: Client, asked: SeatRequest) -> None:
        page = cara.get("/portal/fjordlys/subscription/", {"request": asked.pk})
        assert page.context["form"].fields["sales-premium"].initial == 3
        assert f'<input type="hidden" name="request" value="{asked.pk}">' in page.text

    @pytest.mark.parametrize("number", ["4711", "x", "9" * 30])
    def test_a_request_that_is_not_there(self, cara: Client, number: str) -> None:
        assert cara.get("/portal/fjordlys/subscription/", {"request": number}).status_code == 404

    def test_nobody_grants_what_was_withdrawn_meanwhile(self, cara: Client, fjordlys: Town, asked: SeatRequest) -> None:
        wanted = cara.get(f"{MINE}{asked.pk}/").context["wanted"]
        withdraw_request(customer=fjordlys.customer, actor=fjordlys.actor, request=asked)
        answer = cara.post(CHANGE, {"request": asked.pk, "when": "now", **wanted})
        assert answer.status_code == 409
        assert "withdrawn already" in answer.text
        assert fjordlys.customer.packages.count() == 1


class TestLists:
    def test_of_all_customers_for_our_own_people(
        self, cara: Client, kari: Client, asked: SeatRequest, market: Market
    ) -> None:
        nordvik = Town("nordvik", [])
        nordvik.buys(service_premium=1)
        who: dict[str, Any] = {"customer": nordvik.customer, "actor": nordvik.actor}
        ask_for_seats(**who, module="ten-service-premium", quantity=7)
        assert listed(cara) == ["7 more of Ten Service Premium", "2 more of Ten Sales Premium"]
        assert listed(cara, search="NORD") == ["7 more of Ten Service Premium"]
        assert listed(cara, search="may") == ["2 more of Ten Sales Premium"]
        assert listed(cara, state="granted") == []
        assert listed(visitor(name="Aud Auditor", roles=["auditor"])) == listed(cara)
        for client in (kari, visitor(name="Pia Product", roles=["product_manager"])):
            assert client.get(ALL).status_code == 403
        assert [str(row) for row in kari.get(MINE).context["table"].page] == ["2 more of Ten Sales Premium"]

    def test_as_csv(self, cara: Client, asked: SeatRequest) -> None:
        answer = cara.get(ALL, {"format": "csv"})
        rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
        assert rows[0][:2] == ["Asked for", "Customer"]
        assert rows[1][:2] == ["2 more of Ten Sales Premium", "Fjordlys AS"]

    def test_queries_do_not_grow_with_requests(
        self, cara: Client, fjordlys: Town, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        who: dict[str, Any] = {"customer": fjordlys.customer, "actor": fjordlys.actor}
        for number in range(1, 20):
            made = ask_for_seats(**who, module=PREMIUM, quantity=number, user=fjordlys.users["ida"])
            withdraw_request(**who, request=made)
        cara.get(ALL)
        with django_assert_num_queries(6):  # session, account, roles, memberships; how many, and the page
            cara.get(ALL)

    def test_what_is_open_waits_on_the_home_page(self, cara: Client, asked: SeatRequest) -> None:
        home = cara.get("/")
        assert "Fjordlys AS asks for 2 more of Ten Sales Premium." in home.text


def listed(client: Client, **asked: str) -> list[str]:
    return [str(row) for row in client.get(ALL, asked).context["table"].page]
