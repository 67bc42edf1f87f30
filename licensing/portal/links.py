"""Names that lead to the pages of whom they name."""

from __future__ import annotations

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.models import Customer, CustomerUser


def customer_link(customer: Customer) -> SafeString:
    address = reverse("portal:customer", args=[customer.code])
    return format_html('<a href="{}">{}</a>', address, customer.name)


def user_link(customer: Customer, user: CustomerUser) -> SafeString:
    """Returns the link; `customer` is the user's, at hand already."""
    return format_html('<a href="{}">{}</a>', reverse("portal:user", args=[customer.code, user.code]), user.name)


def explain_link(customer: Customer) -> SafeString:
    """Returns the link to the page that explains what people there may do."""
    words = '<a href="{}">Explain<span class="visually-hidden"> at {}</span></a>'
    return format_html(words, reverse("portal:explain", args=[customer.code]), customer.name)
