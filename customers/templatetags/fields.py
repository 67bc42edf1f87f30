"""How fields of a form are drawn."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def without_placeholder(field: BoundField) -> SafeString:
    """Returns the field's widget without the grey words that repeat its label and go when one types.

    With the value that it was shown with, hidden, where the form asks for that.
    """
    shown = field.as_widget(attrs={"placeholder": False})
    return shown + field.as_hidden(only_initial=True) if field.field.show_hidden_initial else shown
