"""Licence packages as XML: read by name and with every fault at once, written the same way each time. Pure.

Nothing is trusted: no document type, no entity, nothing from outside, so much and so deep and no further (X-3).
Elements are known by their local names, whatever their namespace; ours, `urn:planarium:package:1`, are told apart. What
is not known is reported and left out. A date is local time without an offset, and the clock is UTC (X-2).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler, feature_namespaces
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from licensing.package_form import (
    HEADER,
    LICENSE_TYPES,
    ROW,
    FormField,
    PackageForm,
    RowForm,
    in_order,
)
from licensing.resolution import canonical

NAMESPACE: Final = "urn:planarium:package:1"
ROOT: Final = "LicenseInfo"
MOST_BYTES: Final = 2_000_000
MOST_ROWS: Final = 5_000
DEEPEST: Final = 4  # root, list, row, field
MOST_FAULTS: Final = 200
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)  # how some issuers write "no date"
_NUMBER: Final = re.compile(r"\d{1,10}\Z")
_YES: Final[Mapping[str, bool]] = {"true": True, "1": True, "false": False, "0": False}
_TYPES: Final[Mapping[str, int]] = {name: n for n, name in LICENSE_TYPES.items()} | {str(n): n for n in LICENSE_TYPES}
_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PROOF_HEADER: Final = (
    FormField("KeyId", "key_id", most=64, ours=True),
    FormField("PublicKey", "public_key"),
    FormField("Signature", "signature"),
    FormField("FieldChecks", "field_checks", most=999, ours=True),
)
_PROOF_ROW: Final = (
    FormField("Signature", "signature"),
    FormField("FieldChecks", "field_checks", most=999, ours=True),
)


@dataclass(frozen=True, slots=True, order=True)
class PackageFault:
    """Something wrong in a file, or worth knowing: where, and a sentence."""

    line: int
    element: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.element}: {self.message}"


@dataclass(frozen=True, slots=True)
class ReadPackage:
    """What was read. With `faults` there is no form; `warnings` name what was left out."""

    form: PackageForm | None
    faults: tuple[PackageFault, ...] = ()
    warnings: tuple[PackageFault, ...] = ()


class Unwritable(ValueError):
    """A text has characters that XML can't hold."""


# ── Reading ─────────────────────────────────────────────────────────────────
def parse_package(data: bytes) -> ReadPackage:
    """Returns the package in `data`, or every fault with its line."""
    if len(data) > MOST_BYTES:
        return _refused(1, f"The file has {len(data)} bytes; {MOST_BYTES} are read at most.")
    grower = _Grower()
    parser: Any = DefusedExpatParser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
    parser.setFeature(feature_namespaces, True)
    parser.setContentHandler(grower)
    try:
        parser.parse(io.BytesIO(data))
    except _TooMuch as refused:
        return _refused(refused.line, str(refused))
    except DefusedXmlException:
        return _refused(parser.getLineNumber() or 1, "A document type or entities: packages have neither.")
    except SAXParseException as broken:
        return _refused(broken.getLineNumber() or 1, f"This is not XML: {broken.getMessage()}.")
    except (SAXException, ValueError, LookupError) as broken:
        return _refused(1, f"This is not XML: {broken}.")
    if grower.root is None:
        return _refused(1, "The file is empty.")
    return _Reader().read(grower.root)


def _refused(line: int, message: str) -> ReadPackage:
    return ReadPackage(None, (PackageFault(line, "", message),))


class _TooMuch(SAXException):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class _Element:
    name: str
    namespace: str
    line: int
    is_nil: bool = False
    text: list[str] = field(default_factory=list)
    children: list[_Element] = field(default_factory=list)

    @property
    def is_ours(self) -> bool:
        return self.namespace == NAMESPACE

    @property
    def content(self) -> str:
        return "".join(self.text)


