"""Takes packages in from files: of partners, and of our own owner from elsewhere. All faults at once, or a package.

Nothing is trusted but a valid signature of the owner that the file names (Z-9). What a partner's rows give is frozen
now, from the published features that name their modules (X-6); what a partner says of features itself is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import Max

from catalog.kinds import BadValue
from catalog.models import Owner, Version
from customers import audit
from customers.actor import Actor
from customers.models import Customer
from licensing.compiling import Row, header_digest
from licensing.errors import BadPackage
from licensing.extra_info import parse_set
from licensing.facts import FeatureDef, full_name
from licensing.foreign_grants import by_module, frozen_grants
from licensing.keyring import keys_valid_at
from licensing.models import ModuleLicense, OwnerKey, OwnerPlan, Package, PackageSeal
from licensing.package_changes import ModuleChange, Supply, compare_supplies
from licensing.package_form import PackageForm, RowForm
from licensing.package_rules import faults_of
from licensing.package_xml import PackageFault, parse_package
from licensing.recorded import PACKAGE_COLUMNS
from licensing.selectors import grant_of, users_per_module
from licensing.services.commit import Commit, customer_commit
from licensing.services.packages import HEADER, Superfluous, license_of, put_in_force, superfluous_of, withdraw
from licensing.services.sealing import Origin, write_sealed
from licensing.signing import BadKey, examine, load_public_key
from licensing.term import PackageDates

_AS_ISSUED: Final = tuple(name for name in PACKAGE_COLUMNS if name not in ("number", "issued_at"))


@dataclass(frozen=True, slots=True)
class Imported:
    """The package written, or the one that says the same already (`is_known`); what it changes, what is in the way."""

    package: Package
    is_known: bool
    changes: tuple[ModuleChange, ...]
    superfluous: tuple[Superfluous, ...]
    warnings: tuple[PackageFault, ...]


def import_package(
    *,
    customer: Customer,
    actor: Actor,
    data: bytes,
    activate: bool = True,
    at: datetime | None = None,
    dry_run: bool = False,
) -> Imported:
    """Writes the package in `data` (XML) for a customer; with `activate` it becomes active if it fits (C-28, C-39).

    Raises BadPackage with every fault; then nothing is stored.
    """
    with customer_commit(customer=customer, actor=actor, cause="package.imported", at=at, dry_run=dry_run) as commit:
        form, warnings = _read(data, customer, commit.at)
        owner = Owner.objects.get(code=form.owner_name)
        digest = hashlib.sha256(data).hexdigest()
        known = PackageSeal.objects.filter(
            document_digest=digest, package__customer=customer, package__owner=owner
        ).order_by("-pk")
        changes = changes_of(customer, owner, form.rows, commit.at)
        newest = known.select_related("package__owner").first()
        package: Package
        if newest is not None and _counts(newest.package, commit.at):
            package = newest.package
            return Imported(package, True, tuple(changes), superfluous_of(package, commit.at), warnings)
        if newest is not None:
            message = f"This very file was taken in before, as {newest.package}, and other packages came after it."
            raise BadPackage([_told(PackageFault(1, "", message))])
        package = _write(commit, owner, form, Origin(**_origin(form), document=data.decode(), document_digest=digest))
        superfluous: Sequence[Superfluous] = superfluous_of(package, commit.at)
        if activate:
            superfluous = put_in_force(commit, package).superfluous
    return Imported(package, False, tuple(changes), tuple(superfluous), warnings)


def _counts(package: Package, at: datetime) -> bool:
    """Whether a package is in force at `at`, or waits to be."""
    return package.state == Package.State.PENDING or package.is_in_force(at)


def changes_of(customer: Customer, owner: Owner, rows: Iterable[RowForm], at: datetime) -> list[ModuleChange]:
    """Returns what rows would change against the owner's package in force at `at`."""
    active = ModuleLicense.objects.filter(customer=customer, package__owner=owner).active(at)
    before = {full_name(owner.code, row.module_name): _supply(row) for row in active.defer("grants")}
    after = {full_name(owner.code, row.module_name): _supply(row) for row in rows}
    return compare_supplies(before, after, users_per_module(customer, at))


def _supply(row: ModuleLicense | RowForm) -> Supply:
    total = None if row.unrestricted else row.license_number
    return Supply(row.module_description or row.module_name, total, row.license_type == ModuleLicense.Type.USER)


