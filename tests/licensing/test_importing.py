"""Packages that come from elsewhere: rules X-4 to X-8, Z-3, Z-9, C-26 to C-28, C-37 to C-39."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from catalog.models import Owner, Solution
from customers.actor import SYSTEM
from customers.errors import NotFound
from customers.models import AuditEvent
from licensing.errors import BadPackage, OwnLicenseStays
from licensing.keyring import keys_valid_at
from licensing.models import ModuleLicense, OwnerPlan, Package
from licensing.own_key import own_key
from licensing.package_form import HEADER, ROW, PackageForm, RowForm, spelled
from licensing.package_rules import faults_of
from licensing.package_xml import parse_package, write_package
from licensing.recorded import SEALED, document_of, form_of
from licensing.services.activation import activate_package
from licensing.services.demo import TEN_PLANS
from licensing.services.importing import import_package
from licensing.services.keys import register_key, retire_key
from licensing.services.removing import remove_license
from licensing.signing import sign_package
from tests.factories.catalog import FeatureFactory, LevelFactory, ModuleFactory
from tests.licensing.issuing import KEY, OTHER_KEY, signed_xml, sound_package, sound_packages, with_row
from tests.licensing.market import Market, Town, hours
from tests.licensing.partners import Partner

SAMPLE = Path(__file__).parent / "fixtures" / "sample.xml"


@pytest.fixture
def acme(market: Market) -> Partner:
    return Partner()


@pytest.fixture
def sold(town: Town) -> Town:
    town.buys(sales_premium=3, at=hours(1))
    return town


def faults(refused: Any) -> list[str]:
    return [fault["message"] for fault in refused.value.details["faults"]]


def package_of(town: Town, owner: str) -> Package:
    found: Package = Package.objects.select_related(*SEALED).get(
        customer=town.customer, owner__code=owner, state="active"
    )
    return found


class TestPartners:
    def test_a_partners_package_stands_beside_ours(self, sold: Town, acme: Partner) -> None:
        """C-37: with its own rows, dates and seats, judged alike."""
        made = acme.issues_to(sold, at=hours(2))
        assert (made.package.owner.code, made.package.number, made.package.state) == ("ACME", 1, Package.State.ACTIVE)
        assert {change.module for change in made.changes} == {"acme.pad-site", "acme.pad-cal", "acme.pad-plan"}
        sold.gives("ola", "acme.pad-plan", at=hours(3))
        sold.gives("ola", "ten-sales-premium", at=hours(4))
        assert sold.holds("ola") == {"pad-plan", "ten-sales-premium"}
        assert AuditEvent.objects.filter(action="package.imported", customer=sold.customer).exists()

    def test_it_may_not_issue_for_another_owner(self, sold: Town, acme: Partner) -> None:
        """C-3: neither by its header, which its key does not sign for, nor by a row."""
        other = Partner("BOLT", OTHER_KEY)
        for form in (sound_package(settings.OWN_OWNER), sound_package("BOLT")):
            with pytest.raises(BadPackage) as refused:
                import_package(customer=sold.customer, actor=SYSTEM, data=signed_xml(form, KEY), at=hours(2))
            assert "not among those given" in faults(refused)[0]
        with pytest.raises(BadPackage) as refused:
            acme.issues_to(sold, with_row(sound_package(), "pad-site", owner_name=settings.OWN_OWNER), at=hours(2))
        assert "nobody issues for another" in faults(refused)[0]
        assert not Package.objects.filter(owner__in=[acme.owner, other.owner]).exists()
        assert package_of(sold, settings.OWN_OWNER).number == 1

    def test_an_owner_nobody_knows_has_nothing_to_say(self, sold: Town) -> None:
        with pytest.raises(BadPackage) as refused:
            import_package(customer=sold.customer, actor=SYSTEM, data=signed_xml(sound_package("ACME")), at=hours(2))
        assert "not among the owners" in faults(refused)[0]

    def test_what_it_says_of_features_is_left_out(self, sold: Town, acme: Partner) -> None:
        """X-6: a partner's package cannot grant what is not its own."""
        greedy = {"quotes": {"kind": "switch", "rule": "any", "value": True}}
        made = acme.issues_to(sold, with_row(sound_package(), "pad-site", grants=greedy, offer_code="all"), at=hours(2))
        assert ["left out" in warning.message for warning in made.warnings] == [True]
        assert ModuleLicense.objects.get(package=made.package, module_name="pad-site").grants == {}
        assert sold.access("ida", "quotes") != "edit"
        assert document_of(package_of(sold, "ACME")) == acme.file(
            with_row(sound_package(), "pad-site", grants=greedy, offer_code="all")
        ), "what was signed is handed out as it came"


