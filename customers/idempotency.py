"""`Idempotency-Key`: a write that is sent twice happens once, and gets the same answer twice.

The record is written in the same transaction as the write itself, so either both are there or neither. The unique
constraint on (caller, key) makes a concurrent duplicate wait for the first one, on PostgreSQL at its INSERT, on SQLite
at the transaction's begin, and then answer what that one answered. Refusals roll back and are not kept: once what was
in the way is gone, the same key works. A key is remembered for 24 hours.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from customers.access import access_of
from customers.errors import Invalid, Refusal
from customers.models import IdempotencyRecord

KEPT_FOR: Final = timedelta(hours=24)
REPLAY_HEADER: Final = "Idempotent-Replay"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}\Z")

P = ParamSpec("P")


class KeyReused(Refusal):
    code = "idempotency_key_reused"
    status = 422
    title = "Idempotency key used for another request"

    def __init__(self, key: str) -> None:
        super().__init__(
            "This Idempotency-Key came with another request before.",
            blocking={"kind": "idempotency_key", "code": key},
            next_action="Send a new key with a new request, or the same request with this key.",
        )


def idempotent(method: Callable[Concatenate[Any, Request, P], Response]) -> Callable[..., Response]:
    """Decorates a view's `post`, `put`, `patch` or `delete`: with_idempotency around it."""

    @wraps(method)
    def wrapped(view: Any, request: Request, *args: P.args, **kwargs: P.kwargs) -> Response:
        return with_idempotency(request, lambda: method(view, request, *args, **kwargs), view)

    return wrapped


def with_idempotency(request: Request, handler: Callable[[], Response], view: Any = None) -> Response:
    """Returns what `handler` answers, or what it answered to the same request with the same `Idempotency-Key` before,
    then with the header `Idempotent-Replay: true`.

    Without the header, and for a dry run, which changes nothing, the handler just runs. Otherwise it runs in a
    transaction together with the record, which names the customer that the `view` is about. Raises KeyReused when the
    key came with another request, Invalid for a malformed key.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None or request.query_params.get("dry_run") == "true":
        return handler()
    if not _KEY.match(key):
        raise Invalid(
            "The Idempotency-Key is wrong.",
            [{"field": "Idempotency-Key", "message": "1 to 200 visible ASCII characters."}],
        )
    caller, digest = access_of(request).actor.key, _digest(request)
    stored = _stored(caller, key, digest)
    if stored is not None:
        return stored
    try:
        return _run_and_keep(caller, key, digest, handler, view)
    except _Taken:
        stored = _stored(caller, key, digest)
        if stored is None:  # the first one was refused or pruned in this very moment
            return _run_and_keep(caller, key, digest, handler, view)
        return stored


def prune_idempotency(*, now: datetime) -> int:
    """Deletes the records older than 24 hours; returns how many."""
    return IdempotencyRecord.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]


class _Taken(Exception):
    """The same caller's other request with this key came first."""


def _run_and_keep(caller: str, key: str, digest: str, handler: Callable[[], Response], view: Any) -> Response:
    with transaction.atomic():
        try:
            with transaction.atomic():
                record = IdempotencyRecord.objects.create(
                    caller=caller, key=key, request_digest=digest, created_at=timezone.now()
                )
        except IntegrityError as clash:
            raise _Taken from clash
        response = handler()
        if response.status_code >= 400:
            transaction.set_rollback(True)
            return response
        record.status = response.status_code
        record.body = json.loads(JSONRenderer().render(response.data) or b"null")
        record.customer = getattr(view, "customer", None)
        record.save(update_fields=["status", "body", "customer"])
    return response


def _stored(caller: str, key: str, digest: str) -> Response | None:
    record = IdempotencyRecord.objects.filter(caller=caller, key=key).first()
    if record is None:
        return None
    if record.request_digest != digest:
        raise KeyReused(key)
    return Response(record.body, status=record.status, headers={REPLAY_HEADER: "true"})


def _digest(request: Request) -> str:
    said = hashlib.sha256()
    for part in (str(request.method).encode(), request.get_full_path().encode(), request.body):
        said.update(len(part).to_bytes(8, "big") + part)
    return said.hexdigest()
