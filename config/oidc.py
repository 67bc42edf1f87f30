"""The way to the provider that one can sign in with besides."""

from __future__ import annotations

from typing import Any

import requests
import structlog
from allauth.socialaccount.providers.openid_connect.views import login
from django.http import HttpRequest
from django.shortcuts import render

_LOG = structlog.get_logger(__name__)


def provider_sign_in(request: HttpRequest, provider_id: str) -> Any:
    """allauth's view, which asks the provider where it wants people; one that doesn't answer is no mistake of ours."""
    try:
        return login(request, provider_id=provider_id)
    except (requests.RequestException, KeyError, ValueError) as fault:
        _LOG.warning("provider_unavailable", exc_info=fault)
        return render(request, "socialaccount/authentication_error.html", status=502)
