"""Events once more, for an address that was away: the present state of whoever changed after a revision (J-6).

It needs no kept events: who changed is read off the periods, once what the clock has made fact is written down.
"""

from __future__ import annotations

from copy import copy
from datetime import datetime

from customers.actor import SYSTEM, Actor
from customers.audit import record
from customers.events import Listeners
from customers.models import Customer, WebhookDelivery, WebhookEndpoint
from customers.services.webhooks import refuse_off
from licensing.errors import RevisionNotReached
from licensing.services.commit import Commit, customer_commit
from licensing.services.telling import Following, following, tell_state

CAUSE = "webhook.replayed"


def would_tell(*, customer: Customer, after: int, at: datetime | None = None) -> Following:
    """Returns whom a replay after the revision `after` would tell of. Raises RevisionNotReached for one to come."""
    with customer_commit(customer=customer, actor=SYSTEM, cause=CAUSE, at=at, dry_run=True) as commit:
        return _following(commit, after)


def replay(
    *, actor: Actor, endpoint: WebhookEndpoint, customer: Customer, after: int, at: datetime | None = None
) -> WebhookDelivery:
    """Writes one event, for this endpoint alone, whatever types it asked for.

    After the present revision it tells of nobody. Raises RevisionNotReached for one to come, WebhookOff.
    """
    refuse_off(endpoint)
    with customer_commit(customer=customer, actor=actor, cause=CAUSE, at=at) as commit:
        found = _following(commit, after)
        event = tell_state(Listeners(customer, (_wanting_all(endpoint),)), commit, found)
        if event is None:
            raise AssertionError("a replay goes to whom it is for")
        record(
            actor=actor,
            action=CAUSE,
            object_type="webhook",
            object_code=str(endpoint.pk),
            changes={"after": after},
            customer=customer,
            at=commit.at,
        )
    return event.deliveries.get()


def _following(commit: Commit, after: int) -> Following:
    if after > commit.head.number:
        raise RevisionNotReached(commit.customer.code, asked=after, reached=commit.head.number)
    return following(commit.customer, after, commit.at)


def _wanting_all(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Returns the endpoint as one that wants every type: whoever asks for a replay wants it."""
    asked = copy(endpoint)
    asked.types = []
    return asked
