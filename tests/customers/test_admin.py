"""The admin of access: who sees and does what, always through the services."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from customers.actor import SYSTEM
from customers.audit import record
from customers.models import Account, ApiClient, ApiKey, AuditEvent, Customer, Membership
from customers.outbox import enqueue
from customers.services import keys
from tests.factories.customers import NOON, AccountFactory, ApiClientFactory, api_with_key

pytestmark = pytest.mark.django_db

OURS = ("account", "staffrole", "membership", "apiclient", "apikey", "auditevent", "outboxmessage", "idempotencyrecord")


def page(model: str, name: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:customers_{model}_{name}", args=args)


def signed_in(account: Account) -> Client:
    http = Client()
    http.force_login(account)
    return http


@pytest.fixture
def everything(fjordlys: Customer, kari: Account) -> None:
    """A row of everything, so that every page has something to show."""
    client = keys.create_client(actor=SYSTEM, name="Mail merge", scopes=["seats:read"], customer=fjordlys, at=NOON)
    keys.issue_key(actor=SYSTEM, client=client, at=NOON)
    enqueue(topic="mail", payload={"to": [], "subject": "", "text": ""}, at=NOON, customer=fjordlys)


# ── Who sees which list ─────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("root", set(OURS)),
        ("aud", set(OURS)),
        ("cara", {"account", "membership", "apiclient", "apikey"}),
        ("pia", set()),
        ("paul", set()),
    ],
)
def test_lists_by_role(request: pytest.FixtureRequest, everything: None, who: str, sees: set[str]) -> None:
    http = signed_in(request.getfixturevalue(who))
    status = {model: http.get(page(model)).status_code for model in OURS}
    assert status == {model: 200 if model in sees else 403 for model in OURS}


def test_customers_people_have_no_admin(kari: Account) -> None:
    assert signed_in(kari).get(page("account")).status_code == 302


def test_an_auditor_only_reads(everything: None, aud: Account) -> None:
    http = signed_in(aud)
    for model in OURS:
        assert http.get(page(model, "add")).status_code == 403, model
    for row in (Account.objects.first(), Membership.objects.first(), ApiClient.objects.first(), ApiKey.objects.first()):
        assert row is not None
        name = row._meta.model_name or ""
        assert http.get(page(name, "change", row.pk)).status_code == 200, name
        assert http.post(page(name, "change", row.pk), {}).status_code == 403, name
        assert http.post(page(name, "delete", row.pk), {"post": "yes"}).status_code == 403, name


def test_the_trail_is_searched_and_never_edited(everything: None, root: Account) -> None:
    http = signed_in(root)
    record(actor=SYSTEM, action="seat.assigned", object_type="user", object_code="ola", at=NOON)
    found = http.get(page("auditevent"), {"q": "seat.assigned"}).context["cl"].result_list
    assert [event.action for event in found] == ["seat.assigned"]
    event = AuditEvent.objects.first()
    assert event is not None
    assert http.get(page("auditevent", "change", event.pk)).status_code == 200
    assert http.post(page("auditevent", "change", event.pk), {"reason": "x"}).status_code == 403
    assert http.get(page("auditevent", "add")).status_code == 403
    assert http.post(page("auditevent", "delete", event.pk), {"post": "yes"}).status_code == 403


def test_djangos_own_groups_are_not_offered() -> None:
    assert [model._meta.label for model in admin.site._registry if model._meta.label == "auth.Group"] == []


# ── Accounts: superusers only ───────────────────────────────────────────────
def test_a_superuser_makes_and_edits_an_account(root: Account) -> None:
    http = signed_in(root)
    sent = {"email": "new@planarium.example", "name": "New", "is_active": "on", "roles": ["auditor"]}
    answer = http.post(page("account", "add"), sent | {"new_password": "correct horse battery"})
    assert answer.status_code == 302, answer.context["errors"]
    account = Account.objects.get(email="new@planarium.example")
    assert account.check_password("correct horse battery")
    assert set(account.staff_roles.values_list("role", flat=True)) == {"auditor"}

    shown = http.get(page("account", "change", account.pk)).content.decode()
    assert re.search(r'value="auditor"[^>]*checked', shown)
    assert "correct horse" not in shown
    http.post(page("account", "change", account.pk), sent | {"roles": ["publisher"], "name": "Newer"})
    account.refresh_from_db()
    assert account.name == "Newer"
    assert account.check_password("correct horse battery")
    assert set(account.staff_roles.values_list("role", flat=True)) == {"publisher"}
    actions = AuditEvent.objects.filter(account=root).order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["account.created", "account.roles_set", "account.edited", "account.roles_set"]


def test_a_weak_password_and_a_taken_address_are_shown_in_the_form(root: Account, kari: Account) -> None:
    sent = {"email": "KARI@fjordlys.example", "is_active": "on", "new_password": "123"}
    answer = signed_in(root).post(page("account", "add"), sent)
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == {"new_password", "__all__"}


@pytest.mark.parametrize("who", ["cara", "aud", "pia"])
def test_nobody_else_makes_or_edits_accounts(request: pytest.FixtureRequest, kari: Account, who: str) -> None:
    account = request.getfixturevalue(who)
    http = signed_in(account)
    sent = {"email": account.email, "name": "x", "is_active": "on", "roles": ["publisher"]}
    assert http.post(page("account", "add"), sent).status_code == 403
    assert http.post(page("account", "change", account.pk), sent).status_code == 403
    assert not account.staff_roles.filter(role="publisher").exists()


# ── Members ─────────────────────────────────────────────────────────────────
def test_customer_success_looks_after_members(cara: Account, fjordlys: Customer) -> None:
    vera: Account = AccountFactory(name="Vera Vik")
    http = signed_in(cara)
    sent = {"customer": fjordlys.pk, "account": vera.pk, "role": "viewer"}
    assert http.post(page("membership", "add"), sent).status_code == 302
    membership = Membership.objects.get()
    assert http.post(page("membership", "change", membership.pk), {"role": "admin"}).status_code == 302
    membership.refresh_from_db()
    assert (membership.account, membership.role) == (vera, "admin")
    http.post(page("membership"), {"action": "delete_selected", "_selected_action": [membership.pk], "post": "yes"})
    assert not Membership.objects.exists()
    actions = AuditEvent.objects.filter(account=cara).order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["member.added", "member.changed", "member.removed"]


# ── Clients and keys ────────────────────────────────────────────────────────
def test_a_client_is_made_with_its_scopes(cara: Account, fjordlys: Customer) -> None:
    http = signed_in(cara)
    sent = {"name": "Mail merge", "customer": fjordlys.pk, "scopes": ["customers:read", "seats:read"], **_no_keys()}
    assert http.post(page("apiclient", "add"), sent).status_code == 302
    client = ApiClient.objects.get()
    assert (client.scopes, client.customer) == (["customers:read", "seats:read"], fjordlys)
    changed = {"name": "Mail", "scopes": ["seats:read"], "is_active": "on", **_no_keys()}
    assert http.post(page("apiclient", "change", client.pk), changed).status_code == 302
    client.refresh_from_db()
    assert (client.name, client.scopes, client.customer) == ("Mail", ["seats:read"], fjordlys)


def _no_keys() -> dict[str, str]:
    return {"keys-TOTAL_FORMS": "0", "keys-INITIAL_FORMS": "0"}


def issue(http: Client, *clients: ApiClient) -> Any:
    chosen = [client.pk for client in clients]
    return http.post(page("apiclient"), {"action": "issue_key", "_selected_action": chosen}, follow=True)


def test_a_key_is_shown_once_and_works(cara: Account) -> None:
    app: ApiClient = ApiClientFactory(scopes=["customers:read"])
    http = signed_in(cara)
    answer = issue(http, app)
    assert "no-store" in answer["Cache-Control"]
    (token,) = re.findall(r"plk_[0-9a-f]{12}_[\w-]{43}", answer.content.decode())
    assert api_with_key(token).get("/api/v1/customers/").status_code == 200
    for address in (page("apiclient"), page("apiclient", "change", app.pk), page("apikey"), page("apiclient")):
        assert token not in http.get(address).content.decode()


def test_a_key_may_expire_in_a_year(cara: Account) -> None:
    app: ApiClient = ApiClientFactory(scopes=["customers:read"])
    signed_in(cara).post(page("apiclient"), {"action": "issue_key_for_a_year", "_selected_action": [app.pk]})
    key = ApiKey.objects.get()
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days == 365


def test_a_third_key_is_refused_in_words(cara: Account) -> None:
    app: ApiClient = ApiClientFactory(name="Mail merge")
    http = signed_in(cara)
    for _ in range(2):
        issue(http, app)
    assert "has two live keys already" in issue(http, app).content.decode()
    assert ApiKey.objects.count() == 2


def test_a_key_is_for_one_client(cara: Account) -> None:
    answer = issue(signed_in(cara), ApiClientFactory(), ApiClientFactory())
    assert "Choose one client." in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_an_auditor_issues_and_revokes_nothing(everything: None, aud: Account) -> None:
    http = signed_in(aud)
    issue(http, ApiClient.objects.get())
    key = ApiKey.objects.get()
    http.post(page("apikey"), {"action": "revoke", "_selected_action": [key.pk]})
    assert ApiKey.objects.get().revoked_at is None


def test_a_key_is_revoked(cara: Account) -> None:
    app: ApiClient = ApiClientFactory(scopes=["customers:read"])
    key, token = keys.issue_key(actor=SYSTEM, client=app, at=NOON)
    signed_in(cara).post(page("apikey"), {"action": "revoke", "_selected_action": [key.pk]})
    assert api_with_key(token).get("/api/v1/customers/").status_code == 401


def test_the_outbox_shows_what_was_given_up(root: Account) -> None:
    waiting, sent, lost = (enqueue(topic="mail", payload={}, at=NOON + timedelta(minutes=n)) for n in range(3))
    sent.delivered_at, lost.next_attempt_at = NOON, None
    sent.save()
    lost.save()
    listed = signed_in(root).get(page("outboxmessage")).content.decode()
    states = dict(re.findall(r'field-id.*?>(\d+)<.*?field-state"><div>(\w[\w ]*)<', listed, re.S))
    assert states == {str(waiting.pk): "waiting", str(sent.pk): "delivered", str(lost.pk): "given up"}
