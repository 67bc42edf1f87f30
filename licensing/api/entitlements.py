"""What may this user do now, and why? The reads that apps ask on every login and every protected click."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from catalog.models import Feature
from customers.access import Access, access_of, get_customer, not_allowed
from customers.api.params import flag, instant, refuse_unknown, whole_number
from customers.errors import NotFound
from customers.models import Customer, CustomerUser
from licensing.api.answers import answered, in_words, is_known, tag_of, unchanged
from licensing.api.serializers import EntitlementSerializer, EntitlementsSerializer
from licensing.errors import NotRecorded
from licensing.explaining import explain, may_know_who
from licensing.freshness import read_at_least, refuse_older
from licensing.reading import HeldSet, Reading, held_set, read_customer, read_user

READ = "entitlements:read"
EXPLAIN = "entitlements:explain"
AT = OpenApiParameter(
    "at", datetime, description="Answer as of this instant, with its offset. The future: as derived so far."
)
AT_LEAST = OpenApiParameter(
    "min_revision",
    int,
    description="Refuse an answer from before this revision of the customer: `revision_not_reached`.",
)
WHY = OpenApiParameter("explain", bool, description="Add the whole trace; needs the scope entitlements:explain.")


class _Answer(APIView):
    """What the four reads share: the look-up, and who may see it."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": READ}

    def look_up(self, request: Request, customer: str, user: str | None) -> Reading:
        """Returns the reading; one query if all is well.

        Raises Invalid, NotFound, Forbidden, NotRecorded or RevisionNotReached.
        """
        at, least = instant(request), whole_number(request, "min_revision")

        def read(using: str) -> Reading | None:
            if user is None:
                return read_customer(customer, at, using=using)
            return read_user(customer, user, at, using=using)

        reading = read_at_least(least, read)
        access = access_of(request)
        if reading is None or not access.allows(READ, reading.customer_id):
            raise refused(access, customer)
        refuse_older(least, reading.recorded, reading.customer)
        if user is not None and reading.user is None:
            raise NotFound("user", user)
        if reading.set_id is None:
            kind, code = ("customer", customer) if user is None else ("user", user)
            raise NotRecorded(kind, code, reading.as_of)
        return reading


class UserEntitlements(_Answer):
    @extend_schema(parameters=[AT, AT_LEAST], responses=EntitlementsSerializer)
    def get(self, request: Request, customer: str, user: str) -> HttpResponse:
        """What a user may do: plans, modules, and every feature they can view or edit."""
        return _whole(self, request, customer, user)


class CustomerEntitlements(_Answer):
    @extend_schema(parameters=[AT, AT_LEAST], responses=EntitlementsSerializer)
    def get(self, request: Request, customer: str) -> HttpResponse:
        """What the customer has as a whole, as if every visible module sold were held; user overrides are ignored."""
        return _whole(self, request, customer, None)


class UserEntitlement(_Answer):
    @extend_schema(parameters=[AT, AT_LEAST, WHY], responses=EntitlementSerializer)
    def get(self, request: Request, customer: str, user: str, feature: str) -> HttpResponse:
        """One feature for one user; with `explain=true` the whole trace of the answer."""
        return _single(self, request, customer, user, feature)


class CustomerEntitlement(_Answer):
    @extend_schema(parameters=[AT, AT_LEAST, WHY], responses=EntitlementSerializer)
    def get(self, request: Request, customer: str, feature: str) -> HttpResponse:
        """One feature for the customer as a whole; with `explain=true` the whole trace of the answer."""
        return _single(self, request, customer, None, feature)


def refused(access: Access, customer: str) -> Exception:
    """Returns why a customer can't be read: unknown and foreign look alike."""
    try:
        get_customer(access, customer, READ)
    except Exception as refusal:
        return refusal
    return not_allowed()


def _whole(view: _Answer, request: Request, customer: str, user: str | None) -> HttpResponse:
    refuse_unknown(request, ["at", "min_revision"])
    reading = view.look_up(request, customer, user)
    tag = tag_of(request, reading.etag)
    if is_known(request, tag):
        return unchanged(tag)
    return answered(_head(reading) + b"," + _set_of(reading).tail, tag)


def _single(view: _Answer, request: Request, customer: str, user: str | None, code: str) -> HttpResponse:
    refuse_unknown(request, ["at", "explain", "min_revision"])
    wants_why = flag(request, "explain")
    reading = view.look_up(request, customer, user)
    if wants_why and not access_of(request).allows(EXPLAIN, reading.customer_id):
        raise not_allowed()
    tag = tag_of(request, reading.etag)
    if is_known(request, tag) and not wants_why:
        return unchanged(tag)
    known, entitlement = _entitlement(_set_of(reading), code)
    body: dict[str, Any] = {"feature": known, **entitlement}
    if wants_why:
        tells_who = may_know_who(access_of(request), reading.customer_id)
        body["explain"] = _why(reading, known, tells_who=tells_who)
    tail = JSONRenderer().render(body)
    return answered(_head(reading) + b"," + tail[1:], tag)


def _head(reading: Reading) -> bytes:
    """Returns the answer's beginning, without the closing brace."""
    head: dict[str, Any] = {"customer": reading.customer}
    if reading.user is not None:
        head["user"] = reading.user
    head["revision"] = reading.revision
    head["as_of"] = in_words(reading.as_of)
    head["valid_until"] = None if reading.valid_until is None else in_words(reading.valid_until)
    head["status"] = reading.status
    spelled = json.dumps(head, separators=(",", ":"), ensure_ascii=False)
    return f'{spelled[:-1]},"owners":{reading.owners}'.encode()


def _set_of(reading: Reading) -> HeldSet:
    if reading.set_id is None:
        raise AssertionError("look_up lets no reading through that has no set")
    return held_set(reading.set_id)


def _entitlement(held: HeldSet, code: str) -> tuple[str, dict[str, Any]]:
    """Returns the feature's code as spelled in the catalog, and its answer. Raises NotFound for an unknown feature.

    A feature is known when any published version names it.
    """
    known = held.spelled(code)
    if known is not None:
        return known, dict(held.features[known])
    feature = Feature.objects.published().named(code).first()
    if feature is None:
        raise NotFound("feature", code)
    return feature.code, nothing_of(feature)


def nothing_of(feature: Feature) -> dict[str, Any]:
    """Returns the answer to somebody who has nothing of a feature."""
    nothing: dict[str, Any] = {"kind": feature.kind, "access": "none", "value": None}
    if feature.kind == "switch":
        nothing["value"] = False
    if feature.kind == "limit":
        nothing["unlimited"] = False
    return nothing


def _why(reading: Reading, feature: str, *, tells_who: bool) -> dict[str, Any]:
    customer = Customer.objects.get(pk=reading.customer_id)
    user = CustomerUser.objects.of(customer).named(reading.user).get() if reading.user is not None else None
    return explain(customer, user, feature, reading.as_of, tells_who=tells_who)
