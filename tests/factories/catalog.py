"""Rows of the catalog, and published versions made the way people make them: by the services.

The stories play in a small shop: the solutions Sales and Service in the tiers Essentials and Premium, all of owner
SUPEROFFICE. `Shop` builds as much of it as a test asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import factory

from catalog.models import (
    AddOn,
    Feature,
    FeatureGroup,
    LevelChoice,
    Module,
    Offer,
    Owner,
    Plan,
    SiteMarker,
    Solution,
    Tier,
    Version,
)
from catalog.services import drafting, publishing
from customers.actor import SYSTEM, Actor

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class OwnerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Owner
        django_get_or_create = ("code",)

    code = "SUPEROFFICE"
    name = factory.LazyAttribute(lambda owner: owner.code.title())


class ModuleFactory(factory.django.DjangoModelFactory):
    """A visible user module."""

    class Meta:
        model = Module
        django_get_or_create = ("owner", "name")

    owner = factory.SubFactory(OwnerFactory)
    name = factory.Sequence(lambda n: f"module-{n}")
    type = Module.Type.USER
    description = factory.LazyAttribute(lambda module: module.name.replace("-", " ").title())
    sort_order = factory.Sequence(lambda n: n)


class HiddenModuleFactory(ModuleFactory):
    """A hidden user module: one that `set=` lists."""

    hidden = True


class SiteModuleFactory(ModuleFactory):
    type = Module.Type.SITE


class SolutionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Solution
        django_get_or_create = ("code",)

    code = "sales"
    name = factory.LazyAttribute(lambda solution: solution.code.title())


class TierFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Tier
        django_get_or_create = ("code",)

    code = "essentials"
    name = factory.LazyAttribute(lambda tier: tier.code.title())
    rank = factory.Sequence(lambda n: n + 1)


class SiteMarkerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = SiteMarker

    solution = factory.SubFactory(SolutionFactory)
    tier = factory.SubFactory(TierFactory)
    module = factory.SubFactory(SiteModuleFactory)


class FeatureGroupFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = FeatureGroup
        django_get_or_create = ("code",)

    code = "sales"
    name = factory.LazyAttribute(lambda group: group.code.title())


class FeatureFactory(factory.django.DjangoModelFactory):
    """A switch."""

    class Meta:
        model = Feature
        django_get_or_create = ("code",)
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"feature-{n}")
    name = factory.LazyAttribute(lambda feature: feature.code.replace("-", " ").capitalize())
    group = factory.SubFactory(FeatureGroupFactory)
    kind = "switch"
    rule = "any"
    position = factory.Sequence(lambda n: n)


class LimitFactory(FeatureFactory):
    kind = "limit"
    rule = "max"
    unit = "recipients"
    counts = "call"


class ChoiceFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = LevelChoice

    feature = factory.SubFactory(FeatureFactory, kind="level", rule="highest")
    code = factory.Sequence(lambda n: f"choice-{n}")
    name = factory.LazyAttribute(lambda choice: choice.code.replace("-", " ").capitalize())
    rank = factory.Sequence(lambda n: n)


class LevelFactory(FeatureFactory):
    """A level with the choices `steps`, lowest first."""

    kind = "level"
    rule = "highest"

    @factory.post_generation
    def steps(self: Any, create: bool, extracted: Iterable[str] | None, **kwargs: Any) -> None:
        for rank, code in enumerate(extracted or ("basic", "full")):
            ChoiceFactory(feature=self, code=code, rank=rank)


class PlanFactory(factory.django.DjangoModelFactory):
    """A plan for sale that covers Sales and has a visible user module of its own; no version yet."""

    class Meta:
        model = Plan
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"plan-{n}")
    name = factory.LazyAttribute(lambda plan: plan.code.replace("-", " ").title())
    module = factory.SubFactory(ModuleFactory)

    @factory.post_generation
    def solutions(self: Any, create: bool, extracted: Iterable[str] | None, **kwargs: Any) -> None:
        codes = ("sales",) if extracted is None else extracted
        self.solutions.set([SolutionFactory(code=code) for code in codes])


class AddOnFactory(factory.django.DjangoModelFactory):
    """A site-wide add-on with a site module of its own; no version yet."""

    class Meta:
        model = AddOn

    code = factory.Sequence(lambda n: f"add-on-{n}")
    name = factory.LazyAttribute(lambda add_on: add_on.code.replace("-", " ").title())
    scope = Offer.Scope.SITE
    module = factory.SubFactory(SiteModuleFactory)


def draft(
    offer: Any,
    *,
    by: Actor = SYSTEM,
    at: datetime = NOON,
    changelog: str = "What is new.",
    max_quantity: int | None = None,
    grants: Mapping[str, object] | None = None,
    includes: Iterable[str] = (),
    extra_modules: Iterable[str] = (),
    needs: Iterable[str] = (),
    excludes: Iterable[str] = (),
) -> Version:
    """Returns a draft of `offer` that says exactly this, whatever the version before it said."""
    who: Any = {"actor": by, "at": at}
    version = drafting.draft_from(offer=offer, **who)
    drafting.update_draft(version=version, changelog=changelog, max_quantity=max_quantity, **who)
    stale = version.base is not None  # the draft begins with what the version before it said
    if includes or stale:
        drafting.set_includes(version=version, codes=includes, **who)
    if extra_modules or stale:
        drafting.set_extra_modules(version=version, names=extra_modules, **who)
    if needs or excludes or stale:
        drafting.set_rules(version=version, needs=needs, excludes=excludes, **who)
    return drafting.set_grants(version=version, grants=grants or {}, **who)


def published(
    offer: Any, *, by: Actor = SYSTEM, at: datetime = NOON, effective_from: datetime | None = None, **says: Any
) -> Version:
    """Returns a published version of `offer` that says exactly `says` (see `draft`); four-eyes aside."""
    version = draft(offer, by=by, at=at, **says)
    return publishing.publish(version=version, actor=by, at=at, effective_from=effective_from, four_eyes=False)


class Shop:
    """Sales and Service in Essentials and Premium, with the licence names that carry and mark them.

    The common set (not for sale) ← Sales Essentials ← Sales Premium, and the same for Service Essentials; all of them
    published as version 1. `web` is the login that every plan ships as an extra module.
    """

    def __init__(self, *, by: Actor = SYSTEM, at: datetime = NOON) -> None:
        self.by, self.at = by, at
        for position, code in enumerate(("sales", "service")):
            SolutionFactory(code=code, position=position)
        for rank, code in enumerate(("essentials", "premium"), start=1):
            marker = HiddenModuleFactory(name=f"t{rank}", sort_order=90)
            tier = TierFactory(code=code, rank=rank, user_marker=marker)
            for solution in ("sales", "service"):
                site = SiteModuleFactory(name=f"{solution}-t{rank}", hidden=True, sort_order=95)
                SiteMarkerFactory(solution=SolutionFactory(code=solution), tier=tier, module=site)
        self._features()
        self._plans()

    def _features(self) -> None:
        user = HiddenModuleFactory(name="user", sort_order=1)
        HiddenModuleFactory(name="web", prerequisite=user, sort_order=2)
        LevelFactory(
            code="dashboards",
            group=FeatureGroupFactory(code="reporting", position=1),
            site_module=SiteModuleFactory(name="dash", sort_order=10),
            steps=("default-charts", "default-tiles", "custom-tiles"),
        )
        top = LevelChoice.objects.get(code="custom-tiles")
        top.user_module = HiddenModuleFactory(name="dash-cal", sort_order=11)
        top.save()
        LimitFactory(code="email-limit", group=FeatureGroupFactory(code="email", position=2))
        for position, name in enumerate(("sale", "quote", "request"), start=1):
            FeatureFactory(
                code=f"{name}s",
                group=FeatureGroupFactory(code="work", position=3),
                position=position,
                site_module=SiteModuleFactory(name=name, sort_order=20 + position),
                user_module=HiddenModuleFactory(name=f"{name}-cal", sort_order=30 + position),
            )

    def _plans(self) -> None:
        self.common = self._plan("common", module=None, for_sale=False, solutions=())
        self.publish(
            self.common, grants={"dashboards": "default-charts", "email-limit": 500}, extra_modules=("user", "web")
        )
        essentials, premium = TierFactory(code="essentials"), TierFactory(code="premium")
        self.sales_essentials = self._plan("sales-essentials", tier=essentials)
        self.publish(self.sales_essentials, grants={"sales": True, "dashboards": "default-tiles"}, includes=("common",))
        self.sales_premium = self._plan("sales-premium", tier=premium)
        self.publish(
            self.sales_premium, grants={"quotes": True, "dashboards": "custom-tiles"}, includes=("sales-essentials",)
        )
        self.service_essentials = self._plan("service-essentials", tier=essentials, solutions=("service",))
        self.publish(self.service_essentials, grants={"requests": True}, includes=("common",))

    def _plan(self, code: str, **fields: Any) -> Any:
        fields.setdefault("module", ModuleFactory(name=f"ten-{code}") if "module" not in fields else None)
        return PlanFactory(code=code, **fields)

    def publish(self, offer: Any, **says: Any) -> Version:
        return published(offer, **{"by": self.by, "at": self.at, **says})

    def draft(self, offer: Any, **says: Any) -> Version:
        return draft(offer, **{"by": self.by, "at": self.at, **says})
