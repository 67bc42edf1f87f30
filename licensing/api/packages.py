"""Licence packages: listed, looked at, taken along as XML, taken in from it; and a partner's licence removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import IO, Any, ClassVar, Final

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.access import not_allowed
from customers.api.base import CustomerMixin
from customers.api.params import bad_parameter, flag, refuse_unknown
from customers.errors import NotFound
from customers.idempotency import idempotent
from customers.replica import ReplicaServes
from licensing.api.filters import PackageFilter
from licensing.api.parameters import DRY_RUN, KEY
from licensing.models import Package
from licensing.recorded import SEALED, document_of, examine_many, seal_of
from licensing.services.importing import Imported, import_package
from licensing.services.removing import Removed, remove_license
from licensing.signing import Examined

XML: Final = "application/xml"
OWNER = OpenApiParameter("owner", str, description="Whose package; our own owner's if absent.")
FORMAT = OpenApiParameter("format", str, enum=["json", "xml"], description="`xml` gives the signed document.")
ACTIVATE = OpenApiParameter(
    "activate",
    bool,
    description="Whether it becomes active if it fits; yes if absent, for who may activate packages.",
)
REASON = OpenApiParameter("reason", str, description="Why, for the trail.")


class XmlBody(BaseParser):
    """The body as it came; reading `request.body` holds it to `MAX_BODY_BYTES`."""

    media_type = XML

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return (parser_context or {})["request"].body


class TextXmlBody(XmlBody):
    media_type = "text/xml"


class XmlRenderer(BaseRenderer):
    """Lets a caller ask for XML; what goes wrong is told in JSON all the same."""

    media_type = XML
    format = "xml"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        rendered: bytes = JSONRenderer().render(data)
        return rendered


class PackageSerializer(serializers.ModelSerializer[Package]):
    """A package; the view gives `context["examined"]`: package id → what became of its signatures."""

    owner = serializers.CharField(source="owner.code")
    # Named, for left to itself its bounds would be those of the database at hand.
    deployment_type = serializers.IntegerField(read_only=True, allow_null=True)
    status = serializers.SerializerMethodField(help_text="By the clock: active, warning, grace or stopped.")
    key_id = serializers.SerializerMethodField(help_text="Which key signed it; null before anything was signed.")
    signature = serializers.SerializerMethodField()
    is_imported = serializers.SerializerMethodField()
    is_intact = serializers.SerializerMethodField(help_text="Whether it is what was signed.")
    damage = serializers.SerializerMethodField(help_text="What isn't, in sentences that name row and field.")

    class Meta:
        model = Package
        fields = (
            "owner",
            "number",
            "state",
            "status",
            "issued_at",
            "activated_at",
            "ended_at",
            "company_name",
            "serial_number",
            "license_version",
            "deployment_type",
            "product_type",
            "product_description",
            "extra_flags",
            "extra_info",
            "warning_at",
            "expires_at",
            "grace_until",
            "maintenance_until",
            "next_check_at",
            "digest",
            "key_id",
            "signature",
            "is_imported",
            "is_intact",
            "damage",
        )

    def get_status(self, package: Package) -> str:
        return package.state_at(self.context["at"]).value

    def get_key_id(self, package: Package) -> str | None:
        seal = seal_of(package)
        return seal.key_id if seal is not None else None

    def get_signature(self, package: Package) -> str | None:
        seal = seal_of(package)
        return seal.signature if seal is not None else None

    def get_is_imported(self, package: Package) -> bool:
        seal = seal_of(package)
        return seal is not None and bool(seal.document)

    def get_is_intact(self, package: Package) -> bool:
        return self._examined(package).is_intact

    def get_damage(self, package: Package) -> list[str]:
        return [each.message for each in self._examined(package).breaks]

    def _examined(self, package: Package) -> Examined:
        examined: Examined = self.context["examined"][package.pk]
        return examined


class _FaultSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    element = serializers.CharField()
    message = serializers.CharField()


class _ChangeSerializer(serializers.Serializer[Any]):
    module = serializers.CharField(help_text="owner.module")
    total = serializers.IntegerField(allow_null=True, help_text="null: unlimited.")
    new_total = serializers.IntegerField(allow_null=True)
    added = serializers.IntegerField()
    in_use = serializers.IntegerField()
    new_free = serializers.IntegerField(allow_null=True)
    superfluous = serializers.IntegerField()


class ImportedSerializer(serializers.Serializer[Any]):
    owner = serializers.CharField()
    number = serializers.IntegerField()
    state = serializers.CharField(help_text="active, or pending where it doesn't fit.")
    is_known = serializers.BooleanField(help_text="This very file was taken in before, and nothing changed.")
    changes = _ChangeSerializer(many=True)
    superfluous = serializers.ListField(child=serializers.DictField())
    warnings = _FaultSerializer(many=True)
    dry_run = serializers.BooleanField()


class LossSerializer(serializers.Serializer[Any]):
    user = serializers.CharField()
    modules = serializers.ListField(child=serializers.CharField())


class RemovedSerializer(serializers.Serializer[Any]):
    owner = serializers.CharField()
    packages = serializers.ListField(child=serializers.IntegerField())
    losses = LossSerializer(many=True, help_text="Who loses which seats.")
    features = serializers.ListField(child=serializers.CharField(), help_text="The features that its rows granted.")
    revision = serializers.IntegerField()
    dry_run = serializers.BooleanField()


class PackageList(ReplicaServes, CustomerMixin, GenericAPIView[Package]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "licenses:read", "POST": "customers:write"}
    queryset = Package.objects.none()
    serializer_class = PackageSerializer
    filterset_class = PackageFilter
    ordering = ("-issued_at", "-pk")
    parser_classes = (XmlBody, TextXmlBody)

    @extend_schema(responses=PackageSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """The customer's packages, of every owner, newest first; each is checked against its signature."""
        rows = Package.objects.filter(customer=self.customer).select_related(*SEALED)
        page: Any = self.paginate_queryset(self.filter_queryset(rows)) or []
        return self.get_paginated_response(_serialized(page))

    @extend_schema(
        parameters=[DRY_RUN, ACTIVATE, KEY], request={XML: OpenApiTypes.STR}, responses={201: ImportedSerializer}
    )
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """Takes a package in, signed by its owner, as XML. All that is wrong is told at once, and nothing stored."""
        refuse_unknown(request, ["dry_run", "activate"])
        may_activate = self.access.allows("packages:activate", self.customer.pk)
        activate = flag(request, "activate") if "activate" in request.query_params else may_activate
        if activate and not may_activate:
            raise not_allowed()
        dry_run = flag(request, "dry_run")
        body: Any = request.data  # without a body, an empty form
        data = body if isinstance(body, bytes) else b""
        imported = import_package(
            customer=self.customer, actor=self.access.actor, data=data, activate=activate, dry_run=dry_run
        )
        status = 200 if dry_run or imported.is_known else 201
        return Response(_imported(imported, dry_run), status=status)