# ── Reading and judging ─────────────────────────────────────────────────────
def _read(data: bytes, customer: Customer, at: datetime) -> tuple[PackageForm, tuple[PackageFault, ...]]:
    """Returns a package without any fault, and what was left out of it. Raises BadPackage."""
    read = parse_package(data)
    faults = list(read.faults)
    warnings = list(read.warnings)
    form = read.form
    if form is not None:
        faults += [*faults_of(form), *_signature_faults(form, at), *_of_another_customer(form, customer)]
        if form.owner_name == settings.OWN_OWNER:
            faults += _grant_faults(form)
        else:
            form, left_out = _without_ours(form)
            warnings += left_out
        if form.company_name != customer.name:
            line = form.line_of("CompanyName")
            warnings.append(PackageFault(line, "CompanyName", f"{form.company_name!r}: we know {customer.name!r}."))
    try:
        data.decode()
    except UnicodeDecodeError:
        faults.append(PackageFault(1, "", "A package is UTF-8."))
    if faults or form is None:
        raise BadPackage([_told(fault) for fault in sorted(faults)], [_told(each) for each in sorted(warnings)])
    return form, tuple(sorted(warnings))


def _told(fault: PackageFault) -> dict[str, Any]:
    return {"line": fault.line, "field": fault.element, "message": fault.message}


def _signature_faults(form: PackageForm, at: datetime) -> list[PackageFault]:
    """Returns why it isn't a package that its owner signed with a key valid now (Z-3, Z-9)."""
    owner = Owner.objects.filter(code=form.owner_name).first()
    if owner is None:
        message = f"{form.owner_name} is not among the owners here."
        return [PackageFault(form.line_of("OwnerName"), "OwnerName", message)]
    keys = keys_valid_at(owner.code, at)
    if not keys:
        message = f"No key of {owner.code} is valid now."
        return [PackageFault(form.line_of("KeyId"), "KeyId", message)]
    examined = examine(with_key_id(form), keys)
    return [PackageFault(each.line, ", ".join(each.fields), each.message) for each in examined.breaks]


def with_key_id(form: PackageForm) -> PackageForm:
    """Returns the form with the id of its key: as it says, or that of the public key that it brings along."""
    if form.key_id or not form.public_key:
        return form
    try:
        return replace(form, key_id=load_public_key(form.public_key).key_id)
    except BadKey:
        return form


def _of_another_customer(form: PackageForm, customer: Customer) -> list[PackageFault]:
    """Returns why a package isn't this customer's: serial number (C-39) and, where it is named, the customer."""
    found = []
    if form.serial_number and customer.serial_number and form.serial_number != customer.serial_number:
        message = f"{form.serial_number} is not {customer.name}'s serial number, {customer.serial_number}."
        found.append(PackageFault(form.line_of("SerialNr"), "SerialNr", message))
    is_ours = form.owner_name == settings.OWN_OWNER  # a partner has codes of its own for its customers
    if is_ours and form.customer and form.customer.lower() != customer.code.lower():
        message = f"It was issued to {form.customer}, not to {customer.code}."
        found.append(PackageFault(form.line_of("Customer"), "Customer", message))
    return found


def _grant_faults(form: PackageForm) -> list[PackageFault]:
    """Returns what of our own rows' grants can't be read."""
    found = []
    for row in form.rows:
        for code, data in row.grants.items():
            try:
                grant_of(code, data)
            except (BadValue, KeyError, TypeError, AttributeError, ValueError):
                found.append(PackageFault(row.line, "Grants", f"{row.module_name}: {code} can't be read."))
    return found


def _without_ours(form: PackageForm) -> tuple[PackageForm, list[PackageFault]]:
    """Returns a partner's package without what it says of features: they follow from its modules alone (X-6)."""
    left_out = [
        PackageFault(row.line, "Grants", f"{row.module_name}: what it says of features is left out.")
        for row in form.rows
        if row.grants or row.offer_code
    ]
    bare: dict[str, Any] = {"offer_code": "", "version_number": None, "tier": "", "solutions": (), "grants": {}}
    return replace(form, number=None, rows=tuple(replace(row, **bare) for row in form.rows)), left_out


