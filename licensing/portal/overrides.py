"""The pages of overrides: those of one customer or of all, granting one, ending one; both previewed and confirmed."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.access import Access, access_of, not_allowed
from customers.errors import NotFound, Refusal
from customers.models import CustomerUser
from customers.replica import ReplicaServes
from customers.tables import Table
from licensing.models import CustomerRevision, Override
from licensing.overriding import effects_of_ending, effects_of_granting, override_in_words
from licensing.portal.gate import Visit, visit
from licensing.portal.granting import GrantForm, SubjectForm, user_named
from licensing.portal.override_columns import OverrideFilters, override_columns
from licensing.services.overrides import end_override, grant_override, published_feature

READS: Final = "customers:read"
WRITES: Final = "overrides:write"


def may_see_all_overrides(access: Access) -> bool:
    """Whether the visitor may see the overrides of every customer."""
    return access.allows(READS)


# ── Lists ───────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class AllOverrides(ReplicaServes, LoginRequiredMixin, View):
    """Those of every customer, for our own people; `?state=ending` has those about to end."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        access = access_of(request)
        if not may_see_all_overrides(access):
            raise not_allowed()
        return _listed(
            request, Override.objects.all(), "all-overrides", with_customer=True, may_edit=access.allows(WRITES)
        )


@method_decorator(never_cache, name="dispatch")
class CustomerOverrides(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        found = visit(request, customer, READS)
        rows = Override.objects.filter(customer=found.customer)
        return _listed(
            request,
            rows,
            "overrides",
            may_edit=found.may(WRITES),
            customer=found.customer,
            crumbs=found.crumbs,
            here="Overrides",
        )


def _listed(
    request: HttpRequest, rows: Any, name: str, *, may_edit: bool, with_customer: bool = False, **frame: Any
) -> HttpResponseBase:
    at, filters = timezone.now(), OverrideFilters(request.GET)
    rows = filters.narrow(rows.select_related("customer", "user", "feature").with_stop(), at)
    is_csv = request.GET.get("format") == "csv"
    columns = override_columns(at, with_customer=with_customer, may_edit=may_edit and not is_csv)
    table = Table(request, name, rows, columns, sort="-granted")
    if table.wants_csv:
        return table.csv()
    context = {"table": table, "search": filters, "may_edit": may_edit, **frame}
    return table.remember(render(request, "licensing/portal/overrides.html", context))


# ── Granting ────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class GrantOverride(LoginRequiredMixin, View):
    """Asks for the feature, then what of it; shows what changes, and grants what is confirmed."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        asked = {name: str(value).replace("\0", "") for name, value in request.GET.items()}
        subject = SubjectForm(asked if asked.get("feature") else None)
        subject.initial = {"user": asked.get("user", "")}
        if not subject.is_bound or not subject.is_valid():
            return _asking(request, found, subject, None)
        try:
            user = user_named(found, subject.cleaned_data["user"])
        except NotFound as refusal:
            subject.add_error("user", refusal.message)
            return _asking(request, found, subject, None, status=404)
        _, feature = published_feature(subject.cleaned_data["feature"])
        return _asking(request, found, subject, GrantForm(feature=feature), user)

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, WRITES)
        subject = SubjectForm(request.POST)
        if not subject.is_valid():
            return _asking(request, found, subject, None, status=400)
        _, feature = published_feature(subject.cleaned_data["feature"])
        form = GrantForm(request.POST, feature=feature)
        user = user_named(found, subject.cleaned_data["user"])
        if not form.is_valid():
            return _asking(request, found, subject, form, user, status=400)
        try:
            wish = form.wish(found.customer, user)
            told = grant_override(actor=found.access.actor, dry_run=True, **wish)
            if _is_confirmed(request, found):
                grant_override(actor=found.access.actor, **wish)
                messages.success(request, f"The override of {told.feature.name} is granted.")
                return redirect("portal:overrides", customer=found.customer.code)
        except Refusal as refusal:
            form.refuse(refusal)
            return _asking(request, found, subject, form, user, status=refusal.status)
        effects = effects_of_granting(told)
        return _previewed(request, found, told, effects=effects, what="Grant it")


def _asking(
    request: HttpRequest,
    found: Visit,
    subject: SubjectForm,
    form: GrantForm | None,
    user: CustomerUser | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "customer": found.customer,
        "subject": subject,
        "form": form,
        "feature": form.feature if form is not None else None,
        "whom": user,  # `user` is who looks at the page
        "crumbs": _crumbs(found),
        "here": "Grant an override",
    }
    return render(request, "licensing/portal/override_new.html", context, status=status)


# ── Ending ──────────────────────────────────────────────────────────────────
@method_decorator(never_cache, name="dispatch")
class EndOverride(LoginRequiredMixin, View):
    """Shows what would change without the override; a POST ends it."""

    def get(self, request: HttpRequest, customer: str, override: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        return self._ended(request, found, override)

    def post(self, request: HttpRequest, customer: str, override: int) -> HttpResponse:
        found = visit(request, customer, WRITES)
        return self._ended(request, found, override)

    def _ended(self, request: HttpRequest, found: Visit, number: int) -> HttpResponse:
        rows = Override.objects.filter(customer=found.customer).select_related("customer", "user", "feature")
        row = rows.filter(pk=number).first()
        if row is None:
            raise NotFound("override", str(number))
        is_sure = request.method == "POST" and _is_confirmed(request, found)
        try:
            ended = end_override(customer=found.customer, actor=found.access.actor, override=row, dry_run=not is_sure)
        except Refusal as refusal:
            messages.error(request, refusal.message)
            return redirect("portal:overrides", customer=found.customer.code)
        if is_sure:
            messages.success(request, f"The override of {row.feature.name} has ended.")
            return redirect("portal:overrides", customer=found.customer.code)
        return _previewed(request, found, row, effects=effects_of_ending(ended), what="End it")


# ── What both share ─────────────────────────────────────────────────────────
def _is_confirmed(request: HttpRequest, found: Visit) -> bool:
    """Whether what is sent was looked at and confirmed, and nothing happened at the customer since."""
    return "confirm" in request.POST and request.POST.get("revision") == str(_revision(found))


def _revision(found: Visit) -> int:
    return int(CustomerRevision.objects.get(customer=found.customer).number)


def _previewed(request: HttpRequest, found: Visit, override: Override, *, effects: Any, what: str) -> HttpResponse:
    is_stale = "confirm" in request.POST
    own = ("csrfmiddlewaretoken", "confirm", "revision")
    context = {
        "customer": found.customer,
        "override": override,
        "words": override_in_words(override),
        "effects": effects,
        "what": what,
        "is_stale": is_stale,
        "revision": _revision(found),
        "sent": [(name, value) for name, values in request.POST.lists() for value in values if name not in own],
        "crumbs": _crumbs(found),
        "here": f"{what}?",
    }
    return render(request, "licensing/portal/override_preview.html", context, status=409 if is_stale else 200)


def _crumbs(found: Visit) -> list[tuple[str, str]]:
    return [*found.crumbs, ("Overrides", reverse("portal:overrides", args=[found.customer.code]))]
