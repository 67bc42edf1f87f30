"""Who calls the API: `Authorization: Bearer plk_…` or `X-API-Key` names a client; sessions are DRF's own matter."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from customers.api_keys import KnownKey, find_key
from customers.last_used import note_use

SCHEME: Final = "bearer"


class ApiKeyAuthentication(BaseAuthentication):
    """Sets `request.auth` to the KnownKey; `request.user` stays anonymous, for nobody is signed in.

    A bad key is refused in the same words whatever is wrong with it, even beside a valid session.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, KnownKey] | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != SCHEME:
            token = request.META.get("HTTP_X_API_KEY", "")  # as OpenFeature's providers may send it
            if not token:
                return None
        now = timezone.now()
        known = find_key(token.strip(), at=now)
        if known is None:
            raise AuthenticationFailed
        note_use(known.key_id, at=now)
        return AnonymousUser(), known

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
