"""Work that builds many thousands of objects and keeps them all, with the collector of cycles out of the way."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collecting() -> Iterator[None]:
    """Lets no cycles be collected meanwhile: looking through all that is kept, again and again, takes half the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
