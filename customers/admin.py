"""Accounts, access and the trail in the admin. Customers and their users are licensing's to show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from customers.admin_base import SUPERUSER, ModelAdmin, ReadOnlyAdmin, ScopedAdmin, TabularInline, actor_of, holds
from customers.errors import Refusal
from customers.forms import AccountForm, ApiClientForm
from customers.models import (
    Account,
    ApiClient,
    ApiKey,
    AuditEvent,
    Customer,
    IdempotencyRecord,
    Invitation,
    Membership,
    OutboxMessage,
    StaffRole,
)
from customers.services import accounts, keys, members

# Access goes by staff roles and memberships; Django's groups would be a second, silent way.
admin.site.unregister(Group)
# An account has one address, which stands on it.
admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)
# Sessions are each person's own to end; the provider to sign in with stands in the settings.
for _model in (SocialAccount, SocialApp, SocialToken, UserSession):
    admin.site.unregister(_model)


def _adopt(shown: Model, made: Model) -> None:
    """Lets the admin go on with the row that a service has made."""
    shown.pk = made.pk
    shown._state.adding = False
    shown.refresh_from_db()


@admin.register(Account)
class AccountAdmin(ScopedAdmin, ModelAdmin):
    view_scopes = ("customers:write", "clients:write", "audit:read")
    add_scopes = change_scopes = (SUPERUSER,)
    form = AccountForm
    list_display = ("email", "name", "roles", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "staff_roles__role", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("email",)

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": "account", "object_code": row.email}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return super().get_queryset(request).prefetch_related("staff_roles")

    @admin.display(description="Staff roles")
    def roles(self, account: Account) -> str:
        return ", ".join(str(held.get_role_display()) for held in account.staff_roles.all()) or "–"

    def get_fields(self, request: HttpRequest, obj: Account | None = None) -> tuple[str, ...]:
        if self.has_change_permission(request, obj):
            return ("email", "name", "is_active", "roles", "new_password")
        return ("email", "name", "is_active", "is_superuser", "last_login", "date_joined")

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        actor, now, wanted = actor_of(request), timezone.now(), form.cleaned_data
        if change:
            accounts.edit_account(
                actor=actor, account=obj, at=now, email=obj.email, name=obj.name, is_active=obj.is_active
            )
            accounts.set_staff_roles(actor=actor, account=obj, roles=wanted["roles"], at=now)
            if wanted["new_password"]:
                accounts.set_password(actor=actor, account=obj, password=wanted["new_password"], at=now)
            return
        made = accounts.create_account(
            actor=actor,
            email=obj.email,
            name=obj.name,
            password=wanted["new_password"] or None,
            roles=wanted["roles"],
            at=now,
        )
        _adopt(obj, made)


@admin.register(StaffRole)
class StaffRoleAdmin(ReadOnlyAdmin, ModelAdmin):
    """Who has which role; it is given and taken with the account."""

    view_scopes = (SUPERUSER, "audit:read")
    list_display = ("account", "role")
    list_filter = ("role",)
    list_select_related = ("account",)
    search_fields = ("account__email", "account__name")


@admin.register(Authenticator)
class SecondStepAdmin(ReadOnlyAdmin, ModelAdmin):
    """Second steps of signing in: to be removed when somebody has lost theirs, never made for them."""

    view_scopes = (SUPERUSER,)
    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__email", "user__name")
    fields = ("user", "type", "created_at", "last_used_at")  # never its secret

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return holds(request, SUPERUSER)

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        accounts.remove_second_step(actor=actor_of(request), second_step=obj, at=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Authenticator]) -> None:
        for second_step in queryset:
            self.delete_model(request, second_step)


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin, ModelAdmin):
    view_scopes = ("audit:read",)
    add_scopes = change_scopes = delete_scopes = ("customers:write",)
    list_display = ("account", "customer", "role")
    list_filter = ("role",)
    list_select_related = ("account", "customer")
    search_fields = ("account__email", "account__name", "customer__code", "customer__name")

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return autocomplete(self.admin_site, "account")

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> tuple[str, ...]:
        return ("customer", "account") if obj else ()

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        actor, now = actor_of(request), timezone.now()
        if change:
            members.change_member(actor=actor, membership=obj, role=obj.role, at=now, even_the_last=True)
        else:
            _adopt(
                obj,
                members.add_member(actor=actor, customer=obj.customer, account=obj.account, role=obj.role, at=now),
            )

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": "membership", "object_code": row.account.email, "customer": row.customer}

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        members.remove_member(actor=actor_of(request), membership=obj, at=timezone.now(), even_the_last=True)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset.select_related("account", "customer"):
            self.delete_model(request, membership)


class ApiKeyInline(ReadOnlyAdmin, TabularInline):
    model = ApiKey
    view_scopes = ("clients:read", "audit:read")
    fields = ("prefix", "created_at", "expires_at", "revoked_at", "last_used_at")
    readonly_fields = fields
    extra = 0


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin, ModelAdmin):
    """Who was invited, by whom, and what came of it; inviting is done in the portal."""

    view_scopes = ("members:read",)
    list_display = ("email", "customer", "role", "inviter", "sent_at", "expires_at", "accepted_at", "withdrawn_at")
    list_filter = ("role", ("accepted_at", admin.EmptyFieldListFilter), ("withdrawn_at", admin.EmptyFieldListFilter))
    list_select_related = ("customer",)
    search_fields = ("email", "customer__code", "customer__name")
    fields = (*list_display[:4], "invited_at", *list_display[4:])

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": "invitation", "object_code": row.email, "customer": row.customer}


@admin.register(ApiClient)
class ApiClientAdmin(ScopedAdmin, ModelAdmin):
    view_scopes = ("audit:read",)
    add_scopes = change_scopes = ("clients:write",)
    form = ApiClientForm
    inlines = (ApiKeyInline,)
    list_display = ("name", "customer", "scope_list", "is_active", "created_at")
    list_filter = ("is_active",)
    list_select_related = ("customer",)
    search_fields = ("name", "customer__code", "customer__name")
    actions = ("issue_key", "issue_key_for_a_year")

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": "api_client", "object_code": row.name}

    @admin.display(description="Scopes")
    def scope_list(self, client: ApiClient) -> str:
        return ", ".join(client.scopes)

    def get_fields(self, request: HttpRequest, obj: ApiClient | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("name", "customer", "scopes", "calls_per_minute")
        if self.has_change_permission(request, obj):
            return ("name", "customer", "scopes", "calls_per_minute", "is_active")
        return ("name", "customer", "scope_list", "calls_per_minute", "is_active")

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return autocomplete(self.admin_site)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiClient | None = None) -> tuple[str, ...]:
        return ("customer", "scope_list") if obj else ()

    def save_model(self, request: HttpRequest, obj: ApiClient, form: Any, change: bool) -> None:
        actor, now, scopes = actor_of(request), timezone.now(), form.cleaned_data["scopes"]
        told: dict[str, Any] = {"name": obj.name, "scopes": scopes, "calls_per_minute": obj.calls_per_minute}
        if change:
            keys.edit_client(actor=actor, client=obj, at=now, is_active=obj.is_active, **told)
        else:
            _adopt(obj, keys.create_client(actor=actor, customer=obj.customer, at=now, **told))

    @admin.action(description="Issue a key (shown once)", permissions=["change"])
    def issue_key(self, request: HttpRequest, queryset: QuerySet[ApiClient]) -> HttpResponse | None:
        return self._issue(request, queryset, None)

    @admin.action(description="Issue a key for a year", permissions=["change"])
    def issue_key_for_a_year(self, request: HttpRequest, queryset: QuerySet[ApiClient]) -> HttpResponse | None:
        return self._issue(request, queryset, timedelta(days=365))

    def _issue(
        self, request: HttpRequest, queryset: QuerySet[ApiClient], lasts: timedelta | None
    ) -> HttpResponse | None:
        if queryset.count() != 1:
            self.message_user(request, "Choose one client.", messages.ERROR)
            return None
        client = queryset.get()
        try:
            now = timezone.now()
            expires_at = None if lasts is None else now + lasts
            key, token = keys.issue_key(actor=actor_of(request), client=client, at=now, expires_at=expires_at)
        except Refusal as refusal:
            self.message_user(request, f"{refusal.message} {refusal.next_action}", messages.ERROR)
            return None
        context = self.admin_site.each_context(request) | {
            "title": f"A new key for {client.name}",
            "opts": self.opts,
            "client": client,
            "key": key,
            "token": token,
        }
        # On the page itself and never in a message: messages wait in a cookie.
        response = TemplateResponse(request, "admin/customers/apiclient/key_issued.html", context)
        response["Cache-Control"] = "no-store"
        return response


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = ("clients:write", "audit:read")
    list_display = ("prefix", "client", "created_at", "expires_at", "revoked_at", "last_used_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("client",)
    search_fields = ("prefix", "client__name")
    actions = ("revoke",)
    fields = ("client", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return holds(request, "clients:write")

    @admin.action(description="Revoke the chosen keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            keys.revoke_key(actor=actor_of(request), key=key, at=timezone.now())
        self.message_user(request, "Revoked: they open nothing from now on.", messages.SUCCESS)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = ("audit:read",)
    list_display = ("at", "actor", "action", "object_type", "object_code", "customer", "reason")
    list_filter = ("object_type", "action")
    list_select_related = ("customer",)
    search_fields = ("actor", "action", "object_code", "customer__code", "reason")
    date_hierarchy = "at"
    show_full_result_count = False


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = ("audit:read",)
    list_display = ("id", "topic", "customer", "state", "attempts", "next_attempt_at", "delivered_at", "last_error")
    list_filter = (
        "topic",
        ("delivered_at", admin.EmptyFieldListFilter),
        ("next_attempt_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("customer",)
    search_fields = ("topic", "customer__code", "last_error")

    @admin.display(description="State")
    def state(self, message: OutboxMessage) -> str:
        if message.delivered_at:
            return "delivered"
        return "waiting" if message.next_attempt_at else "given up"


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(ReadOnlyAdmin, ModelAdmin):
    view_scopes = ("audit:read",)
    list_display = ("created_at", "caller", "key", "status")
    search_fields = ("caller", "key")


def autocomplete(site: admin.AdminSite, *names: str) -> tuple[str, ...]:
    """Returns the fields that complete what is typed; `customer` once the app above has put customers in the admin."""
    return (*names, "customer") if site.is_registered(Customer) else names
