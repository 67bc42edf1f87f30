"""Packages as XML, without a database: rules X-1 to X-3, C-3, C-5, C-10, C-11, C-15, C-16, C-24, C-35."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.package_form import PackageForm, RowForm
from licensing.package_rules import faults_of
from licensing.package_xml import MOST_BYTES, NAMESPACE, Unwritable, parse_package, write_package
from licensing.signing import sign_package
from tests.licensing.issuing import KEY, packages, sound_package, with_row

SAMPLE = Path(__file__).parent / "fixtures" / "sample.xml"
ROW = """<ModuleLicense><OwnerName>ACME</OwnerName><LicenseType>1</LicenseType><ModuleName>pad</ModuleName>
<NumberOfLicenses>1</NumberOfLicenses><SortOrder>1</SortOrder>{more}</ModuleLicense>"""


def package(header: str = "", row: str = "", rows: str = "") -> bytes:
    listed = rows or ROW.format(more=row)
    return f"""<LicenseInfo xmlns:i="http://www.w3.org/2001/XMLSchema-instance" xmlns:p="{NAMESPACE}">
<OwnerName>ACME</OwnerName>{header}
<ModuleLicenses>{listed}</ModuleLicenses></LicenseInfo>""".encode()


def test_the_sample_rows_are_read_by_name() -> None:
    """The rows of the public sample: children in another order, optional ones absent."""
    read = parse_package(SAMPLE.read_bytes())
    assert (read.faults, read.warnings) == ((), ())
    assert read.form is not None
    rows = {row.module_name: row for row in read.form.rows}
    assert rows["config-screens"].module_description == "Configurable screens"
    assert (rows["user"].license_number, rows["user"].sort_order, rows["user"].hidden) == (63, 35, True)
    plan = rows["ten-sales"]
    assert (plan.module_description, plan.license_number, plan.extra_flags, plan.sort_order) == (
        "Sales Premium",
        21,
        1,
        73,
    )
    assert rows["expander-services"].allowed_user_type == ""
    assert read.form.expires_at == datetime(2027, 3, 27, tzinfo=UTC)
    assert faults_of(read.form) == []


@given(packages())
def test_what_is_written_is_read_back_equal(form: PackageForm) -> None:
    signed = sign_package(form, KEY)
    written = write_package(signed)
    read = parse_package(written)
    assert (read.faults, read.warnings) == ((), ())
    assert read.form == signed
    assert write_package(read.form) == written, "the same package, the same bytes"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_nonsense_is_refused_and_never_breaks_the_reader(data: bytes) -> None:
    assert parse_package(data).form is None


def test_a_namespace_of_the_issuers_own_and_nil_are_understood() -> None:
    data = package('<ExpiryDate i:nil="true"/><AdminWarningDate>0001-01-01T00:00:00</AdminWarningDate>')
    read = parse_package(data.replace(b"<LicenseInfo ", b'<LicenseInfo xmlns="http://issuer.example/licence" '))
    assert read.faults == ()
    assert read.form is not None
    assert (read.form.expires_at, read.form.warning_at) == (None, None)


def test_a_date_with_an_offset_is_the_same_instant_in_utc() -> None:
    read = parse_package(package("<NextCheckDate>2027-03-27T02:00:00+02:00</NextCheckDate>"))
    assert read.form is not None
    assert read.form.next_check_at == datetime(2027, 3, 27, tzinfo=UTC)


def test_unknown_elements_are_reported_and_left_out() -> None:
    read = parse_package(package("\n<Shoe>42</Shoe>", "\n<p:Sock>1</p:Sock>"))
    assert read.form is not None
    assert [(each.line, each.element) for each in read.warnings] == [(3, "Shoe"), (6, "Sock")]


def test_every_fault_is_told_at_once_with_line_and_element() -> None:
    data = b"""<LicenseInfo>
