"""The page that explains: any user, or the customer as a whole, any feature that is known, any instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from django import forms
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.models import Feature
from customers.models import CustomerUser
from licensing.answers import NOTHING, answer_in_words
from licensing.portal.answering import Explained, explain_address, known_feature, module_names, named_of
from licensing.portal.gate import Visit, visit
from licensing.portal.instants import InstantField, for_input
from licensing.stretches import Answers, answers_in, stretch_at, stretches_of

EXPLAIN: Final = "entitlements:explain"
FEATURES_PER_PAGE: Final = 50
USERS_OFFERED: Final = 20


class Question(forms.Form):
    """Who, what, when: all of it may be left out."""

    user = forms.CharField(required=False, max_length=100)
    feature = forms.CharField(required=False, max_length=100)
    at = InstantField()

    @property
    def asked(self) -> dict[str, Any]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


@dataclass(frozen=True, slots=True)
class Line:
    """A feature as the list offers it, with the answer at hand."""

    feature: Feature
    access: str
    value: str
    address: str


@dataclass
class Inquiry:
    """What is asked, and what is found of it."""

    visit: Visit
    request: HttpRequest

    @cached_property
    def form(self) -> Question:
        return Question({name: str(value).replace("\0", "").strip() for name, value in self.request.GET.items()})

    @property
    def asked(self) -> dict[str, Any]:
        return self.form.asked

    @cached_property
    def at(self) -> datetime:
        found: datetime = self.asked.get("at") or timezone.now()
        return found

    @property
    def asked_at(self) -> datetime | None:
        return self.asked.get("at")

    @property
    def at_input(self) -> str:
        return for_input(self.asked["at"]) if "at" in self.asked else ""

    # ── Whom ────────────────────────────────────────────────────────────────
    @property
    def names_user(self) -> str:
        return str(self.asked.get("user", ""))

    @cached_property
    def found_users(self) -> list[CustomerUser]:
        """Those whom the text may mean: who has that very code, or up to twenty who match."""
        if not self.names_user:
            return []
        rows = CustomerUser.objects.of(self.visit.customer)
        exact = rows.named(self.names_user).first()
        return [exact] if exact is not None else list(rows.search(self.names_user).order_by("name")[:USERS_OFFERED])

    @property
    def user(self) -> CustomerUser | None:
        return self.found_users[0] if len(self.found_users) == 1 else None

    @property
    def is_clear(self) -> bool:
        """Whether it is clear whose answer is asked for."""
        return not self.names_user or self.user is not None

    @property
    def offered_users(self) -> list[tuple[CustomerUser, str]]:
        customer, feature, at = self.visit.customer, self.names_feature, self.asked_at
        return [(user, explain_address(customer, user=user.code, feature=feature, at=at)) for user in self.found_users]

    @property
    def user_code(self) -> str:
        return "" if self.user is None else str(self.user.code)

    # ── What ────────────────────────────────────────────────────────────────
    @property
    def names_feature(self) -> str:
        return str(self.asked.get("feature", ""))

    @cached_property
    def feature(self) -> Feature | None:
        """The feature of that very code, or the only one that matches."""
        if not self.names_feature:
            return None
        exact = known_feature(self.names_feature)
        if exact is not None:
            return exact
        found = list(self._features()[:2])
        return found[0] if len(found) == 1 else None

    def _features(self) -> Any:
        rows = Feature.objects.published().select_related("group").prefetch_related("choices")
        if self.names_feature:
            rows = rows.filter(Q(code__icontains=self.names_feature) | Q(name__icontains=self.names_feature))
        return rows.order_by("group__position", "group__code", "position", "code")

    @cached_property
    def explained(self) -> Explained | None:
        if not self.is_clear or self.feature is None:
            return None
        return Explained(self.visit, self.user, self.feature, self.at, module_names(self.visit.customer))

    @property
    def text(self) -> str:
        return "" if self.explained is None else self.explained.text(self.request.build_absolute_uri("/"))

    @cached_property
    def page(self) -> Page[Any]:
        """The features to choose from, with what is answered of each."""
        page = Paginator(self._features(), FEATURES_PER_PAGE).get_page(self.request.GET.get("page"))
        answers = self._answers
        page.object_list = [self._line(feature, answers) for feature in page.object_list]
        return page

    @cached_property
    def _answers(self) -> Answers | None:
        """What is answered at that instant, by feature; none where nothing is recorded, or nobody is meant."""
        if not self.is_clear:
            return None
        there = stretch_at(stretches_of(self.visit.customer, self.user), self.at)
        return None if there is None else answers_in([there.set_id])[there.set_id]

    @property
    def is_recorded(self) -> bool:
        return self._answers is not None

    def _line(self, feature: Feature, answers: Answers | None) -> Line:
        answer = None if answers is None else answers.get(feature.code, NOTHING)
        address = explain_address(
            self.visit.customer, user=self.user_code or self.names_user, feature=feature.code, at=self.asked_at
        )
        access = "" if answer is None else str(answer["access"])
        return Line(feature, access, answer_in_words(answer, named_of(feature)) if answer else "", address)

    # ── The frame ───────────────────────────────────────────────────────────
    @property
    def query(self) -> str:
        """What is asked, ready for a page of the list to follow."""
        asked = self.request.GET.copy()
        asked.pop("page", None)
        said = asked.urlencode()
        return f"{said}&" if said else ""

    @property
    def frame(self) -> dict[str, Any]:
        crumbs = self.visit.crumbs
        if self.user is not None:
            address = reverse("portal:user", args=[self.visit.customer.code, self.user.code])
            crumbs = [*crumbs, (self.user.name, address)]
        return {"crumbs": crumbs, "here": "Explain"}


@method_decorator(never_cache, name="dispatch")
class ExplainPage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        found = visit(request, customer, EXPLAIN)
        inquiry = Inquiry(found, request)
        context = {"inquiry": inquiry, "customer": found.customer, **inquiry.frame}
        return render(request, "licensing/portal/explain.html", context)
