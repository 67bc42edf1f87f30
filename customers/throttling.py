"""How often one caller may call: a counter per caller and window in the cache, shared when `CACHE_URL` names one.

Every answer tells what is left, in the fields of the IETF's draft on rate limits (rules A-5 to A-7): known from
counting, so it costs nothing more. When the cache is away, nobody is refused for it.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from customers.access import NotAuthenticated, access_of
from customers.actor import Actor

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads these settings itself

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MINUTE: Final = 60
_COUNTED: Final = "planarium.counted"  # in the environment of a request
_RESTS: Final = 5.0  # seconds for which a cache that failed isn't asked again
_log: Final = logging.getLogger(__name__)


@lru_cache(maxsize=16)
def parse_rate(rate: str) -> tuple[int, int]:
    """Returns (calls, seconds) for `6000/min`, `10/s`, `100/hour`, `5000/day`. Raises ImproperlyConfigured."""
    calls, _, period = rate.partition("/")
    if not calls.strip().isdigit() or period.strip()[:1] not in _SECONDS:
        raise ImproperlyConfigured(f"{rate!r} is no rate; write for instance 6000/min.")
    return int(calls), _SECONDS[period.strip()[0]]


class PerCallerThrottle(BaseThrottle):
    """Counts by API client, account or, for nobody in particular, address: once per request, however often it is asked.

    A client's own rate goes before the setting's; an empty setting means no limit for who has none.
    """

    clock = staticmethod(time.time)
    rests_until = 0.0  # of the whole process: a cache that is away is asked by one call in a while

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        if _COUNTED in request.META:
            return True
        request.META[_COUNTED] = True
        return self._allows(request, view, _actor(request))

    def _allows(self, request: Request, view: APIView, actor: Actor | None) -> bool:
        limit = _limit(actor)
        if limit is None:
            return True
        calls, seconds = limit
        now = self.clock()
        window = int(now // seconds)
        caller = actor.key if actor is not None else f"address:{self.get_ident(request)}"
        made = self._counted(f"calls:{caller}:{window}", now, keep_for=2 * seconds)
        if made is None:
            return True
        left = (window + 1) * seconds - now
        view.headers["RateLimit-Policy"] = f'"calls";q={calls};w={seconds}'
        view.headers["RateLimit"] = f'"calls";r={max(calls - made, 0)};t={max(1, round(left))}'
        if made <= calls:
            return True
        self._wait = max(1.0, left)
        return False

    def wait(self) -> float | None:
        return self._wait

    def _counted(self, key: str, now: float, *, keep_for: int) -> int | None:
        """Returns how many calls there were in this window, this one included; None while the cache is away."""
        if now < PerCallerThrottle.rests_until:
            return None
        try:
            return _count(key, keep_for=keep_for)
        except Exception as fault:
            PerCallerThrottle.rests_until = now + _RESTS
            _log.error("Calls go uncounted for %s s: the cache failed with %s.", _RESTS, type(fault).__name__)
            return None


def count_stranger(request: Request) -> None:
    """Counts a call with a key that isn't one, by its address. Raises Throttled where there were too many."""
    throttle = PerCallerThrottle()
    if not throttle._allows(request, request.parser_context["view"], None):
        raise Throttled(throttle.wait())


def _actor(request: Request) -> Actor | None:
    try:
        return access_of(request).actor
    except NotAuthenticated:
        return None


def _limit(actor: Actor | None) -> tuple[int, int] | None:
    """Returns (calls, seconds), None where there is no limit."""
    if actor is not None and actor.client is not None and actor.client.calls_per_minute:
        return actor.client.calls_per_minute, _MINUTE
    rate = api_settings.DEFAULT_THROTTLE_RATES.get("caller")
    return parse_rate(rate) if rate else None


def _count(key: str, *, keep_for: int) -> int:
    """Returns how many calls there were in this window, this one included."""
    try:
        return int(cache.incr(key))
    except ValueError:
        # `add` does nothing when another thread has just begun the window.
        cache.add(key, 0, timeout=keep_for)
        return int(cache.incr(key))
