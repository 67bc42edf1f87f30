"""Letters with a link that opens something: what waits in the outbox can't be read without the server's own key.

A link to reset a password, or to accept an invitation, is as good as a key for as long as it works. The outbox keeps
what it has sent, and auditors may look into it; so the text of such letters is encrypted with a key made of SECRET_KEY
(those before it, SECRET_KEY_FALLBACKS, still open what was sealed with them).
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def seal(text: str) -> str:
    """Returns the text encrypted: `unseal` alone reads it."""
    return _box().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Returns what was sealed. Raises cryptography.fernet.InvalidToken for what was sealed with another key."""
    return _box().decrypt(sealed.encode()).decode()


def _box() -> MultiFernet:
    keys = [str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_digest(key))) for key in keys])


def _digest(key: str) -> bytes:
    return hashlib.sha256(f"customers.letters:{key}".encode()).digest()
