"""Follows every link a visitor can see, and opens the pages behind them in Chromium, noting what is wrong.

Of each route (a URL pattern) a few addresses are asked for, which keeps the walk bounded. A page opens in the browser
when it shows a kind of element that no page of its route showed before, whoever was signed in then; pages of ours are
opened for each visitor besides. axe looks at what is new, at pages of ours in both schemes and both widths.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from html import unescape
from typing import Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from django.test import Client
from django.urls import resolve
from playwright.sync_api import Page

ASKED_PER_ROUTE: Final = 12
ASKED_PER_ADMIN_ROUTE: Final = 3
OPENED_PER_ROUTE: Final = 3
NARROW, WIDE = 390, 1360
HEAVIEST_PAGE: Final = 60_000  # bytes of HTML as sent, compressed, when the static files are there already
FOREIGN: Final = ("/api/",)  # Swagger's own page: it must work and keep quiet, its contrasts are not ours
NOT_OURS: Final = ("/admin/", *FOREIGN)

_LINK: Final = re.compile(r"<a\s(?![^>]*\sdownload[\s>=])[^>]*?href=\"([^\"#][^\"]*)\"")
_KIND: Final = re.compile(r"<(\w+)(?:\s[^>]*?\b(?:class|role|type)=\"([^\"]*)\")?")
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
        counts = (f"{getattr(self, each.name)} {each.name.replace('_', ' ')}" for each in fields(self))
        return f"crawl: {', '.join(counts)}"


@dataclass
class Seen:
    """What has been looked at so far, whoever was signed in: route → kinds of elements."""

    kinds: defaultdict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))

    def is_news(self, route: str, html: str) -> bool:
        """Whether this page shows what no page of its route showed before; remembers it."""
        news = set(_KIND.findall(html)) - self.kinds[route]
        self.kinds[route] |= news
        return bool(news)


@dataclass(repr=False)
class Crawler:
    """One visitor's walk; `client` and `page` have the same session. `faults` says what is wrong, with the address."""

    page: Page
    client: Client
    origin: str
    complaints: list[str]
    seen: Seen
    tally: Tally = field(default_factory=Tally)
    faults: list[str] = field(default_factory=list)
    _asked: Counter[str] = field(default_factory=Counter)
    _opened: Counter[str] = field(default_factory=Counter)
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

    def _visit(self, address: str) -> Iterator[str]:
        if not self._is_worth_asking(address):
            return
        self.tally.links += 1
        answer: Any = self.client.get(address, follow=True)
        if answer.status_code >= 400:
            self.faults.append(f"{address}: answers {answer.status_code}")
        elif answer["Content-Type"].startswith("text/html"):
            path = answer.request["PATH_INFO"]
            self._open_if_worthwhile(address, path, answer.text)
            for link in _LINK.findall(answer.text):
                parts = urlsplit(urljoin(f"{self.origin}{path}", unescape(link)))
                if f"{parts.scheme}://{parts.netloc}" == self.origin:
                    yield parts.path + (f"?{parts.query}" if parts.query else "")

    def _is_worth_asking(self, address: str) -> bool:
        """Whether it differs from what was asked for by more than values in its query, and its route is not done."""
        parts, route = urlsplit(address), route_of(address)
        meeting = (parts.path, frozenset(name for name, _ in parse_qsl(parts.query, keep_blank_values=True)))
        most = ASKED_PER_ADMIN_ROUTE if parts.path.startswith("/admin/") else ASKED_PER_ROUTE
        if meeting in self._met or self._asked[route] >= most:
            return False
        self._met.add(meeting)
        self._asked[route] += 1
        return True

    # ── In the browser ───────────────────────────────────────────────────────
    def _open_if_worthwhile(self, address: str, path: str, html: str) -> None:
        route, is_ours = route_of(path), not path.startswith(NOT_OURS)
        is_news = self.seen.is_news(route, html)
        if is_news or (is_ours and self._opened[route] < OPENED_PER_ROUTE):
            self._opened[route] += 1
            self._open(address, path, is_news=is_news)

    def _open(self, address: str, path: str, *, is_news: bool) -> None:
        self.tally.pages += 1
        answer = self.page.goto(address)
        if not path.startswith(NOT_OURS) and answer is not None:
            self._weigh(address, answer.request.sizes()["responseBodySize"])
        if is_news and not path.startswith(FOREIGN):
            self._take_axe_everywhere(address, is_ours=not path.startswith(NOT_OURS))
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        if wide > NARROW and not path.startswith(FOREIGN):
            self.tally.sideways += 1
            self.faults.append(f"{address}: {wide} px wide on a screen of {NARROW} px")
        for complaint in self.complaints:
            is_csp = "Content Security Policy" in complaint
            self.tally.csp_reports += is_csp
            self.tally.console_errors += not is_csp
            self.faults.append(f"{address}: {complaint}")
        self.complaints.clear()

    def _weigh(self, address: str, size: int) -> None:
        if not 0 < size < HEAVIEST_PAGE:
            self.faults.append(f"{address}: {size} bytes of HTML")

    def _take_axe_everywhere(self, address: str, *, is_ours: bool) -> None:
        self.page.evaluate(AXE_SCRIPT)
        more = [(WIDE, "dark"), (NARROW, "light")] if is_ours else []
        for width, scheme in [(WIDE, "light"), *more, (NARROW, "dark")]:
            self._look(width, scheme)
            self.page.evaluate(_SETTLED)
            found = self.page.evaluate(_AXE)
            self.tally.axe_findings += len(found)
            self.faults += [f"{address} ({scheme}, {width} px): {finding}" for finding in found]

    def _look(self, width: int, scheme: Any) -> None:
        self.page.set_viewport_size({"width": width, "height": 850})
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")


def route_of(address: str) -> str:
    """Returns the name of the URL pattern behind an address."""
    match = resolve(urlsplit(address).path)
    return match.view_name or match.route
