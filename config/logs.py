"""What every line of the log says about the request it belongs to: its id, the user, the address it came from."""

import structlog
from django.conf import settings
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware as PackagedMiddleware


class RequestMiddleware(PackagedMiddleware):
    """django-structlog's, but for the address: it would look through every header that a proxy might have sent.

    Anybody may send those; and the search took a fifth of the time of an API call.
    """

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        """Binds the address of the peer or, behind our own proxy, the one that the proxy saw."""
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.BEHIND_TLS else ""
        ip = forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR")
        structlog.contextvars.bind_contextvars(ip=ip)
