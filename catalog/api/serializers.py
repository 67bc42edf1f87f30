"""What the catalog API says. Plans and add-ons speak from the frozen content of their live version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from catalog.kinds import KINDS
from catalog.models import Feature, LevelChoice, Module, Solution, Version

_KINDS = sorted(KINDS)


def codes(**options: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.CharField(), **options)


class ModuleNameField(serializers.CharField):
    """A related module as `owner.module`."""

    def to_representation(self, value: Any) -> str:
        return str(value.full_name)


# ── Parts of a plan or add-on ───────────────────────────────────────────────
class ChoiceSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    site_module = serializers.CharField(allow_null=True)
    user_module = serializers.CharField(allow_null=True)


class GrantedFeatureSerializer(serializers.Serializer[Any]):
    """A feature as a version gives it."""

    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    group = serializers.CharField()
    group_name = serializers.CharField()
    kind = serializers.ChoiceField(_KINDS)
    rule = serializers.CharField(help_text="How several sources merge.")
    unit = serializers.CharField()
    counts = serializers.CharField(help_text="What a limit is counted per: call, user or customer.")
    resets = serializers.CharField(
        default="", help_text="When counting starts again: calendar_month, contract_month, or empty for never."
    )
    value = serializers.JSONField(help_text="true, a number, or the code of a choice; null where unlimited.")
    unlimited = serializers.BooleanField()
    choices = ChoiceSerializer(many=True, help_text="Of a level, lowest first.")
    modules = codes(help_text="The licence names that carry it, owner.module.")
    read_only_without_seat = serializers.BooleanField()
    origin = serializers.CharField(help_text="The plan or add-on that defined this value.")
    origin_version = serializers.IntegerField(allow_null=True, help_text="null: this very version.")


class ShippedModuleSerializer(serializers.Serializer[Any]):
    """A licence name that a version ships."""

    code = serializers.CharField(help_text="owner.module")
    type = serializers.ChoiceField(["site", "satellite", "user"])
    description = serializers.CharField()
    tooltip = serializers.CharField(allow_blank=True)
    hidden = serializers.BooleanField()
    unrestricted = serializers.BooleanField()
    prerequisite = serializers.CharField(allow_null=True)
    role = serializers.ChoiceField(["own", "feature", "extra", "marker"])


class IncludedSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    version = serializers.IntegerField()


class RulesSerializer(serializers.Serializer[Any]):
    needs = codes(help_text="What a customer must have too: plans and add-ons, or `tier:CODE` (that one or higher).")
    excludes = codes(
        help_text="What a customer may not have too: plans and add-ons, or `tier:CODE` (exactly that one)."
    )


# ── Plans and add-ons ───────────────────────────────────────────────────────
class OfferSerializer(serializers.Serializer[Version]):
    code = serializers.CharField(source="content.offer.code")
    name = serializers.CharField(source="content.offer.name")
    description = serializers.CharField(source="content.offer.description")
    solutions = codes(source="content.offer.solutions")
    tier = serializers.CharField(source="content.offer.tier", allow_null=True)
    tier_name = serializers.CharField(source="content.offer.tier_name", allow_null=True)
    module = serializers.CharField(source="content.module", allow_null=True, help_text="Its own licence name.")
    for_sale = serializers.BooleanField(source="offer.for_sale")
    version = serializers.IntegerField(source="number")
    effective_from = serializers.DateTimeField()
    changelog = serializers.CharField()


class _ContentSerializer(serializers.Serializer[Version]):
    set = codes(source="content.set", help_text="The hidden user modules that come with a seat.")
    features = serializers.SerializerMethodField()
    modules = serializers.SerializerMethodField()
    includes = IncludedSerializer(many=True, source="content.includes")
    rules = RulesSerializer(source="content.rules")

    @extend_schema_field(GrantedFeatureSerializer(many=True))
    def get_features(self, version: Version) -> list[dict[str, Any]]:
        return [_feature(code, frozen) for code, frozen in _by(version, "features", "position")]

    @extend_schema_field(ShippedModuleSerializer(many=True))
    def get_modules(self, version: Version) -> list[dict[str, Any]]:
        return [_module(name, frozen) for name, frozen in _by(version, "modules", "sort_order")]


class PlanSerializer(OfferSerializer):
    pass


class PlanDetailSerializer(PlanSerializer, _ContentSerializer):
    pass


class AddOnSerializer(OfferSerializer):
    scope = serializers.ChoiceField(["site", "user"], source="content.offer.scope")
    max_quantity = serializers.IntegerField(source="content.max_quantity", allow_null=True)


class AddOnDetailSerializer(AddOnSerializer, _ContentSerializer):
    pass


def _by(version: Version, part: str, key: str) -> list[tuple[str, Mapping[str, Any]]]:
    frozen: Mapping[str, Mapping[str, Any]] = (version.content or {})[part]
    return sorted(frozen.items(), key=lambda item: (item[1][key], item[0]))


def _shown(serializer: serializers.Serializer[Any], frozen: Mapping[str, Any]) -> dict[str, Any]:
    names = map(str, serializer.fields)
    return {name: frozen[name] for name in names if name in frozen}


def _feature(code: str, frozen: Mapping[str, Any]) -> dict[str, Any]:
    shown = _shown(GrantedFeatureSerializer(), frozen)
    return shown | {"code": code, "unlimited": frozen.get("unlimited", False), "modules": _carriers(frozen)}


def _carriers(frozen: Mapping[str, Any]) -> list[str]:
    """The feature's own modules and, of a level, those of the choices up to the one given."""
    steps = [choice["code"] for choice in frozen["choices"]]
    reached = frozen["choices"][: steps.index(frozen["value"]) + 1] if frozen["value"] in steps else []
    named = [source[side] for source in (frozen, *reached) for side in ("site_module", "user_module")]
    return list(dict.fromkeys(name for name in named if name))


