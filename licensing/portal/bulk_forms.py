"""Forms that ask what is to be done with many users, and what of it is shown."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from licensing.intake_columns import Meaning
from licensing.models import ChangePreview, ChangePreviewRow
from licensing.portal.asking import Filters
from licensing.portal.choices import Board
from licensing.portal.listing import on_show
from licensing.services.user_lists import Deed

ASSIGN, RELEASE, SWAP, LISTED = "assign", "release", "swap", "listed"
_DEEDS: Final = [
    (LISTED, "What each row says"),
    (ASSIGN, "Assign"),
    (RELEASE, "Release"),
    (SWAP, "Swap one for another; nothing else of anybody is touched"),
]


class DeedForm(forms.Form):
    """What is to be done with everybody on a list."""

    what = forms.ChoiceField(label="For everybody on the list", widget=forms.RadioSelect, choices=_DEEDS)
    plans = forms.MultipleChoiceField(
        required=False, label="Plans and modules to assign or release", widget=forms.CheckboxSelectMultiple
    )
    swap_from = forms.ChoiceField(required=False, label="Instead of")
    swap_to = forms.ChoiceField(required=False, label="They get")
    creates = forms.BooleanField(required=False, label="Create the users that don’t exist yet")
    accept_loss = forms.BooleanField(required=False, label="People may lose a solution on the way")
    mode = forms.ChoiceField(
        label="If something is in the way",
        widget=forms.RadioSelect,
        initial=ChangePreview.Mode.ALL_OR_NOTHING,
        choices=[
            (ChangePreview.Mode.ALL_OR_NOTHING, "All or nothing: nobody is changed"),
            (ChangePreview.Mode.AS_MANY, "As many as possible: the others are changed, in the order of the list"),
        ],
    )
    reason = forms.CharField(
        required=False, max_length=500, label="Reason", help_text="Whoever looks at the history reads it."
    )

    def __init__(self, *args: Any, board: Board, has_plans: bool, may_create: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [(each.module, board.name(each.module)) for each in on_show(board)]
        fields: dict[str, Any] = self.fields
        fields["plans"].choices = offered
        for name in ("swap_from", "swap_to"):
            fields[name].choices = [("", "Choose one"), *offered]
        if not has_plans:
            fields["what"].choices = _DEEDS[1:]
        fields["what"].initial = LISTED if has_plans else None
        if not may_create:
            del fields["creates"]

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or {}
        match told.get("what"):
            case "assign" | "release" if not told.get("plans") and not self.errors:
                self.add_error("plans", "Choose at least one.")
            case "swap" if not self.errors:
                for name in ("swap_from", "swap_to"):
                    if not told.get(name):
                        self.add_error(name, "Choose one.")
                if told.get("swap_from") and told.get("swap_from") == told.get("swap_to"):
                    self.add_error("swap_to", "That is the same.")
        return told

    def deed(self) -> Deed:
        told = self.cleaned_data
        what, plans = told["what"], tuple(told["plans"])
        return Deed(
            assign=plans if what == ASSIGN else (told["swap_to"],) if what == SWAP else (),
            release=plans if what == RELEASE else (told["swap_from"],) if what == SWAP else (),
            as_listed=what == LISTED,
            accept_loss=told["accept_loss"],
            creates=told.get("creates", False),
        )


class ColumnsForm(forms.Form):
    """What each column of a list means, and whether its first row is a header."""

    header = forms.BooleanField(required=False, label="The first row is a header")

    def __init__(self, *args: Any, width: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for index in range(width):
            self.fields[f"column-{index}"] = forms.ChoiceField(
                label=f"Column {index + 1}", choices=[(meaning.value, meaning.label) for meaning in Meaning]
            )
        self.width = width

    @property
    def selects(self) -> list[Any]:
        return [self[f"column-{index}"] for index in range(self.width)]

    def columns(self) -> list[Meaning]:
        return [Meaning(self.cleaned_data[f"column-{index}"]) for index in range(self.width)]


class PreviewFilters(Filters):
    outcome = forms.ChoiceField(
        required=False,
        label="Show",
        choices=[
            ("", "Everybody"),
            (ChangePreviewRow.Outcome.BLOCKED, "Problems"),
            (ChangePreviewRow.Outcome.CHANGES, "Who changes"),
            (ChangePreviewRow.Outcome.UNCHANGED, "Who stays as they are"),
        ],
    )


class ChangeFilters(Filters):
    user = forms.CharField(required=False, max_length=100, label="User", help_text="A code.")
    since = forms.DateField(required=False, label="From", widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput({"type": "date"}))
    only = forms.ChoiceField(
        required=False,
        label="Show",
        choices=[("", "All changes"), ("many", "Of several users"), ("undo", "Undone, or undoing")],
    )
    field_order = ("search", "user", "since", "until", "only")


class UndoForm(forms.Form):
    """How a change is undone."""

    reason = forms.CharField(required=False, max_length=500, label="Reason")
    mode = forms.ChoiceField(
        required=False,
        label="If something is in the way",
        choices=[
            (ChangePreview.Mode.ALL_OR_NOTHING, "All or nothing"),
            (ChangePreview.Mode.AS_MANY, "As many as possible"),
        ],
    )
