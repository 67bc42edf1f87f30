"""Webhooks of a customer: who is told when something changes (rules J-1 to J-6; docs/webhooks.md).

No answer with a secret in it is kept under an Idempotency-Key.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.access import get_customer, not_allowed
from customers.actor import Actor
from customers.api.base import CustomerMixin
from customers.api.params import bad_parameter, refuse_unknown, required_number
from customers.api.permissions import scope_for
from customers.delivering import limits
from customers.errors import NotFound
from customers.events import TYPES
from customers.models import Customer, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from customers.services import webhooks
from licensing.api.bodies import body_of
from licensing.api.filters import DeliveryFilter
from licensing.services.replaying import replay

READ = "webhooks:read"
WRITE = "webhooks:write"
TOLD = "entitlements:read"  # what events tell: whoever decides where they go must be allowed to read it
_SECRET = {"Cache-Control": "no-store"}
CUSTOMER = OpenApiParameter("customer", str, required=True, description="Whose users to tell of.")
_KNOWN = "The last revision that the receiver knows."
AFTER = OpenApiParameter("after", int, required=True, description=_KNOWN)


class WebhookSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    id = serializers.IntegerField(source="pk")
    types = serializers.ListField(child=serializers.CharField(), help_text="Empty: all.")
    secrets = serializers.SerializerMethodField(help_text="How many sign: two while rotating.")

    class Meta:
        model = WebhookEndpoint
        fields: tuple[str, ...] = (
            *("id", "url", "description", "types", "is_active", "disabled_reason", "failing_since"),
            *("secrets", "created_at"),
        )

    def get_secrets(self, endpoint: WebhookEndpoint) -> int:
        """Returns how many secrets are live."""
        return len(endpoint.secrets.all())


class NewWebhookSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=500)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    types = serializers.ListField(
        child=serializers.ChoiceField(sorted(TYPES)), required=False, help_text="Absent or empty: all."
    )


class WebhookEditSerializer(NewWebhookSerializer):
    url = serializers.CharField(max_length=500, required=False)
    is_active = serializers.BooleanField(required=False)


class MadeWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="Shown this once.")

    class Meta(WebhookSerializer.Meta):
        fields = (*WebhookSerializer.Meta.fields, "secret")


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Shown this once.")


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    id = serializers.IntegerField(source="pk")
    event = serializers.CharField(source="event_id", help_text="The number in webhook-id.")
    type = serializers.CharField(source="event.type")
    customer = serializers.CharField(source="customer.code", default=None, allow_null=True)
    revision = serializers.IntegerField(source="event.revision", allow_null=True)
    state = serializers.CharField(help_text="waiting, delivered or given_up.")
    status = serializers.IntegerField(allow_null=True, help_text="What the receiver answered last.")

    class Meta:
        model = WebhookDelivery
        fields: tuple[str, ...] = (
            *("id", "event", "type", "customer", "revision", "state", "attempts", "created_at", "next_attempt_at"),
            *("delivered_at", "given_up_at", "status", "answer", "took_ms"),
        )


class AttemptSerializer(serializers.ModelSerializer[WebhookAttempt]):
    status = serializers.IntegerField(allow_null=True, help_text="null where nothing was answered.")

    class Meta:
        model = WebhookAttempt
        fields = ("at", "status", "answer", "took_ms")


class DeliveryInFullSerializer(DeliverySerializer):
    body = serializers.CharField(source="event.body", help_text="What is posted, to the byte.")
    tries = serializers.SerializerMethodField(help_text=f"The last {webhooks.MOST_TRIES}, the newest first.")

    class Meta(DeliverySerializer.Meta):
        fields = (*DeliverySerializer.Meta.fields, "body", "tries")

    @extend_schema_field(AttemptSerializer(many=True))
    def get_tries(self, delivery: WebhookDelivery) -> Any:
        """Returns each try, and what was answered."""
        return AttemptSerializer(webhooks.tries_of(delivery), many=True).data


class WebhookList(CustomerMixin, GenericAPIView[WebhookEndpoint]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": READ, "POST": WRITE}
    queryset = WebhookEndpoint.objects.none()
    serializer_class = WebhookSerializer
    ordering = ("pk",)

    @extend_schema(responses=WebhookSerializer(many=True))
    def get(self, request: Request, customer: str = "") -> Response:
        """The addresses that the customer's events are posted to."""
        rows = _of(_whose(self))
        page: Any = self.paginate_queryset(self.filter_queryset(rows)) or []
        return self.get_paginated_response(WebhookSerializer(page, many=True).data)

    @extend_schema(request=NewWebhookSerializer, responses={201: MadeWebhookSerializer})
    def post(self, request: Request, customer: str = "") -> Response:
        """Adds an address; the answer has its secret, this once. Needs `entitlements:read`, too."""
        found = _whose(self)
        _may_tell(self, found)
        refuse_unknown(request, [])
        made, secret = webhooks.create_webhook(
            actor=self.access.actor,
            customer=found,
            allowed=limits(),
            at=timezone.now(),
            **body_of(request, NewWebhookSerializer),
        )
        return Response(WebhookSerializer(made).data | {"secret": secret}, status=201, headers=_SECRET)


