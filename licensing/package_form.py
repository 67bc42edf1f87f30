"""A package as it travels: its fields by the names of the XML, and the canonical form that signatures cover. Pure.

Two tables, HEADER and ROW, say of every field what it is called, how it is spelled and what it is when left out. The
XML, the signatures, the checks that name a changed field, and docs/packages.md all go by them (Z-1, X-1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from licensing.resolution import canonical, digest

CHECK_LENGTH: Final = 8
LICENSE_TYPES: Final = {0: "Unknown", 1: "SiteLicense", 2: "SatelliteLicense", 3: "UserLicense"}
Spelled = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FormField:
    """One field: `name` in the XML, `attribute` here; `kind` is text, number, yes, instant, type, names or data.

    One that equals `default` is left out of XML and canonical form, unless it `always` stands there. `ours` are the
    fields of our own namespace.
    """

    name: str
    attribute: str
    kind: str = "text"
    most: int = 254  # characters of a text, or the largest number
    default: Any = ""
    always: bool = False
    ours: bool = False

    def spell(self, value: Any) -> Any:
        """Returns the value as it stands in the canonical form."""
        if self.kind == "instant":
            return None if value is None else spell_instant(value)
        if self.kind == "type":
            return LICENSE_TYPES.get(value, str(value))
        if self.kind == "names":
            return list(value)
        return value

    def is_present(self, form: Any) -> bool:
        return self.always or getattr(form, self.attribute) != self.default


def _instant(name: str, attribute: str, *, ours: bool = False) -> FormField:
    return FormField(name, attribute, "instant", default=None, ours=ours)


_LARGEST: Final = 2**31 - 1
HEADER: Final = (
    _instant("AdminWarningDate", "warning_at"),
    FormField("CompanyName", "company_name", always=True),
    FormField("DeploymentType", "deployment_type", "number", _LARGEST, None),
    _instant("ExpiryDate", "expires_at"),
    FormField("ExtraFlags", "extra_flags", "number", _LARGEST, 0),
    FormField("ExtraInfo", "extra_info"),
    _instant("GraceDate", "grace_until"),
    FormField("LicenseUrl", "license_url"),
    FormField("LicenseVersion", "license_version"),
    _instant("MaintenanceDate", "maintenance_until"),
    _instant("NextCheckDate", "next_check_at"),
    FormField("OwnerDescription", "owner_description"),
    FormField("OwnerName", "owner_name", most=239, always=True),
    FormField("ProductDescription", "product_description"),
    FormField("ProductType", "product_type"),
    FormField("SerialNr", "serial_number", most=32),
    FormField("Customer", "customer", most=64, ours=True),
    FormField("Number", "number", "number", _LARGEST, None, ours=True),
    _instant("Issued", "issued_at", ours=True),
)
ROW: Final = (
    FormField("OwnerName", "owner_name", most=239, always=True),
    FormField("LicenseType", "license_type", "type", default=None, always=True),
    FormField("AllowedUserType", "allowed_user_type", most=40),
    FormField("ModuleName", "module_name", most=239, always=True),
    FormField("ModuleDescription", "module_description", always=True),
    FormField("ModuleTooltip", "tooltip"),
    FormField("ModuleVersion", "module_version"),
    FormField("NumberOfLicenses", "license_number", "number", _LARGEST, always=True),
    FormField("Unrestricted", "unrestricted", "yes", default=False, always=True),
    FormField("IsHidden", "hidden", "yes", default=False, always=True),
    FormField("ExtraFlags", "extra_flags", "number", _LARGEST, 0),
    FormField("ExtraInfo", "extra_info", most=3999),
    FormField("PrerequisiteModuleName", "prerequisite_module", most=239),
    FormField("SortOrder", "sort_order", "number", _LARGEST, always=True),
    FormField("Plan", "offer_code", most=64, ours=True),
    FormField("PlanVersion", "version_number", "number", _LARGEST, None, ours=True),
    FormField("Tier", "tier", most=64, ours=True),
    FormField("Solutions", "solutions", "names", 3999, (), ours=True),
    FormField("Grants", "grants", "data", 2**20, {}, ours=True),
)


@dataclass(frozen=True, slots=True)
class RowForm:
    """A module licence, with the fields of ROW. `line` is where it stood in a file."""

    owner_name: str
    license_type: int
    module_name: str
    module_description: str = ""
    license_number: int = 1
    sort_order: int = 0
    allowed_user_type: str = ""
    tooltip: str = ""
    module_version: str = ""
    unrestricted: bool = False
    hidden: bool = False
    extra_flags: int = 0
    extra_info: str = ""
    prerequisite_module: str = ""
    offer_code: str = ""
    version_number: int | None = None
    tier: str = ""
    solutions: tuple[str, ...] = ()
    grants: Mapping[str, Any] = field(default_factory=dict)
    signature: str = ""
    field_checks: str = ""
    line: int = field(default=0, compare=False)

    @property
    def is_plan(self) -> bool:
        return self.extra_flags == 1


@dataclass(frozen=True, slots=True)
class PackageForm:
    """A package, with the fields of HEADER and its rows in sort order."""

    owner_name: str
    company_name: str = ""
    rows: tuple[RowForm, ...] = ()
    serial_number: str = ""
    owner_description: str = ""
    license_url: str = ""
    license_version: str = ""
    deployment_type: int | None = None
    product_type: str = ""
    product_description: str = ""
    extra_flags: int = 0
    extra_info: str = ""
    warning_at: datetime | None = None
    expires_at: datetime | None = None
    grace_until: datetime | None = None
    maintenance_until: datetime | None = None
    next_check_at: datetime | None = None
    customer: str = ""
    number: int | None = None
    issued_at: datetime | None = None
    key_id: str = ""
    public_key: str = ""
    signature: str = ""
    field_checks: str = ""
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    def line_of(self, name: str) -> int:
        """Returns the line on which an element of the header stood; the first where it did not."""
        return self.lines.get(name, 1)


def in_order(rows: Iterator[RowForm] | tuple[RowForm, ...] | list[RowForm]) -> tuple[RowForm, ...]:
    """Returns rows in the order that signatures follow: by sort order, then name and version."""
    return tuple(sorted(rows, key=lambda row: (row.sort_order, row.module_name, row.module_version)))


def spell_instant(at: datetime) -> str:
    """Returns an instant as the domain writes it: ISO without offset. The clock is UTC."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()


