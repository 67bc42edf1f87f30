"""The admin as a whole: lists by task for everybody who works in it, the trail of a row, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from catalog.models import Feature
from config.admin_site import TASKS
from customers.models import Account, ApiClient, AuditEvent, Customer, Membership
from tests.factories.catalog import FeatureFactory, PlanFactory, Shop
from tests.factories.customers import AccountFactory, ApiClientFactory, CustomerUserFactory, MembershipFactory
from tests.licensing.market import Market, Town

pytestmark = pytest.mark.django_db


def as_(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def shop(db: None) -> Shop:
    return Shop()


def tasks(account: Account, address: str = "/admin/") -> dict[str, list[str]]:
    """Returns the tasks shown, each with the models under it."""
    answer: Any = as_(account).get(address)
    return {task["name"]: [model["object_name"] for model in task["models"]] for task in answer.context["app_list"]}


# ── By task ─────────────────────────────────────────────────────────────────
def test_every_model_stands_in_one_task() -> None:
    placed = [name for names in TASKS.values() for name in names]
    assert sorted(placed) == sorted(model._meta.label for model in admin.site._registry)


def test_a_superuser_sees_every_task(root: Account) -> None:
    shown = tasks(root)
    assert list(shown) == list(TASKS)
    assert shown["Catalog"][:3] == ["Plan", "AddOn", "Version"]
    assert "Offer" not in shown["Catalog"]  # it only completes names


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("pia", ["Catalog", "Customers", "Licensing", "Records"]),
        ("cara", ["Catalog", "Customers", "Licensing", "Access", "Records"]),
        ("aud", ["Catalog", "Customers", "Licensing", "Access", "Records"]),
    ],
)
def test_each_role_sees_the_tasks_it_has_something_in(
    who: str, expected: list[str], request: pytest.FixtureRequest
) -> None:
    assert list(tasks(request.getfixturevalue(who))) == expected


def test_what_each_role_finds_under_access(cara: Account, aud: Account) -> None:
    assert "AuditEvent" in tasks(aud)["Access"]
    assert "AuditEvent" not in tasks(cara)["Access"]


def test_only_those_who_may_add_are_offered_to(pia: Account, aud: Account) -> None:
    adding = reverse("admin:catalog_plan_add")
    assert adding in as_(pia).get("/admin/").text
    assert adding not in as_(aud).get("/admin/").text


def test_an_app_has_its_part_of_the_tasks(pia: Account) -> None:
    shown = tasks(pia, "/admin/licensing/")
    assert "Subscription" in shown["Licensing"]
    assert "Catalog" not in shown


def test_an_unknown_app_is_not_there(root: Account) -> None:
    assert as_(root).get("/admin/weather/").status_code == 404


def test_signing_out_and_passwords_have_one_place(root: Account) -> None:
    assert as_(root).post("/admin/logout/")["Location"] == reverse("account_logout")
    assert as_(root).get("/admin/password_change/")["Location"] == reverse("account_change_password")


def test_the_last_things_done_are_at_hand(pia: Account) -> None:
    client, feature = as_(pia), FeatureFactory(code="doomed", name="Doomed")
    assert "What you did last" not in client.get("/admin/").text
    client.post(reverse("admin:catalog_feature_delete", args=[feature.pk]), {"post": "yes"})
    page = client.get("/admin/").text
    assert "What you did last" in page
    assert f"feature {feature}" in " ".join(page.split())


# ── What a page says ────────────────────────────────────────────────────────
def test_a_list_says_yes_and_no_and_names_its_cells(pia: Account) -> None:
    PlanFactory(code="internal", for_sale=False)
    page = as_(pia).get(reverse("admin:catalog_plan_changelist")).text
    assert '<td data-label="For sale" class="field-for_sale"><div>No</div></td>' in page
    assert "icon-no" not in page


def test_a_list_with_nothing_in_it_says_so(pia: Account) -> None:
    address = reverse("admin:catalog_plan_changelist")
    assert "No plans yet" in as_(pia).get(address).text
    assert "Nothing fits" in as_(pia).get(address, {"q": "zebra"}).text


def test_a_refused_deletion_says_what_to_do(pia: Account, shop: Shop) -> None:
    feature = Feature.objects.get(code="email-limit")
    page = as_(pia).get(reverse("admin:catalog_feature_delete", args=[feature.pk])).text
    assert f"{feature} can’t be deleted" in page
    assert "First delete or change what is listed here" in page
    assert 'name="post"' not in page


def test_a_deletion_says_what_goes_with_it(pia: Account) -> None:
    feature = FeatureFactory(code="doomed")
    page = as_(pia).get(reverse("admin:catalog_feature_delete", args=[feature.pk])).text
    assert "This goes with it" in page
    assert 'name="post"' in page


# ── History ─────────────────────────────────────────────────────────────────
def events(account: Account, row: Any) -> list[Any]:
    """Returns what the history of a row shows, the newest first."""
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_history", args=[row.pk])
    answer: Any = as_(account).get(address)
    assert answer.status_code == 200
    return list(answer.context["events"])


def test_the_history_of_a_plan_is_its_trail(pia: Account, shop: Shop) -> None:
    actions = [event.action for event in events(pia, shop.sales_premium)]
    assert actions[0] == "version.published"
    assert actions == [event.action for event in events(pia, shop.sales_premium.versions.get())]


def test_the_history_tells_what_was_and_what_is(root: Account) -> None:
    AuditEvent.objects.create(
        actor="Pia",
        action="feature.changed",
        object_type="feature",
        object_code="chat",
        changes={"sort_order": [1, 0], "for_sale": [None, True], "seen": "2026-03-04T14:05:00+00:00", "codes": []},
    )
    (event,) = events(root, FeatureFactory(code="chat"))
    assert event.what == "Feature changed"
    assert event.told == [
        ("Codes", "", "–"),
        ("For sale", "", "yes"),
        ("Seen", "", "4 Mar 2026, 14:05"),
        ("Sort order", "1", "0"),
    ]


def test_rows_of_customers_have_a_history_of_their_own(root: Account) -> None:
    Market()
    town, other = Town(), Town("nordvik", people=())
    town.buys(sales_premium=1)
    for row, action in (
        (town.customer, "customer.created"),
        (town.customer.subscriptions.get(), "subscription.started"),
        (town.customer.packages.get(), "package.issued"),
    ):
        assert action in [event.action for event in events(root, row)], row
    assert [event.customer for event in events(root, other.customer)] == [other.customer]


def test_people_and_clients_have_a_history(root: Account, fjordlys: Customer) -> None:
    account = AccountFactory(email="ada@planarium.example")
    member: Membership = MembershipFactory(account=account, customer=fjordlys)
    client: ApiClient = ApiClientFactory(name="Demo app")
    user = CustomerUserFactory(customer=fjordlys, code="ola")
    told = [
        (account, "account", account.email, None),
        (member, "membership", account.email, fjordlys),
        (client, "api_client", "Demo app", None),
        (user, "user", "fjordlys/ola", fjordlys),
    ]
    for row, kind, code, customer in told:
        AuditEvent.objects.create(
            actor="Cara", action=f"{kind}.seen", object_type=kind, object_code=code, customer=customer
        )
        assert [event.action for event in events(root, row)] == [f"{kind}.seen"]


def test_who_may_not_see_a_row_does_not_see_its_history(pia: Account, aud: Account) -> None:
    address = reverse("admin:customers_account_history", args=[aud.pk])
    assert as_(pia).get(address).status_code == 403
    assert as_(aud).get(address).status_code == 200
    assert as_(aud).get(reverse("admin:customers_account_history", args=[0])).status_code == 302