class _OfWebhook(CustomerMixin, APIView):
    def endpoint(self, number: int) -> WebhookEndpoint:
        """Returns the customer's webhook; below no customer, one for all of them. Raises NotFound."""
        found: WebhookEndpoint | None = _of(_whose(self)).filter(pk=number).first()
        if found is None:
            raise NotFound("webhook", str(number))
        return found

    def told(self, number: int) -> WebhookEndpoint:
        """Returns the webhook to whoever may have events sent to it. Raises NotFound, Forbidden."""
        found = self.endpoint(number)
        _may_tell(self, found.customer)
        return found


class WebhookDetail(_OfWebhook):
    required_scopes: ClassVar[dict[str, str]] = {"GET": READ, "PATCH": WRITE, "DELETE": WRITE}

    @extend_schema(responses=WebhookSerializer)
    def get(self, request: Request, webhook: int, customer: str = "") -> Response:
        """One address, and whether it answers."""
        refuse_unknown(request, [])
        return Response(WebhookSerializer(self.endpoint(webhook)).data)

    @extend_schema(request=WebhookEditSerializer, responses=WebhookSerializer)
    def patch(self, request: Request, webhook: int, customer: str = "") -> Response:
        """Changes it, or switches it on or off. Needs `entitlements:read`, too."""
        found, actor, at = self.told(webhook), self.access.actor, timezone.now()
        refuse_unknown(request, [])
        asked = body_of(request, WebhookEditSerializer)
        is_active = asked.pop("is_active", None)
        found = webhooks.edit_webhook(endpoint=found, allowed=limits(), actor=actor, at=at, **asked)
        if is_active is not None:
            found = webhooks.switch_webhook(endpoint=found, is_active=is_active, actor=actor, at=at)
        return Response(WebhookSerializer(found).data)

    @extend_schema(request=None, responses=WebhookSerializer)
    def delete(self, request: Request, webhook: int, customer: str = "") -> Response:
        """Removes it with its secrets and the record of its deliveries. Answers what it was."""
        found = self.endpoint(webhook)
        refuse_unknown(request, [])
        told = WebhookSerializer(found).data
        webhooks.delete_webhook(actor=self.access.actor, endpoint=found, at=timezone.now())
        return Response(told)


class WebhookSecrets(_OfWebhook):
    required_scopes: ClassVar[dict[str, str]] = {"POST": WRITE, "DELETE": WRITE}

    @extend_schema(request=None, responses={201: SecretSerializer})
    def post(self, request: Request, webhook: int, customer: str = "") -> Response:
        """Adds a second secret; both sign until the older one is retired."""
        found = self.endpoint(webhook)
        refuse_unknown(request, [])
        secret = webhooks.issue_secret(actor=self.access.actor, endpoint=found, at=timezone.now())
        return Response({"secret": secret}, status=201, headers=_SECRET)

    @extend_schema(request=None, responses=WebhookSerializer)
    def delete(self, request: Request, webhook: int, customer: str = "") -> Response:
        """Retires the older of two secrets; a single one stays."""
        found = self.endpoint(webhook)
        refuse_unknown(request, [])
        webhooks.retire_secret(actor=self.access.actor, endpoint=found, at=timezone.now())
        return Response(WebhookSerializer(self.endpoint(webhook)).data)


class WebhookTest(_OfWebhook):
    required_scopes: ClassVar[dict[str, str]] = {"POST": WRITE}

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, webhook: int, customer: str = "") -> Response:
        """Sends a test, whatever types the address asked for; what came of it is among the deliveries."""
        found = self.endpoint(webhook)
        refuse_unknown(request, [])
        sent = webhooks.send_test(actor=self.access.actor, endpoint=found, at=timezone.now())
        return Response(DeliverySerializer(sent).data, status=202)


