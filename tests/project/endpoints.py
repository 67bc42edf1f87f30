"""Every endpoint of the API, as the URL configuration has it, and a small world to ask about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from django.urls import URLResolver, get_resolver

from catalog.models import Feature
from customers.models import Customer
from licensing.models import Migration, Override
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
    "reservation": "00000000-0000-4000-8000-000000000000",  # of nobody
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
    target = market.sales_premium.versions.get()
    Migration.objects.create(
        pk=WORLD["migration"], offer=target.offer, target=target, reason="Newer", proposed_at=hours(3)
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
    return town.customer


def root_of(route: str) -> str:
    return "/" if route.startswith(COMPATIBLE) else "/api/v1/"


def address_of(route: str) -> str:
    folder = route.rpartition("/{code}/")[0]
    return root_of(route) + re.sub(r"\{(\w+)\}", lambda name: WORLD[folder if name[1] == "code" else name[1]], route)


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
