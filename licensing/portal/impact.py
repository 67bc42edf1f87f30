"""The pages on what a version would do: ask for a report, watch it fill, read it by feature, customer and problem."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, ClassVar, Final

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.models import Version
from catalog.selectors import drafts
from customers.access import Access, access_of, not_allowed
from customers.models import Customer
from customers.replica import ReplicaServes
from customers.tables import Column, Table
from licensing.differences import Effect
from licensing.impact import Impact
from licensing.models import ImpactCustomer, ImpactReport
from licensing.portal.asking import CustomerEffectFilters, EffectFilters, Filters, ProblemFilters, VersionForm
from licensing.portal.links import customer_link
from licensing.services.impacting import look_at, request_impact, seer_of, step_of

REPORTS_PER_PAGE: Final = 20
EFFECTS: Final = tuple(effect.value for effect in Effect)


def _looked_at(row: ImpactCustomer) -> SafeString:
    address = reverse("impact_customer", args=[row.report_id, row.customer.code])
    return format_html('<a href="{}">{}</a>', address, row.customer.name)


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
        show=_looked_at,
        order=("customer__name",),
        is_fixed=True,
    ),
    Column("code", "Code", attrgetter("customer.code"), order=("customer__code",), is_shown=False),
    Column("versions", "On version", lambda row: ", ".join(f"v{number}" for number in row.versions)),
    Column("users", "Users", attrgetter("users"), order=("users",), is_number=True),
    Column("changed", "Changed", attrgetter("changed"), order=("changed",), is_number=True),
    Column("worse", "Worse off", attrgetter("worse"), order=("worse",), is_number=True),
    *(
        Column(effect, effect.capitalize(), attrgetter(effect), order=(effect,), is_number=True, is_shown=False)
        for effect in ("gained", "raised", "lowered", "lost")
    ),
    Column("problems", "In the way", attrgetter("problems_count"), order=("problems_count",), is_number=True),
)
PROBLEMS: Final = (
    Column(
        "customer",
        "Customer",
        lambda row: row.customer.name,
        show=lambda row: customer_link(row.customer),
        order=("customer__name",),
        is_fixed=True,
    ),
    Column("code", "Code", attrgetter("customer.code"), order=("customer__code",), is_shown=False),
    Column("kind", "What", lambda row: row.get_kind_display(), order=("kind",)),
    Column("subject", "Of", attrgetter("subject"), order=("subject",)),
    Column("other", "Needs or excludes", attrgetter("other"), order=("other",), is_shown=False),
    Column("in_use", "In use", attrgetter("in_use"), order=("in_use",), is_number=True),
    Column("new_total", "New total", attrgetter("new_total"), order=("new_total",), is_number=True),
    Column("remove", "To remove", attrgetter("remove"), order=("remove",), is_number=True),
    Column("users", "Users missing it", attrgetter("users"), order=("users",), is_number=True, is_shown=False),
    Column(
        "blocks", "Keeps from moving", attrgetter("is_blocking"), show=lambda row: "yes" if row.is_blocking else "no"
    ),
    Column("message", "In words", attrgetter("message")),
)


def may_see_impact(access: Access) -> bool:
    """Whether the visitor may see what a version would do to all customers."""
    return access.allows("customers:read") and (access.allows("catalog:draft") or access.allows("customers:write"))


@method_decorator(never_cache, name="dispatch")
class ImpactPages(LoginRequiredMixin, View):
    """Whatever is below /impact/ is for those who work on plans, and those who look after customers."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not may_see_impact(access_of(request)):
            raise not_allowed()
        return super().dispatch(request, *args, **kwargs)


class ImpactReports(ImpactPages):
    """The drafts and versions to ask about, and the reports there are."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.shown(request, VersionForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Asks about a draft by its button, or about a published version and a cohort by the form."""
        access, now = access_of(request), timezone.now()
        if "draft" in request.POST:
            named = request.POST["draft"]
            drafted = Version.objects.drafts()
            version = get_object_or_404(drafted, pk=int(named) if named.isdecimal() and len(named) < 19 else 0)
            report = request_impact(version=version, actor=access.actor, at=now)
        else:
            form = VersionForm(request.POST)
            if not form.is_valid():
                return self.shown(request, form, status=422)
            report = request_impact(
                version=form.cleaned_data["version"], actor=access.actor, at=now, cohort=form.cohort()
            )
        return redirect("impact_report", report=report.pk)

    def shown(self, request: HttpRequest, form: VersionForm, status: int = 200) -> HttpResponse:
        reports = ImpactReport.objects.select_related("version__offer", "account").order_by("-pk")
        page = Paginator(reports, REPORTS_PER_PAGE).get_page(request.GET.get("page"))
        context = {"drafts": drafts(), "page": page, "form": form}
        return render(request, "licensing/portal/impact_reports.html", context, status=status)


