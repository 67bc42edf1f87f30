"""Who may look at which customer in the portal."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from customers.access import Access, access_of, get_customer
from customers.errors import NotFound
from customers.models import Customer, CustomerUser


@dataclass(frozen=True, slots=True)
class Visit:
    """A visitor at one customer."""

    customer: Customer
    access: Access

    def may(self, scope: str) -> bool:
        return self.access.allows(scope, self.customer.pk)

    @property
    def crumbs(self) -> list[tuple[str, str]]:
        """What leads to the pages of this customer, as far as there is a choice."""
        several = [("Customers", reverse("portal:customers"))] if has_choice(self.access) else []
        return [*several, (self.customer.name, reverse("portal:customer", args=[self.customer.code]))]

    def user(self, code: str) -> CustomerUser:
        """Returns the customer's user. Raises NotFound."""
        user: CustomerUser | None = CustomerUser.objects.of(self.customer).named(code).first()
        if user is None:
            raise NotFound("user", code)
        return user


def visit(request: HttpRequest, code: str, scope: str) -> Visit:
    """Returns the visit. Raises NotFound for a customer the visitor may not know of, Forbidden without the scope."""
    access = access_of(request)
    return Visit(get_customer(access, code, scope), access)


def has_choice(access: Access) -> bool:
    """Whether the visitor may open more than one customer."""
    return access.allows("customers:read") or len(access.scopes_at) > 1
