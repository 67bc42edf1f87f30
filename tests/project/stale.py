"""The product behind a cache of half a second: what the checker of freshness must find out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from config.wsgi import application as fresh

SECONDS = 0.5
_kept: dict[str, tuple[float, str, list[tuple[str, str]], bytes]] = {}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] != "GET" or "entitlements" not in path or environ.get("HTTP_IF_NONE_MATCH"):
        return fresh(environ, start_response)
    kept = _kept.get(path)
    if kept is None or time.monotonic() - kept[0] > SECONDS:
        said: list[Any] = []
        body = b"".join(fresh(environ, lambda status, headers, *rest: said.extend((status, headers))))
        if not said[0].startswith("200"):
            start_response(*said)
            return [body]
        kept = _kept[path] = (time.monotonic(), said[0], said[1], body)
    start_response(kept[1], kept[2])
    return [kept[3]]
