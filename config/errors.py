"""Whatever goes wrong under /api/ is answered with one kind of document: RFC 9457 `application/problem+json`.

    {"type": "urn:planarium:problem:no_seat_left", "title", "status", "detail", "code", "blocking", "next_action",
     "instance", …}

`code` is stable; `blocking` names the object in the way (or is null); a validation adds `faults`, a list of
`{"field", "message"}`; refusals may add members of their own. Nothing tells how the program is built.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import structlog
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import DataError, IntegrityError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from customers.access import NotAuthenticated, not_allowed
from customers.errors import Invalid, Refusal

CONTENT_TYPE: Final = "application/problem+json"
API_PATHS: Final = ("/api/", "/ofrep/", "/superoffice/api/")
# The longest window of ACCOUNT_RATE_LIMITS, in seconds: after it, every limit lets one try again.
WAIT_AFTER_TOO_MANY: Final = 300
_LOG: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is answered; `members` are added to the document."""

    status: int
    code: str
    title: str
    detail: str
    next_action: str = ""
    blocking: Mapping[str, Any] | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, path: str) -> dict[str, Any]:
        return {
            **self.members,
            "type": f"urn:planarium:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "blocking": dict(self.blocking) if self.blocking else None,
            "next_action": self.next_action,
            "instance": path,
        }


def problem_handler(exc: Exception, context: Mapping[str, Any]) -> Response:
    """Returns the answer to an exception raised in an API view; logs those that nobody foresaw."""
    request = context["request"]
    problem = problem_of(exc)
    return Response(
        problem.document(request.path),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=CONTENT_TYPE,
    )


def problem_of(exc: Exception) -> Problem:
    """Returns the problem that an exception is."""
    if isinstance(exc, Refusal):
        return _refused(exc)
    if isinstance(exc, exceptions.APIException):
        return _api_exception(exc)
    if isinstance(exc, ValidationError):
        return _refused(_invalid(list(_faults_of_django(exc))))
    answer = next((answer for kinds, answer in _ANSWERS if isinstance(exc, kinds)), _unexpected)
    return answer(exc)


