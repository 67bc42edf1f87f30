"""What a draft says, as rows under its page; saving them calls the drafting services."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from catalog.admin.base import DRAFT, READ
from catalog.forms import ExtraModuleForm, GrantForm, IncludeForm, LabelledFormSet, RuleForm
from catalog.kinds import KINDS
from catalog.models import Grant, Version, VersionInclude, VersionModule, VersionRule
from catalog.services import drafting
from catalog.services.mapping import grant_value
from customers.actor import Actor
from customers.admin_base import ScopedAdmin, TabularInline


class DraftInline(ScopedAdmin, TabularInline):
    """Rows of a draft: whoever drafts edits them, others look."""

    view_scopes = READ
    add_scopes = change_scopes = delete_scopes = DRAFT
    formset = LabelledFormSet
    extra = 0
    named = ""  # the field that names what the row is about

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return (self.named,)

    @staticmethod
    def write(version: Version, formset: Any, actor: Actor, at: datetime) -> None:
        """Hands what the rows now say to a drafting service."""
        raise NotImplementedError


def kept(formset: Any) -> list[Any]:
    """Returns the forms of the rows that stay or come, without blank ones."""
    gone = formset.deleted_forms
    return [form for form in formset.forms if form not in gone and (form.instance.pk or form.has_changed())]


def named_codes(formset: Any, held: set[str], field: str, code: str) -> set[str]:
    """Returns `held` (as it is now, not as the page was opened) without the rows removed and with those added."""

    def codes(forms: list[Any]) -> set[str]:
        return {getattr(form.cleaned_data[field], code) for form in forms}

    added = [form for form in kept(formset) if not form.instance.pk]
    return held - codes([form for form in formset.deleted_forms if form.instance.pk]) | codes(added)


class GrantInline(DraftInline):
    model = Grant
    form = GrantForm
    named = "feature"
    verbose_name = "feature"
    verbose_name_plural = "features"
    hint = "What this version itself grants; what it includes comes on top."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        rows: QuerySet[Grant] = super().get_queryset(request).select_related("feature__group")
        return rows.prefetch_related("feature__choices").order_by(
            "feature__group__position", "feature__position", "feature__code"
        )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("feature", "value") if self.has_change_permission(request, obj) else ("feature", "shown")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if self.has_change_permission(request, obj) else ("shown",)

    @admin.display(description="Value")
    def shown(self, grant: Any) -> str:
        feature = grant.feature
        names = {choice.code: choice.name for choice in feature.choices.all()}
        return KINDS[feature.kind].show(grant_value(grant), names, feature.unit)  # type: ignore[arg-type]  # the value is of the feature's kind, which mypy can't see

    @staticmethod
    def write(version: Version, formset: Any, actor: Actor, at: datetime) -> None:
        rows: Any = version.grants.select_related("feature")
        grants: dict[str, object] = {row.feature.code: "unlimited" if row.unlimited else row.value for row in rows}
        for form in formset.deleted_forms:
            if form.instance.pk:
                grants.pop(form.instance.feature.code, None)
        for form in kept(formset):
            if form.has_changed():
                grants[form.cleaned_data["feature"].code] = form.raw
        drafting.set_grants(version=version, grants=grants, actor=actor, at=at)


class IncludeInline(DraftInline):
    model = VersionInclude
    form = IncludeForm
    named = "offer"
    verbose_name = "included plan"
    verbose_name_plural = "included plans"

    def get_queryset(self, request: HttpRequest) -> QuerySet[VersionInclude]:
        rows: QuerySet[VersionInclude] = super().get_queryset(request).select_related("offer")
        return rows

    @staticmethod
    def write(version: Version, formset: Any, actor: Actor, at: datetime) -> None:
        held = set(version.includes.values_list("offer__code", flat=True))
        codes = named_codes(formset, held, "offer", "code")
        drafting.set_includes(version=version, codes=codes, actor=actor, at=at)


class ExtraModuleInline(DraftInline):
    model = VersionModule
    form = ExtraModuleForm
    named = "module"
    verbose_name = "extra module"
    verbose_name_plural = "extra modules"
    hint = "Modules that no feature granted here names."

    def get_queryset(self, request: HttpRequest) -> QuerySet[VersionModule]:
        rows: QuerySet[VersionModule] = super().get_queryset(request).select_related("module__owner")
        return rows.order_by("module__sort_order", "module__name")

    @staticmethod
    def write(version: Version, formset: Any, actor: Actor, at: datetime) -> None:
        rows: Any = version.extra_modules.select_related("module__owner")
        names = named_codes(formset, {row.module.full_name for row in rows}, "module", "full_name")
        drafting.set_extra_modules(version=version, names=names, actor=actor, at=at)


class RuleInline(DraftInline):
    model = VersionRule
    form = RuleForm
    named = "offer"
    verbose_name = "rule"
    verbose_name_plural = "rules"
    hint = "What a customer must have as well, or may not have: a plan, an add-on, or plans of a tier."

    def get_queryset(self, request: HttpRequest) -> QuerySet[VersionRule]:
        rows: QuerySet[VersionRule] = super().get_queryset(request).select_related("offer", "tier")
        return rows

    @staticmethod
    def write(version: Version, formset: Any, actor: Actor, at: datetime) -> None:
        rows = VersionRule.objects.filter(version=version).targeted()
        rules = dict(rows.values_list("target", "verb"))
        for form in formset.deleted_forms:
            if form.instance.pk:
                rules.pop(form.target, None)
        for form in kept(formset):
            if form.has_changed():
                rules[form.target] = form.cleaned_data["verb"]
        drafting.set_rules(
            version=version,
            needs=[target for target, verb in rules.items() if verb == "needs"],
            excludes=[target for target, verb in rules.items() if verb == "excludes"],
            actor=actor,
            at=at,
        )
