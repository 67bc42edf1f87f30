"""What the answers about entitlements share: how they are tagged, kept by nobody else, and spelled."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TypeVar

from django.http import HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from rest_framework.request import Request

_Response = TypeVar("_Response", bound=HttpResponseBase)


def tag_of(request: Request, version: str) -> str:
    """Returns the weak ETag: the version of what was read, and what was asked."""
    asked = f"{request.path}?{request.META.get('QUERY_STRING', '')}".lower()
    return f'W/"{version}-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the caller has this very answer already."""
    known = request.META.get("HTTP_IF_NONE_MATCH", "")
    return bool(known) and any(part.strip() in (tag, tag[2:], "*") for part in known.split(","))


def answered(body: bytes, tag: str) -> HttpResponse:
    return tagged(HttpResponse(body, content_type="application/json"), tag)


def unchanged(tag: str) -> HttpResponse:
    return tagged(HttpResponseNotModified(), tag)


def tagged(response: _Response, tag: str) -> _Response:
    """Returns the response; whoever asked may keep it, and asks again before using it."""
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache"
    return response


def in_words(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
