"""Erasing a person: nothing says any more who it was, and history keeps its shape (rules U-7 to U-10, docs/adr/0017).

Kari Nordmann works at Fjordlys, as user `kari.nordmann`; she holds Sales Premium, and once had another name.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.test import Client

from customers import outbox
from customers.actor import Actor
from customers.errors import Invalid
from customers.models import (
    Account,
    AuditEvent,
    CustomerUser,
    IdempotencyRecord,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from licensing.errors import NotConfirmed, UserCannotHoldSeats, UserIsErased
from licensing.facts import Mode
from licensing.intake import read_listing
from licensing.models import ChangeSetRow, RevisionEntry, Seat, UserPeriod
from licensing.services.erasing import erase_user
from licensing.services.overrides import grant_override
from licensing.services.people import create_user, edit_user
from licensing.services.requests import ask_for_seats
from licensing.services.user_lists import keep_list
from tests.factories.customers import AccountFactory, api_with
from tests.licensing.changing import gives, previews
from tests.licensing.market import Market, Town, hours

CODE = "kari.nordmann"
TRACES = (CODE, "Kari Nordmann", "Kari Øygard", "kari@fjordlys.example", "kari.oygard@fjordlys.example")


@pytest.fixture
def fjordlys(town: Town) -> Town:
    """Kari was created, named, given a plan and an override, written of in a mail, and asked about by an app."""
    town.buys(sales_premium=2, at=hours(1))
    who: dict[str, Any] = {"customer": town.customer, "actor": town.actor}
    kari = create_user(**who, code=CODE, name="Kari Øygard", email="kari.oygard@fjordlys.example", at=hours(2))
    account = AccountFactory(name="K", email="k@elsewhere.example")
    named = {"name": "Kari Nordmann", "email": "kari@fjordlys.example", "account": account}
    edit_user(**who, user=kari, at=hours(3), **named)
    CustomerUser.objects.filter(pk=kari.pk).update(last_seen_at=hours(3))
    town.users["kari"] = CustomerUser.objects.get(pk=kari.pk)
    town.gives(CODE, "ten-sales-premium", at=hours(4))
    grant_override(**who, user=kari, feature="quotes", mode=Mode.DENY, reason="A trial", at=hours(5))
    ask_for_seats(**who, module="ten-sales-premium", quantity=1, user=kari, at=hours(5))
    text = "This affects 1 user: Kari Nordmann (kari.nordmann). Kari Øygard was her name."
    mail = {"to": ["boss@fjordlys.example"], "subject": "An end comes", "text": text}
    outbox.enqueue(topic="mail", payload=mail, customer=town.customer, at=hours(6))
    _in_a_list(town)
    _told_to_an_app(town)
    return town


def _told_to_an_app(town: Town) -> None:
    """Its receiver repeats in its answers what it got."""
    endpoint = {"url": "https://app.example/", "created_at": hours(1)}
    WebhookEndpoint.objects.create(customer=town.customer, **endpoint)
    town.gives("ida", "ten-sales-premium", at=hours(7))
    town.takes(CODE, "ten-sales-premium", at=hours(7.5))
    town.takes("ida", "ten-sales-premium", at=hours(7.6))
    town.gives(CODE, "ten-sales-premium", at=hours(7.7))
    for sent in WebhookDelivery.objects.select_related("event"):
        sent.answer = f"Got {sent.event.body}"
        sent.save()
        WebhookAttempt.objects.create(delivery=sent, at=hours(8), status=500, answer=sent.answer, took_ms=9)


def _in_a_list(town: Town) -> None:
    """Somebody handed in a list with her in it, and previewed a change that can't be made."""
    rows = [["kari.nordmann", "Kari Nordmann", "kari@fjordlys.example"], ["ola", "Ola", ""]]
    listing = read_listing("\n".join(";".join(row) for row in rows).encode())
    keep_list(customer=town.customer, account=None, listing=listing, source="pasted", at=hours(6))
    said = {"code": CODE, "name": "Kari Nordmann"}
    made = {"name": "Kari Nordmann", "email": "kari@fjordlys.example"}
    row = gives(CODE.upper(), "ten-service-premium", create=made, said=said)
    previews(town, row, gives("ola", "ten-sales-premium"), mode="as_many", at=hours(6))
    # And where others are in the way: no seat is left but hers, and a row that only says her address.
    short = [gives(code, "ten-sales-premium") for code in ("ola", "ida", "per")]
    previews(town, *short, gives("kari@fjordlys.example"), mode="as_many", at=hours(6))


