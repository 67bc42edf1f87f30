"""What is recorded is signed, and what was edited since gives nothing: rules Z-4 to Z-8 and C-36."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from customers.actor import SYSTEM
from customers.models import AuditEvent
from licensing.errors import ModuleNotInPackage, NoSigningKey, PackageDamaged
from licensing.models import ModuleLicense, OwnerKey, Package, PackageSeal
from licensing.outlook import outlook_of
from licensing.own_key import own_key, write_new_key
from licensing.recorded import SEALED, document_of, examine_recorded
from licensing.selectors import load_timeline
from licensing.services.activation import activate_package
from licensing.services.sealing import seal_earlier, verify_all
from licensing.services.subscriptions import cancel_subscription, change_items
from tests.factories.customers import api_with
from tests.licensing.market import Town, hours
from tests.licensing.partners import Partner
from tests.licensing.tampering import behind_the_back, edit, is_intact
from tests.licensing.test_portal import visitor

ROW = "UPDATE licensing_modulelicense SET {} WHERE module_name = %s"
HEADER = "UPDATE licensing_package SET {} WHERE state = 'active'"
ACTIVE = {"customer__code": "fjordlys", "owner__code": settings.OWN_OWNER, "state": "active"}


@pytest.fixture
def sold(town: Town) -> Town:
    town.buys(sales_premium=2, chat=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    return town


def active() -> Package:
    found: Package = Package.objects.select_related(*SEALED).get(**ACTIVE)
    return found


def damage() -> list[tuple[str | None, tuple[str, ...]]]:
    package = active()
    rows = list(package.rows.order_by("sort_order", "pk"))
    return [(each.module, each.fields) for each in examine_recorded(package, rows).breaks]


def rewrite(town: Town) -> None:
    """Makes the application work out every answer anew, as any change of contract does."""
    town.buys(calendar=1, at=hours(20))


def test_what_is_issued_is_signed_with_our_key(sold: Town) -> None:
    """Z-5."""
    package = active()
    assert package.seal.key_id == own_key().key_id
    assert all(row.signature for row in package.rows.all())
    assert is_intact(package)
    key = OwnerKey.objects.get()
    assert (key.owner.code, key.key_id, key.public_key) == (
        settings.OWN_OWNER,
        own_key().key_id,
        own_key().public.text,
    )


EDITS = {
    "license_type": ("license_type = 1", "LicenseType"),
    "allowed_user_type": ("allowed_user_type = 'SystemAssociate'", "AllowedUserType"),
    "module_description": ("module_description = 'Everything'", "ModuleDescription"),
    "tooltip": ("tooltip = 'x'", "ModuleTooltip"),
    "module_version": ("module_version = '99'", "ModuleVersion"),
    "license_number": ("license_number = 2000", "NumberOfLicenses"),
    "unrestricted": ("unrestricted = NOT unrestricted", "Unrestricted"),
    "hidden": ("hidden = NOT hidden", "IsHidden"),
    "extra_info": ("extra_info = 'set=user'", "ExtraInfo"),
    "prerequisite_module": ("prerequisite_module = 'user'", "PrerequisiteModuleName"),
    "sort_order": ("sort_order = 999", "SortOrder"),
    "offer_code": ("offer_code = 'chat'", "Plan"),
    "version_number": ("version_number = 7", "PlanVersion"),
    "tier": ("tier = 'gold'", "Tier"),
    "solutions": ("solutions = '[\"service\"]'", "Solutions"),
    "grants": ("grants = '{}'", "Grants"),
}


@pytest.mark.parametrize("column", EDITS)
def test_any_edited_column_of_a_row_is_detected_and_named(sold: Town, column: str) -> None:
    """Z-6, C-36: on verifying, one at a time."""
    statement, field = EDITS[column]
    if column in ("license_type", "extra_info"):  # a constraint would refuse these alone
        statement += ", extra_flags = 0, is_plan = %s, extra_info = ''" if column == "license_type" else ""
    parameters = [False, "ten-sales-premium"] if column == "license_type" else ["ten-sales-premium"]
    assert edit(ROW.format(statement), parameters) == 1
    ((module, fields),) = damage()
    assert module == "ten-sales-premium"
    assert field in fields


HEADERS = {
    "company_name": ("company_name = 'Another AS'", "CompanyName"),
    "serial_number": ("serial_number = '999'", "SerialNr"),
    "license_version": ("license_version = '99'", "LicenseVersion"),
    "deployment_type": ("deployment_type = 2", "DeploymentType"),
    "product_type": ("product_type = 'x'", "ProductType"),
    "product_description": ("product_description = 'x'", "ProductDescription"),
    "extra_flags": ("extra_flags = 1", "ExtraFlags"),
    "extra_info": ("extra_info = 'x'", "ExtraInfo"),
    "warning_at": ("warning_at = '2030-01-01 00:00:00+00'", "AdminWarningDate"),
    "maintenance_until": ("maintenance_until = '2030-01-01 00:00:00+00'", "MaintenanceDate"),
    "next_check_at": ("next_check_at = '2030-01-01 00:00:00+00'", "NextCheckDate"),
    "number": ("number = 7", "Number"),
    "issued_at": ("issued_at = '2020-01-01 00:00:00+00'", "Issued"),
}


@pytest.mark.parametrize("column", HEADERS)
def test_any_edited_column_of_a_package_is_detected_and_named(sold: Town, column: str) -> None:
    statement, field = HEADERS[column]
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        statement = statement.replace("+00'", "'")
    assert edit(HEADER.format(statement)) == 1
    assert damage() == [(None, (field,))]


def test_dates_that_end_a_package_are_signed_too(sold: Town) -> None:
    edit(HEADER.format("expires_at = '2030-01-01 00:00:00', grace_until = '2031-01-01 00:00:00'"))
    ((_, fields),) = damage()
    assert fields == ("ExpiryDate", "GraceDate")


def test_an_edited_row_gives_nothing_and_the_others_what_they_did(sold: Town) -> None:
    """Z-6: never wider access. The plan's row was edited to carry more; now it carries nothing."""
    assert sold.access("ola", "quotes") == "edit"
    edit(ROW.format("license_number = 2000"), ["ten-sales-premium"])
    sold.takes("ola", "ten-sales-premium", at=hours(3))
    with pytest.raises(ModuleNotInPackage):
        sold.gives("ida", "ten-sales-premium", at=hours(4))
    assert sold.access("ola", "chat") == sold.access("ida", "chat")


