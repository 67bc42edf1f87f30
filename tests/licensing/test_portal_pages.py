"""A customer's page, a user's page, the figures and the search: who opens them and what they say.

Fjordlys has bought two Sales Premium and one Service Premium; Ola holds both. Kari administers it, Vera may look.
"""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.models import Membership
from licensing.facts import Mode
from licensing.models import Holding, Subscription
from licensing.portal.figures import plans_in_force, renewals_by_month, renewing_within
from licensing.portal.listing import Crowd
from licensing.portal.overview import date_state, lacking, seat_chart
from licensing.seating import Assignable, Inventory
from licensing.services.overrides import grant_override
from licensing.services.people import edit_user
from licensing.services.requests import ask_for_seats
from licensing.services.subscriptions import cancel_subscription
from tests.factories.catalog import NOON
from tests.licensing.market import Market, Town, hours
from tests.licensing.test_portal import ESSENTIALS, PREMIUM, member, saves, visitor

HOME, OLA = "/portal/fjordlys/", "/portal/fjordlys/users/ola/"
HINT = "/portal/fjordlys/seats/hint/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_premium=2, sales_essentials=1, service_premium=1, calendar=2, at=hours(1))
    town.gives("ola", "ten-sales-premium", "ten-service-premium", at=hours(2), reason="First team")
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
def pia(fjordlys: Town) -> Client:
    return visitor(name="Pia Product", roles=["product_manager"])


# ── Who may open them ───────────────────────────────────────────────────────
@pytest.mark.parametrize("page", [HOME, OLA])
def test_members_and_staff_may_and_strangers_may_not_know(page: str, kari: Client, vera: Client, cara: Client) -> None:
    for client in (kari, vera, cara):
        assert client.get(page).status_code == 200
    nils = member(Town("nordvik", []), Membership.Role.ADMIN, "Nils Nordvik")
    assert nils.get(page).status_code == 404
    assert Client().get(page)["Location"] == f"/account/login/?next={page}"


def test_a_product_manager_sees_the_contract_and_the_answers_but_nobodys_seats(pia: Client) -> None:
    home, ola = pia.get(HOME), pia.get(OLA)
    assert "Sales Premium" in home.text
    assert "Users &amp; seats" not in home.text
    assert "Recent changes" not in home.text
    assert "First team" not in ola.text
    assert "given by" not in ola.text
    assert 'badge-good">edit' in ola.text
    assert pia.get("/portal/fjordlys/users/").status_code == 403


def test_what_does_not_exist_is_not_there(cara: Client) -> None:
    for page in ("/portal/atlantis/", "/portal/fjordlys/users/nobody/", "/portal/fjordlys/users/no%00body/"):
        assert cara.get(page).status_code == 404