def erased(town: Town, **how: Any) -> Any:
    usual = {"customer": town.customer, "actor": town.actor, "user": town.users["kari"]}
    return erase_user(**{**usual, "confirm": CODE, "at": hours(9), **how})


def everything_recorded() -> dict[str, str]:
    """Returns every text and JSON of every table, by table and column."""
    found = {}
    with connection.cursor() as cursor:
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if field.get_internal_type() in ("CharField", "TextField", "EmailField", "JSONField"):
                    cursor.execute(f'SELECT CAST("{field.column}" AS text) FROM "{model._meta.db_table}"')
                    said = [str(value) for (value,) in cursor.fetchall()]
                    found[f"{model._meta.db_table}.{field.column}"] = "\n".join(said)
    return found


def test_no_table_says_any_more_who_it_was(fjordlys: Town) -> None:
    """Of whatever table: one that is new, and keeps what users are called, fails here once this story fills it."""
    key = {"HTTP_IDEMPOTENCY_KEY": "once"}
    path = f"/api/v1/customers/fjordlys/users/{CODE}/"
    assert api_with().patch(path, {"name": "Kari Nordmann"}, format="json", **key).status_code == 200
    before = everything_recorded()
    escaped = {trace: json.dumps(trace)[1:-1] for trace in TRACES}

    def traces(recorded: dict[str, str]) -> dict[str, list[str]]:
        lists = {
            column: [t for t in TRACES if t.lower() in text.lower() or escaped[t].lower() in text.lower()]
            for column, text in recorded.items()
        }
        return {column: listed for column, listed in lists.items() if listed}

    assert traces(before).keys() >= {
        *("customers_customeruser.name", "customers_customeruser.code", "customers_customeruser.email"),
        *("customers_auditevent.changes", "customers_auditevent.object_code"),
        *("customers_outboxmessage.payload", "customers_idempotencyrecord.body"),
        *("licensing_changepreview.wishes", "licensing_userlist.content"),
    }
    told = erased(fjordlys)
    assert traces(everything_recorded()) == {}
    assert (told.events, told.messages, told.answers, told.previews) == (7, 7, 1, 7)


def test_history_keeps_its_shape(fjordlys: Town) -> None:
    kari = fjordlys.users["kari"]

    def shape() -> dict[str, Any]:
        rows = ChangeSetRow.objects.filter(user=kari, change_set__at__lt=hours(9))
        return {
            "seats": list(Seat.objects.filter(user=kari).values_list("module_name", "assigned_at")),
            "changes": list(rows.values_list("change_set__number", "after")),
            "periods": list(UserPeriod.objects.filter(user=kari).values_list("starts_at", flat=True))[:2],
            "events": list(AuditEvent.objects.filter(at__lt=hours(9)).values_list("pk", "at", "action", "actor")),
        }

    before = shape()
    told = erased(fjordlys)
    assert shape() == before
    assert told.released == ("superoffice.ten-sales-premium",)
    assert fjordlys.holds("kari") == set()
    assert fjordlys.access(told.user.code, "quotes", hours(8)) == "none"  # denied by the override, then as now
    assert fjordlys.access(told.user.code, "quotes") == "none"
    fjordlys.users = {"kari": told.user}
    fjordlys.assert_whole()


