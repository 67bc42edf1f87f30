"""What plans are made of: owners, modules, solutions, tiers, groups and features."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from catalog.admin.base import DRAFT, READ, CatalogAdmin
from catalog.forms import LabelledFormSet
from catalog.models import (
    Feature,
    FeatureGroup,
    LevelChoice,
    Module,
    Owner,
    SiteMarker,
    Solution,
    Tier,
    VersionFeature,
)
from customers.admin_base import ModelAdmin, ReadOnlyAdmin, ScopedAdmin, TabularInline


class PartInline(ScopedAdmin, TabularInline):
    """Rows that belong to the one edited."""

    view_scopes = READ
    add_scopes = change_scopes = delete_scopes = DRAFT
    formset = LabelledFormSet
    extra = 0


@admin.register(Owner)
class OwnerAdmin(CatalogAdmin):
    fixed_once_saved = ("code",)
    list_display = ("code", "name", "license_url", "module_count")
    search_fields = ("code", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Owner]:
        rows: QuerySet[Owner] = super().get_queryset(request).annotate(module_count=Count("modules"))
        return rows

    @admin.display(description="Modules", ordering="module_count")
    def module_count(self, owner: Any) -> int:
        return int(owner.module_count)


@admin.register(Module)
class ModuleAdmin(CatalogAdmin):
    list_display = ("name", "owner", "type", "description", "hidden", "unrestricted", "prerequisite", "sort_order")
    list_filter = ("type", "hidden", "unrestricted", "owner")
    list_select_related = ("owner", "prerequisite")
    search_fields = ("name", "description", "owner__code")
    autocomplete_fields = ("owner", "prerequisite")
    ordering = ("owner__code", "sort_order", "name")

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": "module", "object_code": row.full_name}


class SiteMarkerInline(PartInline):
    model = SiteMarker
    fields = ("tier", "module")
    autocomplete_fields = ("module",)
    verbose_name = "marker"
    verbose_name_plural = "markers"
    hint = "The site module that labels the solution sold in a tier."

    def get_queryset(self, request: HttpRequest) -> QuerySet[SiteMarker]:
        return super().get_queryset(request).select_related("tier", "module", "solution")


@admin.register(Solution)
class SolutionAdmin(CatalogAdmin):
    fixed_once_saved = ("code",)
    list_display = ("name", "code", "position")
    search_fields = ("code", "name")
    inlines = (SiteMarkerInline,)


@admin.register(Tier)
class TierAdmin(CatalogAdmin):
    fixed_once_saved = ("code",)
    list_display = ("name", "code", "rank", "user_marker")
    list_select_related = ("user_marker",)
    search_fields = ("code", "name")
    autocomplete_fields = ("user_marker",)


@admin.register(FeatureGroup)
class FeatureGroupAdmin(CatalogAdmin):
    fixed_once_saved = ("code",)
    list_display = ("name", "code", "position", "feature_count")
    search_fields = ("code", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeatureGroup]:
        rows: QuerySet[FeatureGroup] = super().get_queryset(request).annotate(feature_count=Count("features"))
        return rows

    @admin.display(description="Features", ordering="feature_count")
    def feature_count(self, group: Any) -> int:
        return int(group.feature_count)


class LevelChoiceInline(PartInline):
    model = LevelChoice
    fields = ("rank", "code", "name", "site_module", "user_module")
    autocomplete_fields = ("site_module", "user_module")
    verbose_name_plural = "choices"
    hint = "Of a level; the lowest rank first."

    def get_queryset(self, request: HttpRequest) -> QuerySet[LevelChoice]:
        return super().get_queryset(request).select_related("site_module", "user_module", "feature")


@admin.register(Feature)
class FeatureAdmin(CatalogAdmin):
    list_display = ("name", "code", "group", "kind", "rule", "unit", "site_module", "user_module")
    list_filter = ("kind", "rule", "group", "read_only_without_seat")
    list_select_related = ("group", "site_module", "user_module")
    search_fields = ("code", "name", "description")
    autocomplete_fields = ("group", "site_module", "user_module")
    inlines = (LevelChoiceInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Feature | None = None) -> Any:
        """What a published version says of a feature is for good (F-4)."""
        if obj is not None and obj.published_in.exists():
            return ("code", "kind", "rule", "unit", "counts", "resets")
        return ()


@admin.register(VersionFeature)
class PublishedFeatureAdmin(ReadOnlyAdmin, ModelAdmin):
    """Where a feature was published: which versions give it."""

    view_scopes = READ
    list_display = ("feature", "version", "state")
    list_filter = ("version__state", "version__offer__type", "feature__group")
    list_select_related = ("feature", "version__offer")
    search_fields = ("feature__code", "feature__name", "version__offer__code", "version__offer__name")
    ordering = ("feature__code", "version__offer__code", "-version__number")

    @admin.display(description="State")
    def state(self, row: Any) -> str:
        return str(row.version.get_state_display())
