"""The pages on moving customers: proposals, how far a migration is, who is where, and back again."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import Access, access_of, not_allowed
from customers.errors import Invalid, Refusal
from customers.models import Customer
from customers.tables import Table
from licensing.models import ImpactReport, Migration, MigrationCustomer
from licensing.portal.asking import MigrationFilters, MigrationForm, MovedFilters
from licensing.portal.deeds import DEEDS, PROPOSES, RUNS
from licensing.portal.impact import feature_lines, may_see_impact
from licensing.portal.migration_columns import LEVELS, MIGRATIONS, customer_columns, when
from licensing.services import migrating, moving
from licensing.services.impacting import look_at, seer_of
from licensing.services.outlook import Step


def may_see_migrations(access: Access) -> bool:
    """Whether the visitor may see what is moved and who is where."""
    return access.allows("customers:read")


# ── Pages ───────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class MigrationPages(LoginRequiredMixin, View):
    """Whatever is below /migrations/ is for those who may read all customers; `scope` is what a page needs besides."""

    scope: str | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            access = access_of(request)
            if not may_see_migrations(access) or (self.scope and not access.allows(self.scope)):
                raise not_allowed()
        return super().dispatch(request, *args, **kwargs)


class Migrations(MigrationPages):
    def get(self, request: HttpRequest) -> HttpResponseBase:
        filters = MigrationFilters(request.GET)
        asked = filters.asked
        rows = Migration.objects.select_related("offer", "target__offer", "proposed_by")
        rows = rows.annotate(size=Count("customers"), moved=Count("customers", filter=Q(customers__state="moved")))
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        if "search" in asked:
            words = asked["search"]
            named = Q(offer__name__icontains=words) | Q(offer__code__icontains=words) | Q(reason__icontains=words)
            rows = rows.filter(named)
        table = Table(request, "migrations", rows, MIGRATIONS, sort="-proposed")
        if table.wants_csv:
            return table.csv()
        context = {"table": table, "search": filters, "may_propose": access_of(request).allows(PROPOSES)}
        return table.remember(render(request, "licensing/portal/migrations.html", context))


class Propose(MigrationPages):
    scope = PROPOSES
    template = "licensing/portal/migration_new.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Asks; `?report=` or `?version=` say what to begin with."""
        return render(request, self.template, self.context(MigrationForm(initial=_begun(request))))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = MigrationForm(request.POST)
        if form.is_valid():
            try:
                migration = migrating.propose(
                    target=form.cleaned_data["version"],
                    actor=access_of(request).actor,
                    at=timezone.now(),
                    cohort=form.cohort(),
                    **form.terms(),
                )
            except Invalid as refusal:
                for fault in refusal.faults:
                    form.add_error(_FIELDS.get(fault["field"]), fault["message"])
            except Refusal as refusal:
                form.add_error(None, f"{refusal.message} {refusal.next_action}")
            else:
                return redirect("migrations:migration", migration=migration.pk)
        return render(request, self.template, self.context(form), status=422)

    def context(self, form: MigrationForm) -> dict[str, Any]:
        return {"form": form, "crumbs": [("Migrations", reverse("migrations:list"))], "here": "Move customers"}


_FIELDS: Final = {name: name for name in ("codes", "reason", "moment")} | {
    "moves_at": "moves_on",
    "deadline": "deadline_on",
}


def _begun(request: HttpRequest) -> dict[str, Any]:
    number = request.GET.get("report", "")
    report = ImpactReport.objects.filter(pk=int(number)).first() if number.isdecimal() and len(number) < 19 else None
    if report is None:
        return {"version": request.GET.get("version", "")}
    cohort = report.cohort
    return {
        "version": report.version_id,
        "versions": ", ".join(map(str, cohort.versions)),
        "billing_months": list(cohort.billing_months),
        "search": cohort.search,
        "codes": "\n".join(cohort.codes),
    }


