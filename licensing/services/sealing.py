"""Signs what is recorded: packages as they are written, and those that were written before anything was signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from catalog.models import Owner
from customers import audit
from customers.actor import SYSTEM, Actor
from customers.models import AuditEvent
from licensing.errors import PackageDamaged
from licensing.models import ModuleLicense, OwnerKey, Package, PackageSeal
from licensing.own_key import own_key
from licensing.package_form import PackageForm
from licensing.recorded import SEALED, examine_recorded, form_of, rows_of
from licensing.signing import Break, PublicKey, sign_package

BATCH = 100


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an imported package comes from: how its owner calls itself there, its key, and the file."""

    owner_description: str = ""
    license_url: str = ""
    issuer_key: OwnerKey | None = None
    document: str = ""
    document_digest: str = ""


def write_sealed(
    package: Package, rows: Sequence[ModuleLicense], *, at: datetime, origin: Origin | None = None
) -> PackageSeal:
    """Writes the rows of a package just created, signed, and its seal (Z-5). Raises NoSigningKey."""
    came = origin or Origin(owner_description=package.owner.name, license_url=package.owner.license_url)
    seal = PackageSeal(
        package=package,
        owner_description=came.owner_description,
        license_url=came.license_url,
        issuer_key=came.issuer_key,
        document=came.document,
        document_digest=came.document_digest,
        sealed_at=at,
    )
    signed = _sign(package, rows, seal)
    by_name = {row.module_name: row.signature for row in signed.rows}
    for row in rows:
        row.signature = by_name[row.module_name]
    ModuleLicense.objects.bulk_create(rows)
    seal.save(force_insert=True)
    return seal


def _sign(package: Package, rows: Sequence[ModuleLicense], seal: PackageSeal) -> PackageForm:
    """Fills in the seal's signature; returns the package as signed."""
    key = own_key()
    record_own_key(key.public, at=seal.sealed_at)
    signed = sign_package(form_of(package, rows, seal), key)
    seal.key_id, seal.signature = signed.key_id, signed.signature
    seal.checks = {
        "header": signed.field_checks,
        "rows": {row.module_name: row.field_checks for row in signed.rows},
    }
    return signed


def record_own_key(key: PublicKey, *, at: datetime) -> OwnerKey:
    """Returns our public key as it stands in the keyring; the first package that it signs puts it there."""
    row: OwnerKey
    row, is_new = OwnerKey.objects.get_or_create(
        key_id=key.key_id,
        defaults={
            "owner": Owner.objects.get(code=settings.OWN_OWNER),
            "public_key": key.text,
            "valid_from": at,
        },
    )
    if is_new:
        audit.record(actor=SYSTEM, action="key.registered", object_type="owner_key", object_code=key.key_id, at=at)
    return row


def is_sound(package: Package, *, actor: Actor, at: datetime) -> bool:
    """Whether a package is as it was sealed; if not, log and audit trail tell of it."""
    examined = examine_recorded(package, rows_of([package])[package.pk])
    if not examined.is_intact:
        record_damage(package, examined.breaks, actor=actor, at=at)
    return examined.is_intact


def refuse_damaged(package: Package) -> None:
    """Raises PackageDamaged where a package isn't what was sealed."""
    examined = examine_recorded(package, rows_of([package])[package.pk])
    if not examined.is_intact:
        raise PackageDamaged(str(package), [each.message for each in examined.breaks])


def unsealed() -> Any:
    """Returns the packages that nobody has signed yet."""
    return Package.objects.filter(seal=None)


def seal_earlier(*, at: datetime, progress: Callable[[int], None] = lambda done: None) -> int:
    """Signs what was recorded before anything was signed; returns how many packages.

    One transaction a package: interrupted, it goes on where it stopped; run again, it finds nothing to do (Z-8).
    """
    done = 0
    while batch := list(unsealed().order_by("pk").select_related("owner", "customer")[:BATCH]):
        for package in batch:
            _seal_one(package, at)
            done += 1
            progress(done)
    return done


@transaction.atomic
def _seal_one(package: Package, at: datetime) -> None:
    Package.objects.select_for_update().get(pk=package.pk)
    if PackageSeal.objects.filter(package=package).exists():
        return  # somebody else runs this, too
    rows = rows_of([package])[package.pk]
    seal = PackageSeal(
        package=package,
        owner_description=package.owner.name,
        license_url=package.owner.license_url,
        sealed_at=at,
    )
    signatures = {row.module_name: row.signature for row in _sign(package, rows, seal).rows}
    for row in rows:
        ModuleLicense.objects.filter(pk=row.pk).update(signature=signatures[row.module_name])
    seal.save(force_insert=True)


@dataclass(frozen=True, slots=True)
class Damage:
    package: Package
    breaks: tuple[Break, ...]


def verify_all(*, actor: Actor, at: datetime, progress: Callable[[int], None] = lambda done: None) -> Iterator[Damage]:
    """Yields every recorded package that isn't what was sealed; each goes to the log and, once, to the audit trail."""
    packages = Package.objects.select_related(*SEALED).order_by("pk")
    for done, package in enumerate(packages.iterator(chunk_size=BATCH), start=1):
        examined = examine_recorded(package, rows_of([package])[package.pk])
        if not examined.is_intact:
            record_damage(package, examined.breaks, actor=actor, at=at)
            yield Damage(package, examined.breaks)
        progress(done)


def record_damage(package: Package, breaks: Sequence[Break], *, actor: Actor, at: datetime) -> None:
    """Writes into the audit trail that a package was found damaged, unless the last word there is the same."""
    told = {"damage": [each.message for each in breaks]}
    known = AuditEvent.objects.filter(
        action="package.damaged", object_type="package", object_code=str(package), customer=package.customer
    ).first()
    if known is None or known.changes != told:
        audit.record(
            actor=actor,
            action="package.damaged",
            object_type="package",
            object_code=str(package),
            customer=package.customer,
            changes=told,
            at=at,
        )
