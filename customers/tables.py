"""Lists for people: sorted, in pages, with the columns that somebody wants to see, and as CSV; all by the address.

`?sort=name` or `?sort=-name`, `?page=2`, `?choose=1&columns=a&columns=b` (remembered in a cookie of that list), and
`?format=csv`: everything that the filters leave, with the columns that are shown.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any, Final, TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import F, OrderBy, QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

ROWS_PER_PAGE: Final = 50
ROWS_PER_BATCH: Final = 1000
_YEAR: Final = 365 * 24 * 3600
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_Response = TypeVar("_Response", bound=HttpResponseBase)


def _as_is(rows: Sequence[Any]) -> Sequence[Any]:
    return rows


class NeverNull(F):
    """A field to sort by that is never empty: without a place for nulls, an index in its order serves both ways."""

    def asc(self, **nulls: Any) -> OrderBy:
        return super().asc()

    def desc(self, **nulls: Any) -> OrderBy:
        return super().desc()


@dataclass(frozen=True, slots=True)
class Column:
    """`value` gives what CSV says of a row; `show` what the page shows, where that is something else (HTML, perhaps).

    `order` are the fields that it is sorted by; a column without can't be.
    """

    key: str
    title: str
    value: Callable[[Any], Any]
    show: Callable[[Any], Any] | None = None
    order: tuple[Any, ...] = ()
    is_number: bool = False
    is_fixed: bool = False  # it names the row and can't be left out
    is_shown: bool = True  # unless somebody chooses otherwise

    def cell(self, row: Any) -> Any:
        """Returns what stands in the row's cell on a page."""
        return self.value(row) if self.show is None else self.show(row)


@dataclass(frozen=True, slots=True)
class Head:
    """A column as it stands over the table; `address` sorts by it, `sorting` is ascending, descending or nothing."""

    column: Column
    address: str
    sorting: str


class Table:
    """A list as one request asks for it. `prepare` turns a batch of rows into what the cells need, in bulk."""

    def __init__(
        self,
        request: HttpRequest,
        name: str,
        rows: QuerySet[Any],
        columns: Sequence[Column],
        *,
        sort: str,
        prepare: Callable[[Sequence[Any]], Sequence[Any]] = _as_is,
        count: int | None = None,
    ) -> None:
        """`count` says how many rows there are, where that is known without counting them."""
        self.request, self.name, self.rows, self.all_columns = request, name, rows, columns
        self.default_sort, self.prepare, self.count = sort, prepare, count

    # ── What is shown ───────────────────────────────────────────────────────
    @cached_property
    def columns(self) -> list[Column]:
        """The columns shown: as chosen now, as chosen before, or as they come."""
        chosen = self._chosen
        return [
            column
            for column in self.all_columns
            if column.is_fixed or (column.is_shown if chosen is None else column.key in chosen)
        ]

    @property
    def keys(self) -> set[str]:
        return {column.key for column in self.columns}

    @property
    def choices(self) -> list[tuple[Column, bool]]:
        """The columns that can be left out, and whether each is shown."""
        return [(column, column in self.columns) for column in self.all_columns if not column.is_fixed]

    @cached_property
    def sort(self) -> str:
        """The key of the column that rows are sorted by, with a minus before it for descending."""
        asked = self.request.GET.get("sort", "")
        known = {column.key for column in self.all_columns if column.order}
        return asked if asked.removeprefix("-") in known else self.default_sort

    @property
    def heads(self) -> list[Head]:
        return [self._head(column) for column in self.columns]

    @cached_property
    def page(self) -> Page[Any]:
        pages = Paginator(self._sorted(), ROWS_PER_PAGE)
        if self.count is not None:
            pages.count = self.count
        page = pages.get_page(self.request.GET.get("page"))
        page.object_list = self.prepare(list(page.object_list))
        return page

    @property
    def body(self) -> list[list[tuple[Column, Any]]]:
        """The rows of the page: each cell with its column."""
        return [[(column, column.cell(row)) for column in self.columns] for row in self.page]

    # ── Where its links lead ────────────────────────────────────────────────
    @property
    def query(self) -> str:
        """The query string of this list without its page, ready for `page=` to follow."""
        said = self._query(page=None, choose=None, columns=None)
        return f"{said}&" if said else ""

    @property
    def csv_address(self) -> str:
        return f"?{self._query(page=None, choose=None, columns=None, format='csv')}"

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What the form that chooses columns sends along, so that filters and sorting stay."""
        mine = {"page", "choose", "columns", "format"}
        return [(name, value) for name, values in self.request.GET.lists() if name not in mine for value in values]

    # ── What is answered ────────────────────────────────────────────────────
    @property
    def wants_csv(self) -> bool:
        return self.request.GET.get("format") == "csv"

    def csv(self) -> StreamingHttpResponse:
        """Returns every row that the filters leave as CSV, in the order and with the columns that are shown."""
        response = StreamingHttpResponse(self._lines(), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{self.name}.csv"'
        return response

    def remember(self, response: _Response) -> _Response:
        """Returns the response; it keeps a choice of columns, where one was made, for the next visit."""
        if "choose" in self.request.GET:
            chosen = ".".join(column.key for column in self.columns if not column.is_fixed)
            response.set_cookie(self._cookie, chosen, max_age=_YEAR, httponly=True, samesite="Lax")
        return response

    # ── How ─────────────────────────────────────────────────────────────────
    @property
    def _cookie(self) -> str:
        return f"columns-{self.name}"

    @property
    def _chosen(self) -> Iterable[str] | None:
        if "choose" in self.request.GET:
            return self.request.GET.getlist("columns")
        remembered = self.request.COOKIES.get(self._cookie)
        return None if remembered is None else remembered.split(".")

    def _head(self, column: Column) -> Head:
        if not column.order:
            return Head(column, "", "")
        is_descending = self.sort == f"-{column.key}"
        sorting = "descending" if is_descending else "ascending" if self.sort == column.key else ""
        asked = f"-{column.key}" if sorting == "ascending" else column.key
        return Head(column, f"?{self._query(page=None, choose=None, columns=None, sort=asked)}", sorting)

    def _query(self, **changes: str | None) -> str:
        asked = self.request.GET.copy()
        for name, value in changes.items():
            asked.pop(name, None)
            if value is not None:
                asked[name] = value
        return asked.urlencode()

    def _sorted(self) -> QuerySet[Any]:
        column = next(column for column in self.all_columns if column.key == self.sort.removeprefix("-"))
        terms = [F(term) if isinstance(term, str) else term for term in column.order]
        if self.sort.startswith("-"):
            return self.rows.order_by(*(term.desc(nulls_last=True) for term in terms), "-pk")
        return self.rows.order_by(*(term.asc() for term in terms), "pk")

    def _lines(self) -> Iterator[str]:
        writer = csv.writer(_Echo())
        # The mark at the beginning tells spreadsheets that it is UTF-8.
        yield "\ufeff" + writer.writerow([column.title for column in self.columns])
        rows = self._sorted().iterator(chunk_size=ROWS_PER_BATCH)
        while batch := list(islice(rows, ROWS_PER_BATCH)):
            yield "".join(
                writer.writerow([in_csv(column.value(row)) for column in self.columns]) for row in self.prepare(batch)
            )


class _Echo:
    """Gives every line back to the writer, which returns it."""

    def write(self, line: str) -> str:
        return line


def in_csv(value: Any) -> str:
    """Returns a value as a cell; text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