class TestKeys:
    def test_keys_overlap_while_one_takes_over(self, sold: Town, acme: Partner) -> None:
        """Z-3: both sign during the overlap; afterwards the old one signs nothing new, and what it signed stays."""
        acme.issues_to(sold, at=hours(2))
        register_key(actor=SYSTEM, owner=acme.owner, public_key=OTHER_KEY.public.text, valid_from=hours(3), at=hours(3))
        bigger = with_row(sound_package(), "pad-site", license_number=2)
        import_package(customer=sold.customer, actor=SYSTEM, data=signed_xml(bigger, OTHER_KEY), at=hours(4))
        acme.issues_to(sold, with_row(sound_package(), "pad-site", license_number=3), at=hours(5))
        retire_key(actor=SYSTEM, key=acme.key, at=hours(6))
        with pytest.raises(BadPackage) as refused:
            acme.issues_to(sold, with_row(sound_package(), "pad-site", license_number=4), at=hours(7))
        assert "not among those given" in faults(refused)[0]
        assert sold.customer.packages.filter(owner=acme.owner).count() == 3
        sold.gives("ola", "acme.pad-plan", at=hours(8))

    def test_a_key_is_valid_from_and_until(self, acme: Partner) -> None:
        """Half-open, as all dates are."""
        public = OTHER_KEY.public.text
        dates = {"valid_from": hours(1), "valid_until": hours(3)}
        key = register_key(actor=SYSTEM, owner=acme.owner, public_key=public, at=hours(1), **dates)
        tick = timedelta(microseconds=1)
        instants = (hours(1) - tick, hours(1), hours(3) - tick, hours(3))
        found = [key.key_id in keys_valid_at("ACME", at) for at in instants]
        assert found == [False, True, True, False]

    def test_without_a_valid_key_nothing_is_taken_in(self, sold: Town, acme: Partner) -> None:
        retire_key(actor=SYSTEM, key=acme.key, at=hours(1))
        with pytest.raises(BadPackage) as refused:
            acme.issues_to(sold, at=hours(2))
        assert faults(refused) == ["No key of ACME is valid now."]


