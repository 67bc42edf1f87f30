"""Customers, their users, contracts, licences and seats in the admin. What is frozen is read-only; every change goes
through a service, and a refusal becomes a message."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from customers.access import access_of
from customers.admin_base import ModelAdmin, ReadOnlyAdmin, ScopedAdmin, TabularInline, actor_of
from customers.errors import Refusal
from customers.models import Customer, CustomerUser
from customers.services.customers import edit_customer
from licensing.forms import ItemsForm, OverrideForm
from licensing.models import (
    ChangeSet,
    ChangeSetRow,
    CustomerRevision,
    EntitlementSet,
    Holding,
    HoldingPeriod,
    ModuleLicense,
    Override,
    Package,
    RevisionEntry,
    Seat,
    Subscription,
    SubscriptionItem,
    UserPeriod,
)
from licensing.services.onboarding import create_customer
from licensing.services.overrides import end_override, grant_override
from licensing.services.packages import activate_package
from licensing.services.people import create_user, edit_user
from licensing.services.seats import UserWish, change_seats
from licensing.services.subscriptions import change_items, subscribe

READ = ("customers:read", "audit:read")
WRITE = ("customers:write",)
SEATS = ("seats:read", "audit:read")


class InlineRows(ReadOnlyAdmin, TabularInline):
    """A read-only table of what hangs on a record."""

    extra = 0
    can_delete = False
    show_change_link = True
    view_scopes = READ


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


class ChangeSetRowInline(InlineRows):
    model = ChangeSetRow
    view_scopes = SEATS
    fields = ("user", "before", "after")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user")


def adopt(shown: Any, made: Any) -> None:
    """Lets the admin go on with the row that a service has made."""
    shown.pk = made.pk
    shown._state.adding = False
    shown.refresh_from_db()


def attempt(request: HttpRequest, done: str, act: Callable[[], Any]) -> bool:
    """Does `act`, says `done` or, for a refusal, why not and what would help; returns whether it was done."""
    try:
        act()
    except Refusal as refusal:
        faults = " ".join(fault["message"] for fault in refusal.details.get("faults", ()))
        detail = faults if faults not in refusal.message else ""
        messages.error(request, " ".join(filter(None, [refusal.message, detail, refusal.next_action])))
        return False
    messages.success(request, done)
    return True


@admin.register(Customer)
class CustomerAdmin(ScopedAdmin, ModelAdmin):
    view_scopes = READ
    add_scopes = change_scopes = WRITE
    list_display = ("code", "name", "serial_number", "created_at")
    search_fields = ("code", "name", "serial_number")
    ordering = ("code",)
    fields = ("code", "name", "serial_number", "created_at", "contract")
    readonly_fields = ("created_at", "contract")
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is None else ("code", *self.readonly_fields)

    @admin.display(description="Subscription")
    def contract(self, customer: Customer) -> str:
        if customer.pk is None:
            return "Comes once the customer is saved."
        return format_html(
            '<a href="{}">Plans and add-ons</a> · <a href="{}?customer__id__exact={}">Packages</a> · '
            '<a href="{}?customer__id__exact={}">Users</a>',
            reverse("admin:customers_customer_items", args=[customer.pk]),
            reverse("admin:licensing_package_changelist"),
            customer.pk,
            reverse("admin:customers_customeruser_changelist"),
            customer.pk,
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        data = form.cleaned_data
        if change:
            edit_customer(
                actor=actor_of(request),
                customer=obj,
                at=timezone.now(),
                name=data["name"],
                serial_number=data["serial_number"],
            )
        else:
            adopt(obj, create_customer(actor=actor_of(request), **data))

    def get_urls(self) -> list[URLPattern]:
        items = path("<int:pk>/items/", self.admin_site.admin_view(self.items_view), name="customers_customer_items")
        return [items, *super().get_urls()]

    def items_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the customer pays: every plan and add-on on sale, with how many."""
        customer = self.get_object(request, str(pk))
        if customer is None or not self.has_view_permission(request, customer):
            raise Http404
        may_change = self.has_change_permission(request, customer)
        form = ItemsForm(request.POST or None, customer=customer)
        asked = request.method == "POST" and may_change and form.is_valid()
        if asked and attempt(request, "Saved.", lambda: self._save_items(request, customer, form)):
            return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Plans and add-ons of {customer}",
            "customer": customer,
            "form": form,
            "may_change": may_change,
        }
        return TemplateResponse(request, "admin/licensing/items.html", context)

    def _save_items(self, request: HttpRequest, customer: Customer, form: ItemsForm) -> None:
        actor, quantities = actor_of(request), form.quantities()
        if form.subscription is None:
            made = subscribe(
                customer=customer, actor=actor, billing_months=form.cleaned_data["billing_months"], items=quantities
            )
        else:
            made = change_items(customer=customer, actor=actor, items=quantities)
        if made.issued.superfluous:
            listed = ", ".join(f"{row.remove} of {row.module}" for row in made.issued.superfluous)
            messages.warning(request, f"The new package waits: first release {listed}.")


