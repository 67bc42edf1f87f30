"""What views under a customer's path share, and how a code in a path is read."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.urls import register_converter

from customers.access import Access, access_of, get_customer
from customers.api.permissions import scope_for
from customers.models import Customer


class CodeConverter:
    """`<code:customer>`: whatever a code could be. What it couldn't, too long or with NUL, is an unknown address."""

    regex = r"[^/\x00]{1,512}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: object) -> str:
        return str(value)


register_converter(CodeConverter, "code")


class CustomerMixin:
    """For views under `customers/<code:customer>/`: put it before the view class."""

    @cached_property
    def access(self: Any) -> Access:
        return access_of(self.request)

    @cached_property
    def customer(self: Any) -> Customer:
        """The customer of the path. Raises NotFound or Forbidden as `get_customer` does, for the method's scope."""
        return get_customer(self.access, self.kwargs["customer"], scope_for(self, self.request.method))
