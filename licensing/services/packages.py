"""Compiles packages from the items in force, writes them, and makes them active when they fit (C-26 to C-28)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Max
from django.db.models.functions import Lower

from catalog.models import Owner
from customers import audit, outbox
from customers.models import Customer, CustomerUser, Membership
from licensing.compiling import CompiledItem, Row, compile_rows, header_digest
from licensing.facts import full_name
from licensing.models import ChangeSet, ModuleLicense, Package, Seat, Subscription, SubscriptionItem
from licensing.recorded import SEALED
from licensing.selectors import seats_held
from licensing.services.change_sets import UserOutcome, write_outcomes
from licensing.services.ledger import Commit
from licensing.services.periods import rewrite_customer
from licensing.services.sealing import is_sound, write_sealed
from licensing.term import PackageDates, dates_ending

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


@dataclass(frozen=True, slots=True)
class Compiled:
    """A package worked out and not yet written: what is licensed, until when, and the digest of both."""

    rows: tuple[Row, ...]
    header: Mapping[str, str]
    dates: PackageDates
    digest: str

    def equals(self, package: Package) -> bool:
        """Whether `package` says the very same."""
        dates = PackageDates(package.warning_at, package.expires_at, package.grace_until)
        return self.digest == package.digest and self.dates == dates


def issue_package(
    commit: Commit, subscription: Subscription, *, release: Mapping[str, Collection[str]] | None = None
) -> Issued:
    """Compiles the items in force into the own owner's next package, and activates it if it fits.

    An equal active package stays, unless somebody edited it; a pending one that the items overtake is withdrawn. With
    `release` (`owner.module` → user codes) it is made to fit: those users' seats are released, and the newest ones
    until the count fits.
    """
    commit.moves_contract = True
    owner = own_owner()
    items = SubscriptionItem.objects.filter(customer=commit.customer).in_force(commit.at).select_related("version")
    compiled = compile_package(commit.customer, compiled_items(items), dates_ending(subscription.ends_at))
    mine = Package.objects.filter(customer=commit.customer, owner=owner)
    waiting = mine.pending().select_related(*SEALED).first()
    if waiting is not None and not says(waiting, compiled, commit):
        withdraw(commit, mine.pending())
        waiting = None
    present = mine.active(commit.at).select_related(*SEALED).first()
    if (present is None and not compiled.rows) or (present is not None and says(present, compiled, commit)):
        return Issued(None)
    package = waiting or write_package(commit, subscription, owner, compiled, Package.State.PENDING)
    return put_in_force(commit, package, release=release, is_new=waiting is None)


def says(package: Package, compiled: Compiled, commit: Commit) -> bool:
    """Whether `package` (with SEALED at hand) says the very same, and nobody has edited it since it was sealed."""
    return compiled.equals(package) and is_sound(package, actor=commit.actor, at=commit.at)


def put_in_force(
    commit: Commit,
    package: Package,
    *,
    release: Mapping[str, Collection[str]] | None = None,
    is_new: bool = True,
) -> Issued:
    """Activates a package if it fits, with `release` made to; otherwise it stays pending, and the admins are told."""
    superfluous = superfluous_of(package, commit.at)
    if superfluous and release is not None:
        release_seats(commit, seats_to_release(package, _named(commit, release), commit.at), f"Released for {package}.")
        superfluous = superfluous_of(package, commit.at)
    if superfluous:
        if is_new:
            _tell_admins(commit, package, superfluous)
        return Issued(package, superfluous)
    activate(commit, package)
    return Issued(package)


def own_owner() -> Owner:
    owner: Owner = Owner.objects.get(code=settings.OWN_OWNER)
    return owner


def compile_package(customer: Customer, items: Iterable[CompiledItem], dates: PackageDates) -> Compiled:
    """Returns the package that `items` make, with the header of the customer as it is called now."""
    rows = tuple(compile_rows(items))
    header = _header(customer)
    key = header_digest({**header, **dates.as_json()}, [row.check(settings.LICENSE_VERSION) for row in rows])
    return Compiled(rows, header, dates, key)


def write_package(
    commit: Commit,
    subscription: Subscription,
    owner: Owner,
    compiled: Compiled,
    state: str,
    *,
    activated_at: datetime | None = None,
    ended_at: datetime | None = None,
) -> Package:
    """Writes the package under the next number, signed. Raises NoSigningKey."""
    mine = Package.objects.filter(customer=commit.customer, owner=owner)
    package: Package = Package.objects.create(
        customer=commit.customer,
        owner=owner,
        number=(mine.aggregate(last=Max("number"))["last"] or 0) + 1,
        state=state,
        issued_at=commit.at,
        activated_at=activated_at,
        ended_at=ended_at,
        subscription=subscription,
        digest=compiled.digest,
        deployment_type=1,
        warning_at=compiled.dates.warning_at,
        expires_at=compiled.dates.expires_at,
        grace_until=compiled.dates.grace_until,
        **compiled.header,
    )
    write_sealed(package, [license_of(package, row, commit.at) for row in compiled.rows], at=commit.at)
    commit.changed()
    record(commit, "package.issued", package, None)
    return package


def superfluous_of(package: Package, at: datetime) -> tuple[Superfluous, ...]:
    """Returns the modules of which more seats are held at `at` than `package` has (C-27); none where it fits."""
    found = []
    for name, (in_use, total) in _over(package, at).items():
        newest = _held(package, at).filter(module_name=name).order_by("-assigned_at", "-pk")
        holders = tuple(newest.values_list("user__code", flat=True)[:HOLDERS_NAMED])
        module = full_name(package.owner.code, name)
        found.append(Superfluous(module, in_use, total, in_use - total, holders))
    return tuple(found)


def seats_to_release(package: Package, named: Mapping[str, Collection[int]], at: datetime) -> list[Seat]:
    """Returns the seats to release at `at` so that `package` fits: those `named` (module name → user ids) that are
    still held, and where that doesn't do, the newest ones of the module (P-13)."""
    found: list[Seat] = []
    over = _over(package, at)
    for name in sorted(over.keys() | named.keys()):
        held = _held(package, at).filter(module_name=name)
        chosen = list(held.filter(user__in=named.get(name, ())))
        in_use, total = over.get(name, (0, 0))
        missing = in_use - total - len(chosen)
        if missing > 0:
            others = held.exclude(pk__in=[seat.pk for seat in chosen])
            chosen += others.order_by("-assigned_at", "-pk")[:missing]
        found += chosen
    return found


