"""The words that queries about customers and their users are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

if TYPE_CHECKING:
    from customers.models import Customer, CustomerUser

    CustomerRows = QuerySet[Customer]
    CustomerUserRows = QuerySet[CustomerUser]
else:
    CustomerRows = CustomerUserRows = QuerySet


class CustomerQuerySet(CustomerRows):
    def search(self, text: str) -> CustomerQuerySet:
        return self.filter(Q(code__icontains=text) | Q(name__icontains=text) | Q(serial_number__startswith=text))

    def named(self, code: str) -> CustomerQuerySet:
        # Spelt as the unique constraint is, so that its index serves; `iexact` would compare in upper case.
        return self.alias(lower_code=Lower("code")).filter(lower_code=code.lower())


class CustomerUserQuerySet(CustomerUserRows):
    def of(self, customer: Customer | int) -> CustomerUserQuerySet:
        return self.filter(customer=customer)

    def named(self, code: str) -> CustomerUserQuerySet:
        # As with customers: spelt so that the unique index on (customer, lower code) serves.
        return self.alias(lower_code=Lower("code")).filter(lower_code=code.lower())

    def search(self, text: str) -> CustomerUserQuerySet:
        return self.filter(Q(code__icontains=text) | Q(name__icontains=text) | Q(email__icontains=text))

    def able_to_hold_seats(self) -> CustomerUserQuerySet:
        return self.filter(can_log_in=True, is_former_employee=False)
