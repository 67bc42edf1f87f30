"""The pages of a subscription: the timeline, changes that are previewed and confirmed, packages that wait, notices."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from customers.actor import SYSTEM
from customers.models import Account, Membership
from licensing.models import Package, Seat
from licensing.services.subscriptions import RENEWAL, change_items, subscribe
from tests.factories.customers import AccountFactory, MembershipFactory
from tests.licensing.market import Market, Town
from tests.licensing.tampering import edit

HOME = "/portal/fjordlys/subscription/"
CHANGE = f"{HOME}change/"
PACKAGE = "/portal/fjordlys/packages/SUPEROFFICE/2/"
PLAN = "ten-sales-essentials"
MODULE = f"superoffice.{PLAN}"


def visitor(account: Account) -> Client:
    client = Client()
    client.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def full(market: Market) -> Town:
    """A subscription that began half a year before now, with three seats, all taken."""
    town = Town()
    now = timezone.now()
    subscribe(
        customer=town.customer,
        actor=SYSTEM,
        billing_months=12,
        items={"sales-essentials": 3},
        starts_on=(now - timedelta(days=180)).date(),
    )
    for name in town.users:
        town.gives(name, PLAN)
    return town


@pytest.fixture
def cara(full: Town) -> Client:
    return visitor(AccountFactory(name="Cara Care", roles=["customer_success"]))


@pytest.fixture
def kari(full: Town) -> Client:
    account = AccountFactory(name="Kari Nordmann", email="kari@fjordlys.example")
    MembershipFactory(customer=full.customer, account=account, role=Membership.Role.ADMIN)
    return visitor(account)


def form(full: Town, **changed: int | str) -> dict[str, object]:
    """Returns the form as it stands, with `sales_essentials=…` and so on filled in otherwise."""
    return {"sales-essentials": 3} | {name.replace("_", "-"): value for name, value in changed.items()}


def hidden(page: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page):
        found.setdefault(name, []).append(value)
    ticked = re.findall(r'<input type="checkbox" name="(release:[^"]+)" value="([^"]+)" checked>', page)
    for name, value in ticked:
        found.setdefault(name, []).append(value)
    return found


class TestTimeline:
    def test_it_tells_what_was_is_and_will_be(self, full: Town, kari: Client) -> None:
        change_items(customer=full.customer, actor=SYSTEM, items={"sales-essentials": 2}, due=RENEWAL)

        page = kari.get(HOME)

        assert page.status_code == 200
        stage = page.context["contract"].outlook.stages[0]
        assert [seat.user for seat in stage.leaving] == ["per"]
        assert "1 seat will be released" in page.text
        assert "0 → 3" in page.text
        assert "SUPEROFFICE #2" in page.text
        assert "See what changes" not in page.text, "a customer's admin looks, and changes nothing"
        assert kari.post(CHANGE, form(full)).status_code == 403

    def test_who_may_not_see_seats_sees_no_names(self, full: Town) -> None:
        change_items(customer=full.customer, actor=SYSTEM, items={"sales-essentials": 2}, due=RENEWAL)
        page = visitor(AccountFactory(name="Pia Product", roles=["product_manager"])).get(HOME)
        assert "1 seat will be released." in page.text
        assert "loses" not in page.text

    def test_a_foreign_customers_is_not_there(self, full: Town) -> None:
        stranger = AccountFactory()
        MembershipFactory(customer=Town("nordvik", ()).customer, account=stranger, role=Membership.Role.ADMIN)
        assert visitor(stranger).get(HOME).status_code == 404

    def test_what_wants_attention_leads_to_the_package(self, full: Town, kari: Client) -> None:
        full.buys(sales_essentials=1)
        assert PACKAGE in kari.get("/portal/fjordlys/").text
        assert PACKAGE in kari.get(HOME).text


class TestChanging:
    def test_a_change_is_previewed_then_confirmed(self, full: Town, cara: Client) -> None:
        preview = cara.post(CHANGE, form(full, sales_essentials=5))
        assert preview.status_code == 200
        assert "Nothing has changed yet" in preview.text
        assert full.customer.packages.count() == 1

        done = cara.post(CHANGE, hidden(preview.text) | {"confirm": "1"}, follow=True)

        assert "The subscription is changed." in done.text
        assert full.customer.packages.active().get().rows.get(module_name=PLAN).license_number == 5

    def test_a_downgrade_at_renewal_ticks_those_suggested(self, full: Town, cara: Client) -> None:
        """Unseen for longest first, then the newest seat."""
        ida = full.users["ida"]
        for user in full.users.values():
            user.last_seen_at = timezone.now() - timedelta(days=400 if user == ida else 1)
            user.save()
        preview = cara.post(CHANGE, form(full, sales_essentials=2, when="renewal"))
        sent = hidden(preview.text)
        assert sent[f"release:{MODULE}"] == ["ida"]

        sent[f"release:{MODULE}"] = ["ola"]
        again = cara.post(CHANGE, sent)
        assert [seat.user for _, seat in again.context["told"].outlook.leaving] == ["ola"]
        done = cara.post(CHANGE, hidden(again.text) | {"confirm": "1"}, follow=True)

        assert "The change is scheduled." in done.text
        assert Seat.objects.get(leaves_at__isnull=False).user.code == "ola"

    def test_what_is_scheduled_is_taken_back(self, full: Town, cara: Client) -> None:
        change_items(customer=full.customer, actor=SYSTEM, items={"sales-essentials": 2}, due=RENEWAL)
        sent = hidden(cara.get(HOME).text)
        assert sent["what"][0] == "take-back"
        preview = cara.post(CHANGE, {"what": "take-back", "due_at": sent["due_at"][0]})
        cara.post(CHANGE, hidden(preview.text) | {"confirm": "1"})
        assert not Package.objects.scheduled().exists()
        assert cara.post(CHANGE, {"what": "take-back", "due_at": "nonsense"}).status_code == 400

    def test_a_downgrade_at_once_releases_or_waits(self, full: Town, cara: Client) -> None:
        preview = cara.post(CHANGE, form(full, sales_essentials=1, when="now"))
        assert len(hidden(preview.text)[f"release:{MODULE}"]) == 2
        waits = cara.post(CHANGE, hidden(preview.text) | {"wait": "1"})
        assert waits.context["told"].outlook.pending is not None

        cara.post(CHANGE, hidden(preview.text) | {"confirm": "1", "wait": "1"})

        assert full.customer.packages.pending().get().number == 2
        assert Seat.objects.held().count() == 3

    def test_somebody_was_faster(self, full: Town, cara: Client) -> None:
        preview = cara.post(CHANGE, form(full, sales_essentials=5))
        full.takes("ola", PLAN)

        answer = cara.post(CHANGE, hidden(preview.text) | {"confirm": "1"})

        assert answer.status_code == 409
        assert "Look again before you confirm" in answer.text
        assert full.customer.packages.count() == 1

    def test_all_that_is_wrong_stands_on_the_page(self, full: Town, cara: Client) -> None:
        answer = cara.post(CHANGE, form(full, chat=3))
        assert answer.status_code == 409
        assert "At most 1 of chat, not 3." in answer.text
        assert cara.post(CHANGE, form(full, chat="many")).status_code == 400
        assert cara.post(CHANGE, form(full, chat=1, when="day", day="soon")).status_code == 400

    def test_cancelling_and_taking_it_back(self, full: Town, cara: Client) -> None:
        for what, words in (("cancel", "The subscription is cancelled."), ("resume", "The subscription goes on.")):
            preview = cara.post(CHANGE, {"what": what, "reason": "moving on"})
            done = cara.post(CHANGE, hidden(preview.text) | {"confirm": "1"}, follow=True)
            assert words in done.text
        assert full.customer.subscriptions.get().ends_at is None

    def test_the_first_subscription(self, market: Market, cara: Client) -> None:
        town = Town("nordvik", ())
        address = "/portal/nordvik/subscription/change/"
        preview = cara.post(address, {"billing_months": "3", "sales-essentials": "2"})
        cara.post(address, hidden(preview.text) | {"confirm": "1"})
        assert town.customer.subscriptions.get().billing_months == 3
        assert town.customer.packages.get().state == "active"


class TestPackagePage:
    @pytest.fixture
    def waiting(self, full: Town) -> Town:
        full.buys(sales_essentials=1)
        return full

    def test_the_list_a_preview_and_one_click(self, waiting: Town, kari: Client) -> None:
        """C-26, C-27."""
        page = kari.get(PACKAGE)
        assert "3 in use, 1 in the package. Remove 2." in page.text
        sent = hidden(page.text)
        assert len(sent[f"release:{MODULE}"]) == 2

        preview = kari.post(PACKAGE, sent)
        assert "the package is active at once" in preview.text
        assert waiting.customer.packages.pending().exists()
        done = kari.post(PACKAGE, hidden(preview.text) | {"confirm": "1"}, follow=True)

        assert "SUPEROFFICE #2 is active." in done.text
        assert Seat.objects.held().count() == 1
        assert waiting.customer.change_sets.order_by("-number")[0].rows.count() == 2

    def test_ticking_too_few_is_told(self, waiting: Town, kari: Client) -> None:
        preview = kari.post(PACKAGE, {"shown": "1", f"release:{MODULE}": ["ola"]})
        assert "1 more to remove" in preview.text
        assert kari.post(PACKAGE, {"activate": "1"}).status_code == 409

    def test_once_it_fits_it_is_one_click(self, waiting: Town, kari: Client) -> None:
        waiting.takes("ola", PLAN)
        waiting.takes("ida", PLAN)
        assert "Make it active" in kari.get(PACKAGE).text
        assert "is active" in kari.post(PACKAGE, {"activate": "1"}, follow=True).text

    def test_what_was_edited_since_it_was_signed_never_becomes_active(self, waiting: Town, kari: Client) -> None:
        """Z-6: seats given to oneself behind the application's back are told of, and not to be had."""
        edit(
            "UPDATE licensing_modulelicense SET license_number = 9 WHERE license_number = 1 AND module_name = %s",
            [PLAN],
        )
        page = kari.get(PACKAGE)
        assert "It is not what was signed" in page.text
        assert f"{PLAN}: NumberOfLicenses changed." in page.text
        refused = kari.post(PACKAGE, {"activate": "1"})
        assert refused.status_code == 409
        assert "is not what was signed" in refused.text
        assert waiting.customer.packages.pending().exists()

    def test_viewers_look(self, waiting: Town) -> None:
        account = AccountFactory(name="Vera Vik")
        MembershipFactory(customer=waiting.customer, account=account, role=Membership.Role.VIEWER)
        vera = visitor(account)
        assert "See what happens" not in vera.get(PACKAGE).text
        assert vera.post(PACKAGE, {"shown": "1"}).status_code == 403
        assert vera.get("/portal/fjordlys/packages/SUPEROFFICE/99/").status_code == 404


class TestNotices:
    def test_mails_to_come_word_by_word(self, full: Town, cara: Client, kari: Client) -> None:
        """D-5."""
        subscription = full.customer.subscriptions.get()
        subscription.starts_on = (timezone.now() - timedelta(days=320)).date()
        subscription.save()

        page = cara.get("/portal/fjordlys/notices/")

        assert [preview.mail.to for preview in page.context["previews"]] == [("kari@fjordlys.example",)] * 3
        assert "the first term ends in 30 days" in page.text
        assert kari.get("/portal/fjordlys/notices/").status_code == 403
        assert "/portal/fjordlys/notices/" in cara.get("/portal/fjordlys/subscription/").text
        assert "/portal/fjordlys/notices/" not in kari.get("/portal/fjordlys/subscription/").text
