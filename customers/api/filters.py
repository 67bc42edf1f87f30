"""Filters of lists: what django-filter reads, and nothing that nobody declared."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django_filters import FilterSet
from django_filters.rest_framework import CharFilter, DjangoFilterBackend, TypedChoiceFilter
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.request import Request

from customers.api.params import parameter_names, refuse_unknown
from customers.models import Customer
from customers.querysets import CustomerQuerySet


class StrictFilterBackend(DjangoFilterBackend):
    """Raises Invalid for an unknown parameter; a wrong value of a known one is refused by the filter set."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        refuse_unknown(request, parameter_names(view, self.get_filterset_class(view, queryset)))
        rows: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return rows


@extend_schema_field(OpenApiTypes.BOOL)
class YesNoFilter(TypedChoiceFilter):
    """`true` or `false`; anything else is refused, where django-filter's own would pass it by."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[("true", "yes"), ("false", "no")], coerce=lambda text: text == "true", **options)


class CustomerFilter(FilterSet):
    search = CharFilter(method="by_text", label="Part of the code or name, or the start of the serial number.")

    class Meta:
        model = Customer
        fields: tuple[str, ...] = ()

    def by_text(self, rows: CustomerQuerySet, name: str, text: str) -> CustomerQuerySet:
        return rows.search(text)
