"""Subscriptions, packages and licence records in the admin: written by services, never by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from customers.admin_base import ModelAdmin, ReadOnlyAdmin, actor_of
from licensing.admin.base import READ, InlineRows, actor_scopes, attempt
from licensing.admin.owners import Examining
from licensing.models import (
    ModuleLicense,
    Package,
    Subscription,
    SubscriptionItem,
)
from licensing.services.activation import activate_package


class ItemInline(InlineRows):
    model = SubscriptionItem
    fields = ("version", "quantity", "starts_at", "ends_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("version__offer")


class LicenseInline(InlineRows):
    model = ModuleLicense
    fields = (
        "sort_order",
        "module_name",
        "module_description",
        "license_type",
        "license_number",
        "hidden",
        "extra_info",
    )


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = READ
    list_display = ("customer", "billing_months", "starts_on", "ended_at")
    list_filter = ("billing_months",)
    list_select_related = ("customer",)
    search_fields = ("customer__code", "customer__name")
    inlines = (ItemInline,)

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": "subscription", "object_code": row.customer.code}


@admin.register(SubscriptionItem)
class SubscriptionItemAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = READ
    list_display = ("customer", "version", "quantity", "starts_at", "ends_at")
    list_filter = ("version__offer",)
    list_select_related = ("customer", "version__offer")
    search_fields = ("customer__code", "customer__name", "version__offer__code")


@admin.register(Package)
class PackageAdmin(Examining, ReadOnlyAdmin, ModelAdmin):
    view_scopes = ("licenses:read", "audit:read")
    list_display = ("customer", "owner", "number", "state", "signature", "activated_at", "expires_at")
    list_filter = ("state", "owner")
    list_select_related = ("customer", "owner")
    search_fields = ("customer__code", "customer__name", "serial_number")
    inlines = (LicenseInline,)
    actions = ("activate",)

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": "package", "object_code": str(row), "customer": row.customer}

    def has_activate_permission(self, request: HttpRequest) -> bool:
        return "packages:activate" in actor_scopes(request)

    @admin.action(description="Activate pending packages", permissions=["activate"])
    def activate(self, request: HttpRequest, packages: QuerySet[Package]) -> None:
        for package in packages.select_related("customer", "owner"):
            attempt(
                request,
                f"{package} of {package.customer} is active.",
                partial(activate_package, customer=package.customer, actor=actor_of(request), owner=package.owner.code),
            )


@admin.register(ModuleLicense)
class ModuleLicenseAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = ("licenses:read", "audit:read")
    list_display = ("module_name", "customer", "package", "license_type", "license_number", "is_plan", "hidden")
    list_filter = ("license_type", "is_plan", "hidden", "unrestricted", "package__state")
    list_select_related = ("customer", "package__owner")
    search_fields = ("module_name", "module_description", "customer__code")
