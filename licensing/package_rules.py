"""What a licence package has to be: every fault of one, with the line of the row (C-3, C-5, C-10 to C-16, C-24, C-35).

Pure. Whose signature it carries, and whether it may be taken in, is asked elsewhere.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from catalog.reserved import reserved_module, reserved_owner
from licensing.extra_info import BadExtraInfo, is_user_plan, parse_set
from licensing.package_form import PackageForm, RowForm
from licensing.package_xml import PackageFault

OWNER: Final = re.compile(r"[A-Z0-9]{1,239}\Z")
MODULE: Final = re.compile(r"[a-z0-9](?:[a-z0-9 -]*[a-z0-9])?\Z")
USER: Final = 3


def faults_of(form: PackageForm) -> list[PackageFault]:
    """Returns everything that is wrong with a package, by line; empty when it is sound."""
    found = [*_header(form), *_dates(form), *_doubled(form)]
    rows = {row.module_name: row for row in form.rows}
    for row in form.rows:
        found += [PackageFault(row.line, name, message) for name, message in _row(form, row, rows)]
    found += _supply(form, rows)
    found += _cycles(rows)
    return sorted(found)


def _header(form: PackageForm) -> Iterator[PackageFault]:
    line = form.line_of("OwnerName")
    if not OWNER.match(form.owner_name):
        yield PackageFault(line, "OwnerName", f"{form.owner_name!r}: an owner is upper-case letters and digits.")
    elif (why := reserved_owner(form.owner_name)) is not None:
        yield PackageFault(line, "OwnerName", why)


def _dates(form: PackageForm) -> Iterator[PackageFault]:
    """Yields what is wrong with the dates (C-35). What expires says when it stops; otherwise it never would."""
    if form.expires_at is None and form.grace_until is not None:
        yield PackageFault(form.line_of("GraceDate"), "GraceDate", "A grace without an ExpiryDate.")
    if form.expires_at is not None and form.grace_until is None:
        yield PackageFault(
            form.line_of("ExpiryDate"), "GraceDate", "It expires, but GraceDate, when it stops, is missing."
        )
    if form.expires_at is not None and form.grace_until is not None and form.grace_until < form.expires_at:
        yield PackageFault(form.line_of("GraceDate"), "GraceDate", "It lies before ExpiryDate.")
    if form.warning_at is not None and form.expires_at is not None and form.warning_at > form.expires_at:
        yield PackageFault(form.line_of("AdminWarningDate"), "AdminWarningDate", "It lies after ExpiryDate.")


def _doubled(form: PackageForm) -> Iterator[PackageFault]:
    """Yields rows about a module that another row is about (C-5); two versions of one would be one seat too many."""
    names = Counter(row.module_name.lower() for row in form.rows)
    for row in form.rows:
        if names[row.module_name.lower()] > 1:
            yield PackageFault(row.line, "ModuleName", f"{row.module_name} stands here more than once.")


def _row(form: PackageForm, row: RowForm, rows: Mapping[str, RowForm]) -> Iterator[tuple[str, str]]:
    """Yields (element, message) of one row."""
    if row.owner_name != form.owner_name:
        yield "OwnerName", f"{row.owner_name!r}: the package is {form.owner_name}'s, and nobody issues for another."
    if not MODULE.match(row.module_name):
        yield "ModuleName", f"{row.module_name!r}: a module is lower-case letters, digits and hyphens."
    elif (why := reserved_module(row.module_name)) is not None:
        yield "ModuleName", why
    if row.license_number < 1:
        yield "NumberOfLicenses", f"{row.module_name} has 0; it is at least 1, also when unrestricted."
    yield from _plan(row, rows)
    yield from _prerequisite(row, rows)


def _plan(row: RowForm, rows: Mapping[str, RowForm]) -> Iterator[tuple[str, str]]:
    """Yields what is wrong with flag and set (C-11), and with the names in the set (C-15)."""
    try:
        plan = is_user_plan(row.extra_flags, row.extra_info)
        names = parse_set(row.extra_info) if row.extra_info else ()
    except BadExtraInfo as fault:
        yield "ExtraInfo", f"{row.module_name}: {fault}"
        return
    if plan and row.license_type != USER:
        yield "LicenseType", f"{row.module_name} has a set, so it is a UserLicense."
    for name in names:
        named = rows.get(name)
        if named is None:
            yield "ExtraInfo", f"{row.module_name} names {name}, which is not in the package."
        elif named.license_type != USER:
            yield "ExtraInfo", f"{row.module_name} names {name}, which is no UserLicense."
        elif not named.hidden:
            yield "ExtraInfo", f"{row.module_name} names {name}, which is not hidden."


def _prerequisite(row: RowForm, rows: Mapping[str, RowForm]) -> Iterator[tuple[str, str]]:
    if row.prerequisite_module and row.prerequisite_module not in rows:
        yield (
            "PrerequisiteModuleName",
            f"{row.module_name} needs {row.prerequisite_module}, which is not in the package.",
        )


def _sets(rows: Mapping[str, RowForm]) -> Iterator[tuple[RowForm, tuple[str, ...]]]:
    """Yields the plans with what they switch on, as far as that can be read."""
    for row in rows.values():
        if row.is_plan:
            try:
                yield row, parse_set(row.extra_info)
            except BadExtraInfo:
                continue


def _supply(form: PackageForm, rows: Mapping[str, RowForm]) -> Iterator[PackageFault]:
    """Yields the restricted modules that the plans containing them outnumber (C-16)."""
    needed: dict[str, int] = defaultdict(int)
    without_limit: dict[str, str] = {}
    for plan, names in _sets(rows):
        for name in names:
            needed[name] += plan.license_number
            if plan.unrestricted:
                without_limit[name] = plan.module_name
    for name, total in needed.items():
        row = rows.get(name)
        if row is None or row.unrestricted:
            continue
        if name in without_limit:
            message = f"{name} is restricted, but {without_limit[name]}, which contains it, is not."
            yield PackageFault(row.line, "Unrestricted", message)
        elif row.license_number < total:
            message = f"{row.license_number} of {name}, but the plans that contain it are {total}."
            yield PackageFault(row.line, "NumberOfLicenses", message)


def _cycles(rows: Mapping[str, RowForm]) -> Iterator[PackageFault]:
    """Yields the rows whose prerequisites lead back to themselves (C-24)."""
    for row in rows.values():
        seen: set[str] = set()
        name = row.prerequisite_module
        while name in rows and name not in seen and name != row.module_name:
            seen.add(name)
            name = rows[name].prerequisite_module
        if name == row.module_name:
            yield PackageFault(row.line, "PrerequisiteModuleName", f"{name} needs itself, over what it needs.")
