"""Packages in the portal and the admin: listed, taken along, taken in, removed; keys and plans of owners."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from catalog.models import Solution
from customers.models import AuditEvent, Membership
from licensing.models import OwnerKey, OwnerPlan, Package
from licensing.package_xml import MOST_BYTES
from tests.licensing.issuing import OTHER_KEY, sound_package, with_row
from tests.licensing.market import Town, hours
from tests.licensing.partners import Partner
from tests.licensing.tampering import edit
from tests.licensing.test_portal import member, visitor

PAGE = "/portal/fjordlys/packages/"
UPLOAD = f"{PAGE}upload/"


@pytest.fixture
def sold(town: Town) -> Town:
    town.buys(sales_premium=2, at=hours(1))
    return town


@pytest.fixture
def acme(sold: Town) -> Partner:
    return Partner()


@pytest.fixture
def cara(sold: Town) -> Client:
    return visitor(name="Cara Care", roles=["customer_success"])


def upload(client: Client, data: bytes, name: str = "p.xml") -> Any:
    return client.post(UPLOAD, {"file": SimpleUploadedFile(name, data, "application/xml")})


def token_in(answer: Any) -> str:
    return str(answer.context["token"])


class TestTheList:
    def test_it_has_a_tab_per_owner_and_the_state_of_signatures(self, cara: Client, acme: Partner, sold: Town) -> None:
        assert 'aria-label="Owners"' not in cara.get(PAGE).text
        acme.issues_to(sold, at=hours(2))
        both = cara.get(PAGE)
        assert [str(package) for package in both.context["table"].page] == ["ACME #1", "SUPEROFFICE #1"]
        assert '<a href="/portal/fjordlys/packages/ACME/1/">ACME #1</a>' in both.text
        assert both.text.count('badge-dot">Good') == 2
        only = cara.get(PAGE, {"owner": "acme"})
        assert [str(package) for package in only.context["table"].page] == ["ACME #1"]
        assert "Remove this licence" in only.text
        assert "Remove this licence" not in cara.get(PAGE, {"owner": "superoffice"}).text
        edit("UPDATE licensing_modulelicense SET license_number = 9 WHERE module_name = 'pad-plan'")
        damaged = cara.get(PAGE, {"owner": "acme"}).text
        assert "Damaged" in damaged
        assert "Row 3, pad-plan: NumberOfLicenses changed." in damaged
        lines = b"".join(cara.get(PAGE, {"format": "csv"}).streaming_content).decode()
        assert "ACME #1,active,damaged" in lines

    def test_a_customers_own_people_read_and_take_along(self, sold: Town) -> None:
        vera = member(sold, Membership.Role.VIEWER, "Vera Vik")
        page = vera.get(PAGE)
        assert "Take a package in" not in page.text
        download = vera.get(f"{PAGE}SUPEROFFICE/1/xml/")
        assert download["Content-Disposition"] == 'attachment; filename="fjordlys-superoffice-1.xml"'
        assert download.content.startswith(b"<?xml")
        assert vera.get(UPLOAD).status_code == 403
        assert vera.get(f"{PAGE}SUPEROFFICE/9/xml/").status_code == 404
        assert vera.get("/portal/nordvik/packages/").status_code == 404
        assert Client().get(PAGE)["Location"].startswith("/account/login/")


class TestUpload:
    def test_it_is_looked_at_and_then_taken_in(self, cara: Client, acme: Partner) -> None:
        shown = upload(cara, acme.file())
        assert "What the package would change" in shown.text
        assert "acme.pad-plan" in shown.text
        assert not Package.objects.filter(owner=acme.owner).exists()
        done = cara.post(UPLOAD, {"token": token_in(shown), "activate": "1"}, follow=True)
        assert "ACME #1 is active." in done.text
        known = upload(cara, acme.file())
        assert "It was taken in already" in known.text

    def test_it_waits_when_nobody_ticks(self, cara: Client, acme: Partner) -> None:
        shown = upload(cara, acme.file())
        done = cara.post(UPLOAD, {"token": token_in(shown)}, follow=True)
        assert "waits to be activated" in done.text

    def test_what_does_not_fit_is_told_beforehand(self, cara: Client, acme: Partner, sold: Town) -> None:
        acme.issues_to(sold, at=hours(2))
        for user in ("ola", "ida"):
            sold.gives(user, "acme.pad-plan", at=hours(3))
        shown = upload(cara, acme.file(with_row(sound_package(), "pad-plan", license_number=1)))
        assert "It does not fit yet, and would wait" in shown.text
        done = cara.post(UPLOAD, {"token": token_in(shown), "activate": "1"}, follow=True)
        assert "ACME #2 waits: first give back 1 of acme.pad-plan." in done.text

    def test_what_changed_meanwhile_is_shown_anew(self, cara: Client, acme: Partner, sold: Town) -> None:
        shown = upload(cara, acme.file())
        sold.gives("ola", "ten-sales-premium", at=hours(5))
        answer = cara.post(UPLOAD, {"token": token_in(shown), "activate": "1"})
        assert answer.status_code == 409
        assert "have changed meanwhile" in answer.text
        assert not Package.objects.filter(owner=acme.owner).exists()
        assert cara.post(UPLOAD, {"token": token_in(answer), "activate": "1"}).status_code == 302

    def test_faults_are_listed_with_their_lines(self, cara: Client, acme: Partner) -> None:
        bad = with_row(with_row(sound_package(), "pad-site", license_number=0), "pad-cal", hidden=False)
        answer = upload(cara, acme.file(bad))
        assert answer.status_code == 400
        assert "2 faults, so nothing was stored" in answer.text
        assert "(NumberOfLicenses)" in answer.text
        for data, words in (
            (b"", "Choose a file."),
            (b"nonsense", "This is not XML"),
            (b" " * (MOST_BYTES + 1), "too large"),
        ):
            answer = upload(cara, data)
            assert answer.status_code == 400
            assert words in answer.text or data == b""
        assert cara.post(UPLOAD, {"token": "forged"}).status_code == 400
        assert cara.post(UPLOAD).status_code == 400

    def test_somebody_elses_look_is_not_ones_own(self, cara: Client, acme: Partner, sold: Town) -> None:
        shown = upload(cara, acme.file())
        other = visitor(name="Carl Care", roles=["customer_success"])
        assert other.post(UPLOAD, {"token": token_in(shown)}).status_code == 400


class TestRemoval:
    ADDRESS = "/portal/fjordlys/licenses/acme/remove/"

    def test_it_is_told_who_loses_what_and_then_done(self, cara: Client, acme: Partner, sold: Town) -> None:
        acme.issues_to(sold, at=hours(2))
        sold.gives("ola", "acme.pad-plan", at=hours(3))
        page = cara.get(self.ADDRESS)
        assert "1 user would lose seats" in page.text
        assert "acme.pad-plan" in page.text
        assert cara.post(self.ADDRESS, {"losses": "7"}).status_code == 409
        done = cara.post(self.ADDRESS, {"losses": "1", "reason": "Ended"}, follow=True)
        assert "The licence of ACME is removed." in done.text
        assert sold.holds("ola") == set()
        assert cara.get(self.ADDRESS).status_code == 404

    def test_ours_stays(self, cara: Client, sold: Town) -> None:
        """C-38."""
        answer = cara.get("/portal/fjordlys/licenses/superoffice/remove/")
        assert answer.status_code == 409
        assert "Change or cancel the subscription." in answer.text


class TestAdmin:
    def test_the_list_of_packages_tells_what_is_damaged(self, sold: Town, django_assert_max_num_queries: Any) -> None:
        root = visitor(name="Root", is_staff=True, is_superuser=True)
        assert "badge-good" in root.get("/admin/licensing/package/").text
        edit("UPDATE licensing_modulelicense SET license_number = 9 WHERE module_name = 'ten-sales-premium'")
        page = root.get("/admin/licensing/package/")
        assert "badge-bad" in page.text
        assert "ten-sales-premium: NumberOfLicenses changed." in page.text
        with django_assert_max_num_queries(14):
            root.get("/admin/licensing/package/")

    def test_superusers_register_and_retire_keys(self, acme: Partner) -> None:
        root = visitor(name="Root", is_staff=True, is_superuser=True)
        form = {"owner": acme.owner.pk, "public_key": OTHER_KEY.public.text, "valid_from": "2026-01-05T12:00"}
        assert root.post("/admin/licensing/ownerkey/add/", form).status_code == 302
        key = OwnerKey.objects.get(key_id=OTHER_KEY.key_id)
        assert "registered already" in root.post("/admin/licensing/ownerkey/add/", form).text
        bad = root.post("/admin/licensing/ownerkey/add/", form | {"public_key": "nonsense"})
        assert "no public Ed25519 key" in bad.text
        root.post("/admin/licensing/ownerkey/", {"action": "retire", "_selected_action": [key.pk]}, follow=True)
        key.refresh_from_db()
        assert key.retired_at is not None
        assert AuditEvent.objects.filter(action="key.retired", object_code=key.key_id).exists()
        aud = visitor(name="Aud Auditor", roles=["auditor"])
        assert aud.get("/admin/licensing/ownerkey/").status_code == 200
        assert aud.get("/admin/licensing/ownerkey/add/").status_code == 403

    def test_product_managers_say_what_plans_cover(self, acme: Partner) -> None:
        pia = visitor(name="Pia Product", roles=["product_manager"])
        sales = Solution.objects.get(code="sales")
        form = {"owner": acme.owner.pk, "module_name": "pad-plan", "solutions": [sales.pk], "tier": ""}
        assert pia.post("/admin/licensing/ownerplan/add/", form).status_code == 302
        plan = OwnerPlan.objects.get(module_name="pad-plan")
        assert list(plan.solutions.all()) == [sales]
        assert AuditEvent.objects.get(action="owner_plan.created").changes["solutions"] == [[], ["sales"]]
        assert "Sales" in pia.get("/admin/licensing/ownerplan/").text

    def test_no_owner_is_called_like_an_address(self, acme: Partner) -> None:
        """C-3."""
        pia = visitor(name="Pia Product", roles=["product_manager"])
        answer = pia.post("/admin/catalog/owner/add/", {"code": "SITE", "name": "Site", "license_url": ""})
        assert "fixed word in addresses" in answer.text
