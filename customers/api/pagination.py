"""Lists come in pages, by cursor: `{"next", "previous", "results"}`, 50 rows unless `limit` (at most 200) says else."""

from __future__ import annotations

from typing import Any, Final

from rest_framework.exceptions import NotFound as BadCursor
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from customers.api.params import bad_parameter

LARGEST_PAGE: Final = 200


class CodePagination(CursorPagination):
    """Pages in the order of `code`, or of the view's `ordering`: its first name must be unique, or nearly so."""

    ordering = "code"
    page_size = 50
    max_page_size = LARGEST_PAGE
    page_size_query_param = "limit"
    page_size_query_description = "How many results a page has, 1 to 200."
    cursor_query_description = "Where the page begins: taken from `next` or `previous` of another page."
    template: Any = None

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        ordering = getattr(view, "ordering", None) or self.ordering
        return (ordering,) if isinstance(ordering, str) else tuple(ordering)

    def get_page_size(self, request: Request) -> int:
        raw = request.query_params.get(self.page_size_query_param)
        if raw is None:
            return self.page_size
        if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and 1 <= int(raw) <= LARGEST_PAGE):
            raise bad_parameter("limit", f"A whole number from 1 to {LARGEST_PAGE}, not {raw!r}.")
        return int(raw)

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor: Cursor | None = super().decode_cursor(request)
        except BadCursor as fault:
            raise _bad_cursor() from fault
        if cursor is not None and cursor.position is not None and "\x00" in str(cursor.position):
            raise _bad_cursor()
        return cursor

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": dict(link), "results": schema},
        }


def _bad_cursor() -> Exception:
    return bad_parameter("cursor", "Not a cursor from `next` or `previous` of this list.")
