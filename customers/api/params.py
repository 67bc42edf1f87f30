"""Query parameters, read strictly: a wrong or unknown one is refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from customers.errors import Invalid


def bad_parameter(name: str, message: str) -> Invalid:
    """Returns the refusal of one query parameter."""
    return Invalid(f"The query parameter {name!r} is wrong: {message}", [{"field": name, "message": message}])


def refuse_unknown(request: Request, known: Iterable[str]) -> None:
    """Raises Invalid naming every query parameter that is not among `known`, and every one given twice or with NUL."""
    names = set(known)
    faults = []
    for name, values in request.query_params.lists():
        if name not in names:
            allowed = ", ".join(sorted(names)) or "none"
            faults.append({"field": name, "message": f"Not a parameter of this address. It takes: {allowed}."})
        elif len(values) > 1:
            faults.append({"field": name, "message": "Give it once."})
        elif "\x00" in values[0]:
            faults.append({"field": name, "message": "NUL characters are not allowed."})
    if faults:
        listed = ", ".join(repr(fault["field"]) for fault in faults)
        raise Invalid(f"Wrong query parameters: {listed}.", faults)


def flag(request: Request, name: str) -> bool:
    """Returns a yes-or-no parameter (`true` or `false`, absent: false). Raises Invalid."""
    raw = request.query_params.get(name)
    if raw is None:
        return False
    if raw not in {"true", "false"}:
        raise bad_parameter(name, f"true or false, not {raw!r}.")
    return raw == "true"


def instant(request: Request, name: str = "at") -> datetime | None:
    """Returns an instant in UTC (RFC 3339, with its offset); None when absent. Raises Invalid."""
    raw = request.query_params.get(name)
    if raw is None:
        return None
    try:
        # A bare plus sign in a query string arrives as a space.
        parsed = parse_datetime(raw.replace(" ", "+"))
        if parsed is not None and parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise bad_parameter(name, f"An instant with its offset, for instance 2026-03-01T00:00:00Z, not {raw!r}.")


def whole_number(request: Request, name: str, *, least: int = 0, most: int = 2**53 - 1) -> int | None:
    """Returns a whole number between `least` and `most`; None when absent. Raises Invalid."""
    raw = request.query_params.get(name)
    if raw is None:
        return None
    if raw.isascii() and raw.isdigit() and len(raw) <= 16 and least <= int(raw) <= most:
        return int(raw)
    raise bad_parameter(name, f"A whole number from {least} to {most}, not {raw!r}.")


def required_number(request: Request, name: str, message: str) -> int:
    """Returns a whole number from 0 that has to be given. Raises Invalid, with `message` where it isn't."""
    found = whole_number(request, name)
    if found is None:
        raise bad_parameter(name, message)
    return found


def parameter_names(view: Any, filterset: Any = None) -> set[str]:
    """Returns the query parameters that a list takes: its filters, its pages, and the view's own `extra_parameters`."""
    names = set(getattr(view, "extra_parameters", ()))
    if filterset is not None:
        names |= set(filterset.base_filters)
    paginator = getattr(view, "paginator", None)
    if paginator is not None:
        names |= {paginator.cursor_query_param, paginator.page_size_query_param}
    return names
