"""Seats: see, give, take. Every change is one change set."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from customers.api.base import CustomerMixin
from customers.api.params import flag, refuse_unknown
from customers.errors import Invalid
from customers.idempotency import idempotent
from licensing.api.parameters import DRY_RUN, KEY
from licensing.api.serializers import SeatChangeSerializer, SeatSerializer, SeatWishSerializer
from licensing.api.users import get_user
from licensing.errors import SeatNotHeld
from licensing.explaining import seat_json
from licensing.models import Seat
from licensing.selectors import seats_held
from licensing.services.seats import SeatChange, UserWish, change_seats, known_module, qualified


class SeatList(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "seats:read"}

    @extend_schema(responses=SeatSerializer(many=True))
    def get(self, request: Request, customer: str, user: str) -> Response:
        """Every seat the user holds, and who gave it."""
        refuse_unknown(request, [])
        found = get_user(self.customer, user)
        held = seats_held([found])[found.pk]
        return Response([_seat(found.code, name, seat) for name, seat in sorted(held.items())])


class SeatDetail(CustomerMixin, APIView):
    required_scopes: ClassVar[dict[str, str]] = {"GET": "seats:read", "PUT": "seats:write", "DELETE": "seats:write"}

    @extend_schema(responses=SeatSerializer)
    def get(self, request: Request, customer: str, user: str, module: str) -> Response:
        """Whether the user holds the module's seat, since when and from whom."""
        refuse_unknown(request, [])
        found = get_user(self.customer, user)
        name = known_module(self.customer, module)
        seat = seats_held([found])[found.pk].get(name)
        if seat is None:
            raise SeatNotHeld(found.code, name)
        return Response(_seat(found.code, name, seat))

    @extend_schema(parameters=[DRY_RUN, KEY], request=SeatWishSerializer, responses=SeatChangeSerializer)
    @idempotent
    def put(self, request: Request, customer: str, user: str, module: str) -> Response:
        """Gives the user the seat. A plan releases held plans of the same solution, in the same instant."""
        asked = _wish(request)
        wish = UserWish(
            user=user,
            assign=(module, *asked.get("assign", ())),
            release=tuple(asked.get("release", ())),
            accept_loss=asked.get("accept_loss", False),
        )
        return self._change(request, wish, module, asked.get("reason", ""))

    @extend_schema(parameters=[DRY_RUN, KEY], request=None, responses=SeatChangeSerializer)
    @idempotent
    def delete(self, request: Request, customer: str, user: str, module: str) -> Response:
        """Takes the seat from the user."""
        return self._change(request, UserWish(user=user, release=(module,)), module, "")

    def _change(self, request: Request, wish: UserWish, module: str, reason: str) -> Response:
        refuse_unknown(request, ["dry_run"])
        dry_run = flag(request, "dry_run")
        change = change_seats(
            customer=self.customer, actor=self.access.actor, wishes=[wish], reason=reason, dry_run=dry_run
        )
        return Response(_outcome(change, qualified(module), dry_run))


def _wish(request: Request) -> dict[str, Any]:
    """Returns the checked body. Raises Invalid for another shape or an unknown member."""
    data: Any = request.data or {}
    if not isinstance(data, dict):
        raise Invalid("The body is an object.", [{"field": "", "message": "Send an object, or nothing."}])
    serializer = SeatWishSerializer(data=data)
    unknown = sorted(set(data) - set(serializer.fields))
    if unknown:
        raise Invalid("The body has unknown members.", [{"field": name, "message": "Not known."} for name in unknown])
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _seat(user: str, module: str, seat: Seat) -> dict[str, Any]:
    return {"user": user, "module": module, "held": True, **seat_json(seat)}


def _outcome(change: SeatChange, module: str, dry_run: bool) -> dict[str, Any]:
    outcome = change.outcomes[0]
    return {
        "user": outcome.user.code,
        "module": module,
        "held": module in outcome.after,
        "assigned": outcome.assigned,
        "released": outcome.released,
        "revision": change.revision,
        "change_set": change.change_set.number if change.change_set and not dry_run else None,
        "dry_run": dry_run,
    }
