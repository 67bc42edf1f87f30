"""Requests for more seats: asked for at the customer, answered by customer success (rules U-11 to U-15)."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.api.base import CustomerMixin
from customers.api.params import flag, refuse_unknown
from customers.errors import NotFound
from customers.idempotency import idempotent
from customers.models import Customer
from licensing.api.bodies import body_of
from licensing.api.filters import SeatRequestFilter
from licensing.api.parameters import DRY_RUN, KEY
from licensing.api.users import get_user
from licensing.models import SeatRequest
from licensing.services.requests import MOST, ask_for_seats, decline_request, grant_request, withdraw_request

LONGEST_WORDS: int = 2000


class SeatRequestSerializer(serializers.ModelSerializer[SeatRequest]):
    """A request, and what became of it."""

    id = serializers.IntegerField(source="pk", allow_null=True, help_text="Null in a dry run.")
    module = serializers.CharField(source="full_name", help_text="owner.module")
    name = serializers.CharField(source="module_description", help_text="What people call the module.")
    user = serializers.CharField(source="user.code", allow_null=True, default=None, help_text="For whom, if anybody.")
    reason = serializers.CharField(source="answer", help_text="What was said with the answer.")

    class Meta:
        model = SeatRequest
        fields = (
            *("id", "module", "name", "quantity", "user", "note", "state"),
            *("asked_by", "asked_at", "answered_by", "answered_at", "reason"),
        )


class NewSeatRequestSerializer(serializers.Serializer[Any]):
    module = serializers.CharField(max_length=500, help_text="owner.module, or bare for the own owner's.")
    quantity = serializers.IntegerField(min_value=1, max_value=MOST, help_text="How many more.")
    user = serializers.CharField(required=False, allow_null=True, max_length=64, help_text="For whom, if anybody.")
    note = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_WORDS)


class AnswerSerializer(serializers.Serializer[Any]):
    answer = serializers.ChoiceField(["grant", "decline"], help_text="Granting buys the seats, at once.")
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=LONGEST_WORDS, help_text="Required to decline."
    )


class AnsweredSerializer(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    request = SeatRequestSerializer()
    package = serializers.IntegerField(allow_null=True, help_text="The package that the seats come with.")
    active = serializers.BooleanField(help_text="Whether that package is in force at once.")


class SeatRequestList(CustomerMixin, GenericAPIView[SeatRequest]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "seats:read", "POST": "seats:write"}
    queryset = SeatRequest.objects.none()
    serializer_class = SeatRequestSerializer
    filterset_class = SeatRequestFilter
    ordering = ("-pk",)

    @extend_schema(responses=SeatRequestSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """The customer's requests, the newest first."""
        page: Any = self.paginate_queryset(self.filter_queryset(_requests(self.customer))) or []
        return self.get_paginated_response(SeatRequestSerializer(page, many=True).data)

    @extend_schema(
        parameters=[DRY_RUN, KEY],
        request=NewSeatRequestSerializer,
        responses={201: SeatRequestSerializer, 200: SeatRequestSerializer},
    )
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """Asks for more seats of a module; 201, or 200 for a dry run. One request per module is open at a time."""
        found = self.customer  # who may not know of it is told nothing about the body
        refuse_unknown(request, ["dry_run"])
        dry_run = flag(request, "dry_run")
        asked = body_of(request, NewSeatRequestSerializer)
        user = asked.pop("user", None)
        made = ask_for_seats(
            customer=found,
            actor=self.access.actor,
            user=None if user is None else get_user(found, user),
            dry_run=dry_run,
            **asked,
        )
        told = SeatRequestSerializer(made).data | ({"id": None} if dry_run else {})
        return Response(told, status=200 if dry_run else 201)


class SeatRequestDetail(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "seats:read", "DELETE": "seats:write"}

    @extend_schema(responses=SeatRequestSerializer)
    def get(self, request: Request, customer: str, number: int) -> Response:
        """One request: who asked for what, and what became of it."""
        refuse_unknown(request, [])
        return Response(SeatRequestSerializer(_request(self.customer, number)).data)

    @extend_schema(parameters=[DRY_RUN, KEY], request=None, responses=SeatRequestSerializer)
    @idempotent
    def delete(self, request: Request, customer: str, number: int) -> Response:
        """Withdraws an open request; its record stays."""
        found = self.customer
        refuse_unknown(request, ["dry_run"])
        withdrawn = withdraw_request(
            customer=found,
            actor=self.access.actor,
            request=_request(found, number),
            dry_run=flag(request, "dry_run"),
        )
        return Response(SeatRequestSerializer(withdrawn).data)


class SeatRequestAnswer(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"POST": "customers:write"}

    @extend_schema(parameters=[DRY_RUN, KEY], request=AnswerSerializer, responses=AnsweredSerializer)
    @idempotent
    def post(self, request: Request, customer: str, number: int) -> Response:
        """Grants a request, which buys the seats in the same transaction, or declines it with a reason."""
        found = self.customer
        refuse_unknown(request, ["dry_run"])
        dry_run = flag(request, "dry_run")
        asked = body_of(request, AnswerSerializer)
        who: dict[str, Any] = {"customer": found, "actor": self.access.actor, "request": _request(found, number)}
        who |= {"reason": asked.get("reason", ""), "dry_run": dry_run}
        if asked["answer"] == "decline":
            return Response(_told(decline_request(**who), None, dry_run))
        granted = grant_request(**who)
        return Response(_told(granted.request, granted.subscribed.issued.package, dry_run))


def _told(answered: SeatRequest, package: Any, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "request": SeatRequestSerializer(answered).data,
        "package": None if package is None else package.number,
        "active": package is not None and package.state == package.State.ACTIVE,
    }


def _requests(customer: Customer) -> Any:
    return SeatRequest.objects.filter(customer=customer).select_related("customer", "owner", "user")


def _request(customer: Customer, number: int) -> SeatRequest:
    found: SeatRequest | None = _requests(customer).filter(pk=number).first()
    if found is None:
        raise NotFound("seat_request", str(number))
    return found
