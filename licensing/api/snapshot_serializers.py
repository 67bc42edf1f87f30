"""What a snapshot and its changes say, in shapes that the OpenAPI document tells."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from licensing.api.serializers import FeatureValueSerializer, PlanHeldSerializer

STATUSES = ["active", "warning", "grace", "stopped", "none"]


class HeldSetSerializer(serializers.Serializer[Any]):
    multi_plan = serializers.BooleanField()
    plans = PlanHeldSerializer(many=True)
    modules = serializers.ListField(child=serializers.CharField(), help_text="owner.module")
    features = serializers.DictField(child=FeatureValueSerializer())


class SnapshotSerializer(serializers.Serializer[Any]):
    customer = serializers.CharField()
    revision = serializers.IntegerField(help_text="What to ask for changes after.")
    as_of = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True, help_text="Until when this holds, as far as is known.")
    status = serializers.ChoiceField(STATUSES)
    owners = serializers.DictField(child=serializers.CharField(), help_text="Every licence owner's date state.")
    whole = serializers.IntegerField(help_text="Which of `sets` the customer as a whole has.")
    sets = HeldSetSerializer(many=True)
    users = serializers.DictField(child=serializers.IntegerField(), help_text="User code → which of `sets`.")


class ChangeSerializer(serializers.Serializer[Any]):
    revision = serializers.IntegerField()
    at = serializers.DateTimeField()
    status = serializers.ChoiceField(STATUSES)
    owners = serializers.DictField(child=serializers.CharField())
    whole = serializers.IntegerField(allow_null=True, help_text="Which of `sets` the customer as a whole has now.")
    users = serializers.DictField(
        child=serializers.IntegerField(), help_text="Those who have another set now: user code → which of `sets`."
    )


class ChangesSerializer(serializers.Serializer[Any]):
    customer = serializers.CharField()
    revision = serializers.IntegerField(help_text="Up to where this page goes: what to ask after next.")
    has_more = serializers.BooleanField(help_text="Whether there is more to ask for at once.")
    as_of = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True, help_text="When the clock changes something next.")
    changes = ChangeSerializer(many=True)
    sets = HeldSetSerializer(many=True)


class SigningKeySerializer(serializers.Serializer[Any]):
    key_id = serializers.CharField()
    algorithm = serializers.ChoiceField(["ed25519"])
    public_key = serializers.CharField(help_text="Base64 of its 32 bytes.")


class SigningKeysSerializer(serializers.Serializer[Any]):
    keys = SigningKeySerializer(many=True)
