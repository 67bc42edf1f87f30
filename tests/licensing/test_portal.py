"""The users page of the portal: who opens it, what it shows, and what one save does.

Fjordlys has bought Sales, Service and the plan for both; Kari administers it, Vera may look. Ola, Ida
and Per work there.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import unescape
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from customers.models import Account, Membership
from licensing.errors import SeatsMoved
from licensing.models import ChangeSet
from licensing.services.people import edit_user
from licensing.services.seats import UserWish, change_seats
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Market, Town

ESSENTIALS, PREMIUM = "superoffice.ten-sales-essentials", "superoffice.ten-sales-premium"
SERVICE, BOTH = "superoffice.ten-service-premium", "superoffice.ten-sales-service-premium"
CALENDAR, SECRET = "superoffice.nebula", "superoffice.visible-for"
PAGE = "/portal/fjordlys/users/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_essentials=5, sales_premium=2, service_premium=2, sales_service_premium=1, calendar=2, chat=1)
    return town


def visitor(**who: Any) -> Client:
    client = Client()
    client.force_login(AccountFactory(**who), backend="django.contrib.auth.backends.ModelBackend")
    return client


def member(town: Town, role: str, name: str) -> Client:
    account: Account = AccountFactory(name=name, email=f"{name.split(maxsplit=1)[0].lower()}@fjordlys.example")
    MembershipFactory(customer=town.customer, account=account, role=role)
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def kari(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.ADMIN, "Kari Nordmann")


@pytest.fixture
def vera(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.VIEWER, "Vera Vik")


def shown(answer: Any) -> dict[str, Any]:
    """Returns the rows of the answered page by user code."""
    return {row.user.code: row for row in answer.context["rows"]}


def chosen(answer: Any, user: str) -> dict[str, str]:
    """Returns what the pickers of a row say, by label."""
    return {cell.label: cell.chosen for cell in shown(answer)[user].cells}


def saves(client: Client, rows: Mapping[str, Mapping[str, Any]], page: str = PAGE, **more: str) -> Any:
    """Sends rows: user → what the page had shown (`was`), its pickers by solution, its boxes (`extras`)."""
    form: dict[str, Any] = dict(more)
    for user, row in rows.items():
        form[f"was:{user}"] = " ".join(row.get("was", ()))
        form[f"extra:{user}"] = list(row.get("extras", ()))
        for key in row.keys() & {"sales", "service"}:
            form[f"plan:{user}:{key}"] = row[key]
        if row.get("accept"):
            form[f"accept:{user}"] = "on"
    return client.post(page, form)


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


# ── Who may open it ─────────────────────────────────────────────────────────
def test_who_is_not_signed_in_is_sent_to_the_door(fjordlys: Town) -> None:
    for answer in (Client().get(PAGE), Client().post(PAGE)):
        assert answer.status_code == 302
        assert answer["Location"] == f"/account/login/?next={PAGE}"


def test_the_admin_edits_and_the_viewer_looks(kari: Client, vera: Client) -> None:
    admins, viewers = kari.get(PAGE), vera.get(PAGE)
    assert 'name="plan:ola:sales"' in admins.text
    assert "You can look, but not change it." in viewers.text
    assert "plan:" not in viewers.text
    assert "was:" not in viewers.text
    assert "Save" not in viewers.text


def test_what_the_viewer_sends_is_refused(vera: Client, fjordlys: Town) -> None:
    assert saves(vera, {"ola": {"sales": PREMIUM}}).status_code == 403
    assert fjordlys.holds("ola") == set()


def test_another_customers_page_is_not_there(fjordlys: Town, market: Market) -> None:
    nils = member(Town("nordvik", ["nina"]), Membership.Role.ADMIN, "Nils Nordvik")
    assert nils.get("/portal/nordvik/users/").status_code == 200
    for answer in (nils.get(PAGE), saves(nils, {"ola": {"sales": PREMIUM}}), nils.get("/portal/nobody/users/")):
        assert answer.status_code == 404
    assert fjordlys.holds("ola") == set()


def test_a_user_of_another_customer_cannot_be_named(kari: Client, market: Market) -> None:
    nordvik = Town("nordvik", ["nina"])
    nordvik.buys(sales_premium=1)
    answer = saves(kari, {"nina": {"sales": PREMIUM}})
    assert answer.status_code == 409
    assert "There is no user &#x27;nina&#x27; here." in answer.text
    assert nordvik.holds("nina") == set()


@pytest.mark.parametrize(
    ("role", "reads", "edits"),
    [("customer_success", 200, 302), ("auditor", 200, 403), ("product_manager", 403, 403), ("publisher", 403, 403)],
)
def test_our_own_people_by_role(fjordlys: Town, role: str, reads: int, edits: int) -> None:
    client = visitor(name="Somebody Staff", roles=[role])
    assert client.get(PAGE).status_code == reads
    assert saves(client, {"ola": {"sales": PREMIUM}}).status_code == edits
    assert fjordlys.holds("ola") == ({"ten-sales-premium"} if edits == 302 else set())


# ── What it shows ───────────────────────────────────────────────────────────
def test_plans_and_what_is_left_of_them(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-premium")
    fjordlys.gives("ida", "ten-sales-service-premium")
    meters = {meter.name: (meter.used, meter.total, meter.state) for meter in kari.get(PAGE).context["sheet"].counted}
    assert meters == {
        "Ten Sales Essentials": (0, 5, "ok"),
        "Ten Sales Premium": (1, 2, "ok"),
        "Ten Service Premium": (0, 2, "ok"),
        "Ten Sales Service Premium": (1, 1, "full"),
        "Nebula": (0, 2, "ok"),
    }


def test_who_holds_what(kari: Client, vera: Client, fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-premium", "nebula")
    fjordlys.gives("ida", "ten-sales-service-premium")
    for page in (kari.get(PAGE), vera.get(PAGE)):
        assert chosen(page, "ola") == {"Sales": "Ten Sales Premium", "Service": ""}
        assert chosen(page, "ida") == dict.fromkeys(("Sales", "Service"), "Ten Sales Service Premium")
        assert [box.meter.name for box in shown(page)["ola"].boxes if box.is_checked] == ["Nebula"]


def test_a_full_plan_is_offered_only_to_who_holds_it(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ida", "ten-sales-service-premium")
    rows = shown(kari.get(PAGE))

    def disabled(user: str) -> list[str]:
        return [option.meter.name for option in rows[user].cells[0].options if option.is_disabled]

    assert (disabled("ida"), disabled("ola")) == ([], ["Ten Sales Service Premium"])


def test_who_has_left_or_cannot_log_in_is_shown_without_pickers(kari: Client, fjordlys: Town) -> None:
    who: dict[str, Any] = {"customer": fjordlys.customer, "actor": fjordlys.actor}
    edit_user(**who, user=fjordlys.users["ida"], is_former_employee=True)
    edit_user(**who, user=fjordlys.users["per"], can_log_in=False)
    page = unescape(kari.get(PAGE).text)
    assert "Former employee" in page
    assert page.count("Can’t log in</span>") == 1
    assert [code for code in ("ola", "ida", "per") if f'name="was:{code}"' in page] == ["ola"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["ida", "ola", "per"]),
        ({"search": "OL"}, ["ola"]),
        ({"search": "nobody"}, []),
        ({"search": "a\0b"}, ["ida", "ola", "per"]),
        ({"plan": PREMIUM}, ["ola"]),
        ({"plan": "none"}, ["per"]),
        ({"plan": "several"}, ["ida", "ola"]),
        ({"plan": "nonsense"}, ["ida", "ola", "per"]),
        ({"plan": PREMIUM, "search": "ida"}, []),
        ({"status": "active"}, ["ida", "ola"]),
        ({"status": "former"}, ["per"]),
        ({"status": "locked"}, []),
        ({"page": "99"}, ["ida", "ola", "per"]),
        ({"page": "x"}, ["ida", "ola", "per"]),
    ],
)
def test_search_and_filters(kari: Client, fjordlys: Town, asked: dict[str, str], found: list[str]) -> None:
    """Ola holds two plans, Ida one for both solutions, Per has left."""
    fjordlys.gives("ola", "ten-sales-premium", "ten-service-premium")
    fjordlys.gives("ida", "ten-sales-service-premium")
    edit_user(customer=fjordlys.customer, actor=fjordlys.actor, user=fjordlys.users["per"], is_former_employee=True)
    assert sorted(shown(kari.get(PAGE, asked))) == found


def test_two_seats_of_one_solution_are_not_several_solutions(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-premium", "nebula", "visible-for")
    assert shown(kari.get(PAGE, {"plan": "several"})) == {}


def test_a_customer_without_a_package_has_no_pickers(market: Market) -> None:
    town = Town("nordvik", ["nina"])
    answer = member(town, Membership.Role.ADMIN, "Nils Nordvik").get("/portal/nordvik/users/")
    assert "has no plan at present" in answer.text
    assert list(shown(answer)) == ["nina"]


QUERIES = [
    "the session",
    "the account",
    "its staff roles",
    "its memberships",
    "the customer",
    "the active packages",
    "their rows",
    "the names of the solutions",
    "how many users there are",
    "the users of this page",
    "how many seats of each module are held",
    "the names of the owners",
    "the seats of these users",
]


def test_queries_do_not_grow_with_rows(market: Market, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    few = Town("fjordlys")
    many = Town("nordvik", [f"user{n:02}" for n in range(40)])
    for town, seats in ((few, 1), (many, 30)):
        town.buys(sales_premium=30, calendar=30)
        wishes = [UserWish(code, (PREMIUM, CALENDAR)) for code in list(town.users)[:seats]]
        change_seats(customer=town.customer, actor=town.actor, wishes=wishes)
    cara = visitor(name="Cara Care", roles=["customer_success"])
    for code in ("fjordlys", "nordvik"):
        with django_assert_num_queries(len(QUERIES)):
            cara.get(f"/portal/{code}/users/")


# ── One save ────────────────────────────────────────────────────────────────
def test_all_changed_rows_are_one_change_set(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ida", "ten-sales-essentials")
    before = fjordlys.revision()

    answer = saves(
        kari,
        {
            "ola": {"sales": PREMIUM, "service": SERVICE, "extras": [CALENDAR, SECRET]},
            "ida": {"was": [ESSENTIALS], "sales": PREMIUM, "service": ""},
            "per": {"sales": "", "service": ""},
        },
        page=f"{PAGE}?search=a",
        reason="New quarter",
    )

    assert answer.status_code == 302
    assert answer["Location"] == f"{PAGE}?search=a"
    change_set = ChangeSet.objects.latest("number")
    assert said(answer) == [f"2 users changed. Change set {change_set.number}."]
    assert (change_set.actor, change_set.reason) == ("Kari Nordmann", "New quarter")
    assert fjordlys.revision() == before + 1
    assert fjordlys.holds("ola") == {"ten-sales-premium", "ten-service-premium", "nebula", "visible-for"}
    assert fjordlys.holds("ida") == {"ten-sales-premium"}


def test_nothing_changed_writes_nothing(kari: Client, fjordlys: Town) -> None:
    before = fjordlys.revision()
    answer = saves(kari, {"ola": {"sales": "", "service": ""}})
    assert said(answer) == ["Nothing was changed."]
    assert fjordlys.revision() == before


def test_a_plan_is_taken_away_by_none(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-premium", "visible-for")
    saves(kari, {"ola": {"was": [PREMIUM, SECRET], "sales": "", "service": "", "extras": [SECRET]}})
    assert fjordlys.holds("ola") == {"visible-for"}


def test_one_refused_row_keeps_all_from_being_saved_and_loses_nothing(kari: Client, fjordlys: Town) -> None:
    """Calendar synchronisation needs a login, which comes with a plan."""
    answer = saves(
        kari, {"ola": {"sales": PREMIUM, "service": SERVICE}, "ida": {"extras": [CALENDAR]}}, reason="New quarter"
    )

    assert answer.status_code == 409
    rows = shown(answer)
    assert rows["ola"].fault is None
    assert rows["ida"].fault.code == "missing_prerequisite"
    assert chosen(answer, "ola") == {"Sales": "Ten Sales Premium", "Service": "Ten Service Premium"}
    assert [box.meter.name for box in rows["ida"].boxes if box.is_checked] == ["Nebula"]
    assert 'value="New quarter"' in answer.text
    assert '<a href="#user-ida">Ida</a>' in answer.text  # the summary at the top leads to the row
    assert fjordlys.holds("ola") == set()


def test_every_refusal_is_told_at_once(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("per", "ten-sales-service-premium")
    answer = saves(
        kari,
        {"ola": {"sales": PREMIUM, "service": BOTH}, "ida": {"sales": BOTH, "service": BOTH}, "per": {"extras": []}},
    )
    assert {code: row.fault.code for code, row in shown(answer).items() if row.fault} == {
        "ola": "conflicting_plans",
        "ida": "no_seat_left",
    }


def test_two_rows_cannot_share_the_last_seat(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("per", "ten-sales-premium")
    answer = saves(kari, {"ola": {"sales": PREMIUM}, "ida": {"sales": PREMIUM}})
    assert [row.fault.message for row in shown(answer).values()] == [
        "Ten Sales Premium has 2 seats; this would take 1 more than that."
    ] * 2
    assert fjordlys.holds("ola") == fjordlys.holds("ida") == set()


def test_a_seat_given_back_in_the_same_save_is_free(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("per", "ten-sales-service-premium")
    saves(
        kari,
        {
            "ola": {"sales": BOTH, "service": BOTH},
            "per": {"was": [BOTH], "sales": PREMIUM, "service": SERVICE},
        },
    )
    assert fjordlys.holds("ola") == {"ten-sales-service-premium"}
    assert fjordlys.holds("per") == {"ten-sales-premium", "ten-service-premium"}


def test_a_solution_is_lost_only_when_somebody_says_so(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-service-premium")
    asks = {"was": [BOTH], "sales": PREMIUM, "service": BOTH}

    answer = saves(kari, {"ola": asks})
    assert answer.status_code == 409
    assert shown(answer)["ola"].asks == (
        "Ten Sales Premium takes the place of Ten Sales Service Premium, and Ola would lose Service."
    )
    assert 'name="accept:ola"' in answer.text
    assert fjordlys.holds("ola") == {"ten-sales-service-premium"}

    assert saves(kari, {"ola": asks | {"accept": True}}).status_code == 302
    assert fjordlys.holds("ola") == {"ten-sales-premium"}


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(kari: Client, fjordlys: Town) -> None:
    """Kari's page showed Ola without a plan; Cara has given Service since."""
    fjordlys.gives("ola", "ten-service-premium")

    answer = saves(kari, {"ola": {"sales": PREMIUM, "service": ""}, "ida": {"sales": PREMIUM, "service": ""}})

    assert answer.status_code == 409
    row = shown(answer)["ola"]
    assert row.fault.code == "seats_moved"
    assert chosen(answer, "ola") == {"Sales": "Ten Sales Premium", "Service": "Ten Service Premium"}
    assert fjordlys.holds("ola") == {"ten-service-premium"}
    assert fjordlys.holds("ida") == set()
    # Sent again as the page stands now, both are served.
    saves(kari, {"ola": {"was": row.was.split(), "sales": PREMIUM, "service": SERVICE}, "ida": {"sales": PREMIUM}})
    assert fjordlys.holds("ola") == {"ten-sales-premium", "ten-service-premium"}
    assert fjordlys.holds("ida") == {"ten-sales-premium"}