<ExpiryDate>soon</ExpiryDate>
<DeploymentType>-1</DeploymentType>
<ModuleLicenses>
<ModuleLicense>
<OwnerName>ACME</OwnerName>
<LicenseType>Toll</LicenseType>
<ModuleName>pad</ModuleName>
<NumberOfLicenses>many</NumberOfLicenses>
<Unrestricted>perhaps</Unrestricted>
</ModuleLicense>
</ModuleLicenses>
</LicenseInfo>"""
    read = parse_package(data)
    assert read.form is None
    assert [(fault.line, fault.element) for fault in read.faults] == [
        (1, "OwnerName"),
        (2, "ExpiryDate"),
        (3, "DeploymentType"),
        (5, "SortOrder"),
        (7, "LicenseType"),
        (9, "NumberOfLicenses"),
        (10, "Unrestricted"),
    ]


LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]>
<LicenseInfo>&lol3;</LicenseInfo>"""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (LAUGHS, "A document type"),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><LicenseInfo>&e;</LicenseInfo>', "A document type"),
        (b'<!DOCTYPE x SYSTEM "http://issuer.example/x.dtd"><LicenseInfo/>', "A document type"),
        (b"<LicenseInfo>&undeclared;</LicenseInfo>", "not XML"),
        (b"<LicenseInfo><A><B><C><D/></C></B></A></LicenseInfo>", "nested deeper"),
        (b"<a>" * 100_000, "nested deeper"),
        (b" " * (MOST_BYTES + 1), "are read at most"),
        (b"<LicenseInfo>" + b"<A/>" * 150_000 + b"</LicenseInfo>", "More elements"),
        (b"<License/>", "The root is License"),
        (b"<LicenseInfo>", "not XML"),
        (b"", "not XML"),
        (b"\x00\xff\xfe", "not XML"),
        (b'<?xml version="1.0" encoding="none-such"?><LicenseInfo/>', "not XML"),
        (package(rows=" ").replace(b"<ModuleLicenses> ", b"<ModuleLicenses>"), "There are no rows"),
        (package("<OwnerName>ACME</OwnerName>"), "a second time"),
        (package("<SerialNr><b/></SerialNr>"), "not elements"),
        (package("<SerialNr>" + "1" * 33 + "</SerialNr>"), "33 characters"),
        (package(row="<p:Grants>[1]</p:Grants>"), "Not a JSON object"),
        (package(row="<p:Grants>{</p:Grants>"), "Not JSON"),
        (package(row='<p:Grants>{"a": NaN}</p:Grants>'), "Not JSON"),
        (package(row=r'<p:Grants>{"a": "\ud800"}</p:Grants>'), "Not JSON"),
        (package(row=r'<p:Grants>{"a": "\u0000"}</p:Grants>'), "Not JSON"),
        (package(row="<p:Grants>" + "[" * 50_000 + "</p:Grants>"), "Nested too deeply"),
        (package("<ExpiryDate>2027-03-27</ExpiryDate>"), "not a date"),
        (package("<ExpiryDate>2027-02-30T00:00:00</ExpiryDate>"), "not a date"),
        (package("<ExpiryDate>9999-12-31T23:59:59-23:00</ExpiryDate>"), "not a date"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_files_are_refused_with_a_sentence(data: bytes, words: str) -> None:
    read = parse_package(data)
    assert read.form is None
    assert any(words in fault.message for fault in read.faults), read.faults


def test_what_xml_cannot_hold_is_not_written() -> None:
    with pytest.raises(Unwritable, match="CompanyName"):
        write_package(sound_package(company_name="Fjord\x01lys"))


# ── What a package has to be ────────────────────────────────────────────────
Change = Callable[[PackageForm], PackageForm]


def header(**changes: object) -> Change:
    return lambda form: replace(form, **changes)


def row(module: str, **changes: object) -> Change:
    return lambda form: with_row(form, module, **changes)


def more(*rows: RowForm) -> Change:
    return lambda form: replace(form, rows=(*form.rows, *rows))


NOON = datetime(2027, 3, 27, 12, tzinfo=UTC)
EVE = datetime(2027, 3, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "element", "words"),
    [
        (header(owner_name="Acme"), "OwnerName", "C-3: 'Acme'"),
        (header(owner_name="SITE"), "OwnerName", "C-3: fixed word"),
        (row("pad-site", owner_name="SUPEROFFICE"), "OwnerName", "C-3: issues for another"),
        (row("pad-site", module_name="Pad"), "ModuleName", "C-4: 'Pad'"),
        (row("pad-site", module_name="214"), "ModuleName", "C-4: is a number"),
        (row("pad-site", module_name="shopurl"), "ModuleName", "C-4: fixed word"),
        (more(RowForm("ACME", 1, "pad-site", sort_order=9)), "ModuleName", "C-5: more than once"),
        (row("pad-site", license_number=0), "NumberOfLicenses", "C-10: at least 1"),
        (row("pad-cal", license_number=0, unrestricted=True), "NumberOfLicenses", "C-10: also when unrestricted"),
        (row("pad-plan", extra_flags=0), "ExtraInfo", "C-11: go together"),
        (row("pad-site", extra_flags=1), "ExtraInfo", "C-11: go together"),
        (row("pad-plan", license_type=1), "LicenseType", "C-11: it is a UserLicense"),
        (row("pad-plan", extra_flags=0, extra_info="get=pad-cal"), "ExtraInfo", "C-11: begins with set="),
        (row("pad-plan", extra_info="set=pad-cal,pad-cal"), "ExtraInfo", "C-11: Named twice"),
        (row("pad-plan", extra_info="set=pad-cal,nothing"), "ExtraInfo", "C-15: not in the package"),
        (row("pad-plan", extra_info="set=pad-site"), "ExtraInfo", "C-15: no UserLicense"),
        (row("pad-cal", hidden=False), "ExtraInfo", "C-15: not hidden"),
        (row("pad-cal", license_number=4), "NumberOfLicenses", "C-16: the plans that contain it are 5"),
        (row("pad-plan", unrestricted=True), "Unrestricted", "C-16: is restricted"),
        (row("pad-cal", prerequisite_module="user"), "PrerequisiteModuleName", "C-24: not in the package"),
        (row("pad-cal", prerequisite_module="pad-cal"), "PrerequisiteModuleName", "C-24: needs itself"),
        (header(expires_at=NOON, grace_until=EVE), "GraceDate", "C-35: before ExpiryDate"),
        (header(expires_at=EVE, grace_until=NOON, warning_at=NOON), "AdminWarningDate", "C-35: after ExpiryDate"),
        (header(expires_at=NOON), "GraceDate", "C-35: is missing"),
        (header(grace_until=NOON), "GraceDate", "C-35: without an ExpiryDate"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_package_is_told(change: Change, element: str, words: str) -> None:
    assert faults_of(sound_package()) == []
    found = faults_of(change(sound_package()))
    assert any(fault.element == element and words.partition(": ")[2] in fault.message for fault in found), found


def test_a_circle_of_prerequisites_is_told_of_each_row() -> None:
    form = with_row(sound_package(), "pad-site", prerequisite_module="pad-cal")
    form = with_row(form, "pad-cal", prerequisite_module="pad-site")
    assert sum("needs itself" in fault.message for fault in faults_of(form)) == 2


def test_all_that_is_wrong_is_told_at_once_by_line() -> None:
    form = with_row(with_row(sound_package(), "pad-site", license_number=0, line=7), "pad-cal", hidden=False, line=5)
    assert [fault.line for fault in faults_of(form)] == [0, 7]


def test_an_empty_set_and_an_unrestricted_module_are_sound() -> None:
    form = with_row(sound_package(), "pad-plan", extra_info="set=")
    assert faults_of(form) == []
    form = with_row(
        with_row(sound_package(), "pad-cal", unrestricted=True, license_number=1), "pad-plan", unrestricted=True
    )
    assert faults_of(form) == []