def spelled(form: PackageForm | RowForm) -> Spelled:
    """Returns the fields that stand in the canonical form, by name."""
    return {f.name: f.spell(getattr(form, f.attribute)) for f in fields_of(form) if f.is_present(form)}


def fields_of(form: PackageForm | RowForm) -> tuple[FormField, ...]:
    return HEADER if isinstance(form, PackageForm) else ROW


def hash_of(form: PackageForm | RowForm) -> str:
    """Returns the SHA-256 of the canonical form of a header or a row, hex. Signatures are no part of it."""
    return digest(canonical(spelled(form)))


def row_text(header: str, key_id: str, row: RowForm) -> str:
    """Returns what a row's own signature covers: the row, and the hash of the header that it belongs to."""
    return canonical({"form": "planarium-row-1", "header": header, "key": key_id, "row": hash_of(row)})


def package_text(form: PackageForm, header: str) -> str:
    """Returns what the package's signature covers: its header, and each row in sort order, its signature included."""
    rows = [
        digest(canonical({"row": hash_of(row), "signature": row.signature, "checks": row.field_checks}))
        for row in in_order(form.rows)
    ]
    told = {"form": "planarium-package-1", "header": header, "key": form.key_id, "rows": rows}
    return canonical(told | {"checks": form.field_checks})


def checks_of(form: PackageForm | RowForm) -> str:
    """Returns a short check per field, in the order of its table: by them a changed field is named.

    They are a help for people; what counts are the signatures, which cover them.
    """
    return " ".join(_check(f, form) for f in fields_of(form))


def changed_fields(form: PackageForm | RowForm) -> tuple[str, ...]:
    """Returns the names of the fields that are not what their checks say; none where there are no checks."""
    fields, told = fields_of(form), form.field_checks.split()
    if len(told) != len(fields):
        return ()
    return tuple(f.name for f, check in zip(fields, told, strict=True) if _check(f, form) != check)


def _check(f: FormField, form: PackageForm | RowForm) -> str:
    return digest(canonical({f.name: f.spell(getattr(form, f.attribute))}))[:CHECK_LENGTH]
