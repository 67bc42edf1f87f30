"""Follows every link a visitor can see, in Chromium, and notes what is wrong with the pages behind them.

Of each route (a URL pattern) at most `OPENED_PER_ROUTE` addresses are opened in the browser; further ones, up to
`ASKED_PER_ROUTE`, are only asked for. axe looks at a page that shows a kind of element which no page of its route
showed before, whoever was signed in then.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from django.test import Client
from django.urls import resolve
from playwright.sync_api import Page

OPENED_PER_ROUTE: Final = 3
ASKED_PER_ROUTE: Final = 12
NARROW, WIDE = 390, 1360
HEAVIEST_PAGE: Final = 60_000  # bytes of HTML as sent, compressed, when the static files are there already
FOREIGN: Final = ("/api/",)  # Swagger's own page: it must work and keep quiet, its contrasts are not ours
HEAVIER: Final = ("/admin/", *FOREIGN)

_LINKS: Final = "[...document.querySelectorAll('a[href]:not([download])')].map(link => link.href)"
_KINDS: Final = """[...new Set([...document.querySelectorAll('body *')].map(
  element => `${element.localName} ${element.getAttribute('role') ?? ''} ${element.getAttribute('class') ?? ''}`))]"""
_SETTLED: Final = "() => Promise.all(document.getAnimations().map(animation => animation.finished.catch(() => null)))"
_AXE: Final = """() => axe.run({ resultTypes: ['violations'] }).then(found => found.violations.map(violation =>
  `${violation.id} (${violation.nodes.length}): ${violation.nodes.slice(0, 3).map(node =>
    `${node.target.join(' ')} — ${[...node.any, ...node.all, ...node.none].map(check => check.message).join('; ')}`
  ).join(' | ')}`))"""


@dataclass
class Tally:
    """What a crawl has counted; tallies of several roles add up."""

    roles: int = 1
    links: int = 0
    pages: int = 0
    console_errors: int = 0
    csp_reports: int = 0
    axe_findings: int = 0
    sideways: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __str__(self) -> str:
        return "crawl: " + ", ".join(
            f"{getattr(self, each.name)} {each.name.replace('_', ' ')}" for each in fields(self)
        )


@dataclass
class Seen:
    """What axe has looked at so far, whoever was signed in: route → kinds of elements."""

    kinds: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def is_news(self, route: str, kinds: set[str]) -> bool:
        news = kinds - self.kinds[route]
        self.kinds[route] |= kinds
        return bool(news)


@dataclass
class Crawler:
    """One visitor's walk; `client` and `page` have the same session. `faults` says what is wrong, with the address."""

    page: Page
    client: Client
    origin: str
    complaints: list[str]
    seen: Seen
    tally: Tally = field(default_factory=Tally)
    faults: list[str] = field(default_factory=list)
    _opened: Counter[str] = field(default_factory=Counter)
    _asked: Counter[str] = field(default_factory=Counter)
    _met: set[tuple[str, frozenset[str]]] = field(default_factory=set)

    def walk(self, start: str) -> None:
        """Follows all links from `start` on."""
        waiting, known = deque([start]), {start}
        self._look(NARROW, "dark")  # as every look ends
        while waiting:
            for link in self._visit(waiting.popleft()):
                if link not in known:
                    known.add(link)
                    waiting.append(link)

    def _visit(self, address: str) -> list[str]:
        asked = route_of(address)
        if self._asked[asked] >= ASKED_PER_ROUTE:
            return []
        self._asked[asked] += 1
        self.tally.links += 1
        answer: Any = self.client.get(address, follow=True, headers={"Accept-Encoding": "gzip"})
        if answer.status_code >= 400:
            self.faults.append(f"{address}: answers {answer.status_code}")
            return []
        if not answer["Content-Type"].startswith("text/html"):
            return []
        path, query = answer.request["PATH_INFO"], answer.request["QUERY_STRING"]
        if not path.startswith(HEAVIER) and len(answer.content) >= HEAVIEST_PAGE:
            self.faults.append(f"{address}: {len(answer.content)} bytes")
        if not self._is_worth_opening(path, query):
            return []
        return list(self._open(address, path))

    def _is_worth_opening(self, path: str, query: str) -> bool:
        meeting = (path, frozenset(name for name, _ in parse_qsl(query, keep_blank_values=True)))
        if meeting in self._met or self._opened[route_of(path)] >= OPENED_PER_ROUTE:
            return False
        self._met.add(meeting)
        self._opened[route_of(path)] += 1
        return True

    # ── In the browser ───────────────────────────────────────────────────────
    def _open(self, address: str, path: str) -> Iterator[str]:
        self.tally.pages += 1
        self.page.goto(address)
        links = self.page.evaluate(_LINKS)
        if not path.startswith(FOREIGN):
            self._judge(address, path)
        for complaint in self.complaints:
            is_csp = "Content Security Policy" in complaint
            self.tally.csp_reports += is_csp
            self.tally.console_errors += not is_csp
            self.faults.append(f"{address}: {complaint}")
        self.complaints.clear()
        for link in links:
            parts = urlsplit(link)
            if f"{parts.scheme}://{parts.netloc}" == self.origin:
                yield parts.path + (f"?{parts.query}" if parts.query else "")

    def _judge(self, address: str, path: str) -> None:
        if self.seen.is_news(route_of(path), set(self.page.evaluate(_KINDS))):
            self.page.evaluate(AXE_SCRIPT)
            own = [(WIDE, "dark"), (NARROW, "light")] if not path.startswith(HEAVIER) else []
            for width, scheme in [(WIDE, "light"), *own, (NARROW, "dark")]:
                self._look(width, scheme)
                self._take_axe(f"{address} ({scheme}, {width} px)")
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        if wide > NARROW:
            self.tally.sideways += 1
            self.faults.append(f"{address}: {wide} px wide on a screen of {NARROW} px")

    def _take_axe(self, where: str) -> None:
        self.page.evaluate(_SETTLED)
        found = self.page.evaluate(_AXE)
        self.tally.axe_findings += len(found)
        self.faults += [f"{where}: {finding}" for finding in found]

    def _look(self, width: int, scheme: Any) -> None:
        self.page.set_viewport_size({"width": width, "height": 850})
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")


def route_of(address: str) -> str:
    """Returns the name of the URL pattern behind an address."""
    match = resolve(urlsplit(address).path)
    return match.view_name or match.route
