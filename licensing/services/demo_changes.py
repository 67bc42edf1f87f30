"""Changes of many users for the demo to show: one that stands, and one that was made and undone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from customers.actor import Actor
from customers.models import Customer, CustomerUser
from licensing.bulk_plan import BulkWish
from licensing.models import ChangeSet, Seat
from licensing.services.bulk import Mode, apply_preview, preview_changes, preview_undo

CUSTOMER: Final = "fjordlys"
ADD_ON: Final = "calendar-synchronization"
STANDS: Final = "Calendars for the service desk"
UNDONE: Final = "A week’s trial of calendars"


def make_demo_changes(*, admin: Actor, at: datetime) -> None:
    """Makes the changes in the name of the customer's admin, unless they are there."""
    customer = Customer.objects.filter(code=CUSTOMER).first()
    if customer is None or ChangeSet.objects.filter(customer=customer, reason=STANDS).exists():
        return
    module = customer.module_licenses.filter(offer_code=ADD_ON).values_list("module_name", flat=True).first()
    users = _without(customer, module)
    _give(customer, admin, module, users[:2], STANDS, at)
    trial = _give(customer, admin, module, users[2:5], UNDONE, at)
    if trial is not None:
        undo = preview_undo(
            customer=customer, actor=admin, number=trial.number, mode=Mode.AS_MANY, reason="The trial is over", at=at
        )
        apply_preview(customer=customer, actor=admin, token=undo.token, at=at)


def _without(customer: Customer, module: str) -> Sequence[str]:
    """Returns the codes of users who hold a plan, and no seat of the module."""
    held = Seat.objects.held().filter(customer=customer)
    users = CustomerUser.objects.filter(seats__in=held).exclude(seats__in=held.filter(module_name=module))
    return list(users.order_by("code").values_list("code", flat=True).distinct())


def _give(
    customer: Customer, admin: Actor, module: str, users: Sequence[str], reason: str, at: datetime
) -> ChangeSet | None:
    wishes = [BulkWish(row, user, assign=(module,)) for row, user in enumerate(users, start=1)]
    preview = preview_changes(customer=customer, actor=admin, wishes=wishes, mode=Mode.AS_MANY, reason=reason, at=at)
    return apply_preview(customer=customer, actor=admin, token=preview.token, at=at).change_set
