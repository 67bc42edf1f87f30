"""Whatever is sent, the API answers with a problem document: never HTML, never a trace, never 500 for bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import (
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import DataError, IntegrityError, OperationalError
from django.db.models import ProtectedError
from django.http import Http404
from django.test import Client, RequestFactory
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from config import errors
from config.urls import urlpatterns as real_addresses
from customers.errors import Forbidden, Invalid, NotFound, Refusal
from customers.models import Account
from tests.factories.customers import api_as, api_with
from tests.licensing.market import Town

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

MEMBERS = {"type", "title", "status", "detail", "code", "blocking", "next_action", "instance"}


class NoSeat(Refusal):
    code = "no_seat"
    status = 409
    title = "No seat left"


RAISED: dict[str, Callable[[], Exception]] = {
    "refusal": lambda: NoSeat("Full.", blocking={"kind": "module"}, next_action="Buy.", details={"total": 3}),
    "not_found": lambda: NotFound("customer", "x"),
    "forbidden": lambda: Forbidden("No."),
    "invalid": lambda: Invalid("Wrong.", [{"field": "a", "message": "b"}]),
    "parse": exceptions.ParseError,
    "unauthenticated": exceptions.NotAuthenticated,
    "bad_key": exceptions.AuthenticationFailed,
    "denied": exceptions.PermissionDenied,
    "csrf": lambda: exceptions.PermissionDenied("CSRF Failed: CSRF token missing."),
    "drf_not_found": exceptions.NotFound,
    "method": lambda: exceptions.MethodNotAllowed("PUT"),
    "acceptable": exceptions.NotAcceptable,
    "media": lambda: exceptions.UnsupportedMediaType("text/plain"),
    "throttled": lambda: exceptions.Throttled(wait=7.2),
    "drf_invalid": lambda: exceptions.ValidationError({"name": ["Needed."]}),
    "django_invalid": lambda: ValidationError({"name": ["Needed."], "__all__": ["Both no."]}),
    "django_invalid_plain": lambda: ValidationError("Just wrong."),
    "http404": Http404,
    "django_denied": PermissionDenied,
    "too_big": RequestDataTooBig,
    "suspicious": SuspiciousOperation,
    "host": DisallowedHost,
    "protected": lambda: ProtectedError("secret table names", set()),
    "data": lambda: DataError("value too long for type character varying(64)"),
    "overflow": lambda: OverflowError("Python int too large to convert to SQLite INTEGER"),
    "integrity": lambda: IntegrityError("UNIQUE constraint failed: secret.column"),
    "operational": lambda: OperationalError("database is locked at /secret/place"),
    "unforeseen": lambda: ZeroDivisionError("secret"),
}


class Raising(APIView):
    required_scopes = {"GET": "catalog:read"}

    def get(self, request: Request, name: str) -> Response:
        raise RAISED[name]()


class ItemSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=20)
    count = serializers.IntegerField(min_value=0, max_value=2**31 - 1)
    tags = serializers.ListField(child=serializers.CharField(max_length=3), required=False)


class Posting(APIView):
    required_scopes = {"POST": "catalog:read"}

    def post(self, request: Request) -> Response:
        serializer = ItemSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data)


def broken_page(request: Any) -> Any:
    raise ZeroDivisionError("secret")


def raising_page(request: Any, name: str) -> Any:
    raise RAISED[name]()


urlpatterns = [
    path("api/test/raise/<str:name>/", Raising.as_view()),
    path("api/test/post/", Posting.as_view()),
    path("api/test/broken/", broken_page),
    path("test/broken/", broken_page),
    path("test/raise/<str:name>/", raising_page),
    *real_addresses,
]
handler400, handler403, handler404, handler500 = (
    f"config.errors.{name}" for name in ("bad_request", "forbidden", "not_found", "server_error")
)


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Asserts that `answer` is a whole problem document of this status and code; returns it."""
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), answer.content
    document: dict[str, Any] = answer.json()
    assert document.keys() >= MEMBERS
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == f"urn:planarium:problem:{code}"
    assert document["title"]
    assert document["detail"]
    assert document["next_action"] or status == 409 or code in {"permission_denied"}
    assert document["instance"].startswith("/api/")
    assert b"secret" not in answer.content
    assert b"Traceback" not in answer.content
    return document


