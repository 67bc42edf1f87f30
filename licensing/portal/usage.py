"""What a customer and its users have used of limits, as apps reported it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from django import forms
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.kinds import KINDS, UNLIMITED
from customers.models import Customer
from customers.tables import Column, NeverNull, Table
from licensing.models import HoldingPeriod, UsageCounter, UserPeriod
from licensing.portal.asking import Filters
from licensing.portal.gate import visit
from licensing.portal.links import user_link
from licensing.querysets import open_at
from licensing.services.metering import (
    contract_start,
    granted_of,
    granted_to,
    period_of,
    reserved_of,
)
from licensing.usage import Resets, Tally, UsageState, window_at

READS: Final = "usage:read"
EVERYBODY: Final = "Everybody"
_LIMIT: Final = KINDS["limit"]
_LEVELS: Final[Mapping[str, str]] = {UsageState.NEAR: "badge-warn badge-dot", UsageState.REACHED: "badge-bad badge-dot"}
_METERS: Final[Mapping[str, str]] = {UsageState.NORMAL: "", UsageState.NEAR: "near", UsageState.REACHED: "full"}
_WORDS: Final[Mapping[str, str]] = {
    UsageState.NORMAL: "Within",
    UsageState.NEAR: "Near the limit",
    UsageState.REACHED: "Reached",
}


class UsageFilters(Filters):
    of = forms.ChoiceField(
        required=False, label="Counted", choices=[("", "Anyhow"), ("customer", "For everybody"), ("user", "Per user")]
    )

    def narrow(self, rows: Any) -> Any:
        """Returns the counters that are asked for."""
        asked = self.asked
        if "of" in asked:
            rows = rows.filter(user__isnull=asked["of"] == "customer")
        return rows.search(asked["search"]) if "search" in asked else rows


@dataclass(frozen=True, slots=True)
class Row:
    """A counter beside what its limit is now; `until` is when it starts again, none for never."""

    counter: UsageCounter
    tally: Tally
    until: datetime | None


@method_decorator(never_cache, name="dispatch")
class UsagePage(LoginRequiredMixin, View):
    """Everything counted now: what has started again since is left out."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        found = visit(request, customer, READS)
        reader = _Reader(found.customer, timezone.now())
        filters = UsageFilters(request.GET)
        rows = UsageCounter.objects.filter(customer=found.customer, period__in=reader.periods)
        rows = filters.narrow(rows.select_related("user", "feature"))
        table = Table(request, "usage", rows, _columns(found.customer), sort="-used", prepare=reader.rows)
        if table.wants_csv:
            return table.csv()
        context = {
            "customer": found.customer,
            "table": table,
            "search": filters,
            "crumbs": found.crumbs,
            "here": "Usage",
        }
        return table.remember(render(request, "licensing/portal/usage.html", context))


class _Reader:
    """Puts beside counters what is granted now. Per batch: who holds what, what that gives, what is reserved."""

    def __init__(self, customer: Customer, at: datetime) -> None:
        self.customer, self.at = customer, at
        anchor = contract_start(customer, at)
        self.windows = {resets.value: window_at(resets, anchor, at) for resets in Resets}

    @property
    def periods(self) -> set[str]:
        """What counters of now say of their period."""
        return {period_of(window) for window in self.windows.values()}

    def rows(self, counters: Sequence[UsageCounter]) -> list[Row]:
        reserved = reserved_of([counter.pk for counter in counters], self.at)
        features = self._features(counters)
        found = []
        for counter in counters:
            _, limit = granted_of(features[counter.user_id], counter.feature.code)
            window = self.windows[counter.feature.resets]
            tally = Tally(limit, counter.used, reserved.get(counter.pk, 0))
            found.append(Row(counter, tally, window.ends_at if window else None))
        return found

    def _features(self, counters: Iterable[UsageCounter]) -> Mapping[int | None, Mapping[str, Any]]:
        """Returns the features of everybody counted, by user; of the customer under none."""
        found: dict[int | None, Mapping[str, Any]] = defaultdict(dict)
        open_now = open_at("ends_at", self.at)
        users = UserPeriod.objects.filter(
            open_now, user__in={counter.user_id for counter in counters} - {None}, starts_at__lte=self.at
        )
        held = dict(users.values_list("user", "holding"))
        given = HoldingPeriod.objects.filter(open_now, holding__in=set(held.values()), starts_at__lte=self.at)
        bodies = {period.holding_id: period.set.body for period in given.select_related("set")}
        features = {holding: json.loads(body)["features"] for holding, body in bodies.items()}
        found.update({user: features[holding] for user, holding in held.items() if holding in features})
        if any(counter.user_id is None for counter in counters):
            found[None], _ = granted_to(self.customer, None)
        return found


def _columns(customer: Customer) -> list[Column]:
    def who(row: Row) -> str:
        return row.counter.user.name if row.counter.user else EVERYBODY

    def linked(row: Row) -> SafeString | str:
        return user_link(customer, row.counter.user) if row.counter.user else EVERYBODY

    return [
        Column("who", "Who", who, show=linked, order=(Lower("user__name"),), is_fixed=True),
        Column("feature", "Of what", attrgetter("counter.feature.name"), order=(NeverNull("feature__name"),)),
        Column("used", "Used", attrgetter("counter.used"), show=_used, order=(NeverNull("used"),)),
        Column("reserved", "Reserved", attrgetter("tally.reserved"), show=lambda row: f"{row.tally.reserved:,}"),
        Column("state", "State", lambda row: _WORDS[row.tally.state], show=_badge),
        Column("until", "Starts again", attrgetter("until"), show=lambda row: _day(row.until) or "Never"),
        Column(
            "updated",
            "Reported",
            attrgetter("counter.updated_at"),
            show=lambda row: _day(row.counter.updated_at),
            order=(NeverNull("updated_at"),),
        ),
    ]


def _used(row: Row) -> SafeString:
    unit, limit = row.counter.feature.unit, row.tally.limit
    said = f"{row.counter.used:,} of {_LIMIT.show(limit, unit=unit)}" if limit is not UNLIMITED else ""
    words = said or f"{row.counter.used:,} {unit}, unlimited".strip()
    if limit is UNLIMITED or not limit:
        return format_html("<span>{}</span>", words)
    meter = '<span data-state="{}">{} <meter min="0" max="{}" value="{}" aria-label="{}"></meter></span>'
    taken = min(row.tally.taken, int(limit))
    return format_html(meter, _METERS[row.tally.state], words, limit, taken, row.counter.feature.name)


def _badge(row: Row) -> SafeString:
    state = row.tally.state
    return format_html('<span class="badge {}">{}</span>', _LEVELS.get(state, ""), _WORDS[state])


def _day(at: datetime | None) -> str:
    return date_format(timezone.localtime(at), "j M Y") if at else ""
