"""Reads that say how new an answer must be at least: `min_revision` (H-9).

The primary is never behind, so it is asked last: first the replica, if there is one, which takes the load of reads
that name the revision they know of. Only a number that was never given out is refused by both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import structlog
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from customers.replica import REPLICA
from licensing.errors import RevisionNotReached

_LOG: Final = structlog.get_logger(__name__)


class Versioned(Protocol):
    """What was read of a customer: `recorded` is the customer's revision where it was read."""

    @property
    def recorded(self) -> int: ...

    @property
    def is_found(self) -> bool: ...


Read = TypeVar("Read", bound=Versioned)


def read_at_least(min_revision: int | None, read: Callable[[str], Read | None]) -> Read | None:
    """Returns what `read` (given the alias of a database) finds; without `min_revision` on the primary.

    With it, on the replica if that is new enough. The caller refuses what is still older: see `refuse_older`.
    """
    if min_revision is None or REPLICA not in connections.settings:
        return read(DEFAULT_DB_ALIAS)
    try:
        found = read(REPLICA)
        if found is not None and found.is_found and found.recorded >= min_revision:
            return found
    except DatabaseError:  # what it lacks, down to whole tables, the primary has
        _LOG.warning("replica_unreachable", exc_info=True)
        connections[REPLICA].close()
    return read(DEFAULT_DB_ALIAS)


def refuse_older(min_revision: int | None, recorded: int, customer: str) -> None:
    """Raises RevisionNotReached where the customer's revision is still below the one asked for."""
    if min_revision is not None and recorded < min_revision:
        raise RevisionNotReached(customer, asked=min_revision, reached=recorded)
