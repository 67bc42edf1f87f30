"""A bounded, thread-safe memory of what this process has just looked up. Pure."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """Keeps at most `entries` values, forgetting the least recently used; threads may share it."""

    def __init__(self, *, entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._entries = entries
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K, *, max_age: float | None = None) -> V | None:
        """Returns what is kept under `key`, None when nothing is or it is `max_age` seconds old or older."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            if max_age is not None and self._clock() - found[0] >= max_age:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return found[1]

    def keep(self, key: K, value: V) -> None:
        with self._lock:
            self._kept[key] = (self._clock(), value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)

    def forget(self, key: K) -> None:
        with self._lock:
            self._kept.pop(key, None)

    def forget_where(self, condition: Callable[[V], bool]) -> None:
        with self._lock:
            for key in [key for key, (_, value) in self._kept.items() if condition(value)]:
                del self._kept[key]

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)