class WebhookReplay(_OfWebhook):
    required_scopes: ClassVar[dict[str, str]] = {"POST": WRITE}

    @extend_schema(parameters=[AFTER], request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, customer: str, webhook: int) -> Response:
        """Sends the present state of whoever's entitlements changed after a revision, to this address alone.

        Needs `entitlements:read`, too.
        """
        found, whose = self.told(webhook), self.customer
        refuse_unknown(request, ["after"])
        return _replayed(request, found, whose, self.access.actor)


class WebhookDeliveries(_OfWebhook, GenericAPIView[WebhookDelivery]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": READ}
    queryset = WebhookDelivery.objects.none()
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    ordering = ("-pk",)

    @extend_schema(responses=DeliverySerializer(many=True))
    def get(self, request: Request, webhook: int, customer: str = "") -> Response:
        """What became of each event of the last 30 days, the newest first."""
        rows = WebhookDelivery.objects.filter(endpoint=self.endpoint(webhook)).select_related("event", "customer")
        page: Any = self.paginate_queryset(self.filter_queryset(rows)) or []
        return self.get_paginated_response(DeliverySerializer(page, many=True).data)


class WebhookDeliveryDetail(_OfWebhook):
    required_scopes: ClassVar[dict[str, str]] = {"GET": READ}

    @extend_schema(responses=DeliveryInFullSerializer)
    def get(self, request: Request, webhook: int, delivery: int, customer: str = "") -> Response:
        """One event on its way to one address: what is posted, and what was answered each time.

        Needs `entitlements:read`, too.
        """
        found = self.told(webhook)
        refuse_unknown(request, [])
        return Response(DeliveryInFullSerializer(webhooks.delivery_of(found, delivery)).data)


class WebhookAgain(_OfWebhook):
    required_scopes: ClassVar[dict[str, str]] = {"POST": WRITE}

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, webhook: int, delivery: int, customer: str = "") -> Response:
        """Sends an event again, under the same webhook-id. Needs `entitlements:read`, too."""
        found = self.told(webhook)
        refuse_unknown(request, [])
        row = webhooks.delivery_of(found, delivery)
        again = webhooks.send_again(actor=self.access.actor, delivery=row, at=timezone.now())
        return Response(DeliverySerializer(again).data, status=202)


class AllWebhookList(WebhookList):
    """The addresses that events of all customers are posted to, and what concerns none of them."""


class AllWebhookDetail(WebhookDetail):
    pass


class AllWebhookSecrets(WebhookSecrets):
    pass


class AllWebhookTest(WebhookTest):
    pass


class AllWebhookReplay(_OfWebhook):
    required_scopes: ClassVar[dict[str, str]] = {"POST": WRITE}

    @extend_schema(parameters=[CUSTOMER, AFTER], request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, webhook: int) -> Response:
        """Sends the present state of whoever's entitlements changed at one customer after a revision of it.

        Needs `entitlements:read`, too.
        """
        found = self.told(webhook)
        refuse_unknown(request, ["customer", "after"])
        code = request.query_params.get("customer")
        if not code:
            raise bad_parameter("customer", "The code of a customer, whose revisions these are.")
        return _replayed(request, found, get_customer(self.access, code, WRITE), self.access.actor)


class AllWebhookDeliveries(WebhookDeliveries):
    pass


class AllWebhookDeliveryDetail(WebhookDeliveryDetail):
    pass


class AllWebhookAgain(WebhookAgain):
    pass


def _whose(view: Any) -> Customer | None:
    """Returns the customer of the path; None where it names none, which is for callers of all customers alone."""
    if "customer" in view.kwargs:
        found: Customer = view.customer
        return found
    if not view.access.allows(scope_for(view, view.request.method)):
        raise not_allowed()
    return None


def _may_tell(view: Any, customer: Customer | None) -> None:
    """Raises Forbidden unless the caller may read what events tell: of this customer; without one, of all."""
    if not view.access.allows(TOLD, None if customer is None else customer.pk):
        raise not_allowed()


def _replayed(request: Request, endpoint: WebhookEndpoint, customer: Customer, actor: Actor) -> Response:
    after = required_number(request, "after", _KNOWN)
    sent = replay(actor=actor, endpoint=endpoint, customer=customer, after=after)
    return Response(DeliverySerializer(sent).data, status=202)


def _of(customer: Customer | None) -> Any:
    return WebhookEndpoint.objects.filter(customer=customer).prefetch_related("secrets")