@admin.register(CustomerUser)
class CustomerUserAdmin(ScopedAdmin, ModelAdmin):
    view_scopes = READ
    add_scopes = change_scopes = ("users:write",)
    list_display = ("code", "name", "email", "customer", "can_log_in", "is_former_employee", "last_seen_at")
    list_filter = ("can_log_in", "is_former_employee")
    list_select_related = ("customer",)
    search_fields = ("code", "name", "email", "customer__code")
    autocomplete_fields = ("customer", "account")
    ordering = ("customer__code", "code")
    fields = ("customer", "code", "name", "email", "account", "can_log_in", "is_former_employee", "last_seen_at")
    readonly_fields = ("last_seen_at",)
    show_full_result_count = False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "customer__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is None else ("customer", "code", *self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor, data = actor_of(request), dict(form.cleaned_data)
        if not change:
            adopt(obj, create_user(actor=actor, **data))
            return
        edited = edit_user(customer=obj.customer, actor=actor, user=obj, **data)
        if edited.freed is not None:
            freed = edited.freed.rows.get(user=obj).before
            messages.warning(request, f"Freed: {', '.join(freed)}.")


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = READ
    list_display = ("customer", "billing_months", "starts_on", "ended_at")
    list_filter = ("billing_months",)
    list_select_related = ("customer",)
    search_fields = ("customer__code", "customer__name")
    inlines = (ItemInline,)


@admin.register(SubscriptionItem)
class SubscriptionItemAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = READ
    list_display = ("customer", "version", "quantity", "starts_at", "ends_at")
    list_filter = ("version__offer",)
    list_select_related = ("customer", "version__offer")
    search_fields = ("customer__code", "customer__name", "version__offer__code")


@admin.register(Package)
class PackageAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = ("licenses:read", "audit:read")
    list_display = ("customer", "owner", "number", "state", "issued_at", "activated_at", "expires_at")
    list_filter = ("state", "owner")
    list_select_related = ("customer", "owner")
    search_fields = ("customer__code", "customer__name", "serial_number")
    inlines = (LicenseInline,)
    actions = ("activate",)

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


class RecordAdmin(ReadOnlyAdmin, ModelAdmin):
    """What the system writes for itself."""

    view_scopes = READ
    show_full_result_count = False


@admin.register(CustomerRevision)
class CustomerRevisionAdmin(RecordAdmin):
    list_display = ("customer", "number", "stamp")
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
    list_display = ("holding", "customer", "starts_at", "ends_at", "status", "set")
    list_filter = ("status",)
    list_select_related = ("holding", "customer", "set")
    search_fields = ("customer__code",)


def actor_scopes(request: HttpRequest) -> frozenset[str]:
    """Returns the scopes held everywhere by whoever works in the admin."""
    return access_of(request).scopes