class _Grower(ContentHandler):
    """Makes a small tree with line numbers, and stops where a file is deeper or longer than any package."""

    def __init__(self) -> None:
        super().__init__()
        self.root: _Element | None = None
        self._open: list[_Element] = []
        self._left = MOST_ROWS * (len(ROW) + len(_PROOF_ROW) + 1) + 100
        self._place: Any = None

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: N802 - SAX's name
        self._place = locator

    def startElementNS(self, name: tuple[str | None, str], qname: str | None, attrs: Any) -> None:  # noqa: N802 - SAX's
        line = self._place.getLineNumber() or 1
        self._left -= 1
        if len(self._open) >= DEEPEST:
            raise _TooMuch(line, f"{name[1]} is nested deeper than any package: {DEEPEST} levels.")
        if self._left < 0:
            raise _TooMuch(line, f"More elements than {MOST_ROWS} rows have.")
        is_nil = str(dict(attrs.items()).get((_XSI, "nil"), "")).strip() in ("true", "1")
        element = _Element(name[1], name[0] or "", line, is_nil)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def endElementNS(self, name: tuple[str | None, str], qname: str | None) -> None:  # noqa: N802 - SAX's name
        self._open.pop()

    def characters(self, content: str) -> None:
        if self._open:
            self._open[-1].text.append(content)


class _Reader:
    """Reads a tree; collects faults and warnings on the way."""

    def __init__(self) -> None:
        self.faults: list[PackageFault] = []
        self.warnings: list[PackageFault] = []

    def read(self, root: _Element) -> ReadPackage:
        if root.name != ROOT:
            return _refused(root.line, f"The root is {root.name}; a package's is {ROOT}.")
        lists = [child for child in root.children if child.name == "ModuleLicenses" and not child.is_ours]
        fields, lines = self._fields(root, (*HEADER, *_PROOF_HEADER), beside=("ModuleLicenses",))
        rows = [self._row(child) for listed in lists for child in self._rows(listed)]
        if len(lists) > 1:
            self._fault(lists[1], "Here a second time.")
        if not rows:
            self.faults.append(PackageFault((lists[0] if lists else root).line, "ModuleLicenses", "There are no rows."))
        if len(rows) > MOST_ROWS:
            self._fault(lists[0], f"{len(rows)} rows; {MOST_ROWS} are read at most.")
        form = None
        if not self.faults:
            form = PackageForm(rows=in_order([RowForm(**row) for row in rows]), lines=lines, **fields)
        return ReadPackage(form, tuple(sorted(self.faults))[:MOST_FAULTS], tuple(sorted(self.warnings))[:MOST_FAULTS])

    def _rows(self, listed: _Element) -> Iterator[_Element]:
        for child in listed.children:
            if child.name == "ModuleLicense" and not child.is_ours:
                yield child
            else:
                self._unknown(child)

    def _row(self, element: _Element) -> dict[str, Any]:
        fields, lines = self._fields(element, (*ROW, *_PROOF_ROW))
        for name in ("OwnerName", "LicenseType", "ModuleName", "NumberOfLicenses", "SortOrder"):
            if name not in lines:
                self.faults.append(PackageFault(element.line, name, "It is missing in this row."))
        return fields | {"line": element.line}

    def _fields(
        self, element: _Element, table: tuple[FormField, ...], beside: tuple[str, ...] = ()
    ) -> tuple[dict[str, Any], dict[str, int]]:
        """Returns the fields by attribute, and on which line each element stood."""
        known = {(f.name, f.ours): f for f in table}
        fields: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for child in element.children:
            f = known.get((child.name, child.is_ours))
            if child.name in beside and not child.is_ours:
                continue
            if f is None:
                self._unknown(child)
            elif f.name in lines:
                self._fault(child, "Here a second time.")
            elif not child.is_nil:
                lines[f.name] = child.line
                fields[f.attribute] = self._value(child, f)
        if element.name == ROOT and "OwnerName" not in lines:
            self.faults.append(PackageFault(element.line, "OwnerName", "It is missing: whose package is this?"))
        return fields, lines

    def _value(self, element: _Element, f: FormField) -> Any:
        for child in element.children:
            self._fault(child, f"{f.name} holds a value, not elements.")
        try:
            return _PARSERS[f.kind](element.content, f)
        except ValueError as fault:
            self._fault(element, str(fault))
            return f.default

    def _fault(self, element: _Element, message: str) -> None:
        self.faults.append(PackageFault(element.line, element.name, message))

    def _unknown(self, element: _Element) -> None:
        self.warnings.append(PackageFault(element.line, element.name, "Not known, and left out."))


def _text(raw: str, f: FormField) -> str:
    if len(raw) > f.most:
        raise ValueError(f"{len(raw)} characters; {f.most} fit.")
    return raw


