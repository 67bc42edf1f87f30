"""The page about one user: the seats they hold, what they may do and why, and what happened when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from django import forms
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.models import Feature
from customers.models import CustomerUser
from licensing.differences import in_words
from licensing.explaining import facts_at
from licensing.facts import Access
from licensing.models import ChangeSetRow, ModuleLicense, Override, Seat
from licensing.overriding import override_in_words
from licensing.portal.answering import Explained, known_feature
from licensing.portal.gate import Visit, visit
from licensing.portal.instants import InstantField
from licensing.portal.user_plans import UserPlans
from licensing.resolution import Decision, Outcome, Resolution, resolve
from licensing.selectors import seats_held

FEATURES_PER_PAGE: Final = 100
EVENTS_PER_PAGE: Final = 20


class EntitlementSearch(forms.Form):
    """Which features, with which access, at which instant."""

    search = forms.CharField(required=False, max_length=100, label="Feature")
    access = forms.ChoiceField(
        required=False,
        label="Access",
        choices=[("", "Any"), ("edit", "Can edit"), ("view", "Can look at"), ("none", "Not there")],
    )
    at = InstantField(label="At")


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A feature as the page lists it."""

    code: str
    name: str
    group: str
    access: str
    value: str
    sources: str


@method_decorator(never_cache, name="dispatch")
class UserPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        found = visit(request, customer, "entitlements:read")
        page = UserOverview(found, found.user(user), request)
        context = {"page": page, "customer": found.customer, "whom": page.user, "plans": page.plans, **page.frame}
        return render(request, "licensing/portal/user.html", context)


@dataclass
class UserOverview:
    """What the page shows, as of now or of an instant that was asked for."""

    visit: Visit
    user: CustomerUser
    request: HttpRequest

    @property
    def frame(self) -> dict[str, Any]:
        return {"crumbs": self.visit.crumbs, "here": self.user.name}

    # ── What was asked ──────────────────────────────────────────────────────
    @cached_property
    def search(self) -> EntitlementSearch:
        return EntitlementSearch({name: str(value).replace("\0", "") for name, value in self.request.GET.items()})

    @property
    def asked(self) -> dict[str, Any]:
        self.search.is_valid()
        return self.search.cleaned_data

    @property
    def asked_at(self) -> datetime | None:
        at: datetime | None = self.asked.get("at")
        return at

    @cached_property
    def at(self) -> datetime:
        return self.asked_at or timezone.now()

    @property
    def query(self) -> str:
        """What is asked, ready for more to follow."""
        asked = self.request.GET.copy()
        for name in ("feature", "page"):
            asked.pop(name, None)
        said = asked.urlencode()
        return f"{said}&" if said else ""

    # ── Seats ───────────────────────────────────────────────────────────────
    @property
    def status(self) -> str:
        if self.user.is_erased:
            return "Erased"
        if self.user.is_former_employee:
            return "Former employee"
        return "Can log in" if self.user.can_log_in else "Can’t log in"

    @property
    def may_edit_user(self) -> bool:
        return self.visit.may("users:write") and not self.user.is_erased

    @property
    def plans(self) -> UserPlans | None:
        """What can be chosen for the user; nothing where that can't be changed, or was asked about another time."""
        plans = UserPlans(self.visit, self.user)
        return plans if plans.may_edit and not self.asked_at else None

    @property
    def may_see_seats(self) -> bool:
        return self.visit.may("seats:read")

    @cached_property
    def names(self) -> dict[str, str]:
        """What people call the modules of this customer's packages, by `owner.module`; the newest name counts."""
        rows = ModuleLicense.objects.filter(customer=self.visit.customer, license_type=ModuleLicense.Type.USER)
        named = rows.order_by("package__number").values_list(
            "package__owner__code", "module_name", "module_description"
        )
        return {f"{owner.lower()}.{module}": name for owner, module, name in named}

    @cached_property
    def seats(self) -> list[tuple[str, Seat]]:
        """The seats held then, by name."""
        held = seats_held([self.user], self.asked_at)[self.user.pk] if self.may_see_seats else {}
        return sorted((self.names.get(module, module), seat) for module, seat in held.items())

    # ── Entitlements ────────────────────────────────────────────────────────
    @cached_property
    def resolution(self) -> Resolution | None:
        """The answer worked out with its trace; none where nothing is recorded for that instant."""
        known = facts_at(self.visit.customer, self.user, self.at)
        return None if known is None else resolve(*known)

    @cached_property
    def page(self) -> Page[Entitlement]:
        return Paginator(list(self._entitlements()), FEATURES_PER_PAGE).get_page(self.request.GET.get("page"))

    def _entitlements(self) -> Iterator[Entitlement]:
        decisions = self.resolution.features if self.resolution is not None else {}
        groups = dict(Feature.objects.filter(code__in=decisions).values_list("code", "group__name"))
        words, access = self.asked.get("search", "").casefold(), self.asked.get("access", "")
        order = {code: at for at, code in enumerate(groups)}
        for code in sorted(decisions, key=lambda code: (order.get(code, len(order)), code)):
            entry = _entitlement(decisions[code], groups.get(code, ""))
            if words in f"{entry.name} {entry.code}".casefold() and access in ("", entry.access):
                yield entry

    # ── Why ─────────────────────────────────────────────────────────────────
    @property
    def may_explain(self) -> bool:
        return self.visit.may("entitlements:explain")

    @cached_property
    def explained(self) -> Explained | None:
        """The trace of the feature that was asked about."""
        code = self.request.GET.get("feature", "").replace("\0", "")
        if not code or not self.may_explain:
            return None
        feature = known_feature(code)
        return None if feature is None else Explained(self.visit, self.user, feature, self.at, self.names)

    # ── What happened ───────────────────────────────────────────────────────
    @cached_property
    def timeline(self) -> Page[Any]:
        """What was done to the user's seats and overrides, the newest first."""
        rows = ChangeSetRow.objects.filter(user=self.user) if self.may_see_seats else ChangeSetRow.objects.none()
        rows = rows.select_related("change_set").order_by("-change_set__at")
        return Paginator(rows, EVENTS_PER_PAGE).get_page(self.request.GET.get("changes"))

    @property
    def events(self) -> list[dict[str, Any]]:
        return [self._event(row) for row in self.timeline]

    @property
    def may_override(self) -> bool:
        return self.visit.may("overrides:write")

    @cached_property
    def overrides(self) -> list[tuple[Override, str]]:
        """The user's own overrides, those that are over too, each in words."""
        rows = Override.objects.filter(user=self.user).select_related("feature").order_by("-created_at")
        return [(override, override_in_words(override)) for override in rows]

    def _event(self, row: ChangeSetRow) -> dict[str, Any]:
        def named(modules: set[str]) -> list[str]:
            return sorted(self.names.get(module, module) for module in modules)

        before, after = set(row.before), set(row.after)
        return {"change": row.change_set, "gained": named(after - before), "lost": named(before - after)}


def _entitlement(decision: Decision, group: str) -> Entitlement:
    counting = [c.source.name for c in decision.considered if c.outcome is Outcome.COUNTS]
    if decision.steps and decision.steps[-1].after is not None:
        counting.append("an override")
    return Entitlement(
        code=decision.feature.code,
        name=decision.feature.name or decision.feature.code,
        group=group,
        access=decision.access.word,
        value=in_words(decision) if decision.access is Access.EDIT else "",
        sources=", ".join(dict.fromkeys(counting)) if decision.access is Access.EDIT else "",
    )
