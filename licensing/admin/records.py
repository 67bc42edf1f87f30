"""What the system writes for itself, to look at."""

from __future__ import annotations

from django.contrib import admin

from customers.admin_base import ModelAdmin, ReadOnlyAdmin
from licensing.admin.base import READ, SEATS
from licensing.models import (
    CustomerRevision,
    EntitlementSet,
    Holding,
    HoldingPeriod,
    RevisionEntry,
    UserPeriod,
)


class RecordAdmin(ReadOnlyAdmin, ModelAdmin):
    """What the system writes for itself."""

    view_scopes = READ
    show_full_result_count = False


@admin.register(CustomerRevision)
class CustomerRevisionAdmin(RecordAdmin):
    list_display = fields = ("customer", "number", "stamp")
    list_select_related = ("customer",)
    search_fields = ("customer__code",)


@admin.register(RevisionEntry)
class RevisionEntryAdmin(RecordAdmin):
    list_display = ("customer", "number", "at", "cause")
    list_filter = ("cause",)
    list_select_related = ("customer",)
    search_fields = ("customer__code", "cause")


@admin.register(Holding)
class HoldingAdmin(RecordAdmin):
    view_scopes = SEATS
    list_display = ("pk", "customer", "kind", "modules")
    list_filter = ("kind",)
    list_select_related = ("customer",)
    search_fields = ("customer__code", "modules")


@admin.register(EntitlementSet)
class EntitlementSetAdmin(RecordAdmin):
    list_display = ("digest", "multi_plan")
    list_filter = ("multi_plan",)
    search_fields = ("digest",)


@admin.register(UserPeriod)
class UserPeriodAdmin(RecordAdmin):
    view_scopes = SEATS
    list_display = ("user", "customer", "starts_at", "ends_at", "holding")
    list_select_related = ("user", "customer", "holding")
    search_fields = ("user__code", "customer__code")


@admin.register(HoldingPeriod)
class HoldingPeriodAdmin(RecordAdmin):
    view_scopes = SEATS
    list_display = ("holding", "customer", "starts_at", "ends_at", "status", "set")
    list_filter = ("status",)
    list_select_related = ("holding", "customer", "set")
    search_fields = ("customer__code",)
