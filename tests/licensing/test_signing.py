"""Keys and signatures, without a database: rules Z-1 to Z-4 and C-36."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given

from licensing.package_form import HEADER, ROW, PackageForm, RowForm, hash_of, package_text, row_text, spelled
from licensing.signing import (
    BadKey,
    examine,
    load_private_key,
    load_public_key,
    new_private_key,
    sign_package,
)
from tests.licensing.issuing import KEY, OTHER_KEY, packages, sound_package

RING = {KEY.key_id: KEY.public}

# A value that differs from whatever a sound package has there, per kind of field.
ANOTHER: dict[str, Any] = {
    "text": "something else",
    "number": 77,
    "instant": datetime(2031, 1, 1, tzinfo=UTC),
    "names": ("service",),
    "data": {"quotes": {"kind": "switch", "value": True}},
}


def another(kind: str, value: Any) -> Any:
    if kind == "yes":
        return not value
    if kind == "type":
        return 1 if value == 3 else 3
    return ANOTHER[kind]


def test_what_was_signed_verifies_and_names_its_key() -> None:
    signed = sign_package(sound_package(), KEY)
    assert signed.key_id == KEY.key_id
    assert all(row.signature for row in signed.rows)
    examined = examine(signed, RING)
    assert examined.is_intact
    assert examined.rows == frozenset(range(len(signed.rows)))


@pytest.mark.parametrize("field", HEADER, ids=lambda field: field.name)
def test_any_changed_field_of_the_header_is_detected_and_named(field: Any) -> None:
    signed = sign_package(sound_package(), KEY)
    changed = replace(signed, **{field.attribute: another(field.kind, getattr(signed, field.attribute))})
    examined = examine(changed, RING)
    assert [(each.module, each.fields) for each in examined.breaks] == [(None, (field.name,))]
    assert not examined.header, "with its header, all of a package is in doubt"
    assert examined.rows == frozenset()


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("field", ROW, ids=lambda field: field.name)
def test_any_changed_field_of_a_row_is_detected_and_named_with_its_row(field: Any, place: int) -> None:
    signed = sign_package(sound_package(), KEY)
    row = signed.rows[place]
    changed = replace(row, **{field.attribute: another(field.kind, getattr(row, field.attribute))})
    rows = (*signed.rows[:place], changed, *signed.rows[place + 1 :])
    examined = examine(replace(signed, rows=rows), RING)
    assert [(each.module, each.fields) for each in examined.breaks] == [(changed.module_name, (field.name,))]
    assert examined.header
    assert examined.rows == frozenset(range(3)) - {place}, "the other rows are as they were"


def test_every_field_of_the_forms_is_signed_or_is_the_signature() -> None:
    proofs = {"signature", "field_checks", "line", "lines", "key_id", "public_key", "rows"}
    for form, table in ((PackageForm, HEADER), (RowForm, ROW)):
        assert {field.name for field in fields(form)} - proofs == {field.attribute for field in table}


@pytest.mark.parametrize("attribute", ["signature", "key_id", "public_key", "field_checks"])
def test_a_changed_proof_of_the_package_is_detected(attribute: str) -> None:
    signed = sign_package(sound_package(), KEY)
    other = sign_package(sound_package(), OTHER_KEY)
    changed = replace(signed, **{attribute: getattr(other, attribute) if attribute != "field_checks" else "1 2"})
    ring = RING | {OTHER_KEY.key_id: OTHER_KEY.public}
    assert not examine(changed, ring).is_intact


@pytest.mark.parametrize("attribute", ["signature", "field_checks"])
def test_a_changed_proof_of_a_row_is_detected_and_the_row_named(attribute: str) -> None:
    signed = sign_package(sound_package(), KEY)
    rows = (replace(signed.rows[0], **{attribute: getattr(signed.rows[1], attribute)}), *signed.rows[1:])
    (told,) = examine(replace(signed, rows=rows), RING).breaks
    assert told.module == signed.rows[0].module_name


def test_a_row_taken_away_or_put_in_is_detected() -> None:
    signed = sign_package(sound_package(), KEY)
    (fewer,) = examine(replace(signed, rows=signed.rows[1:]), RING).breaks
    assert fewer.fields == ("Signature",)
    added = replace(signed.rows[0], module_name="sneaked-in", sort_order=99)
    examined = examine(replace(signed, rows=(*signed.rows, added)), RING)
    assert [each.module for each in examined.breaks] == ["sneaked-in"]
    assert examined.rows == frozenset(range(3))


def test_a_row_of_another_package_does_not_count_here() -> None:
    """A row's signature covers the header that it was issued under."""
    mine = sign_package(sound_package(), KEY)
    theirs = sign_package(replace(sound_package(), serial_number="999", company_name="Another AS"), KEY)
    examined = examine(replace(mine, rows=(theirs.rows[0], *mine.rows[1:])), RING)
    assert [each.module for each in examined.breaks] == [mine.rows[0].module_name]


