"""Demo apps: a customer's clients with keys in use and on their way out, and addresses that are told of changes.

The addresses are of a domain that nobody can have, so nothing is posted anywhere; what became of older events is
written down as a worker would have.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from customers.actor import Actor
from customers.last_used import note_use, write_last_used
from customers.models import ApiClient, Customer, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from customers.posting import Limits
from customers.services import keys, webhooks

AT: Final = "fjordlys"
CRM: Final = "https://crm.fjordlys.example/planarium"
OLD: Final = "https://old-crm.fjordlys.example/events"
SITE: Final = "https://www.planarium.example/catalog-changed"


def make_demo_integrations(*, admin: Actor, runner: Actor, at: datetime) -> int:
    """Makes them, unless they are there already; returns how many clients and webhooks there are."""
    customer = Customer.objects.filter(code=AT).first()
    if customer is None or ApiClient.objects.filter(customer=customer).exists():
        return 0
    with transaction.atomic():
        _clients(customer, admin, at)
        _webhooks(customer, admin, at)
        _webhook_of_all(runner, at)
    write_last_used()
    return 5


def _clients(customer: Customer, admin: Actor, at: datetime) -> None:
    made = at - timedelta(days=200)
    sync = keys.create_client(
        actor=admin, name="CRM sync", scopes=["entitlements:read", "users:read"], at=made, customer=customer
    )
    key, _ = keys.issue_key(actor=admin, client=sync, at=made)
    note_use(key.pk, at=at - timedelta(minutes=4))
    later, _ = keys.issue_key(actor=admin, client=sync, at=at - timedelta(days=1), expires_at=at + timedelta(days=364))
    note_use(later.pk, at=at - timedelta(hours=2))
    mail = keys.create_client(
        actor=admin,
        name="Mail merge",
        scopes=["entitlements:read", "usage:read", "usage:write"],
        at=made,
        customer=customer,
        calls_per_minute=120,
    )
    keys.issue_key(actor=admin, client=mail, at=at - timedelta(days=30), expires_at=at + timedelta(days=5))


def _webhooks(customer: Customer, admin: Actor, at: datetime) -> None:
    def made(url: str, description: str, types: list[str]) -> WebhookEndpoint:
        return webhooks.create_webhook(
            actor=admin, customer=customer, url=url, allowed=Limits(), at=at, description=description, types=types
        )[0]

    crm = made(CRM, "Keeps plans in the CRM up to date", ["entitlements.changed", "subscription.changed"])
    for minutes, (status, answer) in enumerate([(200, "ok"), (503, "try later"), (204, "")], start=1):
        sent = webhooks.send_test(actor=admin, endpoint=crm, at=at - timedelta(minutes=10 * minutes))
        _tried(sent, status, answer, attempts=2 if status == 200 else 1, is_done=True)
    old = made(OLD, "The CRM before", [])
    _tried(webhooks.send_test(actor=admin, endpoint=old, at=at), 410, "gone", attempts=1, is_done=False)
    webhooks.switch_webhook(actor=admin, endpoint=old, is_active=False, at=at)


def _webhook_of_all(runner: Actor, at: datetime) -> None:
    site, _ = webhooks.create_webhook(
        actor=runner,
        customer=None,
        url=SITE,
        allowed=Limits(),
        at=at,
        description="Builds the price page anew",
        types=["catalog.version.published"],
    )
    sent = webhooks.send_test(actor=runner, endpoint=site, at=at - timedelta(hours=3))
    _tried(sent, 202, "building", attempts=1, is_done=True)


def _tried(sent: WebhookDelivery, status: int, answer: str, *, attempts: int, is_done: bool) -> None:
    """Writes down what a worker would have."""
    sent.status, sent.answer, sent.attempts, sent.took_ms = status, answer, attempts, 84
    times = [sent.created_at + timedelta(seconds=1 + 30 * number) for number in range(attempts)]
    tries = [(503, "try later")] * (attempts - 1) + [(status, answer)]
    for at, (said, told) in zip(times, tries, strict=True):
        WebhookAttempt.objects.create(delivery=sent, at=at, status=said, answer=told, took_ms=84)
    sent.first_attempt_at = sent.created_at
    if is_done and status < 300:
        sent.delivered_at = times[-1]
    else:
        sent.given_up_at = times[-1]
    sent.next_attempt_at = None
    sent.save()
