"""The pages on what a draft would do: ask for a report, watch it fill, read it by feature and by customer."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.models import Version
from catalog.selectors import drafts
from customers.access import Access, access_of, not_allowed
from customers.tables import Column, Table
from licensing.models import ImpactReport
from licensing.portal.links import customer_link
from licensing.services.impacting import request_impact

REPORTS_PER_PAGE: Final = 20
FEATURES: Final = (
    Column("name", "Feature", attrgetter("name"), order=("name",), is_fixed=True),
    Column("code", "Code", attrgetter("code"), order=("code",), is_shown=False),
    *(
        Column(effect, f"Users {effect}", attrgetter(effect), order=(effect,), is_number=True)
        for effect in ("gained", "raised", "lowered", "lost")
    ),
)
CUSTOMERS: Final = (
    Column(
        "customer",
        "Customer",
        lambda row: row.customer.name,
        show=lambda row: customer_link(row.customer),
        order=("customer__name",),
        is_fixed=True,
    ),
    Column("versions", "On version", lambda row: ", ".join(f"v{number}" for number in row.versions)),
    Column("users", "Users", attrgetter("users"), order=("users",), is_number=True),
    Column("changed", "Changed", attrgetter("changed"), order=("changed",), is_number=True),
    Column("worse", "Worse off", attrgetter("worse"), order=("worse",), is_number=True),
    Column("faults", "What is in the way", lambda row: " ".join(row.faults)),
)


def may_see_impact(access: Access) -> bool:
    """Whether the visitor may see what a draft would do to all customers."""
    return access.allows("customers:read") and (access.allows("catalog:draft") or access.allows("customers:write"))


@method_decorator(never_cache, name="dispatch")
class ImpactPages(LoginRequiredMixin, View):
    """Whatever is below /impact/ is for those who work on plans, and those who look after customers."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not may_see_impact(access_of(request)):
            raise not_allowed()
        return super().dispatch(request, *args, **kwargs)


class ImpactReports(ImpactPages):
    """The drafts to ask about, and the reports there are."""

    def get(self, request: HttpRequest) -> HttpResponse:
        reports = ImpactReport.objects.select_related("version__offer", "account").order_by("-pk")
        page = Paginator(reports, REPORTS_PER_PAGE).get_page(request.GET.get("page"))
        return render(request, "licensing/portal/impact_reports.html", {"drafts": drafts(), "page": page})

    def post(self, request: HttpRequest) -> HttpResponse:
        named = request.POST.get("version", "")
        version = get_object_or_404(Version, pk=int(named) if named.isdecimal() and len(named) < 19 else 0)
        report = request_impact(version=version, actor=access_of(request).actor, at=timezone.now())
        return redirect("impact_report", report=report.pk)


class ImpactByFeature(ImpactPages):
    template = "licensing/portal/impact_features.html"

    def get(self, request: HttpRequest, report: int) -> HttpResponseBase:
        found = get_object_or_404(ImpactReport.objects.select_related("version__offer", "account"), pk=report)
        table = self.table(request, found)
        if table.wants_csv:
            return table.csv()
        context = {"report": found, "table": table, "crumbs": [("Impact", reverse("impact"))], "here": str(found)}
        return table.remember(render(request, self.template, context))

    def table(self, request: HttpRequest, report: ImpactReport) -> Table:
        return Table(request, "impact-features", report.features.all(), FEATURES, sort="-lost")


class ImpactByCustomer(ImpactByFeature):
    template = "licensing/portal/impact_customers.html"

    def table(self, request: HttpRequest, report: ImpactReport) -> Table:
        rows = report.customers.select_related("customer")
        if request.GET.get("only") == "problems":
            rows = rows.exclude(faults=[])
        return Table(request, "impact-customers", rows, CUSTOMERS, sort="-worse")
