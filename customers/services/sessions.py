"""Where somebody is signed in, and ending it there (rules Y-17 to Y-19)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction

from customers.errors import NotFound
from customers.models import Account
from customers.services.accounts import record_own_change


def live_sessions(account: Account, *, at: datetime) -> Any:
    """Returns the sessions in which the account is signed in (UserSession), the one used last first. One query."""
    live = Session.objects.filter(expire_date__gt=at).values("session_key")
    return UserSession.objects.filter(user_id=account.pk, session_key__in=live).order_by("-last_seen_at", "-pk")


@transaction.atomic
def end_session(*, account: Account, session: int, at: datetime) -> UserSession:
    """Returns the session that has ended. Raises NotFound for one that isn't this account's."""
    found: UserSession | None = UserSession.objects.filter(user_id=account.pk, pk=session).first()
    if found is None:
        raise NotFound("session", str(session))
    _end(found.session_key)
    record_own_change(account=account, what="session_ended", at=at)
    return found


@transaction.atomic
def end_every_session(*, account: Account, at: datetime, but: str | None = None) -> int:
    """Signs the account out everywhere, but for the session with the key `but`; returns how many sessions ended."""
    ended = end_sessions(account=account, but=but)
    record_own_change(account=account, what="sessions_ended", at=at)
    return ended


def end_sessions(*, account: Account, but: str | None = None) -> int:
    """Ends them without a word in the trail: part of what the trail tells otherwise. Returns how many."""
    others = UserSession.objects.filter(user_id=account.pk).exclude(session_key=but or "")
    keys = list(others.values_list("session_key", flat=True))
    _end(*keys)
    return len(keys)


def note_use(*, session_key: str, address: str, at: datetime, every: timedelta) -> None:
    """Writes down when and from where a session was used, if that was not done just before."""
    before = at - every
    UserSession.objects.filter(session_key=session_key, last_seen_at__lt=before).update(last_seen_at=at, ip=address)


def _end(*keys: str) -> None:
    Session.objects.filter(session_key__in=keys).delete()
    UserSession.objects.filter(session_key__in=keys).delete()
