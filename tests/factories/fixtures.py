"""The cast as fixtures, and a process that remembers nothing of the test before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.api_keys import forget_keys
from customers.last_used import forget_notes
from customers.models import Account, Customer, CustomerUser, Membership
from tests.factories.customers import (
    AccountFactory,
    CustomerFactory,
    CustomerUserFactory,
    MembershipFactory,
    api_with,
)


@pytest.fixture(autouse=True)
def _nothing_remembered(settings: Any) -> Iterator[None]:
    # Long enough that a slow machine doesn't look a key up twice in one test; short ages are tested by name.
    settings.API_KEY_MEMORY_SECONDS = 3600
    yield
    forget_keys()
    forget_notes()


# ── Our own people ──────────────────────────────────────────────────────────
@pytest.fixture
def pia(db: Any) -> Account:
    account: Account = AccountFactory(name="Pia Product", roles=["product_manager"])
    return account


@pytest.fixture
def paul(db: Any) -> Account:
    account: Account = AccountFactory(name="Paul Publisher", roles=["publisher"])
    return account


@pytest.fixture
def cara(db: Any) -> Account:
    account: Account = AccountFactory(name="Cara Care", roles=["customer_success"])
    return account


@pytest.fixture
def aud(db: Any) -> Account:
    account: Account = AccountFactory(name="Aud Auditor", roles=["auditor"])
    return account


@pytest.fixture
def root(db: Any) -> Account:
    account: Account = AccountFactory(name="Root", is_staff=True, is_superuser=True)
    return account


# ── Customers and their people ──────────────────────────────────────────────
@pytest.fixture
def fjordlys(db: Any) -> Customer:
    customer: Customer = CustomerFactory(code="fjordlys", name="Fjordlys AS", serial_number="1010000014")
    return customer


@pytest.fixture
def nordvik(db: Any) -> Customer:
    customer: Customer = CustomerFactory(code="nordvik", name="Nordvik Handel AS", serial_number="1010000022")
    return customer


@pytest.fixture
def kari(fjordlys: Customer) -> Account:
    """Kari Nordmann administers Fjordlys."""
    account: Account = AccountFactory(name="Kari Nordmann", email="kari@fjordlys.example")
    MembershipFactory(customer=fjordlys, account=account, role=Membership.Role.ADMIN)
    return account


@pytest.fixture
def vera(fjordlys: Customer) -> Account:
    """Vera Vik may look at Fjordlys."""
    account: Account = AccountFactory(name="Vera Vik", email="vera@fjordlys.example")
    MembershipFactory(customer=fjordlys, account=account, role=Membership.Role.VIEWER)
    return account


@pytest.fixture
def nils(nordvik: Customer) -> Account:
    """Nils Nordvik administers Nordvik, and must never see Fjordlys."""
    account: Account = AccountFactory(name="Nils Nordvik", email="nils@nordvik.example")
    MembershipFactory(customer=nordvik, account=account, role=Membership.Role.ADMIN)
    return account


@pytest.fixture
def ola(fjordlys: Customer) -> CustomerUser:
    """Ola works at Fjordlys."""
    user: CustomerUser = CustomerUserFactory(customer=fjordlys, code="ola", name="Ola Berg")
    return user


@pytest.fixture
def api(db: Any) -> APIClient:
    """An app whose key may do everything everywhere."""
    return api_with()
