"""Signing in with the provider that the settings name: for accounts that exist, by an address that it has verified."""

from __future__ import annotations

from typing import Any, Final

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, _build_apps_from_settings
from django.contrib import messages
from django.shortcuts import redirect

from customers.models import Account

# The same words whether there is no such account, it is closed, or the provider hasn't verified the address.
NO_ACCOUNT: Final = "You are signed in there, but no account here can be opened with that. Ask for an invitation."
# Some providers say it in words, and "false" is not to be taken for a yes.
_YES: Final = (True, "true")


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc] # allauth has no types
    def list_apps(self, request: Any, provider: Any = None, client_id: Any = None) -> list[Any]:
        """Returns the provider of the settings; the table that allauth would look into as well stays empty."""
        apps = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for named in apps.values() for app in named]

    def is_open_for_signup(self, request: Any, sociallogin: Any) -> bool:
        return False

    def pre_social_login(self, request: Any, sociallogin: Any) -> None:
        """Links the provider's account to ours at the first sign-in with it. Turns away who has none."""
        if sociallogin.is_existing and sociallogin.user.is_active:
            return
        account = None if sociallogin.is_existing else _verified_account(sociallogin)
        if account is None:
            messages.error(request, NO_ACCOUNT)
            raise ImmediateHttpResponse(redirect("account_login"))
        sociallogin.connect(request, account)  # the trail tells it


def _verified_account(sociallogin: Any) -> Account | None:
    """Returns the open account of an address that the provider vouches for. Ours are proven by whoever made them."""
    for address in sociallogin.email_addresses:
        account: Account | None = Account.objects.filter(email__iexact=address.email, is_active=True).first()
        if address.verified in _YES and account is not None:
            return account
    return None
