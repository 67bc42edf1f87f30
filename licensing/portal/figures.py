"""The figures of the business: customers per plan and version, and the renewals to come. Constant queries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import access_of, not_allowed
from customers.models import Customer
from customers.replica import ReplicaServes
from customers.tables import Column, Table
from licensing.models import Subscription, SubscriptionItem
from licensing.portal.charts import BarChart, bar_chart
from licensing.portal.links import customer_link
from licensing.term import add_months, next_renewal

MONTHS_AHEAD: Final = 12
SPANS: Final = (30, 90, 365)


@dataclass(frozen=True, slots=True)
class PlanFigure:
    """A plan or add-on in force: at how many customers, how many of it, and by which versions."""

    code: str
    name: str
    customers: int
    quantity: int
    versions: list[tuple[int, int]]  # number → customers


@dataclass(frozen=True, slots=True)
class Renewal:
    customer: Customer
    subscription: Subscription
    day: date


RENEWALS: Final = (
    Column(
        "customer",
        "Customer",
        lambda row: row.customer.name,
        show=lambda row: customer_link(row.customer),
        order=("customer__name",),
        is_fixed=True,
    ),
    Column("code", "Code", lambda row: row.customer.code, order=("customer__code",), is_shown=False),
    Column("day", "Renews on", lambda row: row.day),
    Column("billing", "Billed", lambda row: row.subscription.get_billing_months_display(), order=("billing_months",)),
    Column("since", "Customer since", lambda row: row.subscription.starts_on, order=("starts_on",)),
)


@method_decorator(never_cache, name="dispatch")
class FiguresPage(ReplicaServes, LoginRequiredMixin, View):
    """For our own people: how the plans sell, and whose contracts renew when."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if not access_of(request).allows("customers:read"):
            raise not_allowed()
        now = timezone.now()
        days = _days(request.GET.get("days", ""))
        table = Table(
            request,
            "renewals",
            renewing_within(days, now.date()),
            RENEWALS,
            sort="customer",
            prepare=_renewals(now.date()),
        )
        if table.wants_csv:
            return table.csv()
        plans = plans_in_force(now)
        most = max((plan.customers for plan in plans), default=1)
        context = {
            "plans": [(plan, round(100 * plan.customers / most, 1)) for plan in plans],
            "renewals": renewals_by_month(now.date()),
            "table": table,
            "days": days,
            "spans": SPANS,
        }
        return table.remember(render(request, "licensing/portal/figures.html", context))


def _days(asked: str) -> int:
    return int(asked) if asked in map(str, SPANS) else SPANS[0]


def plans_in_force(at: datetime) -> list[PlanFigure]:
    """Returns the plans and add-ons sold at `at`, the most sold first. One query."""
    items = SubscriptionItem.objects.in_force(at).order_by()
    rows = items.values("version__offer__code", "version__offer__name", "version__number").annotate(
        customers=Count("customer", distinct=True), quantity=Sum("quantity")
    )
    # Of one plan a customer has one version at any instant (P-7), so customers of its versions add up.
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["version__offer__code"], row["version__offer__name"]].append(row)
    figures = [
        PlanFigure(
            code,
            name,
            sum(row["customers"] for row in versions),
            sum(row["quantity"] for row in versions),
            sorted(((row["version__number"], row["customers"]) for row in versions), reverse=True),
        )
        for (code, name), versions in found.items()
    ]
    return sorted(figures, key=lambda figure: (-figure.customers, figure.code))


def renewals_by_month(today: date) -> BarChart:
    """Returns how many running subscriptions renew next in each of the twelve months from this one. One query."""
    months: Counter[date] = Counter()
    for starts_on, billing_months, count in _anchors().annotate(count=Count("pk")):
        months[next_renewal(starts_on, billing_months, today).replace(day=1)] += count
    ahead = [add_months(today.replace(day=1), month) for month in range(MONTHS_AHEAD)]
    return bar_chart([(f"{month:%B %Y}", f"{month:%b}", months[month]) for month in ahead])


def renewing_within(days: int, today: date) -> QuerySet[Subscription]:
    """Returns the running subscriptions that renew next within so many days; one query, and one that is left to run."""
    until, anchors = today + timedelta(days=days), defaultdict(list)
    for starts_on, billing_months in _anchors().distinct():
        if next_renewal(starts_on, billing_months, today) <= until:
            anchors[billing_months].append(starts_on)
    due = Q(pk__in=[])
    for billing_months, days_of_start in anchors.items():
        due |= Q(billing_months=billing_months, starts_on__in=days_of_start)
    found: QuerySet[Subscription] = Subscription.objects.running().filter(due).select_related("customer")
    return found


def _anchors() -> Any:
    return Subscription.objects.running().order_by().values_list("starts_on", "billing_months")


def _renewals(today: date) -> Callable[[Sequence[Subscription]], list[Renewal]]:
    def renewals(rows: Sequence[Subscription]) -> list[Renewal]:
        return [Renewal(row.customer, row, next_renewal(row.starts_on, row.billing_months, today)) for row in rows]

    return renewals
