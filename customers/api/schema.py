"""What the OpenAPI description says of every operation: the scope it needs, the key, and how it is refused."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import is_serializer
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from customers.api.permissions import scope_for

_PROBLEM: Final = ["application/problem+json"]
# What a column holds differs between databases and is no promise of the API.
_COLUMN_MAXIMA: Final = {2**15 - 1, 2**31 - 1, 2**63 - 1}
_REFUSALS: Final = {
    "400": "Malformed or invalid input",
    "401": "No key, or one that isn't live",
    "403": "The permission is missing",
    "404": "What the path names is not there for this caller",
    "409": "Something is in the way",
    "429": "Too many calls",
}


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable; further members depend on it."""

    type = serializers.CharField(help_text="urn:planarium:problem: and the code")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="A sentence for people.")
    code = serializers.CharField(help_text="Stable; docs/api.md lists them.")
    blocking = serializers.DictField(allow_null=True, help_text="The object in the way: `kind`, `code`, perhaps more.")
    next_action = serializers.CharField(help_text="What would help.")
    instance = serializers.CharField(help_text="The path that was called.")
    faults = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text="Of invalid input: each fault with `message`, and the `field` or, of a file, the `line` it is about.",
    )


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # drf-spectacular's is untyped
    target_class = "customers.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "plk_PREFIX_SECRET"}


class ScopedSchema(AutoSchema):
    def get_operation_id(self) -> str:
        """Named after the view, of which there is one per address: `getPlanDetail`, `putSeatDetail`."""
        return f"{self.method.lower()}{type(self.view).__name__}"

    def get_description(self) -> str:  # type: ignore[override] # DRF's own generator, which isn't used, gave it more
        described = super().get_description() or ""
        if not getattr(self.view, "required_scopes", None):
            return described
        return f"{described}\n\nScope: `{scope_for(self.view, self.method)}`.".strip()

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        responses: dict[str, Any] = super()._get_response_bodies(direction)
        if self.method == "DELETE" and is_serializer(self.get_response_serializers()):
            # The generator takes it for granted that DELETE says nothing; ours tell what came of it.
            del responses["204"]
            responses["200"] = self._get_response_for_code(self.get_response_serializers(), "200", None, direction)  # type: ignore[no-untyped-call]  # drf-spectacular's is untyped
        for status in self._refusals():
            if status not in responses:
                refusal = OpenApiResponse(ProblemSerializer, description=_REFUSALS[status])
                described: Any = self._get_response_for_code(refusal, status, _PROBLEM, direction)  # type: ignore[no-untyped-call]  # drf-spectacular's is untyped
                responses[status] = described
        return dict(sorted(responses.items()))

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]  # drf-spectacular's is untyped
        if schema.get("maximum") in _COLUMN_MAXIMA:
            schema.pop("maximum")
            schema.pop("format", None)

    def _refusals(self) -> list[str]:
        writes = self.method not in {"GET", "HEAD", "OPTIONS"}
        return [
            "400",
            *(["401", "403"] if getattr(self.view, "required_scopes", None) else []),
            *(["404"] if "{" in self.path or getattr(self.view, "finds_by_parameter", False) else []),
            *(["409"] if writes else []),
            "429",
        ]
