"""The page that tells a user's life: everything that changed for them, newest first, with what was gained and lost.

What changed is read from the sets that were really answered; by what, from the facts recorded at that instant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.models import Feature
from customers.models import AuditEvent, CustomerUser
from licensing.answers import Named, Turn, Turned, answer_in_words, turned
from licensing.explaining import may_know_who
from licensing.happenings import Happening, happenings, known_to_trail
from licensing.models import Override, Seat
from licensing.portal.answering import explain_address, module_names, named_of
from licensing.portal.gate import Visit, visit
from licensing.stretches import Answers, Stretch, answers_in, stretch_at, stretches_of

STEPS_PER_PAGE: Final = 20
SHOWN: Final = 6
_TITLES: Final[Mapping[Turn, str]] = {Turn.GAINED: "Gained", Turn.CHANGED: "Changed", Turn.LOST: "Lost"}


@dataclass(frozen=True, slots=True)
class Told:
    """A feature in a step: `words` say what became of it, where that is more than there or not there."""

    name: str
    words: str
    address: str


@dataclass(frozen=True, slots=True)
class Turns:
    """The features of one step with the same turn: those to be seen at once, and the others."""

    turn: Turn
    told: Sequence[Told]

    @property
    def title(self) -> str:
        return f"{_TITLES[self.turn]} {len(self.told)} {'feature' if len(self.told) == 1 else 'features'}"

    @property
    def first(self) -> Sequence[Told]:
        return self.told[:SHOWN]

    @property
    def more(self) -> Sequence[Told]:
        return self.told[SHOWN:]


@dataclass(frozen=True, slots=True)
class Event:
    """A happening with its seats by the names people know."""

    happening: Happening
    gained: Sequence[str]
    lost: Sequence[str]


@dataclass(frozen=True, slots=True)
class Step:
    at: datetime
    is_coming: bool
    events: Sequence[Event]
    turns: Sequence[Turns]
    address: str  # explains what was there from then on


@dataclass
class Timeline:
    """What the page shows. Queries do not grow with what happened: one page of it is looked into."""

    visit: Visit
    user: CustomerUser
    request: HttpRequest

    @cached_property
    def stretches(self) -> list[Stretch]:
        return stretches_of(self.visit.customer, self.user)

    @cached_property
    def instants(self) -> list[datetime]:
        """The instants at which anything changed for the user, newest first."""
        found = {stretch.starts_at for stretch in self.stretches}
        seats = Seat.objects.filter(user=self.user).values_list("assigned_at", "released_at", "leaves_at")
        for assigned, released, leaves in seats:
            found |= {at for at in (assigned, released or leaves) if at is not None}
        known_as = known_to_trail(self.user, self.visit.customer)
        life = AuditEvent.objects.filter(object_type="user", object_code=known_as, customer=self.visit.customer)
        found |= set(life.values_list("at", flat=True))
        for override in Override.objects.filter(user=self.user):
            stops = override.stops_at
            found |= {at for at in (override.created_at, override.starts_at, stops) if at is not None}
        return sorted(found, reverse=True)

    @cached_property
    def page(self) -> Page[Any]:
        page = Paginator(self.instants, STEPS_PER_PAGE).get_page(self.request.GET.get("page"))
        steps: Any = self._steps(list(page.object_list))
        page.object_list = steps
        return page

    def _steps(self, instants: Sequence[datetime]) -> list[Step]:
        spans = {at: self._around(at) for at in instants}
        answers = answers_in({stretch.set_id for span in spans.values() for stretch in span if stretch is not None})
        changes = {at: list(_turned(answers, *spans[at])) for at in instants}
        named = _named({each.code for found in changes.values() for each in found})
        tells_who = may_know_who(self.visit.access, self.visit.customer.pk)
        happened = happenings(self.visit.customer, self.user, instants, tells_who=tells_who)
        return [self._step(at, happened.get(at, []), changes[at], named) for at in instants]

    def _around(self, at: datetime) -> tuple[Stretch | None, Stretch | None]:
        """Returns the stretches right before and from an instant; the same one twice where the answers stayed."""
        there = stretch_at(self.stretches, at)
        if there is None or there.starts_at < at:
            return there, there
        place = self.stretches.index(there)
        return (self.stretches[place - 1] if place else None), there

    def _step(
        self, at: datetime, happened: Sequence[Happening], changes: Sequence[Turned], named: Mapping[str, Named]
    ) -> Step:
        turns = [Turns(turn, [self._told(at, each, named) for each in changes if each.turn is turn]) for turn in Turn]
        return Step(
            at=at,
            is_coming=at > self.now,
            events=[Event(each, self._called(each.gained), self._called(each.lost)) for each in happened],
            turns=[each for each in turns if each.told],
            address=explain_address(self.visit.customer, user=self.user.code, at=at),
        )

    def _told(self, at: datetime, each: Turned, named: Mapping[str, Named]) -> Told:
        of = named.get(each.code, Named(each.code))
        before, after = answer_in_words(each.before, of), answer_in_words(each.after, of)
        words = {Turn.GAINED: after, Turn.CHANGED: f"{before} → {after}", Turn.LOST: f"was {before}"}[each.turn]
        is_plain = each.turn is not Turn.CHANGED and words.removeprefix("was ") == "Included"
        address = explain_address(self.visit.customer, user=self.user.code, feature=each.code, at=at)
        return Told(of.name, "" if is_plain else words, address)

    @cached_property
    def now(self) -> datetime:
        return timezone.now()

    @cached_property
    def names(self) -> dict[str, str]:
        return module_names(self.visit.customer)

    def _called(self, modules: Sequence[str]) -> list[str]:
        return [self.names.get(module, module) for module in modules]

    @property
    def may_explain(self) -> bool:
        return self.visit.may("entitlements:explain")

    @property
    def frame(self) -> dict[str, Any]:
        address = reverse("portal:user", args=[self.visit.customer.code, self.user.code])
        return {"crumbs": [*self.visit.crumbs, (self.user.name, address)], "here": "Timeline"}


def _turned(answers: Mapping[int, Answers], before: Stretch | None, after: Stretch | None) -> Sequence[Turned]:
    if after is None or before is after:
        return ()
    return tuple(turned({} if before is None else answers[before.set_id], answers[after.set_id]))


def _named(codes: set[str]) -> dict[str, Named]:
    features = Feature.objects.filter(code__in=codes).prefetch_related("choices")
    return {feature.code: named_of(feature) for feature in features}


@method_decorator(never_cache, name="dispatch")
class TimelinePage(LoginRequiredMixin, View):
    def get(self, request: HttpRequest, customer: str, user: str) -> HttpResponse:
        found = visit(request, customer, "seats:read")
        timeline = Timeline(found, found.user(user), request)
        context = {"timeline": timeline, "customer": found.customer, **timeline.frame}
        return render(request, "licensing/portal/timeline.html", context)
