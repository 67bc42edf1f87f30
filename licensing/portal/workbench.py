"""The product manager's workbench: what waits, what comes, who is on which version, what happened. `/catalog/`.

Rules T-7 and T-8 of docs/rules.md. Constant queries: customers are counted by version, users for the page shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.models import Offer, Version, VersionComment
from catalog.selectors import drafts
from customers.access import Access, access_of, not_allowed
from customers.audit import tell
from customers.models import Account, AuditEvent
from customers.tables import Column, NeverNull, Table
from licensing.models import SubscriptionItem
from licensing.portal.impact import may_see_impact
from licensing.portal.trail import CATALOG
from licensing.querysets import open_at

DRAFTS_NAMED: Final = 20
COMING_NAMED: Final = 10
PLANS_NAMED: Final = 15
EVENTS_NAMED: Final = 8


def may_see_workbench(access: Access) -> bool:
    """Whether the visitor is one of our own who reads the catalog, drafts included."""
    return access.allows("catalog:read")


# Where the work is done: title, name of the page, who may open it. A page that isn't there is left out.
_TOOLS: Final[tuple[tuple[str, str, Callable[[Access], bool]], ...]] = (
    ("Matrix", "matrix", may_see_workbench),
    ("Compatibility", "compatibility", may_see_workbench),
    ("Impact", "impact", may_see_impact),
    ("Migrations", "migrations:list", may_see_impact),
    ("Import & export", "catalog_files", lambda access: access.allows("catalog:draft")),
    ("Compare plans", "plans", may_see_workbench),
)


def tools(access: Access) -> Iterator[tuple[str, str]]:
    for title, name, is_open in _TOOLS:
        if is_open(access):
            try:
                yield title, reverse(name)
            except NoReverseMatch:
                continue


# ── Drafts ──────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Waiting:
    """A draft, and what it waits for: to be approved or finished by the visitor (`mine`), or by somebody else."""

    draft: Any
    mine: bool
    badge: str
    level: str
    by: str


def waiting_drafts(access: Access) -> list[Waiting]:
    """Returns the drafts, those that wait for the visitor first. Two queries."""
    remarks = VersionComment.objects.filter(version=OuterRef("pk")).order_by().values("version")
    newest = Version.objects.filter(offer=OuterRef("offer"), state="published").order_by("-number").values("number")
    rows = drafts().defer("content").select_related("offer", "drafted_by", "submitted_by", "approved_by")
    rows = rows.annotate(
        comment_count=Subquery(remarks.annotate(n=Count("pk")).values("n")),
        newest=Subquery(newest[:1]),
        base_number=F("base__number"),
    ).prefetch_related("editors")
    return sorted((_waiting(draft, access) for draft in rows), key=lambda line: not line.mine)


def _waiting(draft: Any, access: Access) -> Waiting:
    account = access.actor.account
    draft.is_superseded = draft.newest is not None and (draft.base_number or 0) < draft.newest
    is_worked_on = draft.drafted_by == account or account in draft.editors.all()
    if draft.is_approved:
        by = f"approved by {_name(draft.approved_by)}"
        return Waiting(draft, access.allows("catalog:publish"), "Approved", "good", by)
    if draft.state == Version.State.IN_REVIEW:
        may_approve = access.allows("catalog:publish") and not (settings.FOUR_EYES and is_worked_on)
        by = f"submitted by {_name(draft.submitted_by)}"
        return Waiting(draft, may_approve, "To approve" if may_approve else "In review", "warn", by)
    by = f"begun by {_name(draft.drafted_by)}"
    return Waiting(draft, is_worked_on and access.allows("catalog:draft"), "Draft", "", by)


def _name(account: Account | None) -> str:
    return account.get_full_name() if account is not None else "the system"


def coming(at: datetime) -> list[Version]:
    """Returns what will take effect by the clock, and what is approved to, the next first. One query."""
    rows = Version.objects.filter(effective_from__gt=at).exclude(state=Version.State.RETIRED)
    return list(rows.select_related("offer").defer("content").order_by("effective_from", "pk")[:COMING_NAMED])


# ── Who is on which version ─────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class PlanLine:
    """A plan or add-on in force: how many customers have its live version, and how many an older one since when."""

    offer: Offer
    live: int | None  # the number of the version that new sales take
    on_live: int
    grandfathered: int
    since: datetime | None

    @property
    def customers(self) -> int:
        return self.on_live + self.grandfathered


class Cohorts:
    """Customers by version at an instant. Three queries, whatever the number of customers."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    @cached_property
    def counts(self) -> dict[int, int]:
        """The customers that have a version, by its id. Of one plan a customer has one version (P-7)."""
        held = items_in_force(self.at).values_list("version").annotate(Count("customer", distinct=True))
        return dict(held)

    @cached_property
    def live(self) -> dict[int, Version]:
        """The version that new sales take, by plan."""
        rows: Any = Version.objects.live(self.at).defer("content")
        return {version.offer_id: version for version in rows}

    @cached_property
    def versions(self) -> dict[int, list[Any]]:
        """The versions of everything that somebody has, by plan, the oldest first."""
        held = Version.objects.filter(pk__in=self.counts).values("offer")
        found: dict[int, list[Any]] = defaultdict(list)
        for version in Version.objects.frozen().filter(offer__in=held).select_related("offer").defer("content"):
            found[version.offer_id].append(version)
        return {offer: sorted(versions, key=attrgetter("number")) for offer, versions in found.items()}

    def is_live(self, version: Any) -> bool:
        live = self.live.get(version.offer_id)
        return live is not None and live.pk == version.pk

    def left_behind_at(self, version: Any) -> datetime | None:
        """Returns since when new sales take another version than this one: a later one took effect, or it retired."""
        later = [other.effective_from for other in self.versions[version.offer_id] if other.number > version.number]
        ends = [at for at in (*later, version.retired_at) if at is not None and at <= self.at]
        return min(ends, default=None)

    def lines(self) -> list[PlanLine]:
        """Returns a line per plan and add-on in force, those with most customers first."""
        lines = [self._line(offer, versions) for offer, versions in self.versions.items()]
        return sorted(lines, key=lambda line: (-line.customers, line.offer.code))

    def _line(self, offer: int, versions: Sequence[Any]) -> PlanLine:
        old = [version for version in versions if version.pk in self.counts and not self.is_live(version)]
        live = self.live.get(offer)
        return PlanLine(
            versions[0].offer,
            live.number if live else None,
            self.counts.get(live.pk, 0) if live else 0,
            sum(self.counts[version.pk] for version in old),
            min((at for at in map(self.left_behind_at, old) if at is not None), default=None),
        )


