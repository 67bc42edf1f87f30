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
    """Keeps values while there is room for them, forgetting the least recently used; threads may share it.

    Each takes as much of the `room` as `weigh` says, else 1.
    """

    def __init__(
        self, *, room: int, weigh: Callable[[V], int] = lambda _: 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._room, self._taken = room, 0
        self._weigh = weigh
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
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return found[1]

    def keep(self, key: K, value: V) -> None:
        with self._lock:
            self._drop(key)
            self._kept[key] = (self._clock(), value)
            self._taken += self._weigh(value)
            while self._taken > self._room:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: K) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._taken -= self._weigh(found[1])

    def forget(self, key: K) -> None:
        with self._lock:
            self._drop(key)

    def forget_where(self, condition: Callable[[V], bool]) -> None:
        with self._lock:
            for key in [key for key, (_, value) in self._kept.items() if condition(value)]:
                self._drop(key)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._taken = 0

    def __len__(self) -> int:
        return len(self._kept)
