"""What views under a customer's path share, and how a code in a path is read."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.urls import register_converter
from rest_framework.request import Request

from customers.access import Access, access_of, get_customer
from customers.api.permissions import scope_for
from customers.models import Customer


class CodeConverter:
    """`<code:customer>`: anything a code could be. What it can't (too long, NUL) leads to an address that isn't there."""

    regex = r"[^/\x00]{1,512}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: object) -> str:
        return str(value)


register_converter(CodeConverter, "code")


class CustomerMixin:
    """For views under `customers/<code:customer>/`: put it before the view class."""

    request: Request
    kwargs: dict[str, Any]

    @cached_property
    def access(self) -> Access:
        return access_of(self.request)

    @cached_property
    def customer(self) -> Customer:
        """The customer of the path. Raises NotFound or Forbidden as `get_customer` does, for the method's scope."""
        return get_customer(self.access, self.kwargs["customer"], scope_for(self, self.request.method))