# ── Every exception is a problem ────────────────────────────────────────────
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("refusal", 409, "no_seat"),
        ("not_found", 404, "not_found"),
        ("forbidden", 403, "permission_denied"),
        ("invalid", 400, "invalid"),
        ("parse", 400, "malformed_json"),
        ("unauthenticated", 401, "not_authenticated"),
        ("bad_key", 401, "not_authenticated"),
        ("denied", 403, "permission_denied"),
        ("csrf", 403, "csrf_failed"),
        ("drf_not_found", 404, "not_found"),
        ("method", 405, "method_not_allowed"),
        ("acceptable", 406, "not_acceptable"),
        ("media", 415, "unsupported_media_type"),
        ("throttled", 429, "throttled"),
        ("drf_invalid", 400, "invalid"),
        ("django_invalid", 400, "invalid"),
        ("django_invalid_plain", 400, "invalid"),
        ("http404", 404, "not_found"),
        ("django_denied", 403, "permission_denied"),
        ("too_big", 400, "body_too_large"),
        ("suspicious", 400, "bad_request"),
        ("host", 400, "bad_request"),
        ("protected", 409, "in_use"),
        ("data", 400, "invalid"),
        ("overflow", 400, "invalid"),
        ("integrity", 409, "conflict"),
        ("operational", 503, "busy"),
        ("unforeseen", 500, "internal_error"),
    ],
)
def test_every_exception_is_a_problem(api: APIClient, name: str, status: int, code: str) -> None:
    problem(api.get(f"/api/test/raise/{name}/"), status, code)


def test_a_refusal_tells_all_it_knows(api: APIClient) -> None:
    document = problem(api.get("/api/test/raise/refusal/"), 409, "no_seat")
    assert document == {
        "type": "urn:planarium:problem:no_seat",
        "title": "No seat left",
        "status": 409,
        "detail": "Full.",
        "code": "no_seat",
        "blocking": {"kind": "module"},
        "next_action": "Buy.",
        "instance": "/api/test/raise/refusal/",
        "total": 3,
    }


def test_details_cannot_hide_the_document(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RAISED, "sly", lambda: NoSeat("Full.", details={"status": 200, "code": "fine"}))
    problem(api.get("/api/test/raise/sly/"), 409, "no_seat")


def test_headers_stay(api: APIClient) -> None:
    assert api.get("/api/test/raise/throttled/")["Retry-After"] == "8"
    assert api.get("/api/test/raise/operational/")["Retry-After"] == "1"
    assert api.get("/api/test/raise/bad_key/")["WWW-Authenticate"] == 'Bearer realm="api"'
    assert "GET" in api.put("/api/v1/customers/")["Allow"]


def test_an_unforeseen_error_is_logged_with_its_request_id(api: APIClient, caplog: pytest.LogCaptureFixture) -> None:
    document = problem(api.get("/api/test/raise/unforeseen/"), 500, "internal_error")
    (logged,) = (record.getMessage() for record in caplog.records if record.name == errors.__name__)
    assert document["request_id"]
    assert f"'request_id': '{document['request_id']}'" in logged
    assert "ZeroDivisionError" in logged


@pytest.mark.parametrize(
    ("raised", "faults"),
    [
        (exceptions.ValidationError("Wrong."), [("", "Wrong.")]),
        (exceptions.ValidationError({"a": {"b": ["1", "2"]}}), [("a.b", "1"), ("a.b", "2")]),
        (exceptions.ValidationError({"a": [{}, {"b": ["1"]}]}), [("a.1.b", "1")]),
        (exceptions.ValidationError({"non_field_errors": ["1"]}), [("", "1")]),
        (exceptions.ValidationError({"a": {"2": ["1"]}}), [("a.2", "1")]),
        (ValidationError({"name": ["1"], "__all__": ["2"]}), [("name", "1"), ("", "2")]),
        (ValidationError(["1", "2"]), [("", "1"), ("", "2")]),
    ],
)
def test_faults_are_a_flat_list(raised: Exception, faults: list[tuple[str, str]]) -> None:
    listed = errors.problem_of(raised).members["faults"]
    assert [(fault["field"], fault["message"]) for fault in listed] == faults


