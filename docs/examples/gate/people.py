"""A stand-in for your own sign-in: the name typed into the browser's dialogue is believed. Never do that outside."""

import base64
import binascii

from django.http import HttpRequest, HttpResponse


def signed_in(request: HttpRequest) -> str | None:
    """Returns the code of the user who is signed in."""
    scheme, _, told = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(told).decode().partition(":")[0] or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def ask_for_name() -> HttpResponse:
    return HttpResponse("Who are you?", status=401, headers={"WWW-Authenticate": 'Basic realm="gate"'})
