"""What the entitlement read is measured against: a view that does nothing, and one that does it the naive way.

All of them stand behind the product's own middleware, authentication, permission and throttle.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.access import access_of, get_customer
from customers.models import Customer, CustomerUser
from licensing import facts
from licensing.api.serializers import EntitlementsSerializer
from licensing.models import Override, Seat
from licensing.reading import held_sets
from licensing.resolution import resolve
from licensing.selectors import is_in_force, load_timeline, stop_of

READ = "entitlements:read"
_LIMIT = "send-email-to"  # a limit, which an override would make another number for each user
_MADE_UP = """
    WITH largest AS (SELECT body::jsonb FROM licensing_entitlementset ORDER BY length(body) DESC LIMIT 1),
    made AS (SELECT jsonb_set(body, %(limit)s, to_jsonb(1000000 + n))::text AS body
        FROM largest, generate_series(1, %(count)s) n)
    INSERT INTO licensing_entitlementset (digest, body, multi_plan)
    SELECT encode(sha256(convert_to(body, 'UTF8')), 'hex'), body, false FROM made RETURNING id"""


class Nothing(APIView):
    """What Django REST framework costs when it has nothing to do."""

    required_scopes = {"GET": READ}

    def get(self, request: Request) -> Response:
        return Response({"ok": True})


class Worker(APIView):
    """Which worker answers on this connection."""

    required_scopes = {"GET": READ}

    def get(self, request: Request) -> Response:
        return Response({"worker": os.getpid()})


class FullMemory(APIView):
    """Fills this worker's memory of entitlement sets with ones that nobody holds, each other than the others."""

    required_scopes = {"GET": READ}

    def get(self, request: Request) -> Response:
        count = 2 * settings.SET_MEMORY_MB * 1024 * 1024 // 4_000
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_MADE_UP, {"count": count, "limit": ["features", _LIMIT, "value"]})
            made = [row for (row,) in cursor.fetchall()]
            for start in range(0, len(made), 100):
                held_sets(made[start : start + 100])
            transaction.set_rollback(True)
        return Response({"worker": os.getpid()})


class NaiveEntitlements(APIView):
    """The same answer as a straightforward Django program gives it: look everything up, resolve, serialize.

    No query in a loop, nothing fetched twice; it only keeps nothing worked out beforehand.
    """

    required_scopes = {"GET": READ}

    def get(self, request: Request, customer: str, user: str) -> Response:
        found = get_customer(access_of(request), customer, READ)
        person = get_object_or_404(CustomerUser.objects.select_related("customer__revision").of(found).named(user))
        return Response(EntitlementsSerializer(work_out(found, person, timezone.now())).data)


def work_out(customer: Customer, user: CustomerUser, now: datetime) -> dict[str, Any]:
    """Returns a user's entitlements from package rows, seats and overrides, as the API spells them."""
    timeline = load_timeline(customer, now)
    seats = Seat.objects.held().filter(user=user).select_related("owner")
    overrides = list(Override.objects.filter(user=user).not_over(now).select_related("feature"))
    kind = facts.HolderKind.USER if user.may_hold_seats else facts.HolderKind.INACTIVE
    holding = facts.Holding(
        kind,
        frozenset(seat.full_name for seat in seats),
        tuple(override.fact() for override in overrides if is_in_force(override, now)),
    )
    known = timeline.facts(now)
    ends = {*timeline.boundaries(), *(at for o in overrides for at in (o.starts_at, stop_of(o)) if at and at > now)}
    return {
        "customer": customer.code,
        "user": user.code,
        "revision": user.customer.revision.number,
        "as_of": now,
        "valid_until": min(ends, default=None),
        "status": known.status.value,
        "owners": {owner: state.value for owner, state in sorted(known.states.items())},
        **resolve(known, holding).content(),
    }
