"""Filters of the catalog's lists. An unknown solution, tier or feature is a wrong value, not an empty list."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django_filters import FilterSet
from django_filters.rest_framework import CharFilter, ChoiceFilter, ModelChoiceFilter
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from catalog.kinds import kind_choices
from catalog.models import Feature, FeatureGroup, Module, Offer, Solution, Tier, Version, VersionFeature
from customers.api.filters import YesNoFilter


@extend_schema_field(OpenApiTypes.STR)
class CodeFilter(ModelChoiceFilter):
    """By the code of a row of `model`."""

    def __init__(self, model: Any, **options: Any) -> None:
        super().__init__(queryset=model.objects.all(), to_field_name="code", **options)


def covering(rows: QuerySet[Version], solution: Solution) -> QuerySet[Version]:
    """Returns the versions that cover the solution by their frozen content (both databases read it as text alike)."""
    return rows.filter(content__offer__solutions__icontains=f'"{solution.code}"')


class OfferFilter(FilterSet):
    solution = CodeFilter(Solution, method="by_solution", label="The code of a solution that it covers.")
    tier = CodeFilter(Tier, method="by_tier", label="The code of its tier.")
    feature = CodeFilter(
        Feature, field_name="published_features__feature", label="The code of a feature that it gives."
    )
    for_sale = YesNoFilter(field_name="offer__for_sale")
    search = CharFilter(method="by_text", label="Part of the code, name or description.")

    class Meta:
        model = Version
        fields: tuple[str, ...] = ()

    def by_solution(self, rows: QuerySet[Version], name: str, solution: Solution) -> QuerySet[Version]:
        return covering(rows, solution)

    def by_tier(self, rows: QuerySet[Version], name: str, tier: Tier) -> QuerySet[Version]:
        return rows.filter(content__offer__tier=tier.code)

    def by_text(self, rows: QuerySet[Version], name: str, text: str) -> QuerySet[Version]:
        inside = Q(content__offer__name__icontains=text) | Q(content__offer__description__icontains=text)
        return rows.filter(Q(offer__code__icontains=text) | inside)


class AddOnFilter(OfferFilter):
    scope = ChoiceFilter(field_name="offer__scope", choices=Offer.Scope.choices)


class SolutionFilter(FilterSet):
    search = CharFilter(method="by_text", label="Part of the code, name or description.")

    class Meta:
        model = Solution
        fields: tuple[str, ...] = ()

    def by_text(self, rows: QuerySet[Solution], name: str, text: str) -> QuerySet[Solution]:
        return rows.filter(Q(code__icontains=text) | Q(name__icontains=text) | Q(description__icontains=text))


class FeatureFilter(FilterSet):
    solution = CodeFilter(
        Solution, method="by_solution", label="The code of a solution: features that its plans give now."
    )
    tier = CodeFilter(Tier, method="by_tier", label="The code of a tier: features that its plans give now.")
    kind = ChoiceFilter(choices=kind_choices)
    group = CodeFilter(FeatureGroup, label="The code of a feature group.")
    search = CharFilter(method="by_text", label="Part of the code, name or description.")

    class Meta:
        model = Feature
        fields: tuple[str, ...] = ()

    def by_solution(self, rows: QuerySet[Feature], name: str, solution: Solution) -> QuerySet[Feature]:
        return given_by(rows, covering(Version.objects.live(timezone.now()), solution))

    def by_tier(self, rows: QuerySet[Feature], name: str, tier: Tier) -> QuerySet[Feature]:
        return given_by(rows, Version.objects.live(timezone.now()).filter(content__offer__tier=tier.code))

    def by_text(self, rows: QuerySet[Feature], name: str, text: str) -> QuerySet[Feature]:
        return rows.filter(Q(code__icontains=text) | Q(name__icontains=text) | Q(description__icontains=text))


def given_by(rows: QuerySet[Feature], versions: QuerySet[Version]) -> QuerySet[Feature]:
    """Returns the features that any of these versions gives."""
    return rows.filter(Exists(VersionFeature.objects.filter(feature=OuterRef("pk"), version__in=versions)))


class ModuleFilter(FilterSet):
    owner = CharFilter(field_name="owner__code", lookup_expr="iexact")
    type = ChoiceFilter(
        method="by_type", choices=[(kind.label, kind.label) for kind in Module.Type], label="site, satellite or user."
    )
    hidden = YesNoFilter()
    feature = CodeFilter(Feature, method="by_feature", label="The code of a feature that names it.")
    search = CharFilter(method="by_text", label="Part of the name or description.")

    class Meta:
        model = Module
        fields: tuple[str, ...] = ()

    def by_type(self, rows: QuerySet[Module], name: str, label: str) -> QuerySet[Module]:
        return rows.filter(type=next(kind for kind in Module.Type if kind.label == label))

    def by_feature(self, rows: QuerySet[Module], name: str, feature: Feature) -> QuerySet[Module]:
        own = Q(features_of_site=feature) | Q(features_of_user=feature)
        of_choices = Q(choices_of_site__feature=feature) | Q(choices_of_user__feature=feature)
        return rows.filter(pk__in=Module.objects.filter(own | of_choices).values("pk"))

    def by_text(self, rows: QuerySet[Module], name: str, text: str) -> QuerySet[Module]:
        return rows.filter(Q(name__icontains=text) | Q(description__icontains=text))
