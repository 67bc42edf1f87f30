"""Packages as they are recorded → the form that is signed, and what of them can be trusted (Z-5 to Z-7).

Whoever edits a row behind the application's back can't sign it. A row that isn't what was signed gives nothing; where
the package itself isn't, all of it is as if it were not there. Never more than was issued, whatever somebody wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog

from licensing.errors import PackageDamaged
from licensing.keyring import OWN_KEYS
from licensing.models import ModuleLicense, Package, PackageSeal
from licensing.package_form import HEADER, ROW, PackageForm, RowForm
from licensing.package_xml import write_package
from licensing.signing import Break, Examined, examine

_LOG: Final = structlog.get_logger(__name__)

# The fields that stand in columns of the same name; the others are said by owner, customer and seal.
PACKAGE_COLUMNS: Final = tuple(
    f.attribute for f in HEADER if f.attribute not in ("owner_name", "owner_description", "license_url", "customer")
)
ROW_COLUMNS: Final = tuple(f.attribute for f in ROW if f.attribute not in ("owner_name", "solutions"))
SEALED: Final = ("owner", "customer", "seal")  # what `select_related` brings along for a package to be examined


def form_of(package: Package, rows: Iterable[ModuleLicense], seal: PackageSeal | None) -> PackageForm:
    """Returns what is recorded of a package, as its seal covers it; rows keep their order."""
    in_header, in_rows = _checks(seal)
    form = PackageForm(
        owner_name=package.owner.code,
        customer=package.customer.code,
        rows=tuple(_row(package, row, str(in_rows.get(row.module_name, ""))) for row in rows),
        **{name: getattr(package, name) for name in PACKAGE_COLUMNS},
    )
    if seal is None:
        return form
    return replace(
        form,
        owner_description=seal.owner_description,
        license_url=seal.license_url,
        key_id=seal.key_id,
        signature=seal.signature,
        field_checks=in_header,
    )


def _checks(seal: PackageSeal | None) -> tuple[str, dict[str, Any]]:
    """Returns the checks of the header and of the rows by module; none of what somebody made something else of."""
    checks = seal.checks if seal is not None and isinstance(seal.checks, dict) else {}
    rows = checks.get("rows")
    return str(checks.get("header", "")), rows if isinstance(rows, dict) else {}


def _row(package: Package, row: ModuleLicense, checks: str) -> RowForm:
    return RowForm(
        owner_name=package.owner.code,
        solutions=tuple(row.solutions) if isinstance(row.solutions, list) else (str(row.solutions),),
        signature=row.signature,
        field_checks=checks,
        **{name: getattr(row, name) for name in ROW_COLUMNS},
    )


def examine_recorded(package: Package, rows: Sequence[ModuleLicense]) -> Examined:
    """Returns what of a recorded package is as it was sealed; damage goes to the log.

    Costs no query where `package` has SEALED at hand and is sealed with a key that is known.
    """
    seal = seal_of(package)
    examined = examine(form_of(package, rows, seal), OWN_KEYS)
    strays = [row.module_name for row in rows if _is_astray(package, row)]
    if strays:  # what no signature says, since it is never told: whose row it is, and whether it is a plan's
        moved = tuple(Break(f"Row {name} is in the wrong place.", name, ("ModuleName",)) for name in strays)
        examined = Examined((*examined.breaks, *moved), header=False)
    if not examined.is_intact:
        _LOG.critical(
            "package_damaged",
            customer=package.customer.code,
            package=str(package),
            damage=[each.message for each in examined.breaks],
        )
    return examined


def _is_astray(package: Package, row: ModuleLicense) -> bool:
    return row.customer_id != package.customer_id or row.is_plan != (row.extra_flags == 1)


def seal_of(package: Package) -> PackageSeal | None:
    """Returns the package's seal; none before it was signed."""
    try:
        return package.seal
    except PackageSeal.DoesNotExist:
        return None


def trusted(package: Package, rows: Sequence[ModuleLicense]) -> list[ModuleLicense] | None:
    """Returns the rows that are as they were sealed; None where the package itself isn't."""
    examined = examine_recorded(package, rows)
    return [row for index, row in enumerate(rows) if index in examined.rows] if examined.header else None


def document_of(package: Package) -> bytes:
    """Returns a package as XML, signed: as it was issued or, where somebody else issued it, as it came (X-5).

    Raises PackageDamaged where the record isn't what was sealed.
    """
    rows = rows_of([package])[package.pk]
    seal = seal_of(package)
    examined = examine_recorded(package, rows)
    if seal is None or not examined.is_intact:
        raise PackageDamaged(str(package), [each.message for each in examined.breaks])
    if seal.document:
        return seal.document.encode()
    return write_package(replace(form_of(package, rows, seal), public_key=OWN_KEYS[seal.key_id].text))


def rows_of(packages: Iterable[Package]) -> dict[int, list[ModuleLicense]]:
    """Returns the rows of each package in sort order, by its id; each has its package at hand. One query."""
    by_id = {package.pk: package for package in packages}
    rows: dict[int, list[ModuleLicense]] = {pk: [] for pk in by_id}
    for row in ModuleLicense.objects.filter(package__in=by_id).order_by("package_id", "sort_order", "pk"):
        row.package = by_id[row.package_id]
        rows[row.package_id].append(row)
    return rows


def damaged_rows(packages: Sequence[Package]) -> set[int]:
    """Returns the ids of the rows of `packages` (with SEALED at hand) that aren't as they were sealed."""
    rows = rows_of(packages)
    good = {row.pk for package in packages for row in trusted(package, rows[package.pk]) or ()}
    return {row.pk for mine in rows.values() for row in mine} - good


def examine_many(packages: Sequence[Package]) -> dict[int, Examined]:
    """Returns what became of each package (with SEALED at hand), by id. One query for the rows of all."""
    rows = rows_of(packages)
    return {package.pk: examine_recorded(package, rows[package.pk]) for package in packages}
