"""What a user's life does to seats: created, edited, can log in or not, former employee (C-29, U-1 to U-6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models.functions import Lower

from customers import audit
from customers.actor import Actor
from customers.errors import Invalid
from customers.models import Customer, CustomerUser
from licensing.errors import UserIsErased
from licensing.models import ChangeSet
from licensing.selectors import seats_held
from licensing.services.change_sets import UserOutcome, known_as, write_outcomes
from licensing.services.commit import Commit, customer_commit
from licensing.services.onboarding import faults_of
from licensing.services.periods import BATCH, rewrite_users

EDITABLE = frozenset({"name", "email", "account", "can_log_in", "is_former_employee"})
PSEUDONYMS = "erased-"


@dataclass(frozen=True, slots=True)
class Edited:
    """The user as they are now, the change set that freed their seats, if any, and which (`owner.module`)."""

    user: CustomerUser
    freed: ChangeSet | None
    released: tuple[str, ...] = ()
    revision: int = 0


def create_user(
    *, customer: Customer, actor: Actor, code: str, at: datetime | None = None, dry_run: bool = False, **fields: Any
) -> CustomerUser:
    """Creates a user who holds nothing yet, with their first period. `fields`: those of EDITABLE. Raises Invalid."""
    with customer_commit(customer=customer, actor=actor, cause="user.created", at=at, dry_run=dry_run) as commit:
        user = CustomerUser(customer=customer, code=code, created_at=commit.at, **_editable(fields))
        _refuse_pseudonyms([code])
        _check(user)
        user.save()
        rewrite_users(commit, [user])
        commit.changed()
        audit.record_all(actor=actor, events=[_created(user, fields)], customer=customer, at=commit.at)
    return user


def create_users(
    *, customer: Customer, actor: Actor, users: list[dict[str, Any]], at: datetime | None = None
) -> list[CustomerUser]:
    """Creates many users (each a dict with `code`, `name` and fields of EDITABLE) in one commit. Raises Invalid.

    Queries grow with batches of 1,000, not with users.
    """
    with customer_commit(customer=customer, actor=actor, cause="users.created", at=at) as commit:
        return add_users(commit, users)


def add_users(
    commit: Commit,
    users: Sequence[Mapping[str, Any]],
    *,
    are_faultless: bool = False,
    seats_follow: Collection[str] = (),
) -> list[CustomerUser]:
    """Creates many users in a commit that is in progress, as `create_users` does. Raises Invalid.

    Who has asked `faults_of_new` in this commit says that they `are_faultless`. What those of the codes `seats_follow`
    hold is written with the seats that they are given in it.
    """
    rows = [
        CustomerUser(customer=commit.customer, created_at=commit.at, code=user["code"], **_editable(user))
        for user in users
    ]
    if not are_faultless:
        _refuse_pseudonyms(row.code for row in rows)
        for row in rows:
            _check(row, unique=False)
    created: list[CustomerUser] = CustomerUser.objects.bulk_create(rows, batch_size=BATCH)
    follow = set(seats_follow)
    rewrite_users(commit, [user for user in created if user.code not in follow])
    commit.changed()
    events = map(_created, rows, users)
    audit.record_all(actor=commit.actor, events=events, customer=commit.customer, at=commit.at)
    return created


def faults_of_new(customer: Customer, users: Sequence[Mapping[str, Any]]) -> list[Invalid | None]:
    """Returns what would be in the way of creating each of these users, addresses taken by others among them.

    None of their codes is taken. One query per batch of 1,000.
    """
    addresses = [str(user.get("email") or "").lower() for user in users]
    taken: set[str] = set()
    named = CustomerUser.objects.of(customer).alias(lowered=Lower("email"))
    for start in range(0, len(addresses), BATCH):
        asked = [each for each in addresses[start : start + BATCH] if each]
        taken |= {email.lower() for email in named.filter(lowered__in=asked).values_list("email", flat=True)}
    found: list[Invalid | None] = []
    for user, address in zip(users, addresses, strict=True):
        fault = _fault(CustomerUser(customer=customer, code=user["code"], **_editable(user)))
        if fault is None and address and address in taken:
            listed = [{"field": "email", "message": "This customer has a user with this e-mail address already."}]
            fault = Invalid(f"User {user['code']!r} can't be saved like this.", listed)
        if fault is None and address:
            taken.add(address)
        found.append(fault)
    return found


def _fault(user: CustomerUser) -> Invalid | None:
    try:
        _refuse_pseudonyms([user.code])
        _check(user, unique=False)
    except Invalid as fault:
        return fault
    return None


def edit_user(
    *,
    customer: Customer,
    actor: Actor,
    user: CustomerUser,
    reason: str = "",
    at: datetime | None = None,
    dry_run: bool = False,
    **fields: Any,
) -> Edited:
    """Changes a user. Clearing `can_log_in`, or setting `is_former_employee`, frees their seats in the same commit.

    Reactivation restores no seat. Raises Invalid, UserIsErased.
    """
    with customer_commit(customer=customer, actor=actor, cause="user.edited", at=at, dry_run=dry_run) as commit:
        user = CustomerUser.objects.of(customer).select_related("customer").get(pk=user.pk)
        if user.is_erased:
            raise UserIsErased(user.code)
        could_hold = user.may_hold_seats
        wanted = _editable(fields)
        before = {name: getattr(user, name) for name in wanted}
        changes = {name: [str(before[name]), str(value)] for name, value in wanted.items() if before[name] != value}
        for name, value in wanted.items():
            setattr(user, name, value)
        _check(user)
        freed, released = None, tuple[str, ...]()
        if changes:
            user.save(update_fields=list(wanted))
            _record(commit, "user.edited", user, changes, reason)
        if could_hold and not user.may_hold_seats:
            held = seats_held([user], commit.at)
            released = tuple(sorted(held[user.pk]))
            freed = write_outcomes(commit, [UserOutcome(user, frozenset(released), frozenset())], held, reason)
        if could_hold != user.may_hold_seats:
            if freed is None:
                rewrite_users(commit, [user])
            commit.changed()
    return Edited(user, freed, released, commit.head.number)


def _editable(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in EDITABLE}


def _refuse_pseudonyms(codes: Iterable[str]) -> None:
    """Refuses codes that would look like those of erased users."""
    for code in codes:
        if code.lower().startswith(PSEUDONYMS):
            message = f"Codes that begin with {PSEUDONYMS!r} stand for users who were erased."
            raise Invalid(f"User {code!r} can't be created.", [{"field": "code", "message": message}])


def _check(user: CustomerUser, unique: bool = True) -> None:
    try:
        user.full_clean(
            validate_unique=unique, validate_constraints=unique, exclude=None if unique else ["customer", "account"]
        )
    except ValidationError as fault:
        raise Invalid(f"User {user.code!r} can't be saved like this.", faults_of(fault)) from fault


def _created(user: CustomerUser, said: Mapping[str, Any]) -> audit.Event:
    told = {name: [None, str(value)] for name, value in _editable(said).items()}
    return audit.Event("user.created", "user", known_as(user), told)


def _record(commit: Commit, action: str, user: CustomerUser, changes: dict[str, Any], reason: str = "") -> None:
    audit.record(
        actor=commit.actor,
        action=action,
        object_type="user",
        object_code=known_as(user),
        customer=commit.customer,
        changes=changes,
        reason=reason,
        at=commit.at,
    )
