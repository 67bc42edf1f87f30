"""Whose addresses a page about webhooks is about: those of one customer, or those that hear of all customers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest
from django.urls import reverse

from customers.access import Access, access_of, not_allowed
from customers.models import Customer, WebhookEndpoint
from licensing.portal.gate import visit

_EVERYWHERE: Final = "listening"
_PAGES: Final = ("webhook", "webhook_edit", "webhook_rotate", "webhook_replay", "webhook_delete")


@dataclass(frozen=True, slots=True)
class Listening:
    """A visitor at the addresses of one customer; without one, at those for all customers."""

    access: Access
    customer: Customer | None
    crumbs: list[tuple[str, str]]

    def may(self, scope: str) -> bool:
        return self.access.allows(scope, None if self.customer is None else self.customer.pk)

    @property
    def whose(self) -> str:
        """Whom they hear of, as a sentence names it."""
        return "all customers" if self.customer is None else self.customer.name

    def address(self, page: str, *args: int) -> str:
        """Returns where a page about webhooks is, by its name."""
        if self.customer is None:
            return reverse(f"{_EVERYWHERE}:{page}", args=args)
        return reverse(f"portal:{page}", args=[self.customer.code, *args])

    def links(self, row: WebhookEndpoint | None) -> dict[str, str]:
        """Returns where the pages are, by name: the list, the new one, and those of `row`."""
        links = {page: self.address(page) for page in ("webhooks", "webhook_new")}
        if row is None:
            return links
        return links | {page: self.address(page, row.pk) for page in _PAGES}


def listening(request: HttpRequest, code: str, scope: str) -> Listening:
    """Returns the visit to a customer's addresses, or, without a code, to those for all customers.

    Raises NotFound for a customer the visitor may not know of, Forbidden without the scope: without a code, everywhere.
    """
    if code:
        found = visit(request, code, scope)
        return Listening(found.access, found.customer, found.crumbs)
    access = access_of(request)
    if not access.allows(scope):
        raise not_allowed()
    return Listening(access, None, [])


def may_see_webhooks_of_all(access: Access) -> bool:
    """Whether the visitor may open the addresses for all customers."""
    return access.allows("webhooks:read")
