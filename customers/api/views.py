"""Customers, as far as the caller sees them."""

from __future__ import annotations

from django.db.models import QuerySet
from django.db.models.functions import Lower
from rest_framework import generics

from customers.access import access_of
from customers.api.base import CustomerMixin
from customers.api.filters import CustomerFilter
from customers.api.serializers import CustomerSerializer
from customers.models import Customer
from customers.replica import ReplicaServes


class CustomerList(ReplicaServes, generics.ListAPIView[Customer]):
    """The customers that the caller may read: all, its own, or the one that its key is bound to."""

    required_scopes = {"GET": "customers:read"}
    serializer_class = CustomerSerializer
    filterset_class = CustomerFilter
    queryset = Customer.objects.none()
    ordering = "lower_code"

    def get_queryset(self) -> QuerySet[Customer]:
        # Lower("code") is what the unique index sorts by.
        return access_of(self.request).customers("customers:read").annotate(lower_code=Lower("code"))


class CustomerDetail(CustomerMixin, generics.RetrieveAPIView[Customer]):
    """One customer."""

    required_scopes = {"GET": "customers:read"}
    serializer_class = CustomerSerializer
    queryset = Customer.objects.none()
    lookup_url_kwarg = "customer"

    def get_object(self) -> Customer:
        return self.customer
