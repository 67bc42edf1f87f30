"""Editing a customer. Creating one is licensing's, which writes its first revision in the same breath."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from customers import audit
from customers.actor import Actor
from customers.models import Customer


@transaction.atomic
def edit_customer(*, actor: Actor, customer: Customer, at: datetime, name: str, serial_number: str) -> Customer:
    """Returns the customer with another name or serial number. Raises ValidationError.

    Neither shows in an entitlement, seat list or package, so the revision stays.
    """
    recorded = Customer.objects.select_for_update().get(pk=customer.pk)
    wanted = {"name": name, "serial_number": serial_number}
    changes = {field: [getattr(recorded, field), value] for field, value in wanted.items()}
    changes = {field: pair for field, pair in changes.items() if pair[0] != pair[1]}
    customer.name, customer.serial_number = name, serial_number
    if changes:
        customer.full_clean()
        customer.save(update_fields=list(changes))
        audit.record(
            actor=actor,
            action="customer.edited",
            object_type="customer",
            object_code=customer.code,
            changes=changes,
            customer=customer,
            at=at,
        )
    return customer


@transaction.atomic
def require_second_step(*, actor: Actor, customer: Customer, is_required: bool, at: datetime) -> Customer:
    """Returns the customer, whose people reach nothing without a second step from now on, or do again.

    It shows in no entitlement, seat list or package, so the revision stays.
    """
    recorded = Customer.objects.select_for_update().get(pk=customer.pk)
    customer.requires_second_step = is_required
    if recorded.requires_second_step == is_required:
        return customer
    customer.save(update_fields=["requires_second_step"])
    audit.record(
        actor=actor,
        action="customer.second_step_required" if is_required else "customer.second_step_optional",
        object_type="customer",
        object_code=customer.code,
        changes={"requires_second_step": [recorded.requires_second_step, is_required]},
        customer=customer,
        at=at,
    )
    return customer
