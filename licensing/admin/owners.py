"""Owners' keys, and what their plans cover; and the state of packages' signatures in lists."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.admin_base import SUPERUSER, ModelAdmin, ReadOnlyAdmin, ScopedAdmin, actor_of, holds
from licensing.admin.base import adopt, attempt
from licensing.models import OwnerKey, OwnerPlan, PackageSeal
from licensing.recorded import SEALED, examine_many
from licensing.services.keys import register_key, retire_key, save_plan

KEYS = ("licenses:read", "audit:read")


class Examining:
    """For the list of packages: says of each whether it is what was signed. One query for all rows of a page."""

    list_per_page = 25

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        page: Any = super()
        rows: QuerySet[Any] = page.get_queryset(request).select_related(*SEALED)
        return rows

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page: Any = super()
        changes = page.get_changelist_instance(request)
        changes.result_list = list(changes.result_list)
        found = examine_many(changes.result_list)
        for package in changes.result_list:
            package.examined = found[package.pk]
        return changes

    @admin.display(description="Signature")
    def signature(self, package: Any) -> SafeString:
        examined = getattr(package, "examined", None) or examine_many([package])[package.pk]
        if examined.is_intact:
            return format_html('<span class="badge badge-good badge-dot">{}</span>', "Good")
        told = " ".join(each.message for each in examined.breaks)
        return format_html('<span class="badge badge-bad badge-dot">{}</span> {}', "Damaged", told)


@admin.register(OwnerKey)
class OwnerKeyAdmin(ScopedAdmin, ModelAdmin):
    """Superusers say whom to trust. A key is never edited: it is retired."""

    view_scopes = KEYS
    add_scopes = (SUPERUSER,)
    list_display = ("key_id", "owner", "valid_from", "valid_until", "retired_at")
    list_filter = ("owner", ("retired_at", admin.EmptyFieldListFilter))
    list_select_related = ("owner",)
    search_fields = ("key_id", "public_key", "owner__code")
    autocomplete_fields = ("owner",)
    fields = ("owner", "public_key", "valid_from", "valid_until")
    actions = ("retire",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"valid_from": timezone.now()}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is None else ("owner", "key_id", *self.fields[1:], "retired_at")

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": "owner_key", "object_code": row.key_id}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        adopt(obj, register_key(actor=actor_of(request), at=timezone.now(), **form.cleaned_data))

    def has_retire_permission(self, request: HttpRequest) -> bool:
        return holds(request, SUPERUSER)

    @admin.action(description="Retire the chosen keys", permissions=["retire"])
    def retire(self, request: HttpRequest, keys: QuerySet[OwnerKey]) -> None:
        for key in keys.select_related("owner"):
            act = partial(retire_key, actor=actor_of(request), key=key, at=timezone.now())
            attempt(request, f"{key} is retired: nothing new that it signs is taken in.", act)


@admin.register(OwnerPlan)
class OwnerPlanAdmin(ScopedAdmin, ModelAdmin):
    view_scopes = ("catalog:read",)
    add_scopes = change_scopes = delete_scopes = ("catalog:draft",)
    list_display = ("module_name", "owner", "covers", "tier")
    list_filter = ("owner", "tier")
    list_select_related = ("owner", "tier")
    search_fields = ("module_name", "owner__code")
    autocomplete_fields = ("owner", "tier")
    fields = ("owner", "module_name", "solutions", "tier")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("solutions")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, widget=CheckboxSelectMultiple, **kwargs)

    @admin.display(description="Covers")
    def covers(self, plan: Any) -> str:
        return ", ".join(solution.name for solution in plan.solutions.all())

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": "owner_plan", "object_code": str(row)}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        solutions = form.cleaned_data.get("solutions", ())
        save_plan(actor=actor_of(request), plan=obj, solutions=solutions, at=timezone.now())


@admin.register(PackageSeal)
class PackageSealAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = KEYS
    list_display = ("package", "customer", "key_id", "issuer_key", "sealed_at")
    list_filter = ("key_id",)
    list_select_related = ("package__owner", "package__customer", "issuer_key__owner")
    search_fields = ("package__customer__code", "key_id", "document_digest")
    fields = ("package", "key_id", "signature", "issuer_key", "owner_description", "license_url", "sealed_at")

    @admin.display(description="Customer", ordering="package__customer__code")
    def customer(self, seal: Any) -> str:
        return str(seal.package.customer)
