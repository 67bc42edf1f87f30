"""Django's admin, grouped by what people are about to do instead of by the app that a table lives in."""

from __future__ import annotations

from typing import Any, Final

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

# Task → its models, the daily ones first. Each model in the admin stands in one of them.
TASKS: Final[dict[str, tuple[str, ...]]] = {
    "Catalog": (
        "catalog.Plan",
        "catalog.AddOn",
        "catalog.Version",
        "catalog.Feature",
        "catalog.VersionFeature",
        "catalog.FeatureGroup",
        "catalog.Module",
        "catalog.Solution",
        "catalog.Tier",
        "catalog.Owner",
        "catalog.Offer",
    ),
    "Customers": ("customers.Customer", "customers.CustomerUser", "customers.Membership", "customers.Invitation"),
    "Licensing": (
        "licensing.Subscription",
        "licensing.SubscriptionItem",
        "licensing.Package",
        "licensing.ModuleLicense",
        "licensing.Seat",
        "licensing.ChangeSet",
        "licensing.Override",
        "licensing.OwnerKey",
        "licensing.OwnerPlan",
        "licensing.PackageSeal",
    ),
    "Access": (
        "customers.Account",
        "customers.StaffRole",
        "customers.ApiClient",
        "customers.ApiKey",
        "mfa.Authenticator",
        "customers.AuditEvent",
    ),
    "Records": (
        "licensing.RevisionEntry",
        "licensing.CustomerRevision",
        "licensing.Holding",
        "licensing.EntitlementSet",
        "licensing.UserPeriod",
        "licensing.HoldingPeriod",
        "customers.OutboxMessage",
        "customers.IdempotencyRecord",
    ),
}


class TaskAdminSite(AdminSite):
    """The one admin site; INSTALLED_APPS names it through `config.apps.TaskAdminConfig`."""

    site_header = site_title = "Planarium"
    index_title = "Administration"
    empty_value_display = "–"
    enable_nav_sidebar = False  # every page has the product's own navigation

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sends to the one way to sign in, with its second factor and its limits."""
        response: HttpResponse = _sign_in(request, extra_context=extra_context)
        return response

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Sends to the one way to sign out."""
        return redirect("account_logout")

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Sends to the one place where passwords are changed."""
        return redirect("account_change_password")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Returns the tasks with those of their models that the visitor may open; of one app where one is named."""
        models = {
            f"{app['app_label']}.{model['object_name']}": model
            for app in self._build_app_dict(request, app_label).values()
            for model in app["models"]
        }
        tasks = []
        for title, names in TASKS.items():
            found = [models[name] for name in names if name in models]
            if found:
                tasks.append({"name": title, "app_label": title.lower(), "app_url": "", "models": found})
        return tasks


_sign_in = secure_admin_login(AdminSite().login)
