"""Django's admin, opened by scopes (customers/scopes.py) instead of Django's own permissions.

    @admin.register(Plan)
    class PlanAdmin(ScopedAdmin, ModelAdmin):
        view_scopes = ("catalog:read",)
        add_scopes = change_scopes = ("catalog:draft",)

Holding any one of the named scopes everywhere is enough. Nobody adds, changes or deletes where nothing is named.
`SUPERUSER` stands for what superusers alone may do. Whoever may change may also view. Inlines use the mixin too.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db import models
from django.http import HttpRequest, HttpResponse

from customers.access import access_of
from customers.actor import Actor
from customers.audit import trail_of

# Django's admin classes have type parameters for the type checker only.
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    StackedInline = admin.StackedInline[Any, Any]
else:
    ModelAdmin, TabularInline, StackedInline = admin.ModelAdmin, admin.TabularInline, admin.StackedInline

SUPERUSER: Final = "superuser"
_CHANGE_PAGE: Final = re.compile(r'href="[^"]*/(?P<app>\w+)/(?P<model>\w+)/[^/"]+/change/"')
CHOOSE: Final = ("", "With the chosen …")
# The browser's own way to pick an instant: it works with a keyboard, on a phone and in the dark.
INSTANTS: Final = {
    models.DateTimeField: {
        "form_class": forms.DateTimeField,
        "widget": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    },
    models.DateField: {"widget": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")},
}


def actor_of(request: HttpRequest) -> Actor:
    """Returns who works in the admin, for the services."""
    return access_of(request).actor


def holds(request: HttpRequest, *scopes: str) -> bool:
    """Whether whoever is signed in holds any of these scopes everywhere."""
    if not request.user.is_authenticated or not request.user.is_active:
        return False
    access = access_of(request)
    return any(access.is_superuser if scope == SUPERUSER else access.allows(scope) for scope in scopes)


class ScopedAdmin:
    """Mixin for ModelAdmin and InlineModelAdmin: put it first."""

    view_scopes: ClassVar[tuple[str, ...]] = ()
    add_scopes: ClassVar[tuple[str, ...]] = ()
    change_scopes: ClassVar[tuple[str, ...]] = ()
    delete_scopes: ClassVar[tuple[str, ...]] = ()
    formfield_overrides: ClassVar[Any] = INSTANTS

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return holds(request, *self.view_scopes, *self.change_scopes)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return holds(request, *self.add_scopes)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return holds(request, *self.change_scopes)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return holds(request, *self.delete_scopes)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return holds(request, *self.view_scopes, *self.add_scopes, *self.change_scopes)

    def get_action_choices(self, request: HttpRequest, default_choices: Any = (CHOOSE,)) -> list[tuple[str, str]]:
        page: Any = super()
        choices: list[tuple[str, str]] = page.get_action_choices(request, list(default_choices))
        return choices

    def traced_as(self, row: Any) -> dict[str, Any]:
        """Returns by what the audit trail knows a row: fields of AuditEvent. Most are known by kind and code."""
        return {"object_type": row._meta.verbose_name.replace(" ", "_"), "object_code": getattr(row, "code", "")}

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Shows what the audit trail says about the row."""
        page: Any = super()
        row = page.get_object(request, unquote(object_id))
        traced = self.traced_as(row) if row is not None else {}
        told = trail_of(**traced) | {"traced": traced} if traced else {}
        response: HttpResponse = page.history_view(request, object_id, {**told, **(extra_context or {})})
        return response

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Returns what Django does, but of records that the visitor may not see only how many there are."""
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)  # type: ignore[misc]  # ModelAdmin, beside which it stands, has it
        return _told(to_delete, request), counts, lacking, _told(protected, request)


def _told(listed: list[Any], request: HttpRequest) -> list[Any]:
    """Returns the entries of a (nested) list that the visitor may open, and counts of the others."""
    kept: list[Any] = []
    hidden: Counter[str] = Counter()
    for entry in listed:
        link = None if isinstance(entry, list) else _CHANGE_PAGE.search(str(entry))
        shown = admin.site.get_model_admin(apps.get_model(link["app"], link["model"])) if link else None
        if shown is not None and not shown.has_view_permission(request):
            hidden[str(shown.opts.verbose_name_plural)] += 1
        else:
            kept.append(_told(entry, request) if isinstance(entry, list) else entry)
    return [*kept, *(f"{count} {name}" for name, count in sorted(hidden.items()))]


class ReadOnlyAdmin(ScopedAdmin):
    """For records that nobody edits by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