class TestGrants:
    def test_features_follow_from_the_modules_that_they_name(self, market: Market, town: Town, acme: Partner) -> None:
        """X-6: switches on, levels at the choice named, limits none."""
        site = ModuleFactory(owner=acme.owner, name="pad-site", type=1)
        cal = ModuleFactory(owner=acme.owner, name="pad-cal", hidden=True)
        extra = ModuleFactory(owner=acme.owner, name="pad-extra", hidden=True)
        FeatureFactory(code="pads", site_module=site, user_module=cal)
        size = LevelFactory(code="pad-size", site_module=site, steps=("small", "large"))
        size.choices.filter(code="large").update(user_module=extra)
        market.publish(market.common, grants={"pads": True, "pad-size": "large"}, at=hours(1))
        acme.issues_to(town, at=hours(2))
        rows = {row.module_name: row for row in ModuleLicense.objects.filter(package__owner=acme.owner)}
        assert rows["pad-plan"].grants["pads"]["value"] is True
        assert rows["pad-site"].grants["pad-size"]["value"] == "small", "the feature is named, no choice of it"
        town.buys(sales_essentials=1, at=hours(3))
        town.gives("ola", "acme.pad-plan", at=hours(4))
        assert town.answer("ola")["pads"] == {"kind": "switch", "access": "edit", "value": True}
        assert town.access("ida", "pads") == "view"

    def test_later_publications_change_nothing(self, market: Market, town: Town, acme: Partner) -> None:
        cal = ModuleFactory(owner=acme.owner, name="pad-cal", hidden=True)
        acme.issues_to(town, at=hours(1))
        FeatureFactory(code="pads", user_module=cal)
        market.publish(market.common, grants={"pads": True}, at=hours(2))
        assert ModuleLicense.objects.get(package__owner=acme.owner, module_name="pad-plan").grants == {}

    def test_solutions_come_from_the_mapping_and_plans_without_exclude_each_other(
        self, sold: Town, acme: Partner
    ) -> None:
        """X-7, S-5."""
        sales, service = (Solution.objects.get(code=code) for code in ("sales", "service"))
        acme.maps("pad-plan", sales, service)
        second = RowForm("ACME", 3, "pad-mini", "Mini", 5, 8, extra_flags=1, extra_info="set=")
        third = RowForm("ACME", 3, "pad-midi", "Midi", 5, 9, extra_flags=1, extra_info="set=")
        form = sound_package()
        acme.issues_to(sold, replace(form, rows=(*form.rows, second, third)), at=hours(2))
        rows = {row.module_name: row for row in ModuleLicense.objects.filter(package__owner=acme.owner)}
        assert sorted(rows["pad-plan"].solutions) == ["sales", "service"]
        assert rows["pad-mini"].solutions == []
        sold.gives("ola", "acme.pad-mini", at=hours(3))
        sold.gives("ola", "acme.pad-midi", at=hours(4))
        assert sold.holds("ola") == {"pad-midi"}, "one plan of those that cover nothing"
        sold.gives("ola", "ten-sales-premium", at=hours(5))
        sold.gives("ola", "acme.pad-plan", at=hours(6), accept_loss=True)
        assert sold.holds("ola") == {"pad-midi", "pad-plan"}, "two plans of sales are one too many"


class TestTheSample:
    @pytest.fixture
    def signed(self, market: Market) -> bytes:
        read = parse_package(SAMPLE.read_bytes())
        assert read.form is not None
        return write_package(sign_package(read.form, own_key()))

    def test_it_is_taken_in_with_its_combined_plan(self, market: Market, town: Town, signed: bytes) -> None:
        """The rows of the public sample, of our own owner and without a link to the catalog."""
        owner = Owner.objects.get(code=settings.OWN_OWNER)
        for module, solutions in TEN_PLANS.items():
            plan = OwnerPlan.objects.create(owner=owner, module_name=module)
            plan.solutions.set(Solution.objects.filter(code__in=solutions))
        made = import_package(customer=town.customer, actor=SYSTEM, data=signed, at=hours(1))
        assert made.package.state == Package.State.ACTIVE
        rows = {row.module_name: row for row in ModuleLicense.objects.filter(package=made.package)}
        assert rows["user"].license_number == 63
        assert rows["config-screens"].hidden
        assert (rows["ten-sales"].license_number, rows["ten-sales"].solutions) == (21, ["sales"])
        known = set(Solution.objects.values_list("code", flat=True))
        assert set(rows["ten-salesservicemarketing"].solutions) == {"sales", "service", "marketing"} & known
        town.gives("ola", "ten-sales", at=hours(2))
        assert town.access("ola", "sales") == "edit", "by its sale-cal, which a published feature names"
        assert town.access("ida", "sales") == "view"
        town.gives("ola", "ten-salesservicemarketing", at=hours(3))
        assert town.holds("ola") == {"ten-salesservicemarketing"}
        assert document_of(package_of(town, settings.OWN_OWNER)) == signed, "the round trip is equal"

    def test_another_serial_number_is_another_customers(self, town: Town, signed: bytes) -> None:
        """C-39."""
        town.customer.serial_number = "1010000999"
        town.customer.save(update_fields=["serial_number"])
        with pytest.raises(BadPackage) as refused:
            import_package(customer=town.customer, actor=SYSTEM, data=signed, at=hours(1))
        (fault,) = refused.value.details["faults"]
        assert (fault["field"], "1010000014 is not" in fault["message"]) == ("SerialNr", True)


