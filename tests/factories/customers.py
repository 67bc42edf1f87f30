"""Accounts, customers, their users, and API clients with keys.

The cast: Pia Product (product manager), Paul Publisher, Cara Care (customer success), Aud Auditor and Root are ours.
Fjordlys AS is administered by Kari Nordmann and looked at by Vera Vik; Nordvik Handel AS is another customer, with Nils
Nordvik as its admin. `tests/factories/fixtures.py` has each of them as a fixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import factory
from rest_framework.test import APIClient

from customers.actor import SYSTEM
from customers.models import Account, ApiClient, Customer, CustomerUser, Membership, StaffRole
from customers.scopes import SCOPES
from customers.services import keys

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class AccountFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Account
        skip_postgeneration_save = True

    name = factory.Sequence(lambda n: f"Person {n}")
    email = factory.LazyAttribute(lambda account: account.name.lower().replace(" ", ".") + "@planarium.example")
    date_joined = NOON

    @factory.post_generation
    def roles(self: Any, create: bool, extracted: Sequence[str] | None, **kwargs: Any) -> None:
        """`AccountFactory(roles=["auditor"])`: one of our own people."""
        for role in extracted or ():
            StaffRole.objects.create(account=self, role=role)
        if extracted:
            self.is_staff = True
            self.save(update_fields=["is_staff"])


class CustomerFactory(factory.django.DjangoModelFactory):
    """The bare row; `licensing` creates customers with their first revision."""

    class Meta:
        model = Customer
        django_get_or_create = ("code",)

    code = factory.Sequence(lambda n: f"customer-{n:04}")
    name = factory.LazyAttribute(lambda customer: f"{customer.code.title()} AS")
    created_at = NOON


class CustomerUserFactory(factory.django.DjangoModelFactory):
    """The bare row; `licensing` creates users with their first period."""

    class Meta:
        model = CustomerUser

    customer = factory.SubFactory(CustomerFactory)
    code = factory.Sequence(lambda n: f"user-{n:04}")
    name = factory.LazyAttribute(lambda user: user.code.title())
    created_at = NOON


class MembershipFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Membership

    customer = factory.SubFactory(CustomerFactory)
    account = factory.SubFactory(AccountFactory)
    role = Membership.Role.VIEWER


class ApiClientFactory(factory.django.DjangoModelFactory):
    """A client that may do everything everywhere, unless the test says less."""

    class Meta:
        model = ApiClient

    name = factory.Sequence(lambda n: f"App {n}")
    scopes = factory.LazyFunction(lambda: sorted(SCOPES))
    created_at = NOON


def key_for(client: ApiClient, *, at: datetime | None = None, expires_at: datetime | None = None) -> str:
    """Returns the text of a new key."""
    return keys.issue_key(actor=SYSTEM, client=client, at=at or NOON, expires_at=expires_at)[1]


def api_with(*scopes: str, customer: Customer | None = None) -> APIClient:
    """Returns an HTTP client that sends a key with these scopes (none named: all), bound to `customer` if given."""
    held: dict[str, Any] = {"scopes": sorted(scopes)} if scopes else {}
    return api_with_key(key_for(ApiClientFactory(customer=customer, **held)))


def api_with_key(key: str) -> APIClient:
    http = APIClient()
    http.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return http


def api_as(account: Account | None) -> APIClient:
    """Returns an HTTP client with the account's session; None: nobody's."""
    http = APIClient()
    if account is not None:
        http.force_login(account)
    return http
