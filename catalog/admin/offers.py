"""Plans and add-ons: what they are, and the way to their versions."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from catalog.admin.base import READ, CatalogAdmin, attempt, gone
from catalog.models import AddOn, Offer, Plan, Version
from catalog.services.drafting import draft_from
from catalog.services.editing import set_solutions
from customers.admin_base import ModelAdmin, ReadOnlyAdmin, TabularInline, actor_of


class VersionInline(ReadOnlyAdmin, TabularInline):
    """Every version, the newest first; drafts on top."""

    model = Version
    view_scopes = READ
    fields = ("number", "stage", "effective_from", "changelog", "published_by", "published_at")
    readonly_fields = fields
    extra = 0
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        rows: QuerySet[Version] = super().get_queryset(request).select_related("offer", "published_by")
        return rows.defer("content")

    @admin.display(description="State")
    def stage(self, version: Version) -> str:
        return version.stage(timezone.now())


def with_versions(offers: QuerySet[Any]) -> QuerySet[Any]:
    """Returns the offers with their live version and their draft, if any."""
    live = Version.objects.in_effect(timezone.now()).filter(offer=OuterRef("pk"))
    live = live.order_by("-effective_from", "-number")
    draft = Version.objects.drafts().filter(offer=OuterRef("pk")).order_by()
    annotated: QuerySet[Any] = offers.annotate(
        live_pk=Subquery(live.values("pk")[:1]),
        live_number=Subquery(live.values("number")[:1]),
        draft_pk=Subquery(draft.values("pk")[:1]),
        draft_state=Subquery(draft.values("state")[:1]),
    )
    return annotated


def _link(version: int | None, text: str) -> str:
    if version is None:
        return "–"
    return format_html('<a href="{}">{}</a>', reverse("admin:catalog_version_change", args=[version]), text)


class OfferAdminBase(CatalogAdmin):
    fixed_once_saved = ("code",)
    list_filter: ClassVar[tuple[str, ...]] = ("for_sale", "solutions", "tier")
    list_select_related = ("tier", "module")
    search_fields = ("code", "name", "module__name")
    autocomplete_fields = ("module",)
    inlines = (VersionInline,)
    change_form_template = "admin/catalog/offer/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_versions(super().get_queryset(request)).prefetch_related("solutions")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else ()

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "solutions":
            kwargs["widget"] = CheckboxSelectMultiple
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @admin.display(description="Covers")
    def covers(self, offer: Any) -> str:
        return ", ".join(solution.name for solution in offer.solutions.all()) or "–"

    @admin.display(description="Live version", ordering="live_number")
    def live_version(self, offer: Any) -> str:
        return _link(offer.live_pk, f"v{offer.live_number}")

    @admin.display(description="Draft", ordering="draft_state")
    def draft(self, offer: Any) -> str:
        return _link(offer.draft_pk, Version.State(offer.draft_state).label if offer.draft_state else "")

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": row.type, "object_code": row.code}

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Solutions go through their service instead of the form's own save_m2m."""
        set_solutions(
            offer=form.instance,
            solutions=form.cleaned_data["solutions"],
            actor=actor_of(request),
            at=timezone.now(),
        )
        for formset in formsets:
            self.save_formset(request, form, formset, change)

    def get_urls(self) -> list[URLPattern]:
        name = f"catalog_{self.opts.model_name}_draft"
        view = self.admin_site.admin_view(self.draft_view)
        return [path("<path:object_id>/draft/", view, name=name), *super().get_urls()]

    def draft_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Begins a draft and goes there; where there is one already, it just goes there."""
        offer = self.get_object(request, object_id)
        if offer is None:
            return gone(request, self, object_id)
        if not self.has_change_permission(request, offer):
            raise PermissionDenied
        draft = offer.versions.drafts().first()
        if draft is None and request.method == "POST":
            draft = attempt(
                request,
                lambda: draft_from(offer=offer, actor=actor_of(request), at=timezone.now()),
                f"A draft of {offer.name} has begun.",
            )
        if draft is None:
            return HttpResponseRedirect(reverse(f"admin:catalog_{self.opts.model_name}_change", args=[offer.pk]))
        return HttpResponseRedirect(reverse("admin:catalog_version_change", args=[draft.pk]))


@admin.register(Plan)
class PlanAdmin(OfferAdminBase):
    list_display = ("name", "code", "covers", "tier", "for_sale", "live_version", "draft", "module")
    fields = ("code", "name", "description", "for_sale", "solutions", "tier", "module", "position")


@admin.register(AddOn)
class AddOnAdmin(OfferAdminBase):
    list_display = ("name", "code", "scope", "covers", "for_sale", "live_version", "draft", "module")
    list_filter = ("scope", *OfferAdminBase.list_filter)
    fields = ("code", "name", "description", "scope", "for_sale", "solutions", "tier", "module", "position")


@admin.register(Offer)
class OfferAdmin(ReadOnlyAdmin, ModelAdmin):
    """Plans and add-ons together: what includes and rules complete their names from. Not in the index."""

    view_scopes = READ
    list_display = ("name", "code", "type", "for_sale")
    list_filter = ("type", "for_sale")
    search_fields = ("code", "name")
    ordering = ("position", "code")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False

    def traced_as(self, row: Any) -> dict[str, Any]:
        return {"object_type": row.type, "object_code": row.code}