def release_seats(commit: Commit, seats: Sequence[Seat], reason: str) -> ChangeSet | None:
    """Releases `seats` at once, in one change set."""
    users = {
        user.pk: user
        for user in CustomerUser.objects.filter(pk__in={seat.user_id for seat in seats}).select_related("customer")
    }
    held = seats_held(list(users), commit.at)
    gone: dict[int, set[str]] = {pk: set() for pk in users}
    for seat in seats:
        gone[seat.user_id].add(seat.full_name)
    outcomes = [UserOutcome(user, frozenset(held[pk]), frozenset(held[pk]) - gone[pk]) for pk, user in users.items()]
    return write_outcomes(commit, outcomes, held, reason)


def named_seats(commit: Commit, package: Package, release: Mapping[str, Collection[str]]) -> list[Seat]:
    """Returns the seats of the package's owner that are named (`owner.module` → user codes) and held."""
    found: list[Seat] = []
    for name, users in _named(commit, release).items():
        found += _held(package, commit.at).filter(module_name=name, user__in=users)
    return found


def _over(package: Package, at: datetime) -> dict[str, tuple[int, int]]:
    """Returns per module name of which too many seats are held, how many that is, and how many there would be."""
    counts = dict(_held(package, at).order_by().values_list("module_name").annotate(n=Count("pk")))
    rows = {row.module_name: row for row in ModuleLicense.objects.filter(package=package).assignable().defer("grants")}
    totals = {name: row.license_number for name, row in rows.items()}
    free = {name for name, row in rows.items() if row.unrestricted}
    return {
        name: (in_use, totals.get(name, 0))
        for name, in_use in sorted(counts.items())
        if name not in free and in_use > totals.get(name, 0)
    }


def _held(package: Package, at: datetime) -> Any:
    held = Seat.objects.held(at).filter(customer=package.customer_id, owner=package.owner_id)
    return held.select_related("owner")


def _named(commit: Commit, release: Mapping[str, Collection[str]]) -> dict[str, list[int]]:
    """Returns user ids by bare module name."""
    codes = {code.lower() for users in release.values() for code in users}
    users = CustomerUser.objects.of(commit.customer).annotate(lowered=Lower("code")).filter(lowered__in=codes)
    ids = {user.code.lower(): user.pk for user in users}
    return {
        module.partition(".")[2] or module: [ids[code.lower()] for code in codes if code.lower() in ids]
        for module, codes in release.items()
    }


def activate(commit: Commit, package: Package) -> None:
    """Makes `package` the active one: the old one ends at the same stamp, and every answer is written anew."""
    commit.moves_contract = True
    mine = Package.objects.filter(customer=commit.customer, owner=package.owner)
    supersede(commit, mine.active(commit.at))
    # What is scheduled follows upon this one now, until the end of the commit derives it anew.
    following = mine.scheduled().order_by("activated_at").first()
    was, package.state = package.state, Package.State.ACTIVE
    package.activated_at = commit.at
    package.ended_at = None if following is None else following.activated_at
    package.save(update_fields=["state", "activated_at", "ended_at"])
    commit.changed()
    rewrite_customer(commit)
    record(commit, "package.activated", package, was)


def supersede(commit: Commit, packages: Any) -> None:
    """Ends the packages in force: others take their place, or none."""
    for old in packages.select_related("owner"):
        was = old.state
        old.state, old.ended_at = Package.State.SUPERSEDED, commit.at
        old.save(update_fields=["state", "ended_at"])
        record(commit, "package.superseded", old, was)


def withdraw(commit: Commit, packages: Any) -> bool:
    """Withdraws packages that wait or are scheduled; returns whether there were any."""
    found = list(packages.select_related("owner"))
    for package in found:
        was, package.state = package.state, Package.State.WITHDRAWN
        package.activated_at = package.ended_at = None
        package.save(update_fields=["state", "activated_at", "ended_at"])
        record(commit, "package.withdrawn", package, was)
    if found:
        commit.changed()
    return bool(found)


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


def record(commit: Commit, action: str, package: Package, was: str | None) -> None:
    """Writes into the trail that a package is in another state."""
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
