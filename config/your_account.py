"""The page about whoever is signed in."""

from __future__ import annotations

from typing import Any, Final

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

CUSTOMERS_NAMED: Final = 10


@never_cache
@login_required
def your_account(request: HttpRequest) -> HttpResponse:
    """Shows who is signed in, what they may do, and how they sign in."""
    account: Any = request.user
    memberships = list(account.memberships.select_related("customer").order_by("customer__name")[: CUSTOMERS_NAMED + 1])
    roles = [role.get_role_display().capitalize() for role in account.staff_roles.all()]
    context = {
        "roles": ["Superuser", *roles] if account.is_superuser else roles,
        "memberships": memberships[:CUSTOMERS_NAMED],
        "has_more": len(memberships) > CUSTOMERS_NAMED,
        "has_second_step": is_mfa_enabled(account),
        "providers": account.socialaccount_set.all() if settings.OIDC_ISSUER else (),
        "oidc_name": settings.OIDC_NAME,
    }
    return render(request, "account/account.html", context)
