"""`manage.py worker`: sends what waits in the outbox and tidies up, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.management import BaseCommand, call_command
from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from django.utils.module_loading import import_string

from customers.idempotency import prune_idempotency
from customers.outbox import deliver_next

TIDY_EVERY: Final = timedelta(hours=1)
_LOG: Final = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Delivers the outbox and tidies up, until SIGTERM or SIGINT; the message in hand is finished first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Do what is due now, then stop.")
        parser.add_argument("--interval", type=float, default=1.0, help="Seconds between two looks (default 1).")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stopping = threading.Event()
        self.stepped: dict[str, datetime] = {}
        if options["once"]:
            self._step(timezone.now())
            self._deliver()
            self._tidy(timezone.now())
            return
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: self.stopping.set())
        self._run(options["interval"])

    def _run(self, interval: float) -> None:
        tidied: datetime | None = None
        while not self.stopping.is_set():
            now = timezone.now()
            close_old_connections()
            try:
                self._step(now)
                self._deliver()
                if tidied is None or now - tidied >= TIDY_EVERY:
                    self._tidy(now)
                    tidied = now
            except DatabaseError:
                # It may be restarting; what was leased goes again when the lease runs out.
                _LOG.exception("worker_without_database")
            self.stopping.wait(interval)

    def _deliver(self) -> None:
        while not self.stopping.is_set() and deliver_next(now=timezone.now()):
            pass

    def _step(self, now: datetime) -> None:
        """Does what else is due, as `WORKER_STEPS` says."""
        for name, seconds in settings.WORKER_STEPS.items():
            last = self.stepped.get(name)
            if last is None or now - last >= timedelta(seconds=seconds):
                self.stepped[name] = now
                try:
                    import_string(name)(now=now, is_stopping=self.stopping.is_set)
                except DatabaseError:
                    raise
                except Exception:  # whatever is wrong with one step, the mail must go out
                    _LOG.exception("worker_step_failed", step=name)

    def _tidy(self, now: datetime) -> None:
        prune_idempotency(now=now)
        call_command("clearsessions")
