"""Two versions of a plan or add-on side by side, or a draft and what is live: `?from=1&to=2`, `?to=draft`, as CSV too."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from catalog.admin.reading import planned
from catalog.content import VersionContent, diff
from catalog.models import Version
from catalog.services.mapping import frozen_content
from catalog.services.publishing import preview
from customers.tables import in_csv


@dataclass(frozen=True, slots=True)
class Choice:
    """A version as the address names it: by number, or `draft`."""

    name: str
    label: str
    version: Any


def compare(request: HttpRequest, offer: Any, context: dict[str, Any]) -> HttpResponse:
    """Returns the page, or with `format=csv` its lines. An unknown or missing name is taken as the usual one."""
    choices = _choices(offer)
    usual_from, usual_to = _usual(offer, choices)
    named = {choice.name: choice for choice in choices}
    old = named.get(request.GET.get("from", ""), usual_from)
    new = named.get(request.GET.get("to", ""), usual_to)
    before, after = (_content(choice) for choice in (old, new))
    found = diff(before, after) if before is not None and after is not None else None
    if request.GET.get("format") == "csv" and found is not None and old is not None and new is not None:
        return _csv(f"{offer.code}-{old.name}-{new.name}", found.lines)
    context |= {"title": f"Compare {offer.name}", "offer": offer, "choices": choices, "old": old, "new": new}
    context |= {"diff": found, "previous": old.label if old else "", "row": None}
    return TemplateResponse(request, "admin/catalog/version/compare.html", context)


def _choices(offer: Any) -> list[Choice]:
    """Returns everything that can be compared, the newest first."""
    now = timezone.now()
    live = Version.objects.live(now).filter(offer=offer).values_list("pk", flat=True).first()
    versions = Version.objects.filter(offer=offer).select_related("offer").defer("content")
    found = []
    for version in versions.order_by("-number"):
        version.offer = offer
        said = "live" if version.pk == live else version.stage(now)
        name = str(version.number) if version.number else "draft"
        found.append(Choice(name, f"v{name} ({said})" if version.number else f"the draft ({said})", version))
    return sorted(found, key=lambda choice: (choice.name != "draft", -(choice.version.number or 0)))


def _usual(offer: Any, choices: list[Choice]) -> tuple[Choice | None, Choice | None]:
    """Returns what is compared unless somebody says otherwise: the newest, against what is live or came before it."""
    if not choices:
        return None, None
    newest, *older = choices
    live = next((choice for choice in older if "(live)" in choice.label), None)
    return live or (older[0] if older else newest), newest


def _content(choice: Choice | None) -> VersionContent | None:
    if choice is None:
        return None
    if choice.version.is_frozen:
        return frozen_content(choice.version)
    return preview(version=choice.version, at=planned(choice.version, timezone.now())).content


def _csv(name: str, lines: Any) -> HttpResponse:
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(response)
    writer.writerow(["Kind", "What", "Before", "After"])
    for line in lines:
        writer.writerow([in_csv(text) for text in (line.kind, line.what, line.was, line.now)])
    return response
