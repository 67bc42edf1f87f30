"""The matrix of features and plans: `/catalog/matrix/`. Rules M-8 and M-9 of docs/rules.md.

`?solution=sales` narrows the columns, `?show=sales-premium` (repeatable) picks some; `?search=mail` narrows the rows;
`?open=email&open=reporting:2` says which groups are open, last opened last, and which page of them. Without `open` the
first groups are. A page never holds more than `MOST_CELLS` cells. `?part=email:2` gives one group alone.

Saving is one request (`/catalog/matrix/save/`), in JSON:

    {"columns": {plan code: {"version": 7 or null, "draft": true, "cells": {feature code: [seen, wanted]}}}}

Values are `true` or `false`, a whole number or `"unlimited"`, the code of a choice, or null for no own value. Answers:
200 `{"cells": 3, "begun": [plan code], "reopened": [plan code]}`; 400, 403, 409 `{"code", "detail", "next_action", …}`
with `faults`, or with `columns` and `cells` in conflict.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.models import Solution
from catalog.services.cells import CellEdit, ColumnEdit, save_cells
from catalog.services.columns import Column, column_offers, read_columns, repetitions
from catalog.views.gridding import MOST_CELLS, MOST_COLUMNS, Opened, draw_groups, say, stage_of
from customers.access import Access, access_of, not_allowed
from customers.errors import Invalid, Refusal

READ, DRAFT = "catalog:read", "catalog:draft"
LONGEST_WORD: Final = 100


@dataclass(frozen=True, slots=True)
class Question:
    """What the address asks for. `opened` is None when it doesn't say."""

    solution: str
    search: str
    show: tuple[str, ...]
    opened: tuple[Opened, ...] | None
    part: Opened | None

    @classmethod
    def read(cls, asked: QueryDict) -> Question:
        opened = [Opened.read(text) for text in asked.getlist("open")]
        return cls(
            solution=_word(asked, "solution").lower(),
            search=_word(asked, "search"),
            show=tuple(dict.fromkeys(asked.getlist("show"))),
            opened=tuple(each for each in opened if each.group) if "open" in asked else None,
            part=Opened.read(asked.get("part", "")) if asked.get("part") else None,
        )

    def address(self, opened: Sequence[Opened]) -> str:
        """Returns the query of the same question with other groups open."""
        query = QueryDict(mutable=True)
        for name in ("solution", "search"):
            if getattr(self, name):
                query[name] = getattr(self, name)
        query.setlist("show", list(self.show))
        query.setlist("open", [str(each) for each in opened] or [""])
        return f"?{query.urlencode()}"


def _word(asked: QueryDict, name: str) -> str:
    return asked.get(name, "").replace("\x00", "").strip()[:LONGEST_WORD]


class MatrixView(LoginRequiredMixin, View):
    """For those who may read the whole catalog, drafts included."""

    access: Access
    scope = READ

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            self.access = access_of(request)
            if not self.access.allows(self.scope):
                raise not_allowed()
        return super().dispatch(request, *args, **kwargs)


@method_decorator(never_cache, name="dispatch")
class MatrixPage(MatrixView):
    def get(self, request: HttpRequest) -> HttpResponse:
        question = Question.read(request.GET)
        offers = list(column_offers(question.solution))
        chosen = [offer for offer in offers if offer.code in question.show] or offers
        columns = read_columns(chosen[:MOST_COLUMNS], at=timezone.now())
        drawn = draw_groups(columns, question)
        account = self.access.actor.account
        context = {
            "question": question,
            "groups": drawn.groups,
            "columns": [_head(column) for column in columns],
            "features": drawn.features,
            "span": len(columns) + 1,
            "may_edit": self.access.allows(DRAFT),
            "is_staff": account is not None and account.is_staff,
            "most_cells": MOST_CELLS,
        }
        if question.part is not None:
            return render(request, "catalog/matrix_groups.html", context)
        shown = {offer.code for offer in chosen} if len(chosen) < len(offers) else set()
        context |= {
            "offers": offers,
            "shown": shown,
            "more_columns": max(0, len(chosen) - MOST_COLUMNS),
            "solutions": Solution.objects.all(),
        }
        return render(request, "catalog/matrix.html", context)


def _head(column: Column) -> dict[str, Any]:
    stage, colour = stage_of(column, timezone.now())
    return {"column": column, "stage": stage, "colour": colour}


@method_decorator(never_cache, name="dispatch")
class MatrixRepetitions(MatrixView):
    """Every own value that repeats what it inherits, as JSON: what cleaning up would take away."""

    def get(self, request: HttpRequest) -> HttpResponse:
        offers = column_offers(_word(request.GET, "solution").lower())
        columns = read_columns(list(offers), at=timezone.now())
        found = [
            {
                "offer": each.column.offer,
                "name": each.column.name,
                "version": each.column.version.pk if each.column.version else None,
                "draft": each.column.is_draft,
                "feature": each.definition.code,
                "feature_name": each.definition.name,
                "group": each.definition.group,
                "kind": each.definition.kind,
                "own": say(each.own),
                "inherited": say(each.inherited),
            }
            for each in repetitions(columns)
        ]
        return JsonResponse({"repeated": found})


@method_decorator(never_cache, name="dispatch")
class MatrixSave(MatrixView):
    scope = DRAFT
    http_method_names = ("post",)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except Refusal as refusal:
            return _refused(refusal)

    def post(self, request: HttpRequest) -> HttpResponse:
        saved = save_cells(columns=list(_read(request.body)), actor=self.access.actor, at=timezone.now())
        return JsonResponse(asdict(saved))


def _refused(refusal: Refusal) -> HttpResponse:
    told = {"code": refusal.code, "detail": refusal.message, "next_action": refusal.next_action}
    return JsonResponse(told | refusal.details, status=refusal.status)


def _read(body: bytes) -> Iterator[ColumnEdit]:
    """Yields the columns of a request. Raises Invalid for what is no such document."""
    try:
        sent: Any = json.loads(body)
        for offer, column in sent["columns"].items():
            cells = [CellEdit(feature, seen, wanted) for feature, (seen, wanted) in column["cells"].items()]
            yield ColumnEdit(offer, column["version"], column["draft"] is True, cells)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as fault:
        raise Invalid("This is not what the matrix sends.") from fault
