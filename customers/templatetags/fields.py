"""How fields of a form are drawn."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def without_placeholder(field: BoundField) -> SafeString:
    """Returns the field's widget without the grey words that repeat its label and go when one types."""
    return field.as_widget(attrs={"placeholder": False})
