"""How often one caller may call: a counter per caller and window in the cache, shared when `CACHE_URL` names one."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from customers.access import NotAuthenticated, access_of

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads these settings itself

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@lru_cache(maxsize=16)
def parse_rate(rate: str) -> tuple[int, int]:
    """Returns (calls, seconds) for `6000/min`, `10/s`, `100/hour`, `5000/day`. Raises ImproperlyConfigured."""
    calls, _, period = rate.partition("/")
    if not calls.strip().isdigit() or period.strip()[:1] not in _SECONDS:
        raise ImproperlyConfigured(f"{rate!r} is no rate; write for instance 6000/min.")
    return int(calls), _SECONDS[period.strip()[0]]


class PerCallerThrottle(BaseThrottle):
    """Counts by API client, account or, for nobody in particular, address. An empty rate means no limit."""

    clock = staticmethod(time.time)

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        rate = api_settings.DEFAULT_THROTTLE_RATES.get("caller")
        if not rate:
            return True
        calls, seconds = parse_rate(rate)
        now = self.clock()
        window = int(now // seconds)
        if _count(f"calls:{self._caller(request)}:{window}", keep_for=2 * seconds) <= calls:
            return True
        self._wait = max(1.0, (window + 1) * seconds - now)
        return False

    def wait(self) -> float | None:
        return self._wait

    def _caller(self, request: Request) -> str:
        try:
            return access_of(request).actor.key
        except NotAuthenticated:
            return f"address:{self.get_ident(request)}"


def _count(key: str, *, keep_for: int) -> int:
    """Returns how many calls there were in this window, this one included."""
    try:
        return int(cache.incr(key))
    except ValueError:
        # `add` does nothing when another thread has just begun the window.
        cache.add(key, 0, timeout=keep_for)
        return int(cache.incr(key))
