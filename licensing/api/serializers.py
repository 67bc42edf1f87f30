"""What the licensing API says, in shapes that the OpenAPI document tells."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from customers.models import CustomerUser
from licensing.models import ModuleLicense


class PlanHeldSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    tier = serializers.CharField(allow_null=True)
    solutions = serializers.ListField(child=serializers.CharField())
    version = serializers.IntegerField(allow_null=True)


class FeatureValueSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["switch", "limit", "level"])
    access = serializers.ChoiceField(["none", "view", "edit"])
    value = serializers.JSONField(allow_null=True, help_text="Speaks for edit alone; null where a limit is unlimited.")
    unlimited = serializers.BooleanField(required=False, help_text="Of limits only.")


class _HeadSerializer(serializers.Serializer[Any]):
    customer = serializers.CharField()
    user = serializers.CharField(required=False, help_text="Absent for the customer as a whole.")
    revision = serializers.IntegerField()
    as_of = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True, help_text="Until when this holds, as far as is known.")
    status = serializers.ChoiceField(["active", "warning", "grace", "stopped", "none"])
    owners = serializers.DictField(child=serializers.CharField(), help_text="Every licence owner's date state.")


class EntitlementsSerializer(_HeadSerializer):
    multi_plan = serializers.BooleanField()
    plans = PlanHeldSerializer(many=True)
    modules = serializers.ListField(child=serializers.CharField(), help_text="owner.module")
    features = serializers.DictField(child=FeatureValueSerializer())


class _AnswerSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["switch", "limit", "level"], required=False)
    access = serializers.ChoiceField(["none", "view", "edit"])
    value = serializers.JSONField(allow_null=True, required=False)
    unlimited = serializers.BooleanField(required=False)


class _FreeSeatsSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField(allow_null=True, help_text="null where it is unrestricted.")
    in_use = serializers.IntegerField()
    free = serializers.IntegerField(allow_null=True, help_text="null where it is unrestricted.")
    unrestricted = serializers.BooleanField()


class WaySerializer(serializers.Serializer[Any]):
    """Something that would give it, or more of it."""

    how = serializers.ChoiceField(
        ["seat", "version", "more", "sale"],
        help_text="A seat of what the customer has; a newer version of it; one more of an add-on that it has; or what "
        "is on sale and it has not bought.",
    )
    code = serializers.CharField()
    name = serializers.CharField()
    type = serializers.CharField(help_text="plan, add_on or module.")
    version = serializers.IntegerField(allow_null=True)
    module = serializers.CharField(help_text="owner.module")
    gives = _AnswerSerializer(help_text="What the answer would be then.")
    releases = serializers.ListField(child=serializers.CharField(), help_text="Plans that would make way for it.")
    needs = serializers.CharField(allow_null=True, help_text="A module that is missing for it.")
    seats = _FreeSeatsSerializer(allow_null=True, help_text="null where the customer has none of it.")
    words = serializers.CharField()


class HappeningSerializer(serializers.Serializer[Any]):
    """Something that happened at the instant of a change."""

    kind = serializers.CharField(help_text="seats, user, override, package, or dates (what the clock made of one).")
    words = serializers.CharField()
    actor = serializers.CharField(allow_blank=True, help_text="Empty for the clock, and for who may not know.")
    reason = serializers.CharField(allow_blank=True)
    seats_gained = serializers.ListField(child=serializers.CharField(), help_text="owner.module")
    seats_lost = serializers.ListField(child=serializers.CharField(), help_text="owner.module")
    change_set = serializers.IntegerField(allow_null=True)
    package = serializers.CharField(allow_null=True)


class ChangedLastSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    revision = serializers.IntegerField()
    before = _AnswerSerializer(allow_null=True, help_text="null where nothing was recorded before.")
    after = _AnswerSerializer()
    causes = HappeningSerializer(many=True)


class ExplanationSerializer(serializers.Serializer[Any]):
    because = serializers.CharField()
    rule = serializers.CharField(allow_null=True)
    merged = serializers.JSONField(allow_null=True, help_text="What the sources give before overrides.")
    sources = serializers.ListField(child=serializers.DictField())
    overrides = serializers.ListField(child=serializers.DictField())
    would_give = WaySerializer(many=True, help_text="What else would give it, or more of it.")
    changed_last = ChangedLastSerializer(allow_null=True, help_text="When the answer became what it is, and by what.")


class EntitlementSerializer(_HeadSerializer):
    feature = serializers.CharField()
    kind = serializers.ChoiceField(["switch", "limit", "level"])
    access = serializers.ChoiceField(["none", "view", "edit"])
    value = serializers.JSONField(allow_null=True)
    unlimited = serializers.BooleanField(required=False)
    explain = ExplanationSerializer(required=False)


class UserSerializer(serializers.ModelSerializer[CustomerUser]):
    """A user with the plans they hold; the view gives `context["held"]`: user id → seats, and `rows`: the package."""

    status = serializers.SerializerMethodField()
    multi_plan = serializers.SerializerMethodField()
    plans = serializers.SerializerMethodField()
    modules = serializers.SerializerMethodField()

    class Meta:
        model = CustomerUser
        fields = (
            "code",
            "name",
            "email",
            "status",
            "can_log_in",
            "is_former_employee",
            "multi_plan",
            "plans",
            "modules",
            "last_seen_at",
            "created_at",
            "erased_at",
        )

    def get_status(self, user: CustomerUser) -> str:
        if user.is_former_employee:
            return "former_employee"
        return "active" if user.can_log_in else "cannot_log_in"

    def get_multi_plan(self, user: CustomerUser) -> bool:
        return len({solution for row in self._plans(user) for solution in row.solutions}) > 1

    def get_plans(self, user: CustomerUser) -> list[dict[str, Any]]:
        return [
            {
                "code": row.offer_code or row.full_name,
                "tier": row.tier or None,
                "solutions": row.solutions,
                "version": row.version_number,
                "module": row.full_name,
            }
            for row in self._plans(user)
        ]

    def get_modules(self, user: CustomerUser) -> list[str]:
        return sorted(self.context["held"][user.pk])

    def _plans(self, user: CustomerUser) -> list[ModuleLicense]:
        rows = (self.context["rows"].get(module) for module in sorted(self.context["held"][user.pk]))
        return [row for row in rows if row is not None and row.is_plan]


class LicenseSerializer(serializers.ModelSerializer[ModuleLicense]):
    """A module licence record: every field of the domain's table, and what is in use."""

    code = serializers.CharField(source="full_name", help_text="owner.module")
    module_license_id = serializers.IntegerField(source="pk")
    owner = serializers.CharField(source="package.owner.code")
    module_owner_id = serializers.IntegerField(source="package.owner_id")
    package = serializers.IntegerField(source="package.number")
    license_type_name = serializers.CharField(source="get_license_type_display")
    allowed_assocs_mask = serializers.SerializerMethodField(help_text="Bit 0: internal associates.")
    registered_associate_id = serializers.SerializerMethodField(help_text="Always 0: written by the system.")
    updated = serializers.DateTimeField(source="registered", help_text="A record is never edited.")
    updated_associate_id = serializers.SerializerMethodField(help_text="Always 0: written by the system.")
    updated_count = serializers.SerializerMethodField(help_text="Always 0: a record is never edited.")
    is_user_plan = serializers.BooleanField(source="is_plan")
    plan = serializers.CharField(source="offer_code", help_text="The catalog's plan or add-on; empty if imported.")
    plan_version = serializers.IntegerField(source="version_number", allow_null=True)
    is_intact = serializers.SerializerMethodField(help_text="Whether it is what was signed; what isn't gives nothing.")
    in_use = serializers.SerializerMethodField(help_text="Distinct users; null for what is never assigned.")
    free = serializers.SerializerMethodField(help_text="null when unrestricted or never assigned.")

    class Meta:
        model = ModuleLicense
        fields = (
            "code",
            "module_license_id",
            "owner",
            "module_owner_id",
            "package",
            "module_name",
            "module_description",
            "module_version",
            "tooltip",
            "license_type",
            "license_type_name",
            "license_number",
            "allowed_assocs_mask",
            "allowed_user_type",
            "extra_flags",
            "extra_info",
            "encrypted_check",
            "sort_order",
            "signature",
            "is_intact",
            "unrestricted",
            "hidden",
            "prerequisite_module",
            "registered",
            "registered_associate_id",
            "updated",
            "updated_associate_id",
            "updated_count",
            "is_user_plan",
            "plan",
            "plan_version",
            "tier",
            "solutions",
            "in_use",
            "free",
        )

    def get_allowed_assocs_mask(self, row: ModuleLicense) -> int:
        return 1 if row.allowed_user_type == "InternalAssociate" else 0

    def get_registered_associate_id(self, row: ModuleLicense) -> int:
        return 0

    get_updated_associate_id = get_updated_count = get_registered_associate_id

    def get_is_intact(self, row: ModuleLicense) -> bool:
        return row.pk not in self.context["damaged"]

    def get_in_use(self, row: ModuleLicense) -> int | None:
        if row.license_type != ModuleLicense.Type.USER:
            return None
        return int(self.context["in_use"].get(row.full_name, 0))

    def get_free(self, row: ModuleLicense) -> int | None:
        in_use = self.get_in_use(row)
        return None if in_use is None or row.unrestricted else max(0, row.license_number - in_use)