def test_an_unknown_key_and_no_signature_are_told() -> None:
    signed = sign_package(sound_package(), OTHER_KEY)
    assert "not among those given" in examine(signed, RING).breaks[0].message
    assert "not signed" in examine(sound_package(), RING).breaks[0].message


def test_without_checks_the_row_is_named_though_not_the_field() -> None:
    """A foreign issuer may leave the checks out; then the signatures still say which row it is."""
    signed = _signed_without_checks(sound_package())
    assert examine(signed, RING).is_intact
    rows = (replace(signed.rows[0], license_number=5), *signed.rows[1:])
    (told,) = examine(replace(signed, rows=rows), RING).breaks
    assert (told.module, told.message.endswith("is not what was signed.")) == (signed.rows[0].module_name, True)


def _signed_without_checks(form: PackageForm) -> PackageForm:
    """Signs as an issuer with other tools would."""
    header = hash_of(form)
    rows = tuple(replace(row, signature=KEY.sign(row_text(header, KEY.key_id, row))) for row in form.rows)
    form = replace(form, rows=rows, key_id=KEY.key_id)
    return replace(form, signature=KEY.sign(package_text(form, header)))


def test_the_canonical_form_is_the_documented_one() -> None:
    """Z-1: by the names of the XML, what is left out left out, dates in UTC without an offset."""
    row = RowForm("ACME", 3, "pad", "Pad", 2, 5, hidden=True)
    assert spelled(row) == {
        "OwnerName": "ACME",
        "LicenseType": "UserLicense",
        "ModuleName": "pad",
        "ModuleDescription": "Pad",
        "NumberOfLicenses": 2,
        "Unrestricted": False,
        "IsHidden": True,
        "SortOrder": 5,
    }
    form = PackageForm("ACME", "Fjordlys AS", (row,), expires_at=datetime(2027, 3, 27, tzinfo=UTC))
    assert spelled(form) == {
        "OwnerName": "ACME",
        "CompanyName": "Fjordlys AS",
        "ExpiryDate": "2027-03-27T00:00:00",
    }
    assert json.loads(row_text("h", "k", row)) == {
        "form": "planarium-row-1",
        "header": "h",
        "key": "k",
        "row": hashlib.sha256(
            b'{"IsHidden":true,"LicenseType":"UserLicense","ModuleDescription":"Pad","ModuleName":"pad",'
            b'"NumberOfLicenses":2,"OwnerName":"ACME","SortOrder":5,"Unrestricted":false}'
        ).hexdigest(),
    }


@given(packages())
def test_the_order_of_rows_is_no_part_of_what_is_signed(form: PackageForm) -> None:
    """C-36: the sort order is followed, however the rows stand in the file."""
    signed = sign_package(form, KEY)
    assert sign_package(replace(form, rows=form.rows[::-1]), KEY) == signed
    assert examine(replace(signed, rows=signed.rows[::-1]), RING).is_intact


class TestKeys:
    def test_a_key_is_read_as_pem_and_as_base64(self) -> None:
        pem = new_private_key()
        key = load_private_key(pem)
        assert load_public_key(key.public.text).key_id == key.key_id
        assert len(key.key_id) == 16
        public_pem = key._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert load_public_key(public_pem.decode()) == key.public

    def test_a_private_key_shows_itself_to_nobody(self) -> None:
        pem = new_private_key()
        key = load_private_key(pem)
        secret = pem.splitlines()[1]
        assert secret not in repr(key)
        assert secret not in str(key)
        assert "_key" not in repr(key)

    @pytest.mark.parametrize("text", ["", "nonsense", "AAAA", "-----BEGIN PRIVATE KEY-----\nAAAA\n", "é" * 44])
    def test_what_is_no_key_is_refused_without_showing_it(self, text: str) -> None:
        for load in (load_private_key, load_public_key):
            with pytest.raises(BadKey) as refused:
                load(text)
            assert not text or text not in str(refused.value)

    def test_another_kind_of_key_is_refused(self) -> None:
        other = generate_private_key(SECP256R1())
        with pytest.raises(BadKey, match="another kind"):
            load_private_key(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
        public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(BadKey, match="another kind"):
            load_public_key(public.decode())
