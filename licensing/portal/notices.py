"""The mails that tell a customer's admins of ends that come: those that will go, word by word, and those that went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import not_allowed
from licensing.models import Notice
from licensing.notices import DAYS
from licensing.portal.gate import visit
from licensing.services.noticing import Coming, Mail, coming, mail_of

PER_PAGE: Final = 20


@dataclass(frozen=True, slots=True)
class Preview:
    """A mail that will go at `at`, as it would read now."""

    at: datetime
    mail: Mail


@method_decorator(never_cache, name="dispatch")
class NoticesPage(LoginRequiredMixin, View):
    """For our own people: customer success and auditors."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, "customers:read")
        if not (found.access.allows("customers:write") or found.access.allows("audit:read")):
            raise not_allowed()
        now = timezone.now()
        previews = [preview for each in coming(now, [found.customer]) for preview in _previews(each, now)]
        sent = Notice.objects.filter(customer=found.customer).select_related("message").order_by("-written_at", "-pk")
        context = {
            "customer": found.customer,
            "previews": sorted(previews, key=lambda preview: preview.at),
            "page": Paginator(sent, PER_PAGE).get_page(request.GET.get("page")),
            "crumbs": found.crumbs,
            "here": "Notices",
        }
        return render(request, "licensing/portal/notices.html", context)


def _previews(each: Coming, now: datetime) -> list[Preview]:
    """Returns the mails of an end that are still to go."""
    ahead = [(days, each.ending.at - timedelta(days=days)) for days in DAYS]
    since = each.ending.since
    return [Preview(at, mail_of(each, days)) for days, at in ahead if at > now and (since is None or since <= at)]
