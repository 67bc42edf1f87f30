"""The pages on moving customers: a product manager proposes, customer success runs, everybody else looks or may not."""

from __future__ import annotations

import pytest
from django.test import Client

from catalog.models import Version
from customers.models import Membership, OutboxMessage
from customers.outbox import deliver_due
from licensing.models import Migration
from tests.factories.customers import api_with
from tests.licensing.market import Market, Town, hours
from tests.licensing.moving import drafted, on_version, preview_of, proposed, published, row_of, runs, started, states
from tests.licensing.test_portal import member, visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=3, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    return town


@pytest.fixture
def nordvik(market: Market) -> Town:
    town = Town("nordvik", ["uma"])
    town.buys(sales_premium=1, at=hours(1))
    return town


@pytest.fixture
def v2(market: Market, fjordlys: Town, nordvik: Town) -> Version:
    return published(drafted(market, quotes=None))


@pytest.fixture
def pia(market: Market) -> Client:
    return visitor(name="Pia Product", roles=["product_manager"])


@pytest.fixture
def cara(market: Market) -> Client:
    return visitor(name="Cara Care", roles=["customer_success"])


def worker() -> None:
    """Delivers all that is due, whatever it brings about."""
    while message := OutboxMessage.objects.filter(delivered_at=None).order_by("next_attempt_at").first():
        assert message.next_attempt_at is not None
        deliver_due(now=message.next_attempt_at)


def said(version: Version, **more: object) -> dict[str, object]:
    return {"version": version.pk, "moment": "now", "reason": "Quotes have a plan of their own.", **more}


def test_from_a_proposal_to_moved_customers_and_back(pia: Client, cara: Client, v2: Version, fjordlys: Town) -> None:
    waiting = pia.post("/migrations/new/", said(v2, search="fjord"), follow=True)
    migration = Migration.objects.get()
    address = f"/migrations/{migration.pk}/"
    assert waiting.redirect_chain == [(address, 302)]
    assert "Customers looked at: 0 of 1" in waiting.text
    assert "The preview is not there yet" in cara.get(f"{address}start/").text
    assert cara.post(f"{address}start/").status_code == 409
    worker()
    assert "Start…" not in pia.get(address).text
    assert "Start…" in cara.get(address).text
    assert "3 worse off" in cara.get(f"{address}start/").text

    assert "Started." in cara.post(f"{address}start/", follow=True).text
    assert "Pause…" in cara.get(address).text
    assert "moves to version 2" in cara.get("/portal/fjordlys/").text
    worker()
    done = cara.get(address)
    assert "1 of 1 customers" in done.text
    assert (on_version(fjordlys), states(migration)) == ({2}, {"fjordlys": "moved"})

    back = f"{address}customers/fjordlys/roll-back/"
    assert back in done.text
    assert "gained: 3" in cara.get(back).text
    assert "Fjordlys AS is back on v1." in cara.post(back, follow=True).text
    assert on_version(fjordlys) == {1}
    assert cara.post(back).status_code == 409
    assert "was not moved by this migration, or has gone back already" in cara.get(back).text


def test_what_is_wrong_stands_beside_its_field(pia: Client, v2: Version) -> None:
    answer = pia.post("/migrations/new/", said(v2, moment="date", codes="fjordlys\nfjordlis", deadline_on="2020-01-01"))
    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert errors["codes"] == ["There is no customer fjordlis."]
    assert errors["deadline_on"] == ["The deadline has passed."]
    assert "Say on which date, or choose another moment." in answer.text
    assert pia.post("/migrations/new/", {}).status_code == 422
    nobody = pia.post("/migrations/new/", said(v2, search="nobody at all"))
    assert "No customer (matching “nobody at all”) is on another version than sales-premium v2." in nobody.text
    assert "Numbers of versions" in pia.post("/migrations/new/", said(v2, versions="one")).text
    assert not Migration.objects.exists()


def test_a_report_is_where_a_proposal_can_begin(pia: Client, v2: Version) -> None:
    pia.post("/impact/", {"version": v2.pk, "versions": "v1", "search": "nord"})
    migration = proposed(v2)
    report = preview_of(migration)
    assert f"/migrations/new/?report={report.pk}" in pia.get(f"/impact/{report.pk}/").text
    asked = pia.get("/migrations/new/", {"report": report.pk - 1}).context["form"]
    assert asked["versions"].value() == "1"
    assert asked["search"].value() == "nord"
    for nonsense in ("x", "9" * 30, "0"):
        assert pia.get("/migrations/new/", {"report": nonsense}).status_code == 200


def test_the_list_and_its_customers_are_searched_filtered_and_taken_along(cara: Client, v2: Version) -> None:
    migration = started(v2)
    runs(migration, most=1)
    assert "1 of 2" in cara.get("/migrations/").text
    assert "Nothing matches" in cara.get("/migrations/", {"state": "done"}).text
    assert "1 migration" in cara.get("/migrations/", {"search": "sales-prem"}).text
    address = f"/migrations/{migration.pk}/"
    for asked, codes in (
        ({"state": "moved"}, ["fjordlys"]),
        ({"state": "waiting"}, ["nordvik"]),
        ({"search": "nord"}, ["nordvik"]),
        ({"state": "nonsense"}, ["fjordlys", "nordvik"]),
    ):
        page = cara.get(address, asked).context["table"].page
        assert sorted(row.customer.code for row in page) == codes
    lines = b"".join(cara.get(address, {"format": "csv"}).streaming_content).decode().splitlines()
    assert lines[0].endswith("Customer,State,Due,Was on,Moved,What is in the way,Act")
    assert lines[1].startswith("Fjordlys AS,moved,")
    assert b"sales-premium v2" in b"".join(cara.get("/migrations/", {"format": "csv"}).streaming_content)


