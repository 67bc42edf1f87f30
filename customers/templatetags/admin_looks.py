"""What the admin's templates need to say things as the product does: labels in cells, words for icons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst, slugify

register = template.Library()

_ICON: Final = re.compile(r'<img src="[^"]*" alt="(True|False|None)">')
_WORDS: Final = {"True": "Yes", "False": "No", "None": "–"}


@register.filter
def plainly(shown: Any) -> Any:
    """Returns what Django shows for a value with words in place of its icons for yes and no."""
    # What comes in is HTML that Django has escaped; only its own icons are touched.
    return mark_safe(_ICON.sub(lambda found: _WORDS[found[1]], shown)) if isinstance(shown, SafeString) else shown  # noqa: S308


@register.filter
def labelled(cells: Iterable[SafeString], heads: Iterable[Mapping[str, Any]]) -> Iterator[SafeString]:
    """Yields the cells of a row of a change list, each saying which column it belongs to: `<td data-label="State">`."""
    for cell, head in zip(cells, heads, strict=False):
        said = plainly(cell)
        if said.startswith("<td") and "action-checkbox" not in said[:30]:
            label = format_html('<td data-label="{}"', capfirst(str(head["text"])))
            start, rest = said[3:].split(">", 1)
            said = mark_safe(f"{label}{start}><div>{rest.removesuffix('</td>')}</div></td>")  # noqa: S308 - both are safe
        yield said


@register.filter
def slug(title: Any, prefix: str) -> str:
    """Returns an id made of a title: `filter-state`."""
    return f"{prefix}-{slugify(str(title))}"


@register.filter
def is_group(field: Any) -> bool:
    """Whether a bound field is several inputs under one name, which a `label` can't point to."""
    widget = getattr(field.field.widget, "widget", field.field.widget)  # the admin wraps what points to other rows
    return bool(widget.use_fieldset)