def _number(raw: str, f: FormField) -> int:
    stripped = raw.strip()
    if not (_NUMBER.match(stripped) and stripped.isascii()) or int(stripped) > f.most:
        raise ValueError(f"{_short(raw)} is not a whole number from 0 to {f.most}.")
    return int(stripped)


def _yes(raw: str, f: FormField) -> bool:
    if raw.strip() not in _YES:
        raise ValueError(f"{_short(raw)} is neither true nor false.")
    return _YES[raw.strip()]


def _instant(raw: str, f: FormField) -> datetime | None:
    stripped = raw.strip()
    try:
        if len(stripped) < len("2027-03-27T00:00:00") or "T" not in stripped:
            raise ValueError
        at = datetime.fromisoformat(stripped)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{_short(raw)} is not a date like 2027-03-27T00:00:00."
        raise ValueError(message) from None
    return None if at == _NEVER else at


def _type(raw: str, f: FormField) -> int:
    found = _TYPES.get(raw.strip())
    if not found:
        raise ValueError(f"{_short(raw)} is not SiteLicense, SatelliteLicense or UserLicense.")
    return found


def _names(raw: str, f: FormField) -> tuple[str, ...]:
    return tuple(name for name in _text(raw, f).split(",") if name)


def _data(raw: str, f: FormField) -> dict[str, Any]:
    try:
        found = json.loads(_text(raw, f), parse_constant=_no_number)
        if "\\u0000" in canonical({"": found}):
            raise ValueError("a NUL")
        canonical({"": found}).encode()
    except RecursionError:
        raise ValueError("Nested too deeply.") from None
    except ValueError as fault:  # half a character (a lone surrogate) too
        raise ValueError(f"Not JSON that can be kept: {fault}.") from None
    if not isinstance(found, dict):
        raise ValueError("Not a JSON object.")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


_PARSERS: Final[Mapping[str, Callable[[str, FormField], Any]]] = {
    "text": _text,
    "number": _number,
    "yes": _yes,
    "instant": _instant,
    "type": _type,
    "names": _names,
    "data": _data,
}


def _short(raw: str) -> str:
    stripped = raw.strip()
    return repr(stripped if len(stripped) <= 40 else f"{stripped[:39]}…")


# ── Writing ─────────────────────────────────────────────────────────────────
def write_package(form: PackageForm) -> bytes:
    """Returns the package as XML in UTF-8; the same package gives the same bytes. Raises Unwritable."""
    fields = (*HEADER, *_PROOF_HEADER)
    plain = sorted((f for f in fields if not f.ours), key=lambda f: f.name)
    before = [f for f in plain if f.name < "ModuleLicenses"]
    after = [f for f in plain if f.name > "ModuleLicenses"] + [f for f in fields if f.ours]
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<{ROOT} xmlns:p="{NAMESPACE}">',
        *(line for f in before for line in _written(f, form, "  ")),
        "  <ModuleLicenses>",
        *(line for row in in_order(form.rows) for line in _row_lines(row)),
        "  </ModuleLicenses>",
        *(line for f in after for line in _written(f, form, "  ")),
        f"</{ROOT}>",
        "",
    ]
    return "\n".join(lines).encode()


def _row_lines(row: RowForm) -> Iterator[str]:
    yield "    <ModuleLicense>"
    for f in (*ROW, *_PROOF_ROW):
        yield from _written(f, row, "      ")
    yield "    </ModuleLicense>"


def _written(f: FormField, form: PackageForm | RowForm, indent: str) -> Iterator[str]:
    if f.is_present(form):
        tag = f"p:{f.name}" if f.ours else f.name
        yield f"{indent}<{tag}>{_escaped(f, getattr(form, f.attribute))}</{tag}>"


def _escaped(f: FormField, value: Any) -> str:
    if f.kind == "yes":
        return "true" if value else "false"
    spelled = f.spell(value)
    if f.kind == "names":
        spelled = ",".join(spelled)
    if f.kind == "data":
        spelled = canonical(spelled)
    text = str(spelled)
    if _UNWRITABLE.search(text):
        raise Unwritable(f"{f.name} has a character that XML can't hold.")
    return escape(text, {"\r": "&#13;"})
