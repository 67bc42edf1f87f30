"""Whoever needs a second step to sign in and has none reaches the pages that set it up, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.views import RemoveWebAuthnView
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from config.errors import API_PATHS
from customers.access import access_of
from customers.adapter import KEPT
from customers.second_step import must_keep

# The API asks by itself (customers/api/permissions.py): a key beside a session is no person.
_OPEN: Final = ("/account/2fa/", "/account/reauthenticate/", "/account/logout/", "/static/", "/healthz", "/readyz")


class SecondStepFirst:
    """Middleware: sends those who lack a required second step to where they set one up; then they go on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self._is_kept_out(request):
            following = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
            response: HttpResponse = HttpResponseRedirect(f"{reverse('mfa_index')}?{following}")
            if request.headers.get("HX-Request") == "true":
                # htmx would put the page of the redirect into the place of a part.
                response = HttpResponse(headers={"HX-Redirect": response["Location"]})
            return response
        return self.get_response(request)

    def _is_kept_out(self, request: HttpRequest) -> bool:
        if request.path.startswith((*API_PATHS, *_OPEN)) or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return False
        user = request.user
        return user.is_authenticated and user.is_active and access_of(request).lacks_second_step


class Authenticate(AuthenticateView):  # type: ignore[misc] # allauth has no types
    """allauth's page, which offers what the account has: an app, passkeys, or both."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        types = set(self.stage.login.user.authenticator_set.values_list("type", flat=True))
        told: dict[str, Any] = super().get_context_data(**kwargs)
        return told | {"has_app": "totp" in types, "has_passkey": "webauthn" in types}


class RemovePasskey(RemoveWebAuthnView):  # type: ignore[misc] # likewise
    """allauth's page, which doesn't ask whether the passkey has to stay."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        account: Any = request.user
        if account.is_authenticated:
            passkey = Authenticator.objects.filter(user=account, type="webauthn", pk=kwargs["pk"]).first()
            if passkey is not None and must_keep(account, passkey):
                messages.error(request, KEPT)
                return redirect("mfa_index")
        return super().dispatch(request, *args, **kwargs)