# ── Outside the API's views ─────────────────────────────────────────────────
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize(
    "address", ["/api/", "/api/v1/", "/api/v2/customers/", "/api/v1/customers", "/api/v1/customers/%00/", "/api/%FF/"]
)
def test_an_unknown_address_is_a_problem(api: APIClient, method: str, address: str) -> None:
    problem(getattr(api, method)(address), 404, "not_found")


def test_a_missing_slash_is_pointed_out(api: APIClient) -> None:
    assert "end with a slash" in api.get("/api/v1/customers").json()["next_action"]
    assert "end with a slash" not in api.get("/api/v1/nothing/").json()["next_action"]


def test_an_error_outside_the_views_is_a_problem_too() -> None:
    answer = Client(raise_request_exception=False).get("/api/test/broken/")
    problem(answer, 500, "internal_error")


def test_a_bad_host_is_a_problem(api: APIClient) -> None:
    problem(api.get("/api/v1/customers/", headers={"Host": "evil.example"}), 400, "bad_request")


def test_pages_for_people_stay_pages(client: Client) -> None:
    answer = client.get("/nothing/")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path_", ["/page/", "/api/x/"])
def test_the_four_handlers_tell_pages_from_the_api(path_: str) -> None:
    request = RequestFactory().get(path_)
    answers = [
        errors.bad_request(request, SuspiciousOperation()),
        errors.bad_request(request, RequestDataTooBig()),
        errors.forbidden(request, PermissionDenied()),
        errors.not_found(request, Http404()),
        errors.server_error(request),
    ]
    assert [answer.status_code for answer in answers] == [400, 400, 403, 404, 500]
    kinds = {answer["Content-Type"].partition(";")[0] for answer in answers}
    assert kinds == {"application/problem+json" if path_.startswith("/api/") else "text/html"}


# ── Pages ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("refusal", 409, ["Full.", "Buy.", "<code>no_seat</code>", "Nothing was changed.", "/test/raise/refusal/"]),
        ("invalid", 400, ["Wrong.", "<code>invalid</code>"]),
        ("protected", 409, ["Other records refer to this one.", "Remove what refers to it first.", "in_use"]),
        ("not_found", 404, ["There is nothing here", "Check the address"]),
        ("http404", 404, ["There is nothing here"]),
        ("forbidden", 403, ["You are not allowed to do this", "You are signed in as pia.product@planarium.example"]),
        ("django_denied", 403, ["You are not allowed to do this"]),
        ("too_big", 400, ["This request can’t be read"]),
    ],
)
def test_a_page_that_is_refused_says_what_to_do(pia: Account, name: str, status: int, words: list[str]) -> None:
    client = Client()
    client.force_login(pia, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get(f"/test/raise/{name}/")
    assert (answer.status_code, answer["Content-Type"]) == (status, "text/html; charset=utf-8")
    for word in ["To the start page", *words]:
        assert word in answer.text
    assert "secret" not in answer.text


def test_a_page_that_breaks_admits_it() -> None:
    answer = Client(raise_request_exception=False).get("/test/broken/")
    assert answer.status_code == 500
    assert "That was our mistake" in answer.text
    assert "secret" not in answer.text


def test_a_stranger_meets_the_same_refusal() -> None:
    answer = Client().get("/test/raise/refusal/")
    assert answer.status_code == 409
    assert "That can’t be done as things stand" in answer.text


# ── Bad bodies ──────────────────────────────────────────────────────────────
def send(body: bytes, content_type: str = "application/json") -> Any:
    return api_with("catalog:read").post("/api/test/post/", body, content_type=content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"{'name': 1}",
        b'{"name": NaN}',
        b'{"count": Infinity}',
        b"\xff\xfe",
        b'{"name": "\xff"}',
        b'{"name": "a\x00b"}',
        b'{"name": "a\\u0000b"}',
        b'{"a\\u0000": 1}',
        b'{"name": "\\ud800"}',
        b'{"tags": ["\\udfff"]}',
        b'{"count": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        '{"name": "x"}'.encode("utf-16"),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_malformed_body_is_400(body: bytes) -> None:
    if body == b"":
        problem(send(body), 400, "invalid")  # nothing at all: the fields are missing
    else:
        problem(send(body), 400, "malformed_json")


def test_an_escaped_character_that_can_be_stored_is_welcome() -> None:
    answer = send(b'{"name": "\\u00e5 \\ud83d\\ude00 \\\\u0000", "count": 1}')
    assert answer.json() == {"name": "å 😀 \\u0000", "count": 1}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name", "count"]),
        ({"name": "x" * 21, "count": -1}, ["name", "count"]),
        ({"name": "x", "count": 10**30}, ["count"]),
        ({"name": "x", "count": 1.5}, ["count"]),
        ({"name": {}, "count": []}, ["name", "count"]),
        ({"name": True, "count": None}, ["name", "count"]),
        ({"name": "x", "count": 1, "tags": ["ok", "long"]}, ["tags.1"]),
        ({"name": "x", "count": 1, "tags": "ok"}, ["tags"]),
        ([], [""]),
        ("text", [""]),
        (5, [""]),
        (None, [""]),
    ],
)
def test_a_body_of_the_wrong_shape_is_400_and_names_its_fields(body: Any, fields: list[str]) -> None:
    document = problem(send(json.dumps(body).encode()), 400, "invalid")
    assert [fault["field"] for fault in document["faults"]] == fields


