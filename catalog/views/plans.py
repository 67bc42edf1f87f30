"""The public comparison of plans."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import View


class PlanComparison(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "catalog/plans.html", {})
