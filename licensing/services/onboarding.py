"""Makes customers: the row, its first revision and its own first answer, in one transaction."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from customers import audit
from customers.actor import Actor
from customers.errors import Invalid
from customers.models import Customer
from licensing.models import CustomerRevision
from licensing.services.commit import database_clock
from licensing.services.ledger import Commit
from licensing.services.periods import create_customer_holding


def create_customer(
    *, actor: Actor, code: str, name: str, serial_number: str = "", at: datetime | None = None
) -> Customer:
    """Returns the new customer, whose status is *none* until a package is active. Raises Invalid."""
    stamp = at or database_clock()
    with transaction.atomic():
        customer = Customer(code=code, name=name, serial_number=serial_number, created_at=stamp)
        try:
            customer.full_clean()
        except ValidationError as fault:
            raise Invalid("The customer can't be created.", faults_of(fault)) from fault
        customer.save()
        head = CustomerRevision.objects.create(customer=customer, stamp=stamp)
        head.own_holding = create_customer_holding(Commit(customer, actor, stamp, head, "customer.created"))
        head.save()
        audit.record(
            actor=actor,
            action="customer.created",
            object_type="customer",
            object_code=code,
            customer=customer,
            changes={"name": [None, name], "serial_number": [None, serial_number]},
            at=stamp,
        )
    return customer


def faults_of(fault: ValidationError) -> list[dict[str, str]]:
    """Returns each message of a Django ValidationError with the field it is about."""
    return [
        {"field": "" if field == "__all__" else field, "message": message}
        for field, messages in fault.message_dict.items()
        for message in messages
    ]
