"""Where whoever is signed in is signed in, and ending it there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.cache import cache
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from customers.devices import device_of
from customers.services.sessions import end_every_session, end_session, live_sessions, note_use

SESSIONS_PER_PAGE: Final = 20


@method_decorator(never_cache, name="dispatch")
class Sessions(LoginRequiredMixin, View):
    """The list; a POST ends one session (`session`), all others, or with `here` all of them."""

    def get(self, request: HttpRequest) -> HttpResponse:
        sessions = live_sessions(request.user, at=timezone.now())  # type: ignore[arg-type] # signed in: an Account
        page = Paginator(sessions, SESSIONS_PER_PAGE).get_page(request.GET.get("page"))
        rows = [
            {
                "session": session,
                "device": device_of(session.user_agent),
                "is_current": session.session_key == request.session.session_key,
            }
            for session in page
        ]
        return render(request, "usersessions/usersession_list.html", {"rows": rows, "page": page})

    def post(self, request: HttpRequest) -> HttpResponse:
        account: Any = request.user
        now, asked = timezone.now(), request.POST.get("session", "")
        if asked.isascii() and asked.isdigit() and len(asked) < 19:
            ended = end_session(account=account, session=int(asked), at=now)
            messages.success(request, f"Signed out: {device_of(ended.user_agent)}.")
            if ended.session_key == request.session.session_key:
                return _left(request)
        elif "here" in request.POST:
            end_every_session(account=account, at=now)
            return _left(request)
        else:
            count = end_every_session(account=account, at=now, but=request.session.session_key)
            messages.success(request, f"{count} other session{'' if count == 1 else 's'} signed out.")
        return redirect("usersessions_list")


def _left(request: HttpRequest) -> HttpResponse:
    logout(request)
    messages.success(request, "You are signed out.")
    return redirect("account_login")


class LastSeen:
    """Middleware: writes down now and then when a session was used, and from where."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        every, key = settings.SESSION_USE_WRITTEN_EVERY_SECONDS, request.session.session_key
        if every and key and request.user.is_authenticated and cache.add(f"session-use:{key}", 1, timeout=every):
            address = get_adapter(request).get_client_ip(request)
            note_use(session_key=key, address=address, at=timezone.now(), every=timedelta(seconds=every))
        return response
