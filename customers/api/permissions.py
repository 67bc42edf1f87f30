"""The one gate of the API: a view says which scope each method needs.

    class UserSeat(APIView):
        required_scopes = {"GET": "seats:read", "PUT": "seats:write", "DELETE": "seats:write"}

HEAD and OPTIONS need what GET needs. Under a `{customer}` path the gate lets through whoever holds the scope somewhere,
and the view asks `get_customer(access, code, scope)` for the rest (`CustomerView` does). Elsewhere reading needs the
scope somewhere, for lists show only what the caller may see, and writing needs it everywhere. A view that is asked by
POST, for its question is too long for an address, says `only_reads = True`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from customers.access import NotAuthenticated, access_of, get_customer, not_allowed
from customers.second_step import SecondStepRequired

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads these settings itself


def scope_for(view: Any, method: str | None) -> str:
    """Returns the scope that `method` of `view` needs. Raises ImproperlyConfigured if the view doesn't say."""
    name = "GET" if method in {"HEAD", "OPTIONS"} else str(method)
    scopes = getattr(view, "required_scopes", {})
    if name in scopes:
        return str(scopes[name])
    if name == "GET" and scopes:
        # A view that can only be written to: whoever may write may also ask what it takes.
        return str(next(iter(scopes.values())))
    raise ImproperlyConfigured(f"{type(view).__name__} names no scope for {name}.")


class HasScope(BasePermission):
    """Raises NotAuthenticated, SecondStepRequired or Forbidden; NotFound for another customer's path.

    Calls are counted first (DRF would do so after), for who is refused calls, too. Raises Throttled.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        view.check_throttles(request)
        try:
            access = access_of(request)
        except NotAuthenticated:
            return False  # DRF makes a 401 of it, with the header that asks for a key
        if access.lacks_second_step:
            raise SecondStepRequired
        handler = (request.method or "").lower()
        if not hasattr(view, handler):
            return True  # there is nothing to allow: 405 follows
        scope = scope_for(view, request.method)
        if "customer" in view.kwargs:
            if not access.allows_somewhere(scope):
                get_customer(access, view.kwargs["customer"], scope)
            return True
        is_reading = request.method in SAFE_METHODS or getattr(view, "only_reads", False)
        allowed = access.allows_somewhere(scope) if is_reading else access.allows(scope)
        if not allowed:
            raise not_allowed()
        return True
