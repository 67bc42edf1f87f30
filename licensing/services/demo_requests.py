"""Demo customers short of seats: a plan that is full, somebody long unseen who holds one, and requests for more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from customers.actor import Actor
from customers.models import Account, Customer, CustomerUser
from licensing.models import ModuleLicense, Seat, SeatRequest
from licensing.services.requests import ask_for_seats, decline_request
from licensing.services.seats import UserWish, change_seats

ASKER: Final = "kari@fjordlys.example"
FULL: Final = "ten-marketing-premium"
UNSEEN_FOR: Final = timedelta(days=143)


def make_demo_requests(*, answerer: Actor, at: datetime) -> list[SeatRequest]:
    """Makes them, unless there are any; `answerer` is who declines one."""
    fjordlys = Customer.objects.filter(code="fjordlys").first()
    asker = Actor(account=Account.objects.filter(email=ASKER).first())
    if fjordlys is None or SeatRequest.objects.exists():
        return []
    with transaction.atomic():
        _fill(fjordlys, asker, at)
        early = ask_for_seats(
            customer=fjordlys,
            actor=asker,
            module="ten-service-premium",
            quantity=5,
            note="The service desk grows.",
            at=at - timedelta(days=20),
        )
        decline_request(
            customer=fjordlys,
            actor=answerer,
            request=early,
            reason="Three seats are free at present. Ask again once they are taken.",
            at=at - timedelta(days=18),
        )
        open_one = ask_for_seats(
            customer=fjordlys,
            actor=asker,
            module=FULL,
            quantity=2,
            note="Two colleagues join the campaign team on the first of next month.",
            at=at,
        )
    return [early, open_one]


def _fill(customer: Customer, actor: Actor, at: datetime) -> None:
    """Gives the last seat of the plan away; one of its holders was not seen for months."""
    seats = Seat.objects.filter(customer=customer, released_at=None)
    unplanned = CustomerUser.objects.of(customer).able_to_hold_seats().exclude(pk__in=seats.values("user"))
    held = seats.filter(module_name=FULL)
    free = ModuleLicense.objects.filter(customer=customer).active(at).get(module_name=FULL).license_number
    free -= held.count()
    wishes = [UserWish(user.code, (FULL,)) for user in unplanned.order_by("code")[:free]]
    if wishes:
        change_seats(customer=customer, actor=actor, wishes=wishes, reason="Helps with the autumn campaign", at=at)
    longest = held.order_by("user__code").values_list("user", flat=True).first()
    CustomerUser.objects.filter(pk=longest).update(last_seen_at=at - UNSEEN_FOR)
