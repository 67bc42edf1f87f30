"""The pages on what a draft would do: who opens them, and how a report is asked for, watched and read."""

from __future__ import annotations

import pytest
from django.test import Client

from catalog.models import Version
from catalog.services import drafting
from customers.actor import SYSTEM
from customers.models import Membership
from customers.outbox import deliver_due
from licensing.models import ImpactReport
from tests.licensing.market import Market, Town, hours
from tests.licensing.test_impact import draft
from tests.licensing.test_portal import member, visitor


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=3, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    return town


@pytest.fixture
def version(market: Market, fjordlys: Town) -> Version:
    return draft(market, quotes=None)


@pytest.fixture
def pia(market: Market) -> Client:
    return visitor(name="Pia Product", roles=["product_manager"])


def test_a_product_manager_asks_watches_and_reads(pia: Client, version: Version) -> None:
    assert "Look at its impact" in pia.get("/impact/").text
    waiting = pia.post("/impact/", {"draft": version.pk}, follow=True)
    assert "Customers looked at: 0 of 1" in waiting.text
    report = ImpactReport.objects.get()
    assert deliver_due(now=report.at) == 1
    done = pia.get(f"/impact/{report.pk}/")
    assert "3 worse off" in done.text
    assert [row.code for row in done.context["table"].page] == ["quotes"]
    customers = pia.get(f"/impact/{report.pk}/customers/")
    assert [row.customer.code for row in customers.context["table"].page] == ["fjordlys"]
    assert "Nothing matches" in pia.get(f"/impact/{report.pk}/customers/", {"only": "problems"}).text
    assert "Nothing is in the way" in pia.get(f"/impact/{report.pk}/problems/").text
    one = pia.get(f"/impact/{report.pk}/customers/fjordlys/")
    assert "lost: 3" in one.text
    download = pia.get(f"/impact/{report.pk}/", {"format": "csv"})
    assert b"Quotes,0,0,0,3" in b"".join(download.streaming_content)
    assert f'href="/impact/{report.pk}/"' in pia.get("/impact/").text


def test_it_is_for_those_who_work_on_plans_or_look_after_customers(fjordlys: Town, version: Version) -> None:
    cara = visitor(name="Cara Care", roles=["customer_success"])
    assert cara.get("/impact/").status_code == 200
    kari = member(fjordlys, Membership.Role.ADMIN, "Kari Nordmann")
    for client in (visitor(name="Aud Auditor", roles=["auditor"]), kari):
        assert client.get("/impact/").status_code == 403
        assert client.post("/impact/", {"draft": version.pk}).status_code == 403
    assert Client().get("/impact/")["Location"] == "/account/login/?next=/impact/"


def test_nonsense_is_not_there_and_a_bad_draft_says_why(pia: Client, market: Market) -> None:
    for nonsense in ("", "x", "9" * 30, "0"):
        assert pia.post("/impact/", {"draft": nonsense}).status_code == 404
    assert pia.get("/impact/12345/").status_code == 404

    unsaid = drafting.draft_from(offer=market.chat, actor=SYSTEM, at=hours(3))
    answer = pia.post("/impact/", {"draft": unsaid.pk})
    assert answer.status_code == 409
    assert "Mend the draft, then look at its impact again." in answer.text
