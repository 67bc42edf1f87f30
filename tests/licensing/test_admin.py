"""The licensing admin: customers, contracts, licences and seats, worked on by people through the services."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalog.models import Feature
from customers.models import Account, Customer, CustomerUser
from licensing.models import CustomerRevision, Override, Package, Seat
from tests.licensing.market import Market, Town, hours

ADMIN = "admin:licensing_"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_essentials=2, sales_premium=1, calendar=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", "nebula", at=hours(2))
    return town


def as_(client: Client, account: Account) -> Client:
    client.force_login(account)
    return client


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def test_customer_success_makes_a_customer_with_its_first_revision(
    market: Market, client: Client, cara: Account
) -> None:
    response = as_(client, cara).post(
        reverse("admin:customers_customer_add"),
        {"code": "tindra", "name": "Tindra Klinikk AS", "serial_number": "1010000045"},
        follow=True,
    )
    assert "was added successfully" in said(response)
    assert CustomerRevision.objects.get(customer__code="tindra").own_holding is not None


@pytest.mark.parametrize("code", ["Has Space", "fjordlys", ""])
def test_a_bad_code_is_told_at_its_field(fjordlys: Town, client: Client, cara: Account, code: str) -> None:
    response = as_(client, cara).post(reverse("admin:customers_customer_add"), {"code": code, "name": "X"})
    assert response.status_code == 200
    assert response.context["adminform"].form.errors
    assert Customer.objects.count() == 1


def test_a_subscription_is_bought_and_resized_on_one_page(town: Town, client: Client, cara: Account) -> None:
    page = reverse("admin:customers_customer_items", args=[town.customer.pk])
    as_(client, cara).post(page, {"billing_months": 3, "sales-premium": 2, "calendar": 1})
    package = Package.objects.get(customer=town.customer, state="active")
    assert package.subscription is not None
    assert package.subscription.billing_months == 3

    town.gives("ola", "ten-sales-premium")
    refused = client.post(page, {"sales-premium": 0, "calendar": 1, "chat": 5}, follow=True)
    assert "At most 1 of chat, not 5." in said(refused)
    waiting = client.post(page, {"sales-premium": 0, "calendar": 1}, follow=True)
    assert "first release 1 of superoffice.ten-sales-premium" in said(waiting)


def test_a_user_who_leaves_frees_seats_and_the_page_says_which(fjordlys: Town, client: Client, cara: Account) -> None:
    page = reverse("admin:customers_customeruser_change", args=[fjordlys.users["ola"].pk])
    response = as_(client, cara).post(
        page, {"name": "Ola", "email": "", "account": "", "can_log_in": "on", "is_former_employee": "on"}, follow=True
    )
    assert "Freed: superoffice.nebula, superoffice.ten-sales-premium." in said(response)
    assert not Seat.objects.held().exists()


def test_a_user_is_added_with_a_first_period(fjordlys: Town, client: Client, cara: Account) -> None:
    as_(client, cara).post(
        reverse("admin:customers_customeruser_add"),
        {"customer": fjordlys.customer.pk, "code": "nina", "name": "Nina", "email": "", "can_log_in": "on"},
    )
    assert CustomerUser.objects.get(code="nina").periods.count() == 1


def test_seats_are_released_by_an_action(fjordlys: Town, client: Client, cara: Account) -> None:
    nebula, plan = Seat.objects.order_by("module_name")
    changelist = reverse(f"{ADMIN}seat_changelist")
    refused = as_(client, cara).post(changelist, {"action": "release", "_selected_action": [plan.pk]}, follow=True)
    assert "nebula needs superoffice.user" in said(refused)
    client.post(changelist, {"action": "release", "_selected_action": [plan.pk, nebula.pk]})
    assert not Seat.objects.held().exists()


def test_a_pending_package_is_activated_once_it_fits(fjordlys: Town, client: Client, cara: Account) -> None:
    fjordlys.buys(calendar=0)
    pending = Package.objects.get(state="pending")
    changelist = reverse(f"{ADMIN}package_changelist")
    action = {"action": "activate", "_selected_action": [pending.pk]}
    assert "remove 1 of superoffice.nebula" in said(as_(client, cara).post(changelist, action, follow=True))
    fjordlys.takes("ola", "nebula")
    assert "is active" in said(client.post(changelist, action, follow=True))


@pytest.mark.parametrize(
    ("value", "mode", "fault"),
    [
        ("many", "add", "value"),
        ("", "set", "value"),
        ("7", "add", None),
        ("unlimited", "set", None),
        ("", "deny", None),
    ],
)
def test_overrides_are_granted_with_a_checked_value(
    fjordlys: Town, client: Client, cara: Account, value: str, mode: str, fault: str | None
) -> None:
    from_ = {"customer": fjordlys.customer.pk, "user": "", "mode": mode, "value": value, "reason": "Ticket 7"}
    email = Feature.objects.get(code="email-limit").pk
    response = as_(client, cara).post(reverse(f"{ADMIN}override_add"), {**from_, "feature": email})
    if fault:
        assert fault in response.context["adminform"].form.errors
        return
    granted = Override.objects.get()
    assert (granted.mode, granted.reason, granted.created_by) == (mode, "Ticket 7", "Cara Care")
    done = client.post(
        reverse(f"{ADMIN}override_changelist"), {"action": "end", "_selected_action": [granted.pk]}, follow=True
    )
    assert "has ended" in said(done)


LISTS = [
    model._meta.label_lower.replace(".", "_")
    for model in site._registry
    if model._meta.app_label == "licensing" or model in (Customer, CustomerUser)
]


@pytest.mark.parametrize("name", LISTS)
def test_every_list_opens_searches_and_shows_a_record(fjordlys: Town, client: Client, root: Account, name: str) -> None:
    as_(client, root)
    changelist = client.get(reverse(f"admin:{name}_changelist"), {"q": "fjordlys"})
    assert changelist.status_code == 200
    model = changelist.context["cl"].model
    row = model.objects.first()
    if row is not None:
        assert client.get(reverse(f"admin:{name}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_lists_cost_the_same_however_long(fjordlys: Town, client: Client, root: Account, name: str) -> None:
    as_(client, root)
    page = reverse(f"admin:{name}_changelist")
    client.get(page)
    with CaptureQueriesContext(connection) as few:
        client.get(page)
    Town("nordvik").buys(sales_premium=2, service_premium=1)
    with CaptureQueriesContext(connection) as many:
        client.get(page)
    assert len(many) <= len(few), [query["sql"] for query in many]


@pytest.mark.parametrize("name", LISTS)
def test_the_auditor_sees_and_changes_nothing(fjordlys: Town, client: Client, aud: Account, name: str) -> None:
    as_(client, aud)
    assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:{name}_add")).status_code == 403


def test_a_product_manager_sees_no_seats(fjordlys: Town, client: Client, pia: Account) -> None:
    as_(client, pia)
    assert client.get(reverse(f"{ADMIN}package_changelist")).status_code == 200
    for name in ("seat", "changeset", "userperiod", "holding"):
        assert client.get(reverse(f"{ADMIN}{name}_changelist")).status_code == 403
