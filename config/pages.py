"""The pages that belong to no single app: the start page, and how pages are sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from catalog.models import Version
from catalog.selectors import drafts
from config.errors import API_PATHS
from customers.access import Access, access_of
from customers.audit import tell
from customers.models import AuditEvent
from licensing.portal.waiting import Task, tasks_at_customers, tasks_of_migrations

CUSTOMERS_NAMED: Final = 10
TASKS_NAMED: Final = 10
EVENTS_NAMED: Final = 8
API_WORTH_COMPRESSING: Final = 10_000  # bytes


class GZipPages(GZipMiddleware):
    """Compresses pages, tables, documents, and the API's large answers, streamed ones too.

    Small answers of the API stay as they are: they are read so often that it would cost more than it saves. Whoever
    can make a caller ask and sees how long the answers are (BREACH) learns nothing from them: an answer of the API
    repeats nothing of what was sent beside anything secret; what is secret in a page, its CSRF token, is masked anew
    each time, and Django pads compressed pages at random.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_small = not response.streaming and len(getattr(response, "content", b"")) < API_WORTH_COMPRESSING
        if request.path.startswith(API_PATHS) and is_small:
            return response
        return super().process_response(request, response)


@never_cache
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Shows what waits for whoever is signed in; a member of a single customer goes straight there."""
    access = access_of(request)
    own = list(access.customers("customers:read")[: CUSTOMERS_NAMED + 1]) if not access.scopes else []
    if len(own) == 1:
        return redirect("portal:customer", customer=own[0].code)
    context = {
        "customers": own[:CUSTOMERS_NAMED],
        "has_more": len(own) > CUSTOMERS_NAMED,
        "tasks": [*_drafts(access), *tasks_of_migrations(access), *tasks_at_customers(access, timezone.now())],
        "events": _events(access),
        "has_role": bool(access.scopes or access.scopes_at),
    }
    return render(request, "home.html", context)


def _drafts(access: Access) -> Iterator[Task]:
    """Yields the drafts: to publishers those to approve, to those who edit their own to finish."""
    if not access.allows("catalog:draft"):
        return
    may_publish = access.allows("catalog:publish")
    for draft in drafts()[:TASKS_NAMED]:
        address = reverse("admin:catalog_version_change", args=[draft.pk])
        if draft.state == Version.State.IN_REVIEW:
            by = f", submitted by {draft.submitted_by}" if draft.submitted_by else ""
            yield Task("To approve" if may_publish else "In review", "warn", f"{draft.offer.name}{by}", address)
        else:
            by = f", begun by {draft.drafted_by}" if draft.drafted_by else ""
            yield Task("Draft", "", f"{draft.offer.name}{by}", address)


def _events(access: Access) -> Any:
    return tell(AuditEvent.objects.order_by("-at", "-pk")[:EVENTS_NAMED]) if access.allows("audit:read") else None