class ImpactByFeature(ReplicaServes, ImpactPages):
    """One report, as a list of what it says `by` feature."""

    template = "licensing/portal/impact_features.html"
    filters: ClassVar[type[Filters]] = EffectFilters

    def get(self, request: HttpRequest, report: int) -> HttpResponseBase:
        found = get_object_or_404(ImpactReport.objects.select_related("version__offer", "account"), pk=report)
        filters = self.filters(request.GET)
        table = self.table(request, found, filters.asked)
        if table.wants_csv:
            return table.csv()
        context = {
            "report": found,
            "table": table,
            "search": filters,
            "crumbs": [("Impact", reverse("impact"))],
            "here": str(found),
            "versions": found.versions.all(),
            "may_propose": access_of(request).allows("catalog:draft") and found.version.state == "published",
        }
        return table.remember(render(request, self.template, context))

    def table(self, request: HttpRequest, report: ImpactReport, asked: dict[str, str]) -> Table:
        rows = report.features.all()
        if "search" in asked:
            rows = rows.filter(Q(name__icontains=asked["search"]) | Q(code__icontains=asked["search"]))
        if "effect" in asked:
            rows = rows.filter(**{f"{asked['effect']}__gt": 0})
        return Table(request, "impact-features", rows, FEATURES, sort="-lost")


class ImpactByCustomer(ImpactByFeature):
    template = "licensing/portal/impact_customers.html"
    filters = CustomerEffectFilters

    def table(self, request: HttpRequest, report: ImpactReport, asked: dict[str, str]) -> Table:
        rows = report.customers.select_related("customer")
        if "search" in asked:
            rows = rows.filter(customer__in=Customer.objects.search(asked["search"]))
        if "effect" in asked:
            rows = rows.filter(**{f"{asked['effect']}__gt": 0})
        if "only" in asked:
            rows = rows.filter(problems_count__gt=0)
        return Table(request, "impact-customers", rows, CUSTOMERS, sort="-worse")


class ImpactProblems(ImpactByFeature):
    template = "licensing/portal/impact_problems.html"
    filters = ProblemFilters

    def table(self, request: HttpRequest, report: ImpactReport, asked: dict[str, str]) -> Table:
        rows = report.problems.select_related("customer")
        if "search" in asked:
            words = asked["search"]
            named = Q(customer__in=Customer.objects.search(words)) | Q(subject__icontains=words)
            rows = rows.filter(named | Q(other__icontains=words))
        if "kind" in asked:
            rows = rows.filter(kind=asked["kind"])
        return Table(request, "impact-problems", rows, PROBLEMS, sort="customer")


class ImpactAtCustomer(ReplicaServes, ImpactPages):
    """What a report says of one customer, feature by feature: looked at again, as of the report's instant."""

    def get(self, request: HttpRequest, report: int, customer: str) -> HttpResponse:
        found = get_object_or_404(ImpactReport.objects.select_related("version__offer"), pk=report)
        row = get_object_or_404(found.customers.select_related("customer"), customer__code=customer)
        looked = look_at(seer_of(step_of(found)), [row.customer_id], found.at)[0]
        crumbs = [("Impact", reverse("impact")), (str(found), reverse("impact_customers", args=[found.pk]))]
        context = {"report": found, "row": row, "looked": looked, "lines": feature_lines(looked.impact)}
        return render(
            request,
            "licensing/portal/impact_customer.html",
            {**context, "crumbs": crumbs, "here": row.customer.name},
        )


def feature_lines(impact: Impact) -> list[tuple[str, list[tuple[str, int]]]]:
    """Returns each feature's name with how many users see which effect, what is lost first."""
    order = (Effect.LOST, Effect.LOWERED, Effect.RAISED, Effect.GAINED)
    lines = []
    for code, name in impact.names.items():
        effects = [(effect.value, users) for effect in order if (users := impact.features[code, effect])]
        lines.append((order.index(Effect(effects[0][0])), name, effects))
    return [(name, effects) for _, name, effects in sorted(lines)]