@pytest.mark.parametrize(
    "statement",
    [
        HEADER.format("company_name = 'Another AS'"),
        "UPDATE licensing_packageseal SET signature = 'x'",
        "UPDATE licensing_packageseal SET key_id = 'x'",
        "DELETE FROM licensing_packageseal",
    ],
)
def test_a_package_that_is_not_what_was_sealed_is_as_if_it_were_not_there(sold: Town, statement: str) -> None:
    edit(statement)
    facts = load_timeline(sold.customer, hours(5)).facts(hours(5))
    if "SET signature" in statement:
        assert facts.status.works, "its rows have signatures of their own, and the header is theirs"
        assert facts.sources
    else:
        assert (facts.status.value, facts.sources, facts.site_modules) == ("none", (), frozenset())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE licensing_modulelicense SET solutions = 'null', grants = '[]'",
        "UPDATE licensing_modulelicense SET solutions = '7', grants = '\"x\"'",
        "UPDATE licensing_packageseal SET checks = '[]', signature = ''",
        'UPDATE licensing_packageseal SET checks = \'{"rows": {"cep": 7}, "header": null}\', signature = \'x\'',
    ],
)
def test_nonsense_in_the_database_is_damage_and_no_accident(sold: Town, statement: str) -> None:
    edit(statement)
    assert not is_intact(active())
    rewrite(sold)
    assert is_intact(active()), "issued anew"


def test_rows_put_in_copied_or_moved_give_nothing(sold: Town) -> None:
    nordvik = Town("nordvik", people=("nils",))
    nordvik.buys(sales_essentials=1, at=hours(1))
    other = Package.objects.get(customer=nordvik.customer)
    columns = ", ".join(
        str(field.column)
        for field in ModuleLicense._meta.concrete_fields
        if field.column not in ("id", "package_id", "customer_id")
    )
    copied = edit(
        f"INSERT INTO licensing_modulelicense (package_id, customer_id, {columns}) "
        f"SELECT %s, %s, {columns} FROM licensing_modulelicense "
        "WHERE module_name = 'ten-sales-premium' AND customer_id = %s",
        [other.pk, nordvik.customer.pk, sold.customer.pk],
    )
    assert copied == 1
    with pytest.raises(ModuleNotInPackage):
        nordvik.gives("nils", "ten-sales-premium", at=hours(3))
    edit(ROW.format(f"customer_id = {nordvik.customer.pk}"), ["cep"])
    assert ("cep", ("ModuleName",)) in damage()


def test_a_row_taken_out_is_detected_and_the_rest_stays(sold: Town) -> None:
    edit("DELETE FROM licensing_modulelicense WHERE module_name = 'cep'")
    assert damage() == [(None, ("Signature",))]
    sold.gives("ida", "ten-sales-premium", at=hours(3))


def test_compiling_detects_it_and_issues_a_sound_package(sold: Town) -> None:
    """Z-6: on compile. The items make what is active already; as that was edited, they are issued anew."""
    edit(ROW.format("license_number = 2000"), ["ten-sales-premium"])
    made = sold.buys(sales_premium=2, at=hours(3))
    assert made.issued.package is not None
    assert is_intact(active())
    assert sold.access("ola", "quotes") == "edit"
    (event,) = AuditEvent.objects.filter(action="package.damaged")
    assert "ten-sales-premium: NumberOfLicenses changed" in event.changes["damage"][0]


