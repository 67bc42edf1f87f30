"""What `manage.py check` looks at before anything runs."""

from __future__ import annotations

from typing import Any

from django.core.checks import Error, Tags, register

from licensing.errors import NoSigningKey
from licensing.own_key import makes_its_own, own_key


@register(Tags.security)
def signing_key_is_there(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Without a key nothing can be issued, so a server does not start (Z-4)."""
    if makes_its_own():
        return []
    try:
        own_key()
    except NoSigningKey as missing:
        return [Error(missing.message, hint=missing.next_action, id="licensing.E001")]
    return []
