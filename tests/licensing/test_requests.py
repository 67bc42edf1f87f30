"""Asking for more seats, and what becomes of it (rules U-11 to U-15).

Fjordlys has one seat of Sales Premium, Kari asks for more, Cara answers.
"""

from __future__ import annotations

from typing import Any

import pytest

from customers.actor import Actor
from customers.errors import Invalid, NotFound
from customers.models import Account, AuditEvent
from licensing.errors import ModuleIsHidden, ModuleNotAssignable, ModuleNotInPackage, SeatRequestRefused
from licensing.models import SeatRequest
from licensing.services.requests import ask_for_seats, decline_request, grant_request, withdraw_request
from tests.factories.customers import AccountFactory, api_with
from tests.licensing.market import Market, Town, hours
from tests.licensing.partners import Partner

PREMIUM = "superoffice.ten-sales-premium"
PATH = "/api/v1/customers/fjordlys/seat-requests/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=1, chat=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    return town


@pytest.fixture
def kari() -> Actor:
    return Actor(account=AccountFactory(name="Kari Nordmann"))


@pytest.fixture
def by_cara(cara: Account) -> Actor:
    return Actor(account=cara)


def asked(town: Town, actor: Actor, **how: Any) -> SeatRequest:
    usual = {"module": "ten-sales-premium", "quantity": 2, "note": "Two start in May", "at": hours(3)}
    return ask_for_seats(customer=town.customer, actor=actor, **(usual | how))


class TestAsking:
    def test_who_asked_for_what_and_for_whom(self, fjordlys: Town, kari: Actor) -> None:
        request = asked(fjordlys, kari, user=fjordlys.users["ida"])
        assert (request.full_name, request.module_description) == (PREMIUM, "Ten Sales Premium")
        assert (request.quantity, request.note, request.user) == (2, "Two start in May", fjordlys.users["ida"])
        assert (request.state, request.asked_by, request.asked_at) == ("open", "Kari Nordmann", hours(3))

    def test_nobodys_answer_changes(self, fjordlys: Town, kari: Actor) -> None:
        before = fjordlys.revision()
        asked(fjordlys, kari)
        assert fjordlys.revision() == before

    def test_one_request_per_module_is_open(self, fjordlys: Town, kari: Actor) -> None:
        first = asked(fjordlys, kari)
        with pytest.raises(SeatRequestRefused) as refused:
            asked(fjordlys, kari, quantity=5)
        assert refused.value.blocking == {"kind": "seat_request", "code": str(first.pk)}
        assert "2 more of Ten Sales Premium were asked for already, by Kari Nordmann." in refused.value.message
        withdraw_request(customer=fjordlys.customer, actor=kari, request=first)
        assert asked(fjordlys, kari, quantity=5).quantity == 5

    @pytest.mark.parametrize(
        ("module", "refusal"),
        [
            ("visible-for", SeatRequestRefused),  # there is no limit to it
            ("cep", ModuleNotAssignable),  # a site licence
            ("sale-cal", ModuleIsHidden),
            ("ten-service-premium", ModuleNotInPackage),
            ("nonsense", NotFound),
        ],
    )
    def test_what_nobody_can_ask_for(self, fjordlys: Town, kari: Actor, module: str, refusal: type[Exception]) -> None:
        with pytest.raises(refusal):
            asked(fjordlys, kari, module=module)

    @pytest.mark.parametrize("quantity", [0, -1, 100_001])
    def test_how_many_nobody_can_ask_for(self, fjordlys: Town, kari: Actor, quantity: int) -> None:
        with pytest.raises(Invalid):
            asked(fjordlys, kari, quantity=quantity)

    def test_a_dry_run_leaves_no_trace(self, fjordlys: Town, kari: Actor) -> None:
        before = AuditEvent.objects.count()
        asked(fjordlys, kari, dry_run=True)
        assert (SeatRequest.objects.count(), AuditEvent.objects.count()) == (0, before)


