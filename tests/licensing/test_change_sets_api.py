"""Changes of many seats over the API: previewed, applied by token, looked up, undone (docs/api.md)."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from customers.outbox import deliver_due
from licensing.services import bulk
from tests.factories.customers import api_with
from tests.licensing.changing import ESSENTIALS, SALES
from tests.licensing.market import Town

ROOT = "/api/v1/customers/fjordlys/change-sets/"
PREVIEW = f"{ROOT}preview/"


@pytest.fixture
def shop(town: Town) -> Town:
    town.buys(sales_premium=2, sales_essentials=2)
    return town


@pytest.fixture
def app(shop: Town) -> APIClient:
    return api_with()


def wish(user: str, *assign: str, **more: Any) -> dict[str, Any]:
    return {"user": user, "assign": list(assign), **more}


def previewed(app: APIClient, *rows: dict[str, Any], **more: Any) -> Any:
    answer = app.post(PREVIEW, {"rows": list(rows), **more}, format="json")
    assert answer.status_code == 201, answer.data
    return answer.data


def test_preview_apply_look_up_and_undo(shop: Town, app: APIClient) -> None:
    preview = previewed(app, wish("ola", SALES), wish("ida", SALES), reason="New year")
    assert preview["state"] == "ready"
    assert preview["totals"]["changes"] == 2
    assert shop.holds("ola") == set()

    seen = app.get(preview["address"]).data
    assert [(row["user"], row["outcome"]) for row in seen["rows"]["results"]] == [
        ("ola", "changes"),
        ("ida", "changes"),
    ]
    assert seen["rows"]["results"][0]["gains"]
    assert app.get(f"{preview['address']}?outcome=blocked").data["rows"]["results"] == []

    applied = app.post(ROOT, {"token": preview["token"]}, format="json")
    assert (applied.status_code, applied.data["state"], applied.data["change_set"]) == (200, "applied", 1)
    assert applied.data["token"] is None
    assert shop.holds("ola") == {SALES}

    made = app.get(f"{ROOT}1/").data
    assert (made["users"], made["reason"], made["undone_by"]) == (2, "New year", None)
    assert {row["user"]: row["after"] for row in made["rows"]["results"]}["ola"] == [f"superoffice.{SALES}"]

    undo = app.post(f"{ROOT}1/undo/?dry_run=true", {}, format="json").data
    assert (undo["kind"], undo["undoes"], undo["state"]) == ("undo", 1, "ready")
    assert shop.holds("ola") == {SALES}
    undone = app.post(f"{ROOT}1/undo/", {"token": undo["token"]}, format="json").data
    assert (undone["state"], undone["change_set"]) == ("applied", 2)
    assert undone["revision"] == shop.revision(), "a read that names it is not older than the change"
    assert shop.holds("ola") == set()
    listed = app.get(ROOT).data["results"]
    assert [(each["number"], each["undoes"], each["undone_by"]) for each in listed] == [(2, 1, None), (1, None, 2)]


def test_an_undo_without_a_token_is_done_at_once_or_refused(shop: Town, app: APIClient) -> None:
    shop.gives("ola", SALES)
    undone = app.post(f"{ROOT}1/undo/", {"reason": "A mistake"}, format="json")
    assert (undone.status_code, undone.data["state"]) == (200, "applied")
    again = app.post(f"{ROOT}1/undo/", {}, format="json")
    assert (again.status_code, again.data["code"]) == (409, "already_undone")


def test_a_token_of_another_undo_is_unknown(shop: Town, app: APIClient) -> None:
    shop.gives("ola", SALES)
    preview = previewed(app, wish("ida", SALES))
    assert app.post(f"{ROOT}1/undo/", {"token": preview["token"]}, format="json").status_code == 404


def test_a_blocked_preview_has_no_token(shop: Town, app: APIClient) -> None:
    preview = previewed(app, wish("ola", SALES), wish("nobody", SALES))
    assert (preview["state"], preview["token"]) == ("blocked", None)
    code = preview["address"].rstrip("/").rpartition("/")[2]
    refused = app.post(ROOT, {"token": code}, format="json")
    assert (refused.status_code, refused.data["code"]) == (409, "preview_blocked")


def test_what_moved_is_409_with_the_difference(shop: Town, app: APIClient) -> None:
    preview = previewed(app, wish("ola", SALES), wish("ida", SALES))
    shop.gives("per", SALES)
    refused = app.post(ROOT, {"token": preview["token"]}, format="json")
    assert (refused.status_code, refused.data["code"], refused.data["differs"]) == (409, "state_moved", 1)
    assert app.get(preview["address"]).data["difference"]["rows"][0]["user"] == "ida"


def test_large_ones_are_202_with_an_address_that_tells_how_far_they_are(
    shop: Town, app: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    answer = app.post(PREVIEW, {"rows": [wish("ola", SALES), wish("ida", SALES)]}, format="json")
    assert (answer.status_code, answer["Location"]) == (202, answer.data["address"])
    assert (answer.data["state"], answer.data["done"], answer.data["total"]) == ("waiting", 0, 2)
    deliver_due(now=timezone.now())
    ready = app.get(answer.data["address"]).data
    assert (ready["state"], ready["done"]) == ("ready", 2)
    applying = app.post(ROOT, {"token": ready["token"]}, format="json")
    assert (applying.status_code, applying.data["state"]) == (202, "applying")
    deliver_due(now=timezone.now())
    assert app.get(answer.data["address"]).data["state"] == "applied"


def test_a_repetition_with_the_same_key_is_harmless(shop: Town, app: APIClient) -> None:
    body = {"token": previewed(app, wish("ola", SALES))["token"]}
    first = app.post(ROOT, body, format="json", headers={"Idempotency-Key": "once"})
    second = app.post(ROOT, body, format="json", headers={"Idempotency-Key": "once"})
    assert second["Idempotent-Replay"] == "true"
    assert second.data == first.data


def test_a_dry_run_compares(shop: Town, app: APIClient) -> None:
    token = previewed(app, wish("ola", SALES))["token"]
    assert app.post(f"{ROOT}?dry_run=true", {"token": token}, format="json").data["state"] == "ready"
    assert shop.holds("ola") == set()


def test_rows_that_cannot_be_read_are_named(app: APIClient) -> None:
    rows = [
        wish("ola", SALES),
        {"assign": [SALES]},
        "ola",
        {"user": "ola", "assign": "ten"},
        {"user": "ola", "sing": True},
        {"user": "ola", "accept_loss": "perhaps"},
        {"user": "ola", "create": {"password": "x"}},
    ]
    answer = app.post(PREVIEW, {"rows": rows}, format="json")
    assert answer.status_code == 400
    assert [fault["field"] for fault in answer.data["faults"]] == [f"rows.{n}" for n in range(2, 8)]


def test_creating_users_needs_its_own_scope(shop: Town) -> None:
    rows = {"rows": [wish("kari", SALES, create={"name": "Kari"})]}
    assert api_with("seats:write", "seats:read").post(PREVIEW, rows, format="json").status_code == 403
    full = api_with()
    token = full.post(PREVIEW, rows, format="json").data["token"]
    assert api_with("seats:write").post(ROOT, {"token": token}, format="json").status_code == 403
    assert full.post(ROOT, {"token": token}, format="json").status_code == 200


def test_the_list_is_filtered(shop: Town, app: APIClient) -> None:
    shop.gives("ola", SALES)
    shop.gives("ida", ESSENTIALS)
    assert [each["number"] for each in app.get(f"{ROOT}?user=OLA").data["results"]] == [1]
    assert [each["number"] for each in app.get(f"{ROOT}?actor=syst").data["results"]] == [2, 1]
    assert app.get(f"{ROOT}?since=2999-01-01T00:00:00Z").data["results"] == []
    assert len(app.get(f"{ROOT}?until=2999-01-01T00:00:00Z").data["results"]) == 2
