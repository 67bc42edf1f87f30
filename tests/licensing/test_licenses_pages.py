"""The licences screen: a tab per owner, what is in use and by whom, hidden rows, what waits, and other times. Rule W-8.

Fjordlys has bought two Sales Premium, one Service Premium, chat and storage; Ola holds both plans, Ida one.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from customers.models import Membership
from licensing.models import ModuleLicense, Package
from licensing.portal.holders import carried_by, in_use
from licensing.portal.instants import spelled
from licensing.selectors import users_per_module
from licensing.services.people import create_users
from tests.factories.catalog import NOON
from tests.licensing.market import Market, Town, hours
from tests.licensing.partners import Partner
from tests.licensing.test_portal import member, visitor

PAGE = "/portal/fjordlys/licenses/"
HOLDERS = "/portal/fjordlys/licenses/SUPEROFFICE/holders/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=2, service_premium=1, chat=1, storage=3, at=hours(1))
    town.gives("ola", "ten-sales-premium", "ten-service-premium", at=hours(2), reason="First team")
    town.gives("ida", "ten-sales-premium", at=hours(4))
    return town


@pytest.fixture
def kari(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.ADMIN, "Kari Nordmann")


def rows(client: Client, **asked: str) -> dict[str, Any]:
    """Returns what the page lists, by bare module name: in use, and what its cells say."""
    table = client.get(PAGE, asked).context["table"]
    return {row.module_name: row for row in table.page}


def cells(client: Client, module: str, **asked: str) -> dict[str, str]:
    table = client.get(PAGE, asked).context["table"]
    (found,) = [row for row in table.page if row.module_name == module]
    return {column.key: str(column.cell(found)) for column in table.columns}


# ── Who may open them ───────────────────────────────────────────────────────
def test_members_and_staff_may_and_strangers_may_not_know(kari: Client) -> None:
    pia = visitor(roles=["product_manager"])
    for client in (kari, pia):
        assert client.get(PAGE).status_code == 200
    assert kari.get(f"{HOLDERS}ten-sales-premium/").status_code == 200
    assert pia.get(f"{HOLDERS}ten-sales-premium/").status_code == 403
    assert f"{HOLDERS}ten-sales-premium/" not in pia.get(PAGE).text, "counts, but not who"
    nils = member(Town("nordvik", []), Membership.Role.ADMIN, "Nils")
    assert [nils.get(page).status_code for page in (PAGE, f"{HOLDERS}ten-sales-premium/")] == [404, 404]
    assert Client().get(PAGE).status_code == 302
    assert PAGE in kari.get("/portal/fjordlys/").text


@pytest.mark.parametrize("module", ["teleport", "cep", "x" * 500, "sale%00cal"])
def test_what_is_not_licensed_for_users_has_no_holders(module: str, kari: Client) -> None:
    assert kari.get(f"{HOLDERS}{module}/").status_code == 404


# ── What it shows ───────────────────────────────────────────────────────────
def test_the_package_with_its_company_dates_and_state(kari: Client, fjordlys: Town) -> None:
    text = kari.get(PAGE).text
    for told in ("Fjordlys AS", "Package 1 of SUPEROFFICE", "Everything works; it has no end.", "In force from"):
        assert told in text


def test_rows_with_what_is_in_use_and_free(kari: Client) -> None:
    premium = cells(kari, "ten-sales-premium")
    assert (premium["total"], premium["free"], premium["version"]) == ("2", "0", "v1")
    assert ">2<span" in premium["used"]
    service = cells(kari, "ten-service-premium")
    assert (service["total"], service["free"]) == ("1", "0")
    assert cells(kari, "extra-storage")["total"] == "3", "a site licence that was bought three times"
    assert cells(kari, "cep")["used"] == "–"


def test_plans_come_first_then_what_else_people_hold(kari: Client) -> None:
    assert list(rows(kari))[:3] == ["ten-sales-premium", "ten-service-premium", "visible-for"]
    assert list(rows(kari, sort="license"))[:3] == list(rows(kari))[:3]


def test_what_is_not_restricted_is_shown_as_such(kari: Client) -> None:
    shown = cells(kari, "visible-for")
    assert (shown["total"], shown["free"], shown["used"]) == ("unrestricted", "–", "0")


def test_hidden_rows_stand_behind_a_toggle_and_count_distinct_users(kari: Client) -> None:
    assert not any(row.hidden for row in rows(kari).values())
    assert "Hidden ones too (" in kari.get(PAGE).text
    both = rows(kari, hidden="on")
    assert both["user"].hidden
    assert both["user"].in_use == 2, "Ola has it by two plans, and counts once"
    assert both["escalate-cal"].in_use == 1


def test_counts_are_those_of_the_records_at_any_time(fjordlys: Town) -> None:
    fjordlys.takes("ola", "ten-service-premium", at=hours(6))
    package = Package.objects.active().get(customer=fjordlys.customer)
    plans = ModuleLicense.objects.filter(package=package, is_plan=True).values_list("module_name", "extra_info")
    for at in (hours(1.5), hours(3), hours(5), hours(7)):
        found = in_use(fjordlys.customer, carried_by("SUPEROFFICE", plans), at)
        assert dict(found) == users_per_module(fjordlys.customer, at)


def test_a_tab_per_owner(kari: Client, fjordlys: Town) -> None:
    Partner().issues_to(fjordlys, at=hours(5))
    page = kari.get(PAGE)
    assert [(code, is_open) for code, _, is_open in page.context["page"].tabs] == [
        ("SUPEROFFICE", True), ("ACME", False),
    ]  # fmt: skip
    acme = kari.get(PAGE, {"owner": "acme"})
    assert "of ACME" in acme.text
    assert "Remove this licence" not in acme.text, "that is for our own people"
    assert "Remove this licence" in visitor(roles=["customer_success"]).get(PAGE, {"owner": "ACME"}).text
    assert kari.get(PAGE, {"owner": "nobody"}).context["page"].owner == "SUPEROFFICE"


def test_another_time(kari: Client, fjordlys: Town) -> None:
    fjordlys.buys(sales_premium=9, at=hours(8))
    assert cells(kari, "ten-sales-premium")["total"] == "9"
    then = cells(kari, "ten-sales-premium", at=spelled(hours(3)))
    assert (then["total"], then["free"]) == ("2", "1")
    assert f"at={spelled(hours(3))}".replace(":", "%3A") in then["used"]
    before = kari.get(PAGE, {"at": spelled(NOON)})
    assert "Nothing was licensed then" in before.text
    assert kari.get(PAGE, {"at": "whenever"}).status_code == 200


def test_before_anything_is_bought(market: Market) -> None:
    nora = member(Town("nordvik", []), Membership.Role.ADMIN, "Nora")
    assert "Nothing is licensed yet" in nora.get("/portal/nordvik/licenses/").text


def test_a_package_that_waits_is_made_to_fit_from_here(kari: Client, fjordlys: Town) -> None:
    fjordlys.buys(sales_premium=1, at=hours(5))
    page = kari.get(PAGE)
    waiting = page.context["page"].waiting_address
    assert "2 in use, 1 in the package. Remove 1." in page.text
    assert f'action="{waiting}"' in page.text
    form = {"shown": "1", "release:superoffice.ten-sales-premium": ["ida"]}
    assert "What would happen" in kari.post(waiting, form).text
    kari.post(waiting, form | {"confirm": "1"})
    assert cells(kari, "ten-sales-premium")["total"] == "1"
    assert kari.get(PAGE).context["page"].waiting is None


def test_search_and_csv(kari: Client) -> None:
    assert set(rows(kari, search="service")) == {"ten-service-premium"}
    text = b"".join(kari.get(PAGE, {"format": "csv"})).decode()
    assert "Ten Sales Premium,superoffice.ten-sales-premium,Each user,v1,2,2,0" in text


# ── Who holds what ──────────────────────────────────────────────────────────
def holders(client: Client, module: str, **asked: str) -> dict[str, list[str]]:
    table = client.get(f"{HOLDERS}{module}/", asked).context["table"]
    return {
        user.code: [str(column.cell(user)) for column in table.columns if column.key in ("by", "given")]
        for user in table.page
    }


def test_holders_of_a_visible_and_of_a_hidden_module(kari: Client) -> None:
    assert holders(kari, "ten-sales-premium") == {
        "ola": ["Ten Sales Premium", "system"],
        "ida": ["Ten Sales Premium", "system"],
    }
    assert holders(kari, "user")["ola"] == ["Ten Sales Premium, Ten Service Premium", "system"]
    assert set(holders(kari, "escalate-cal")) == {"ola"}
    assert set(holders(kari, "ten-sales-premium", search="id")) == {"ida"}
    assert set(holders(kari, "ten-sales-premium", at=spelled(hours(3)))) == {"ola"}
    assert holders(kari, "visible-for") == {}


def test_queries_do_not_grow_with_users(
    kari: Client, fjordlys: Town, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    fjordlys.buys(sales_premium=90, at=hours(5))
    named = [{"code": f"user-{n}", "name": f"User {n}"} for n in range(60)]
    create_users(customer=fjordlys.customer, actor=fjordlys.actor, users=named, at=hours(6))
    for n in range(60):
        fjordlys.gives(f"user-{n}", "ten-sales-premium", at=hours(7 + n))
    kari.get(PAGE)
    with django_assert_num_queries(15):
        # session, account, roles, memberships; customer; packages in force, pending; hidden rows counted; rows counted,
        # listed; plans; users per holding (2), holdings; rows examined
        kari.get(PAGE)
    with django_assert_num_queries(12):
        # session, account, roles, memberships; customer; the row; users per holding (2), holdings; plans; users; seats
        assert len(holders(kari, "ten-sales-premium")) == 50
