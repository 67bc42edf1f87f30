"""Going through the admin: who asks for which page, and what they are told there."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from customers.models import Account


def as_(account: Account) -> Client:
    client = Client()
    client.force_login(account)
    return client


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:catalog_{name}", args=args)


def said(response: Any) -> str:
    """Returns every message on the page that a request led to."""
    return " ".join(str(message) for message in response.context["messages"])
