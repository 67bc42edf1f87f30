"""API clients of a customer: what they may do, how often, and their keys (rules A-5 to A-9).

No answer with a key in it is kept under an Idempotency-Key.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.api.base import CustomerMixin
from customers.api.fields import InstantField
from customers.api.params import refuse_unknown
from customers.errors import Invalid, NotFound
from customers.models import ApiClient, ApiKey, Customer
from customers.scopes import SCOPES
from customers.services import keys
from licensing.api.bodies import body_of
from licensing.api.filters import ClientFilter
from licensing.services.onboarding import faults_of

READ = "clients:read"
WRITE = "clients:write"
_MOST_CALLS = 2_147_483_647


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    id = serializers.IntegerField(source="pk")

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = ("id", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")


class NewKeySerializer(serializers.Serializer[Any]):
    expires_at = InstantField(required=False, allow_null=True, help_text="Absent: never.")


class MadeKeySerializer(ApiKeySerializer):
    key = serializers.CharField(help_text="Shown this once.")

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")


class ClientSerializer(serializers.ModelSerializer[ApiClient]):
    id = serializers.IntegerField(source="pk")
    scopes = serializers.ListField(child=serializers.CharField())
    calls_per_minute = serializers.IntegerField(allow_null=True, help_text="null: as everybody.")

    class Meta:
        model = ApiClient
        fields = ("id", "name", "scopes", "calls_per_minute", "is_active", "created_at")


class NewClientSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(sorted(SCOPES)), allow_empty=False, help_text="Such as you hold."
    )
    calls_per_minute = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=_MOST_CALLS, help_text="Absent or null: as everybody."
    )


class ClientEditSerializer(NewClientSerializer):
    name = serializers.CharField(max_length=100, required=False)
    scopes = serializers.ListField(child=serializers.ChoiceField(sorted(SCOPES)), allow_empty=False, required=False)
    is_active = serializers.BooleanField(required=False)


class ClientList(CustomerMixin, GenericAPIView[ApiClient]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": READ, "POST": WRITE}
    queryset = ApiClient.objects.none()
    serializer_class = ClientSerializer
    filterset_class = ClientFilter
    ordering = ("pk",)

    @extend_schema(responses=ClientSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """The clients bound to the customer."""
        rows = ApiClient.objects.filter(customer=self.customer)
        page: Any = self.paginate_queryset(self.filter_queryset(rows)) or []
        return self.get_paginated_response(ClientSerializer(page, many=True).data)

    @extend_schema(request=NewClientSerializer, responses={201: ClientSerializer})
    def post(self, request: Request, customer: str) -> Response:
        """Makes a client that is bound to the customer; a key is issued thereafter."""
        found = self.customer
        refuse_unknown(request, [])
        asked = body_of(request, NewClientSerializer)
        held, now = self.access.scopes_in(found.pk), timezone.now()
        try:
            made = keys.create_client(actor=self.access.actor, customer=found, held=held, at=now, **asked)
        except ValidationError as fault:
            raise _refused(fault) from fault
        return Response(ClientSerializer(made).data, status=201)


class _OfClient(CustomerMixin, APIView):
    def client(self, number: int) -> ApiClient:
        """Returns the customer's client. Raises NotFound."""
        return client_of(self.customer, number)


class ClientDetail(_OfClient):
    required_scopes: ClassVar[dict[str, str]] = {"GET": READ, "PATCH": WRITE}

    @extend_schema(responses=ClientSerializer)
    def get(self, request: Request, customer: str, client: int) -> Response:
        """One client."""
        refuse_unknown(request, [])
        return Response(ClientSerializer(self.client(client)).data)

    @extend_schema(request=ClientEditSerializer, responses=ClientSerializer)
    def patch(self, request: Request, customer: str, client: int) -> Response:
        """Changes what it may do or how often; `is_active` false shuts it out, whatever keys it has."""
        found = self.client(client)
        refuse_unknown(request, [])
        asked = body_of(request, ClientEditSerializer)
        held, now = self.access.scopes_in(self.customer.pk), timezone.now()
        try:
            edited = keys.edit_client(actor=self.access.actor, client=found, held=held, at=now, **asked)
        except ValidationError as fault:
            raise _refused(fault) from fault
        return Response(ClientSerializer(edited).data)


class ClientKeys(_OfClient, GenericAPIView[ApiKey]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": READ, "POST": WRITE}
    queryset = ApiKey.objects.none()
    serializer_class = ApiKeySerializer
    ordering = ("-pk",)

    @extend_schema(responses=ApiKeySerializer(many=True))
    def get(self, request: Request, customer: str, client: int) -> Response:
        """Its keys, the newest first: never more than two of them live."""
        rows = self.client(client).keys.all()
        page: Any = self.paginate_queryset(self.filter_queryset(rows)) or []
        return self.get_paginated_response(ApiKeySerializer(page, many=True).data)

    @extend_schema(request=NewKeySerializer, responses={201: MadeKeySerializer})
    def post(self, request: Request, customer: str, client: int) -> Response:
        """Issues a key, shown this once; the one before stays live until it is revoked."""
        found = self.client(client)
        refuse_unknown(request, [])
        asked = body_of(request, NewKeySerializer)
        held, now = self.access.scopes_in(self.customer.pk), timezone.now()
        key, token = keys.issue_key(actor=self.access.actor, client=found, held=held, at=now, **asked)
        return Response(ApiKeySerializer(key).data | {"key": token}, status=201, headers={"Cache-Control": "no-store"})


class ClientKey(_OfClient):
    required_scopes: ClassVar[dict[str, str]] = {"DELETE": WRITE}

    @extend_schema(request=None, responses=ApiKeySerializer)
    def delete(self, request: Request, customer: str, client: int, number: int) -> Response:
        """Revokes a key; within a second it opens nothing anywhere."""
        found = self.client(client).keys.filter(pk=number).first()
        refuse_unknown(request, [])
        if found is None:
            raise NotFound("key", str(number))
        return Response(ApiKeySerializer(keys.revoke_key(actor=self.access.actor, key=found, at=timezone.now())).data)


def client_of(customer: Customer, number: int) -> ApiClient:
    """Returns a client that is bound to the customer. Raises NotFound."""
    found = ApiClient.objects.filter(customer=customer, pk=number).first()
    if found is None:
        raise NotFound("client", str(number))
    return found


def _refused(fault: ValidationError) -> Invalid:
    return Invalid("The client can't be kept like this.", faults_of(fault))
