"""The published catalog: what is on offer now, and the features and licence names that any published version names."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db.models import CharField, Exists, F, OuterRef, Prefetch, Q, QuerySet, Value
from django.db.models.functions import Concat, Lower
from django.utils import timezone
from rest_framework import generics

from catalog.api import filters, serializers
from catalog.models import Feature, LevelChoice, Module, Offer, Solution, Version
from customers.errors import NotFound
from customers.replica import ReplicaServes


class CatalogView(generics.GenericAPIView[Any]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "catalog:read"}


class DetailView(CatalogView, generics.RetrieveAPIView[Any]):
    """Finds the row named in the path. Raises NotFound naming it."""

    kind: ClassVar[str]
    lookup_url_kwarg = "code"

    def get_object(self) -> Any:
        code = self.kwargs["code"]
        found = self.get_queryset().filter(self.named(code)).first()
        if found is None:
            raise NotFound(self.kind, code)
        return found

    def named(self, code: str) -> Q:
        return Q(code__iexact=code)


# ── Plans and add-ons ───────────────────────────────────────────────────────
def on_offer(type_: str) -> QuerySet[Version]:
    """Returns the live version of each plan, or of each add-on."""
    live: QuerySet[Version] = Version.objects.live(timezone.now())
    return live.filter(offer__type=type_).select_related("offer").annotate(code=F("offer__code"))


def offers_of(versions: QuerySet[Version]) -> dict[str, list[str]]:
    """Returns the codes of plans and of add-ons among these versions. One query."""
    named = list(versions.values_list("offer__type", "offer__code").order_by("offer__position", "offer__code"))
    return {
        "plans": [code for type_, code in named if type_ == Offer.Type.PLAN],
        "add_ons": [code for type_, code in named if type_ == Offer.Type.ADD_ON],
    }


class PlanList(ReplicaServes, CatalogView, generics.ListAPIView[Any]):
    """The plans on offer, each in its live version. What isn't for sale is only included by others."""

    serializer_class = serializers.PlanSerializer
    filterset_class = filters.OfferFilter
    queryset = Version.objects.none()

    def get_queryset(self) -> QuerySet[Version]:
        return on_offer(Offer.Type.PLAN)


class PlanDetail(DetailView):
    """A plan's live version: every feature once with its value and origin, every licence name that it ships."""

    kind = "plan"
    serializer_class = serializers.PlanDetailSerializer
    queryset = Version.objects.none()

    def get_queryset(self) -> QuerySet[Version]:
        return on_offer(Offer.Type.PLAN)


class AddOnList(ReplicaServes, CatalogView, generics.ListAPIView[Any]):
    """The add-ons on offer, each in its live version."""

    serializer_class = serializers.AddOnSerializer
    filterset_class = filters.AddOnFilter
    queryset = Version.objects.none()

    def get_queryset(self) -> QuerySet[Version]:
        return on_offer(Offer.Type.ADD_ON)


class AddOnDetail(DetailView):
    """An add-on's live version."""

    kind = "add-on"
    serializer_class = serializers.AddOnDetailSerializer
    queryset = Version.objects.none()

    def get_queryset(self) -> QuerySet[Version]:
        return on_offer(Offer.Type.ADD_ON)


# ── Solutions ───────────────────────────────────────────────────────────────
class SolutionView(CatalogView):
    serializer_class = serializers.SolutionSerializer
    queryset = Solution.objects.none()

    def get_queryset(self) -> QuerySet[Solution]:
        sold = Version.objects.live(timezone.now()).filter(offer__solutions=OuterRef("pk"))
        rows: QuerySet[Solution] = Solution.objects.filter(Exists(sold))
        return rows

    def get_serializer_context(self) -> dict[str, Any]:
        plans = Version.objects.live(timezone.now()).filter(offer__type=Offer.Type.PLAN)
        ordered = plans.order_by("offer__position", "offer__code")
        return {**super().get_serializer_context(), "plans": list(ordered.values_list("content__offer", flat=True))}


class SolutionList(ReplicaServes, SolutionView, generics.ListAPIView[Any]):
    """The solutions that something on offer covers."""

    filterset_class = filters.SolutionFilter


class SolutionDetail(SolutionView, DetailView):
    """One solution."""

    kind = "solution"


# ── Features ────────────────────────────────────────────────────────────────
class FeatureView(CatalogView):
    queryset = Feature.objects.none()

    def get_queryset(self) -> QuerySet[Feature]:
        steps = LevelChoice.objects.select_related("site_module__owner", "user_module__owner")
        rows: QuerySet[Feature] = Feature.objects.published()
        rows = rows.select_related("group", "site_module__owner", "user_module__owner")
        return rows.prefetch_related(Prefetch("choices", steps))


class FeatureList(ReplicaServes, FeatureView, generics.ListAPIView[Any]):
    """The features that any published version names."""

    serializer_class = serializers.FeatureSerializer
    filterset_class = filters.FeatureFilter


class FeatureDetail(FeatureView, DetailView):
    """One feature, and what gives it now."""

    kind = "feature"
    serializer_class = serializers.FeatureDetailSerializer

    def get_object(self) -> Feature:
        feature: Feature = super().get_object()
        giving = offers_of(Version.objects.live(timezone.now()).filter(published_features__feature=feature))
        feature.__dict__.update(giving)
        return feature


# ── Modules ─────────────────────────────────────────────────────────────────
class ModuleView(CatalogView):
    queryset = Module.objects.none()
    ordering = "listed_as"

    def get_queryset(self) -> QuerySet[Module]:
        frozen = Version.objects.frozen().values_list("content__modules", flat=True)
        shipped = {name for modules in frozen.order_by() for name in modules}
        full_name = Concat(Lower("owner__code"), Value("."), "name", output_field=CharField())
        rows: QuerySet[Module] = Module.objects.annotate(listed_as=full_name).filter(listed_as__in=shipped)
        return rows.select_related("owner", "prerequisite__owner")


class ModuleList(ReplicaServes, ModuleView, generics.ListAPIView[Any]):
    """The licence names that any published version ships."""

    serializer_class = serializers.ModuleSerializer
    filterset_class = filters.ModuleFilter


class ModuleDetail(ModuleView, DetailView):
    """One licence name (`owner.module`, or a bare name of the own owner), and what names and ships it."""

    kind = "module"
    serializer_class = serializers.ModuleDetailSerializer

    def named(self, code: str) -> Q:
        name = code if "." in code else f"{settings.OWN_OWNER}.{code}"
        return Q(listed_as__iexact=name)

    def get_object(self) -> Module:
        module: Module = super().get_object()
        own = Q(site_module=module) | Q(user_module=module)
        of_choices = Q(choices__site_module=module) | Q(choices__user_module=module)
        features = Feature.objects.published().filter(own | of_choices).order_by("code")
        shipping = Version.objects.live(timezone.now()).filter(content__modules__has_key=module.full_name)
        module.__dict__.update(offers_of(shipping), features=list(features.values_list("code", flat=True)))
        return module