class SeatSerializer(serializers.Serializer[Any]):
    user = serializers.CharField()
    module = serializers.CharField(help_text="owner.module")
    held = serializers.BooleanField()
    assigned_at = serializers.DateTimeField(required=False)
    assigned_by = serializers.CharField(required=False)
    change_set = serializers.IntegerField(required=False)
    reason = serializers.CharField(required=False)


class SeatWishSerializer(serializers.Serializer[Any]):
    """The body of a seat PUT; all of it may be left out."""

    release = serializers.ListField(
        child=serializers.CharField(max_length=500), required=False, max_length=50, help_text="Seats to give up for it."
    )
    assign = serializers.ListField(
        child=serializers.CharField(max_length=500),
        required=False,
        max_length=50,
        help_text="Further modules, at once.",
    )
    accept_loss = serializers.BooleanField(required=False, help_text="A solution may be lost on the way.")
    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class SeatChangeSerializer(serializers.Serializer[Any]):
    user = serializers.CharField()
    module = serializers.CharField()
    held = serializers.BooleanField()
    assigned = serializers.ListField(child=serializers.CharField())
    released = serializers.ListField(child=serializers.CharField())
    revision = serializers.IntegerField()
    change_set = serializers.IntegerField(allow_null=True, help_text="null where nothing changed.")
    dry_run = serializers.BooleanField()
