"""Subscriptions and their items: read, begin, change now or later, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.api.base import CustomerMixin
from customers.api.params import flag, instant, refuse_unknown
from customers.errors import NotFound
from customers.idempotency import idempotent
from customers.models import Customer
from licensing.api.bodies import body_of
from licensing.api.contract_serializers import (
    ContractChangeSerializer,
    ItemSerializer,
    ItemsWishSerializer,
    ItemWishSerializer,
    NewSubscriptionSerializer,
    PackageBriefSerializer,
    ReasonSerializer,
    SubscriptionSerializer,
)
from licensing.api.parameters import DRY_RUN, KEY
from licensing.models import CustomerRevision, Subscription, SubscriptionItem
from licensing.outlook import ModuleChange, Outlook, outlook_of
from licensing.services.subscriptions import (
    NOW,
    Due,
    Subscribed,
    cancel_scheduled,
    cancel_subscription,
    change_items,
    resume_subscription,
    subscribe,
)
from licensing.term import term_at

_SCOPES: dict[str, str] = {
    "GET": "customers:read",
    "POST": "customers:write",
    "PUT": "customers:write",
    "PATCH": "customers:write",
    "DELETE": "customers:write",
}
DUE_AT = OpenApiParameter("due_at", datetime, description="Only what is scheduled for this instant.")


class SubscriptionDetail(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = _SCOPES

    @extend_schema(responses=SubscriptionSerializer)
    def get(self, request: Request, customer: str) -> Response:
        """The subscription that runs, and its present term."""
        refuse_unknown(request, [])
        return Response(_subscription(running(self.customer), timezone.now()))

    @extend_schema(parameters=[DRY_RUN, KEY], request=NewSubscriptionSerializer, responses=ContractChangeSerializer)
    @idempotent
    def put(self, request: Request, customer: str) -> Response:
        """Starts the customer's subscription; its package follows at once, or on the day that it starts."""
        found = self.customer  # who may not know of it is told nothing about the body
        refuse_unknown(request, ["dry_run"])
        asked = body_of(request, NewSubscriptionSerializer)
        dry_run = flag(request, "dry_run")
        made = subscribe(customer=found, actor=self.access.actor, dry_run=dry_run, **asked)
        return Response(contract_change(self, made, dry_run))


