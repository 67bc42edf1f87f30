"""Who calls the API: `Authorization: Bearer plk_…` or `X-API-Key` names a client; sessions are DRF's own matter."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from customers.api_keys import KnownKey, find_key, token_of
from customers.last_used import note_use
from customers.throttling import count_stranger


class ApiKeyAuthentication(BaseAuthentication):
    """Sets `request.auth` to the KnownKey; `request.user` stays anonymous, for nobody is signed in.

    A bad key is refused in the same words whatever is wrong with it, even beside a valid session, and counts
    against what its address may call (A-5).
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, KnownKey] | None:
        token = token_of(request.META)
        if token is None:
            return None
        now = timezone.now()
        known = find_key(token, at=now)
        if known is None:
            count_stranger(request)
            raise AuthenticationFailed
        note_use(known.key_id, at=now)
        return AnonymousUser(), known

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
