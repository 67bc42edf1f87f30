"""API keys: what they look like, which are known, and when they were last used.

A key is `plk_PREFIX_SECRET`: the prefix is visible and finds the row, the secret is 256 random bits. Only the SHA-256
of the whole key is stored. A process remembers a key it has checked for `API_KEY_MEMORY_SECONDS`, so a revoked key dies
within that time everywhere, and at once in the process that revoked it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings

from customers.access import Access, access_of_client
from customers.memory import Memory
from customers.models import ApiKey

SCHEME: Final = "bearer"
_TOKEN: Final = re.compile(r"plk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}\Z")


def token_of(sent: Mapping[str, str]) -> str | None:
    """Returns what was sent as a key, by the headers as WSGI names them; None where none was."""
    scheme, _, token = sent.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == SCHEME:
        return token.strip()
    return sent.get("HTTP_X_API_KEY", "").strip() or None  # as OpenFeature's providers may send it


@dataclass(frozen=True, slots=True)
class NewToken:
    """A key just made up: the only time that the whole `token` is known."""

    token: str
    prefix: str
    digest: str


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A live key and what its client may do: `request.auth` of a call made with it."""

    key_id: int
    client_id: int
    digest: str
    expires_at: datetime | None
    access: Access


_known: Final = Memory[str, KnownKey](room=10_000)


def make_token() -> NewToken:
    prefix = secrets.token_hex(6)
    token = f"plk_{prefix}_{secrets.token_urlsafe(32)}"
    return NewToken(token=token, prefix=prefix, digest=_digest(token))


def find_key(token: str, *, at: datetime) -> KnownKey | None:
    """Returns the live key that `token` spells; None if it is malformed, unknown, wrong, expired, revoked or its client
    inactive. One query, none while the key is remembered.
    """
    match = _TOKEN.match(token)
    if match is None:
        return None
    prefix = match[1]
    known = _known.get(prefix, max_age=settings.API_KEY_MEMORY_SECONDS) or _load(prefix)
    if known is None or not secrets.compare_digest(known.digest, _digest(token)):
        return None
    return known if known.expires_at is None or at < known.expires_at else None


def forget_client(client_id: int) -> None:
    """Makes this process look up the client's keys anew."""
    _known.forget_where(lambda known: known.client_id == client_id)


def forget_keys() -> None:
    """Makes this process look up every key anew."""
    _known.clear()


def _load(prefix: str) -> KnownKey | None:
    key = ApiKey.objects.select_related("client").filter(prefix=prefix, revoked_at=None).first()
    if key is None or not key.client.is_active:
        # Not remembered: invented prefixes must not push live keys out.
        return None
    known = KnownKey(
        key_id=key.pk,
        client_id=key.client_id,
        digest=key.digest,
        expires_at=key.expires_at,
        access=access_of_client(key.client),
    )
    _known.keep(prefix, known)
    return known


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
