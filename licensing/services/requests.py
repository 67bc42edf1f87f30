"""More seats: asked for at the customer, answered by customer success (U-11 to U-15).

A request changes nothing of what anybody holds; granting it changes the subscription, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from catalog.models import Owner
from customers import audit
from customers.actor import Actor
from customers.errors import Invalid
from customers.models import Customer, CustomerUser
from licensing.errors import ModuleIsHidden, ModuleNotAssignable, ModuleNotInPackage, SeatRequestRefused
from licensing.facts import owner_of
from licensing.models import CustomerRevision, ModuleLicense, SeatRequest, SubscriptionItem
from licensing.services.commit import customer_commit
from licensing.services.seats import active_rows, known_module
from licensing.services.subscriptions import NOW, Due, Release, Subscribed, change_items

MOST: Final = 100_000
LONGEST_WORDS: Final = 2000
State = SeatRequest.State


@dataclass(frozen=True, slots=True)
class Granted:
    """The request as it is now, and what the subscription became; of a dry run with all that would follow."""

    request: SeatRequest
    subscribed: Subscribed


def ask_for_seats(
    *,
    customer: Customer,
    actor: Actor,
    module: str,
    quantity: int,
    user: CustomerUser | None = None,
    note: str = "",
    at: datetime | None = None,
    dry_run: bool = False,
) -> SeatRequest:
    """Asks for `quantity` more seats of a module (`owner.module`, or bare), perhaps for one user.

    Raises NotFound (module), ModuleNotInPackage, ModuleNotAssignable, ModuleIsHidden, Invalid, and SeatRequestRefused
    where there is no limit, or an open request for the module already.
    """
    with customer_commit(customer=customer, actor=actor, cause="seats.requested", at=at, dry_run=dry_run) as commit:
        row = _limited(customer, module, commit.at)
        if not 1 <= quantity <= MOST:
            raise Invalid("How many more?", [{"field": "quantity", "message": f"A whole number from 1 to {MOST}."}])
        owner = Owner.objects.get(code=owner_of(row.full_name))
        waiting = SeatRequest.objects.open().filter(customer=customer, owner=owner, module_name=row.module_name).first()
        if waiting is not None:
            raise SeatRequestRefused(
                f"{waiting.quantity} more of {row.module_description} were asked for already, by {waiting.asked_by}.",
                blocking={"kind": "seat_request", "code": str(waiting.pk)},
                next_action="Wait for the answer, or withdraw that request and ask again.",
            )
        request: SeatRequest = SeatRequest.objects.create(
            customer=customer,
            owner=owner,
            module_name=row.module_name,
            module_description=row.module_description,
            quantity=quantity,
            user=user,
            note=note.strip()[:LONGEST_WORDS],
            asked_at=commit.at,
            asked_by=actor.label,
            asking_account=actor.account,
            asking_client=actor.client,
        )
        changes = {"quantity": [None, quantity]}
        _record(customer, actor, request, "seats.requested", changes, request.note, commit.at)
    return request


def withdraw_request(
    *, customer: Customer, actor: Actor, request: SeatRequest, at: datetime | None = None, dry_run: bool = False
) -> SeatRequest:
    """Takes an open request back; its record stays. Raises SeatRequestRefused."""
    return _answered(customer, actor, request, State.WITHDRAWN, "", at, dry_run)


def decline_request(
    *,
    customer: Customer,
    actor: Actor,
    request: SeatRequest,
    reason: str,
    at: datetime | None = None,
    dry_run: bool = False,
) -> SeatRequest:
    """Says no to an open request, and why. Raises SeatRequestRefused, Invalid."""
    if not reason.strip():
        raise Invalid("A request is declined for a reason.", [{"field": "reason", "message": "Say why."}])
    return _answered(customer, actor, request, State.DECLINED, reason, at, dry_run)


def grant_request(
    *,
    customer: Customer,
    actor: Actor,
    request: SeatRequest,
    reason: str = "",
    items: Mapping[str, int] | None = None,
    due: Due = NOW,
    release: Release | None = None,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Granted:
    """Buys the seats asked for and says so, or changes the subscription by `items` instead (offer → quantity).

    Raises SeatRequestRefused, and what `change_items` refuses.
    """
    with transaction.atomic():
        # Every write of a customer waits here; so nobody answers in between.
        CustomerRevision.objects.select_for_update().get(customer=customer)
        _refuse_answered(request)
        wanted = dict(items) if items is not None else wanted_items(request, at)
        subscribed = change_items(
            customer=customer, actor=actor, items=wanted, due=due, release=release, at=at, dry_run=dry_run
        )
        stamp = CustomerRevision.objects.get(customer=customer).stamp
        answered = _answer(customer, actor, request, State.GRANTED, reason, stamp, is_rehearsal=dry_run)
    return Granted(answered, subscribed)


def wanted_items(request: SeatRequest, at: datetime | None = None) -> dict[str, int]:
    """Returns what the subscription would be changed to: the offer's code, and how many with those asked for.

    Raises SeatRequestRefused where it is none of our own plans and add-ons that the customer has.
    """
    now = at or timezone.now()
    row = active_rows(request.customer, now).get(request.full_name)
    if row is None or not row.offer_code:
        raise SeatRequestRefused(
            f"{request.module_description} is no plan or add-on of ours that {request.customer.name} has.",
            blocking={"kind": "module", "code": request.full_name},
            next_action="Change the subscription, or decline the request and say where to ask.",
        )
    items = SubscriptionItem.objects.filter(customer=request.customer, version__offer__code=row.offer_code)
    present = items.in_force(now).aggregate(sum=Sum("quantity"))["sum"] or 0
    return {str(row.offer_code): present + request.quantity}


def _answered(
    customer: Customer,
    actor: Actor,
    request: SeatRequest,
    state: State,
    words: str,
    at: datetime | None,
    dry_run: bool,
) -> SeatRequest:
    cause = f"seats.request_{state.value}"
    with customer_commit(customer=customer, actor=actor, cause=cause, at=at, dry_run=dry_run) as commit:
        _refuse_answered(request)
        return _answer(customer, actor, request, state, words, commit.at)


def _answer(
    customer: Customer,
    actor: Actor,
    request: SeatRequest,
    state: State,
    words: str,
    at: datetime,
    *,
    is_rehearsal: bool = False,
) -> SeatRequest:
    """Writes the answer, under the customer's lock; a rehearsal only says what it would be."""
    answered: SeatRequest = SeatRequest.objects.select_related("owner", "user", "customer").get(pk=request.pk)
    answered.state, answered.answer = state, words.strip()[:LONGEST_WORDS]
    answered.answered_at, answered.answered_by = at, actor.label
    answered.answering_account, answered.answering_client = actor.account, actor.client
    if is_rehearsal:
        return answered
    if state == State.GRANTED:
        answered.item = _newest_item(answered)
    answered.save()
    changes = {"state": [State.OPEN.value, state.value]}
    _record(customer, actor, answered, f"seats.request_{state.value}", changes, words, at)
    return answered


