"""Who administers a customer or may look at it, and who is invited (rules Y-1 to Y-7)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
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
from customers.models import Customer, Invitation, Membership
from customers.services import invitations, members
from licensing.api.bodies import body_of
from licensing.api.parameters import DRY_RUN, KEY


class MemberSerializer(serializers.ModelSerializer[Membership]):
    id = serializers.IntegerField(source="pk")
    name = serializers.CharField(source="account.name")
    email = serializers.EmailField(source="account.email")
    last_login = serializers.DateTimeField(source="account.last_login", allow_null=True)

    class Meta:
        model = Membership
        fields = ("id", "name", "email", "role", "last_login")


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    id = serializers.IntegerField(source="pk")
    invited_by = serializers.CharField(source="inviter")

    class Meta:
        model = Invitation
        fields = ("id", "email", "role", "invited_by", "invited_at", "sent_at", "expires_at")


class NewInvitationSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(Membership.Role.choices)


class RoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(Membership.Role.choices)


class MemberList(CustomerMixin, GenericAPIView[Membership]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "members:read"}
    queryset = Membership.objects.none()
    serializer_class = MemberSerializer
    ordering = ("pk",)

    @extend_schema(responses=MemberSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """Who administers the customer, or may look at it."""
        rows = Membership.objects.of(self.customer).select_related("account")
        page: Any = self.paginate_queryset(self.filter_queryset(rows)) or []
        return self.get_paginated_response(MemberSerializer(page, many=True).data)


class MemberDetail(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"PATCH": "members:write", "DELETE": "members:write"}

    @extend_schema(parameters=[DRY_RUN, KEY], request=RoleSerializer, responses=MemberSerializer)
    @idempotent
    def patch(self, request: Request, customer: str, member: int) -> Response:
        """Gives a member another role; the last admin who can sign in keeps theirs."""
        row, dry_run = _member(self.customer, member), _dry_run(request)
        role = body_of(request, RoleSerializer)["role"]
        with transaction.atomic():
            changed = members.change_member(actor=self.access.actor, membership=row, role=role, at=timezone.now())
            transaction.set_rollback(dry_run)
        return Response(MemberSerializer(changed).data)

    @extend_schema(parameters=[DRY_RUN, KEY], request=None, responses=MemberSerializer)
    @idempotent
    def delete(self, request: Request, customer: str, member: int) -> Response:
        """Removes a member, whose account stays; the last admin who can sign in stays one. Answers who it was."""
        row, dry_run = _member(self.customer, member), _dry_run(request)
        told = MemberSerializer(row).data
        with transaction.atomic():
            members.remove_member(actor=self.access.actor, membership=row, at=timezone.now())
            transaction.set_rollback(dry_run)
        return Response(told)


class InvitationList(CustomerMixin, GenericAPIView[Invitation]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "members:read", "POST": "members:write"}
    queryset = Invitation.objects.none()
    serializer_class = InvitationSerializer
    ordering = ("-pk",)

    @extend_schema(responses=InvitationSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """Who is invited and has not come yet, the newest first; links that are too old, too."""
        rows = Invitation.objects.of(self.customer).open()
        page: Any = self.paginate_queryset(self.filter_queryset(rows)) or []
        return self.get_paginated_response(InvitationSerializer(page, many=True).data)

    @extend_schema(
        parameters=[DRY_RUN, KEY],
        request=NewInvitationSerializer,
        responses={201: InvitationSerializer, 200: InvitationSerializer},
    )
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """Invites an address; its letter has the link, no answer does. 201, or 200 for a dry run."""
        found, dry_run = self.customer, _dry_run(request)
        asked, actor = body_of(request, NewInvitationSerializer), self.access.actor
        with transaction.atomic():
            invitation = invitations.invite(
                actor=actor, customer=found, link=_link(request), at=timezone.now(), **asked
            )
            transaction.set_rollback(dry_run)
        return Response(InvitationSerializer(invitation).data, status=200 if dry_run else 201)


class InvitationDetail(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"DELETE": "members:write"}

    @extend_schema(parameters=[DRY_RUN, KEY], request=None, responses=InvitationSerializer)
    @idempotent
    def delete(self, request: Request, customer: str, invitation: int) -> Response:
        """Withdraws an invitation, whose link opens nothing any more."""
        row, dry_run = _invitation(self.customer, invitation), _dry_run(request)
        with transaction.atomic():
            withdrawn = invitations.withdraw_invitation(actor=self.access.actor, invitation=row, at=timezone.now())
            transaction.set_rollback(dry_run)
        return Response(InvitationSerializer(withdrawn).data)


class InvitationResend(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"POST": "members:write"}

    @extend_schema(parameters=[DRY_RUN, KEY], request=None, responses=InvitationSerializer)
    @idempotent
    def post(self, request: Request, customer: str, invitation: int) -> Response:
        """Sends an invitation again with a new link, good for seven days; the old link opens nothing any more."""
        row, dry_run = _invitation(self.customer, invitation), _dry_run(request)
        with transaction.atomic():
            sent = invitations.resend_invitation(
                actor=self.access.actor, invitation=row, link=_link(request), at=timezone.now()
            )
            transaction.set_rollback(dry_run)
        return Response(InvitationSerializer(sent).data)


def _dry_run(request: Request) -> bool:
    refuse_unknown(request, ["dry_run"])
    return flag(request, "dry_run")


def _link(request: Request) -> invitations.Link:
    return lambda token: str(request.build_absolute_uri(reverse("invitation", args=[token])))


def _member(customer: Customer, pk: int) -> Membership:
    row: Membership | None = Membership.objects.of(customer).filter(pk=pk).select_related("account", "customer").first()
    if row is None:
        raise NotFound("member", str(pk))
    return row


def _invitation(customer: Customer, pk: int) -> Invitation:
    row: Invitation | None = Invitation.objects.of(customer).open().filter(pk=pk).first()
    if row is None:
        raise NotFound("invitation", str(pk))
    return row
