"""The pages that belong to no single app."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from customers.access import Access, access_of

CUSTOMERS_NAMED = 10
API_WORTH_COMPRESSING = 10_000  # bytes


class GZipPages(GZipMiddleware):
    """Compresses pages, tables and documents; small answers of the API stay as they are, they are read too often."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        small = not response.streaming and len(response.content) < API_WORTH_COMPRESSING
        if request.path.startswith("/api/") and small:
            return response
        return super().process_response(request, response)


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to go, and what for."""

    title: str
    text: str
    address: str


@never_cache
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Shows where whoever is signed in has something to do; a member of a single customer goes straight there."""
    access = access_of(request)
    own = list(access.customers("seats:read")[: CUSTOMERS_NAMED + 1]) if not access.scopes else []
    if len(own) == 1:
        return redirect("portal:users", customer=own[0].code)
    places = _places(access, is_staff=access.actor.account is not None and access.actor.account.is_staff)
    context = {"customers": own[:CUSTOMERS_NAMED], "has_more": len(own) > CUSTOMERS_NAMED, "places": places}
    return render(request, "home.html", context)


def _places(access: Access, *, is_staff: bool) -> list[Place]:
    found = []
    if access.allows("seats:read"):
        text = "Find a customer, see who holds which plan, and how many seats are left."
        found.append(Place("Users & seats", text, reverse("portal:customers")))
    if is_staff:
        text = "Plans and add-ons, customers, subscriptions, accounts and API clients."
        found.append(Place("Administration", text, reverse("admin:index")))
    if access.scopes or access.scopes_at:
        text = "What apps can ask: entitlements, licences, seats and the catalog."
        found.append(Place("API documentation", text, reverse("docs")))
    return found