class PackageDetail(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "licenses:read"}
    renderer_classes = (JSONRenderer, XmlRenderer)

    @extend_schema(parameters=[OWNER, FORMAT], responses={200: PackageSerializer, (200, XML): OpenApiTypes.STR})
    def get(self, request: Request, customer: str, number: int) -> HttpResponse | Response:
        """One package by its number; as signed XML with `?format=xml` or `Accept: application/xml`."""
        refuse_unknown(request, ["owner", "format"])
        package = get_package(self, request.query_params.get("owner", settings.OWN_OWNER), number)
        wanted = request.query_params.get("format", request.accepted_renderer.format)
        if wanted not in ("json", "xml"):
            raise bad_parameter("format", f"json or xml, not {wanted!r}.")
        if wanted == "xml":
            return xml_response(package)
        return Response(_serialized([package])[0])


class PartnerLicense(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"DELETE": "customers:write"}

    @extend_schema(parameters=[DRY_RUN, REASON, KEY], request=None, responses=RemovedSerializer)
    @idempotent
    def delete(self, request: Request, customer: str, owner: str) -> Response:
        """Removes a partner's licence, and the seats of its modules with it. Our own can't be removed."""
        refuse_unknown(request, ["dry_run", "reason"])
        dry_run = flag(request, "dry_run")
        removed = remove_license(
            customer=self.customer,
            actor=self.access.actor,
            owner=owner,
            reason=request.query_params.get("reason", "")[:2000],
            dry_run=dry_run,
        )
        return Response(_removed(removed, dry_run))


def get_package(view: Any, owner: str, number: int) -> Package:
    """Returns a package of the view's customer with SEALED at hand. Raises NotFound."""
    found = Package.objects.filter(customer=view.customer, owner__code__iexact=owner, number=number)
    package: Package | None = found.select_related(*SEALED).first() if number < 2**31 else None
    if package is None:
        raise NotFound("package", f"{owner.upper()} #{number}")
    return package


def xml_response(package: Package) -> HttpResponse:
    """Returns the signed document as a download. Raises PackageDamaged."""
    response = HttpResponse(document_of(package), content_type=f"{XML}; charset=utf-8")
    name = f"{package.customer.code}-{package.owner.code.lower()}-{package.number}.xml"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _serialized(packages: Sequence[Package]) -> Any:
    context = {"examined": examine_many(packages), "at": timezone.now()}
    return PackageSerializer(packages, many=True, context=context).data


def _imported(imported: Imported, dry_run: bool) -> dict[str, Any]:
    return {
        "owner": imported.package.owner.code,
        "number": imported.package.number,
        "state": imported.package.state,
        "is_known": imported.is_known,
        "changes": [change.as_json() for change in imported.changes],
        "superfluous": [asdict(row) for row in imported.superfluous],
        "warnings": [asdict(warning) for warning in imported.warnings],
        "dry_run": dry_run,
    }


def _removed(removed: Removed, dry_run: bool) -> dict[str, Any]:
    return {
        "owner": removed.owner.code,
        "packages": [package.number for package in removed.packages],
        "losses": [{"user": loss.user.code, "modules": list(loss.modules)} for loss in removed.losses],
        "features": sorted(removed.features),
        "revision": removed.revision,
        "dry_run": dry_run,
    }
