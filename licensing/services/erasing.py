"""Erases a person: what is left is that there was a user, and what that user held when (U-7 to U-10, docs/adr/0017).

Name, e-mail address, account, last sign-in and the code go; a pseudonym takes the code's place wherever history names
the user. What people wrote in their own words, as reasons and notes, stays as they wrote it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from customers import audit
from customers.actor import Actor
from customers.models import (
    AuditEvent,
    Customer,
    CustomerUser,
    IdempotencyRecord,
    OutboxMessage,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEvent,
)
from licensing.errors import NotConfirmed, UserIsErased
from licensing.models import ChangePreview, ChangePreviewRow, ChangeSet, UserList
from licensing.models.revision import ERASING
from licensing.selectors import seats_held
from licensing.services.change_sets import UserOutcome, known_as, write_outcomes
from licensing.services.commit import Commit, customer_commit
from licensing.services.people import PSEUDONYMS
from licensing.services.periods import BATCH, rewrite_users

ERASED: Final = "erased"
PERSONAL: Final = ("name", "email", "account")


@dataclass(frozen=True, slots=True)
class Erased:
    """The user under the pseudonym, what it cost (`owner.module`), and how many records named the person.

    `events` of the audit trail, `messages` that were or are to be sent, `answers` kept for repetitions, `previews` of
    changes and the lists that they were made of.
    """

    user: CustomerUser
    released: tuple[str, ...]
    freed: ChangeSet | None
    events: int
    messages: int
    answers: int
    previews: int
    revision: int

    @property
    def records(self) -> int:
        """How many records named the person, of whatever kind."""
        return self.events + self.messages + self.answers + self.previews


def erase_user(
    *,
    customer: Customer,
    actor: Actor,
    user: CustomerUser,
    confirm: str = "",
    reason: str = "",
    at: datetime | None = None,
    dry_run: bool = False,
) -> Erased:
    """Erases the person for good; whoever has not left before leaves by it, and seats are freed.

    `confirm` is the user's code, typed once more (a dry run needs none). Raises NotConfirmed, UserIsErased.
    """
    with customer_commit(customer=customer, actor=actor, cause=ERASING, at=at, dry_run=dry_run) as commit:
        user = CustomerUser.objects.of(customer).select_related("customer").get(pk=user.pk)
        if user.is_erased:
            raise UserIsErased(user.code)
        if confirm != user.code and not dry_run:
            raise NotConfirmed(user.code)
        known, pseudonym = known_as(user), _pseudonym(customer)
        words = _words_for(user, pseudonym)
        freed, released = _leave(commit, user, pseudonym)
        events = _redact_trail(user, known, pseudonym)
        messages = _scrub(OutboxMessage.objects.filter(customer=customer), "payload", words)
        messages += _scrub_webhooks(customer, words)
        answers = _scrub(IdempotencyRecord.objects.filter(customer=customer), "body", words)
        previews = _scrub_previews(user, words)
        # By the queryset: the model refuses another code, and this is the one time that it gets one.
        CustomerUser.objects.filter(pk=user.pk).update(code=pseudonym)
        user = CustomerUser.objects.select_related("customer").get(pk=user.pk)
        told: dict[str, Any] = {
            "seats": [list(released), []],
            "events": events,
            "messages": messages,
            "answers": answers,
        }
        told["previews"] = previews
        audit.record(
            actor=actor,
            action=ERASING,
            object_type="user",
            object_code=known_as(user),
            customer=customer,
            changes=told,
            reason=reason,
            at=commit.at,
        )
        commit.changed()
    return Erased(user, released, freed, events, messages, answers, previews, commit.head.number)


def _leave(commit: Commit, user: CustomerUser, pseudonym: str) -> tuple[ChangeSet | None, tuple[str, ...]]:
    """Takes everything from the row that says who it is, its code apart; frees the seats held."""
    could_hold = user.may_hold_seats
    held = seats_held([user], commit.at)
    released = tuple(sorted(held[user.pk]))
    user.name, user.email, user.account = _name_of(pseudonym), "", None
    user.last_seen_at, user.erased_at = None, commit.at
    user.can_log_in, user.is_former_employee = False, True
    user.save()
    freed = write_outcomes(commit, [UserOutcome(user, frozenset(released), frozenset())], held, "")
    if freed is None and could_hold:
        rewrite_users(commit, [user])
    return freed, released


def _pseudonym(customer: Customer) -> str:
    """Returns a code that nobody here has, and that says nothing of whoever had the one before."""
    while True:
        code = f"{PSEUDONYMS}{secrets.token_hex(4)}"
        if not CustomerUser.objects.of(customer).named(code).exists():
            return code


def _name_of(pseudonym: str) -> str:
    return f"Erased user {pseudonym.removeprefix(PSEUDONYMS)}"


# ── The trail ───────────────────────────────────────────────────────────────
def _redact_trail(user: CustomerUser, known: str, pseudonym: str) -> int:
    """Puts the pseudonym into every event about the user, and takes the personal values out; returns how many."""
    renamed = {"object_code": f"{user.customer.code}/{pseudonym}"}
    count = int(AuditEvent.objects.filter(object_type="seats", object_code=known).update(**renamed))
    for event in AuditEvent.objects.filter(object_type="user", object_code=known):
        changes = {key: ERASED if key in PERSONAL else value for key, value in event.changes.items()}
        count += AuditEvent.objects.filter(pk=event.pk).update(changes=changes, **renamed)
    overridden = AuditEvent.objects.filter(customer=user.customer, object_type="override", changes__user=user.code)
    for event in overridden:
        count += AuditEvent.objects.filter(pk=event.pk).update(changes=event.changes | {"user": pseudonym})
    return count


# ── What was sent, and what is kept to be answered again ────────────────────
@dataclass(frozen=True, slots=True)
class _Words:
    """What a person was called, and what stands for it now."""

    code: str
    names: frozenset[str]
    addresses: frozenset[str]
    pseudonym: str

    @property
    def searched(self) -> frozenset[str]:
        return frozenset({self.code, *self.names, *self.addresses})


def _words_for(user: CustomerUser, pseudonym: str) -> _Words:
    """Returns every name and address that the person has now, or had by the trail."""
    told = AuditEvent.objects.filter(object_type="user", object_code=known_as(user)).values_list("changes", flat=True)
    said: dict[str, set[str]] = {"name": {user.name}, "email": {user.email}}
    for changes in told:
        for key, values in said.items():
            was_and_is = changes.get(key)
            values.update(filter(None, was_and_is if isinstance(was_and_is, list) else ()))
    return _Words(user.code, frozenset(said["name"]), frozenset(said["email"] - {""}), pseudonym)


def _mentioning(rows: Any, field: str, words: _Words) -> Any:
    """Returns the rows whose JSON has any of the words in it, for a closer look."""
    mentions = Q()
    for word in words.searched:
        # Databases keep letters beyond ASCII as they are, or escaped.
        mentions |= Q(as_text__icontains=word) | Q(as_text__icontains=json.dumps(word)[1:-1])
    return rows.annotate(as_text=Cast(field, TextField())).filter(mentions)


def _scrub(rows: Any, field: str, words: _Words) -> int:
    """Puts the pseudonym into the JSON of `rows` wherever it names the person; returns in how many."""
    count = 0
    for row in _mentioning(rows, field, words).only("pk", field).iterator(BATCH):
        was = getattr(row, field)
        now = _without(was, words)
        if now != was:
            count += type(row).objects.filter(pk=row.pk).update(**{field: now})
    return count


def _scrub_webhooks(customer: Customer, words: _Words) -> int:
    """Likewise of events: users are the names of members there. What was sent in the old name was sent."""
    count = 0
    for event in WebhookEvent.objects.filter(customer=customer, body__icontains=words.code):
        told = json.loads(event.body)
        users = told["data"].get("users")
        if isinstance(users, dict):
            told["data"]["users"] = {
                words.pseudonym if c.lower() == words.code.lower() else c: n for c, n in users.items()
            }
        told = _without(told, words)
        spelled = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
        if spelled != event.body:
            count += WebhookEvent.objects.filter(pk=event.pk).update(body=spelled)
    said = Q()
    for word in words.searched:
        said |= Q(answer__icontains=word)
    tries = WebhookAttempt.objects.filter(said, delivery__customer=customer)
    for each in (
        *WebhookDelivery.objects.filter(said, customer=customer),
        *tries,
    ):  # receivers may repeat what they got
        answer = _without_code(each.answer, words)
        if answer != each.answer:
            count += type(each).objects.filter(pk=each.pk).update(answer=answer)
    return count


def _scrub_previews(user: CustomerUser, words: _Words) -> int:
    """Likewise of previews of changes and their rows. Lists that name the person are dropped: they last for a day."""
    previews = ChangePreview.objects.filter(customer=user.customer)
    count = sum(_scrub(previews, field, words) for field in ("wishes", "difference"))
    for row in _naming(ChangePreviewRow.objects.filter(customer=user.customer), user, words).iterator(BATCH):
        was = (row.user_code, row.message, row.next_action, row.blocking)
        if row.user_id == user.pk or row.user_code.lower() in {each.lower() for each in (words.code, *words.addresses)}:
            row.user_code = words.pseudonym
            row.blocking = row.blocking | {"user": words.pseudonym} if row.blocking else {}
        row.message, row.next_action = (_without_code(text, words) for text in (row.message, row.next_action))
        row.blocking = _without(row.blocking, words)
        if was != (row.user_code, row.message, row.next_action, row.blocking):
            row.save(update_fields=["user_code", "message", "next_action", "blocking"])
            count += 1
    for kept in _mentioning(UserList.objects.filter(customer=user.customer), "content", words):
        cells = {text.strip().lower() for text in _texts(kept.content)}
        if words.code.lower() in cells or any(_reworded(text, words) != text for text in _texts(kept.content)):
            kept.delete()
            count += 1
    return count


def _naming(rows: Any, user: CustomerUser, words: _Words) -> Any:
    """Returns the rows of previews that are about the person, or say their code or address of somebody else's row."""
    named = Q(user=user)
    for word in (words.code, *words.addresses):
        named |= Q(user_code__iexact=word) | Q(message__icontains=word) | Q(next_action__icontains=word)
    return rows.filter(named)


