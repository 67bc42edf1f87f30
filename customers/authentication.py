"""Who calls the API: `Authorization: Bearer plk_…` or `X-API-Key` names a client; sessions are DRF's own matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from customers.api_keys import KnownKey, find_key
from customers.last_used import note_use

SCHEME: Final = "bearer"


def token_of(sent: Mapping[str, str]) -> str | None:
    """Returns what was sent as a key, by the headers as WSGI names them; None where none was."""
    scheme, _, token = sent.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == SCHEME:
        return token.strip()
    return sent.get("HTTP_X_API_KEY", "").strip() or None  # as OpenFeature's providers may send it


class ApiKeyAuthentication(BaseAuthentication):
    """Sets `request.auth` to the KnownKey; `request.user` stays anonymous, for nobody is signed in.

    A bad key is refused in the same words whatever is wrong with it, even beside a valid session.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, KnownKey] | None:
        token = token_of(request.META)
        if token is None:
            return None
        now = timezone.now()
        known = find_key(token, at=now)
        if known is None:
            raise AuthenticationFailed
        note_use(known.key_id, at=now)
        return AnonymousUser(), known

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
