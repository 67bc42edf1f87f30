"""The form that grants an override: first which feature and for whom, then what its kind allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from itertools import groupby
from typing import Any, Final

from django import forms
from django.utils import timezone

from catalog.kinds import LARGEST_LIMIT, UNLIMITED
from catalog.models import Feature
from customers.errors import Refusal
from customers.models import CustomerUser
from licensing.facts import FeatureDef, Mode
from licensing.overriding import MODES
from licensing.portal.gate import Visit

LONGEST_REASON: Final = 2000
_FIELDS: Final = {"reason": "reason", "value": "value", "starts_at": "starts_on", "ends_at": "ends_on"}
_ASK: Final = {Mode.DENY: "Take it away"}


def feature_choices() -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """Yields the features that some published version names, by group."""
    known = Feature.objects.filter(published_in__isnull=False).distinct().order_by("group__position", "group", "name")
    rows = known.values_list("group__name", "code", "name")
    for group, features in groupby(rows, key=lambda row: row[0]):
        yield group, [(code, name) for _, code, name in features]


class SubjectForm(forms.Form):
    """Which feature, and for whom. A GET form: it leads to the one that grants."""

    feature = forms.ChoiceField(label="Feature")
    user = forms.CharField(
        required=False, max_length=64, label="User", help_text="The code of a user. Empty: for everybody there."
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data, label_suffix="")
        self.fields["feature"] = forms.ChoiceField(label="Feature", choices=[("", "Choose…"), *feature_choices()])


class GrantForm(forms.Form):
    """What is granted of a feature: the value is asked for as its kind has it."""

    mode = forms.ChoiceField(label="What", widget=forms.RadioSelect)
    reason = forms.CharField(label="Reason", max_length=LONGEST_REASON, widget=forms.Textarea({"rows": 2}))
    starts_on = forms.DateField(
        label="Begins on", required=False, widget=forms.DateInput({"type": "date"}), help_text="Empty: at once."
    )
    ends_on = forms.DateField(
        label="Ends on",
        required=False,
        widget=forms.DateInput({"type": "date"}),
        help_text="When that day begins (UTC). Empty: never.",
    )
    field_order = ("mode", "value", "unlimited", "reason", "starts_on", "ends_on")

    def __init__(self, data: Any = None, *, feature: FeatureDef) -> None:
        super().__init__(data, label_suffix="")
        self.feature = feature
        modes = [(mode.value, _ASK.get(mode, MODES[mode])) for mode in _modes_of(feature)]
        self.fields["mode"] = forms.ChoiceField(label="What", choices=modes, widget=forms.RadioSelect)
        self.fields |= _value_fields(feature)
        self.order_fields(self.field_order)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if (
            data.get("mode") != Mode.DENY
            and "mode" in data
            and self._value(data) is None
            and "value" not in self.errors
        ):
            self.add_error("value", "Say how much." if self.feature.kind == "limit" else "Choose one.")
        return data

    def wish(self, customer: Any, user: CustomerUser | None) -> dict[str, Any]:
        """Returns what the service `grant_override` is asked for."""
        data = self.cleaned_data
        mode = Mode(data["mode"])
        return {
            "customer": customer,
            "user": user,
            "feature": self.feature.code,
            "mode": mode,
            "value": None if mode is Mode.DENY else self._value(data),
            "reason": data["reason"],
            "starts_at": None if data["starts_on"] == _today() else _midnight(data["starts_on"]),
            "ends_at": _midnight(data["ends_on"]),
        }

    def refuse(self, refusal: Refusal) -> None:
        """Says what the service refused, beside its field where it has one."""
        faults = refusal.details.get("faults")
        for fault in faults or ():
            self.add_error(_FIELDS.get(fault["field"]), fault["message"])
        if not faults:
            self.add_error(None, f"{refusal.message} {refusal.next_action}")

    def _value(self, data: Mapping[str, Any]) -> Any:
        given = data.get("value")
        match self.feature.kind:
            case "limit":
                return UNLIMITED if data.get("unlimited") else given
            case "switch":
                return {"true": True, "false": False}.get(given or "")
            case _:
                return given or None


def _modes_of(feature: FeatureDef) -> list[Mode]:
    """Returns the modes that say something of its kind: adding is for limits, and a switch is on, off or denied."""
    if feature.kind == "limit":
        return list(Mode)
    return [Mode.SET, Mode.DENY] if feature.kind == "switch" else [Mode.SET, Mode.AT_LEAST, Mode.AT_MOST, Mode.DENY]


def _value_fields(feature: FeatureDef) -> dict[str, forms.Field]:
    note = "Nothing where it is taken away."
    if feature.kind == "limit":
        unit = f" ({feature.unit})" if feature.unit else ""
        number = forms.IntegerField(
            label=f"How much{unit}", required=False, min_value=0, max_value=LARGEST_LIMIT, help_text=note
        )
        return {"value": number, "unlimited": forms.BooleanField(label="Unlimited", required=False)}
    if feature.kind == "switch":
        choices = [("true", "On"), ("false", "Off")]
    else:
        choices = [(choice.code, choice.name or choice.code) for choice in feature.choices]
    label = "Value"
    return {"value": forms.ChoiceField(label=label, required=False, choices=[("", "–"), *choices], help_text=note)}


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, tzinfo=UTC)


def _today() -> date:
    return timezone.now().astimezone(UTC).date()


def user_named(found: Visit, code: str) -> CustomerUser | None:
    """Returns the user who is named; none for everybody. Raises NotFound."""
    return found.user(code) if code else None
