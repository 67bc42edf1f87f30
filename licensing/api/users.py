"""The users of a customer, with the plans they hold."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import CustomerMixin
from customers.api.params import refuse_unknown
from customers.errors import NotFound
from customers.models import CustomerUser
from customers.replica import ReplicaServes
from licensing.api.filters import UserFilter
from licensing.api.serializers import UserSerializer
from licensing.selectors import seats_held
from licensing.services.seats import active_rows


class UserList(ReplicaServes, CustomerMixin, GenericAPIView[CustomerUser]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "customers:read"}
    queryset = CustomerUser.objects.none()
    serializer_class = UserSerializer
    filterset_class = UserFilter

    def get_queryset(self) -> Any:
        return CustomerUser.objects.of(self.customer)

    @extend_schema(responses=UserSerializer(many=True))
    def get(self, request: Request, customer: str) -> Response:
        """The customer's users and the plans they hold."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(self._serialize(page))

    def _serialize(self, users: Any) -> Any:
        context = {"held": seats_held(users), "rows": active_rows(self.customer)}
        return UserSerializer(users, many=True, context=context).data


class UserDetail(CustomerMixin, GenericAPIView[CustomerUser]):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "customers:read"}
    queryset = CustomerUser.objects.none()
    serializer_class = UserSerializer
    pagination_class = None
    filter_backends = ()

    def get(self, request: Request, customer: str, user: str) -> Response:
        """One user and the plans they hold."""
        refuse_unknown(request, [])
        found = get_user(self.customer, user)
        context = {"held": seats_held([found]), "rows": active_rows(self.customer)}
        return Response(UserSerializer(found, context=context).data)


def get_user(customer: Any, code: str) -> CustomerUser:
    """Returns the customer's user with this code, case ignored. Raises NotFound."""
    user: CustomerUser | None = CustomerUser.objects.of(customer).named(code).first()
    if user is None:
        raise NotFound("user", code)
    return user
