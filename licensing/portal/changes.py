"""Every change of seats: who, when, why, before and after; and its undoing (rules N-11 to N-13)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any, Final

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views import View
from django.views.decorators.cache import never_cache

from customers.errors import NotFound
from customers.models import Customer
from customers.tables import Column, Table
from licensing.models import ChangePreview, ChangeSet, ChangeSetRow
from licensing.portal.asking import Filters
from licensing.portal.bulk_forms import ChangeFilters, UndoForm
from licensing.portal.gate import Visit, visit
from licensing.portal.links import user_link
from licensing.portal.listing import load_board
from licensing.portal.preview_columns import named
from licensing.portal.recent import Told, tell
from licensing.services.bulk import preview_undo

READ: Final = "seats:read"
WRITE: Final = "seats:write"
_LARGEST: Final = 2**31


def _address(told: Told) -> SafeString:
    return format_html('<a href="{}">{}</a>', told.address, told.change.number)


def _when(told: Told) -> str:
    return date_format(timezone.localtime(told.change.at), "j M Y, H:i")


def _state(told: Told) -> SafeString | str:
    return format_html('<span class="badge">{}</span>', told.state) if told.state else ""


CHANGES: Final = (
    Column("number", "Change", lambda told: told.change.number, _address, order=("number",), is_fixed=True),
    Column("at", "When", lambda told: told.change.at, _when, order=("number",)),
    Column("actor", "Who", lambda told: told.change.actor, order=("actor",)),
    Column("reason", "Why", lambda told: told.change.reason),
    Column("users", "Users", lambda told: told.users, is_number=True),
    Column("state", "Undone", lambda told: told.state, _state),
)


@method_decorator(never_cache, name="dispatch")
class Changes(LoginRequiredMixin, View):
    """A customer's change sets, the newest first."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponseBase:
        seen = visit(request, customer, READ)
        filters = ChangeFilters(request.GET)
        rows = find_changes(seen.customer, filters)

        def prepare(changes: Sequence[ChangeSet]) -> list[Told]:
            return tell(seen.customer, changes, timezone.now())

        table = Table(request, "changes", rows, CHANGES, sort="-number", prepare=prepare)
        if table.wants_csv:
            return table.csv()
        context = _frame(seen) | {"table": table, "search": filters, "may_edit": seen.may(WRITE)}
        return table.remember(render(request, "licensing/portal/changes.html", context))


def find_changes(customer: Customer, filters: ChangeFilters) -> QuerySet[ChangeSet]:
    """Returns the customer's change sets that the filters leave."""
    asked = filters.asked
    rows = ChangeSet.objects.filter(customer=customer).select_related("undoes")
    for word in asked.get("search", "").split()[:5]:
        number = Q(number=int(word)) if word.isdecimal() and int(word) < _LARGEST else Q()
        rows = rows.filter(Q(actor__icontains=word) | Q(reason__icontains=word) | number)
    changed = ChangeSetRow.objects.filter(change_set=OuterRef("pk"))
    if "user" in asked:
        rows = rows.filter(Exists(changed.filter(user__code__iexact=asked["user"].strip())))
    told = filters.cleaned_data
    if told.get("since"):
        rows = rows.filter(at__gte=_midnight(told["since"]))
    if told.get("until"):
        rows = rows.filter(at__lte=timezone.make_aware(datetime.combine(told["until"], time.max)))
    if asked.get("only") == "undo":
        rows = rows.filter(Q(undoes__isnull=False) | Q(undos__isnull=False)).distinct()
    if asked.get("only") == "many":
        several = changed.order_by().values("change_set").annotate(n=Count("pk")).filter(n__gt=1)
        rows = rows.filter(Exists(several))
    return rows


@method_decorator(never_cache, name="dispatch")
class ChangePage(LoginRequiredMixin, View):
    """One change set: whose seats it changed, before and after."""

    def get(self, request: HttpRequest, customer: str, number: int) -> HttpResponseBase:
        seen = visit(request, customer, READ)
        change = _find(seen, number)
        names = load_board(seen.customer).names
        filters = Filters(request.GET)
        rows = ChangeSetRow.objects.filter(change_set=change).select_related("user")
        if "search" in filters.asked:
            words = filters.asked["search"].strip()
            rows = rows.filter(Q(user__code__icontains=words) | Q(user__name__icontains=words))
        table = Table(request, f"change-{number}", rows, _columns(seen.customer, names), sort="user")
        if table.wants_csv:
            return table.csv()
        (told,) = tell(seen.customer, [change], timezone.now())
        context = _frame(seen, f"Change {number}") | {
            "told": told,
            "change": change,
            "table": table,
            "search": filters,
            "can_undo": told.can_be_undone and seen.may(WRITE),
            "undo": UndoForm(),
            "preview": _preview_of(change) if seen.may(WRITE) else None,
        }
        return table.remember(render(request, "licensing/portal/change.html", context))


class UndoChange(LoginRequiredMixin, View):
    """Previews what undoing a change set would come to; applying that undoes it."""

    def post(self, request: HttpRequest, customer: str, number: int) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        form = UndoForm(request.POST)
        form.is_valid()
        told = form.cleaned_data
        preview = preview_undo(
            customer=seen.customer,
            actor=seen.access.actor,
            number=_find(seen, number).number,
            mode=told.get("mode") or ChangePreview.Mode.ALL_OR_NOTHING,
            reason=told.get("reason", "").replace("\0", ""),
        )
        return redirect("portal:preview", seen.customer.code, preview.token)


def _columns(customer: Customer, names: Any) -> tuple[Column, ...]:
    def before(row: ChangeSetRow) -> str:
        return named(row.before, names)

    def after(row: ChangeSetRow) -> str:
        return named(row.after, names)

    def who(row: ChangeSetRow) -> SafeString:
        return user_link(customer, row.user)

    return (
        Column("user", "User", lambda row: row.user.name, who, order=("user__name",), is_fixed=True),
        Column("code", "Code", lambda row: row.user.code, order=("user__code",)),
        Column("before", "Before", before, lambda row: before(row) or "nothing"),
        Column("after", "After", after, lambda row: after(row) or "nothing"),
    )


def _find(seen: Visit, number: int) -> ChangeSet:
    rows = ChangeSet.objects.filter(customer=seen.customer, number=number).select_related("undoes")
    found = rows.first() if number < _LARGEST else None
    if found is None:
        raise NotFound("change set", str(number))
    return found


def _preview_of(change: ChangeSet) -> ChangePreview | None:
    """Returns the preview that it came from, as long as that is kept."""
    found: ChangePreview | None = ChangePreview.objects.light().filter(change_set=change).first()
    return found


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _frame(seen: Visit, here: str = "") -> dict[str, Any]:
    changes = ("Changes", reverse("portal:changes", args=[seen.customer.code]))
    crumbs = [*seen.crumbs, changes] if here else seen.crumbs
    return {"customer": seen.customer, "crumbs": crumbs, "here": here or "Changes"}
