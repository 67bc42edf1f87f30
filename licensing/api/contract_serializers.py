"""What the API says of subscriptions, items and packages, in shapes that the OpenAPI document tells."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from customers.api.fields import InstantField
from licensing.models import Package, Subscription, SubscriptionItem

MOST: int = 10_000_000


class TermSerializer(serializers.Serializer[Any]):
    starts_on = serializers.DateField()
    ends_on = serializers.DateField()
    is_first = serializers.BooleanField(help_text="The first term has 12 months, later ones a billing period.")


class SubscriptionSerializer(serializers.ModelSerializer[Subscription]):
    term = TermSerializer(help_text="The term or billing period that runs now.")
    renews_on = serializers.DateField(allow_null=True, help_text="Null once it is cancelled.")

    class Meta:
        model = Subscription
        fields = ("billing_months", "starts_on", "term", "renews_on", "cancelled_at", "ends_at")


class ItemSerializer(serializers.ModelSerializer[SubscriptionItem]):
    offer = serializers.CharField(source="version.offer.code", help_text="The plan's or add-on's code.")
    type = serializers.CharField(source="version.offer.type")
    name = serializers.CharField(source="version.offer.name")
    version = serializers.IntegerField(source="version.number")
    state = serializers.SerializerMethodField()

    class Meta:
        model = SubscriptionItem
        fields = ("offer", "type", "name", "version", "quantity", "starts_at", "ends_at", "state")

    def get_state(self, item: SubscriptionItem) -> str:
        """`in_force`, or `scheduled` for later."""
        return "in_force" if item.starts_at <= self.context["at"] else "scheduled"


class PackageBriefSerializer(serializers.ModelSerializer[Package]):
    owner = serializers.CharField(source="owner.code")

    class Meta:
        model = Package
        fields = (
            "owner",
            "number",
            "state",
            "issued_at",
            "activated_at",
            "ended_at",
            "warning_at",
            "expires_at",
            "grace_until",
        )


class ModuleChangeSerializer(serializers.Serializer[Any]):
    module = serializers.CharField(help_text="owner.module")
    name = serializers.CharField()
    hidden = serializers.BooleanField()
    before = serializers.IntegerField()
    added = serializers.IntegerField(help_text="Below 0 where there are fewer.")
    new_total = serializers.IntegerField()
    new_free = serializers.IntegerField()
    in_use = serializers.IntegerField()
    superfluous = serializers.IntegerField()
    unrestricted = serializers.BooleanField()


class HolderSerializer(serializers.Serializer[Any]):
    user = serializers.CharField()
    name = serializers.CharField()
    last_seen_at = serializers.DateTimeField(allow_null=True)
    assigned_at = serializers.DateTimeField()


class SuperfluousSerializer(serializers.Serializer[Any]):
    module = serializers.CharField(help_text="owner.module")
    in_use = serializers.IntegerField()
    new_total = serializers.IntegerField()
    remove = serializers.IntegerField()
    holders = HolderSerializer(
        many=True, help_text="Up to 200, in the order suggested: unseen for longest first, then the newest seat."
    )


class FitSerializer(serializers.Serializer[Any]):
    package = PackageBriefSerializer()
    fits = serializers.BooleanField()
    modules = ModuleChangeSerializer(many=True)
    superfluous = SuperfluousSerializer(many=True)


class LeavingSerializer(serializers.Serializer[Any]):
    user = serializers.CharField()
    name = serializers.CharField()
    module = serializers.CharField(help_text="As people call it.")


class EffectSerializer(serializers.Serializer[Any]):
    feature = serializers.CharField()
    name = serializers.CharField()
    effect = serializers.ChoiceField(["gained", "raised", "lowered", "lost"])
    before = serializers.CharField()
    after = serializers.CharField()


class StageSerializer(serializers.Serializer[Any]):
    package = PackageBriefSerializer()
    starts_at = serializers.DateTimeField(allow_null=True, help_text="Null: it waits until seats are released.")
    modules = ModuleChangeSerializer(many=True, help_text="Those whose number changes.")
    releases = LeavingSerializer(many=True, help_text="Whose seats go; only for callers with seats:read.")
    features = EffectSerializer(many=True, help_text="What the customer as a whole gains and loses.")


class ContractChangeSerializer(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    revision = serializers.IntegerField()
    subscription = SubscriptionSerializer()
    items = ItemSerializer(many=True)
    stages = StageSerializer(many=True, help_text="The packages that come of it, now and later.")


class ActivatedSerializer(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    package = PackageBriefSerializer()
    change_set = serializers.IntegerField(allow_null=True)
    left = SuperfluousSerializer(many=True, help_text="What is still to be removed.")


# ── What is sent ────────────────────────────────────────────────────────────
class _Quantities(serializers.DictField):
    child = serializers.IntegerField(min_value=0, max_value=MOST)


class NewSubscriptionSerializer(serializers.Serializer[Any]):
    billing_months = serializers.ChoiceField([1, 3, 6, 12])
    starts_on = serializers.DateField(required=False, help_text="The day that terms are anchored to; today if absent.")
    items = _Quantities(help_text="Offer code → quantity.")


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, max_length=500)


class _WhenSerializer(serializers.Serializer[Any]):
    due = serializers.ChoiceField(["now", "renewal"], required=False, help_text="When it happens; now if absent.")
    due_at = InstantField(required=False, help_text="Or at this instant to come.")
    release = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=64), max_length=10_000),
        required=False,
        help_text="Module → users whose seats go. Where that doesn't do, the newest go too.",
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if "due" in data and "due_at" in data:
            raise serializers.ValidationError({"due_at": "Say due or due_at, not both."})
        return data


class ItemsWishSerializer(_WhenSerializer):
    items = _Quantities(help_text="Offer code → quantity; 0 ends it. Others stay.")


class ItemWishSerializer(_WhenSerializer):
    quantity = serializers.IntegerField(min_value=0, max_value=MOST, help_text="0 ends it.")


class ReleaseSerializer(serializers.Serializer[Any]):
    release = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=64), max_length=10_000),
        help_text="owner.module → users whose seats are released.",
    )
    reason = serializers.CharField(required=False, max_length=500)