def test_the_service_itself_refuses_what_was_decided_on_old_seats(fjordlys: Town) -> None:
    """Between the page's look and the lock, somebody may have been faster."""
    fjordlys.gives("ola", "ten-service-premium")
    wish = UserWish("ola", assign=(PREMIUM,), expected=frozenset())
    with pytest.raises(SeatsMoved) as refused:
        change_seats(customer=fjordlys.customer, actor=fjordlys.actor, wishes=[wish])
    assert refused.value.details == {"expected": [], "held": [SERVICE]}
    assert fjordlys.holds("ola") == {"ten-service-premium"}


def test_who_has_left_since_gets_nothing(kari: Client, fjordlys: Town) -> None:
    edit_user(customer=fjordlys.customer, actor=fjordlys.actor, user=fjordlys.users["ola"], is_former_employee=True)
    answer = saves(kari, {"ola": {"sales": PREMIUM}})
    assert answer.status_code == 409
    assert shown(answer)["ola"].fault.code == "user_cannot_hold_seats"


@pytest.mark.parametrize(
    "form",
    [
        {"was:ola": "", "plan:ola:sales": "superoffice.nonsense"},
        {"was:ola": "", "plan:ola:nonsense": PREMIUM},
        {"was:ola": "", "extra:ola": ["\0"]},
        {"was:ola": "nonsense", "plan:ola:sales": PREMIUM},
        {"was:\0": "", "plan:\0:sales": PREMIUM},
        {"was:": "", "plan::sales": PREMIUM},
    ],
)
def test_nonsense_is_refused_and_changes_nothing(kari: Client, fjordlys: Town, form: dict[str, Any]) -> None:
    before = fjordlys.revision()
    assert kari.post(PAGE, form).status_code == 409
    assert fjordlys.revision() == before


def test_a_nul_in_the_reason_is_left_out(kari: Client, fjordlys: Town) -> None:
    saves(kari, {"ola": {"sales": PREMIUM}}, reason=" a\0b ")
    assert ChangeSet.objects.latest("number").reason == "ab"


# ── Which customers ─────────────────────────────────────────────────────────
def test_members_see_their_customers_and_staff_all(kari: Client, market: Market) -> None:
    Town("nordvik", [])
    cara = visitor(name="Cara Care", roles=["customer_success"])
    pia = visitor(name="Pia Product", roles=["product_manager"])

    def listed(client: Client, **asked: str) -> list[str]:
        return [customer.code for customer in client.get("/portal/", asked).context["page"]]

    assert listed(kari) == ["fjordlys"]
    assert listed(cara) == ["fjordlys", "nordvik"]
    assert listed(cara, search="NORD") == ["nordvik"]
    assert listed(cara, search="no\0body") == []
    assert listed(pia) == ["fjordlys", "nordvik"]
    assert Client().get("/portal/").status_code == 302
