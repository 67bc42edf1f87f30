"""The living style guide: every piece of the interface on one page, for those who build it."""

from __future__ import annotations

from datetime import date
from typing import Final

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from licensing.portal.charts import bar_chart, line_chart
from licensing.portal.page import Meter

COLOURS: Final = ("page", "surface", "line", "text", "text-quiet", "accent", "good", "warn", "bad")


class _Pieces(forms.Form):
    name = forms.CharField(help_text="As people call it.", initial="Sales Premium")
    tier = forms.ChoiceField(choices=[("t1", "Essentials"), ("t2", "Premium")])
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), required=False)
    for_sale = forms.BooleanField(required=False, label="For sale")


@never_cache
@login_required
def styleguide(request: HttpRequest) -> HttpResponse:
    """Shows all pieces to staff where the program is developed, shown or tested; elsewhere there is no such page."""
    is_here = settings.DEBUG or settings.DEMO or settings.TESTING
    if not (is_here and request.user.is_staff):
        raise Http404
    context = {
        "colours": COLOURS,
        "form": _Pieces(auto_id=False),
        "meters": [
            Meter("a", "Sales Premium", 3, 12, False),
            Meter("b", "Service", 7, 8, False),
            Meter("c", "Marketing", 4, 4, False),
        ],
        "line": line_chart({"Sales Premium": [1, 4, 4, 6, 9], "Service": [2, 2, 3, 3, 3]}, date(2026, 3, 1)),
        "bars": bar_chart([("January", "Jan", 3), ("February", "Feb", 1), ("March", "Mar", 4)]),
    }
    return render(request, "styleguide/page.html", context)
