"""An app of the demo: what documents show is asked of the demo's data, by its key."""

from __future__ import annotations

from typing import Final

from django.core.management import call_command
from django.utils import timezone

from customers.actor import SYSTEM
from customers.services import keys
from licensing.services.demo import make_demo_customers
from tests.project.pages import ROOT

CUSTOMERS: Final = ("fjordlys", "only-sales-premium")
SCOPES: Final = (
    "catalog:read",
    "customers:read",
    "customers:write",
    "entitlements:read",
    "seats:read",
    "seats:write",
)


def app_key() -> str:
    """Publishes the seed's catalog, makes the customers that documents name, and returns the key of an app."""
    call_command("catalog", "apply", "--publish", str(ROOT / "catalog" / "seed"), verbosity=0)
    now = timezone.now()
    make_demo_customers(at=now, only=CUSTOMERS)
    client = keys.create_client(actor=SYSTEM, name="App", scopes=SCOPES, at=now)
    return keys.issue_key(actor=SYSTEM, client=client, at=now)[1]
