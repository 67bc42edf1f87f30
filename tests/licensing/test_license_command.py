"""`manage.py license`: out, verified, in; and what it ends with. Rules X-4, X-5, Z-2, Z-7."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from licensing.models import Package
from licensing.own_key import own_key
from licensing.package_xml import parse_package, write_package
from licensing.signing import new_private_key
from tests.licensing.issuing import KEY, OTHER_KEY, signed_xml, sound_package, with_row
from tests.licensing.market import Town, hours
from tests.licensing.partners import Partner
from tests.licensing.tampering import edit


def run(*arguments: Any) -> tuple[int, str, str]:
    """Returns (what it ends with, what it prints, what it complains about)."""
    out, err = StringIO(), StringIO()
    try:
        call_command("license", *map(str, arguments), stdout=out, stderr=err)
    except CommandError as ended:
        return ended.returncode, out.getvalue(), f"{err.getvalue()}{ended}"
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def sold(town: Town) -> Town:
    town.buys(sales_premium=2, at=hours(1))
    return town


class TestOffline:
    """No test here may touch a database, and none is given one."""

    def test_a_good_package_is_good(self, tmp_path: Path) -> None:
        file = tmp_path / "p.xml"
        file.write_bytes(signed_xml(sound_package()))
        (tmp_path / "key").write_text(KEY.public.text)
        for key in (KEY.public.text, tmp_path / "key"):
            status, out, _ = run("verify", file, "--public-key", OTHER_KEY.public.text, "--public-key", key)
            assert (status, "Good: 3 rows of ACME" in out) == (0, True)

    def test_one_count_changed_names_the_row(self, tmp_path: Path) -> None:
        file = tmp_path / "p.xml"
        good = signed_xml(sound_package())
        file.write_bytes(good.replace(b"<NumberOfLicenses>5<", b"<NumberOfLicenses>6<"))
        status, _, err = run("verify", file, "--public-key", KEY.public.text)
        assert status == 1
        assert "Row 2, pad-cal: NumberOfLicenses changed." in err

    def test_every_element_of_a_file_is_covered(self, tmp_path: Path) -> None:
        """Z-2: each line of the document changed, one at a time."""
        file = tmp_path / "p.xml"
        lines = signed_xml(sound_package(serial_number="1")).decode().splitlines()
        values = [number for number, line in enumerate(lines) if line.count("<") == 2]
        assert len(values) > 40
        for number in values:
            before, _, after = lines[number].partition("</")
            changed = [*lines[:number], f"{before}1</{after}", *lines[number + 1 :]]
            file.write_text("\n".join(changed))
            assert run("verify", file, "--public-key", KEY.public.text)[0] != 0, lines[number]

    def test_another_key_does_not_do(self, tmp_path: Path) -> None:
        file = tmp_path / "p.xml"
        file.write_bytes(signed_xml(sound_package()))
        status, _, err = run("verify", file, "--public-key", OTHER_KEY.public.text)
        assert (status, "not among those given" in err) == (1, True)

    def test_what_is_signed_but_wrong_is_not_good(self, tmp_path: Path) -> None:
        file = tmp_path / "p.xml"
        file.write_bytes(signed_xml(with_row(sound_package(), "pad-cal", hidden=False)))
        status, _, err = run("verify", file, "--public-key", KEY.public.text)
        assert (status, "C-15" in err or "which is not hidden" in err) == (1, True)

    @pytest.mark.parametrize("content", [b"", b"<a/>", b"\x00"])
    def test_what_cannot_be_read_ends_with_2(self, tmp_path: Path, content: bytes) -> None:
        file = tmp_path / "p.xml"
        file.write_bytes(content)
        assert run("verify", file, "--public-key", KEY.public.text)[0] == 2
        assert run("verify", tmp_path / "nowhere", "--public-key", KEY.public.text)[0] == 2
        assert run("verify", file, "--public-key", "nonsense")[0] == 2
        assert run("verify")[0] == 2

    def test_a_partner_signs_its_own_file(self, tmp_path: Path) -> None:
        plain, key = tmp_path / "plain.xml", tmp_path / "key.pem"
        plain.write_bytes(write_package(sound_package()))
        key.write_text(new_private_key())
        status, out, _ = run("sign", plain, "--private-key", key)
        assert status == 0
        read = parse_package(out.encode())
        assert read.form is not None
        (tmp_path / "signed.xml").write_text(out)
        assert run("verify", tmp_path / "signed.xml", "--public-key", read.form.public_key)[0] == 0
        plain.write_bytes(write_package(with_row(sound_package(), "pad-cal", license_number=1)))
        assert run("sign", plain, "--private-key", key)[0] == 1
        assert run("sign", plain)[0] == 1


class TestExport:
    def test_what_is_exported_verifies_and_one_changed_count_does_not(self, sold: Town, tmp_path: Path) -> None:
        status, out, _ = run("export", "fjordlys")
        assert status == 0
        file = tmp_path / "p.xml"
        file.write_text(out)
        assert run("verify", file)[0] == 0, "by the keys in the database"
        assert run("verify", file, "--public-key", own_key().public.text)[0] == 0
        file.write_text(out.replace("<NumberOfLicenses>2<", "<NumberOfLicenses>3<", 1))
        status, _, err = run("verify", file)
        assert status == 1
        assert "NumberOfLicenses changed" in err
        assert run("export", "FJORDLYS") == (0, out, ""), "the same package, the same bytes"

    def test_earlier_ones_by_their_number(self, sold: Town) -> None:
        first = run("export", "fjordlys")[1]
        sold.buys(sales_premium=3, at=hours(2))
        assert run("export", "fjordlys", "--number", 1)[1] == first
        assert run("export", "fjordlys", "--number", 9)[0] == 1
        assert run("export", "nowhere")[0] == 1
        assert run("export", "fjordlys", "--owner", "acme")[0] == 1


class TestImport:
    def test_a_partners_package_comes_in(self, sold: Town, tmp_path: Path) -> None:
        file = tmp_path / "p.xml"
        file.write_bytes(Partner().file())
        status, out, _ = run("import", file, "--customer", "fjordlys", "--dry-run")
        assert (status, "ACME #1 would be active." in out) == (0, True)
        assert not Package.objects.filter(owner__code="ACME").exists()
        status, out, _ = run("import", file, "--customer", "fjordlys")
        assert (status, "acme.pad-plan: 0 → 5, 0 in use" in out, "ACME #1 is active." in out) == (0, True, True)
        assert "says all that already" in run("import", file, "--customer", "fjordlys")[1]

    def test_faults_are_listed_with_their_lines(self, sold: Town, tmp_path: Path) -> None:
        file = tmp_path / "p.xml"
        file.write_bytes(Partner().file(with_row(sound_package(), "pad-site", license_number=0)))
        status, _, err = run("import", file, "--customer", "fjordlys")
        assert status == 1
        assert "fault: line 6, NumberOfLicenses: pad-site has 0" in err
        assert "Nothing was stored." in err

    def test_what_waits_ends_with_3(self, sold: Town, tmp_path: Path) -> None:
        partner = Partner()
        partner.issues_to(sold, at=hours(2))
        sold.gives("ola", "acme.pad-plan", at=hours(3))
        file = tmp_path / "p.xml"
        rows = tuple(row for row in sound_package().rows if row.module_name != "pad-plan")
        file.write_bytes(partner.file(replace(sound_package(), rows=rows)))
        status, _, err = run("import", file, "--customer", "fjordlys")
        assert (status, "acme.pad-plan: give back 1 of 1 seats (ola)" in err) == (3, True)


def test_all_that_is_recorded_is_verified(sold: Town) -> None:
    """Z-7."""
    status, out, err = run("verify", "--all")
    assert (status, out, "verified 1 of 1 (100 %)" in err) == (0, "Good: all 1 packages.\n", True)
    edit("UPDATE licensing_modulelicense SET license_number = 9 WHERE module_name = 'ten-sales-premium'")
    status, _, err = run("verify", "--all")
    assert status == 1
    assert f"fjordlys, {settings.OWN_OWNER} #1: Row" in err
    assert "ten-sales-premium: NumberOfLicenses changed." in err


def test_a_partners_licence_is_removed_after_it_was_told_what_goes(sold: Town) -> None:
    Partner().issues_to(sold, at=hours(2))
    sold.gives("ola", "acme.pad-plan", at=hours(3))
    status, out, _ = run("remove", "fjordlys", "acme")
    assert (status, "ola: acme.pad-plan" in out, "Say --yes" in out) == (0, True, True)
    assert sold.holds("ola") == {"pad-plan"}
    assert run("remove", "fjordlys", "acme", "--yes")[0] == 0
    assert sold.holds("ola") == set()
    status, _, err = run("remove", "fjordlys", settings.OWN_OWNER, "--yes")
    assert (status, "can't be removed" in err) == (1, True)