class TestAnswering:
    def test_granting_buys_the_seats_in_the_same_transaction(self, fjordlys: Town, kari: Actor, by_cara: Actor) -> None:
        request = asked(fjordlys, kari)
        granted = grant_request(customer=fjordlys.customer, actor=by_cara, request=request, reason="Welcome, you two")
        assert (granted.request.state, granted.request.answered_by) == ("granted", "Cara Care")
        assert granted.request.answer == "Welcome, you two"
        assert granted.request.item is not None
        assert granted.request.item.quantity == 3
        fjordlys.gives("ida", "ten-sales-premium")
        fjordlys.gives("per", "ten-sales-premium")

    def test_granting_what_the_subscription_was_changed_to_by_hand(
        self, fjordlys: Town, kari: Actor, by_cara: Actor
    ) -> None:
        request = asked(fjordlys, kari)
        granted = grant_request(
            customer=fjordlys.customer, actor=by_cara, request=request, items={"sales-premium": 9, "chat": 0}
        )
        assert granted.request.item is not None
        assert granted.request.item.quantity == 9

    def test_a_dry_run_tells_what_would_come_of_it(self, fjordlys: Town, kari: Actor, by_cara: Actor) -> None:
        request = asked(fjordlys, kari)
        told = grant_request(customer=fjordlys.customer, actor=by_cara, request=request, dry_run=True)
        assert told.subscribed.outlook is not None
        request.refresh_from_db()
        assert (request.state, fjordlys.customer.packages.count()) == ("open", 1)

    def test_declining_says_why(self, fjordlys: Town, kari: Actor, by_cara: Actor) -> None:
        request = asked(fjordlys, kari)
        with pytest.raises(Invalid):
            decline_request(customer=fjordlys.customer, actor=by_cara, request=request, reason=" ")
        declined = decline_request(customer=fjordlys.customer, actor=by_cara, request=request, reason="Call us first")
        assert (declined.state, declined.answer) == ("declined", "Call us first")

    def test_nothing_is_answered_twice(self, fjordlys: Town, kari: Actor, by_cara: Actor) -> None:
        request = asked(fjordlys, kari)
        withdraw_request(customer=fjordlys.customer, actor=kari, request=request)
        who: dict[str, Any] = {"customer": fjordlys.customer, "actor": by_cara, "request": request}
        for act in (
            lambda: grant_request(**who),
            lambda: decline_request(**who, reason="No"),
            lambda: withdraw_request(**who),
        ):
            with pytest.raises(SeatRequestRefused, match="withdrawn already, by Kari Nordmann"):
                act()
        assert fjordlys.customer.packages.count() == 1

    def test_what_is_not_ours_is_not_granted(self, fjordlys: Town, kari: Actor, by_cara: Actor) -> None:
        Partner().issues_to(fjordlys, at=hours(3))
        rows = fjordlys.customer.module_licenses.filter(package__owner__code="ACME", license_type=3, hidden=False)
        module = next(row.full_name for row in rows)
        request = asked(fjordlys, kari, module=module, at=hours(4))
        with pytest.raises(SeatRequestRefused, match="no plan or add-on of ours"):
            grant_request(customer=fjordlys.customer, actor=by_cara, request=request)

    def test_a_change_that_is_refused_leaves_it_open(self, fjordlys: Town, kari: Actor, by_cara: Actor) -> None:
        request = asked(fjordlys, kari)
        with pytest.raises(NotFound):
            grant_request(customer=fjordlys.customer, actor=by_cara, request=request, items={"nonsense": 3})
        request.refresh_from_db()
        assert request.state == "open"


class TestApi:
    def test_from_the_question_to_the_seats(self, fjordlys: Town) -> None:
        http = api_with()
        body = {"module": "ten-sales-premium", "quantity": 2, "user": "IDA", "note": "Two start in May"}
        made = http.post(PATH, body, format="json")
        assert made.status_code == 201
        assert made.json()["module"] == PREMIUM
        assert (made.json()["user"], made.json()["state"]) == ("ida", "open")
        answer = f"{PATH}{made.json()['id']}/answer/"
        rehearsed = http.post(f"{answer}?dry_run=true", {"answer": "grant"}, format="json").json()
        assert (rehearsed["dry_run"], rehearsed["package"], rehearsed["active"]) == (True, 2, True)
        assert http.post(answer, {"answer": "grant"}, format="json").json()["request"]["state"] == "granted"
        (listed,) = http.get(PATH, {"state": "granted"}).json()["results"]
        assert listed["answered_by"]
        assert http.get(PATH, {"state": "open"}).json()["results"] == []

    def test_repeated_it_asks_once(self, fjordlys: Town) -> None:
        http, key = api_with(), {"HTTP_IDEMPOTENCY_KEY": "k"}
        body = {"module": PREMIUM, "quantity": 2}
        first = http.post(PATH, body, format="json", **key)
        assert http.post(PATH, body, format="json", **key).json() == first.json()
        assert SeatRequest.objects.count() == 1

    def test_withdrawn(self, fjordlys: Town, kari: Actor) -> None:
        request = asked(fjordlys, kari)
        assert api_with().delete(f"{PATH}{request.pk}/").json()["state"] == "withdrawn"
        assert api_with().delete(f"{PATH}{request.pk}/").json()["code"] == "seat_request_refused"

    def test_another_customers_request_is_not_there(self, fjordlys: Town, kari: Actor, market: Market) -> None:
        request = asked(fjordlys, kari)
        Town("nordvik", [])
        for path in ("", "answer/"):
            foreign = f"/api/v1/customers/nordvik/seat-requests/{request.pk}/{path}"
            http = api_with()
            answer = http.post(foreign, {"answer": "grant"}, format="json") if path else http.get(foreign)
            assert answer.status_code == 404

    @pytest.mark.parametrize(
        "body",
        [{}, {"module": PREMIUM}, {"module": PREMIUM, "quantity": 0}, {"module": PREMIUM, "quantity": 1, "x": 1}],
    )
    def test_wrong_bodies(self, fjordlys: Town, body: dict[str, Any]) -> None:
        assert api_with().post(PATH, body, format="json").status_code == 400
