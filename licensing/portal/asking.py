"""Forms that ask: which customers, to which version, when; and what of a report is shown."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import Any, Final

from django import forms
from django.utils import timezone

from catalog.models import Version
from licensing.cohort import Cohort, codes_of
from licensing.differences import Effect
from licensing.models import ImpactProblem, Migration, MigrationCustomer, Subscription

_NUMBERS: Final = re.compile(r"[\s,;]+")
_EFFECTS: Final = [("", "Any effect"), *((effect.value, effect.value.capitalize()) for effect in Effect)]


class Filters(forms.Form):
    """What of a list is shown: a GET form where nonsense shows everything."""

    search = forms.CharField(required=False, max_length=100, label="Search", widget=forms.TextInput({"type": "search"}))

    @property
    def asked(self) -> dict[str, str]:
        self.is_valid()
        return {name: str(value).replace("\0", "") for name, value in self.cleaned_data.items() if value}


class EffectFilters(Filters):
    effect = forms.ChoiceField(required=False, label="Effect", choices=_EFFECTS)


class CustomerEffectFilters(EffectFilters):
    only = forms.ChoiceField(
        required=False, label="Show", choices=[("", "All customers"), ("problems", "With something in the way")]
    )


class ProblemFilters(Filters):
    kind = forms.ChoiceField(required=False, label="What", choices=[("", "Anything"), *ImpactProblem.Kind.choices])


class MigrationFilters(Filters):
    state = forms.ChoiceField(required=False, label="State", choices=[("", "Any state"), *Migration.State.choices])


class MovedFilters(Filters):
    state = forms.ChoiceField(
        required=False, label="State", choices=[("", "Any state"), *MigrationCustomer.State.choices]
    )


class CohortForm(forms.Form):
    """Which customers: what is left empty leaves nobody out."""

    versions = forms.CharField(
        required=False, max_length=200, label="On versions", help_text="For instance 1, 2. Empty: any other one."
    )
    billing_months = forms.TypedMultipleChoiceField(
        required=False,
        coerce=int,
        label="Billed",
        choices=Subscription.BillingPeriod.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    search = forms.CharField(
        required=False, max_length=100, label="Name or code contains", help_text="Or how the serial number begins."
    )
    codes = forms.CharField(
        required=False,
        max_length=1_500_000,
        label="Only these customers",
        help_text="Their codes, pasted from wherever: one a line, or with commas between.",
        widget=forms.Textarea({"rows": 3, "spellcheck": "false"}),
    )

    def clean_versions(self) -> tuple[int, ...]:
        words = [word.removeprefix("v") for word in _NUMBERS.split(self.cleaned_data["versions"].strip()) if word]
        if not all(word.isascii() and word.isdigit() and len(word) < 9 for word in words):
            raise forms.ValidationError("Numbers of versions, with commas between.")
        return tuple(dict.fromkeys(map(int, words)))

    def cohort(self) -> Cohort:
        told = self.cleaned_data
        return Cohort(told["versions"], tuple(told["billing_months"]), told["search"].strip(), codes_of(told["codes"]))


class VersionForm(CohortForm):
    """A published version to look at, and at whom."""

    version = forms.ModelChoiceField(Version.objects.none(), label="Version", empty_label="Choose one")
    field_order: tuple[str, ...] = ("version",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        on_sale = Version.objects.filter(state=Version.State.PUBLISHED).select_related("offer")
        field: Any = self.fields["version"]
        field.queryset = on_sale.filter(offer__for_sale=True).order_by("offer__type", "offer__position", "-number")
        field.label_from_instance = _named


class MigrationForm(VersionForm):
    moment = forms.ChoiceField(
        label="When", choices=Migration.Moment.choices, widget=forms.RadioSelect, initial=Migration.Moment.RENEWAL
    )
    moves_on = forms.DateField(
        required=False, label="Date", help_text="For “on a date”.", widget=forms.DateInput({"type": "date"})
    )
    deadline_on = forms.DateField(
        required=False,
        label="Deadline",
        help_text="Nobody stays on an older version longer, whenever they renew.",
        widget=forms.DateInput({"type": "date"}),
    )
    reason = forms.CharField(max_length=500, label="Why", help_text="Customers read this on their page.")
    field_order = ("version", "reason", "moment", "moves_on", "deadline_on")

    def terms(self) -> dict[str, Any]:
        """Returns what `propose` is told besides target and cohort. Days begin at midnight UTC, today's at once."""
        told = self.cleaned_data
        is_dated = told["moment"] == Migration.Moment.DATE
        return {
            "moment": told["moment"],
            "moves_at": _midnight(told["moves_on"]) if is_dated else None,
            "deadline": _midnight(told["deadline_on"]),
            "reason": told["reason"],
        }


def _named(version: Any) -> str:
    when = " (scheduled)" if version.is_scheduled(timezone.now()) else ""
    return f"{version.offer.name} v{version.number}{when}"


def _midnight(day: Any) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
