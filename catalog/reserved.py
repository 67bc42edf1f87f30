"""Names that nothing may have: the fixed words in the addresses of licences, in the world that we join (C-3). Pure."""

from __future__ import annotations

from typing import Final

OWNER_WORDS: Final = frozenset({"user", "site", "changeserialnumber", "shopurl", "mdolist"})
MODULE_WORDS: Final = frozenset({"shopurl", "mdolist"})


def reserved_owner(code: str) -> str | None:
    """Returns why no owner can be called so, or None."""
    return f"{code} is a fixed word in addresses." if code.lower() in OWNER_WORDS else None


def reserved_module(name: str) -> str | None:
    """Returns why no module can be called so, or None: a number is taken for a user's, a fixed word for itself."""
    if name.isdigit():
        return f"{name} is a number, and would be taken for a user's."
    return f"{name} is a fixed word in addresses." if name.lower() in MODULE_WORDS else None
