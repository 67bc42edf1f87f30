"""Lists of users on their way to a change: kept, turned into wishes, and gone again (rules N-4 to N-6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from django.db.models import Q
from django.db.models.functions import Lower

from customers.errors import NotFound
from customers.models import Account, Customer, CustomerUser
from licensing.bulk_plan import BulkWish
from licensing.intake import CODE, EMAIL, Listing
from licensing.intake_columns import Entry
from licensing.models import ChangePreview, UserList

KEPT_FOR: Final = timedelta(hours=24)
_BATCH: Final = 1000
_LONGEST_CODE: Final = 64
_LONGEST_EMAIL: Final = 254


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be done with everybody on a list. Without modules, each row says it itself."""

    assign: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    as_listed: bool = False
    accept_loss: bool = False
    creates: bool = False


def keep_list(
    *,
    customer: Customer,
    account: Account | None,
    listing: Listing,
    source: str,
    at: datetime,
    name: str = "",
    answers: Mapping[str, Any] | None = None,
) -> UserList:
    """Returns the list, kept until its change is applied and no longer than a day."""
    return UserList.objects.create(  # type: ignore[no-any-return]  # managers and querysets of ours are typed as Any
        customer=customer,
        account=account,
        content=listing.to_json(),
        source=source,
        created_at=at,
        name=name[:200],
        answers=dict(answers or {}),
    )


def find_list(*, customer: Customer, token: str, at: datetime) -> UserList:
    """Returns the customer's list. Raises NotFound for one that isn't kept any more."""
    found: UserList | None = UserList.objects.filter(
        customer=customer, token=token, created_at__gt=at - KEPT_FOR
    ).first()
    if found is None:
        raise NotFound("list", token)
    return found


def drop_lists_of(preview: ChangePreview) -> None:
    """Forgets the list that a preview was made from, once it is applied."""
    if preview.state == ChangePreview.State.APPLIED:
        UserList.objects.filter(preview=preview).delete()


def prune_lists(*, now: datetime, is_stopping: Callable[[], bool] = lambda: False) -> int:
    """Deletes the lists that were applied or are older than a day; returns how many."""
    done = Q(preview__state=ChangePreview.State.APPLIED) | Q(created_at__lte=now - KEPT_FOR)
    return int(UserList.objects.filter(done).delete()[0])


# ── What the rows wish for ──────────────────────────────────────────────────
def wishes_of_entries(*, customer: Customer, entries: Sequence[Entry], deed: Deed) -> list[BulkWish]:
    """Returns a wish per row, its position the row's number. Queries grow with batches of users.

    Rows that name nobody, two people at once, or somebody who can't be found by their e-mail address, become wishes
    with a fault.
    """
    addressed = [entry.email for entry in entries if entry.email]
    codes = _codes_by_email(customer, addressed)
    named = [entry.user or _code_from(entry.email) for entry in entries if deed.creates]
    known = _known_codes(customer, named) if deed.creates else frozenset[str]()
    return [_wish(entry, deed, codes, known) for entry in entries]


def _wish(entry: Entry, deed: Deed, codes: Mapping[str, str], known: frozenset[str]) -> BulkWish:
    assign = entry.assign if deed.as_listed else deed.assign
    release = entry.release if deed.as_listed else deed.release
    user = entry.user or codes.get(entry.email.lower(), "")
    fault, create = entry.fault, None
    is_addressed = not entry.user and entry.email.lower() in codes
    if not fault and deed.creates and user.lower() not in known and not is_addressed:
        user = user or _code_from(entry.email)
        create, fault = _creation(entry, user, known)
    elif not fault and entry.user and codes.get(entry.email.lower(), entry.user).lower() != entry.user.lower():
        fault = f"The address {entry.email[:100]!r} is somebody else’s here: {codes[entry.email.lower()]!r}’s."
    elif not fault and not user:
        fault = f"Nobody here has the e-mail address {entry.email[:100]!r}."
    if fault:
        return BulkWish(entry.row, (entry.user or entry.email)[:_LONGEST_EMAIL], said=_told(entry, fault))
    said = {} if create else {name: text for name, text in (("name", entry.name), ("email", entry.email)) if text}
    return BulkWish(entry.row, user[:_LONGEST_EMAIL], assign, release, deed.accept_loss, create, said or None)


def _creation(entry: Entry, code: str, known: frozenset[str]) -> tuple[dict[str, str] | None, str]:
    """Returns what a user is created with, or why that can't be."""
    if len(code) > _LONGEST_CODE or not CODE.fullmatch(code):
        return None, f"{code[:100]!r} can't be the code of a user: letters, digits, dots, hyphens and underscores can."
    if not entry.user and code.lower() in known:
        return None, f"Somebody else has the code {code!r}; give this user another one in a column of codes."
    if not entry.name:
        return None, f"There is no user {code!r} yet, and none can be created without a name."
    if entry.email and not EMAIL.fullmatch(entry.email):
        return None, f"{entry.email[:100]!r} is not an e-mail address."
    return {"name": entry.name[:200], **({"email": entry.email} if entry.email else {})}, ""


def _told(entry: Entry, fault: str) -> dict[str, str]:
    """Returns a fault with what the row said, so that it can be mended."""
    said = {"name": entry.name, "email": entry.email, "assign": entry.said[0], "release": entry.said[1]}
    return {"fault": fault, **{name: text for name, text in said.items() if text}}


def _code_from(email: str) -> str:
    """Returns the code that a user without one gets: what stands before the @."""
    return email.partition("@")[0]


def _codes_by_email(customer: Customer, addresses: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    users = CustomerUser.objects.of(customer).annotate(lowered=Lower("email")).order_by()
    for batch in _batches({address.lower() for address in addresses if len(address) <= _LONGEST_EMAIL}):
        found.update(users.filter(lowered__in=batch).values_list("lowered", "code"))
    return found


def _known_codes(customer: Customer, codes: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    users = CustomerUser.objects.of(customer).annotate(lowered=Lower("code")).order_by()
    for batch in _batches({code.lower() for code in codes if len(code) <= _LONGEST_CODE}):
        found.update(users.filter(lowered__in=batch).values_list("lowered", flat=True))
    return frozenset(found)


def _batches(words: Iterable[str]) -> Iterable[list[str]]:
    each = iter(sorted(words))
    while batch := list(islice(each, _BATCH)):
        yield batch
