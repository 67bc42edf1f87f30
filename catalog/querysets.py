"""The words that queries about the catalog are made of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Case, F, Manager, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Concat

from catalog.targets import TIER

if TYPE_CHECKING:
    AnyRows = QuerySet[Any]
    AnyManager = Manager[Any]
else:
    AnyRows, AnyManager = QuerySet, Manager


class CatalogQuerySet(AnyRows):
    def named(self, code: str) -> Any:
        return self.filter(code__iexact=code)


class ModuleQuerySet(AnyRows):
    def of_owner(self, owner: str) -> Any:
        return self.filter(owner__code__iexact=owner)


class FeatureQuerySet(CatalogQuerySet):
    def published(self) -> Any:
        """Features that any published or retired version names: the known ones."""
        return self.filter(published_in__isnull=False).distinct()


class OfferQuerySet(CatalogQuerySet):
    def plans(self) -> Any:
        return self.filter(type="plan")

    def add_ons(self) -> Any:
        return self.filter(type="addon")

    def on_offer(self, at: datetime) -> Any:
        """Those with a version that can be sold at `at`."""
        return self.filter(versions__state="published", versions__effective_from__lte=at).distinct()


class OfferManager(AnyManager.from_queryset(OfferQuerySet)):  # type: ignore[misc]  # a class that from_queryset makes has no static type
    """The plans, or the add-ons, of the offers."""

    def __init__(self, type_: str) -> None:
        super().__init__()
        self.type = type_

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(type=self.type)


class VersionQuerySet(AnyRows):
    def drafts(self) -> Any:
        return self.filter(state__in=["draft", "in_review"])

    def frozen(self) -> Any:
        return self.filter(state__in=["published", "retired"])

    def newest(self) -> Any:
        """The one published last, or None. One that was retired, or called off, comes after the others."""
        return self.order_by(Case(When(state="retired", then=1), default=0), "-number").first()

    def scheduled(self, at: datetime) -> Any:
        """Published versions whose `effective_from` is still to come at `at`."""
        return self.filter(state="published", effective_from__gt=at)

    def in_effect(self, at: datetime) -> Any:
        """Published versions whose `effective_from` has come, superseded ones included."""
        return self.filter(state="published", effective_from__lte=at)

    def live(self, at: datetime) -> Any:
        """Per offer the one version that new sales take at `at`: the newest in effect."""
        newest = (
            type(self)(self.model).in_effect(at).filter(offer=OuterRef("offer")).order_by("-effective_from", "-number")
        )
        return self.filter(pk=Subquery(newest.values("pk")[:1]))

    def offered(self, at: datetime) -> Any:
        """Per offer the version that new sales took, or will take, at `at`, which may lie in the past.

        Unlike `live` it counts what was retired only after `at`.
        """
        not_yet_retired = Q(retired_at=None) | Q(retired_at__gt=at)
        newest = (
            type(self)(self.model)
            .frozen()
            .filter(not_yet_retired, effective_from__lte=at, offer=OuterRef("offer"))
            .order_by("-effective_from", "-number")
        )
        return self.filter(pk=Subquery(newest.values("pk")[:1]))


class RuleQuerySet(AnyRows):
    def targeted(self) -> Any:
        """Rows with their `target`: the code of a plan or add-on, or `tier:CODE`."""
        return self.annotate(target=Coalesce(F("offer__code"), Concat(Value(TIER), F("tier__code"))))
