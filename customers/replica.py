"""A read replica, if `DATABASE_REPLICA_URL` names one: it serves lists, reports, and reads with `min_revision`.

Everything else asks the primary, every write goes there, and so does everything about who calls (accounts, keys,
sessions). A list is taken from the replica unless its caller wrote a moment ago, or the replica is out of reach or
further behind than `REPLICA_MAX_LAG_SECONDS`; which is looked up at most once a second. A read with `min_revision`
looks for itself (`licensing/freshness.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from customers.access import NotAuthenticated, access_of
from customers.api_keys import token_of

if TYPE_CHECKING:
    from django.db.models import Model

REPLICA: Final = "replica"
_LOG: Final = structlog.get_logger(__name__)
_LOOKED_UP_EVERY: Final = 1.0  # seconds
# Who calls is asked of the primary, so that whoever is revoked there is revoked.
_OF_CALLERS: Final = frozenset({"account", "apiclient", "apikey", "membership", "staffrole", "idempotencyrecord"})
_APPS: Final = frozenset({"customers", "catalog", "licensing"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LAG: Final = """
    SELECT CASE
        WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
        ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 'Infinity')
    END::float8"""

_reading: Final[ContextVar[str]] = ContextVar("database_read", default=DEFAULT_DB_ALIAS)


class ReplicaRouter:
    """Sends what `from_replica` wraps to the replica, and nothing else."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        alias = _reading.get()
        if alias == DEFAULT_DB_ALIAS or model._meta.app_label not in _APPS or model._meta.model_name in _OF_CALLERS:
            return None
        return None if transaction.get_connection().in_atomic_block else alias

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        return True  # both are the same rows

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return None if db == DEFAULT_DB_ALIAS else False


class _Usable:
    """Whether the replica may serve lists, as of at most a second ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._at, self._is_usable = float("-inf"), False

    def __call__(self) -> bool:
        if REPLICA not in connections.settings:
            return False
        with self._lock:
            if self._clock() - self._at >= _LOOKED_UP_EVERY:
                self._at, self._is_usable = self._clock(), _answers_in_time()
            return self._is_usable

    def forget(self) -> None:
        self._at = float("-inf")


replica_is_usable: Final = _Usable()


def _answers_in_time() -> bool:
    connection = connections[REPLICA]
    try:
        with connection.cursor() as cursor:
            cursor.execute(_LAG if connection.vendor == "postgresql" else "SELECT 0.0")
            lag = float(cursor.fetchone()[0])
    except DatabaseError:
        _LOG.warning("replica_unreachable", exc_info=True)
        connection.close()
        return False
    return lag <= settings.REPLICA_MAX_LAG_SECONDS


@contextmanager
def from_replica(request: Any) -> Iterator[None]:
    """Lets what this request reads inside come from the replica, if it may."""
    if request.method not in _SAFE or not replica_is_usable() or _wrote_lately(request):
        yield
        return
    token = _reading.set(REPLICA)
    try:
        yield
    finally:
        _reading.reset(token)


class ReplicaServes:
    """For views of lists and reports: put it before the view class. What they read may come from the replica."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        with from_replica(request):
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # the view class after this one


class RememberWriters:
    """Middleware: whoever just wrote reads from the primary for a while, and so sees it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method not in _SAFE and REPLICA in connections.settings:
            caller = _caller(request)
            if caller is not None:
                cache.set(caller, True, timeout=settings.REPLICA_AFTER_WRITE_SECONDS)
        return response


def _wrote_lately(request: Any) -> bool:
    caller = _caller(request)
    return caller is not None and cache.get(caller) is not None


def _caller(request: Any) -> str | None:
    """Returns what names the caller: the visible part of a key, or the account of a session."""
    token = token_of(request.META)
    if token is not None:
        return f"wrote:{token.rpartition('_')[0]:.64}" if token.isascii() and token.isprintable() else None
    try:
        return f"wrote:{access_of(request).actor.key}"
    except NotAuthenticated:
        return None