def test_who_is_left_is_nobody(fjordlys: Town) -> None:
    user = erased(fjordlys).user
    assert user.code.startswith("erased-")
    assert user.name == f"Erased user {user.code.removeprefix('erased-')}"
    assert (user.email, user.account, user.last_seen_at, user.erased_at) == ("", None, None, hours(9))
    assert (user.is_former_employee, user.can_log_in, user.created_at) == (True, False, hours(2))
    assert Account.objects.filter(email="k@elsewhere.example").exists()  # the account is not theirs to erase


def test_the_trail_tells_that_somebody_was_erased_and_by_whom(fjordlys: Town, cara: Account) -> None:
    user = erased(fjordlys, actor=Actor(account=cara), reason="Asked for by the person").user
    event = AuditEvent.objects.get(action="user.erased")
    assert (event.actor, event.object_code, event.reason) == (
        "Cara Care",
        f"fjordlys/{user.code}",
        "Asked for by the person",
    )
    edited = AuditEvent.objects.get(action="user.edited")
    assert edited.object_code == f"fjordlys/{user.code}"
    assert edited.changes == dict.fromkeys(("name", "email", "account"), "erased")


def test_it_counts_one_revision(fjordlys: Town) -> None:
    before = fjordlys.revision()
    erased(fjordlys)
    assert fjordlys.revision() == before + 1
    assert RevisionEntry.objects.latest("pk").cause == "user.erased"


def test_a_dry_run_tells_it_and_leaves_no_trace(fjordlys: Town) -> None:
    before, revision = everything_recorded(), fjordlys.revision()
    told = erased(fjordlys, confirm="", dry_run=True)
    assert (told.released, told.events, told.messages) == (("superoffice.ten-sales-premium",), 7, 7)
    assert everything_recorded() == before
    assert fjordlys.revision() == revision


@pytest.mark.parametrize("confirm", ["", "kari", "KARI.NORDMANN", "kari.nordmann "])
def test_it_wants_the_code_typed(fjordlys: Town, confirm: str) -> None:
    with pytest.raises(NotConfirmed):
        erased(fjordlys, confirm=confirm)
    assert CustomerUser.objects.filter(code=CODE).exists()


def test_nothing_of_it_comes_back(fjordlys: Town) -> None:
    user = erased(fjordlys).user
    who: dict[str, Any] = {"customer": fjordlys.customer, "actor": fjordlys.actor, "user": user}
    with pytest.raises(UserIsErased):
        edit_user(**who, name="Kari Nordmann")
    with pytest.raises(UserIsErased):
        edit_user(**who, is_former_employee=False, can_log_in=True)
    with pytest.raises(UserIsErased):
        erase_user(**who, confirm=user.code)
    with pytest.raises(UserCannotHoldSeats):
        fjordlys.gives(user.code, "ten-sales-premium")
    with pytest.raises(IntegrityError), transaction.atomic():
        CustomerUser.objects.filter(pk=user.pk).update(email="kari@fjordlys.example")


def test_the_code_is_free_for_somebody_else_and_pseudonyms_are_not(fjordlys: Town) -> None:
    erased(fjordlys)
    who: dict[str, Any] = {"customer": fjordlys.customer, "actor": fjordlys.actor}
    assert create_user(**who, code=CODE, name="Another Kari").pk
    with pytest.raises(Invalid):
        create_user(**who, code="Erased-00000000", name="Nobody")


def test_others_are_left_alone(fjordlys: Town, market: Market) -> None:
    """Nordvik has a user of the same name and code, and so has an answer kept there."""
    nordvik = Town("nordvik", [])
    same = {"code": CODE, "name": "Kari Nordmann", "email": "kari@fjordlys.example"}
    create_user(customer=nordvik.customer, actor=nordvik.actor, **same)
    IdempotencyRecord.objects.create(caller="client:1", key="k", customer=nordvik.customer, body={"user": same})
    erased(fjordlys)
    assert CustomerUser.objects.get(customer=nordvik.customer).name == "Kari Nordmann"
    assert AuditEvent.objects.get(object_code=f"nordvik/{CODE}").changes["name"] == [None, "Kari Nordmann"]
    assert IdempotencyRecord.objects.get(customer=nordvik.customer).body == {"user": same}


