"""The navigation of a customer's pages, by task; each visitor sees what they may open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest
from django.urls import reverse

from customers.access import Access, access_of
from customers.models import Customer

register = template.Library()


class Link(NamedTuple):
    title: str
    address: str
    is_current: bool


class Group(NamedTuple):
    """Links under one heading; the first group has the customer's name above it."""

    title: str
    links: list[Link]


_LAST: Final = "People & apps"
# Task → (title, the scope that opens it, where to: names of portal pages; on any of them it is current).
_TASKS: Final[dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]]] = {
    "": (("Overview", "", ("customer",)),),
    "Seats": (
        ("Users & seats", "seats:read", ("users",)),
        ("Changes", "seats:read", ("changes",)),
        ("Seat requests", "seats:read", ("requests",)),
        ("Usage", "usage:read", ("usage",)),
        ("Explain", "entitlements:explain", ("explain",)),
    ),
    "Contract": (
        ("Subscription", "", ("subscription",)),
        ("Licences", "licenses:read", ("licenses",)),
        ("Packages", "licenses:read", ("packages",)),
        ("Overrides", "", ("overrides",)),
    ),
    _LAST: (
        ("People", "members:read", ("people",)),
        ("Integrations", "clients:read", ("clients", "webhooks")),
    ),
}


@register.simple_tag(takes_context=True)
def customer_pages(context: Any, customer: Customer) -> list[Group]:
    """Returns the groups with the links that whoever is signed in may follow."""
    request = context["request"]
    access = access_of(request)
    return list(_groups(request, access, customer))


@register.simple_tag(takes_context=True)
def reads_history(context: Any, customer: Customer) -> bool:
    """Whether whoever is signed in may read in the audit trail what happened at this customer."""
    return _reads_history(access_of(context["request"]), customer)


def _groups(request: HttpRequest, access: Access, customer: Customer) -> Iterator[Group]:
    for title, tasks in _TASKS.items():
        links = [
            Link(name, _address(pages[0], customer), any(map(_stands(request, customer), pages)))
            for name, scope, pages in tasks
            if not scope or access.allows(scope, customer.pk)
        ]
        if title == _LAST and _reads_history(access, customer):
            links.append(Link("History", f"{reverse('audit')}?{urlencode({'customer': customer.code})}", False))
        if links:
            yield Group(title, links)


def _stands(request: HttpRequest, customer: Customer) -> Callable[[str], bool]:
    """Returns whether the visitor stands on a page, or below it; everything is below the overview."""

    def stands(page: str) -> bool:
        address = _address(page, customer)
        return request.path == address or (page != "customer" and request.path.startswith(address))

    return stands


def _address(page: str, customer: Customer) -> str:
    return reverse(f"portal:{page}", args=[customer.code])


def _reads_history(access: Access, customer: Customer) -> bool:
    return access.allows("audit:read", customer.pk) or access.allows("customers:read")
