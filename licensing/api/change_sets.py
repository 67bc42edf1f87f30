"""Changes of many seats: previewed, applied by token, looked up, undone."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.access import not_allowed
from customers.api.base import CustomerMixin
from customers.api.params import flag, refuse_unknown
from customers.errors import Invalid, NotFound
from customers.idempotency import idempotent
from customers.models import Customer
from licensing.api.bodies import body_of
from licensing.api.change_serializers import (
    ApplySerializer,
    AskedInFullSerializer,
    AskedSerializer,
    ChangeSetRowSerializer,
    ChangeSetSerializer,
    ChangeSetWithRowsSerializer,
    PreviewRowSerializer,
    PreviewSerializer,
    PreviewWithRowsSerializer,
    UndoSerializer,
    wishes_from,
)
from licensing.api.filters import ChangeSetFilter, PreviewRowFilter
from licensing.api.parameters import DRY_RUN, KEY
from licensing.models import ChangePreview, ChangePreviewRow, ChangeSet, ChangeSetRow
from licensing.services.bulk import (
    AT_ONCE,
    apply_preview,
    find_preview,
    preview_changes,
    preview_undo,
    progress_of,
    undone_by,
)

WORKING = OpenApiResponse(PreviewSerializer, description="The worker does it; `address` tells how far it is.")


class ChangeSetPreview(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"POST": "seats:write"}

    @extend_schema(parameters=[KEY], request=AskedInFullSerializer, responses={201: PreviewSerializer, 202: WORKING})
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """What a change of many users' seats would come to, and the token that does it. Changes nothing."""
        owner = self.customer  # whose it is comes before what is asked
        refuse_unknown(request, [])
        asked = body_of(request, AskedSerializer)
        wishes = wishes_from(asked["rows"])
        if any(wish.create is not None for wish in wishes) and not _may_create(self):
            raise not_allowed()
        preview = preview_changes(
            customer=owner,
            actor=self.access.actor,
            wishes=wishes,
            mode=asked["mode"],
            reason=asked["reason"],
        )
        return answer(preview, done=201)


class PreviewDetail(CustomerMixin, GenericAPIView[Any]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "seats:read"}
    queryset = ChangePreviewRow.objects.none()
    filterset_class = PreviewRowFilter
    ordering = "position"

    @extend_schema(responses=PreviewWithRowsSerializer)
    def get(self, request: Request, customer: str, token: str) -> Response:
        """A preview, how far it is, and a page of its rows."""
        preview = find_preview(customer=self.customer, token=token)
        rows = ChangePreviewRow.objects.filter(preview=preview)
        page = self.paginate_queryset(self.filter_queryset(rows)) or []
        for row in page:
            row.preview = preview
        shown = self.get_paginated_response(PreviewRowSerializer(page, many=True).data)
        return Response({**shown_preview(preview), "rows": shown.data})


class ChangeSetList(CustomerMixin, GenericAPIView[Any]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "seats:read", "POST": "seats:write"}
    queryset = ChangeSet.objects.none()
    filterset_class = ChangeSetFilter
    ordering = "-number"

    @extend_schema(responses=ChangeSetSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """Every change of seats, the newest first: who, when, why, and whether it was undone."""
        page = self.paginate_queryset(self.filter_queryset(_change_sets(self.customer))) or []
        context = {"undone_by": undone_by(customer=self.customer, change_sets=page)}
        return self.get_paginated_response(ChangeSetSerializer(page, many=True, context=context).data)

    @extend_schema(
        parameters=[DRY_RUN, KEY],
        request=ApplySerializer,
        responses={200: PreviewSerializer, 202: WORKING},
        filters=False,
    )
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """Does what was previewed, exactly, or is refused because the state moved. A token counts once."""
        owner = self.customer  # whose it is comes before what is asked
        refuse_unknown(request, ["dry_run"])
        return apply(self, owner, request, body_of(request, ApplySerializer)["token"])


class ChangeSetDetail(CustomerMixin, GenericAPIView[Any]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "seats:read"}
    queryset = ChangeSetRow.objects.none()
    filter_backends = ()
    ordering = "user__code"

    @extend_schema(responses=ChangeSetWithRowsSerializer)
    def get(self, request: Request, customer: str, number: int) -> Response:
        """One change of seats, and a page of what each user held before and after."""
        refuse_unknown(request, ["cursor", "limit"])
        found = _change_sets(self.customer).filter(number=number).first()
        if found is None:
            raise NotFound("change set", str(number))
        page = self.paginate_queryset(ChangeSetRow.objects.filter(change_set=found).select_related("user")) or []
        context = {"undone_by": undone_by(customer=self.customer, change_sets=[found])}
        rows = self.get_paginated_response(ChangeSetRowSerializer(page, many=True).data)
        return Response({**ChangeSetSerializer(found, context=context).data, "rows": rows.data})


class ChangeSetUndo(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"POST": "seats:write"}

    @extend_schema(
        parameters=[DRY_RUN, KEY],
        request=UndoSerializer,
        responses={200: PreviewSerializer, 202: WORKING},
    )
    @idempotent
    def post(self, request: Request, customer: str, number: int) -> Response:
        """Takes a change of seats back. `dry_run` previews it and gives a token; with the token that is what is done.

        Without a token it is previewed and done at once, or refused; more than 200 users need one.
        """
        owner = self.customer  # whose it is comes before what is asked
        refuse_unknown(request, ["dry_run"])
        asked = body_of(request, UndoSerializer)
        dry_run = flag(request, "dry_run")
        if "token" in asked:
            preview = find_preview(customer=owner, token=asked["token"])
            if preview.undoes is None or preview.undoes.number != number:
                raise NotFound("preview", asked["token"])
            return apply(self, owner, request, preview.token)
        if (
            not dry_run
            and ChangeSetRow.objects.filter(change_set__customer=owner, change_set__number=number).count() > AT_ONCE
        ):
            message = f"More than {AT_ONCE} users: preview it with ?dry_run=true and send the token."
            raise Invalid("This undo needs a token.", [{"field": "token", "message": message}])
        preview = preview_undo(
            customer=owner,
            actor=self.access.actor,
            number=number,
            mode=asked["mode"],
            reason=asked["reason"],
        )
        return answer(preview) if dry_run else apply(self, owner, request, preview.token)


def apply(view: Any, customer: Customer, request: Request, token: str) -> Response:
    """Answers with the preview once it is applied, or once the worker has it."""
    preview = find_preview(customer=customer, token=token)
    if preview.totals.get("creates") and not _may_create(view):
        raise not_allowed()
    applied = apply_preview(customer=customer, actor=view.access.actor, token=token, dry_run=flag(request, "dry_run"))
    return answer(applied)


def answer(preview: ChangePreview, done: int = 200) -> Response:
    shown = shown_preview(preview)
    if preview.is_working:
        return Response(shown, status=202, headers={"Location": shown["address"]})
    return Response(shown, status=done)


def shown_preview(preview: ChangePreview) -> dict[str, Any]:
    return {**PreviewSerializer(preview).data, "done": progress_of(preview)}


def _may_create(view: Any) -> bool:
    return bool(view.access.allows("users:write", view.customer.pk))


def _change_sets(customer: Customer) -> QuerySet[ChangeSet]:
    """The customer's change sets, each with `size`: how many users it changed."""
    rows = ChangeSetRow.objects.filter(change_set=OuterRef("pk")).order_by().values("change_set")
    size = Coalesce(Subquery(rows.annotate(count=Count("pk")).values("count")), 0)
    return ChangeSet.objects.filter(customer=customer).select_related("undoes").annotate(size=size)