def test_an_oversized_body_is_400(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    problem(send(b'{"name": "' + b"x" * 100 + b'"}'), 400, "body_too_large")
    assert send(b'{"name": "x", "count": 1}').status_code == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense"]
)
def test_another_content_type_is_415(content_type: str) -> None:
    problem(send(b"name=x", content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize("charset", ["utf-16", "rot13", "base64", "nonsense"])
def test_json_is_utf_8_whatever_the_charset_says(charset: str) -> None:
    assert send(b'{"name": "x", "count": 1}', f"application/json; charset={charset}").status_code == 200


def test_only_json_is_served(api: APIClient) -> None:
    problem(api.get("/api/v1/customers/", headers={"Accept": "text/html"}), 406, "not_acceptable")


def test_a_session_must_prove_where_a_write_comes_from(pia: Account) -> None:
    http = APIClient(enforce_csrf_checks=True)
    http.force_login(pia)
    problem(http.post("/api/test/post/", {"name": "x"}, format="json"), 403, "csrf_failed")


def test_too_many_parameters_are_400(api: APIClient) -> None:
    query = "&".join(f"a{number}=1" for number in range(2000))
    problem(api.get(f"/api/v1/customers/?{query}"), 400, "bad_request")


# ── Bad paths, at the real addresses ────────────────────────────────────────
STRANGE = ("nowhere", "%27%3B--", "..%5C..", "%F0%9F%98%80", "a%20b", "%25", "x" * 500, "%C4%B0", "%0A", "-1", "9" * 99)


@pytest.mark.parametrize(
    "address",
    [
        "customers/{}/",
        "customers/fjordlys/users/{}/",
        "customers/fjordlys/users/{}/entitlements/",
        "customers/fjordlys/users/ola/entitlements/{}/",
        "customers/fjordlys/users/ola/seats/{}/",
        "catalog/plans/{}/",
        "catalog/features/{}/",
        "catalog/modules/{}/",
        "catalog/modules/superoffice.{}/",
    ],
)
def test_no_code_in_a_path_is_too_strange_for_404(api: APIClient, address: str) -> None:
    Town("fjordlys", people=("ola",))
    for code in STRANGE:
        problem(api.get(f"/api/v1/{address.format(code)}"), 404, "not_found")


@pytest.mark.parametrize("code", ["x" * 5000, "a%00b"])
def test_what_no_code_can_be_is_no_address(api: APIClient, code: str) -> None:
    document = problem(api.get(f"/api/v1/customers/{code}/"), 404, "not_found")
    assert document["detail"] == "There is no such address."


def test_nobody_learns_anything_without_a_key() -> None:
    document = problem(api_as(None).get("/api/v1/customers/fjordlys/"), 401, "not_authenticated")
    assert document["blocking"] is None
