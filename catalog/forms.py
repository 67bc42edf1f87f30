"""Forms of the catalog's admin: they ask and check; services do.

Rows of a draft are told apart by what they name (a feature, a plan, a module). Once saved that is shown as text: to
name another one, remove the row and add a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.safestring import SafeString

from catalog.kinds import KINDS, UNLIMITED, BadValue, Value
from catalog.models import Grant, VersionInclude, VersionModule, VersionRule
from catalog.targets import tier_target

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Any]
    InlineFormSet = forms.BaseInlineFormSet[Any, Any, Any]
else:
    ModelForm, InlineFormSet = forms.ModelForm, forms.BaseInlineFormSet

_YES = frozenset({"", "yes", "y", "true", "on", "1", "x", "included"})
_NO = frozenset({"no", "n", "false", "off", "0", "not included"})


def read_value(feature: Any, text: str) -> Value:
    """Returns the value that somebody typed for a feature. Raises ValidationError that says what it could be.

    An empty text switches a switch on; a choice is named by its code or its name.
    """
    word = text.strip().casefold()
    choices = list(feature.choices.all()) if feature.kind == "level" else []
    raw: object = text
    if feature.kind == "switch" and word in _YES | _NO:
        raw = word in _YES
    elif feature.kind == "limit":
        digits = word.replace(" ", "").replace(",", "")
        raw = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else word
    elif feature.kind == "level":
        named = {choice.name.casefold(): choice.code for choice in choices}
        raw = named.get(word, word)
    try:
        return KINDS[feature.kind].parse(raw, [choice.code for choice in choices])
    except BadValue as fault:
        raise ValidationError(str(fault)) from fault


# ── Rows ────────────────────────────────────────────────────────────────────


class ShownText(forms.Widget):
    """Shows a value as text; nothing comes back."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return format_html("<strong>{}</strong>", value)


class ShownField(forms.Field):
    """Stands for what a saved row names: no query, no input, and never changed."""

    widget = ShownText

    def __init__(self, row: Any, label: str) -> None:
        super().__init__(initial=row, disabled=True, required=False, label=label)


