"""When each API key was last used: collected in memory, written now and then in one UPDATE.

A call only notes the instant. The first note after a write starts a timer; when it runs out, a thread of its own
writes the batch, so no call waits for it or fails with it. A process that is killed loses at most
`KEY_USE_WRITTEN_EVERY_SECONDS` of notes; with 0 nothing is written until `write_last_used` is called.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Case, DateTimeField, Value, When
from django.db.models.functions import Coalesce, Greatest

from customers.models import ApiKey

_LOG: Final = structlog.get_logger(__name__)
_BATCH: Final = 200


class _Notes:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.used_at: dict[int, datetime] = {}
        self.timer: threading.Timer | None = None


_notes: Final = _Notes()


def note_use(key_id: int, *, at: datetime) -> None:
    """Remembers that the key was used at `at`."""
    with _notes.lock:
        _notes.used_at[key_id] = at
        seconds = settings.KEY_USE_WRITTEN_EVERY_SECONDS
        if _notes.timer is None and seconds > 0:
            _notes.timer = threading.Timer(seconds, _write_in_background)
            _notes.timer.daemon = True
            _notes.timer.start()


def write_last_used() -> int:
    """Writes what was noted, one UPDATE per 200 keys; returns how many keys. Never moves an instant back.

    Raises DatabaseError, and then keeps the notes for the next time.
    """
    with _notes.lock:
        noted, _notes.used_at = _notes.used_at, {}
    keys = sorted(noted)
    try:
        for start in range(0, len(keys), _BATCH):
            _write({key: noted[key] for key in keys[start : start + _BATCH]})
    except DatabaseError:
        with _notes.lock:
            _notes.used_at = noted | _notes.used_at
        raise
    return len(keys)


def forget_notes() -> None:
    """Drops what was noted and not yet written."""
    with _notes.lock:
        _notes.used_at.clear()


def _write(noted: Mapping[int, datetime]) -> None:
    latest = [
        When(pk=key_id, then=Greatest(Coalesce("last_used_at", Value(at)), Value(at))) for key_id, at in noted.items()
    ]
    ApiKey.objects.filter(pk__in=list(noted)).update(last_used_at=Case(*latest, output_field=DateTimeField()))


def _write_in_background() -> None:
    with _notes.lock:
        _notes.timer = None
    try:
        write_last_used()
    except DatabaseError:
        _LOG.warning("last_used_not_written", exc_info=True)
    finally:
        connection.close()
