"""Overrides: what a customer or one of its users has beside what was sold; read, granted, ended (rules O-1 to O-7)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.kinds import UNLIMITED
from customers.api.base import CustomerMixin
from customers.api.fields import InstantField
from customers.api.params import flag, instant, refuse_unknown
from customers.errors import NotFound
from customers.idempotency import idempotent
from customers.models import Customer
from customers.replica import ReplicaServes
from licensing.api.bodies import body_of
from licensing.api.contract_serializers import EffectSerializer
from licensing.api.filters import OverrideFilter
from licensing.api.parameters import DRY_RUN, KEY
from licensing.api.users import get_user
from licensing.facts import Mode
from licensing.models import CustomerRevision, Override
from licensing.overriding import OverrideEffects, effects_of_ending, effects_of_granting
from licensing.services.overrides import end_override, grant_override

LONGEST_REASON: int = 2000
ENDING_BEFORE = OpenApiParameter("ending_before", str, description="Only those not over yet that end before this.")


class OverrideSerializer(serializers.ModelSerializer[Override]):
    """An override; the view gives `context["at"]`, the instant at which its `state` is told."""

    id = serializers.IntegerField(source="pk", allow_null=True, help_text="Null in a dry run.")
    user = serializers.CharField(source="user.code", allow_null=True, default=None, help_text="Null: of everybody.")
    feature = serializers.CharField(source="feature.code")
    feature_name = serializers.CharField(source="feature.name")
    kind = serializers.CharField(source="feature.kind")
    value = serializers.JSONField(allow_null=True, help_text="Null for a deny, and where it is unlimited.")
    state = serializers.SerializerMethodField()
    granted_by = serializers.CharField(source="created_by")
    granted_at = serializers.DateTimeField(source="created_at")

    class Meta:
        model = Override
        fields = (
            *("id", "user", "feature", "feature_name", "kind", "mode", "value", "unlimited", "reason"),
            *("starts_at", "ends_at", "ended_at", "state", "granted_by", "granted_at"),
        )

    def get_state(self, override: Override) -> str:
        """`scheduled`, `live` or `ended`."""
        return override.state_at(self.context["at"]).value


class OverrideChangeSerializer(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    revision = serializers.IntegerField()
    override = OverrideSerializer()
    changes_at = serializers.DateTimeField(help_text="From when on it makes a difference.")
    features = EffectSerializer(many=True, help_text="What the user, or the customer as a whole, gains and loses.")
    users_changed = serializers.IntegerField(help_text="How many users get another answer.")
    users_worse = serializers.IntegerField(help_text="How many of them lose something, or get less of it.")


class NewOverrideSerializer(serializers.Serializer[Any]):
    feature = serializers.CharField(max_length=200)
    mode = serializers.ChoiceField([mode.value for mode in Mode])
    value = serializers.JSONField(
        required=False, allow_null=True, help_text="By kind: true or false, a whole number, a choice. None for deny."
    )
    unlimited = serializers.BooleanField(required=False, help_text="For limits, in place of a value.")
    user = serializers.CharField(
        required=False, allow_null=True, max_length=64, help_text="Of one user; of the whole customer if absent."
    )
    reason = serializers.CharField(max_length=LONGEST_REASON)
    starts_at = InstantField(required=False, allow_null=True, help_text="Now if absent.")
    ends_at = InstantField(required=False, allow_null=True, help_text="Never if absent.")

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if data.pop("unlimited", False):
            if data.get("value") is not None:
                raise serializers.ValidationError({"unlimited": "Give a value or unlimited, not both."})
            data["value"] = UNLIMITED
        return data


class OverrideList(ReplicaServes, CustomerMixin, GenericAPIView[Override]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "customers:read", "POST": "overrides:write"}
    queryset = Override.objects.none()
    serializer_class = OverrideSerializer
    filterset_class = OverrideFilter
    ordering = ("-pk",)
    extra_parameters = ("ending_before",)

    @extend_schema(parameters=[ENDING_BEFORE], responses=OverrideSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """The overrides of the customer and of its users, the newest first; those that are over, too."""
        rows, at = _overrides(self.customer), timezone.now()
        before = instant(request, "ending_before")
        if before is not None:
            rows = rows.not_over(at).filter(stop__lt=before)
        page: Any = self.paginate_queryset(self.filter_queryset(rows)) or []
        return self.get_paginated_response(OverrideSerializer(page, many=True, context={"at": at}).data)

    @extend_schema(
        parameters=[DRY_RUN, KEY],
        request=NewOverrideSerializer,
        responses={201: OverrideChangeSerializer, 200: OverrideChangeSerializer},
    )
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """Grants an override, of the customer or of one user; 201, or 200 for a dry run."""
        found = self.customer  # who may not know of it is told nothing about the body
        refuse_unknown(request, ["dry_run"])
        dry_run = flag(request, "dry_run")
        asked = body_of(request, NewOverrideSerializer)
        user = asked.pop("user", None)
        override = grant_override(
            customer=found,
            actor=self.access.actor,
            user=None if user is None else get_user(found, user),
            mode=Mode(asked.pop("mode")),
            dry_run=dry_run,
            **asked,
        )
        told = _told(found, override, effects_of_granting(override), dry_run)
        return Response(told, status=200 if dry_run else 201)


class OverrideDetail(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "customers:read", "DELETE": "overrides:write"}

    @extend_schema(responses=OverrideSerializer)
    def get(self, request: Request, customer: str, override: int) -> Response:
        """One override: who granted it, when and why, and whether it is live."""
        refuse_unknown(request, [])
        found = _override(self.customer, override)
        return Response(OverrideSerializer(found, context={"at": timezone.now()}).data)

    @extend_schema(parameters=[DRY_RUN, KEY], request=None, responses=OverrideChangeSerializer)
    @idempotent
    def delete(self, request: Request, customer: str, override: int) -> Response:
        """Ends an override now; the record of it stays."""
        found = self.customer
        refuse_unknown(request, ["dry_run"])
        dry_run = flag(request, "dry_run")
        ended = end_override(
            customer=found, actor=self.access.actor, override=_override(found, override), dry_run=dry_run
        )
        return Response(_told(found, ended, effects_of_ending(ended), dry_run))


def _overrides(customer: Customer) -> Any:
    return Override.objects.filter(customer=customer).select_related("customer", "user", "feature")


def _override(customer: Customer, number: int) -> Override:
    found: Override | None = _overrides(customer).filter(pk=number).first()
    if found is None:
        raise NotFound("override", str(number))
    return found


def _told(customer: Customer, override: Override, effects: OverrideEffects, dry_run: bool) -> dict[str, Any]:
    head = CustomerRevision.objects.get(customer=customer)
    told = OverrideSerializer(override, context={"at": override.ended_at or override.created_at}).data
    return {
        "dry_run": dry_run,
        "revision": head.number,
        "override": told | ({"id": None} if dry_run and override.ended_at is None else {}),
        "changes_at": effects.at,
        "features": [
            {
                "feature": difference.feature.code,
                "name": difference.name,
                "effect": difference.effect.value,
                "before": difference.before,
                "after": difference.after,
            }
            for difference in effects.differences
        ],
        "users_changed": effects.users.changed,
        "users_worse": effects.users.worse,
    }
