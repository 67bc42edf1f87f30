"""The pages of API clients and webhooks: secrets shown once, nothing given that isn't held, deeds confirmed."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from customers.actor import SYSTEM
from customers.models import ApiClient, ApiKey, AuditEvent, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from customers.posting import Limits
from customers.services import keys, webhooks
from licensing.services.erasing import erase_user
from tests.factories.customers import NOON, AccountFactory, ApiClientFactory, MembershipFactory, api_with_key
from tests.licensing.market import Market, Town, hours

pytestmark = pytest.mark.django_db
SECRET = re.compile(r'id="secret" type="text" value="([^"]+)"')


@pytest.fixture
def town() -> Town:
    Market()
    town = Town("fjordlys", people=("ola", "ida"))
    town.buys(sales_premium=5, at=hours(1))
    return town


def browser(town: Town, role: str) -> Client:
    account, client = AccountFactory(), Client()
    MembershipFactory(customer=town.customer, account=account, role=role)
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def admin(town: Town) -> Client:
    return browser(town, "admin")


def staff(role: str) -> Client:
    client = Client()
    client.force_login(AccountFactory(roles=[role]), backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(name: str, *args: Any) -> str:
    return reverse(f"portal:{name}", args=["fjordlys", *args])


def shown_secret(answer: Any) -> str:
    found = SECRET.search(answer.text)
    assert found is not None, answer.text
    assert "no-store" in answer["Cache-Control"]
    return unescape(found[1])


# ── API clients ─────────────────────────────────────────────────────────────
class TestClients:
    def make(self, admin: Client, **asked: Any) -> tuple[ApiClient, str]:
        answer = admin.post(page("client_new"), {"name": "CRM", "scopes": ["entitlements:read"], **asked})
        assert answer.status_code == 200
        return ApiClient.objects.get(name=asked.get("name", "CRM")), shown_secret(answer)

    def test_a_new_client_shows_its_key_once(self, admin: Client) -> None:
        client, key = self.make(admin, calls_per_minute="90")
        read = api_with_key(key).get("/api/v1/customers/fjordlys/users/ola/entitlements/")
        assert (read.status_code, read["RateLimit-Policy"]) == (200, '"calls";q=90;w=60')
        again = admin.get(page("client", client.pk)).text
        assert key not in again
        assert f"plk_{client.keys.get().prefix}_" in again
        assert "CRM" in admin.get(page("clients")).text

    def test_nothing_is_given_that_is_not_held(self, admin: Client) -> None:
        assert "overrides:write" not in admin.get(page("client_new")).text
        answer = admin.post(page("client_new"), {"name": "CRM", "scopes": ["overrides:write"]})
        assert answer.status_code == 400
        assert not ApiClient.objects.exists()

    def test_a_key_of_a_client_that_may_more_is_not_theirs_to_issue(self, admin: Client, town: Town) -> None:
        ours = ApiClientFactory(customer=town.customer, scopes=["customers:write"])
        answer = admin.post(page("key_new", ours.pk), {})
        assert answer.status_code == 400
        assert "Not yours to give: customers:write." in answer.text
        assert not ApiKey.objects.exists()

    def test_one_key_takes_over_from_the_other(self, admin: Client) -> None:
        client, first = self.make(admin)
        second = shown_secret(admin.post(page("key_new", client.pk), {"expires": "2100-01-01"}))
        third = admin.post(page("key_new", client.pk), {})
        assert (third.status_code, "has two live keys already" in third.text) == (409, True)
        old = client.keys.get(prefix=first.split("_")[1])
        asked = admin.get(page("key_revoke", client.pk, old.pk))
        assert "Whoever calls with this key is refused" in asked.text
        assert ApiKey.objects.get(pk=old.pk).revoked_at is None
        admin.post(page("key_revoke", client.pk, old.pk))
        read = "/api/v1/customers/fjordlys/users/ola/entitlements/"
        assert [api_with_key(key).get(read).status_code for key in (first, second)] == [401, 200]

    def test_a_key_that_expires_in_the_past_is_refused_beside_its_field(self, admin: Client) -> None:
        client, _ = self.make(admin)
        answer = admin.post(page("key_new", client.pk), {"expires": "2020-01-01"})
        assert (answer.status_code, "This has passed." in answer.text) == (400, True)

    def test_it_is_changed_and_switched_off(self, admin: Client) -> None:
        client, key = self.make(admin)
        admin.post(page("client", client.pk), {"name": "CRM 2", "scopes": ["seats:read"], "calls_per_minute": ""})
        client.refresh_from_db()
        assert (client.name, client.scopes, client.calls_per_minute) == ("CRM 2", ["seats:read"], None)
        admin.post(page("client", client.pk), {"switch": "off"})
        assert api_with_key(key).get("/api/v1/customers/").status_code == 401
        told = AuditEvent.objects.filter(object_type="api_client").order_by("pk").values_list("action", flat=True)
        assert list(told) == ["client.created", "key.issued", "client.edited", "client.edited"]

    def test_a_name_that_is_taken_is_refused_beside_its_field(self, admin: Client) -> None:
        self.make(admin)
        answer = admin.post(page("client_new"), {"name": "crm", "scopes": ["seats:read"]})
        assert answer.status_code == 400
        beside = answer.text.partition('id="id_name_error"')[2].partition("</div>")[0]
        assert "A client has this name already." in beside

    def test_the_list_costs_the_same_however_long(
        self, admin: Client, town: Town, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(60):
            client = ApiClientFactory(customer=town.customer, name=f"App {number:02}")
            keys.issue_key(actor=SYSTEM, client=client, at=NOON)
        with django_assert_max_num_queries(12):
            first = admin.get(page("clients")).text
        assert "App 49" in first
        assert "App 50" not in first
        found = admin.get(page("clients"), {"search": "app 57", "state": "on"}).text
        assert "App 57" in found
        assert "App 00" not in found

    def test_a_viewer_sees_none(self, town: Town) -> None:
        viewer = browser(town, "viewer")
        assert viewer.get(page("clients")).status_code == 403
        assert "Integrations" not in viewer.get(page("customer")).text


# ── Webhooks ────────────────────────────────────────────────────────────────
class TestWebhooks:
    URL = "https://crm.example/hooks"

    @pytest.fixture
    def endpoint(self, town: Town) -> WebhookEndpoint:
        return webhooks.create_webhook(
            actor=SYSTEM, customer=town.customer, url=self.URL, allowed=Limits(), at=NOON, description="CRM"
        )[0]

    def test_a_new_one_shows_its_secret_once(self, admin: Client) -> None:
        answer = admin.post(page("webhook_new"), {"url": self.URL, "types": ["entitlements.changed"]})
        secret = shown_secret(answer)
        assert secret.startswith("whsec_")
        made = WebhookEndpoint.objects.get()
        assert (made.url, made.types) == (self.URL, ["entitlements.changed"])
        assert secret not in admin.get(page("webhook", made.pk)).text
        assert self.URL in admin.get(page("webhooks")).text

    @pytest.mark.parametrize("url", ["http://crm.example/", "https://10.0.0.1/", "nonsense"])
    def test_what_can_be_no_address_is_refused_beside_its_field(self, admin: Client, url: str) -> None:
        answer = admin.post(page("webhook_new"), {"url": url})
        assert answer.status_code == 400
        assert 'class="field-error" id="id_url_error"' in answer.text
        assert not WebhookEndpoint.objects.exists()

    def test_a_test_stands_among_the_deliveries_and_is_sent_again_once_confirmed(
        self, admin: Client, endpoint: WebhookEndpoint
    ) -> None:
        admin.post(page("webhook", endpoint.pk), {"test": "1"})
        sent = WebhookDelivery.objects.get()
        told = admin.get(page("webhook", endpoint.pk)).text
        assert "endpoint.test" in told
        assert "waiting" in told
        assert "Send it again?" in admin.get(page("webhook_again", endpoint.pk, sent.pk)).text
        assert WebhookDelivery.objects.count() == 1
        admin.post(page("webhook_again", endpoint.pk, sent.pk))
        assert WebhookDelivery.objects.filter(event=sent.event_id).count() == 2
        assert "Nothing matches" in admin.get(page("webhook", endpoint.pk), {"state": "given_up"}).text

    def test_secrets_rotate(self, admin: Client, endpoint: WebhookEndpoint) -> None:
        assert "Both secrets sign" in admin.get(page("webhook_rotate", endpoint.pk)).text
        shown_secret(admin.post(page("webhook_rotate", endpoint.pk)))
        assert endpoint.secrets.count() == 2
        refused = admin.post(page("webhook_rotate", endpoint.pk), follow=True)
        assert "signs with two secrets already" in refused.text
        admin.post(page("webhook", endpoint.pk), {"retire": "1"})
        assert endpoint.secrets.count() == 1

    def test_it_is_switched_off_and_on(self, admin: Client, endpoint: WebhookEndpoint) -> None:
        admin.post(page("webhook", endpoint.pk), {"switch": "off"})
        assert "Switched off by somebody." in admin.get(page("webhook", endpoint.pk)).text
        refused = admin.post(page("webhook", endpoint.pk), {"test": "1"}, follow=True)
        assert "The webhook is off" in refused.text
        admin.post(page("webhook", endpoint.pk), {"switch": "on"})
        endpoint.refresh_from_db()
        assert endpoint.is_active

    def test_a_delivery_has_a_page_with_each_try_and_what_is_posted(
        self, admin: Client, endpoint: WebhookEndpoint, town: Town
    ) -> None:
        town.gives("ola", "ten-sales-premium", at=hours(2))
        sent = WebhookDelivery.objects.filter(event__type="entitlements.changed").latest("pk")
        assert "Not tried yet" in admin.get(page("webhook_delivery", endpoint.pk, sent.pk)).text
        WebhookAttempt.objects.create(delivery=sent, at=hours(3), status=503, answer="<b>later</b>", took_ms=84)
        told = admin.get(page("webhook_delivery", endpoint.pk, sent.pk)).text
        assert "503 &lt;b&gt;later&lt;/b&gt;" in told
        assert f'"revision": {town.revision()}' in unescape(told)
        assert page("webhook_delivery", endpoint.pk, sent.pk) in admin.get(page("webhook", endpoint.pk)).text
        assert page("webhook_again", endpoint.pk, sent.pk) in told
        other = webhooks.create_webhook(
            actor=SYSTEM, customer=town.customer, url="https://other.example/", allowed=Limits(), at=NOON
        )[0]
        assert admin.get(page("webhook_delivery", other.pk, sent.pk)).status_code == 404
        assert admin.post(page("webhook_again", other.pk, sent.pk)).status_code == 404

    def test_a_replay_says_how_many_it_tells_of_before(
        self, admin: Client, endpoint: WebhookEndpoint, town: Town
    ) -> None:
        town.gives("ola", "ten-sales-premium", at=hours(2))
        WebhookDelivery.objects.all().delete()
        before = town.revision() - 1
        asked = unescape(admin.get(page("webhook_replay", endpoint.pk), {"after": before}).text)
        assert f"1 user of {town.customer.name} changed after revision {before}." in asked
        assert not WebhookDelivery.objects.exists()
        admin.post(page("webhook_replay", endpoint.pk), {"after": before})
        assert WebhookDelivery.objects.get().event.type == "entitlements.changed"
        early = admin.post(page("webhook_replay", endpoint.pk), {"after": town.revision() + 1})
        assert early.status_code == 409
        assert "Nobody of " in admin.get(page("webhook_replay", endpoint.pk), {"after": town.revision()}).text
        assert admin.post(page("webhook_replay", endpoint.pk), {"after": "x"}).status_code == 400

    def test_a_replay_across_an_erasure_says_to_fetch_a_snapshot(
        self, admin: Client, endpoint: WebhookEndpoint, town: Town
    ) -> None:
        before = town.revision()
        erase_user(customer=town.customer, actor=SYSTEM, user=town.users["ola"], confirm="ola")
        asked = unescape(admin.get(page("webhook_replay", endpoint.pk), {"after": before}).text)
        assert f"A user of {town.customer.name} was erased after revision {before}" in asked
        admin.post(page("webhook_replay", endpoint.pk), {"after": before})
        assert '"resync":true' in WebhookDelivery.objects.latest("pk").event.body

    def test_it_is_changed_and_deleted_once_confirmed(self, admin: Client, endpoint: WebhookEndpoint) -> None:
        asked = {"url": "https://crm.example/other", "description": "Other", "types": ["package.activated"]}
        admin.post(page("webhook_edit", endpoint.pk), asked)
        endpoint.refresh_from_db()
        assert (endpoint.url, endpoint.types) == ("https://crm.example/other", ["package.activated"])
        assert "This can’t be taken back" in admin.get(page("webhook_delete", endpoint.pk)).text
        assert WebhookEndpoint.objects.exists()
        admin.post(page("webhook_delete", endpoint.pk))
        assert not WebhookEndpoint.objects.exists()

    def test_pages_cost_the_same_however_many_deliveries(
        self, admin: Client, endpoint: WebhookEndpoint, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(60):
            webhooks.send_test(actor=SYSTEM, endpoint=endpoint, at=NOON)
        with django_assert_max_num_queries(12):
            admin.get(page("webhook", endpoint.pk))
        with django_assert_max_num_queries(12):
            told = admin.get(page("webhooks")).text
        assert "60" in told

    def test_somebody_elses_is_not_there(self, admin: Client, town: Town) -> None:
        everybody, _ = webhooks.create_webhook(
            actor=SYSTEM, customer=None, url="https://ours.example/", allowed=Limits(), at=NOON
        )
        assert admin.get(page("webhook", everybody.pk)).status_code == 404
        assert admin.post(page("webhook_delete", everybody.pk)).status_code == 404


# ── Webhooks for all customers ──────────────────────────────────────────────
class TestWebhooksForAll:
    URL = "https://ours.example/hooks"

    @pytest.fixture
    def cara(self) -> Client:
        return staff("customer_success")

    @pytest.fixture
    def endpoint(self) -> WebhookEndpoint:
        return webhooks.create_webhook(actor=SYSTEM, customer=None, url=self.URL, allowed=Limits(), at=NOON)[0]

    def test_a_new_one_may_hear_of_the_catalog_and_shows_its_secret_once(self, cara: Client) -> None:
        assert 'href="/webhooks/"' in cara.get("/").text
        answer = cara.post("/webhooks/new/", {"url": self.URL, "types": ["catalog.version.published"]})
        secret = shown_secret(answer)
        made = WebhookEndpoint.objects.get()
        assert (made.customer, made.types) == (None, ["catalog.version.published"])
        listed = cara.get("/webhooks/").text
        assert f'href="/webhooks/{made.pk}/"' in listed
        assert secret not in listed + cara.get(f"/webhooks/{made.pk}/").text

    def test_what_concerns_no_customer_is_not_theirs_to_choose(self, admin: Client) -> None:
        assert "catalog.version.published" not in admin.get(page("webhook_new")).text
        answer = admin.post(page("webhook_new"), {"url": self.URL, "types": ["catalog.version.published"]})
        assert answer.status_code == 400

    def test_it_is_tested_sent_again_rotated_switched_changed_and_deleted(
        self, cara: Client, endpoint: WebhookEndpoint
    ) -> None:
        here = f"/webhooks/{endpoint.pk}/"
        assert cara.post(here, {"test": "1"})["Location"] == here
        sent = WebhookDelivery.objects.get()
        again = f"{here}deliveries/{sent.pk}/again/"
        assert again in cara.get(here).text
        assert "Send it again?" in cara.get(again).text
        cara.post(again)
        assert WebhookDelivery.objects.count() == 2
        shown_secret(cara.post(f"{here}secret/"))
        cara.post(here, {"retire": "1"})
        assert endpoint.secrets.count() == 1
        cara.post(here, {"switch": "off"})
        cara.post(f"{here}edit/", {"url": f"{self.URL}/2", "types": []})
        endpoint.refresh_from_db()
        assert (endpoint.url, endpoint.is_active) == (f"{self.URL}/2", False)
        assert "This can’t be taken back" in cara.get(f"{here}delete/").text
        assert cara.post(f"{here}delete/")["Location"] == "/webhooks/"
        assert not WebhookEndpoint.objects.exists()

    def test_a_replay_tells_of_one_customer_at_a_time(
        self, cara: Client, endpoint: WebhookEndpoint, town: Town
    ) -> None:
        here = f"/webhooks/{endpoint.pk}/"
        assert f'href="{here}replay/"' in cara.get(here).text
        town.gives("ola", "ten-sales-premium", at=hours(2))
        WebhookDelivery.objects.all().delete()
        since = {"customer": "FJORDLYS", "after": town.revision() - 1}
        asked = unescape(cara.get(f"{here}replay/", since).text)
        assert f"1 user of {town.customer.name} changed" in asked
        assert not WebhookDelivery.objects.exists()
        assert cara.post(f"{here}replay/", since)["Location"] == here
        sent = WebhookDelivery.objects.get()
        assert (sent.endpoint_id, sent.customer_id, sent.event.type) == (
            endpoint.pk,
            town.customer.pk,
            "entitlements.changed",
        )
        assert f">{town.customer.name}</a>" in cara.get(here).text
        assert "entitlements.changed" in cara.get(here, {"search": "fjordlys"}).text
        assert "Nothing matches" in cara.get(here, {"search": "nordvik"}).text
        for wrong in ({"after": 0}, {"customer": "nobody", "after": 0}, {"customer": "a\x00b", "after": 0}):
            refused = cara.post(f"{here}replay/", wrong)
            assert refused.status_code == 400
            assert 'id="id_customer_error"' in refused.text

    def test_a_customers_own_is_not_among_them(self, cara: Client, town: Town, endpoint: WebhookEndpoint) -> None:
        theirs, _ = webhooks.create_webhook(
            actor=SYSTEM, customer=town.customer, url="https://crm.example/", allowed=Limits(), at=NOON
        )
        assert "crm.example" not in cara.get("/webhooks/").text
        assert cara.get(f"/webhooks/{theirs.pk}/").status_code == 404
        assert cara.get(page("webhook", endpoint.pk)).status_code == 404

    def test_others_may_not(self, admin: Client, endpoint: WebhookEndpoint) -> None:
        for visitor in (admin, staff("product_manager")):
            assert 'href="/webhooks/"' not in visitor.get("/").text
            assert visitor.get("/webhooks/").status_code == 403
            assert visitor.get(f"/webhooks/{endpoint.pk}/").status_code == 403
            assert visitor.post(f"/webhooks/{endpoint.pk}/delete/").status_code == 403
        auditor = staff("auditor")
        assert "New webhook" not in auditor.get("/webhooks/").text
        assert auditor.post(f"/webhooks/{endpoint.pk}/", {"test": "1"}).status_code == 403
        assert WebhookEndpoint.objects.exists()