class SubscriptionCancel(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = _SCOPES

    @extend_schema(parameters=[DRY_RUN, KEY], request=ReasonSerializer, responses=ContractChangeSerializer)
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """Cancels the subscription to the end of its running term."""
        found = self.customer
        refuse_unknown(request, ["dry_run"])
        dry_run = flag(request, "dry_run")
        reason = body_of(request, ReasonSerializer).get("reason", "")
        made = cancel_subscription(customer=found, actor=self.access.actor, reason=reason, dry_run=dry_run)
        return Response(contract_change(self, made, dry_run))


class SubscriptionResume(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = _SCOPES

    @extend_schema(parameters=[DRY_RUN, KEY], request=ReasonSerializer, responses=ContractChangeSerializer)
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """Takes the cancellation back: the subscription renews again."""
        found = self.customer
        refuse_unknown(request, ["dry_run"])
        dry_run = flag(request, "dry_run")
        reason = body_of(request, ReasonSerializer).get("reason", "")
        made = resume_subscription(customer=found, actor=self.access.actor, reason=reason, dry_run=dry_run)
        return Response(contract_change(self, made, dry_run))


class ItemList(CustomerMixin, GenericAPIView[SubscriptionItem]):
    required_scopes: ClassVar[dict[str, str]] = _SCOPES
    queryset = SubscriptionItem.objects.none()
    serializer_class = ItemSerializer
    filter_backends = ()
    ordering = ("starts_at", "pk")

    @extend_schema(responses=ItemSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """The items in force, and those scheduled for later."""
        now = timezone.now()
        page: Any = self.paginate_queryset(_items(self.customer, now).order_by("starts_at", "pk")) or []
        return self.get_paginated_response(ItemSerializer(page, many=True, context={"at": now}).data)

    @extend_schema(parameters=[DRY_RUN, KEY], request=ItemsWishSerializer, responses=ContractChangeSerializer)
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """Adds, swaps and resizes items, all of them or none: now, at the next renewal, or at an instant."""
        found = self.customer
        asked = body_of(request, ItemsWishSerializer)
        return Response(_changed(self, found, request, asked["items"], asked))


class ItemDetail(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = _SCOPES

    @extend_schema(parameters=[DRY_RUN, KEY], request=ItemWishSerializer, responses=ContractChangeSerializer)
    @idempotent
    def patch(self, request: Request, customer: str, offer: str) -> Response:
        """Resizes one item, or ends it: now, at the next renewal, or at an instant."""
        found = self.customer
        asked = body_of(request, ItemWishSerializer)
        return Response(_changed(self, found, request, {offer: asked["quantity"]}, asked))

    @extend_schema(parameters=[DRY_RUN, KEY, DUE_AT], request=None, responses=ContractChangeSerializer)
    @idempotent
    def delete(self, request: Request, customer: str, offer: str) -> Response:
        """Takes back what is scheduled of this item; what is in force stays."""
        refuse_unknown(request, ["dry_run", "due_at"])
        dry_run = flag(request, "dry_run")
        made = cancel_scheduled(
            customer=self.customer,
            actor=self.access.actor,
            offer=offer,
            due_at=instant(request, "due_at"),
            dry_run=dry_run,
        )
        return Response(contract_change(self, made, dry_run))


def running(customer: Customer) -> Subscription:
    """Returns the subscription that runs now. Raises NotFound."""
    found: Subscription | None = Subscription.objects.running().filter(customer=customer).first()
    if found is None:
        raise NotFound("subscription", customer.code)
    return found


def _changed(
    view: Any, customer: Customer, request: Request, items: Mapping[str, int], asked: Mapping[str, Any]
) -> dict[str, Any]:
    refuse_unknown(request, ["dry_run"])
    dry_run = flag(request, "dry_run")
    due: Any = asked.get("due_at") or asked.get("due", NOW)
    made = change_items(
        customer=customer,
        actor=view.access.actor,
        items=items,
        due=cast(Due, due.astimezone(UTC) if isinstance(due, datetime) else due),
        release=asked.get("release"),
        dry_run=dry_run,
    )
    return contract_change(view, made, dry_run)


def contract_change(view: Any, made: Subscribed, dry_run: bool) -> dict[str, Any]:
    """Returns what came of a change, or would: the packages now and later, whose seats go, what is gained and lost."""
    customer: Customer = view.customer
    head = CustomerRevision.objects.get(customer=customer)
    outlook = made.outlook or outlook_of(customer, head.stamp, since=head.stamp)
    items = made.items if made.items is not None else list(_items(customer, outlook.at).order_by("starts_at", "pk"))
    return {
        "dry_run": dry_run,
        "revision": head.number,
        "subscription": _subscription(made.subscription, outlook.at),
        "items": ItemSerializer(items, many=True, context={"at": outlook.at}).data,
        "stages": stages_json(outlook, names=view.access.allows("seats:read", customer.pk)),
    }


def stages_json(outlook: Outlook, *, names: bool) -> list[dict[str, Any]]:
    """Returns the stages; whose seats go is told with their `names` or not at all."""
    return [
        {
            "package": PackageBriefSerializer(stage.package).data,
            "starts_at": stage.starts_at,
            "modules": [change_json(module) for module in stage.modules if module.is_other],
            "releases": [
                {"user": seat.user, "name": seat.name, "module": seat.module} for seat in stage.leaving if names
            ],
            "features": [
                {
                    "feature": difference.feature.code,
                    "name": difference.name,
                    "effect": difference.effect.value,
                    "before": difference.before,
                    "after": difference.after,
                }
                for difference in stage.differences
            ],
        }
        for stage in outlook.stages
    ]


def change_json(change: ModuleChange) -> dict[str, Any]:
    return {
        "module": change.module,
        "name": change.name,
        "hidden": not change.is_visible,
        "before": change.before,
        "added": change.added,
        "new_total": change.total,
        "new_free": change.free,
        "in_use": change.in_use,
        "superfluous": change.superfluous,
        "unrestricted": change.unrestricted,
    }


def _subscription(subscription: Subscription, at: datetime) -> dict[str, Any]:
    term = term_at(subscription.starts_on, subscription.billing_months, at.astimezone(UTC).date())
    return {
        "billing_months": subscription.billing_months,
        "starts_on": subscription.starts_on,
        "term": {"starts_on": term.starts_on, "ends_on": term.ends_on, "is_first": term.is_first},
        "renews_on": term.ends_on if subscription.ends_at is None else None,
        "cancelled_at": subscription.cancelled_at,
        "ends_at": subscription.ends_at,
    }


def _items(customer: Customer, at: datetime) -> Any:
    rows = SubscriptionItem.objects.filter(customer=customer, subscription__ended_at=None).not_over(at)
    return rows.select_related("version__offer")
