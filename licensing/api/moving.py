"""Migrations of customers, to read: what is proposed, how far each is, and who is where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar

from django.db.models import Count
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from customers.access import access_of, not_allowed
from customers.api.params import refuse_unknown
from customers.errors import NotFound
from customers.replica import ReplicaServes
from licensing.api.filters import MigrationCustomerFilter, MigrationFilter
from licensing.models import Migration, MigrationCustomer


class MigrationSerializer(serializers.ModelSerializer[Migration]):
    """A migration; the view gives `context["counts"]`: migration id → state → customers."""

    offer = serializers.CharField(source="offer.code", help_text="The plan or add-on.")
    target = serializers.IntegerField(source="target.number", help_text="The version that customers move to.")
    cohort = serializers.DictField(source="cohort_data", help_text="Whom it means; empty for all.")
    customers = serializers.SerializerMethodField(help_text="How many customers are in which state.")

    class Meta:
        model = Migration
        fields = (
            *("id", "offer", "target", "state", "cohort", "moment", "moves_at", "deadline", "allows_pending"),
            *("reason", "proposed_at", "started_at", "ended_at", "customers"),
        )

    def get_customers(self, migration: Migration) -> dict[str, int]:
        return dict(self.context["counts"][migration.pk])


class MigrationCustomerSerializer(serializers.ModelSerializer[MigrationCustomer]):
    customer = serializers.CharField(source="customer.code")
    was = serializers.IntegerField(source="was.number", allow_null=True, default=None, help_text="The version before.")

    class Meta:
        model = MigrationCustomer
        fields = ("customer", "state", "due_at", "try_at", "was", "moved_at", "returned_at", "why")


class MigrationView(GenericAPIView[Any]):
    """For callers who read all customers: a migration is about many of them."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": "customers:read"}

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        if not access_of(request).allows("customers:read"):
            raise not_allowed()

    def migration(self, number: int) -> Migration:
        """Returns the migration. Raises NotFound."""
        found: Migration | None = _migrations().filter(pk=number).first()
        if found is None:
            raise NotFound("migration", str(number))
        return found


def _migrations() -> Any:
    return Migration.objects.select_related("offer", "target")


def _counts(migrations: Iterable[Migration]) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    rows = MigrationCustomer.objects.filter(migration__in=[migration.pk for migration in migrations])
    for pk, state, count in rows.order_by("state").values_list("migration", "state").annotate(Count("pk")):
        counts[pk][state] = count
    return counts


class MigrationList(ReplicaServes, MigrationView):
    queryset = Migration.objects.none()
    serializer_class = MigrationSerializer
    filterset_class = MigrationFilter
    ordering = "-id"

    @extend_schema(responses=MigrationSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Every migration, the newest first."""
        page = self.paginate_queryset(self.filter_queryset(_migrations())) or []
        context = {"counts": _counts(page)}
        return self.get_paginated_response(MigrationSerializer(page, many=True, context=context).data)


class MigrationDetail(MigrationView):
    queryset = Migration.objects.none()
    serializer_class = MigrationSerializer
    pagination_class = None
    filter_backends = ()

    def get(self, request: Request, migration: int) -> Response:
        """One migration, and how far it is."""
        refuse_unknown(request, [])
        found = self.migration(migration)
        return Response(MigrationSerializer(found, context={"counts": _counts([found])}).data)


class MigrationCustomerList(ReplicaServes, MigrationView):
    queryset = MigrationCustomer.objects.none()
    serializer_class = MigrationCustomerSerializer
    filterset_class = MigrationCustomerFilter
    ordering = "customer__code"

    @extend_schema(responses=MigrationCustomerSerializer(many=True))
    def get(self, request: Request, migration: int) -> Response:
        """The customers of a migration: who is due when, who has moved, and what is in the way of whom."""
        rows = self.migration(migration).rows.select_related("customer", "was")
        page = self.paginate_queryset(self.filter_queryset(rows)) or []
        return self.get_paginated_response(MigrationCustomerSerializer(page, many=True).data)
