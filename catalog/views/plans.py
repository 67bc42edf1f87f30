"""The public comparison of plans: what is on offer now, or on any day, side by side. `/plans/`, for everybody.

`?on=2026-03-04` asks for a day, past or to come: what was on offer at its end, in UTC. `?solution=sales` narrows the
plans, `?show=sales-premium` (repeatable) picks some, and marks add-ons; `?differences=1` leaves out what all of them
agree on. `?format=json` gives the same as data:

    {"on": "2026-03-04", "solution": null, "not_on_offer": [], "hidden": 0,
     "solutions": [{"code", "name"}],
     "plans": [{"code", "name", "description", "version", "since", "changelog", "solutions": [code], "tier": code}],
     "groups": [{"code", "name", "features": [
        {"code", "name", "description", "kind", "counts", "differs",
         "values": {plan code: {"value", "text", and for limits "unlimited"}, or null where the plan lacks it}}]}],
     "add_ons": [{"code", "name", "description", "version", "since", "changelog", "scope": "site" or "user",
                  "needs": [code or tier:CODE], "excludes": [the same], "max_quantity",
                  "features": [{"name", "value", "text", …}]}]}

A day or solution that can't be read: 400 and `{"errors": {"on": sentence}}`; the page says so beside the field. Codes
in `show` that are not on offer are told in `not_on_offer`.

Everybody gets the same JSON, so it is `public`, for a minute, and other websites may fetch it. So is the page for who
isn't signed in; for the others it carries their name and navigation, is `private`, and asked for anew each time. Both
have an ETag, made of everything the answer depends on before any content is read, so that 304 is cheap. There is no
Last-Modified: what leaves the shelf leaves no date behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.template.loader import get_template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.cache import add_never_cache_headers, get_conditional_response, patch_cache_control
from django.utils.safestring import mark_safe
from django.views import View

from catalog.content.table import Cell, Column, Row, Table, cells, tabulate
from catalog.targets import in_words, tier_target
from catalog.views.offering import Content, Offering, Shown, contents
from customers.access import access_of
from customers.memory import Memory

KEPT_FOR: Final = 60  # seconds
_QUOTED: Final = 40  # characters of what somebody asked for
# What everybody gets alike, under its tag, which names all that it depends on: it can be forgotten, but never be stale.
_DRAWN: Final[Memory[str, tuple[bytes, str]]] = Memory(room=16)


@dataclass
class Question:
    """What the address asks for. `errors` has a sentence for each field that can't be read."""

    now: datetime
    on: date | None = None
    raw_on: str = ""
    solution: str = ""
    show: tuple[str, ...] = ()
    differences: bool = False
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, asked: QueryDict, now: datetime) -> Question:
        question = cls(
            now,
            raw_on=asked.get("on", "").strip(),
            solution=asked.get("solution", "").strip().lower(),
            show=tuple(dict.fromkeys(code.strip().lower() for code in asked.getlist("show") if code.strip())),
            differences=asked.get("differences", "") in ("1", "on", "true"),
        )
        if question.raw_on:
            try:
                question.on = date.fromisoformat(question.raw_on)
            except ValueError:
                question.errors["on"] = (
                    f"{quoted(question.raw_on)} is not a date. Write year, month and day, like {question.today}."
                )
        return question

    @property
    def today(self) -> date:
        return self.now.date()

    @property
    def day(self) -> date:
        return self.on or self.today

    @property
    def instant(self) -> datetime:
        """The end of the day asked for; now, if none is."""
        return datetime.combine(self.on, time.max, tzinfo=UTC) if self.on else self.now

    @property
    def is_past(self) -> bool:
        return self.instant < self.now

    @property
    def is_to_come(self) -> bool:
        return self.instant > self.now


@dataclass
class Answer:
    """The plans and add-ons that a question leaves, side by side."""

    plans: list[Shown]
    chosen: list[Shown]
    add_ons: list[Shown]
    not_on_offer: list[str]
    table: Table
    contents: dict[str, Content]


def quoted(text: str) -> str:
    return f"“{text if len(text) <= _QUOTED else text[:_QUOTED] + '…'}”"


def answer(question: Question, offering: Offering) -> Answer:
    """Returns what is on offer and asked for; adds to the errors of the question. Two queries."""
    plans, add_ons = offering.named()
    on_offer = {each.code for each in (*plans, *add_ons)}
    chosen = plans
    if question.solution and plans:
        chosen = [plan for plan in plans if question.solution in plan.solutions]
        if not chosen:
            question.errors["solution"] = f"No plan on offer covers {quoted(question.solution)}. These are all plans."
            chosen = plans
        else:
            add_ons = [each for each in add_ons if not each.solutions or question.solution in each.solutions]
    picked = [plan for plan in chosen if plan.code in question.show]
    if not picked and any(plan.code in question.show for plan in plans):
        question.errors["show"] = "None of the plans you ticked covers that solution, so all that do are shown."
    chosen = picked or chosen
    found = contents([*chosen, *add_ons])
    table = tabulate(Column(plan.code, plan.head.effective_from, found[plan.code][0]) for plan in chosen)
    if question.differences and len(chosen) > 1:
        table = table.differences()
    return Answer(plans, chosen, add_ons, [code for code in question.show if code not in on_offer], table, found)