# ── The customer's page ─────────────────────────────────────────────────────
def test_it_tells_contract_seats_and_changes(kari: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    kari.get(HOME)
    with django_assert_num_queries(24):
        # session, account, roles, memberships; customer; packages and their rows; board (both again, solutions); seats
        # used (3); open requests; coming moves; overrides that end; subscription, items; counts of users; chart (2);
        # change sets, what undid them, and how many users each changed
        page = kari.get(HOME)
    assert {meter.name: meter.left for meter in page.context["page"].meters}["Ten Sales Premium"] == "1 left"
    assert "annually" in page.text
    assert [(told.change.reason, told.users) for told in page.context["page"].changes] == [("First team", 1)]
    assert "1 user</a>: First team" in page.text


def test_what_wants_attention(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ida", "ten-sales-premium", at=hours(3))
    grant_override(
        customer=fjordlys.customer,
        actor=fjordlys.actor,
        feature="quotes",
        mode=Mode.DENY,
        reason="Audit",
        ends_at=timezone.now() + timedelta(days=9),
    )
    said = [concern.text for concern in kari.get(HOME).context["page"].concerns]
    assert "Ten Sales Premium is full: all 2 seats are taken." in said
    assert "Ten Service Premium is full: its only seat is taken." in said
    assert any(text.startswith("The override of Quotes ends on ") for text in said)


def test_a_pending_package_is_the_first_concern(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ida", "ten-sales-premium", at=hours(3))
    fjordlys.buys(sales_premium=1, at=hours(4))
    first = kari.get(HOME).context["page"].concerns[0]
    assert (first.level, "waits: more seats are in use than it has" in first.text) == ("bad", True)


def test_what_else_wants_attention(kari: Client, cara: Client, fjordlys: Town) -> None:
    """A cancelled subscription, and an open request."""
    who: dict[str, Any] = {"customer": fjordlys.customer, "actor": fjordlys.actor}
    ask_for_seats(**who, module="ten-service-premium", quantity=2)
    cancel_subscription(**who)
    page = kari.get(HOME)
    said = [concern.text for concern in page.context["page"].concerns]
    assert any(text.startswith("The subscription is cancelled, and ends on ") for text in said)
    (asked,) = (text for text in said if text.startswith("2 more of Ten Service Premium: asked for by system on "))
    assert asked.endswith(", not answered yet.")
    assert "Answer it" in cara.get(HOME).text
    assert "Answer it" not in page.text
    assert [concern.level for concern in page.context["page"].concerns] == sorted(
        concern.level for concern in page.context["page"].concerns
    )


def test_what_is_held_without_what_it_needs_is_told() -> None:
    """Calendar synchronisation needs a login; two users with one combination, and one with another, have none."""
    inventory = Inventory(
        {
            "o.plan": Assignable("o.plan", is_plan=True, switches_on=("o.user",)),
            "o.calendar": Assignable("o.calendar", prerequisite="o.user"),
        }
    )
    holdings = {
        1: Holding(modules=["o.calendar"]),
        2: Holding(modules=["o.calendar", "o.plan"]),
        3: Holding(modules=["o.calendar", "o.gone"]),
    }
    crowd = Crowd(holdings, {1: 2, 2: 7, 3: 1})
    assert lacking(inventory, crowd) == [("o.calendar", "o.user", 3)]


def test_the_contract_tells_term_and_renewal(kari: Client) -> None:
    page = kari.get(HOME)
    assert "First term" in page.text
    assert "5 January 2026 to 5 January 2027" in page.text
    assert "for a year at a time until it is cancelled" in page.text
    assert [item.version.offer.code for item in page.context["page"].add_ons] == ["calendar"]
    assert page.context["page"].standing == ("good", "Everything works; it has no end.")


def test_a_customer_without_anything(market: Market) -> None:
    page = member(Town("nordvik", []), Membership.Role.ADMIN, "Nils Nordvik").get("/portal/nordvik/")
    assert "No package is active, so nobody can edit anything." in page.text
    assert "There is no running subscription." in page.text
    assert page.context["page"].seats_over_time is None


def test_the_clock_in_a_sentence(fjordlys: Town) -> None:
    package = fjordlys.customer.packages.active().get()
    assert date_state(package, hours(5)) == ("good", "Everything works; it has no end.")
    package.warning_at, package.expires_at, package.grace_until = hours(24), hours(48), hours(72)
    assert date_state(package, hours(5)) == ("good", "Everything works until 7 January 2026.")
    assert date_state(package, hours(24)) == ("warn", "Ends on 7 January 2026.")
    assert date_state(package, hours(48)) == ("bad", "Ended on 7 January 2026. Everything works until 8 January 2026.")
    assert date_state(package, hours(72))[1] == "Stopped on 8 January 2026. What was bought can only be looked at."


def test_seats_by_day_count_what_was_given_and_taken(fjordlys: Town) -> None:
    fjordlys.gives("ida", "ten-sales-premium", at=hours(24))
    fjordlys.takes("ida", "ten-sales-premium", at=hours(48))
    chart = seat_chart(fjordlys.customer, {PREMIUM: "Sales Premium", ESSENTIALS: "Essentials"}, hours(72))
    assert chart is not None
    assert chart.names == ("Sales Premium",)
    assert [counts for _, counts in chart.rows] == [(1,), (1,), (2,), (1,), (0,)]
    late = seat_chart(fjordlys.customer, {PREMIUM: "Sales Premium"}, hours(24 * 900))
    assert late is not None
    assert [counts for _, counts in late.rows] == [(1,), (1,)]


# ── A user's page ───────────────────────────────────────────────────────────
def test_it_tells_seats_entitlements_and_what_happened(
    kari: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    kari.get(OLA)
    with django_assert_num_queries(23):
        # Nothing per feature: session, account, roles, memberships, customer, user, names, seats, what is recorded
        # (packages, rows, overrides, period), groups of features, overrides, and the events (count, page); for the
        # pickers the board (rows, solutions), the seats used (3) and the user's own.
        page = kari.get(OLA)
    assert "given by system" in page.text
    assert "+ Ten Sales Premium, Ten Service Premium" in page.text
    entries = {entry.code: entry for entry in page.context["page"].page}
    assert entries["quotes"].access == "edit"
    assert entries["quotes"].sources == "Ten Sales Premium"


def test_features_are_found_by_name_and_access(kari: Client) -> None:
    def codes(**asked: str) -> list[str]:
        return [entry.code for entry in kari.get(OLA, asked).context["page"].page]

    everything = codes()
    assert codes(search="QUOT") == ["quotes"]
    assert set(codes(access="edit")) < set(everything)
    assert set(codes(access="edit")) | set(codes(access="view")) | set(codes(access="none")) == set(everything)
    assert codes(search="nothing like it") == []


def test_the_answer_of_another_time(kari: Client) -> None:
    before = kari.get(OLA, {"at": hours(1.5).strftime("%Y-%m-%dT%H:%M")})
    assert {entry.code: entry.access for entry in before.context["page"].page}["quotes"] != "edit"
    assert "Nothing is recorded for that time" in kari.get(OLA, {"at": "2001-01-01T00:00"}).text
    assert "Enter a valid date/time." in kari.get(OLA, {"at": "yesterday"}).text


def test_why_is_told_in_names_people_know(kari: Client, vera: Client) -> None:
    for client in (kari, vera):
        told = client.get(OLA, {"feature": "quotes"}).context["page"].explained
        assert (told.access, told.because) == ("edit", "Included, from sales-premium.")
    ida = vera.get("/portal/fjordlys/users/ida/", {"feature": "quotes"})
    assert "The user does not hold Ten Sales Premium." in ida.text
    assert "superoffice.ten-sales-premium" not in ida.text
    assert kari.get(OLA, {"feature": "no\0such"}).context["page"].explained is None


def test_a_former_employee_may_do_nothing(kari: Client, fjordlys: Town) -> None:
    edit_user(customer=fjordlys.customer, actor=fjordlys.actor, user=fjordlys.users["ola"], is_former_employee=True)
    page = kari.get(OLA)
    assert "Former employees, and users who can’t log in, hold nothing." in page.text
    assert "− Ten Sales Premium, Ten Service Premium" in page.text


# ── What a choice would change ──────────────────────────────────────────────
def hint(client: Client, user: str, **row: Any) -> Any:
    return saves(client, {user: row}, page=HINT)


def test_a_choice_is_told_before_it_counts(kari: Client, fjordlys: Town) -> None:
    answer = hint(kari, "ida", sales=PREMIUM)
    assert {told.effect for told in answer.context["told"]} == {"gained", "raised"}
    assert "Quotes (can now be edited)" in answer.text
    assert fjordlys.holds("ida") == set()
    lost = hint(kari, "ola", was=(PREMIUM, "superoffice.ten-service-premium"), sales=ESSENTIALS)
    assert {told.effect for told in lost.context["told"]} == {"lowered"}
    assert "Quotes (to look at only)" in lost.text


def test_a_choice_that_changes_nothing_says_nothing(kari: Client) -> None:
    assert hint(kari, "ida").text.strip() == ""


def test_only_who_may_assign_is_told(vera: Client, kari: Client) -> None:
    assert hint(vera, "ida", sales=PREMIUM).status_code == 403
    assert hint(kari, "nobody", sales=PREMIUM).status_code == 404
    assert kari.post(HINT).status_code == 404


# ── Columns, sorting and CSV of the users page ──────────────────────────────
def test_users_as_csv_with_the_plans_they_hold(kari: Client) -> None:
    answer = kari.get("/portal/fjordlys/users/", {"format": "csv", "sort": "-name"})
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert rows[0][:3] == ["User", "Code", "E-mail"]
    assert [row[0] for row in rows[1:]] == ["Per", "Ola", "Ida"]
    assert rows[2][3:5] == ["Ten Sales Premium", "Ten Service Premium"]


def test_a_column_left_out_keeps_what_it_hides(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ola", "nebula", at=hours(3))
    page = kari.get("/portal/fjordlys/users/", {"choose": "1", "columns": "plan-sales"})
    assert "plan:ola:service" not in page.text
    assert '<input type="hidden" name="extra:ola" value="superoffice.nebula">' in page.text
    was = (PREMIUM, "superoffice.nebula", "superoffice.ten-service-premium")
    saves(kari, {"ola": {"was": was, "sales": ESSENTIALS, "extras": ["superoffice.nebula"]}})
    assert fjordlys.holds("ola") == {"ten-sales-essentials", "ten-service-premium", "nebula"}


# ── Figures ─────────────────────────────────────────────────────────────────
def test_figures_are_for_our_own_people(cara: Client, pia: Client, kari: Client) -> None:
    for client in (cara, pia):
        assert client.get("/figures/").status_code == 200
    assert kari.get("/figures/").status_code == 403


def test_customers_per_plan_and_version(fjordlys: Town) -> None:
    Town("nordvik", []).buys(sales_premium=7, at=hours(1))
    figures = {figure.code: figure for figure in plans_in_force(hours(2))}
    sales = figures["sales-premium"]
    assert (sales.customers, sales.quantity, sales.versions) == (2, 9, [(1, 2)])
    assert figures["calendar"].customers == 1
    assert plans_in_force(NOON - timedelta(days=1)) == []


def test_renewals_to_come(fjordlys: Town, cara: Client) -> None:
    """Fjordlys began on 5 January 2026; it renews a year later, then every year."""
    today = NOON.date() + timedelta(days=340)
    (renewing,) = renewing_within(30, today)
    assert renewing.customer == fjordlys.customer
    assert list(renewing_within(10, today)) == []
    chart = renewals_by_month(today)
    assert [bar.value for bar in chart.bars if bar.value] == [1]
    assert len(chart.bars) == 12
    Subscription.objects.update(starts_on=timezone.now().date() - timedelta(days=350))
    page = cara.get("/figures/", {"days": "nonsense"})
    assert [row.customer.code for row in page.context["table"].page] == ["fjordlys"]
    download = cara.get("/figures/", {"format": "csv"})
    assert b"Fjordlys AS" in b"".join(download.streaming_content)


def test_figures_cost_the_same_however_many_customers(
    cara: Client, market: Market, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for code in ("nordvik", "havbris"):
        Town(code, []).buys(sales_premium=1, at=hours(1))
    cara.get("/figures/")
    with django_assert_num_queries(9):
        # session, account, roles, memberships; anchors twice, plans; count and page of the renewals
        cara.get("/figures/", {"days": "365"})


# ── Search ──────────────────────────────────────────────────────────────────
def found(client: Client, words: str) -> list[str]:
    return [one.title for one in client.get("/search/", {"q": words}).context["found"]]


def test_everybody_finds_what_they_may_open(cara: Client, kari: Client, pia: Client) -> None:
    Town("nordvik", ["olav"])
    assert found(cara, "ol") == ["Ola", "Olav"]
    assert found(kari, "ol") == ["Ola"]
    assert found(pia, "ola") == []
    assert found(cara, "NORDVIK") == ["Nordvik AS"]
    assert found(kari, "nordvik") == []
    assert "Sales Premium" in found(kari, "premium")
    assert found(cara, "%") == found(cara, "\0") == []


def test_the_palette_gets_the_list_alone(kari: Client) -> None:
    alone = kari.get("/search/", {"q": "ola"}, headers={"HX-Request": "true"})
    assert "<html" not in alone.text
    assert '<a href="/portal/fjordlys/users/ola/">' in alone.text
    assert "Nothing matches" in kari.get("/search/", {"q": "zzz"}, headers={"HX-Request": "true"}).text
    assert Client().get("/search/")["Location"] == "/account/login/?next=/search/"