def test_every_act_is_asked_about_before(cara: Client, pia: Client, v2: Version) -> None:
    migration = started(v2, moment="date", moves_at=hours(1_000_000))
    address = f"/migrations/{migration.pk}/"
    assert "It stops after the customer that it is at." in cara.get(f"{address}pause/").text
    assert "Paused." in cara.post(f"{address}pause/", {"reason": "Somebody called"}, follow=True).text
    assert "This can’t be done with it as it stands: it is paused." in cara.get(f"{address}pause/").text
    assert cara.post(f"{address}pause/").status_code == 409
    assert "It goes on." in cara.post(f"{address}resume/", follow=True).text
    assert pia.post(f"{address}cancel/").status_code == 403  # it runs: not the proposer's any more
    assert "Cancelled." in cara.post(f"{address}cancel/", follow=True).text
    for nonsense in ("explode", "migration"):
        assert cara.get(f"{address}{nonsense}/").status_code == 404
    assert cara.get("/migrations/12345/").status_code == 404
    assert cara.get(f"{address}customers/nobody/roll-back/").status_code == 404


def test_all_are_rolled_back_and_a_proposal_is_withdrawn(
    cara: Client, pia: Client, v2: Version, fjordlys: Town, nordvik: Town
) -> None:
    migration = started(v2)
    runs(migration)
    address = f"/migrations/{migration.pk}/"
    assert "2 customers would go back." in cara.get(f"{address}roll-back/").text
    cara.post(f"{address}roll-back/")
    worker()
    assert (on_version(fjordlys), on_version(nordvik)) == ({1}, {1})
    second = proposed(v2)
    assert "Preview again…" in pia.get(f"/migrations/{second.pk}/").text
    pia.post(f"/migrations/{second.pk}/look-again/")
    second.refresh_from_db()
    assert preview_of(second).state == "waiting"
    pia.post(f"/migrations/{second.pk}/cancel/", {"reason": "Not now"})
    second.refresh_from_db()
    assert second.state == "cancelled"


def test_each_role_may_do_its_part(cara: Client, pia: Client, v2: Version, fjordlys: Town) -> None:
    migration = started(v2)
    runs(migration)
    address = f"/migrations/{migration.pk}/"
    pages = ("/migrations/", address)
    proposing, running = ("/migrations/new/",), (f"{address}pause/", f"{address}customers/fjordlys/roll-back/")
    aud = visitor(name="Aud Auditor", roles=["auditor"])
    paul = visitor(name="Paul Publisher", roles=["publisher"])
    kari = member(fjordlys, Membership.Role.ADMIN, "Kari Nordmann")
    for client, looks, proposes, acts in (
        (pia, 200, 200, 403),
        (paul, 200, 200, 403),
        (cara, 200, 403, 200),
        (aud, 200, 403, 403),
        (kari, 403, 403, 403),
    ):
        assert [client.get(page).status_code for page in pages] == [looks] * 2
        assert [client.get(page).status_code for page in proposing] == [proposes]
        assert [client.get(page).status_code for page in running] == [acts] * 2
        if acts == 403:
            assert client.post(f"{address}roll-back/").status_code == 403
            assert client.post(f"{address}customers/fjordlys/roll-back/").status_code == 403
    assert row_of(migration, fjordlys).state == "moved"
    assert Client().get("/migrations/")["Location"] == "/account/login/?next=/migrations/"


def test_the_api_tells_how_far_each_migration_is(v2: Version, fjordlys: Town) -> None:
    migration = started(v2)
    runs(migration, most=1)
    api = api_with("customers:read")
    (told,) = api.get("/api/v1/migrations/", {"state": "running", "offer": "Sales-Premium"}).json()["results"]
    assert (told["offer"], told["target"], told["customers"]) == ("sales-premium", 2, {"moved": 1, "waiting": 1})
    assert api.get(f"/api/v1/migrations/{migration.pk}/").json() == told
    customers = api.get(f"/api/v1/migrations/{migration.pk}/customers/").json()["results"]
    assert [(row["customer"], row["state"], row["was"]) for row in customers] == [
        ("fjordlys", "moved", 1),
        ("nordvik", "waiting", None),
    ]
    waiting = api.get(f"/api/v1/migrations/{migration.pk}/customers/", {"state": "waiting"}).json()["results"]
    assert [row["customer"] for row in waiting] == ["nordvik"]
    assert api.get("/api/v1/migrations/12345/").json()["code"] == "not_found"
    assert api.get("/api/v1/migrations/", {"state": "nonsense"}).status_code == 400


def test_the_trail_leads_to_the_migration(pia: Client, v2: Version) -> None:
    migration = proposed(v2)
    page = pia.get("/audit/?type=migration").text
    assert f'href="/migrations/{migration.pk}/"' in page
    assert "Migration proposed" in page
