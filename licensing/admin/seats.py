"""Seats, change sets and overrides in the admin."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from customers.admin_base import ModelAdmin, ReadOnlyAdmin, ScopedAdmin, actor_of
from customers.models import Customer
from licensing.admin.base import READ, SEATS, InlineRows, actor_scopes, adopt, attempt
from licensing.forms import OverrideForm
from licensing.models import (
    ChangeSet,
    ChangeSetRow,
    Override,
    Seat,
)
from licensing.services.overrides import end_override, grant_override
from licensing.services.seats import UserWish, change_seats


class ChangeSetRowInline(InlineRows):
    model = ChangeSetRow
    view_scopes = SEATS
    fields = ("user", "before", "after")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user")


@admin.register(Seat)
class SeatAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = SEATS
    list_display = ("user", "customer", "module_name", "assigned_at", "released_at")
    list_filter = (("released_at", admin.EmptyFieldListFilter), "module_name")
    list_select_related = ("user", "customer", "owner")
    search_fields = ("user__code", "user__name", "module_name", "customer__code")
    actions = ("release",)

    def has_release_permission(self, request: HttpRequest) -> bool:
        return "seats:write" in actor_scopes(request)

    @admin.action(description="Release the selected seats", permissions=["release"])
    def release(self, request: HttpRequest, seats: QuerySet[Seat]) -> None:
        by_customer: dict[Customer, dict[str, list[str]]] = {}
        for seat in seats.filter(released_at=None).select_related("customer", "user", "owner"):
            by_customer.setdefault(seat.customer, {}).setdefault(seat.user.code, []).append(seat.full_name)
        for customer, users in by_customer.items():
            wishes = [UserWish(user=code, release=tuple(modules)) for code, modules in users.items()]
            attempt(
                request,
                f"Released at {customer}.",
                partial(
                    change_seats,
                    customer=customer,
                    actor=actor_of(request),
                    wishes=wishes,
                    reason="Released in the admin",
                ),
            )


@admin.register(ChangeSet)
class ChangeSetAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = SEATS
    list_display = ("number", "customer", "at", "actor", "reason", "size")
    list_select_related = ("customer",)
    search_fields = ("customer__code", "actor", "reason")
    date_hierarchy = "at"
    inlines = (ChangeSetRowInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).annotate(_size=Count("rows"))
        return rows

    @admin.display(description="Users", ordering="_size")
    def size(self, change_set: Any) -> int:
        return int(change_set._size)


@admin.register(Override)
class OverrideAdmin(ScopedAdmin, ModelAdmin):
    view_scopes = READ
    add_scopes = ("overrides:write",)
    form = OverrideForm
    list_display = ("feature", "mode", "customer", "user", "reason", "starts_at", "ends_at", "ended_at", "created_by")
    list_filter = ("mode", ("ended_at", admin.EmptyFieldListFilter))
    list_select_related = ("feature", "customer", "user")
    search_fields = ("feature__code", "customer__code", "user__code", "reason")
    autocomplete_fields = ("customer", "user", "feature")
    actions = ("end",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        adopt(obj, grant_override(actor=actor_of(request), **form.wish()))

    def traced_as(self, row: Any) -> dict[str, Any]:
        code = f"{row.feature.code} {row.mode}"
        return {"object_type": "override", "object_code": code, "customer": row.customer}

    def has_end_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request)

    @admin.action(description="End the selected overrides", permissions=["end"])
    def end(self, request: HttpRequest, overrides: QuerySet[Override]) -> None:
        for override in overrides.select_related("customer", "feature"):
            attempt(
                request,
                f"{override} has ended.",
                partial(end_override, customer=override.customer, actor=actor_of(request), override=override),
            )
