"""Builds what is read and written: `python -m scripts.checking.town`. Its last line is JSON (see `Town`)."""

from __future__ import annotations

import json
from typing import Final

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - models can be imported once Django is set up

from catalog.models import Offer  # noqa: E402 - likewise
from customers.actor import SYSTEM  # noqa: E402 - likewise
from customers.services.keys import create_client, issue_key  # noqa: E402 - likewise
from licensing.services.commit import database_clock  # noqa: E402 - likewise
from licensing.services.onboarding import create_customer  # noqa: E402 - likewise
from licensing.services.people import create_users  # noqa: E402 - likewise
from licensing.services.subscriptions import subscribe  # noqa: E402 - likewise
from scripts.bench.building import SEED  # noqa: E402 - likewise

CUSTOMERS: Final = ("fjordlys", "nordvik")
USERS: Final = 8
PLANS: Final = ("sales-essentials", "sales-premium")


def build() -> dict[str, object]:
    call_command("migrate", verbosity=0)
    call_command("catalog", "apply", "--publish", str(SEED), verbosity=0)
    users = [f"user-{number}" for number in range(USERS)]
    for code in CUSTOMERS:
        customer = create_customer(actor=SYSTEM, code=code, name=code)
        subscribe(customer=customer, actor=SYSTEM, billing_months=12, items=dict.fromkeys(PLANS, USERS))
        create_users(customer=customer, actor=SYSTEM, users=[{"code": user, "name": user} for user in users])
    at = database_clock()
    client = create_client(actor=SYSTEM, name="Checker", scopes=["entitlements:read", "seats:write"], at=at)
    modules = Offer.objects.filter(code__in=PLANS).values_list("code", "module__name")
    return {
        "key": issue_key(actor=SYSTEM, client=client, at=at)[1],
        "customers": dict.fromkeys(CUSTOMERS, users),
        "modules": {plan: f"superoffice.{module}" for plan, module in modules},
    }


if __name__ == "__main__":
    print(json.dumps(build()))
