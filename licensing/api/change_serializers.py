"""Bodies of changes of many seats: what is asked for, what it would come to, what was changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.urls import reverse
from rest_framework import serializers

from customers.errors import Invalid
from licensing.bulk_plan import MOST_ROWS, BulkWish
from licensing.models import ChangePreview, ChangePreviewRow, ChangeSet, ChangeSetRow

FAULTS_NAMED: Final = 100
MODULES_PER_ROW: Final = 50
_LISTS: Final = ("assign", "release")
_MEMBERS: Final = frozenset({"user", *_LISTS, "accept_loss", "create"})


class UserToMakeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    email = serializers.CharField(required=False)


class WishSerializer(serializers.Serializer[Any]):
    """One row: what one user shall have, and have no more."""

    user = serializers.CharField(help_text="The user's code.")
    assign = serializers.ListField(child=serializers.CharField(), required=False, help_text="Modules to give.")
    release = serializers.ListField(child=serializers.CharField(), required=False, help_text="Modules to take.")
    accept_loss = serializers.BooleanField(required=False, help_text="A solution may be lost on the way.")
    create: Any = UserToMakeSerializer(
        required=False, help_text="Creates the user first, if there is none of this code."
    )


class AskedSerializer(serializers.Serializer[Any]):
    """The frame of a preview's body; `wishes_from` reads the rows, of which there may be thousands."""

    rows = serializers.ListField(min_length=1, max_length=MOST_ROWS)
    mode = serializers.ChoiceField(choices=ChangePreview.Mode.choices, default=ChangePreview.Mode.ALL_OR_NOTHING)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000, default="")


class AskedInFullSerializer(AskedSerializer):
    """What shall change: up to 10,000 rows, all or nothing or as many as possible, and why."""

    rows = WishSerializer(many=True)  # type: ignore[assignment] # for the description alone


class ApplySerializer(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=100, help_text="Of a preview that is ready.")


class UndoSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=100, required=False, help_text="Of a preview of this undo: applies it.")
    mode = serializers.ChoiceField(choices=ChangePreview.Mode.choices, default=ChangePreview.Mode.ALL_OR_NOTHING)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000, default="")


class FeatureEffectSerializer(serializers.Serializer[Any]):
    feature = serializers.CharField()
    name = serializers.CharField()
    effect = serializers.CharField(help_text="gained, raised, lowered or lost")
    before = serializers.CharField(help_text="In words.")
    after = serializers.CharField(help_text="In words.")


class PreviewRowSerializer(serializers.ModelSerializer[ChangePreviewRow]):
    user = serializers.CharField(source="user_code")
    before = serializers.ListField(child=serializers.CharField())
    after = serializers.ListField(child=serializers.CharField())
    gains = FeatureEffectSerializer(many=True)
    losses = FeatureEffectSerializer(many=True)
    blocking = serializers.DictField(help_text="The object in the way; empty where nothing is.")

    class Meta:
        model = ChangePreviewRow
        fields = (
            *("position", "user", "outcome", "creates", "code", "message", "next_action", "blocking"),
            *("before", "after", "gains", "losses", "is_applied"),
        )


class PreviewSerializer(serializers.ModelSerializer[ChangePreview]):
    """A preview; `token` is there as long as it can be applied, `address` always tells how far it is."""

    token = serializers.SerializerMethodField()
    address = serializers.SerializerMethodField(help_text="Where to look at it again.")
    done = serializers.IntegerField(help_text="Rows worked out or applied by now, of `total`.")
    revision = serializers.IntegerField(
        allow_null=True, help_text="The customer's: at which it was worked out; of what is applied, that of the change."
    )
    seat_deltas = serializers.ListField(child=serializers.DictField())
    totals = serializers.DictField()
    difference = serializers.DictField(help_text="How rows came out when it was applied in vain.")
    change_set = serializers.IntegerField(source="change_set.number", allow_null=True, default=None)
    undoes = serializers.IntegerField(source="undoes.number", allow_null=True, default=None)

    class Meta:
        model = ChangePreview
        fields = (
            *("token", "address", "kind", "mode", "reason", "actor", "created_at", "expires_at", "state", "why"),
            *("total", "done", "revision", "totals", "seat_deltas", "difference", "change_set", "undoes"),
        )

    def get_token(self, preview: ChangePreview) -> str | None:
        return preview.token if preview.state == ChangePreview.State.READY else None

    def get_address(self, preview: ChangePreview) -> str:
        return reverse("change-preview", args=[preview.customer.code, preview.token])