def _module(name: str, frozen: Mapping[str, Any]) -> dict[str, Any]:
    shown = _shown(ShippedModuleSerializer(), frozen)
    return shown | {"code": name, "type": Module.Type(frozen["type"]).label}


# ── Plans side by side ──────────────────────────────────────────────────────
class ComparedPlanSerializer(serializers.Serializer[Any]):
    ref = serializers.CharField(help_text="As the request named it, in lower case: code or code@version.")
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    solutions = codes()
    tier = serializers.CharField(allow_null=True)
    tier_name = serializers.CharField(allow_null=True)
    version = serializers.IntegerField()
    effective_from = serializers.DateTimeField()
    changelog = serializers.CharField()


class ComparedValueSerializer(serializers.Serializer[Any]):
    value = serializers.JSONField(help_text="true, a number, or the code of a choice; null where unlimited.")
    unlimited = serializers.BooleanField()
    text = serializers.CharField(help_text="The value in words for people.")


class ComparedFeatureSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    kind = serializers.ChoiceField(_KINDS)
    counts = serializers.CharField(help_text="What a limit is counted per: call, user or customer.")
    differs = serializers.BooleanField(help_text="Whether the plans disagree on it.")
    values = serializers.DictField(
        child=ComparedValueSerializer(allow_null=True), help_text="By `ref`; null where the plan lacks it."
    )


class ComparedGroupSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    features = ComparedFeatureSerializer(many=True)


class ComparisonSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(allow_null=True, help_text="As asked; null: now.")
    solution = serializers.CharField(allow_null=True)
    plans = ComparedPlanSerializer(many=True)
    hidden = serializers.IntegerField(help_text="How many features `differences` has left out.")
    groups = ComparedGroupSerializer(many=True)


# ── Solutions, features, modules ────────────────────────────────────────────
class SolutionPlanSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    tier = serializers.CharField(allow_null=True)


class SolutionSerializer(serializers.ModelSerializer[Solution]):
    plans = serializers.SerializerMethodField(help_text="The plans that cover it now.")

    class Meta:
        model = Solution
        fields = ("code", "name", "description", "plans")

    @extend_schema_field(SolutionPlanSerializer(many=True))
    def get_plans(self, solution: Solution) -> list[dict[str, Any]]:
        covering = [offer for offer in self.context["plans"] if solution.code in offer["solutions"]]
        return [{"code": offer["code"], "name": offer["name"], "tier": offer["tier"]} for offer in covering]


class FeatureChoiceSerializer(serializers.ModelSerializer[LevelChoice]):
    site_module = ModuleNameField(allow_null=True)
    user_module = ModuleNameField(allow_null=True)

    class Meta:
        model = LevelChoice
        fields = ("code", "name", "site_module", "user_module")


class FeatureSerializer(serializers.ModelSerializer[Feature]):
    group = serializers.CharField(source="group.code")
    group_name = serializers.CharField(source="group.name")
    kind = serializers.ChoiceField(_KINDS)
    choices = FeatureChoiceSerializer(many=True, help_text="Of a level, lowest first.")
    site_module = ModuleNameField(allow_null=True)
    user_module = ModuleNameField(allow_null=True)

    class Meta:
        model = Feature
        fields: tuple[str, ...] = (
            *(
                "code",
                "name",
                "description",
                "group",
                "group_name",
                "kind",
                "rule",
                "unit",
                "counts",
                "resets",
                "choices",
            ),
            *("site_module", "user_module", "read_only_without_seat"),
        )


class FeatureDetailSerializer(FeatureSerializer):
    plans = codes(help_text="The plans that give it now.")
    add_ons = codes(help_text="The add-ons that give it now.")

    class Meta(FeatureSerializer.Meta):
        fields = (*FeatureSerializer.Meta.fields, "plans", "add_ons")


class ModuleSerializer(serializers.ModelSerializer[Module]):
    code = serializers.CharField(help_text="owner.module", source="full_name")
    owner = serializers.CharField(source="owner.code")
    type = serializers.ChoiceField(["site", "satellite", "user"], source="get_type_display")
    prerequisite = ModuleNameField(allow_null=True)

    class Meta:
        model = Module
        fields: tuple[str, ...] = (
            "code",
            "owner",
            "name",
            "type",
            "description",
            "tooltip",
            "hidden",
            "unrestricted",
            "prerequisite",
        )


class ModuleDetailSerializer(ModuleSerializer):
    features = codes(help_text="The published features that name it.")
    plans = codes(help_text="The plans that ship it now.")
    add_ons = codes(help_text="The add-ons that ship it now.")

    class Meta(ModuleSerializer.Meta):
        fields = (*ModuleSerializer.Meta.fields, "features", "plans", "add_ons")