def _texts(told: Any) -> Iterator[str]:
    if isinstance(told, str):
        yield told
    elif isinstance(told, dict | list):
        for each in told.values() if isinstance(told, dict) else told:
            yield from _texts(each)


def _without_code(text: str, words: _Words) -> str:
    """Returns a sentence about the person without their names and code."""
    return re.sub(
        rf"(?<![\w.-]){re.escape(words.code)}(?![\w-])", words.pseudonym, _reworded(text, words), flags=re.IGNORECASE
    )


def _without(told: Any, words: _Words, key: str = "") -> Any:
    """Returns JSON without the person. A code is one only where a code of a user stands: it may be any word."""
    match told:
        case dict():
            if "position" in told and str(told.get("user", "")).lower() == words.code.lower():
                told = {k: v for k, v in told.items() if k not in ("create", "said")}  # what a list said of them
            # What has an address is a user, and its code is theirs.
            return {k: _without(v, words, "user" if k == "code" and "email" in told else k) for k, v in told.items()}
        case list():
            return [_without(each, words, "user" if key in _USERS else key) for each in told]
        case str():
            if key in ("user", "user_code") and told.lower() == words.code.lower():
                return words.pseudonym
            return _reworded(told, words)
    return told


_USERS: Final = frozenset({"users", "holders", "could_give_up"})


def _reworded(text: str, words: _Words) -> str:
    for name in sorted(words.names, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", _name_of(words.pseudonym), text)
    for address in words.addresses:
        text = re.sub(re.escape(address), words.pseudonym, text, flags=re.IGNORECASE)
    return text.replace(f"({words.code})", f"({words.pseudonym})")