def items_in_force(at: datetime) -> Any:
    return SubscriptionItem.objects.in_force(at).filter(subscription__ended_at=None).order_by()


def users_on(versions: Sequence[Version], at: datetime) -> dict[int, int]:
    """Returns how many users hold a seat of the plan at customers that have these versions, by version. One query."""
    seats = items_in_force(at).filter(
        open_at("customer__seats__leaves_at", at),
        version__in=versions,
        customer__seats__released_at=None,
        customer__seats__owner=F("version__offer__module__owner"),
        customer__seats__module_name=F("version__offer__module__name"),
    )
    return dict(seats.values_list("version").annotate(Count("customer__seats__user", distinct=True)))


@dataclass(frozen=True, slots=True)
class Cohort:
    """A row of the table: a version, and who has it."""

    version: Any
    customers: int
    users: int
    is_live: bool
    left_behind_at: datetime | None

    @property
    def standing(self) -> str:
        if self.is_live:
            return "live"
        return "retired" if self.version.state == Version.State.RETIRED else "superseded"


def _named(row: Cohort) -> SafeString:
    address = reverse("admin:catalog_version_change", args=[row.version.pk])
    name, number = row.version.offer.name, row.version.number
    return format_html('<a href="{}">{} <span class="quiet">v{}</span></a>', address, name, number)