class TestRoundTrips:
    def test_our_own_package_comes_back_as_it_was(self, market: Market, sold: Town) -> None:
        exported = document_of(package_of(sold, settings.OWN_OWNER))
        before = sold.answer(None)
        sold.buys(sales_premium=9, at=hours(2))
        made = import_package(customer=sold.customer, actor=SYSTEM, data=exported, at=hours(3))
        assert made.package.number == 3
        assert sold.answer(None) == before
        again = package_of(sold, settings.OWN_OWNER)
        assert document_of(again) == exported
        fields = ("module_name", "grants", "solutions", "tier", "version_id", "encrypted_check")
        first, third = (
            list(ModuleLicense.objects.filter(package__number=number).order_by("sort_order").values_list(*fields))
            for number in (1, 3)
        )
        assert third == first

    def test_a_package_issued_to_somebody_else_is_refused(self, market: Market, sold: Town) -> None:
        exported = document_of(package_of(sold, settings.OWN_OWNER))
        nordvik = Town("nordvik", people=())
        with pytest.raises(BadPackage) as refused:
            import_package(customer=nordvik.customer, actor=SYSTEM, data=exported, at=hours(2))
        assert "It was issued to fjordlys, not to nordvik." in faults(refused)


@hypothesis_settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=sound_packages())
def test_whatever_is_taken_in_is_recorded_field_for_field_and_handed_out_as_it_came(
    form: PackageForm, sold: Town, acme: Partner
) -> None:
    """X-5: export(import(x)) == x."""
    assert faults_of(form) == []
    with transaction.atomic():
        data = acme.file(form)
        package = acme.issues_to(sold, form, at=hours(2)).package
        found = Package.objects.select_related(*SEALED).get(pk=package.pk)
        assert document_of(found) == data
        recorded = form_of(found, found.rows.order_by("sort_order", "module_name"), found.seal)
        assert _said(recorded) == _said(form)
        assert [_said(row) for row in recorded.rows] == [_said(row) for row in form.rows]
        transaction.set_rollback(True)


def _said(form: PackageForm | RowForm) -> dict[str, Any]:
    """Returns what a form says in fields that every issuer has."""
    ours = {field.name for field in (*HEADER, *ROW) if field.ours}
    return {name: value for name, value in spelled(form).items() if name not in ours}


