"""What a check of many asks and answers, in shapes that the OpenAPI document tells; the view reads it by hand.

A thousand items through a serializer would take longer than their look-up.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class CheckItemSerializer(serializers.Serializer[Any]):
    customer = serializers.CharField()
    user = serializers.CharField(required=False, allow_null=True, help_text="None: the customer as a whole.")
    feature = serializers.CharField()
    needed = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, help_text="Of limits only: how much of it is needed in all."
    )
    min_revision = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, help_text="Refuse an answer from before this revision."
    )


class CheckSerializer(serializers.Serializer[Any]):
    items = serializers.ListField(child=CheckItemSerializer(), min_length=1, max_length=1000)


class ItemProblemSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="Stable, as of a whole refusal.")
    blocking = serializers.DictField(allow_null=True)
    next_action = serializers.CharField()


class CheckResultSerializer(serializers.Serializer[Any]):
    customer = serializers.CharField(required=False)
    user = serializers.CharField(required=False, allow_null=True)
    feature = serializers.CharField(required=False)
    kind = serializers.ChoiceField(["switch", "limit", "level"], required=False)
    access = serializers.ChoiceField(["none", "view", "edit"], required=False)
    value = serializers.JSONField(required=False, allow_null=True)
    unlimited = serializers.BooleanField(required=False, help_text="Of limits only.")
    allowed = serializers.BooleanField(
        required=False, help_text="Whether it may be used, and of a limit as much as is needed."
    )
    revision = serializers.IntegerField(required=False)
    problem = ItemProblemSerializer(required=False, help_text="Instead of an answer: why there is none.")


class CheckAnswerSerializer(serializers.Serializer[Any]):
    results = CheckResultSerializer(many=True, help_text="One per item, in the same order.")