class LabelledFormSet(InlineFormSet):
    """Gives every input an `aria-label`: in a table of rows the column head alone is no label."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        row = str(form.instance) if form.instance.pk else "new row"
        for name, field in form.fields.items():
            # The admin wraps what points to other rows; the wrapper's attributes are never rendered.
            widget = getattr(field.widget, "widget", field.widget)
            if not widget.is_hidden:
                label = "Remove" if name == "DELETE" else field.label or name.replace("_", " ").capitalize()
                widget.attrs["aria-label"] = f"{label}: {row}"


class DraftRowForm(ModelForm):
    """A row of a draft; subclasses say which field names what it is about. Services validate and save."""

    named = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            row = getattr(self.instance, self.named)
            self.initial[self.named] = row
            self.fields[self.named] = ShownField(row, str(self.fields[self.named].label))

    def _post_clean(self) -> None:
        """The instance stays as it was read: what the form says goes to a service."""


class IncludeForm(DraftRowForm):
    named = "offer"

    class Meta:
        model = VersionInclude
        fields = ("offer",)


class ExtraModuleForm(DraftRowForm):
    named = "module"

    class Meta:
        model = VersionModule
        fields = ("module",)


class RuleForm(DraftRowForm):
    """A rule names a plan or add-on, or a tier."""

    named = "offer"

    class Meta:
        model = VersionRule
        fields = ("verb", "offer", "tier")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        is_of_tier = kwargs.get("instance") is not None and kwargs["instance"].tier_id is not None
        self.named = "tier" if is_of_tier else "offer"
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            other = "offer" if is_of_tier else "tier"
            self.initial[other] = "–"
            self.fields[other] = ShownField("–", str(self.fields[other].label))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.instance.pk and not self.errors and bool(data.get("offer")) == bool(data.get("tier")):
            raise ValidationError("Name a plan or add-on, or a tier; not both, not neither.")
        return data

    @property
    def target(self) -> str:
        """What the row is about, as the drafting service reads it."""
        if self.instance.pk:
            saved: str = self.instance.names
            return saved
        tier = self.cleaned_data.get("tier")
        return tier_target(tier.code) if tier is not None else str(self.cleaned_data["offer"].code)


class LimitWidget(forms.MultiWidget):
    """A number, and a box that says unlimited instead."""

    def __init__(self) -> None:
        number = forms.TextInput(attrs={"inputmode": "numeric", "size": 12})
        super().__init__({"number": number, "unlimited": forms.CheckboxInput()})

    def decompress(self, value: Any) -> list[Any]:
        return ["", True] if value == "unlimited" else [value, False]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        number, unlimited = value if isinstance(value, list) else self.decompress(value)
        label = self.attrs.get("aria-label", "Value")
        return format_html(
            "{} <label>{} unlimited</label>",
            self.widgets[0].render(f"{name}_number", number, {"aria-label": label, **(attrs or {})}, renderer),
            self.widgets[1].render(f"{name}_unlimited", unlimited, {"aria-label": f"Unlimited, {label}"}, renderer),
        )


class LimitField(forms.MultiValueField):
    """Comes back as the text of the number, or as `unlimited`."""

    widget = LimitWidget

    def __init__(self, **kwargs: Any) -> None:
        fields = (forms.CharField(required=False, max_length=40), forms.BooleanField(required=False))
        super().__init__(fields, require_all_fields=False, required=False, **kwargs)

    def compress(self, data_list: Sequence[Any]) -> str:
        number, unlimited = data_list or ("", False)
        return "unlimited" if unlimited else str(number)

    def has_changed(self, initial: Any, data: Any) -> bool:
        number, unlimited = data or ("", False)
        return str(initial) != ("unlimited" if unlimited else str(number))


class GrantForm(DraftRowForm):
    """A grant: a tick, a number or unlimited, or a choice, as the kind of its feature wants it."""

    named = "feature"
    value = forms.CharField(
        max_length=200,
        required=False,
        help_text="yes or no; a number or unlimited; or a choice. Empty switches a switch on.",
    )

    class Meta:
        model = Grant
        fields = ("feature",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["value"] = "unlimited" if self.instance.unlimited else self.instance.value
            self.fields["value"] = _value_field(self.instance.feature, self.instance.value)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        feature = data.get("feature")
        if feature is not None and "value" in data:
            raw = data["value"]
            try:
                data["value"] = raw if isinstance(raw, bool) else read_value(feature, str(raw))
            except ValidationError as fault:
                self.add_error("value", fault)
        return data

    @property
    def raw(self) -> object:
        """The value as the drafting service reads it."""
        value = self.cleaned_data["value"]
        return "unlimited" if value is UNLIMITED else value


def _value_field(feature: Any, value: object) -> forms.Field:
    if feature.kind == "switch":
        return forms.BooleanField(label="Value", required=False)
    if feature.kind == "limit":
        return LimitField(label="Value")
    choices = [(choice.code, choice.name) for choice in feature.choices.all()]
    if value not in dict(choices):
        choices.insert(0, (str(value), f"{value} (gone)"))
    return forms.ChoiceField(label="Value", choices=choices)


# ── Steps in a version's life ───────────────────────────────────────────────


class ApproveForm(forms.Form):
    effective_from = forms.DateTimeField(
        label="To take effect (UTC)",
        required=False,
        help_text="Empty: as soon as it is published.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    comment = forms.CharField(
        label="Comment", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3, "cols": 60})
    )


class PublishForm(forms.Form):
    effective_from = forms.DateTimeField(
        label="Takes effect (UTC)",
        required=False,
        help_text="Empty: now.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Why", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3, "cols": 60})
    )
