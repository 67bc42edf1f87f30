"""Many users at once: selected, pasted or uploaded; what their columns mean; what is to be done (rules N-1 to N-8)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.errors import Refusal
from licensing.intake import DELIMITERS, MOST_BYTES, MOST_ROWS, Listing, ListTooLarge, Row, read_listing, read_text
from licensing.intake_columns import TITLES, Meaning, faults_of_columns, guess_columns, read_entries
from licensing.models import UserList
from licensing.portal.bulk_forms import ColumnsForm, DeedForm
from licensing.portal.bulk_words import words_of
from licensing.portal.choices import Board
from licensing.portal.gate import Visit, visit
from licensing.portal.listing import UserSearch, find_users, load_board, load_crowd, on_show, users_named
from licensing.services.bulk import preview_changes
from licensing.services.user_lists import find_list, keep_list, wishes_of_entries

WRITE: Final = "seats:write"
CREATE: Final = "users:write"
_SAMPLE: Final = 6  # rows shown while columns are confirmed
_FAULTS: Final = 20


@method_decorator(never_cache, name="dispatch")
class BulkPage(LoginRequiredMixin, View):
    """Paste a list of users, or upload one."""

    def get(self, request: HttpRequest, customer: str) -> HttpResponse:
        return self._page(visit(request, customer, WRITE))

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        upload, text = request.FILES.get("file"), request.POST.get("text", "")
        try:
            if upload is not None:
                if (upload.size or 0) > MOST_BYTES:
                    raise ListTooLarge(
                        f"The file has {upload.size:,} bytes; {MOST_BYTES:,} can be taken.",
                        next_action="Leave out columns that aren't needed, or divide it.",
                    )
                listing, source = read_listing(upload.read(), titles=TITLES), UserList.Source.FILE
            else:
                listing, source = read_text(text.replace("\0", "\ufffd"), titles=TITLES), UserList.Source.PASTED
        except Refusal as refusal:
            return self._page(seen, refusal, text)
        name = (upload.name or "").replace("\0", "") if upload is not None else ""
        begun = {key: request.POST[key][:500] for key in ("reason", "creates") if request.POST.get(key)}
        return _kept(seen, listing, source, name=name, answers={"form": begun} if begun else None)

    def _page(self, seen: Visit, refusal: Refusal | None = None, text: str = "") -> HttpResponse:
        board = load_board(seen.customer)
        context = frame(seen, "Change many users") | {
            "refusal": refusal,
            "text": text,
            "most_rows": f"{MOST_ROWS:,}",
            "most_megabytes": MOST_BYTES // 1_000_000,
            "names": [board.name(each.module) for each in on_show(board)],
        }
        status = refusal.status if refusal else HTTPStatus.OK
        return render(self.request, "licensing/portal/bulk.html", context, status=status)


class BulkSelection(LoginRequiredMixin, View):
    """Takes the users that were ticked in the list of users, or all that its filter leaves."""

    def post(self, request: HttpRequest, customer: str) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        codes = self._all(seen) if "all" in request.POST else self._ticked(seen)
        if not codes:
            messages.warning(request, "Tick the users first.")
            query = request.META.get("QUERY_STRING", "")
            return redirect(reverse("portal:users", args=[seen.customer.code]) + (f"?{query}" if query else ""))
        rows = tuple(Row(number, (code,)) for number, code in enumerate(codes, start=1))
        listing = Listing("utf-8", ",", ("User code",), rows)
        return _kept(seen, listing, UserList.Source.SELECTED)

    def _ticked(self, seen: Visit) -> list[str]:
        return sorted(user.code for user in users_named(seen.customer, self.request.POST.getlist("user")).values())

    def _all(self, seen: Visit) -> list[str]:
        board = load_board(seen.customer)
        asked = UserSearch(self.request.GET, board=board).asked
        rows, _ = find_users(seen.customer, board, load_crowd(seen.customer), asked)
        codes = list(rows.order_by("code").values_list("code", flat=True)[: MOST_ROWS + 1])
        if len(codes) > MOST_ROWS:
            raise ListTooLarge(
                f"The filter leaves more than {MOST_ROWS:,} users; as many can be changed at once.",
                next_action="Narrow it, and change one part after the other.",
            )
        return codes


@method_decorator(never_cache, name="dispatch")
class ListPage(LoginRequiredMixin, View):
    """What was guessed of a list is confirmed, and it is said what to do; then it is previewed."""

    def get(self, request: HttpRequest, customer: str, token: str) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        kept = find_list(customer=seen.customer, token=token, at=timezone.now())
        board, listing = load_board(seen.customer), kept.listing
        guessed = kept.answers.get("columns") or guess_columns(listing, words_of(board))
        columns = ColumnsForm(
            initial={"header": bool(listing.header), **{f"column-{at}": each for at, each in enumerate(guessed)}},
            width=listing.width,
        )
        return self._page(seen, kept, board, columns, self._deeds(seen, board, guessed, kept.answers.get("form", {})))

    def post(self, request: HttpRequest, customer: str, token: str) -> HttpResponse:
        seen = visit(request, customer, WRITE)
        kept = find_list(customer=seen.customer, token=token, at=timezone.now())
        board, listing = load_board(seen.customer), kept.listing
        columns = ColumnsForm(request.POST, width=listing.width)
        meant = columns.columns() if columns.is_valid() else guess_columns(listing, words_of(board))
        deeds = self._deeds(seen, board, meant, None)
        faults = faults_of_columns(meant)
        if not (columns.is_valid() and deeds.is_valid()) or faults:
            return self._page(seen, kept, board, columns, deeds, faults=faults, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        listing = listing.with_header(columns.cleaned_data["header"])
        deed = deeds.deed()
        read = meant if deed.as_listed else [_without_plans(each) for each in meant]
        entries = read_entries(listing, read, words_of(board))
        told = deeds.cleaned_data
        kept.answers = {"columns": meant, "form": told}
        kept.content = listing.to_json()
        wishes = wishes_of_entries(customer=seen.customer, entries=entries, deed=deed)
        with transaction.atomic():  # the worker, once it hears of the preview, doesn't hold this up
            preview = kept.preview = preview_changes(
                customer=seen.customer,
                actor=seen.access.actor,
                wishes=wishes,
                mode=told["mode"],
                reason=told["reason"].replace("\0", ""),
            )
            kept.save()
        return redirect("portal:preview", seen.customer.code, preview.token)

    def _deeds(self, seen: Visit, board: Board, columns: list[Meaning], begun: dict[str, Any] | None) -> DeedForm:
        """Returns the form as it was sent, or with what was said before."""
        has_plans = Meaning.ASSIGN in columns or Meaning.RELEASE in columns
        sent = {"initial": begun} if begun is not None else {"data": self.request.POST}
        return DeedForm(board=board, has_plans=has_plans, may_create=seen.may(CREATE), **sent)

    def _page(
        self,
        seen: Visit,
        kept: UserList,
        board: Board,
        columns: ColumnsForm,
        deeds: DeedForm,
        *,
        faults: list[str] | None = None,
        status: int = HTTPStatus.OK,
    ) -> HttpResponse:
        listing = kept.listing
        damaged = [row for row in listing.rows if row.fault]
        context = frame(seen, "What to do", many=True) | {
            "kept": kept,
            "listing": listing,
            "count": len(listing.rows),
            "delimiter": DELIMITERS.get(listing.delimiter, listing.delimiter),
            "sample": listing.rows[:_SAMPLE],
            "damaged": damaged[:_FAULTS],
            "damaged_count": len(damaged),
            "columns": columns,
            "deeds": deeds,
            "faults": faults or [],
        }
        return render(self.request, "licensing/portal/bulk_list.html", context, status=status)


def frame(seen: Visit, here: str, *, many: bool = False) -> dict[str, Any]:
    """Returns what every page about changing many users has in common."""
    crumbs = [*seen.crumbs, ("Users & seats", reverse("portal:users", args=[seen.customer.code]))]
    if many:
        crumbs.append(("Change many users", reverse("portal:bulk", args=[seen.customer.code])))
    return {"customer": seen.customer, "crumbs": crumbs, "here": here}


def _kept(seen: Visit, listing: Listing, source: str, **how: Any) -> HttpResponse:
    kept = keep_list(
        customer=seen.customer,
        account=seen.access.actor.account,
        listing=listing,
        source=source,
        at=timezone.now(),
        **how,
    )
    return redirect("portal:list", seen.customer.code, kept.token)


def _without_plans(meaning: Meaning) -> Meaning:
    return Meaning.IGNORED if meaning in (Meaning.ASSIGN, Meaning.RELEASE) else meaning