def test_lists_tell_of_it(sold: Town) -> None:
    """Z-6: on list."""
    http = api_with()
    (row,) = http.get("/api/v1/customers/fjordlys/packages/").json()["results"]
    assert (row["is_intact"], row["damage"]) == (True, [])
    edit(ROW.format("license_number = 2000"), ["ten-sales-premium"])
    (row,) = http.get("/api/v1/customers/fjordlys/packages/").json()["results"]
    assert row["is_intact"] is False
    assert "ten-sales-premium: NumberOfLicenses changed." in row["damage"][0]
    rows = http.get("/api/v1/customers/fjordlys/licenses/").json()["results"]
    assert [row["module_name"] for row in rows if not row["is_intact"]] == ["ten-sales-premium"]
    page = visitor(name="Cara Care", roles=["customer_success"]).get("/portal/fjordlys/")
    assert "Package 1 of SUPEROFFICE is not what was signed" in page.text


def test_a_damaged_package_is_neither_exported_nor_activated(sold: Town) -> None:
    sold.gives("ida", "ten-sales-premium", at=hours(3))
    sold.buys(sales_premium=1, at=hours(4))
    edit("UPDATE licensing_modulelicense SET license_number = 9 WHERE module_name = 'ten-sales-premium'")
    with pytest.raises(PackageDamaged):
        activate_package(customer=sold.customer, actor=SYSTEM)
    with pytest.raises(PackageDamaged):
        document_of(active())


class TestWhatIsScheduled:
    """What comes into force by the clock is signed when it is written, and checked by every commit that derives."""

    @pytest.fixture
    def planned(self, sold: Town) -> Package:
        items = {"sales-premium": 5}
        change_items(customer=sold.customer, actor=SYSTEM, items=items, due=hours(100), at=hours(3))
        return self._scheduled()

    def _scheduled(self) -> Package:
        found: Package = Package.objects.scheduled().select_related(*SEALED).get()
        return found

    def test_it_is_signed_with_the_day_it_ends(self, sold: Town, planned: Package) -> None:
        assert is_intact(planned)
        cancel_subscription(customer=sold.customer, actor=SYSTEM, at=hours(4))
        ending = Package.objects.scheduled().filter(activated_at=hours(100)).select_related(*SEALED).get()
        assert ending.expires_at is not None
        assert is_intact(ending)
        edit("UPDATE licensing_package SET expires_at = NULL, grace_until = NULL, warning_at = NULL")
        assert not is_intact(Package.objects.select_related(*SEALED).get(pk=ending.pk))

    def test_edited_it_is_written_anew(self, sold: Town, planned: Package) -> None:
        edit("UPDATE licensing_modulelicense SET license_number = 99 WHERE package_id = %s", [planned.pk])
        sold.gives("ida", "ten-sales-premium", at=hours(4))
        anew = self._scheduled()
        assert (anew.number, is_intact(anew)) == (planned.number + 1, True)
        assert sold.access("ida", "quotes", at=hours(101)) == "edit"

    def test_edited_and_never_looked_at_again_it_gives_nothing(self, sold: Town, planned: Package) -> None:
        edit("UPDATE licensing_package SET company_name = 'Another AS' WHERE id = %s", [planned.pk])
        facts = load_timeline(sold.customer, hours(5), ahead=True).facts(hours(101))
        assert (facts.status.value, facts.sources) == ("none", ())
        assert outlook_of(sold.customer, hours(5)).stages == ()


class TestSigningWhatWasIssuedBefore:
    """Z-8: the command is idempotent, resumable, and changes nothing else."""

    @pytest.fixture
    def unsigned(self, sold: Town) -> Town:
        other = Town("nordvik", people=())
        other.buys(sales_essentials=1, at=hours(1))
        with behind_the_back() as cursor:
            cursor.execute("DELETE FROM licensing_packageseal")
            cursor.execute("UPDATE licensing_modulelicense SET signature = ''")
        return sold

    def test_until_then_it_gives_nothing(self, unsigned: Town) -> None:
        assert not is_intact(active())

    def test_it_signs_them_once(self, unsigned: Town, capsys: Any) -> None:
        call_command("license", "sign")
        told = capsys.readouterr()
        assert "Signed 2 packages." in told.out
        assert "signed 2 of 2 (100 %)" in told.err
        assert is_intact(active())
        before = list(PackageSeal.objects.values_list("pk", "signature"))
        call_command("license", "sign")
        assert "Everything is signed already." in capsys.readouterr().out
        assert list(PackageSeal.objects.values_list("pk", "signature")) == before

    def test_interrupted_it_goes_on(self, unsigned: Town) -> None:
        class PowerCut(Exception):
            pass

        def cut(done: int) -> None:
            raise PowerCut

        with pytest.raises(PowerCut):
            seal_earlier(at=timezone.now(), progress=cut)
        assert PackageSeal.objects.count() == 1
        assert seal_earlier(at=timezone.now()) == 1
        assert list(verify_all(actor=SYSTEM, at=timezone.now())) == []

    def test_a_row_gets_its_signature_once_and_nothing_else(self, unsigned: Town) -> None:
        rows = ModuleLicense.objects.filter(module_name="cep")
        for change in ({"license_number": 5}, {"signature": "x", "license_number": 5}):
            with pytest.raises(IntegrityError), transaction.atomic():
                rows.update(**change)
        rows.update(signature="x")
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(signature="y")


