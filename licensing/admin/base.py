"""What the admin pages of licensing share: a refusal becomes a message, a service makes the row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest

from customers.access import access_of
from customers.admin_base import ReadOnlyAdmin, TabularInline
from customers.errors import Refusal

READ = ("customers:read", "audit:read")
WRITE = ("customers:write",)
SEATS = ("seats:read", "audit:read")


class InlineRows(ReadOnlyAdmin, TabularInline):
    """A read-only table of what hangs on a record."""

    extra = 0
    can_delete = False
    show_change_link = True
    view_scopes = READ


def adopt(shown: Any, made: Any) -> None:
    """Lets the admin go on with the row that a service has made."""
    shown.pk = made.pk
    shown._state.adding = False
    shown.refresh_from_db()


def attempt(request: HttpRequest, done: str, act: Callable[[], Any]) -> bool:
    """Does `act`, says `done` or, for a refusal, why not and what would help; returns whether it was done."""
    try:
        act()
    except Refusal as refusal:
        faults = " ".join(fault["message"] for fault in refusal.details.get("faults", ()))
        detail = faults if faults not in refusal.message else ""
        messages.error(request, " ".join(filter(None, [refusal.message, detail, refusal.next_action])))
        return False
    messages.success(request, done)
    return True


def actor_scopes(request: HttpRequest) -> frozenset[str]:
    """Returns the scopes held everywhere by whoever works in the admin."""
    return access_of(request).scopes
