"""What a write was sent: an object with known members, checked by a serializer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from customers.errors import Invalid


def body_of(request: Request, serializer_class: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """Returns the checked body. Raises Invalid for another shape or an unknown member."""
    data: Any = request.data or {}
    if not isinstance(data, dict):
        raise Invalid("The body is an object.", [{"field": "", "message": "Send an object, or nothing."}])
    serializer = serializer_class(data=data)
    unknown = sorted(set(data) - set(serializer.fields))
    if unknown:
        raise Invalid("The body has unknown members.", [{"field": name, "message": "Not known."} for name in unknown])
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