# ── What we refuse ourselves ────────────────────────────────────────────────
def _refused(refusal: Refusal) -> Problem:
    headers = {"WWW-Authenticate": 'Bearer realm="api"'} if refusal.status == HTTPStatus.UNAUTHORIZED else {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return Problem(
        status=refusal.status,
        code=refusal.code,
        title=refusal.title,
        detail=refusal.message,
        next_action=refusal.next_action,
        blocking=refusal.blocking,
        members=refusal.details,
        headers=headers,
    )


def _invalid(faults: list[dict[str, str]]) -> Invalid:
    fields = ", ".join(dict.fromkeys(repr(fault["field"]) for fault in faults if fault["field"]))
    return Invalid(f"Wrong input: {fields}." if fields else "Wrong input.", faults)


# ── What Django REST framework raises ───────────────────────────────────────
def _api_exception(exc: exceptions.APIException) -> Problem:
    if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return _refused(NotAuthenticated())
    if isinstance(exc, exceptions.ValidationError):
        return _refused(_invalid(list(_faults_of(exc.detail))))
    if isinstance(exc, exceptions.PermissionDenied):
        return _forbidden(exc)
    if isinstance(exc, exceptions.Throttled):
        return _throttled(exc)
    code, title, next_action = _PLAIN.get(type(exc), ("refused", "Refused", ""))
    return Problem(exc.status_code, code, title, str(exc.detail), next_action)


_PLAIN: Final[Mapping[type[exceptions.APIException], tuple[str, str, str]]] = {
    exceptions.ParseError: ("malformed_json", "Malformed JSON", "Send one JSON value in UTF-8."),
    exceptions.NotFound: ("not_found", "Not found", "Check the address."),
    exceptions.MethodNotAllowed: (
        "method_not_allowed",
        "Method not allowed",
        "Use one of the methods in the header Allow.",
    ),
    exceptions.NotAcceptable: ("not_acceptable", "Not acceptable", "Accept application/json."),
    exceptions.UnsupportedMediaType: (
        "unsupported_media_type",
        "Unsupported media type",
        "Send the body as application/json.",
    ),
}


def _forbidden(exc: exceptions.PermissionDenied) -> Problem:
    detail = str(exc.detail)
    if not detail.startswith("CSRF"):
        return _refused(not_allowed())
    action = "Send the header X-CSRFToken with the cookie's token, or use an API key."
    return Problem(403, "csrf_failed", "Not from our pages", detail, action)


def _throttled(exc: exceptions.Throttled) -> Problem:
    wait: float | None = getattr(exc, "wait", None)
    seconds = max(1, math.ceil(wait or 1))
    return Problem(
        status=429,
        code="throttled",
        title="Too many calls",
        detail=f"You call too often. The next call is answered in {seconds} s.",
        next_action=f"Wait {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )


def _faults_of(detail: Any, field_name: str = "") -> Iterator[dict[str, str]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from _faults_of(inner, ".".join(part for part in (field_name, own) if part))
    elif isinstance(detail, list | tuple):
        nested = any(isinstance(inner, Mapping | list | tuple) for inner in detail)
        for index, inner in enumerate(detail):
            # A list of sentences is about one field; a list of anything else has a row for each item sent.
            path = ".".join(part for part in (field_name, str(index)) if part) if nested else field_name
            yield from _faults_of(inner, path)
    else:
        yield {"field": field_name, "message": str(detail)}


# ── What Django and the database raise ──────────────────────────────────────
def _faults_of_django(exc: ValidationError) -> Iterator[dict[str, str]]:
    if not hasattr(exc, "error_dict"):
        yield from ({"field": "", "message": message} for message in exc.messages)
        return
    for name, messages in exc.message_dict.items():
        own = "" if name == "__all__" else name
        yield from ({"field": own, "message": message} for message in messages)


def _missing(exc: Exception) -> Problem:
    return Problem(404, "not_found", "Not found", "There is nothing at this address.", "Check the address.")


def _too_large(exc: Exception) -> Problem:
    return Problem(400, "body_too_large", "Body too large", "The body is too large.", "Send less at once.")


def _bad_request(exc: Exception) -> Problem:
    return Problem(400, "bad_request", "Bad request", "The request can't be read.", "Check address, headers and body.")


def _in_use(exc: Exception) -> Problem:
    return Problem(409, "in_use", "In use", "Other records refer to this one.", "Remove what refers to it first.")


def _unstorable(exc: Exception) -> Problem:
    _LOG.warning("unstorable_input", exc_info=exc)
    detail = "A value is too long, too large or has characters that can't be stored."
    return _refused(Invalid(detail, [{"field": "", "message": detail}]))


def _conflict(exc: Exception) -> Problem:
    _LOG.warning("integrity_error", exc_info=exc)
    detail = "This contradicts what is recorded, perhaps since a moment ago."
    return Problem(409, "conflict", "Conflict", detail, "Read it again, then decide.")


def _busy(exc: Exception) -> Problem:
    _LOG.error("database_unavailable", exc_info=exc)
    detail = "The database can't take this right now."
    return Problem(503, "busy", "Busy", detail, "Try again in a moment.", headers={"Retry-After": "1"})


def _denied(exc: Exception) -> Problem:
    return _refused(not_allowed())


def _unexpected(exc: Exception) -> Problem:
    _LOG.error("unexpected_error", exc_info=exc)
    return _our_mistake()


def _our_mistake() -> Problem:
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return Problem(
        status=500,
        code="internal_error",
        title="Our mistake",
        detail="Something went wrong here. It is in our log under the request_id.",
        next_action="Try again; if it stays, report the request_id.",
        members={"request_id": request_id},
    )


_ANSWERS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], Callable[[Exception], Problem]], ...]] = (
    (Http404, _missing),
    (PermissionDenied, _denied),
    (RequestDataTooBig, _too_large),
    (SuspiciousOperation, _bad_request),
    ((ProtectedError, RestrictedError), _in_use),
    (DataError, _unstorable),
    # Python's own words for a number that no column holds.
    (OverflowError, _unstorable),
    (IntegrityError, _conflict),
    (OperationalError, _busy),
)


# ── Pages ───────────────────────────────────────────────────────────────────
class RefusalPages:
    """Middleware: a refusal that a page lets through becomes the page that says what to do about it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        if not isinstance(exc, Refusal | ProtectedError | RestrictedError) or _is_api(request):
            return None
        problem = problem_of(exc)
        if problem.status == HTTPStatus.NOT_FOUND:
            return defaults.page_not_found(request, exc)
        if problem.status == HTTPStatus.FORBIDDEN:
            return defaults.permission_denied(request, exc)
        return render(request, "409.html", {"problem": problem}, status=problem.status)


# ── Outside the API's views ─────────────────────────────────────────────────
def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(API_PATHS)


def _answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    return JsonResponse(
        problem.document(request.path),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=CONTENT_TYPE,
    )


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """Answers every address under /api/ that no other pattern takes; also spares it the redirect to a final slash."""
    return not_found(request, Http404())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        answer = _too_large if isinstance(exception, RequestDataTooBig) else _bad_request
        return _answer(request, answer(exception))
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, _denied(exception)) if _is_api(request) else defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not _is_api(request):
        return defaults.page_not_found(request, exception)
    hint = (
        ""
        if request.path.endswith("/") or not request.path.startswith(API_PATHS[0])
        else " Addresses end with a slash."
    )
    action = f"Check the address; /api/docs/ lists all.{hint}"
    return _answer(request, Problem(404, "not_found", "Not found", "There is no such address.", action))


def too_many(request: HttpRequest) -> HttpResponse:
    """Answers whoever tried too often to sign in, to reset a password or to prove who they are."""
    response = render(request, "429.html", status=HTTPStatus.TOO_MANY_REQUESTS)
    response["Retry-After"] = str(WAIT_AFTER_TOO_MANY)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    if not _is_api(request):
        return defaults.server_error(request)
    # Django has logged the exception before it calls this.
    return _answer(request, _our_mistake())