def _badge(row: Cohort) -> SafeString:
    level = "badge-good" if row.is_live else "badge-warn"
    return format_html('<span class="badge badge-dot {}">{}</span>', level, row.standing)


COHORTS: Final = (
    Column(
        "plan",
        "Plan or add-on",
        lambda row: row.version.offer.name,
        show=_named,
        order=("offer__name", NeverNull("number")),
        is_fixed=True,
    ),
    Column("code", "Code", lambda row: row.version.offer.code, order=("offer__code", "number"), is_shown=False),
    Column("version", "Version", lambda row: row.version.number, order=("number",), is_number=True, is_shown=False),
    Column("standing", "Standing", attrgetter("standing"), show=_badge),
    Column("customers", "Customers", attrgetter("customers"), order=("customers",), is_number=True),
    Column("users", "Users", attrgetter("users"), is_number=True),
    Column("effective", "In effect since", lambda row: row.version.effective_from, order=("effective_from",)),
    Column("behind", "Grandfathered since", attrgetter("left_behind_at")),
)


def cohort_rows(cohorts: Cohorts, asked: Mapping[str, str]) -> QuerySet[Version]:
    """Returns the versions that somebody has, narrowed by `search` and `only=grandfathered`."""
    held = items_in_force(cohorts.at).filter(version=OuterRef("pk")).values("version")
    customers = Subquery(held.annotate(n=Count("customer", distinct=True)).values("n"))
    rows: QuerySet[Version] = Version.objects.filter(pk__in=cohorts.counts).annotate(customers=customers)
    if asked.get("search"):
        text = asked["search"].replace("\0", "").strip()[:100]
        rows = rows.filter(Q(offer__name__icontains=text) | Q(offer__code__icontains=text))
    if asked.get("only") == "grandfathered":
        rows = rows.exclude(pk__in=[version.pk for version in cohorts.live.values()])
    return rows.select_related("offer").defer("content")


def _cohorts(cohorts: Cohorts) -> Callable[[Sequence[Any]], list[Cohort]]:
    def rows(versions: Sequence[Any]) -> list[Cohort]:
        users = users_on(versions, cohorts.at)
        return [
            Cohort(
                version,
                cohorts.counts[version.pk],
                users.get(version.pk, 0),
                cohorts.is_live(version),
                None if cohorts.is_live(version) else cohorts.left_behind_at(version),
            )
            for version in versions
        ]

    return rows


# ── The page ────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class Workbench(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        access, now = access_of(request), timezone.now()
        if not may_see_workbench(access):
            raise not_allowed()
        context: dict[str, Any] = {}
        if access.allows("customers:read"):
            cohorts = Cohorts(now)
            asked = {name: str(value) for name, value in request.GET.items()}
            table = Table(
                request,
                "plan-versions",
                cohort_rows(cohorts, asked),
                COHORTS,
                sort="-customers",
                prepare=_cohorts(cohorts),
            )
            if table.wants_csv:
                return table.csv()
            context = {"table": table, **_lines(cohorts), "asked": asked}
        waiting = waiting_drafts(access)
        context |= {
            "tools": list(tools(access)),
            "waiting": waiting[:DRAFTS_NAMED],
            "more_drafts": len(waiting) - DRAFTS_NAMED,
            "coming": coming(now),
            "events": tell(AuditEvent.objects.filter(object_type__in=sorted(CATALOG))[:EVENTS_NAMED]),
        }
        response = render(request, "licensing/portal/workbench.html", context)
        return context["table"].remember(response) if "table" in context else response


def _lines(cohorts: Cohorts) -> dict[str, Any]:
    lines = cohorts.lines()
    most = max((line.customers for line in lines), default=1)
    drawn = [
        (line, round(100 * line.on_live / most, 1), round(100 * line.grandfathered / most, 1))
        for line in lines[:PLANS_NAMED]
    ]
    return {
        "plans": drawn,
        "more_plans": len(lines) - PLANS_NAMED,
        "grandfathered": sum(line.grandfathered for line in lines),
    }
