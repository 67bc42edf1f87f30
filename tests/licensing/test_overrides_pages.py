"""The pages of overrides: looked at by who reads customers, granted and ended by customer success. Rules O-1 to O-7."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from customers.actor import SYSTEM, Actor
from customers.models import Account, Membership
from licensing.facts import Mode
from licensing.models import Override
from licensing.services.overrides import grant_override
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Town, hours

HOME = "/portal/fjordlys/overrides/"
NEW = f"{HOME}new/"


def visitor(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def held(town: Town) -> Town:
    town.buys(sales_essentials=3, storage=1, at=hours(1))
    town.gives("ola", "ten-sales-essentials", at=hours(2))
    return town


@pytest.fixture
def cara(held: Town) -> Client:
    return visitor(AccountFactory(name="Cara Care", roles=["customer_success"]))


@pytest.fixture
def kari(held: Town) -> Client:
    account = AccountFactory(name="Kari Nordmann", email="kari@fjordlys.example")
    MembershipFactory(customer=held.customer, account=account, role=Membership.Role.ADMIN)
    return visitor(account)


def given(town: Town, feature: str = "sales", mode: Mode = Mode.DENY, **wish: Any) -> Override:
    wish = {"reason": "Audit", "actor": SYSTEM, **wish}
    return grant_override(customer=town.customer, feature=feature, mode=mode, **wish)


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


class TestLists:
    @pytest.fixture
    def several(self, held: Town) -> Town:
        soon = datetime.now(UTC) + timedelta(days=5)
        given(held, user=held.users["ola"], reason="Too much for Ola")
        given(held, "storage", Mode.AT_LEAST, value=500, reason="A gift", ends_at=soon)
        return held

    def test_a_customers_admin_reads_who_granted_what_and_why(self, several: Town, kari: Client) -> None:
        page = kari.get(HOME)
        assert page.status_code == 200
        for told in ("At least 500 GB", "Taken away", "Too much for Ola", "Everybody", "/portal/fjordlys/users/ola/"):
            assert told in page.text
        assert "Grant an override" not in page.text
        assert "/end/" not in page.text

    @pytest.mark.parametrize(
        ("query", "reasons"),
        [
            ("state=ending", {"A gift"}),
            ("state=live", {"A gift", "Too much for Ola"}),
            ("state=ended", set()),
            ("of=user", {"Too much for Ola"}),
            ("mode=at_least", {"A gift"}),
            ("search=storage", {"A gift"}),
            ("search=%00&state=nonsense&sort=nonsense&page=99", {"A gift", "Too much for Ola"}),
        ],
    )
    def test_it_is_narrowed_and_taken_along(self, several: Town, kari: Client, query: str, reasons: set[str]) -> None:
        """O-6 among them: those about to end."""
        shown = {override.reason for override in kari.get(f"{HOME}?{query}").context["table"].page}
        assert shown == reasons
        sheet = b"".join(kari.get(f"{HOME}?{query}&format=csv")).decode()
        assert len(sheet.splitlines()) == 1 + len(reasons)

    def test_those_of_all_customers_are_for_our_own_people(self, several: Town, cara: Client, kari: Client) -> None:
        nordvik = Town("nordvik", ())
        given(nordvik, reason="Elsewhere", ends_at=datetime.now(UTC) + timedelta(days=2))
        shown = cara.get("/overrides/?state=ending&sort=until").context["table"].page
        assert [override.reason for override in shown] == ["Elsewhere", "A gift"]
        assert kari.get("/overrides/").status_code == 403

    def test_the_list_costs_the_same_whatever_is_in_it(
        self, several: Town, cara: Client, django_assert_max_num_queries: Any
    ) -> None:
        for mode in (Mode.SET, Mode.AT_LEAST):
            given(several, "storage", mode, value=5, user=several.users["ola"])
        with django_assert_max_num_queries(8):
            assert len(cara.get("/overrides/").context["table"].page) == 4

    def test_who_is_about_to_lose_one_is_led_to_it(self, several: Town, kari: Client, cara: Client) -> None:
        for client, start in ((kari, "/portal/fjordlys/"), (cara, "/")):
            assert "/portal/fjordlys/overrides/?state=ending" in client.get(start).text


class TestGranting:
    def test_it_is_asked_for_shown_and_confirmed(self, held: Town, cara: Client) -> None:
        """O-5: nothing happens before it is confirmed."""
        asked = cara.get(NEW, {"feature": "storage", "user": "ola"})
        assert "for Ola" in asked.text
        assert 'name="unlimited"' in asked.text

        wish = hidden(asked.text) | {"mode": "add", "value": "50", "reason": "Pilot"}
        preview = cara.post(NEW, wish)
        assert "Nothing has changed yet" in preview.text
        assert "100 GB → 150 GB" in preview.text
        assert not Override.objects.exists()

        done = cara.post(NEW, hidden(preview.text) | {"confirm": "1"}, follow=True)

        assert "is granted" in done.text
        granted = Override.objects.get()
        assert (granted.value, granted.user, granted.created_by) == (50, held.users["ola"], "Cara Care")
        assert held.answer("ola")["storage"]["value"] == 150

    @pytest.mark.parametrize(
        ("feature", "wish", "value", "unlimited"),
        [
            ("storage", {"mode": "at_least", "unlimited": "on"}, None, True),
            ("sales", {"mode": "set", "value": "false"}, False, False),
            ("dashboards", {"mode": "at_most", "value": "default-tiles"}, "default-tiles", False),
            ("sales", {"mode": "deny"}, None, False),
        ],
    )
    def test_each_kind_asks_for_what_it_knows(
        self, held: Town, cara: Client, feature: str, wish: dict[str, str], value: Any, unlimited: bool
    ) -> None:
        preview = cara.post(NEW, {"feature": feature, "reason": "Pilot", **wish})
        cara.post(NEW, hidden(preview.text) | {"confirm": "1"})
        granted = Override.objects.get()
        assert (granted.feature.code, granted.value, granted.unlimited) == (feature, value, unlimited)

    @pytest.mark.parametrize(
        ("wish", "status", "told"),
        [
            ({"feature": "juggling"}, 400, "Select a valid choice"),
            ({"feature": "storage", "mode": "add"}, 400, "Say how much"),
            ({"feature": "storage", "mode": "add", "value": "much"}, 400, "Enter a whole number"),
            ({"feature": "dashboards", "mode": "set"}, 400, "Choose one"),
            ({"feature": "sales", "mode": "add", "value": "true"}, 400, "Select a valid choice"),
            ({"feature": "sales", "mode": "deny", "reason": ""}, 400, "This field is required"),
            ({"feature": "sales", "mode": "deny", "ends_on": "2020-01-01"}, 400, "The end lies after the start"),
            ({"feature": "sales", "mode": "deny", "user": "nobody"}, 404, ""),
        ],
    )
    def test_what_is_wrong_is_said_beside_its_field(
        self, held: Town, cara: Client, wish: dict[str, str], status: int, told: str
    ) -> None:
        answer = cara.post(NEW, {"reason": "Pilot", **wish})
        assert answer.status_code == status
        assert told in answer.text
        assert not Override.objects.exists()

    def test_an_unknown_user_is_said_before_anything_is_asked(self, held: Town, cara: Client) -> None:
        answer = cara.get(NEW, {"feature": "sales", "user": "nobody\0"})
        assert answer.status_code == 404
        assert "nobody" in answer.text

    def test_one_of_its_mode_is_live_already(self, held: Town, cara: Client) -> None:
        given(held, reason="As agreed")
        answer = cara.post(NEW, {"feature": "sales", "mode": "deny", "reason": "Again"})
        assert answer.status_code == 409
        assert "As agreed" in answer.text

    def test_what_happened_in_between_is_looked_at_first(self, held: Town, cara: Client) -> None:
        preview = cara.post(NEW, {"feature": "sales", "mode": "deny", "reason": "Audit"})
        held.gives("ida", "ten-sales-essentials")
        answer = cara.post(NEW, hidden(preview.text) | {"confirm": "1"})
        assert answer.status_code == 409
        assert "Look again before you confirm" in answer.text
        assert not Override.objects.exists()

    def test_who_only_reads_grants_and_ends_nothing(self, held: Town, kari: Client) -> None:
        """O-7."""
        end = f"{HOME}{given(held).pk}/end/"
        for address in (NEW, end):
            assert kari.get(address).status_code == 403
            assert kari.post(address, {"confirm": "1"}).status_code == 403
        assert Override.objects.get().ended_at is None


class TestEnding:
    def test_it_is_shown_then_confirmed(self, held: Town, cara: Client) -> None:
        """O-4."""
        end = f"{HOME}{given(held).pk}/end/"
        preview = cara.get(end)
        assert "Not there → Included" in preview.text
        assert Override.objects.get().ended_at is None

        done = cara.post(end, hidden(preview.text) | {"confirm": "1"}, follow=True)

        assert "has ended" in done.text
        assert held.access("ola", "sales") == "edit"
        assert "ended already" in cara.get(end, follow=True).text

    def test_another_customers_is_not_there(self, held: Town, cara: Client) -> None:
        elsewhere = given(Town("nordvik", ()))
        assert cara.get(f"{HOME}{elsewhere.pk}/end/").status_code == 404
        stranger = AccountFactory()
        MembershipFactory(customer=elsewhere.customer, account=stranger, role=Membership.Role.ADMIN)
        assert visitor(stranger).get(HOME).status_code == 404


def test_the_page_of_a_user_tells_who_granted_it_and_why(held: Town, cara: Client, kari: Client) -> None:
    """Among the user's overrides, and in the explanation of the feature."""
    ada = Actor(account=AccountFactory(name="Ada Adviser"))
    given(held, "storage", Mode.AT_LEAST, value=0, user=held.users["ola"], reason="As agreed in May", actor=ada)
    page = kari.get("/portal/fjordlys/users/ola/?feature=storage")
    (step,) = page.context["page"].explained.overrides
    assert (step["granted_by"], step["reason"]) == ("Ada Adviser", "As agreed in May")
    assert "At least 0 GB" in page.text
    assert "Grant an override" not in page.text
    assert f"{NEW}?user=ola" in cara.get("/portal/fjordlys/users/ola/").text