class PreviewPageSerializer(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = PreviewRowSerializer(many=True)


class PreviewWithRowsSerializer(PreviewSerializer):
    rows = PreviewPageSerializer()

    class Meta(PreviewSerializer.Meta):
        fields = (*PreviewSerializer.Meta.fields, "rows")  # type: ignore[assignment] # a longer tuple


class ChangeSetSerializer(serializers.ModelSerializer[ChangeSet]):
    """A change set; the view gives `context["undone_by"]`: number → the change set that undid it."""

    users = serializers.IntegerField(source="size", help_text="How many users it changed.")
    undoes = serializers.IntegerField(source="undoes.number", allow_null=True, default=None)
    undone_by = serializers.SerializerMethodField()

    class Meta:
        model = ChangeSet
        fields = ("number", "at", "actor", "reason", "revision", "users", "undoes", "undone_by")

    def get_undone_by(self, change_set: ChangeSet) -> int | None:
        undo = self.context["undone_by"].get(change_set.number)
        return undo.number if undo is not None else None


class ChangeSetRowSerializer(serializers.ModelSerializer[ChangeSetRow]):
    user = serializers.CharField(source="user.code")
    before = serializers.ListField(child=serializers.CharField())
    after = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = ChangeSetRow
        fields = ("user", "before", "after")


class ChangeSetPageSerializer(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = ChangeSetRowSerializer(many=True)


class ChangeSetWithRowsSerializer(ChangeSetSerializer):
    rows = ChangeSetPageSerializer()

    class Meta(ChangeSetSerializer.Meta):
        fields = (*ChangeSetSerializer.Meta.fields, "rows")  # type: ignore[assignment] # a longer tuple


def wishes_from(rows: list[Any]) -> list[BulkWish]:
    """Returns the wishes of a body's rows, numbered from 1. Raises Invalid, naming the first faults by row."""
    faults = []
    wishes = []
    for position, row in enumerate(rows, 1):
        message = _fault(row)
        if message:
            faults.append({"field": f"rows.{position}", "message": message})
            if len(faults) == FAULTS_NAMED:
                break
        elif not faults:
            wishes.append(
                BulkWish(
                    position,
                    row["user"],
                    tuple(row.get("assign") or ()),
                    tuple(row.get("release") or ()),
                    bool(row.get("accept_loss")),
                    row.get("create"),
                )
            )
    if faults:
        raise Invalid("Some rows can't be read.", faults)
    return wishes


def _fault(row: Any) -> str:
    if not isinstance(row, Mapping):
        return "A row is an object."
    unknown = sorted(str(name) for name in row if name not in _MEMBERS)
    if unknown:
        return f"Not known: {', '.join(unknown)[:200]}."
    if not isinstance(row.get("user"), str) or not row["user"]:
        return "`user` is the code of a user."
    for name in _LISTS:
        listed = row.get(name) or []
        if not isinstance(listed, list) or not all(isinstance(module, str) for module in listed):
            return f"`{name}` is a list of modules."
        if len(listed) > MODULES_PER_ROW:
            return f"`{name}` has at most {MODULES_PER_ROW} modules."
    if not isinstance(row.get("accept_loss", False), bool):
        return "`accept_loss` is true or false."
    return _fault_of_new(row.get("create"))


def _fault_of_new(create: Any) -> str:
    if create is None:
        return ""
    if not isinstance(create, Mapping) or not create.keys() <= {"name", "email"}:
        return "`create` has a `name` and perhaps an `email`."
    return "" if all(isinstance(value, str) for value in create.values()) else "`create` has texts."