def _refuse_answered(request: SeatRequest) -> None:
    """Refuses to answer twice; asked under the customer's lock."""
    now = SeatRequest.objects.get(pk=request.pk)
    if not now.is_open:
        raise SeatRequestRefused(
            f"The request was {now.get_state_display()} already, by {now.answered_by}.",
            blocking={"kind": "seat_request", "code": str(now.pk)},
            next_action="Nothing is left to answer.",
        )


def _newest_item(request: SeatRequest) -> SubscriptionItem | None:
    """Returns the item that the customer's subscription got last of what ships the module."""
    items = SubscriptionItem.objects.filter(customer=request.customer, subscription__ended_at=None)
    of_it = items.filter(version__offer__module__owner=request.owner, version__offer__module__name=request.module_name)
    found: SubscriptionItem | None = of_it.order_by("-starts_at", "-pk").first()
    return found


def _record(
    customer: Customer,
    actor: Actor,
    request: SeatRequest,
    action: str,
    changes: Mapping[str, Any],
    reason: str,
    at: datetime,
) -> None:
    audit.record(
        actor=actor,
        action=action,
        object_type="seat_request",
        object_code=str(request.pk),
        customer=customer,
        changes={"module": request.full_name, **changes},
        reason=reason,
        at=at,
    )


def _limited(customer: Customer, name: str, at: datetime) -> ModuleLicense:
    """Returns the row of a module that people are given and that can run out."""
    rows = active_rows(customer, at)
    module = known_module(customer, name)
    row = rows.get(module)
    if row is None:
        raise ModuleNotInPackage(module)
    if row.license_type != ModuleLicense.Type.USER:
        raise ModuleNotAssignable(module)
    if row.hidden:
        raise ModuleIsHidden(
            module, sorted(n for n, r in rows.items() if r.is_plan and row.module_name in r.extra_info)
        )
    if row.unrestricted:
        raise SeatRequestRefused(
            f"{row.module_description} has no limit: there is a seat for everybody.",
            blocking={"kind": "module", "code": module},
            next_action="Assign it.",
        )
    return row
