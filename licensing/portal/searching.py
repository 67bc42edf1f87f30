"""What "go to" finds: plans and add-ons, customers and users, as far as the visitor may open them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.models import Offer
from customers.access import Access, access_of
from customers.models import CustomerUser

FOUND_OF_EACH = 6


@dataclass(frozen=True, slots=True)
class Found:
    title: str
    kind: str
    address: str


@method_decorator(never_cache, name="dispatch")
class Search(LoginRequiredMixin, View):
    """The page behind "Search", and the palette's list."""

    def get(self, request: HttpRequest) -> HttpResponse:
        words = request.GET.get("q", "").replace("\0", "").strip()[:100]
        found = list(_find(access_of(request), words)) if words else []
        in_palette = getattr(request, "htmx", False)
        template = "licensing/portal/found.html" if in_palette else "licensing/portal/search_page.html"
        return render(request, template, {"words": words, "found": found})


def _find(access: Access, words: str) -> Iterator[Found]:
    yield from _offers(access, words)
    customers: Any = access.customers("seats:read")
    for customer in customers.search(words).order_by("code")[:FOUND_OF_EACH]:
        yield Found(customer.name, "Customer", reverse("portal:customer", args=[customer.code]))
    users: Any = CustomerUser.objects.search(words).select_related("customer")
    if not access.allows("seats:read"):
        users = users.filter(customer__in=customers)
    for user in users[:FOUND_OF_EACH]:
        address = reverse("portal:user", args=[user.customer.code, user.code])
        yield Found(user.name, f"User at {user.customer.name}", address)


def _offers(access: Access, words: str) -> Iterator[Found]:
    named = Offer.objects.filter(Q(code__icontains=words) | Q(name__icontains=words)).order_by("position", "code")
    may_edit = access.allows("catalog:draft")
    if not may_edit:
        named = named.on_offer(timezone.now()).filter(for_sale=True)
    for offer in named[:FOUND_OF_EACH]:
        page = f"admin:catalog_{'plan' if offer.type == Offer.Type.PLAN else 'addon'}_change"
        address = reverse(page, args=[offer.pk]) if may_edit else f"{reverse('plans')}?show={offer.code}"
        yield Found(offer.name, offer.get_type_display().capitalize(), address)
