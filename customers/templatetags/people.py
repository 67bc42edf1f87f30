"""What every page asks about people: where whoever is signed in may go, and what stands in their circle."""

from __future__ import annotations

from typing import Any

from django import template

from customers.access import access_of

register = template.Library()


@register.simple_tag(takes_context=True)
def has_several_customers(context: Any) -> bool:
    """Whether whoever is signed in may see the seats of more than one customer. False where a page has no request."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if not (user and user.is_authenticated and user.is_active):
        return False
    access = access_of(request)
    return access.allows("seats:read") or sum(access.allows("seats:read", pk) for pk in access.scopes_at) > 1


@register.filter
def initials(name: str) -> str:
    """Returns the first letters of the first and the last word: KN for Kari Nordmann."""
    words = [word for word in name.replace("@", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:: max(len(words) - 1, 1)][:2]).upper()