class TestTakingIn:
    def test_the_same_file_again_changes_nothing(self, sold: Town, acme: Partner) -> None:
        acme.issues_to(sold, at=hours(2))
        revision = sold.revision()
        again = acme.issues_to(sold, at=hours(3))
        assert (again.is_known, again.package.number, sold.revision()) == (True, 1, revision)

    def test_a_file_that_others_have_replaced_does_not_come_back(self, sold: Town, acme: Partner) -> None:
        acme.issues_to(sold, with_row(sound_package(), "pad-site", license_number=9), at=hours(2))
        acme.issues_to(sold, at=hours(3))
        with pytest.raises(BadPackage) as refused:
            acme.issues_to(sold, with_row(sound_package(), "pad-site", license_number=9), at=hours(4))
        assert "other packages came after it" in faults(refused)[0]

    def test_what_does_not_fit_waits(self, sold: Town, acme: Partner) -> None:
        """C-26 to C-28."""
        acme.issues_to(sold, at=hours(2))
        for user in ("ola", "ida"):
            sold.gives(user, "acme.pad-plan", at=hours(3))
        form = with_row(sound_package(), "pad-plan", license_number=1)
        made = acme.issues_to(sold, form, at=hours(4))
        assert made.package.state == Package.State.PENDING
        assert [(row.module, row.remove) for row in made.superfluous] == [("acme.pad-plan", 1)]
        (change,) = made.changes
        assert (change.was, change.now, change.added, change.in_use, change.superfluous) == (5, 1, -4, 2, 1)
        sold.takes("ida", "acme.pad-plan", at=hours(5))
        assert activate_package(customer=sold.customer, actor=SYSTEM, owner="ACME").number == 2

    def test_it_waits_where_nobody_said_to_activate_it(self, sold: Town, acme: Partner) -> None:
        assert acme.issues_to(sold, at=hours(2), activate=False).package.state == Package.State.PENDING

    def test_a_dry_run_says_it_all_and_leaves_no_trace(self, sold: Town, acme: Partner) -> None:
        before = sold.revision()
        made = acme.issues_to(sold, at=hours(2), dry_run=True)
        assert made.package.state == Package.State.ACTIVE
        assert len(made.changes) == 3
        assert not Package.objects.filter(owner=acme.owner).exists()
        assert sold.revision() == before

    def test_every_fault_at_once_and_nothing_stored(self, sold: Town, acme: Partner) -> None:
        form = with_row(sound_package(), "pad-site", license_number=0)
        data = acme.file(with_row(form, "pad-cal", hidden=False)).replace(b"Fjordlys AS", b"Fjordlys ASA")
        with pytest.raises(BadPackage) as refused:
            import_package(customer=sold.customer, actor=SYSTEM, data=data, at=hours(2))
        told = refused.value.details["faults"]
        assert {fault["field"] for fault in told} == {"NumberOfLicenses", "ExtraInfo", "CompanyName"}
        assert all(fault["line"] > 1 for fault in told)
        assert not Package.objects.filter(owner=acme.owner).exists()

    def test_another_company_name_is_worth_a_word(self, sold: Town, acme: Partner) -> None:
        """C-39."""
        made = acme.issues_to(sold, sound_package(company_name="Fjordlys ASA"), at=hours(2))
        assert ["we know 'Fjordlys AS'" in warning.message for warning in made.warnings] == [True]


class TestRemoving:
    def test_ours_stays(self, sold: Town) -> None:
        """C-38."""
        for owner in (settings.OWN_OWNER, settings.OWN_OWNER.lower()):
            with pytest.raises(OwnLicenseStays):
                remove_license(customer=sold.customer, actor=SYSTEM, owner=owner)

    def test_a_partners_goes_with_its_seats_after_a_preview(self, sold: Town, acme: Partner) -> None:
        acme.issues_to(sold, at=hours(2))
        sold.gives("ola", "acme.pad-plan", "ten-sales-premium", at=hours(3))
        preview = remove_license(customer=sold.customer, actor=SYSTEM, owner="acme", at=hours(4), dry_run=True)
        assert [(loss.user.code, loss.modules) for loss in preview.losses] == [("ola", ("acme.pad-plan",))]
        assert sold.holds("ola") == {"pad-plan", "ten-sales-premium"}
        before = sold.revision()
        remove_license(customer=sold.customer, actor=SYSTEM, owner="acme", reason="Gone", at=hours(5))
        assert sold.holds("ola") == {"ten-sales-premium"}
        assert sold.revision() == before + 1
        assert sold.customer.packages.get(owner=acme.owner).state == Package.State.SUPERSEDED
        assert AuditEvent.objects.get(action="license.removed").reason == "Gone"
        sold.assert_whole()
        with pytest.raises(NotFound):
            remove_license(customer=sold.customer, actor=SYSTEM, owner="acme")
