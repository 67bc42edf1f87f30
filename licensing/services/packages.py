"""Issues packages from the items in force, and activates them by themselves when they fit (C-26 to C-28)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Max

from catalog.models import Owner
from customers import audit, outbox
from customers.actor import Actor
from customers.models import Customer, Membership
from licensing.compiling import CompiledItem, Row, compile_rows, header_digest
from licensing.errors import NothingToActivate, WouldNotFit
from licensing.facts import full_name
from licensing.models import ModuleLicense, Package, Seat, Subscription, SubscriptionItem
from licensing.services.commit import Commit, customer_commit
from licensing.services.periods import rewrite_customer

HOLDERS_NAMED = 20
HEADER = ("company_name", "serial_number", "license_version", "product_type", "product_description")


@dataclass(frozen=True, slots=True)
class Superfluous:
    """A module with fewer seats in the new package than are held; `holders` names up to 20 users, newest seat first."""

    module: str
    in_use: int
    new_total: int
    remove: int
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Issued:
    """The package written (none: nothing has changed) and, where it stays pending, what is in the way."""

    package: Package | None
    superfluous: tuple[Superfluous, ...] = ()


def issue_package(commit: Commit, subscription: Subscription) -> Issued:
    """Compiles the items in force into the own owner's next package, and activates it if it fits.

    An equal active package stays; a pending one that the items overtake is withdrawn.
    """
    owner = Owner.objects.get(code=settings.OWN_OWNER)
    rows = compile_rows(_items(commit))
    header = _header(commit.customer)
    key = header_digest(header, [row.check(settings.LICENSE_VERSION) for row in rows])
    mine = Package.objects.filter(customer=commit.customer, owner=owner)
    withdrawn = _withdraw(commit, mine.filter(state=Package.State.PENDING))
    if mine.active().filter(digest=key).exists():
        if withdrawn:
            commit.changed()
        return Issued(None)
    package = Package.objects.create(
        customer=commit.customer,
        owner=owner,
        number=(mine.aggregate(last=Max("number"))["last"] or 0) + 1,
        state=Package.State.PENDING,
        issued_at=commit.at,
        subscription=subscription,
        digest=key,
        deployment_type=1,
        **header,
    )
    ModuleLicense.objects.bulk_create([license_of(package, row, commit.at) for row in rows])
    commit.changed()
    _record(commit, "package.issued", package, None)
    superfluous = superfluous_of(package)
    if superfluous:
        _tell_admins(commit, package, superfluous)
        return Issued(package, superfluous)
    _activate(commit, package)
    return Issued(package)


def activate_package(*, customer: Customer, actor: Actor, owner: str | None = None, dry_run: bool = False) -> Package:
    """Activates the pending package once it fits. Raises NothingToActivate, WouldNotFit."""
    with customer_commit(customer=customer, actor=actor, cause="package.activated", dry_run=dry_run) as commit:
        code = owner or settings.OWN_OWNER
        pending = Package.objects.filter(customer=customer, owner__code__iexact=code, state=Package.State.PENDING)
        package: Package | None = pending.select_related("owner").first()
        if package is None:
            raise NothingToActivate(
                f"No package of {code} is pending.",
                blocking={"kind": "owner", "code": code},
                next_action="Nothing needs to be done: the newest package is active.",
            )
        superfluous = superfluous_of(package)
        if superfluous:
            raise WouldNotFit(str(package), [asdict(row) for row in superfluous])
        _activate(commit, package)
    return package


def superfluous_of(package: Package) -> tuple[Superfluous, ...]:
    """Returns the modules of the owner of which more seats are held than `package` has (C-27); empty when it fits."""
    held = Seat.objects.held().filter(customer=package.customer_id, owner=package.owner_id)
    counts = dict(held.order_by().values_list("module_name").annotate(n=Count("pk")))
    rows = {row.module_name: row for row in ModuleLicense.objects.filter(package=package).assignable()}
    found = []
    for name, in_use in sorted(counts.items()):
        row = rows.get(name)
        total = row.license_number if row is not None else 0
        if in_use > total and not (row is not None and row.unrestricted):
            newest = held.filter(module_name=name).order_by("-assigned_at", "-pk")
            holders = tuple(newest.values_list("user__code", flat=True)[:HOLDERS_NAMED])
            module = full_name(package.owner.code, name)
            found.append(Superfluous(module, in_use, total, in_use - total, holders))
    return tuple(found)


def _activate(commit: Commit, package: Package) -> None:
    """Makes `package` the active one: the old one ends at the same stamp, and every answer is written anew."""
    for old in Package.objects.active().filter(customer=commit.customer, owner=package.owner):
        old.owner, was = package.owner, old.state
        old.state, old.ended_at = Package.State.SUPERSEDED, commit.at
        old.save(update_fields=["state", "ended_at"])
        _record(commit, "package.superseded", old, was)
    was, package.state = package.state, Package.State.ACTIVE
    package.activated_at = commit.at
    package.save(update_fields=["state", "activated_at"])
    commit.changed()
    rewrite_customer(commit)
    _record(commit, "package.activated", package, was)


def _withdraw(commit: Commit, pending: Any) -> bool:
    """Withdraws the packages that wait; returns whether there were any."""
    packages = list(pending.select_related("owner"))
    for package in packages:
        was, package.state = package.state, Package.State.WITHDRAWN
        package.save(update_fields=["state"])
        _record(commit, "package.withdrawn", package, was)
    return bool(packages)


def _items(commit: Commit) -> list[CompiledItem]:
    items = SubscriptionItem.objects.filter(customer=commit.customer).in_force(commit.at).select_related("version")
    return compiled_items(items)


def compiled_items(items: Iterable[SubscriptionItem]) -> list[CompiledItem]:
    """Returns what `compile_rows` is told of items (with their versions at hand): those of one version add up."""
    quantities: dict[int, int] = {}
    versions: dict[int, Any] = {}
    for item in items:
        versions[item.version_id] = item.version
        quantities[item.version_id] = quantities.get(item.version_id, 0) + item.quantity
    return [CompiledItem(pk, versions[pk].number, n, versions[pk].content) for pk, n in quantities.items()]


def _header(customer: Customer) -> dict[str, str]:
    return {
        "company_name": customer.name,
        "serial_number": customer.serial_number,
        "license_version": settings.LICENSE_VERSION,
        "product_type": "planarium",
        "product_description": "User plans",
    }


def license_of(package: Package, row: Row, registered: datetime) -> ModuleLicense:
    """Returns the record, not yet saved, that a compiled row makes in a package."""
    fields = {name: getattr(row, name) for name in row.__slots__ if name != "order"}
    return ModuleLicense(
        package=package,
        customer_id=package.customer_id,
        module_version=package.license_version,
        allowed_user_type=row.allowed_user_type,
        encrypted_check=row.check(package.license_version),
        registered=registered,
        **fields,
    )


def _record(commit: Commit, action: str, package: Package, was: str | None) -> None:
    audit.record(
        actor=commit.actor,
        action=action,
        object_type="package",
        object_code=str(package),
        customer=commit.customer,
        changes={"state": [was, package.state], "digest": package.digest},
        at=commit.at,
    )


def _tell_admins(commit: Commit, package: Package, superfluous: Sequence[Superfluous]) -> None:
    """Mails the customer's admins that a package waits for seats to be released."""
    admins = Membership.objects.filter(customer=commit.customer, role=Membership.Role.ADMIN)
    addresses = list(admins.order_by("account__email").values_list("account__email", flat=True))
    if not addresses:
        return
    lines = [
        f"- {row.module}: {row.in_use} in use, {row.new_total} in the new package: remove {row.remove}"
        for row in superfluous
    ]
    outbox.enqueue(
        topic="mail",
        payload={
            "to": addresses,
            "subject": f"{commit.customer.name}: new licences wait for you",
            "text": "A new package has fewer seats than are in use. The present one stays in force until you "
            "release these:\n\n" + "\n".join(lines) + "\n",
        },
        customer=commit.customer,
        at=commit.at,
    )
