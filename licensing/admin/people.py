"""Customers and their users in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from customers.admin_base import ModelAdmin, ScopedAdmin, actor_of
from customers.models import Customer, CustomerUser
from customers.services.customers import edit_customer
from licensing.admin.base import READ, WRITE, adopt, attempt
from licensing.forms import ItemsForm
from licensing.services.onboarding import create_customer
from licensing.services.people import create_user, edit_user
from licensing.services.subscriptions import change_items, subscribe


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
    list_filter = ("can_log_in", "is_former_employee", ("erased_at", admin.EmptyFieldListFilter))
    list_select_related = ("customer",)
    search_fields = ("code", "name", "email", "customer__code")
    autocomplete_fields = ("customer", "account")
    ordering = ("customer__code", "code")
    fields = ("customer", "code", "name", "email", "account", "can_log_in", "is_former_employee", "last_seen_at")
    readonly_fields = ("last_seen_at",)
    show_full_result_count = False

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": "user", "object_code": f"{row.customer.code}/{row.code}"}

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "customer__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # the stubs want a list where Django passes text on

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is None else ("customer", "code", *self.readonly_fields)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or not obj.is_erased)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor, data = actor_of(request), dict(form.cleaned_data)
        if not change:
            adopt(obj, create_user(actor=actor, **data))
            return
        edited = edit_user(customer=obj.customer, actor=actor, user=obj, **data)
        if edited.freed is not None:
            freed = edited.freed.rows.get(user=obj).before
            messages.warning(request, f"Freed: {', '.join(freed)}.")
