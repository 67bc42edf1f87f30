"""Two versions side by side, of a plan or add-on or of two of them, drafts included; or a draft and what is live.

All by the address: `?from=1&to=draft`, `with=other-plan` takes the first from another one, `kind=raised` and `q=mail`
leave some lines, `format=csv` takes them along.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from catalog.admin.reading import planned
from catalog.content import KINDS_OF_LINE, DiffLine, VersionContent, diff, tell
from catalog.errors import PublishFault
from catalog.models import Offer, Version
from catalog.services.mapping import frozen_content
from catalog.services.publishing import preview
from customers.tables import in_csv

LINES_PER_PAGE: Final = 100
_LIVE: Final = "live"


@dataclass(frozen=True, slots=True)
class Choice:
    """A version as the address names it: by number, or `draft`. `stage` is *live*, or what it is instead."""

    name: str
    stage: str
    version: Any

    @property
    def label(self) -> str:
        return f"v{self.name} ({self.stage})" if self.version.number else f"the draft ({self.stage})"


@dataclass(frozen=True, slots=True)
class Side:
    """A version that was chosen, with its content; without one when it is a draft with `faults`."""

    choice: Choice
    content: VersionContent | None
    faults: Sequence[PublishFault]

    @classmethod
    def of(cls, choice: Choice) -> Side:
        if choice.version.is_frozen:
            return cls(choice, frozen_content(choice.version), ())
        seen = preview(version=choice.version, at=planned(choice.version, timezone.now()))
        return cls(choice, seen.content, seen.faults)


class Comparison:
    """What one request wants to see side by side. An unknown or missing name is taken as the usual one."""

    def __init__(self, request: HttpRequest, offer: Any) -> None:
        self.asked, self.offer = request.GET, offer
        self.others = list(Offer.objects.filter(versions__isnull=False).distinct().order_by("position", "code"))
        wanted = self.asked.get("with", "")
        self.other = next((other for other in self.others if other.code == wanted), offer)
        self.to_choices = _choices(offer)
        self.from_choices = self.to_choices if self.other == offer else _choices(self.other)
        usual_from, usual_to = self._usual()
        self.old = _named(self.from_choices, self.asked.get("from", ""), usual_from)
        self.new = _named(self.to_choices, self.asked.get("to", ""), usual_to)

    def _usual(self) -> tuple[Choice | None, Choice | None]:
        """Returns what is live, or came last, and the newest: with itself only for want of others."""
        newest = self.to_choices[0] if self.to_choices else None
        older = [choice for choice in self.from_choices if choice != newest]
        live = next((choice for choice in older if choice.stage == _LIVE), None)
        return live or next(iter(older), newest), newest

    @cached_property
    def sides(self) -> list[Side]:
        return [Side.of(choice) for choice in (self.old, self.new) if choice is not None]

    @cached_property
    def lines(self) -> list[DiffLine] | None:
        """Every difference; None without versions, or while a draft has faults: nobody knows what it comes to then."""
        if len(self.sides) < 2 or any(side.content is None for side in self.sides):
            return None
        (old, new), (was, now) = (side.content for side in self.sides), (side.choice.version for side in self.sides)
        assert new is not None  # noqa: S101 - for the type checker: both were looked at above
        return tell(diff(old, new), old, new, changelogs=(was.changelog, now.changelog))

    @property
    def kind(self) -> str:
        asked = self.asked.get("kind", "")
        return asked if asked in KINDS_OF_LINE else ""

    @property
    def words(self) -> str:
        return self.asked.get("q", "").strip()

    @cached_property
    def found(self) -> list[DiffLine]:
        """The lines that hold the words searched for."""
        words = self.words.casefold()
        return [
            line for line in self.lines or () if words in f"{line.what} {line.path} {line.was} {line.now}".casefold()
        ]

    @cached_property
    def shown(self) -> list[DiffLine]:
        return [line for line in self.found if not self.kind or line.kind == KINDS_OF_LINE[self.kind]]

    @property
    def kinds(self) -> list[tuple[str, str, int]]:
        """The kinds of lines that there are: key, title and how many."""
        counts = Counter(line.kind for line in self.found)
        return [
            (key, title, counts[title]) for key, title in KINDS_OF_LINE.items() if counts[title] or key == self.kind
        ]

    @property
    def page(self) -> Page[DiffLine]:
        return Paginator(self.shown, LINES_PER_PAGE).get_page(self.asked.get("page"))

    def query(self, **changes: str) -> str:
        asked = self.asked.copy()
        asked.pop("page", None)
        for name, value in changes.items():
            asked[name] = value
        return asked.urlencode()

    def csv(self) -> HttpResponse:
        names = [f"{choice.version.offer.code}-{choice.name}" for choice in (self.old, self.new) if choice is not None]
        response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{"-".join(names)}.csv"'
        writer = csv.writer(response)
        writer.writerow(["Kind", "What", "Path", "Before", "After"])
        for line in self.shown:
            writer.writerow([in_csv(text) for text in (line.kind, line.what, line.path, line.was, line.now)])
        return response


def compare(request: HttpRequest, offer: Any, context: dict[str, Any]) -> HttpResponse:
    """Returns the page, or with `format=csv` its lines."""
    comparison = Comparison(request, offer)
    if request.GET.get("format") == "csv" and comparison.lines is not None:
        return comparison.csv()
    context |= {
        "title": f"Compare {offer.name}",
        "offer": offer,
        "comparison": comparison,
        "query": f"{comparison.query()}&",
        "csv_address": f"?{comparison.query(format='csv')}",
        "row": None,
    }
    return TemplateResponse(request, "admin/catalog/version/compare.html", context)


def _choices(offer: Any) -> list[Choice]:
    """Returns everything of a plan or add-on that can be compared, a draft first, then the newest."""
    now = timezone.now()
    live = Version.objects.live(now).filter(offer=offer).values_list("pk", flat=True).first()
    found = []
    for version in Version.objects.filter(offer=offer).select_related("base").defer("content", "base__content"):
        version.offer = offer
        stage = _LIVE if version.pk == live else version.stage(now)
        found.append(Choice(str(version.number or "draft"), stage, version))
    return sorted(found, key=lambda choice: (choice.name != "draft", -(choice.version.number or 0)))


def _named(choices: Sequence[Choice], name: str, usual: Choice | None) -> Choice | None:
    return next((choice for choice in choices if choice.name == name), usual)
