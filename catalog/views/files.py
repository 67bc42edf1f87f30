"""Import & export: the catalog downloaded as YAML, and files compared with it and applied as drafts. `/catalog/files/`.

Between comparing and confirming nothing is stored: the page carries the files along, signed, and the digest of what
they would change. Publishing is nobody's business here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from catalog.content import DiffLine
from catalog.document import BadDocument, CatalogDocument, Fault
from catalog.errors import CatalogChangedSince
from catalog.services.applying import ApplyResult
from catalog.services.defining import Change
from catalog.services.documents import read_contents
from catalog.services.exporting import export_text
from catalog.services.planning import OfferPlan, apply_planned, plan_document
from customers.access import Access, access_of, not_allowed

SCOPE: Final = "catalog:draft"
MOST_BYTES: Final = 4_000_000  # of all files together
MOST_LINES: Final = 200  # of a list; the command tells all
_KEPT_FOR: Final = 3600  # seconds between comparing and confirming
_ROOM: Final = 20_000  # bytes that the rest of the confirming form takes

Contents = list[tuple[str, bytes]]

_KINDS: Final = {"addon": "add-on", "feature_group": "feature group"}
_ACTIONS: Final = {
    "drafted": "A draft will be begun.",
    "edited": "Its draft will be edited.",
    "waiting": "Its draft says so already, and waits to be published.",
    "follows": "Nothing is drafted: publishing what it includes, and then it, brings this.",
}


@dataclass(frozen=True, slots=True)
class Lines:
    """The first lines of a table, and how many more there are."""

    shown: Sequence[DiffLine]
    more: int

    @classmethod
    def of(cls, lines: Sequence[DiffLine]) -> Lines:
        return cls(lines[:MOST_LINES], max(0, len(lines) - MOST_LINES))


class CatalogPage(LoginRequiredMixin, View):
    """For those who may draft."""

    access: Access

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            self.access = access_of(request)
            if not self.access.allows(SCOPE):
                raise not_allowed()
        return super().dispatch(request, *args, **kwargs)


@method_decorator(never_cache, name="dispatch")
class CatalogDownload(CatalogPage):
    def get(self, request: HttpRequest) -> HttpResponse:
        drafts = request.GET.get("drafts") == "1"
        name = "catalog-drafts.yaml" if drafts else "catalog.yaml"
        answer = HttpResponse(export_text(drafts=drafts), content_type="application/yaml; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer


@method_decorator(never_cache, name="dispatch")
class CatalogFiles(CatalogPage):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page()

    def post(self, request: HttpRequest) -> HttpResponse:
        if "token" in request.POST:
            return self._confirm(request.POST["token"], request.POST.get("digest", ""))
        uploads = request.FILES.getlist("files")
        if not uploads:
            return self._page(error="Choose at least one file.")
        if sum(upload.size or 0 for upload in uploads) > MOST_BYTES:
            return self._page(error=_too_large())
        return self._compare([(upload.name or "file", upload.read()) for upload in uploads])

    def _compare(self, contents: Contents, *, has_changed: bool = False) -> HttpResponse:
        """Shows what the files would change, or what is wrong with them."""
        try:
            document = read_contents(contents)
            plan = plan_document(document, at=timezone.now())
        except BadDocument as bad:
            return self._page(faults=bad.found)
        token = signing.dumps(
            [(name, content.decode("utf-8-sig")) for name, content in contents], salt=self._salt, compress=True
        )
        if len(token) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE - _ROOM:
            return self._page(error=_too_large())
        context = {
            "plan": plan,
            "created": list(_created(plan.changes)),
            "changed": Lines.of(list(_changed(plan.changes))),
            "offers": [_shown(offer) for offer in plan.offers],
            "names": [name for name, _ in contents],
            "token": token,
            "has_changed": has_changed,
        }
        status = HTTPStatus.CONFLICT if has_changed else HTTPStatus.OK
        return render(self.request, "catalog/files_plan.html", context, status=status)

    def _confirm(self, token: str, digest: str) -> HttpResponse:
        try:
            held = signing.loads(token, salt=self._salt, max_age=_KEPT_FOR)
        except signing.BadSignature:
            return self._page(error="These files were compared too long ago. Choose them again.")
        contents = [(name, text.encode()) for name, text in held]
        try:
            result = self._apply(read_contents(contents), digest)
        except (BadDocument, CatalogChangedSince):
            return self._compare(contents, has_changed=True)
        messages.success(self.request, _told(result))
        return HttpResponseRedirect(reverse("catalog_files"))

    def _apply(self, document: CatalogDocument, digest: str) -> ApplyResult:
        return apply_planned(document, expected=digest, actor=self.access.actor, at=timezone.now())

    @property
    def _salt(self) -> str:
        return f"catalog.files.{self.request.user.pk}"

    def _page(self, *, error: str = "", faults: Sequence[Fault] = ()) -> HttpResponse:
        context = {
            "error": error,
            "faults": faults[:MOST_LINES],
            "count": len(faults),
            "most": len(faults) - MOST_LINES,
        }
        status = HTTPStatus.BAD_REQUEST if error or faults else HTTPStatus.OK
        return render(self.request, "catalog/files.html", context, status=status)


def _too_large() -> str:
    return f"Together these files are too large: {MOST_BYTES // 1_000_000} MB at most. The command takes more."


def _created(changes: Sequence[Change]) -> Iterator[tuple[str, list[str], int]]:
    """Yields per kind of definition what is new: how it is called, the first of them, how many more."""
    counts = Counter(change.kind for change in changes if change.is_new)
    for kind, count in counts.items():
        codes = [change.code for change in changes if change.is_new and change.kind == kind]
        yield _in_words(kind, count), codes[:MOST_LINES], max(0, count - MOST_LINES)


def _changed(changes: Sequence[Change]) -> Iterator[DiffLine]:
    for change in changes:
        if change.is_new:
            continue
        kind = _KINDS.get(change.kind, change.kind).capitalize()
        for field, (was, now) in change.fields.items():
            yield DiffLine(kind, f"{change.code}: {field.replace('_', ' ')}", _short(was), _short(now))


def _shown(offer: OfferPlan) -> dict[str, Any]:
    edits = (
        [DiffLine("Draft", edit.path, edit.was, edit.now) for edit in offer.edits] if offer.action == "edited" else []
    )
    return {
        "plan": offer,
        "kind": _KINDS.get(offer.type, offer.type),
        "action": _ACTIONS[offer.action],
        "lines": Lines.of(offer.diff.lines if offer.diff else []),
        "edits": Lines.of(edits),
    }


def _told(result: ApplyResult) -> str:
    changes, drafts = len(result.changes), len(result.offers)
    return (
        f"Applied: {changes} definition{'s' * (changes != 1)} created or changed, "
        f"{drafts} draft{'s' * (drafts != 1)} begun or edited. Nothing is published."
    )


def _in_words(kind: str, count: int) -> str:
    words = _KINDS.get(kind, kind)
    return f"{count} {words}{'s' * (count != 1)}"


def _short(value: object) -> str:
    return "" if value is None else str(value)
