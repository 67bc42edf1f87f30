"""What is used of limits: read, reported, reserved (rules L-1 to L-7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.kinds import LARGEST_LIMIT
from catalog.models import Feature
from customers.api.base import CustomerMixin
from customers.api.params import flag, refuse_unknown
from customers.idempotency import idempotent
from customers.models import CustomerUser
from licensing.api.bodies import body_of
from licensing.api.filters import UsageFilter
from licensing.api.parameters import DRY_RUN, KEY
from licensing.api.users import get_user
from licensing.services.metering import (
    LONGEST_RESERVATION,
    Subject,
    Usage,
    add_usage,
    confirm_reservation,
    counted,
    find_reservation,
    release_reservation,
    reserve,
    set_usage,
    usage_of,
    usages_of,
)
from licensing.usage import UsageState

READ = "usage:read"
WRITE = "usage:write"


class PeriodSerializer(serializers.Serializer[Any]):
    resets = serializers.CharField(help_text="calendar_month or contract_month.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="When counting starts again from 0.")


class UsageSerializer(serializers.Serializer[Any]):
    customer = serializers.CharField()
    user = serializers.CharField(allow_null=True, help_text="Null: all users of the customer together.")
    feature = serializers.CharField()
    unit = serializers.CharField()
    access = serializers.ChoiceField(["none", "view", "edit"])
    limit = serializers.IntegerField(allow_null=True, help_text="Null where unlimited; 0 without edit.")
    unlimited = serializers.BooleanField()
    used = serializers.IntegerField()
    reserved = serializers.IntegerField(help_text="Set aside by reservations that are open.")
    remaining = serializers.IntegerField(allow_null=True, help_text="Never below 0; null where unlimited.")
    state = serializers.ChoiceField([(s.value, s.name) for s in UsageState], help_text="near: from 85 % on.")
    period = PeriodSerializer(allow_null=True, help_text="Null where counting never starts again.")
    as_of = serializers.DateTimeField()


class ChangedUsageSerializer(UsageSerializer):
    dry_run = serializers.BooleanField()


class ReservedUsageSerializer(ChangedUsageSerializer):
    reservation = serializers.UUIDField(allow_null=True, help_text="Null where it was counted at once.")
    expires_at = serializers.DateTimeField(allow_null=True)


class SetUsageSerializer(serializers.Serializer[Any]):
    used = serializers.IntegerField(min_value=0, max_value=LARGEST_LIMIT, help_text="How much is used in all.")


class AddUsageSerializer(serializers.Serializer[Any]):
    add = serializers.IntegerField(
        min_value=-LARGEST_LIMIT, max_value=LARGEST_LIMIT, help_text="How much more is used; below 0: less."
    )


class ReserveSerializer(serializers.Serializer[Any]):
    amount = serializers.IntegerField(min_value=1, max_value=LARGEST_LIMIT, default=1)
    expires_in = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=int(LONGEST_RESERVATION.total_seconds()),
        help_text="Seconds for which it is set aside, to be confirmed or released; absent: counted at once.",
    )


class ConfirmSerializer(serializers.Serializer[Any]):
    used = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=LARGEST_LIMIT, help_text="All of it if absent."
    )


class _Counting(CustomerMixin, APIView):
    """What addresses of one limit share; `user` is in the path for those counted per user."""

    def subject(self, feature: str, user: str | None) -> Subject:
        customer = self.customer
        return counted(customer, None if user is None else get_user(customer, user), feature)


class CustomerUsage(_Counting):
    required_scopes: ClassVar[dict[str, str]] = {"GET": READ, "PUT": WRITE, "POST": WRITE}

    @extend_schema(responses=UsageSerializer)
    def get(self, request: Request, customer: str, feature: str, user: str | None = None) -> Response:
        """How much of a limit is used, and how much is left."""
        refuse_unknown(request, [])
        return Response(_told(usage_of(self.subject(feature, user))))

    @extend_schema(parameters=[DRY_RUN, KEY], request=SetUsageSerializer, responses=ChangedUsageSerializer)
    @idempotent
    def put(self, request: Request, customer: str, feature: str, user: str | None = None) -> Response:
        """Says how much is used in all; it may be more than the limit."""
        subject, dry_run = self.subject(feature, user), _dry(request)
        asked = body_of(request, SetUsageSerializer)
        return _changed(set_usage(subject=subject, used=asked["used"], dry_run=dry_run), dry_run)

    @extend_schema(parameters=[DRY_RUN, KEY], request=AddUsageSerializer, responses=ChangedUsageSerializer)
    @idempotent
    def post(self, request: Request, customer: str, feature: str, user: str | None = None) -> Response:
        """Says how much more is used; send an Idempotency-Key, so that a repetition counts once."""
        subject, dry_run = self.subject(feature, user), _dry(request)
        asked = body_of(request, AddUsageSerializer)
        return _changed(add_usage(subject=subject, amount=asked["add"], dry_run=dry_run), dry_run)


class CustomerReserve(_Counting):
    required_scopes: ClassVar[dict[str, str]] = {"POST": WRITE}

    @extend_schema(
        parameters=[DRY_RUN, KEY],
        request=ReserveSerializer,
        responses={201: ReservedUsageSerializer, 200: ReservedUsageSerializer},
    )
    @idempotent
    def post(self, request: Request, customer: str, feature: str, user: str | None = None) -> Response:
        """Takes so much if it is left, else nothing: 409 `limit_reached` names what would allow it."""
        subject, dry_run = self.subject(feature, user), _dry(request)
        asked = body_of(request, ReserveSerializer)
        seconds = asked.get("expires_in")
        usage, held = reserve(
            subject=subject,
            amount=asked["amount"],
            expires_in=None if seconds is None else timedelta(seconds=seconds),
            dry_run=dry_run,
        )
        told = {
            "reservation": str(held.token) if held and not dry_run else None,
            "expires_at": held.expires_at if held else None,
        }
        return _changed(usage, dry_run, status=200 if dry_run else 201, **told)


class UserUsage(CustomerUsage):
    """The same of one user."""


class UserReserve(CustomerReserve):
    """The same of one user."""


class ReservationConfirm(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"POST": WRITE}

    @extend_schema(parameters=[DRY_RUN, KEY], request=ConfirmSerializer, responses=ChangedUsageSerializer)
    @idempotent
    def post(self, request: Request, customer: str, reservation: Any) -> Response:
        """Counts what was reserved as used, or a part of it."""
        found, dry_run = find_reservation(self.customer, reservation), _dry(request)
        asked = body_of(request, ConfirmSerializer)
        return _changed(confirm_reservation(reservation=found, used=asked.get("used"), dry_run=dry_run), dry_run)


class ReservationDetail(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"DELETE": WRITE}

    @extend_schema(parameters=[DRY_RUN, KEY], request=None, responses=ChangedUsageSerializer)
    @idempotent
    def delete(self, request: Request, customer: str, reservation: Any) -> Response:
        """Gives back what was reserved."""
        found, dry_run = find_reservation(self.customer, reservation), _dry(request)
        return _changed(release_reservation(reservation=found, dry_run=dry_run), dry_run)


class _Usages(CustomerMixin, GenericAPIView[Feature]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": READ}
    queryset = Feature.objects.none()
    serializer_class = UsageSerializer
    filterset_class = UsageFilter
    ordering = ("code",)

    def answer(self, user: CustomerUser | None) -> Response:
        counts = Feature.Counts.PER_CUSTOMER if user is None else Feature.Counts.PER_USER
        rows = self.filter_queryset(Feature.objects.published().filter(counts=counts))
        page: Any = self.paginate_queryset(rows) or []
        return self.get_paginated_response([_told(usage) for usage in usages_of(self.customer, user, page)])


class CustomerUsages(_Usages):
    @extend_schema(responses=UsageSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """The limits that all users of the customer use together, and what is left of them."""
        return self.answer(None)


class UserUsages(_Usages):
    @extend_schema(responses=UsageSerializer(many=True))
    def get(self, request: Request, customer: str, user: str) -> Response:
        """The limits that are counted per user, and what is left of them to this one."""
        return self.answer(get_user(self.customer, user))


def _dry(request: Request) -> bool:
    refuse_unknown(request, ["dry_run"])
    return flag(request, "dry_run")


def _changed(usage: Usage, dry_run: bool, status: int = 200, **more: Any) -> Response:
    return Response(_told(usage) | {"dry_run": dry_run} | more, status=status)


def _told(usage: Usage) -> dict[str, Any]:
    subject, tally, window = usage.subject, usage.tally, usage.window
    whole = isinstance(tally.limit, int)
    period = window and {"resets": subject.feature.resets, "starts_at": window.starts_at, "ends_at": window.ends_at}
    return {
        "customer": subject.customer.code,
        "user": subject.user.code if subject.user else None,
        "feature": subject.feature.code,
        "unit": subject.feature.unit,
        "access": usage.access,
        "limit": tally.limit if whole else None,
        "unlimited": not whole,
        "used": tally.used,
        "reserved": tally.reserved,
        "remaining": tally.remaining,
        "state": tally.state.value,
        "period": period,
        "as_of": usage.at,
    }
