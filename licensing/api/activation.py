"""Packages that wait: what is in the way, and making them active."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.access import not_allowed
from customers.api.base import CustomerMixin
from customers.api.params import flag, refuse_unknown
from customers.errors import NotFound
from customers.idempotency import idempotent
from customers.models import Customer
from licensing.api.bodies import body_of
from licensing.api.contract_serializers import (
    ActivatedSerializer,
    FitSerializer,
    PackageBriefSerializer,
    ReleaseSerializer,
)
from licensing.api.contracts import change_json
from licensing.api.parameters import DRY_RUN, KEY
from licensing.models import Package
from licensing.outlook import compare
from licensing.selectors import seats_in_order, users_per_module
from licensing.services.activation import activate_package, release_superfluous
from licensing.services.packages import Superfluous, superfluous_of

OWNER = OpenApiParameter("owner", str, description="Whose package; our own if absent.")
HOLDERS: int = 200


class Activate(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"POST": "packages:activate"}

    @extend_schema(parameters=[DRY_RUN, KEY, OWNER], request=None, responses=ActivatedSerializer)
    @idempotent
    def post(self, request: Request, customer: str, number: int) -> Response:
        """Makes the pending package the active one, once no more seats are held than it has."""
        refuse_unknown(request, ["dry_run", "owner"])
        dry_run = flag(request, "dry_run")
        package = activate_package(
            customer=self.customer, actor=self.access.actor, owner=_owner(request), number=number, dry_run=dry_run
        )
        return Response(
            {"dry_run": dry_run, "package": PackageBriefSerializer(package).data, "change_set": None, "left": []}
        )


class SuperfluousSeats(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "seats:read", "POST": "seats:write"}

    @extend_schema(parameters=[OWNER], responses=FitSerializer)
    def get(self, request: Request, customer: str, number: int) -> Response:
        """What the package brings against the active one, and which seats are to be released before it fits."""
        refuse_unknown(request, ["owner"])
        package = _package(self.customer, _owner(request), number)
        at = timezone.now()
        mine = Package.objects.filter(customer=self.customer, owner=package.owner_id)
        present = mine.active(at).select_related("owner").first()
        before = None if present is None or present.pk == package.pk else present
        is_open = package.state == Package.State.PENDING
        superfluous = superfluous_of(package, at) if is_open else ()
        modules = compare(package, before, users_per_module(self.customer, at))
        return Response(
            {
                "package": PackageBriefSerializer(package).data,
                "fits": not superfluous,
                "modules": [change_json(module) for module in modules],
                "superfluous": _listed(self.customer, superfluous),
            }
        )

    @extend_schema(parameters=[DRY_RUN, KEY, OWNER], request=ReleaseSerializer, responses=ActivatedSerializer)
    @idempotent
    def post(self, request: Request, customer: str, number: int) -> Response:
        """Releases the seats named, in one change set, and makes the package active if it fits then."""
        refuse_unknown(request, ["dry_run", "owner"])
        if not self.access.allows("packages:activate", self.customer.pk):
            raise not_allowed()
        asked = body_of(request, ReleaseSerializer)
        dry_run = flag(request, "dry_run")
        made = release_superfluous(
            customer=self.customer,
            actor=self.access.actor,
            owner=_owner(request),
            number=number,
            dry_run=dry_run,
            **asked,
        )
        return Response(
            {
                "dry_run": dry_run,
                "package": PackageBriefSerializer(made.package).data,
                "change_set": made.change_set.number if made.change_set is not None and not dry_run else None,
                "left": _listed(self.customer, made.left),
            }
        )


def _owner(request: Request) -> str:
    return str(request.query_params.get("owner", settings.OWN_OWNER))


def _package(customer: Customer, owner: str, number: int) -> Package:
    rows = Package.objects.filter(customer=customer, owner__code__iexact=owner, number=number)
    package: Package | None = rows.select_related("owner").first()
    if package is None:
        raise NotFound("package", str(number))
    return package


def _listed(customer: Customer, superfluous: Sequence[Superfluous]) -> list[dict[str, Any]]:
    return [
        {
            "module": row.module,
            "in_use": row.in_use,
            "new_total": row.new_total,
            "remove": row.remove,
            "holders": [
                {
                    "user": seat.user.code,
                    "name": seat.user.name,
                    "last_seen_at": seat.user.last_seen_at,
                    "assigned_at": seat.assigned_at,
                }
                for seat in seats_in_order(customer, row.module)[:HOLDERS]
            ],
        }
        for row in superfluous
    ]
