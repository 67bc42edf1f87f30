"""A change of many users before, while and after it is made: outcomes, applying, mending (rules N-7 to N-11)."""

from __future__ import annotations

import csv
import io
from http import HTTPStatus
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.tables import Table
from licensing.bulk_errors import StateMoved
from licensing.bulk_plan import BulkWish
from licensing.models import ChangePreview
from licensing.portal.bulk import WRITE, frame
from licensing.portal.bulk_failures import TITLES, failures_of
from licensing.portal.bulk_forms import PreviewFilters
from licensing.portal.gate import Visit, visit
from licensing.portal.listing import load_board
from licensing.portal.preview_columns import delta_meters, difference_lines, preview_columns
from licensing.services.bulk import apply_preview, find_preview, preview_changes, preview_undo, progress_of
from licensing.services.user_lists import drop_lists_of

State = ChangePreview.State
MENDED_IN_PAGE: Final = 1_000  # rows; what is more would not come back in one form


@method_decorator(never_cache, name="dispatch")
class PreviewPage(LoginRequiredMixin, View):
    """What a change would do, user by user; how far it is; what came of it."""

    def get(self, request: HttpRequest, customer: str, token: str) -> HttpResponseBase:
        seen = visit(request, customer, WRITE)
        preview = find_preview(customer=seen.customer, token=token)
        board = load_board(seen.customer)
        filters = PreviewFilters(request.GET)
        table = _table(request, seen, preview, board.names, filters.asked)
        if table.wants_csv:
            return table.csv()
        totals = preview.totals
        context = frame(seen, "Preview", many=True) | {
            "preview": preview,
            "done": progress_of(preview) if preview.is_working else preview.done,
            "totals": totals,
            "deltas": delta_meters(preview.seat_deltas, board.names),
            "difference": difference_lines(preview.difference, board.names),
            "may_mend_here": totals.get("blocked", 0) <= MENDED_IN_PAGE,
            "stay": _created_by(preview) if preview.undoes is not None else 0,
            "can_apply": preview.may_be_applied(timezone.now()) and bool(totals.get("changes")),
            "is_over": preview.expires_at <= timezone.now(),
            "table": table,
            "search": filters,
            "list": preview.lists.order_by("-pk").first(),
        }
        return table.remember(render(request, "licensing/portal/preview.html", context))

    def post(self, request: HttpRequest, customer: str, token: str) -> HttpResponse:
        """Applies it. If something moved since, nothing is changed, and the page says what."""
        seen = visit(request, customer, WRITE)
        try:
            preview = apply_preview(customer=seen.customer, actor=seen.access.actor, token=token)
        except StateMoved:
            pass
        else:
            drop_lists_of(preview)
        return redirect("portal:preview", seen.customer.code, token)


class PreviewAgain(LoginRequiredMixin, View):
    """The same change, previewed anew: after something moved, or with the other mode."""

    def post(self, request: HttpRequest, customer: str, token: str) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        old = find_preview(customer=seen.customer, token=token)
        asked = request.POST.get("mode", "")
        how: dict[str, Any] = {
            "customer": seen.customer,
            "actor": seen.access.actor,
            "mode": asked if asked in ChangePreview.Mode.values else old.mode,
            "reason": old.reason,
        }
        if old.undoes is not None:
            new = preview_undo(number=old.undoes.number, **how)
        else:
            new = preview_changes(wishes=[BulkWish.from_json(wish) for wish in old.wishes], **how)
            old.lists.update(preview=new)
        return redirect("portal:preview", seen.customer.code, new.token)


class PreviewFailures(LoginRequiredMixin, View):
    """The rows that can't be met, in a form that can be mended and handed in again."""

    def get(self, request: HttpRequest, customer: str, token: str) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        preview = find_preview(customer=seen.customer, token=token)
        response = HttpResponse("\ufeff" + _failures(seen, preview), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="to-mend.csv"'
        return response


@method_decorator(never_cache, name="dispatch")
class PreviewMend(LoginRequiredMixin, View):
    """The rows that can't be met, to be mended in the page."""

    def get(self, request: HttpRequest, customer: str, token: str) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        preview = find_preview(customer=seen.customer, token=token)
        if not preview.totals.get("blocked"):
            messages.info(request, "Nothing was in the way.")
            return redirect("portal:preview", seen.customer.code, token)
        if preview.totals["blocked"] > MENDED_IN_PAGE:
            messages.info(request, f"More than {MENDED_IN_PAGE:,} rows are mended in a file: download them.")
            return redirect("portal:preview", seen.customer.code, token)
        context = frame(seen, "Mend", many=True) | {
            "preview": preview,
            "text": _failures(seen, preview),
            "creates": any("create" in wish for wish in preview.wishes),
            "crumbs": [
                *frame(seen, "", many=True)["crumbs"],
                ("Preview", reverse("portal:preview", args=[seen.customer.code, token])),
            ],
        }
        return render(request, "licensing/portal/bulk_mend.html", context, status=HTTPStatus.OK)


def _created_by(undo: ChangePreview) -> int:
    """Returns how many users the change that is to be undone created: they stay, without its seats."""
    made = ChangePreview.objects.filter(change_set=undo.undoes_id).exclude(pk=undo.pk).values_list("totals", flat=True)
    return sum(totals.get("creates", 0) for totals in made)


def _table(request: HttpRequest, seen: Visit, preview: ChangePreview, names: Any, asked: dict[str, str]) -> Table:
    rows = preview.rows.select_related("user")
    count = preview.totals.get(asked["outcome"]) if "outcome" in asked else preview.total
    if "outcome" in asked:
        rows = rows.filter(outcome=asked["outcome"])
    if "search" in asked:
        words = asked["search"].strip()
        of_user = Q(user__name__icontains=words) | Q(user__email__icontains=words)
        rows = rows.filter(of_user | Q(user_code__icontains=words) | Q(message__icontains=words))
    columns = preview_columns(seen.customer, names, is_applied=preview.state == State.APPLIED)
    return Table(request, "preview", rows, columns, sort="row", count=None if "search" in asked else count)


def _failures(seen: Visit, preview: ChangePreview) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(TITLES)
    writer.writerows(failures_of(preview, load_board(seen.customer)))
    return out.getvalue()
