"""The users of a customer, with the plans they hold: listed, created, changed, erased (rules U-1 to U-10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.api.base import CustomerMixin
from customers.api.params import flag, refuse_unknown
from customers.errors import Invalid, NotFound
from customers.idempotency import idempotent
from customers.models import Customer, CustomerUser
from customers.replica import ReplicaServes
from licensing.api.bodies import body_of
from licensing.api.filters import UserFilter
from licensing.api.parameters import DRY_RUN, KEY
from licensing.api.serializers import UserSerializer
from licensing.models import ChangeSet, CustomerRevision
from licensing.selectors import seats_held
from licensing.services.erasing import erase_user
from licensing.services.people import create_user, edit_user
from licensing.services.seats import active_rows

LONGEST_REASON: int = 2000


class NewUserSerializer(serializers.Serializer[Any]):
    code = serializers.CharField(max_length=64, help_text="For good. Letters, digits, dots, hyphens, underscores.")
    name = serializers.CharField(max_length=200)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    can_log_in = serializers.BooleanField(required=False, help_text="True if absent.")


class UserEditSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200, required=False)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    can_log_in = serializers.BooleanField(required=False, help_text="False frees the user's seats.")
    is_former_employee = serializers.BooleanField(
        required=False, help_text="True frees the user's seats; false brings none back."
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_REASON)


class UserChangeSerializer(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    revision = serializers.IntegerField()
    user = UserSerializer()
    released = serializers.ListField(child=serializers.CharField(), help_text="The seats freed: owner.module")
    change_set = serializers.IntegerField(allow_null=True, help_text="null where no seat was freed.")


class EraseSerializer(serializers.Serializer[Any]):
    confirm = serializers.CharField(
        max_length=64, required=False, allow_blank=True, help_text="The user's code, once more; a dry run needs none."
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_REASON)


class ErasureSerializer(UserChangeSerializer):
    events = serializers.IntegerField(help_text="Events of the audit trail that named the person.")
    messages = serializers.IntegerField(help_text="Messages, sent or to be sent, that named the person.")
    previews = serializers.IntegerField(help_text="Previews of changes, and lists, that named the person.")
    answers = serializers.IntegerField(help_text="Answers kept under an Idempotency-Key that named the person.")


class UserList(ReplicaServes, CustomerMixin, GenericAPIView[CustomerUser]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "users:read", "POST": "users:write"}
    queryset = CustomerUser.objects.none()
    serializer_class = UserSerializer
    filterset_class = UserFilter

    def get_queryset(self) -> Any:
        return CustomerUser.objects.of(self.customer)

    @extend_schema(responses=UserSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """The customer's users and the plans they hold."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(_shown(self.customer, page))

    @extend_schema(
        parameters=[DRY_RUN, KEY],
        request=NewUserSerializer,
        responses={201: UserChangeSerializer, 200: UserChangeSerializer},
    )
    @idempotent
    def post(self, request: Request, customer: str) -> Response:
        """Creates a user who holds nothing yet; 201, or 200 for a dry run."""
        found = self.customer  # who may not know of it is told nothing about the body
        refuse_unknown(request, ["dry_run"])
        dry_run = flag(request, "dry_run")
        user = create_user(
            customer=found, actor=self.access.actor, dry_run=dry_run, **body_of(request, NewUserSerializer)
        )
        revision = CustomerRevision.objects.get(customer=found).number
        return Response(_told(found, user, (), None, revision, dry_run), status=200 if dry_run else 201)


class UserDetail(CustomerMixin, GenericAPIView[CustomerUser]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "users:read", "PATCH": "users:write"}
    queryset = CustomerUser.objects.none()
    serializer_class = UserSerializer
    pagination_class = None
    filter_backends = ()

    def get(self, request: Request, customer: str, user: str) -> Response:
        """One user and the plans they hold."""
        refuse_unknown(request, [])
        found = get_user(self.customer, user)
        return Response(_shown(self.customer, [found])[0])

    @extend_schema(parameters=[DRY_RUN, KEY], request=UserEditSerializer, responses=UserChangeSerializer)
    @idempotent
    def patch(self, request: Request, customer: str, user: str) -> Response:
        """Changes a user. Who can't log in, or has left, gives up all seats in the same instant."""
        found = get_user(self.customer, user)
        refuse_unknown(request, ["dry_run"])
        dry_run = flag(request, "dry_run")
        asked = body_of(request, UserEditSerializer)
        if not asked.keys() - {"reason"}:
            raise Invalid("Nothing is to be changed.", [{"field": "", "message": "Name what is to be another."}])
        edited = edit_user(customer=self.customer, actor=self.access.actor, user=found, dry_run=dry_run, **asked)
        told = _told(self.customer, edited.user, edited.released, edited.freed, edited.revision, dry_run)
        return Response(told)


class UserErasure(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"POST": "users:write"}

    @extend_schema(parameters=[DRY_RUN, KEY], request=EraseSerializer, responses=ErasureSerializer)
    @idempotent
    def post(self, request: Request, customer: str, user: str) -> Response:
        """Erases the person for good: a pseudonym takes the code's place, and history keeps its shape."""
        found = get_user(self.customer, user)
        refuse_unknown(request, ["dry_run"])
        dry_run = flag(request, "dry_run")
        asked = body_of(request, EraseSerializer)
        erased = erase_user(customer=self.customer, actor=self.access.actor, user=found, dry_run=dry_run, **asked)
        told = _told(self.customer, erased.user, erased.released, erased.freed, erased.revision, dry_run)
        counts = {name: getattr(erased, name) for name in ("events", "messages", "answers", "previews")}
        return Response(told | counts)


def _shown(customer: Customer, users: Sequence[CustomerUser]) -> Any:
    context = {"held": seats_held(users), "rows": active_rows(customer)}
    return UserSerializer(users, many=True, context=context).data


def _told(
    customer: Customer,
    user: CustomerUser,
    released: Sequence[str],
    freed: ChangeSet | None,
    revision: int,
    dry_run: bool,
) -> dict[str, Any]:
    """Returns the user as they are, or would be, and the seats that it frees."""
    held = seats_held([user])[user.pk]
    kept = {module: seat for module, seat in held.items() if module not in released}
    context = {"held": {user.pk: kept}, "rows": active_rows(customer)}
    return {
        "dry_run": dry_run,
        "revision": revision,
        "user": UserSerializer(user, context=context).data,
        "released": list(released),
        "change_set": freed.number if freed is not None and not dry_run else None,
    }


def get_user(customer: Any, code: str) -> CustomerUser:
    """Returns the customer's user with this code, case ignored. Raises NotFound."""
    user: CustomerUser | None = CustomerUser.objects.of(customer).named(code).first()
    if user is None:
        raise NotFound("user", code)
    return user
