"""What pages ask about people: what they may do, and what stands in their circle."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse

from customers.access import access_of
from customers.models import Customer
from customers.second_step import who_asks

register = template.Library()


@register.simple_tag(takes_context=True)
def may(context: Any, scope: str, customer: Customer | None = None) -> bool:
    """Whether whoever is signed in holds the scope at this customer; without one, whether everywhere."""
    return access_of(context["request"]).allows(scope, customer.pk if customer is not None else None)


@register.simple_tag
def company_sign_in() -> dict[str, str] | None:
    """Returns name and address of the provider that one can sign in with besides, if the settings name one."""
    if not settings.OIDC_ISSUER:
        return None
    return {"name": settings.OIDC_NAME, "address": reverse("openid_connect_login", args=["company"])}


@register.simple_tag(takes_context=True)
def second_step_asked_by(context: Any) -> list[str]:
    """Returns who asks a second step of whoever is signed in. One query."""
    return who_asks(context["request"].user)


@register.filter
def initials(name: str) -> str:
    """Returns the first letters of the first and the last word: KN for Kari Nordmann."""
    words = [word for word in name.replace("@", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:: max(len(words) - 1, 1)][:2]).upper()