class PlanComparison(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        question = Question.read(request.GET, timezone.now())
        offering = Offering.at(question.instant)
        if request.GET.get("format") == "json":
            return _as_json(request, question, offering)
        return _as_page(request, question, offering)


# ── As data ─────────────────────────────────────────────────────────────────
def _as_json(request: HttpRequest, question: Question, offering: Offering) -> HttpResponse:
    def answered(_: str) -> JsonResponse:
        found = answer(question, offering)
        errors = {name: text for name, text in question.errors.items() if name != "show"}
        if errors:
            return JsonResponse({"errors": errors}, status=400)
        return JsonResponse(data_of(question, offering, found))

    response = _unless_known(request, _tag(request, question, offering, "json"), _unless_drawn(answered))
    patch_cache_control(response, public=True, max_age=KEPT_FOR)
    response["Access-Control-Allow-Origin"] = "*"
    return response


def data_of(question: Question, offering: Offering, found: Answer) -> dict[str, Any]:
    """Returns the comparison as the docstring of this module describes it."""
    covered = {solution for plan in found.plans for solution in plan.solutions}
    codes = [plan.code for plan in found.chosen]
    return {
        "on": question.day.isoformat(),
        "solution": question.solution or None,
        "not_on_offer": found.not_on_offer,
        "hidden": found.table.hidden,
        "solutions": [{"code": code, "name": name} for code, name in offering.solutions if code in covered],
        "plans": [_about(plan) | {"solutions": plan.solutions, "tier": plan.tier} for plan in found.chosen],
        "groups": [
            {"code": group.code, "name": group.name, "features": [_feature(row, codes) for row in group.rows]}
            for group in found.table.groups
        ],
        "add_ons": [_add_on_data(each, found.contents[each.code]) for each in found.add_ons],
    }


def _about(shown: Shown) -> dict[str, Any]:
    return {
        "code": shown.code,
        "name": shown.name,
        "description": shown.description,
        "version": shown.head.number,
        "since": shown.head.effective_from.date().isoformat(),
        "changelog": shown.head.changelog,
    }


def _feature(row: Row, codes: Sequence[str]) -> dict[str, Any]:
    about = {name: getattr(row, name) for name in ("code", "name", "description", "kind", "counts", "differs")}
    return about | {"values": {code: cell.to_json() for code, cell in zip(codes, row.cells, strict=True)}}


def _add_on_data(shown: Shown, content: Content) -> dict[str, Any]:
    features, rules = content
    return _about(shown) | {
        "scope": shown.scope,
        "needs": rules["needs"],
        "excludes": rules["excludes"],
        "max_quantity": shown.head.max_quantity,
        "features": [{"name": name, **(cell.to_json() or {})} for name, cell in cells(features)],
    }


# ── As a page ───────────────────────────────────────────────────────────────
def _as_page(request: HttpRequest, question: Question, offering: Offering) -> HttpResponse:
    def answered(_: str = "") -> HttpResponse:
        return render(request, "catalog/plans.html", _context(request, question, offering))

    if len(get_messages(request)):  # said once, to one person
        response = answered()
        add_never_cache_headers(response)
        return response
    is_known = request.user.is_authenticated
    tag = _tag(request, question, offering, *_visitor(request))
    response = _unless_known(request, tag, answered if is_known else _unless_drawn(answered))
    if is_known:
        patch_cache_control(response, private=True, no_cache=True)
    else:
        patch_cache_control(response, public=True, max_age=KEPT_FOR)
    return response  # who is signed in was looked up in the session, so Django adds Vary: Cookie


def _visitor(request: HttpRequest) -> tuple[Any, ...]:
    """Returns what the frame of the page shows of the visitor: the name, and what the navigation depends on."""
    user = request.user
    if not user.is_authenticated:
        return ("anybody",)
    access = access_of(request)
    held = sorted((customer, sorted(scopes)) for customer, scopes in access.scopes_at.items())
    return (user.pk, user.get_full_name(), user.is_staff, user.is_superuser, sorted(access.scopes), held)


def _context(request: HttpRequest, question: Question, offering: Offering) -> dict[str, Any]:
    found = answer(question, offering)
    covered = {solution for plan in found.plans for solution in plan.solutions}
    names = {each.code: each.name for each in (*found.plans, *found.add_ons)}
    names |= {tier_target(plan.tier): plan.tier_name or plan.tier for plan in found.plans if plan.tier}
    as_data = request.GET.copy()
    as_data["format"] = "json"
    starts = _section_starts(found.chosen)
    return {
        "question": question,
        "offering": offering,
        "found": found,
        "plans": list(zip(found.chosen, starts, strict=True)),
        "span": len(found.chosen) + 1,
        "has_news": any(plan.head.changelog for plan in found.chosen),
        "groups": _groups(found.table, starts),
        "solutions": [(code, name) for code, name in offering.solutions if code in covered],
        "is_narrowed": len(found.chosen) < len(found.plans),
        "chosen_codes": {plan.code for plan in found.chosen} if len(found.chosen) < len(found.plans) else (),
        "add_ons": [_add_on(each, found.contents[each.code], question, names) for each in found.add_ons],
        "marked": [each for each in found.add_ons if each.code in question.show],
        "as_data": as_data.urlencode(),
    }


def _section_starts(plans: Sequence[Shown]) -> list[bool]:
    """Returns for each plan whether it begins another solution, which a line sets apart."""
    return [at > 0 and plan.section != plans[at - 1].section for at, plan in enumerate(plans)]


def _groups(table: Table, starts: Sequence[bool]) -> list[tuple[str, list[tuple[Row, str]]]]:
    """Returns each group's name and rows, every row with its cells as HTML: few are unlike, so few are drawn."""
    template = get_template("catalog/cell.html")
    drawn: dict[tuple[Cell, bool], str] = {}

    def draw(cell: Cell, is_first: bool) -> str:
        key = (cell, is_first)
        if key not in drawn:
            drawn[key] = template.render({"cell": cell, "is_first": is_first}).strip()
        return drawn[key]

    def line(row: Row) -> str:
        html = "".join(draw(cell, is_first) for cell, is_first in zip(row.cells, starts, strict=True))
        return mark_safe(html)  # noqa: S308 - put together from what the template escaped

    return [(group.name, [(row, line(row)) for row in group.rows]) for group in table.groups]


def _add_on(shown: Shown, content: Content, question: Question, names: dict[str, str]) -> dict[str, Any]:
    features, rules = content
    return {
        "shown": shown,
        "cells": cells(features),
        "needs": [in_words(target, "needs", names) for target in rules["needs"]],
        "excludes": [in_words(target, "excludes", names) for target in rules["excludes"]],
        "is_marked": shown.code in question.show,
    }


def forget_drawn() -> None:
    """Forgets what was drawn of late, for tests that look into how it is drawn."""
    _DRAWN.clear()


# ── Asked for again ─────────────────────────────────────────────────────────
def _unless_known(request: HttpRequest, tag: str, answered: Callable[[str], HttpResponse]) -> HttpResponse:
    """Returns 304 when the visitor has the answer of this tag already, else the answer, with the tag if it is one."""
    response: HttpResponse = get_conditional_response(request, etag=tag) or answered(tag)
    if response.status_code in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
        response["ETag"] = tag
    return response


def _unless_drawn(answered: Callable[[str], HttpResponse]) -> Callable[[str], HttpResponse]:
    """Returns `answered`, but what it answered of late under the same tag is not put together again."""

    def remembered(tag: str) -> HttpResponse:
        drawn = _DRAWN.get(tag)
        if drawn is None:
            response = answered(tag)
            if response.status_code == HTTPStatus.OK:
                _DRAWN.keep(tag, (response.content, response["Content-Type"]))
            return response
        content, content_type = drawn
        return HttpResponse(content, content_type=content_type)

    return remembered


def _tag(request: HttpRequest, question: Question, offering: Offering, *form: Any) -> str:
    """Returns the weak ETag: the release, the address, the day, what is on offer then, and for whom it is drawn."""
    parts = (_release(), request.META.get("QUERY_STRING", ""), question.day, question.today, offering, form)
    return f'W/"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


@cache
def _release() -> str:
    """Returns a name for how this release draws the page, so that none outlives a new release of its template."""
    drawn_by = [static(f"css/{name}.css") for name in ("tokens", "base", "components")]
    folder = settings.BASE_DIR
    sources = [folder / "templates" / "base.html", Path(__file__), Path(tabulate.__code__.co_filename)]
    sources += sorted(path for part in ("catalog", "components") for path in (folder / "templates" / part).glob("*"))
    texts = [path.read_text(encoding="utf-8") for path in sources if path.is_file()]
    return hashlib.sha256(repr([drawn_by, texts]).encode()).hexdigest()
