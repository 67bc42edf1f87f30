"""The module licence records in force: what the rest of the world trusts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import CustomerMixin
from customers.api.params import instant
from customers.replica import ReplicaServes
from licensing.api.entitlements import AT
from licensing.api.filters import LicenseFilter
from licensing.api.serializers import LicenseSerializer
from licensing.models import ModuleLicense, Package
from licensing.recorded import SEALED, damaged_rows
from licensing.selectors import users_per_module


class LicenseList(ReplicaServes, CustomerMixin, GenericAPIView[ModuleLicense]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "licenses:read"}
    queryset = ModuleLicense.objects.none()
    serializer_class = LicenseSerializer
    filterset_class = LicenseFilter
    ordering = ("package_id", "sort_order")
    extra_parameters = ("at",)

    @extend_schema(parameters=[AT], responses=LicenseSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """The records of the active packages, hidden ones too, with how many are in use and free."""
        at = instant(request)
        rows = ModuleLicense.objects.filter(customer=self.customer).in_force(at or timezone.now())
        rows = rows.select_related("package__owner").defer("grants")
        page: Any = self.paginate_queryset(self.filter_queryset(rows)) or []
        packages = Package.objects.filter(pk__in={row.package_id for row in page}).select_related(*SEALED)
        context = {"in_use": users_per_module(self.customer, at), "damaged": damaged_rows(list(packages))}
        return self.get_paginated_response(LicenseSerializer(page, many=True, context=context).data)
