"""What the catalog's admin pages share: who may, saving through services, refusals as messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeVar

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet, URLField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from catalog.errors import PublishRefused
from catalog.services.editing import delete_row, save_row
from customers.admin_base import INSTANTS, ModelAdmin, ScopedAdmin, actor_of
from customers.errors import Refusal

READ: Final = ("catalog:read",)
DRAFT: Final = ("catalog:draft",)
PUBLISH: Final = ("catalog:publish",)
# Who drafts, who approves, and who reads drafts for the customers they look after; auditors only read.
COMMENT: Final = (*DRAFT, *PUBLISH, "customers:write")

# What services raise at people: it becomes a message, never a page of its own.
Refused = (Refusal, ValidationError)
Result = TypeVar("Result")


def tell(request: HttpRequest, refusal: Exception) -> None:
    """Says why something was refused, and what would help."""
    if isinstance(refusal, PublishRefused):
        for fault in refusal.faults:
            messages.error(request, fault.message)
    elif isinstance(refusal, Refusal):
        messages.error(request, f"{refusal.message} {refusal.next_action}".strip())
    elif isinstance(refusal, ValidationError):
        messages.error(request, " ".join(refusal.messages))


def attempt(request: HttpRequest, act: Callable[[], Result], done: str) -> Result | None:
    """Returns what `act` returns and says `done`; or None, and says why it was refused."""
    try:
        result = act()
    except Refused as refusal:
        tell(request, refusal)
        return None
    messages.success(request, done)
    return result


def gone(request: HttpRequest, page: ModelAdmin, object_id: str) -> HttpResponse:
    """Returns the way back from a page about something that doesn't exist (any more)."""
    messages.warning(request, f"There is no {page.opts.verbose_name} {object_id!r}. Perhaps it was deleted.")
    return HttpResponseRedirect(reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist"))


class CatalogAdmin(ScopedAdmin, ModelAdmin):
    """Everyone with the catalog reads; product managers and publishers edit. Codes are for good once a row is saved."""

    view_scopes = READ
    add_scopes: ClassVar[tuple[str, ...]] = DRAFT
    change_scopes: ClassVar[tuple[str, ...]] = DRAFT
    delete_scopes: ClassVar[tuple[str, ...]] = DRAFT
    fixed_once_saved: ClassVar[tuple[str, ...]] = ()
    list_per_page = 50
    formfield_overrides: ClassVar[Any] = {**INSTANTS, URLField: {"assume_scheme": "https"}}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, *(self.fixed_once_saved if obj is not None else ()))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        try:
            response: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
        except Refused as refusal:  # the transaction is rolled back: nothing is half done
            tell(request, refusal)
            return HttpResponseRedirect(request.get_full_path())
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_row(row=obj, actor=actor_of(request), at=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_row(row=obj, actor=actor_of(request), at=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Says what hangs on the rows, before saying whose business that would be."""
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set() if protected else lacking, protected

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Rows that belong to the one edited (choices, markers) are saved like it."""
        for row in formset.save(commit=False):
            save_row(row=row, actor=actor_of(request), at=timezone.now())
        for row in formset.deleted_objects:
            delete_row(row=row, actor=actor_of(request), at=timezone.now())
        formset.save_m2m()