def test_a_word_that_happens_to_be_a_code_stays(fjordlys: Town) -> None:
    """Somebody's code may be any word, `open` or `sales`."""
    who: dict[str, Any] = {"customer": fjordlys.customer, "actor": fjordlys.actor}
    user = create_user(**who, code="open", name="Ole Penn", at=hours(2))
    body = {"state": "open", "user": "open", "users": ["ola", "open"], "text": "An open door", "code": "open"}
    record = IdempotencyRecord.objects.create(caller="client:1", key="k", customer=fjordlys.customer, body=body)
    pseudonym = erase_user(**who, user=user, confirm="open").user.code
    record.refresh_from_db()
    assert record.body == body | {"user": pseudonym, "users": ["ola", pseudonym]}


def test_a_repeated_write_is_answered_without_naming_the_person(fjordlys: Town) -> None:
    http, key = api_with(), {"HTTP_IDEMPOTENCY_KEY": "once"}
    new = {"code": "per.hansen", "name": "Per Hansen", "email": "per.hansen@fjordlys.example"}
    path = "/api/v1/customers/fjordlys/users/"
    assert http.post(path, new, format="json", **key).status_code == 201
    user = CustomerUser.objects.get(code="per.hansen")
    pseudonym = erase_user(customer=fjordlys.customer, actor=fjordlys.actor, user=user, confirm="per.hansen").user.code
    again = http.post(path, new, format="json", **key)
    assert (again.status_code, again["Idempotent-Replay"]) == (201, "true")
    assert again.json()["user"]["code"] == pseudonym
    assert "ansen" not in again.text
    assert not CustomerUser.objects.filter(code="per.hansen").exists()


# ── What the database allows in the trail ───────────────────────────────────
@pytest.mark.parametrize(
    ("where", "edit"),
    [
        ("object_type = 'user'", "object_code = 'fjordlys/somebody'"),
        ("object_type = 'user'", "object_code = 'fjordlys/erased-1', actor = 'nobody'"),
        ("object_type = 'user'", "object_code = 'fjordlys/erased-1', reason = 'another'"),
        ("object_type = 'user'", "object_code = 'fjordlys/erased-1'"),  # with the name still in it
        ("object_type = 'user'", """object_code = 'fjordlys/erased-1', changes = '{"name": "Eve"}'"""),
        ("object_type = 'user'", """object_code = 'fjordlys/erased-1', changes = '{"can_log_in": "no"}'"""),
        ("object_type = 'seats'", """object_code = 'fjordlys/erased-1', changes = '{"seats": []}'"""),
        ("object_type = 'override'", """changes = '{"user": "erased-1", "value": "another"}'"""),
        ("object_type = 'override'", """changes = '{"user": "ola", "value": [null, "deny"]}'"""),
        ("object_type = 'subscription'", "object_code = 'fjordlys/erased-1'"),
    ],
)
def test_the_trail_is_redacted_and_never_edited(fjordlys: Town, where: str, edit: str) -> None:
    assert AuditEvent.objects.extra(where=[where]).exists()  # noqa: S610 - words of this test
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE customers_auditevent SET {edit} WHERE {where}")


def test_what_is_redacted_stays_redacted(fjordlys: Town) -> None:
    erased(fjordlys)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        AuditEvent.objects.filter(object_code__contains="/erased-", object_type="seats").update(
            object_code="fjordlys/erased-2"
        )


def test_in_the_admin_an_erased_user_can_only_be_read(fjordlys: Town, root: Account) -> None:
    user = erased(fjordlys).user
    client = Client()
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    page = f"/admin/customers/customeruser/{user.pk}/change/"
    assert 'name="email"' not in client.get(page).text
    assert client.post(page, {"name": "Kari Nordmann"}).status_code == 403
    assert client.get("/admin/customers/customeruser/?erased_at__isempty=0").context["cl"].result_count == 1
