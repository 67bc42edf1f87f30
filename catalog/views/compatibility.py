"""Which add-on goes with which plan and add-on: `/catalog/compatibility/`, for whoever may read the catalog.

`?on=2026-03-04` asks for a day, past or to come: what was on offer at its end, in UTC. `?solution=sales` narrows the
plans. `?format=csv` gives the same as a table; `?format=json` as data:

    {"on": "2026-03-04", "solution": null,
     "columns": [{"code", "name", "type": "plan" or "addon", "version", "tier": code, "solutions": [code]}],
     "add_ons": [{"code", "name", "version", "scope": "site" or "user", "max_quantity",
                  "needs": [code or tier:CODE], "excludes": [code or tier:CODE],
                  "cells": {column code: {"state", "reason"}},
                  and for our own people "findings": [{"code", "severity", "path", "message"}]}]}

`state` is `itself`, `excluded`, `needed`, `meets` (a need of a tier), `needs_it`, `lowers`, `no_effect` or `along`.
A day or solution that can't be read: 400 and `{"errors": {"on": sentence}}`; the page says so beside the field.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.content import VersionContent
from catalog.content.compatibility import LABELS, GridRow, grid
from catalog.content.standing import OnShelf, Shelf
from catalog.models import Solution, Version
from catalog.services.mapping import frozen_content
from catalog.shelving import read_shelf
from catalog.targets import in_words
from catalog.views.plans import Question, quoted
from customers.access import Access, access_of, not_allowed
from customers.tables import in_csv

SCOPE: Final = "catalog:read"
_LEGEND: Final = ("needed", "meets", "needs_it", "along", "no_effect", "lowers", "excluded")


@dataclass(frozen=True, slots=True)
class Compatibility:
    """What the page shows: columns of plans and add-ons, a row for each add-on, and the pages of their versions."""

    solutions: list[tuple[str, str]]
    columns: list[OnShelf]
    rows: list[GridRow]
    shelf: Shelf
    pages: dict[str, int]  # code → primary key of the version

    @property
    def plan_count(self) -> int:
        return sum(column.is_plan for column in self.columns)


def read_compatibility(question: Question) -> Compatibility:
    """Returns what is on offer and asked for; adds to the errors of the question. Seven queries, whatever is sold."""
    at = question.instant
    contents = _add_ons(at)
    granted = {code for _, content in contents for code in content.features}
    shelf = read_shelf(at, values_of=granted)
    sold = [offer for offer in shelf.offers.values() if not offer.lacks]
    plans = [offer for offer in sold if offer.is_plan]
    covered = {solution for plan in plans for solution in plan.solutions}
    if question.solution and question.solution not in covered:
        question.errors["solution"] = f"No plan on offer covers {quoted(question.solution)}. These are all plans."
    elif question.solution:
        plans = [plan for plan in plans if question.solution in plan.solutions]
    add_ons = [offer for offer in sold if not offer.is_plan]
    columns = [*plans, *add_ons]
    by_code = {content.offer.code: content for _, content in contents}
    shown = [by_code[offer.code] for offer in add_ons if offer.code in by_code]
    names = Solution.objects.values_list("code", "name")
    return Compatibility(
        solutions=[(code, name) for code, name in names if code in covered],
        columns=columns,
        rows=grid(shown, columns, shelf),
        shelf=shelf,
        pages=dict(Version.objects.offered(at).order_by().values_list("offer__code", "pk")),
    )


def _add_ons(at: datetime) -> list[tuple[int, VersionContent]]:
    """Returns the versions of add-ons on offer, with what they froze. One query."""
    rows = Version.objects.offered(at).filter(offer__type="addon", offer__for_sale=True)
    return [(row.pk, content) for row in rows.order_by() if (content := frozen_content(row)) is not None]


@method_decorator(never_cache, name="dispatch")
class CompatibilityPage(LoginRequiredMixin, View):
    access: Access

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            self.access = access_of(request)
            if not self.access.allows_somewhere(SCOPE):
                raise not_allowed()
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        question = Question.read(request.GET, timezone.now())
        found = read_compatibility(question)
        wanted = request.GET.get("format")
        if wanted in ("json", "csv") and question.errors:
            return JsonResponse({"errors": question.errors}, status=400)
        if wanted == "json":
            return JsonResponse(data_of(question, found, is_ours=self._is_ours))
        if wanted == "csv":
            return _csv(question, found)
        return render(request, "catalog/compatibility.html", self._context(request, question, found))

    @property
    def _is_ours(self) -> bool:
        """Whether whoever looks works on the catalog's side: they may open versions, and see what is odd."""
        account = self.access.actor.account
        return account is not None and account.is_staff and self.access.allows(SCOPE)

    def _context(self, request: HttpRequest, question: Question, found: Compatibility) -> dict[str, Any]:
        names, is_ours = found.shelf.names, self._is_ours
        return {
            "question": question,
            "found": found,
            "rows": [_shown(row, found, is_ours, names) for row in found.rows],
            "columns": [(column, _page(column.code, found, is_ours)) for column in found.columns],
            "legend": [(state, LABELS[state]) for state in _LEGEND],
        }


def _shown(row: GridRow, found: Compatibility, is_ours: bool, names: dict[str, str]) -> dict[str, Any]:
    """Returns a row as the page shows it. `is_ours` says whether whoever looks may open its version."""
    return {
        "offer": row.offer,
        "cells": row.cells,
        "findings": row.findings if is_ours else (),
        "page": _page(row.offer.code, found, is_ours),
        "needs": [in_words(target, "needs", names) for target in row.offer.needs],
        "excludes": [in_words(target, "excludes", names) for target in row.offer.excludes],
    }


def _page(code: str, found: Compatibility, is_ours: bool) -> int | None:
    return found.pages.get(code) if is_ours else None


def data_of(question: Question, found: Compatibility, *, is_ours: bool) -> dict[str, Any]:
    """Returns the grid as the docstring of this module describes it; what is odd is for our own people."""
    return {
        "on": question.day.isoformat(),
        "solution": question.solution or None,
        "columns": [
            {
                "code": column.code,
                "name": column.name,
                "type": column.type,
                "version": column.version,
                "tier": column.tier,
                "solutions": column.solutions,
            }
            for column in found.columns
        ],
        "add_ons": [
            {
                "code": row.offer.code,
                "name": row.offer.name,
                "version": row.offer.version,
                "scope": row.offer.scope,
                "max_quantity": row.offer.most,
                "needs": row.offer.needs,
                "excludes": row.offer.excludes,
                "cells": {cell.column: {"state": cell.state, "reason": cell.reason} for cell in row.cells},
                **({"findings": [asdict(finding) for finding in row.findings]} if is_ours else {}),
            }
            for row in found.rows
        ],
    }


def _csv(question: Question, found: Compatibility) -> HttpResponse:
    """Returns a line for each pair, so that it can be filtered: what one cell says is a row of a spreadsheet."""
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="compatibility-{question.day.isoformat()}.csv"'
    writer = csv.writer(response)
    writer.writerow(["Add-on", "Version", "Scope", "At most", "Beside", "Type", "Tier", "State", "Why"])
    beside = {column.code: column for column in found.columns}
    for row in found.rows:
        offer = row.offer
        for cell in row.cells:
            other = beside[cell.column]
            line = (offer.code, offer.version, offer.scope, offer.most, other.code, other.type, other.tier)
            writer.writerow([in_csv(text) for text in (*line, cell.label, cell.reason)])
    return response