# ── Writing ─────────────────────────────────────────────────────────────────
def _origin(form: PackageForm) -> dict[str, Any]:
    return {
        "owner_description": form.owner_description,
        "license_url": form.license_url,
        "issuer_key": OwnerKey.objects.filter(key_id=with_key_id(form).key_id).first(),
    }


def _write(commit: Commit, owner: Owner, form: PackageForm, origin: Origin) -> Package:
    mine = Package.objects.filter(customer=commit.customer, owner=owner)
    withdraw(commit, mine.pending())
    rows = _completed(owner, form)
    checks = [row.check(version) for row, version, _ in rows]
    dates = PackageDates(form.warning_at, form.expires_at, form.grace_until)
    package: Package = Package.objects.create(
        customer=commit.customer,
        owner=owner,
        number=(mine.aggregate(last=Max("number"))["last"] or 0) + 1,
        state=Package.State.PENDING,
        issued_at=commit.at,
        digest=header_digest({**{name: getattr(form, name) for name in HEADER}, **dates.as_json()}, checks),
        **{name: getattr(form, name) for name in _AS_ISSUED},
    )
    licenses = []
    for row, version, allowed in rows:
        made = license_of(package, row, commit.at)
        made.module_version, made.allowed_user_type, made.encrypted_check = version, allowed, row.check(version)
        licenses.append(made)
    write_sealed(package, licenses, at=commit.at, origin=origin)
    commit.changed()
    audit.record(
        actor=commit.actor,
        action="package.imported",
        object_type="package",
        object_code=str(package),
        customer=commit.customer,
        changes={"rows": len(licenses), "key": with_key_id(form).key_id, "document": origin.document_digest},
        at=commit.at,
    )
    return package


def _completed(owner: Owner, form: PackageForm) -> list[tuple[Row, str, str]]:
    """Returns the rows to write with module version and user type: with what they grant, and what their plans cover.

    Our own packages say so themselves; of others it is worked out now, and frozen.
    """
    if form.number is not None:
        return [
            (_row(row, row.grants, row.solutions, row.tier), row.module_version, row.allowed_user_type)
            for row in form.rows
        ]
    naming = by_module(published_features())
    plans = {
        plan.module_name: plan
        for plan in OwnerPlan.objects.filter(owner=owner).select_related("tier").prefetch_related("solutions")
    }
    found = []
    for row in form.rows:
        name = full_name(owner.code, row.module_name)
        carried = {name} | {
            full_name(owner.code, hidden) for hidden in (parse_set(row.extra_info) if row.is_plan else ())
        }
        features = {feature.code: feature for module in carried for feature in naming.get(module, ())}
        grants = frozen_grants(features.values(), carried, name)
        plan = plans.get(row.module_name) if row.is_plan else None
        solutions = tuple(solution.code for solution in plan.solutions.all()) if plan else ()
        tier = plan.tier.code if plan and plan.tier else ""
        found.append((_row(row, grants, solutions, tier), row.module_version, row.allowed_user_type))
    return found


def _row(form: RowForm, grants: Any, solutions: Sequence[str], tier: str) -> Row:
    version = None
    if form.offer_code and form.version_number:
        frozen = Version.objects.frozen().filter(offer__code=form.offer_code, number=form.version_number).first()
        version = frozen.pk if frozen is not None and frozen.content["features"] == dict(grants) else None
    return Row(
        module_name=form.module_name,
        module_description=form.module_description,
        tooltip=form.tooltip,
        license_type=form.license_type,
        license_number=form.license_number,
        unrestricted=form.unrestricted,
        hidden=form.hidden,
        prerequisite_module=form.prerequisite_module,
        extra_flags=form.extra_flags,
        extra_info=form.extra_info,
        sort_order=form.sort_order,
        version_id=version,
        version_number=form.version_number,
        offer_code=form.offer_code,
        is_plan=form.is_plan,
        tier=tier,
        solutions=list(solutions),
        grants=dict(grants),
    )


def published_features() -> list[FeatureDef]:
    """Returns every published feature as its newest version froze it."""
    found: dict[str, FeatureDef] = {}
    versions = Version.objects.frozen().order_by("-published_at", "-pk").values_list("content", flat=True)
    for content in versions.iterator(chunk_size=20):
        for code, data in content["features"].items():
            found.setdefault(code, FeatureDef.from_json(code, data))
    return [found[code] for code in sorted(found)]
