"""Ed25519 keys, and the signatures of packages and their rows (Z-1 to Z-4). Pure.

A key's id is the beginning of the SHA-256 of its public half, so the two can't be confused. A private key shows itself
to nobody: not in `repr`, not in a log.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from licensing.package_form import (
    PackageForm,
    RowForm,
    changed_fields,
    checks_of,
    hash_of,
    in_order,
    package_text,
    row_text,
)

KEY_BYTES: Final = 32
KEY_ID_LENGTH: Final = 16


class BadKey(ValueError):
    """It is no Ed25519 key; the message is a sentence for people and never shows the key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The half that verifies. `text` is base64 of its 32 bytes."""

    text: str
    key_id: str
    _key: Ed25519PublicKey = field(repr=False, compare=False)

    def verifies(self, signature: str, text: str) -> bool:
        """Whether `signature` (base64) is this key's over `text`."""
        try:
            self._key.verify(base64.b64decode(signature, validate=True), text.encode())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The half that signs, with its public one."""

    public: PublicKey
    _key: Ed25519PrivateKey = field(repr=False, compare=False)

    @property
    def key_id(self) -> str:
        return self.public.key_id

    def sign(self, text: str) -> str:
        """Returns the signature over `text`, base64. Ed25519 has no chance in it: the same text, the same signature."""
        return base64.b64encode(self._key.sign(text.encode())).decode()


def load_private_key(text: str) -> SigningKey:
    """Returns the key in a PEM text, or in base64 of its 32 bytes. Raises BadKey."""
    try:
        if "-----BEGIN" in text:
            key = load_pem_private_key(text.encode(), password=None)
        else:
            key = Ed25519PrivateKey.from_private_bytes(_raw(text))
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise BadKey("This is no private Ed25519 key: PEM without a password, or base64 of 32 bytes.") from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey("This private key is of another kind; Ed25519 is needed.")
    return SigningKey(_public(key.public_key()), key)


def load_public_key(text: str) -> PublicKey:
    """Returns the key in a PEM text, or in base64 of its 32 bytes. Raises BadKey."""
    try:
        if "-----BEGIN" in text:
            key = load_pem_public_key(text.encode())
        else:
            key = Ed25519PublicKey.from_public_bytes(_raw(text))
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise BadKey("This is no public Ed25519 key: PEM, or base64 of 32 bytes.") from fault
    if not isinstance(key, Ed25519PublicKey):
        raise BadKey("This public key is of another kind; Ed25519 is needed.")
    return _public(key)


def new_private_key() -> str:
    """Returns a new private key as PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def sign_package(form: PackageForm, key: SigningKey) -> PackageForm:
    """Returns the package with its rows in order, each signed, and signed itself; what was signed before is gone."""
    header = hash_of(form)
    rows = tuple(
        replace(row, signature=key.sign(row_text(header, key.key_id, row)), field_checks=checks_of(row))
        for row in in_order(form.rows)
    )
    form = replace(form, rows=rows, key_id=key.key_id, public_key=key.public.text, field_checks=checks_of(form))
    return replace(form, signature=key.sign(package_text(form, header)))


@dataclass(frozen=True, slots=True)
class Break:
    """Something that isn't what was signed: a row by its module (none: the header or the whole), and its fields."""

    message: str
    module: str | None = None
    fields: tuple[str, ...] = ()
    line: int = 1


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of a package's signatures; `rows` are those that can be trusted, by their place in `form.rows`."""

    breaks: tuple[Break, ...] = ()
    header: bool = True
    rows: frozenset[int] = frozenset()

    @property
    def is_intact(self) -> bool:
        return not self.breaks


def examine(form: PackageForm, keys: Mapping[str, PublicKey]) -> Examined:
    """Returns what of `form` is as it was signed by one of `keys` (by id). One signature, where all is well (Z-2)."""
    key = keys.get(form.key_id)
    if not form.signature or key is None:
        return _not_to_be_checked(form)
    if form.public_key and form.public_key != key.text:
        message = f"PublicKey is not the key {form.key_id}."
        return Examined((Break(message, fields=("PublicKey",), line=form.line_of("PublicKey")),), header=False)
    header = hash_of(form)
    if key.verifies(form.signature, package_text(form, header)):
        return Examined(rows=frozenset(range(len(form.rows))))
    good = frozenset(
        index
        for index, row in enumerate(form.rows)
        if row.signature and key.verifies(row.signature, row_text(header, form.key_id, row))
    )
    return Examined(tuple(_breaks(form, good)), header=bool(good), rows=good)


def _not_to_be_checked(form: PackageForm) -> Examined:
    if not form.signature:
        return Examined((Break("The package is not signed.", fields=("Signature",)),), header=False)
    message = f"It is signed with the key {form.key_id or 'of no name'}, which is not among those given."
    return Examined((Break(message, fields=("KeyId",), line=form.line_of("KeyId")),), header=False)


def _breaks(form: PackageForm, good: frozenset[int]) -> list[Break]:
    """Returns what differs from what was signed. A changed header takes all rows' signatures with it; then the rows'
    own checks say which of them are changed too.
    """
    in_header = changed_fields(form)
    found = [] if not in_header else [_in_header(form, in_header)]
    for index, row in enumerate(form.rows):
        fields = changed_fields(row)
        if index in good and not fields:
            continue
        if index in good:
            fields = ("FieldChecks",)
        if fields or good:
            found.append(_in_row(row, fields or ("Signature",)))
    if form.rows and not good and not found:
        return [Break("Neither the package nor any row is what was signed with this key.", fields=("Signature",))]
    return found or [Break("Signature, or the list of rows: not what was signed.", fields=("Signature",))]


def _in_header(form: PackageForm, fields: tuple[str, ...]) -> Break:
    return Break(f"The package's {_listed(fields)} changed.", fields=fields, line=form.line_of(fields[0]))


def _in_row(row: RowForm, fields: tuple[str, ...]) -> Break:
    named = row.field_checks or fields != ("Signature",)
    told = f"{_listed(fields)} changed" if named else "is not what was signed"
    return Break(f"Row {row.sort_order}, {row.module_name}: {told}.", row.module_name, fields, row.line)


def _listed(fields: tuple[str, ...]) -> str:
    return ", ".join(fields)


def _raw(text: str) -> bytes:
    raw = base64.b64decode(text.strip(), validate=True)
    if len(raw) != KEY_BYTES:
        raise ValueError(f"{len(raw)} bytes")
    return raw


def _public(key: Ed25519PublicKey) -> PublicKey:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return PublicKey(base64.b64encode(raw).decode(), hashlib.sha256(raw).hexdigest()[:KEY_ID_LENGTH], key)
