"""Every endpoint of the API, as the URL configuration has it, and a small world to ask about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from django.urls import URLResolver, get_resolver

from catalog.models import Feature
from customers.actor import SYSTEM
from customers.models import Customer, Invitation, Membership
from licensing.models import ChangePreview, Migration, Override
from licensing.services.requests import ask_for_seats
from tests.factories.customers import AccountFactory
from tests.licensing.market import Market, Town, hours
from tests.licensing.partners import Partner

COMPATIBLE: Final = ("superoffice/api/v1/", "ofrep/v1/")  # what has addresses of its own
# Ola of Fjordlys holds Sales Premium; Ida holds nothing yet. Fjordlys has a package of the partner ACME, too.
WORLD: Final = {
    "customer": "fjordlys",
    "user": "ola",
    "feature": "quotes",
    "module": "ten-sales-premium",
    "offer": "sales-premium",
    "number": "1",
    "owner": "ACME",
    "migration": "4711",
    "override": "4712",
    "key": "quotes",
    "member": "4713",
    "invitation": "4714",
    "seat-requests": "1",  # its number, once the world is there
    "reservation": "00000000-0000-4000-8000-000000000000",  # of nobody
    "client": "4717",
    "webhook": "4715",
    "delivery": "4716",
    "token": "a-preview-of-nothing-that-anybody-knows",
    "associate_id": "",  # Ola's, once the world is there
    "catalog/solutions": "sales",
    "catalog/features": "quotes",
    "catalog/modules": "sale-cal",
    "catalog/plans": "sales-premium",
    "catalog/add-ons": "chat",
}


def open_world() -> Customer:
    """Writes what WORLD names; returns Fjordlys."""
    market = Market()
    town = Town("fjordlys")
    town.buys(sales_premium=3, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    Partner().issues_to(town, at=hours(3))
    WORLD["associate_id"] = str(town.users["ola"].pk)
    asked = ask_for_seats(customer=town.customer, actor=SYSTEM, module="ten-sales-premium", quantity=2, at=hours(4))
    WORLD["seat-requests"] = str(asked.pk)
    target = market.sales_premium.versions.get()
    Migration.objects.create(
        pk=WORLD["migration"], offer=target.offer, target=target, reason="Newer", proposed_at=hours(3)
    )
    ChangePreview.objects.create(
        customer=town.customer,
        token=WORLD["token"],
        actor="Cara",
        created_at=hours(3),
        expires_at=hours(27),
        mode="all_or_nothing",
        wishes=[],
    )
    Override.objects.create(
        pk=WORLD["override"],
        customer=town.customer,
        feature=Feature.objects.get(code="quotes"),
        definition={"code": "quotes", "kind": "switch", "rule": "any"},
        mode="deny",
        reason="They stop using it",
        starts_at=hours(1_000_000),
        created_by="Cara",
        created_at=hours(3),
    )
    account = AccountFactory(name="Ida Iversen")
    Membership.objects.create(pk=WORLD["member"], customer=town.customer, account=account, role="viewer")
    Invitation.objects.create(
        pk=WORLD["invitation"],
        customer=town.customer,
        email="ada@fjordlys.example",
        role="viewer",
        inviter="Kari",
        token_digest="0" * 64,
        expires_at=hours(1_000_000),
    )
    return town.customer


def root_of(route: str) -> str:
    return "/" if route.startswith(COMPATIBLE) else "/api/v1/"


def address_of(route: str) -> str:
    folder = route.rpartition("/{code}/")[0]

    def value(name: re.Match[str]) -> str:
        of_a_request = name[1] == "number" and "seat-requests/" in route
        return WORLD["seat-requests" if of_a_request else folder if name[1] == "code" else name[1]]

    return root_of(route) + re.sub(r"\{(\w+)\}", value, route)


METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def views(patterns: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (route, view class) of everything that the URL configuration answers for programs."""
    below: Any = get_resolver().url_patterns if patterns is None else patterns
    for pattern in below:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, route)
        elif route.startswith(("api/v1/", *COMPATIBLE)):
            yield re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.removeprefix("api/v1/")), pattern.callback.view_class


def endpoints() -> set[tuple[str, str, bool]]:
    """Returns (method, route, whether the view names its scope)."""
    return {
        (method, route, method in view.required_scopes)
        for route, view in views()
        for method in METHODS
        if hasattr(view, method.lower())
    }
