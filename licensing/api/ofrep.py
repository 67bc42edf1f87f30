"""The OpenFeature Remote Evaluation Protocol: SDKs of any language ask here unchanged (rules A-1 to A-4).

The targeting key is the user's code; the customer comes from the context (`customer`), or is the only one that the
caller may ask about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.models import Feature
from customers.access import access_of
from customers.memory import Memory
from customers.models import Customer
from licensing.api.answers import answered, is_known, tag_of, tagged, unchanged
from licensing.api.entitlements import READ, nothing_of
from licensing.flags import flag_of
from licensing.reading import HeldSet, Reading, held_set, read_user

# Codes of customers are for good, so nothing about who holds what is kept here.
_codes: Final = Memory[int, str](room=10_000)
_LONGEST_CODE: Final = 512
_EXAMPLE: Final = {"context": {"targetingKey": "ola", "customer": "fjordlys"}}
# No serializer: a field called `context` would hide the serializer's own.
_CONTEXT: Final = {
    "type": "object",
    "description": "`targetingKey` is the user's code; `customer` is needed unless the key is bound to one.",
    "properties": {"targetingKey": {"type": "string"}, "customer": {"type": "string"}},
}
_REQUEST: Final = {"application/json": {"type": "object", "properties": {"context": _CONTEXT}}}


class FlagSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    value = serializers.JSONField(help_text="A switch: true or false; a limit: a whole number; a level: its choice.")
    reason = serializers.ChoiceField(["TARGETING_MATCH", "DEFAULT"], help_text="DEFAULT: without edit.")
    variant = serializers.CharField(help_text="on, off, the choice, the number, unlimited.")
    metadata = serializers.DictField(help_text="plan, revision, access; of limits, unlimited.")


class FlagsSerializer(serializers.Serializer[Any]):
    flags = FlagSerializer(many=True)


class EvaluationFailureSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(required=False, help_text="Of the flag, where one was asked for.")
    errorCode = serializers.CharField(help_text="PARSE_ERROR, TARGETING_KEY_MISSING, INVALID_CONTEXT, FLAG_NOT_FOUND.")  # noqa: N815 - the protocol's name
    errorDetails = serializers.CharField()  # noqa: N815 - the protocol's name


class Unanswerable(Exception):
    """What the protocol answers in words of its own."""

    def __init__(self, code: str, details: str, status: int = 400) -> None:
        super().__init__(details)
        self.code, self.details, self.status = code, details, status


class _Evaluation(APIView):
    required_scopes: ClassVar[dict[str, str]] = {"POST": READ}
    only_reads = True

    def handle_exception(self, exc: Exception) -> Response:
        """A request that can't be evaluated is answered in the protocol's words, anything else as everywhere."""
        if isinstance(exc, exceptions.ParseError):
            exc = Unanswerable("PARSE_ERROR", str(exc.detail))
        if not isinstance(exc, Unanswerable):
            response = super().handle_exception(exc)
            response.data |= {"errorCode": "GENERAL", "errorDetails": response.data["detail"]}
            return response
        asked = {"key": self.kwargs["key"]} if "key" in self.kwargs else {}
        response = Response(asked | {"errorCode": exc.code, "errorDetails": exc.details}, status=exc.status)
        response.exception = True
        return response

    def look_up(self, request: Request) -> tuple[Reading, HeldSet, Mapping[str, Any]]:
        """Returns what is recorded of the user that the context names, and the context. Raises Unanswerable.

        A customer that is missing, unknown or somebody else's, and an unknown user, are told in the same words.
        """
        context = _context(request.data)
        user = context.get("targetingKey")
        if user is None or user == "":
            raise Unanswerable("TARGETING_KEY_MISSING", "The context has no targetingKey: the code of a user.")
        customer = context.get("customer", _only_customer(request))
        access = access_of(request)
        if _is_code(user) and _is_code(customer):
            reading = read_user(str(customer), str(user))
            is_open = reading is not None and access.allows(READ, reading.customer_id)
            if reading is not None and is_open and reading.user is not None and reading.set_id is not None:
                return reading, held_set(reading.set_id), context
        raise Unanswerable("INVALID_CONTEXT", "The context names no customer and user that this key may ask about.")


class Flag(_Evaluation):
    @extend_schema(
        request=_REQUEST,
        responses={200: FlagSerializer, 400: EvaluationFailureSerializer, 404: EvaluationFailureSerializer},
        examples=[OpenApiExample("Ola of Fjordlys", _EXAMPLE, request_only=True)],
    )
    def post(self, request: Request, key: str) -> HttpResponse:
        """Evaluates one flag: a feature, by its code."""
        reading, held, _ = self.look_up(request)
        code, entitlement = _entitlement(held, key)
        answer = tagged(Response(flag_of(code, entitlement, _common(reading, held))), tag_of(request, reading.etag))
        del answer["ETag"]  # it is of a question in a body
        return answer


class Flags(_Evaluation):
    @extend_schema(
        parameters=[OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER)],
        request=_REQUEST,
        responses={
            200: FlagsSerializer,
            304: OpenApiResponse(description="Unchanged."),
            400: EvaluationFailureSerializer,
        },
        examples=[OpenApiExample("Ola of Fjordlys", _EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> HttpResponse:
        """Evaluates every known flag; the ETag covers the context, too."""
        reading, held, context = self.look_up(request)
        known = list(Feature.objects.published().order_by("code").only("code", "kind"))
        asked = [context, [feature.code for feature in known]]
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]
        tag = tag_of(request, f"{reading.etag}-{digest}")
        if is_known(request, tag):
            return unchanged(tag)
        common = _common(reading, held)
        flags = [flag_of(f.code, held.features.get(f.code) or nothing_of(f), common) for f in known]
        return answered(json.dumps({"flags": flags}, separators=(",", ":"), ensure_ascii=False).encode(), tag)


def _context(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise Unanswerable("PARSE_ERROR", "The body is an object with a context.")
    context = body.get("context")
    if context is None:
        return {}
    if not isinstance(context, dict):
        raise Unanswerable("INVALID_CONTEXT", "The context is an object.")
    return context


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_CODE


def _only_customer(request: Request) -> str | None:
    """Returns the code of the one customer that the caller may ask about; none where there are others."""
    access = access_of(request)
    ids = [pk for pk, scopes in access.scopes_at.items() if READ in scopes]
    if access.allows(READ) or len(ids) != 1:
        return None
    code = _codes.get(ids[0])
    if code is None:
        code = Customer.objects.values_list("code", flat=True).get(pk=ids[0])
        _codes.keep(ids[0], code)
    return code


def _entitlement(held: HeldSet, key: str) -> tuple[str, Mapping[str, Any]]:
    known = held.spelled(key)
    if known is not None:
        return known, held.features[known]
    feature = Feature.objects.published().named(key).first() if _is_code(key) and "\x00" not in key else None
    if feature is None:
        raise Unanswerable("FLAG_NOT_FOUND", f"There is no feature {key!r}.", status=404)
    return feature.code, nothing_of(feature)


def _common(reading: Reading, held: HeldSet) -> dict[str, Any]:
    """Returns the metadata that all flags of an answer share; plans have commas between, for there are no lists."""
    return {"plan": ",".join(held.plans), "revision": reading.revision}