class TestOurKey:
    """Z-4: from environment or file, never in the database, never in a log."""

    def test_it_is_read_from_a_file(self, tmp_path: Path, settings: Any) -> None:
        path = tmp_path / "deep" / "key.pem"
        made = write_new_key(path)
        assert path.stat().st_mode & 0o777 == 0o600
        settings.SIGNING_KEY, settings.SIGNING_KEY_FILE = "", str(path)
        assert own_key().key_id == made.key_id
        with pytest.raises(FileExistsError):
            write_new_key(path)

    def test_a_demo_makes_its_own_on_first_use(self, tmp_path: Path, settings: Any) -> None:
        settings.SIGNING_KEY, settings.SIGNING_KEY_FILE, settings.DEMO = "", str(tmp_path / "key.pem"), True
        first = own_key()
        assert (tmp_path / "key.pem").exists()
        assert own_key().key_id == first.key_id

    @pytest.mark.parametrize(
        ("key", "file", "words"),
        [
            ("", "", "No key to sign packages with is set."),
            ("", "/nowhere/key.pem", "can't be read"),
            ("nonsense", "", "no private Ed25519 key"),
        ],
    )
    def test_without_a_good_one_production_says_what_to_do(
        self, settings: Any, key: str, file: str, words: str
    ) -> None:
        settings.SIGNING_KEY, settings.SIGNING_KEY_FILE = key, file
        settings.DEBUG = settings.DEMO = False
        with pytest.raises(NoSigningKey, match=words) as refused:
            own_key()
        assert "SIGNING_KEY" in refused.value.next_action
        (error,) = [each for each in checks.run_checks(tags=["security"]) if each.id == "licensing.E001"]
        assert words in error.msg

    def test_without_it_nothing_is_issued(self, town: Town, settings: Any) -> None:
        settings.SIGNING_KEY, settings.SIGNING_KEY_FILE = "", ""
        with pytest.raises(NoSigningKey):
            town.buys(sales_premium=1, at=hours(1))
        assert not Package.objects.exists()

    def test_another_key_takes_over_and_what_the_old_one_signed_stays(
        self, sold: Town, tmp_path: Path, settings: Any
    ) -> None:
        settings.SIGNING_KEY, settings.SIGNING_KEY_FILE = "", str(tmp_path / "new.pem")
        write_new_key(tmp_path / "new.pem")
        assert is_intact(active()), "the old public key is in the ring"
        sold.buys(sales_premium=3, at=hours(3))
        assert active().seal.key_id == own_key().key_id
        assert OwnerKey.objects.count() == 2

    def test_the_private_half_is_nowhere_in_the_database(self, sold: Town) -> None:
        for model in (OwnerKey, PackageSeal, AuditEvent):
            assert settings.SIGNING_KEY not in json.dumps(list(model.objects.values()), default=str)

    def test_keygen_prints_the_public_half_alone(self, tmp_path: Path, capsys: Any) -> None:
        call_command("license", "keygen", str(tmp_path / "key.pem"))
        told = capsys.readouterr().out
        secret = (tmp_path / "key.pem").read_text().splitlines()[1]
        assert secret not in told
        with pytest.raises(CommandError):
            call_command("license", "keygen", str(tmp_path / "key.pem"))


class TestTheDatabaseRefuses:
    def test_to_edit_a_key_or_bring_it_back(self, town: Town) -> None:
        key = Partner().key
        for change in ({"public_key": "x"}, {"key_id": "x"}, {"valid_from": hours(9)}):
            with pytest.raises(IntegrityError), transaction.atomic():
                OwnerKey.objects.filter(pk=key.pk).update(**change)
        OwnerKey.objects.filter(pk=key.pk).update(retired_at=hours(3))
        with pytest.raises(IntegrityError), transaction.atomic():
            OwnerKey.objects.filter(pk=key.pk).update(retired_at=None)
        with pytest.raises(IntegrityError), transaction.atomic():
            key.delete()