class MigrationPage(MigrationPages):
    """One migration: what it is to do, how far it is, what may be done with it, and its customers."""

    def get(self, request: HttpRequest, migration: int) -> HttpResponseBase:
        found = _migration(migration)
        access = access_of(request)
        filters = MovedFilters(request.GET)
        table = self.table(request, found, filters.asked, access.allows(RUNS))
        if table.wants_csv:
            return table.csv()
        counts = moving.tally(found)
        size = sum(counts.values())
        context = {
            "migration": found,
            "level": LEVELS.get(found.state, ""),
            "when": when(found),
            "table": table,
            "search": filters,
            "size": size,
            "settled": size - sum(counts[state] for state in MigrationCustomer.DUE),
            "counts": [(MigrationCustomer.State(state).label, n) for state, n in counts.items() if n],
            "acts": [(name, act) for name, act in DEEDS.items() if act.fits(found, counts, access)],
            "drift": migrating.drift(found, timezone.now()) if size and not found.is_over else None,
            "report": found.preview,
            "may_see_impact": may_see_impact(access),
            "crumbs": [("Migrations", reverse("migrations:list"))],
            "here": f"{found.offer.name} to v{found.target.number}",
        }
        return table.remember(render(request, "licensing/portal/migration.html", context))

    def table(self, request: HttpRequest, found: Migration, asked: dict[str, str], may_run: bool) -> Table:
        rows = found.rows.select_related("customer", "was")
        if "search" in asked:
            rows = rows.filter(customer__in=Customer.objects.search(asked["search"]))
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return Table(request, "migration-customers", rows, customer_columns(may_run), sort="due")


def _migration(number: int) -> Migration:
    rows = Migration.objects.select_related("offer", "target__offer", "preview", "proposed_by", "started_by")
    return get_object_or_404(rows, pk=number)


# ── What is done ────────────────────────────────────────────────────────────
class Act(MigrationPages):
    """Asks whether something is to be done with a migration, and does it."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        deed = DEEDS.get(kwargs["act"])
        if deed is None:
            raise Http404
        self.deed = deed
        if request.user.is_authenticated and not self.allowed(request):
            raise not_allowed()
        return super().dispatch(request, *args, **kwargs)

    def allowed(self, request: HttpRequest) -> bool:
        """A proposal may be cancelled by whoever proposes; what runs, by whoever runs it."""
        access, deed = access_of(request), self.deed
        return any(map(access.allows, deed.scopes))

    def get(self, request: HttpRequest, migration: int, act: str) -> HttpResponse:
        found = _migration(migration)
        counts = moving.tally(found)
        context = {
            "migration": found,
            "deed": self.deed,
            "act": act,
            "fits": self.deed.fits(found, counts, access_of(request)),
            "report": found.preview,
            "counts": counts,
            "crumbs": [*_crumbs(found)],
            "here": self.deed.label.rstrip("…"),
        }
        return render(request, "licensing/portal/migration_act.html", context)

    def post(self, request: HttpRequest, migration: int, act: str) -> HttpResponse:
        found = _migration(migration)
        access = access_of(request)
        if found.state != Migration.State.PROPOSED and not access.allows(RUNS):
            raise not_allowed()
        said = {"reason": request.POST.get("reason", "").replace("\0", "").strip()[:500]}
        said["allows_pending"] = request.POST.get("allows_pending", "")
        self.deed.do(found, access.actor, timezone.now(), said)
        messages.success(request, self.deed.told)
        return redirect("migrations:migration", migration=found.pk)


class RollBackOne(MigrationPages):
    """Shows what going back would do at one customer, and does it."""

    scope = RUNS

    def get(self, request: HttpRequest, migration: int, customer: str) -> HttpResponse:
        row = _row(migration, customer)
        at = timezone.now()
        in_the_way = ""
        try:
            moving.roll_back(row=row, actor=access_of(request).actor, dry_run=True)
        except Refusal as refusal:
            in_the_way = f"{refusal.message} {refusal.next_action}"
        context: dict[str, Any] = {"row": row, "migration": row.migration, "in_the_way": in_the_way}
        if row.was is not None:
            step = Step(row.was.pk, row.was.number or 0, row.was.content or {})
            looked = look_at(seer_of(step), [row.customer_id], at)[0]
            context |= {"looked": looked, "lines": feature_lines(looked.impact)}
        context |= {"crumbs": _crumbs(row.migration), "here": f"Roll back {row.customer.name}"}
        return render(request, "licensing/portal/migration_back.html", context)

    def post(self, request: HttpRequest, migration: int, customer: str) -> HttpResponse:
        row = _row(migration, customer)
        moving.roll_back(row=row, actor=access_of(request).actor)
        messages.success(request, f"{row.customer.name} is back on v{row.was.number if row.was else ''}.")
        return redirect("migrations:migration", migration=row.migration_id)


def _row(migration: int, customer: str) -> MigrationCustomer:
    rows = MigrationCustomer.objects.select_related(
        "customer", "was__offer", "offer", "migration__target__offer", "migration__offer"
    )
    found: MigrationCustomer = get_object_or_404(rows, migration=migration, customer__code=customer)
    return found


def _crumbs(migration: Migration) -> list[tuple[str, str]]:
    name = f"{migration.offer.name} to v{migration.target.number}"
    return [
        ("Migrations", reverse("migrations:list")),
        (name, reverse("migrations:migration", args=[migration.pk])),
    ]
