"""A write that is sent twice with one Idempotency-Key happens once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.urls import path
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from customers.access import access_of
from customers.errors import Refusal
from customers.idempotency import idempotent, prune_idempotency
from customers.models import ApiClient, IdempotencyRecord
from customers.services import keys
from tests.factories.customers import ApiClientFactory, api_with, api_with_key, key_for

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class Blocked(Refusal):
    code = "blocked"


class Clients(APIView):
    """Makes an API client, unless its name says how to fail."""

    required_scopes = {"POST": "clients:write", "DELETE": "clients:write"}

    @idempotent
    def post(self, request: Request) -> Response:
        name = request.data["name"]
        client = keys.create_client(
            actor=access_of(request).actor, name=name, scopes=["catalog:read"], at=timezone.now()
        )
        if name == "raise":
            raise Blocked("Something is in the way.")
        if name == "answer 409":
            return Response({"code": "blocked"}, status=409)
        return Response({"name": client.name, "id": client.pk, "made_at": client.created_at}, status=201)

    @idempotent
    def delete(self, request: Request) -> Response:
        ApiClient.objects.filter(name=request.query_params["name"]).delete()
        return Response(status=204)


urlpatterns = [path("clients/", Clients.as_view())]


def made(name: str = "New app") -> int:
    return ApiClient.objects.filter(name=name).count()


def post(http: APIClient, key: str | None, name: str = "New app", query: str = "") -> Any:
    headers: dict[str, Any] = {"Idempotency-Key": key} if key is not None else {}
    return http.post(f"/clients/{query}", {"name": name}, headers=headers)


def test_the_same_request_gets_the_same_answer_again(api: APIClient) -> None:
    first, second = post(api, "k1"), post(api, "k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "Idempotent-Replay" not in first
    assert second["Idempotent-Replay"] == "true"
    assert made() == 1


def test_an_empty_answer_is_replayed_too(api: APIClient) -> None:
    ApiClientFactory(name="Old app")
    for replayed in (None, "true"):
        answer = api.delete("/clients/?name=Old app", headers={"Idempotency-Key": "k1"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.get("Idempotent-Replay") == replayed


def test_without_a_key_nothing_is_kept(api: APIClient) -> None:
    assert post(api, None).status_code == 201
    assert not IdempotencyRecord.objects.exists()
    assert post(api, None).status_code == 400  # the name is taken


@pytest.mark.parametrize(("name", "query"), [("Other app", ""), ("New app", "?notify=true")])
def test_the_key_of_another_request_is_422(api: APIClient, name: str, query: str) -> None:
    post(api, "k1")
    answer = post(api, "k1", name, query)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert answer.json()["blocking"] == {"kind": "idempotency_key", "code": "k1"}
    assert made("Other app") == 0


def test_two_callers_may_use_the_same_key(api: APIClient) -> None:
    assert post(api, "k1", "One").status_code == 201
    assert post(api_with(), "k1", "Two").status_code == 201


@pytest.mark.parametrize("name", ["raise", "answer 409"])
def test_a_refusal_leaves_nothing_behind_and_frees_the_key(api: APIClient, name: str) -> None:
    assert post(api, "k1", name).status_code == 409
    assert made(name) == 0
    assert not IdempotencyRecord.objects.exists()
    assert post(api, "k1", "Better").status_code == 201


def test_a_dry_run_is_not_kept(api: APIClient) -> None:
    post(api, "k1", query="?dry_run=true")
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("key", ["", "with space", "ø", "x" * 201])
def test_a_malformed_key_is_400(api: APIClient, key: str) -> None:
    answer = post(api, key)
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (400, "Idempotency-Key")
    assert made() == 0


def test_records_are_kept_for_a_day(api: APIClient) -> None:
    post(api, "k1")
    written = IdempotencyRecord.objects.get().created_at
    assert prune_idempotency(now=written + timedelta(hours=24)) == 0
    assert prune_idempotency(now=written + timedelta(hours=24, microseconds=1)) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="its test database is one connection in memory")
def test_eight_at_once_make_one() -> None:
    token = key_for(ApiClientFactory())
    together = threading.Barrier(8)

    def send(_: int) -> tuple[int, str, bool]:
        try:
            together.wait()
            answer = post(api_with_key(token), "k1")
            return answer.status_code, str(answer.json().get("id")), "Idempotent-Replay" in answer
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert {(status, client) for status, client, _ in answers} == {(201, str(ApiClient.objects.get(name="New app").pk))}
    assert sum(replayed for _, _, replayed in answers) == 7
    assert made() == 1
