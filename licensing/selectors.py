"""ORM → facts: the mark where the database stops and `resolve` begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, F, QuerySet
from django.db.models.functions import Lower

from customers.conditions import AnyOf
from customers.models import Customer, CustomerUser
from licensing import facts as f
from licensing.cohort import Cohort
from licensing.extra_info import parse_set
from licensing.models import (
    Holding,
    HoldingPeriod,
    ModuleLicense,
    Override,
    Package,
    Seat,
    SubscriptionItem,
    UserPeriod,
)
from licensing.recorded import SEALED, rows_of, trusted
from licensing.resolution import canonical, digest

_FEW: Final = 100


@dataclass(frozen=True)
class Timeline:
    """What is known at `start` of a customer's packages and overrides, from then on (`ahead`: and scheduled)."""

    start: datetime
    packages: tuple[Package, ...]
    rows: tuple[ModuleLicense, ...]
    overrides: tuple[Override, ...]  # the customer's own

    @property
    def own_owner(self) -> str:
        return str(settings.OWN_OWNER)

    def boundaries(self) -> list[datetime]:
        """Returns, in order, the instants after `start` at which the answers may change by the clock alone."""
        instants = {at for package in self.packages for at in package.boundaries}
        for override in self.overrides:
            instants |= {at for at in (override.starts_at, stop_of(override)) if at is not None}
        return sorted(at for at in instants if at > self.start)

    def states(self, at: datetime) -> dict[str, f.DateState]:
        """Returns each owner's date state; an owner without an active package is not in it."""
        return {package.owner.code: package.state_at(at) for package in self.packages if package.is_in_force(at)}

    def likeness(self, at: datetime) -> Hashable:
        """Returns what two customers must have in common for `facts(at)` to give equal holdings the same there."""
        overrides = tuple(override.fact() for override in self.overrides if is_in_force(override, at))
        rows = frozenset(row_likeness(row.package.owner.code, row) for row in self.rows)
        return rows, frozenset(self.states(at).items()), overrides

    def facts(self, at: datetime) -> f.CustomerFacts:
        """Returns the customer's facts at an instant from `start` on."""
        rows = [row for row in self.rows if row.package.is_in_force(at)]
        return f.CustomerFacts(
            own_owner=settings.OWN_OWNER,
            states=self.states(at),
            sources=tuple(source_of(row) for row in rows if row.grants or row.is_plan),
            site_modules=frozenset(r.full_name for r in rows if r.license_type == ModuleLicense.Type.SITE),
            visible_modules=frozenset(r.full_name for r in rows if r.assignable),
            sets={r.full_name: _switched_on(r) for r in rows if r.is_plan},
            overrides=tuple(o.fact() for o in self.overrides if is_in_force(o, at)),
        )


def row_likeness(owner: str, row: Any) -> Hashable:
    """Returns what of a module licence (saved or only compiled) decides answers.

    What a version grants is told by its id, what an imported row grants by its check. Counts matter where they add up:
    of add-ons, never of plans.
    """
    is_counted = bool(row.grants) and not row.is_plan
    grants = row.version_id or (row.encrypted_check if row.grants or row.is_plan else None)
    count = row.license_number if is_counted else 0
    prerequisite = row.prerequisite_module
    return owner, row.module_name, row.license_type, row.hidden, grants, row.extra_info, count, prerequisite


def load_timelines(customers: Collection[int], at: datetime, *, ahead: bool = False) -> dict[int, Timeline]:
    """Returns what `load_timeline` does, of many customers (by id), in three queries.

    What isn't as it was sealed is left out (Z-6).
    """
    packages = Package.objects.filter(customer__in=customers)
    packages = packages.not_over(at) if ahead else packages.in_force(at)
    packages = packages.select_related(*SEALED)
    rows = rows_of(packages)
    found: dict[int, tuple[list[Package], list[ModuleLicense], list[Override]]] = {pk: ([], [], []) for pk in customers}
    for package in packages:
        intact = trusted(package, rows[package.pk])
        if intact is not None:
            found[package.customer_id][0].append(package)
            for row in intact:
                row.package = package
                found[package.customer_id][1].append(row)
    overrides = Override.objects.filter(customer__in=customers, user=None, created_at__lte=at).not_over(at)
    for override in overrides.select_related("feature"):
        found[override.customer_id][2].append(override)
    return {pk: Timeline(at, tuple(p), tuple(r), tuple(o)) for pk, (p, r, o) in found.items()}


def load_timeline(customer: Customer, at: datetime, *, ahead: bool = False) -> Timeline:
    """Returns what is recorded of `customer` as of `at` (`ahead`: with what is scheduled), in three queries."""
    return load_timelines([customer.pk], at, ahead=ahead)[customer.pk]


def source_of(row: ModuleLicense) -> f.Source:
    """Returns the row as a source of grants. The value of each feature stands in the row, frozen."""
    return f.Source(
        code=row.offer_code or row.full_name,
        name=row.module_description,
        module=row.full_name,
        owner=row.package.owner.code,
        grants=tuple(grant_of(code, data) for code, data in sorted(row.grants.items())),
        is_plan=row.is_plan,
        is_seat=row.license_type == ModuleLicense.Type.USER,
        version=row.version_number,
        tier=row.tier or None,
        solutions=tuple(row.solutions),
        quantity=row.license_number,
    )


def grant_of(code: str, data: Mapping[str, Any]) -> f.Grant:
    feature = f.FeatureDef.from_json(code, data)
    return f.Grant(feature, feature.behaviour.from_json(data, feature.choice_codes), data.get("origin", ""))


def _switched_on(row: ModuleLicense) -> tuple[str, ...]:
    return tuple(f.full_name(row.package.owner.code, name) for name in parse_set(row.extra_info))


def stop_of(override: Override) -> datetime | None:
    """Returns when the override stops: its end, or when somebody ended it before."""
    return override.stops_at


def is_in_force(override: Override, at: datetime) -> bool:
    stop = stop_of(override)
    return override.starts_at <= at and (stop is None or at < stop)


def holding_json(kind: f.HolderKind, modules: Iterable[str], overrides: Iterable[f.Override]) -> dict[str, Any]:
    """Returns a holding's content: its kind, modules and overrides, in one order."""
    listed = [
        {
            "feature": o.feature.code,
            "definition": o.feature.as_json(),
            "mode": o.mode.value,
            "given": None if o.value is None else o.feature.behaviour.as_json(o.value),
        }
        for o in overrides
    ]
    return {"kind": kind.value, "modules": sorted(modules), "overrides": sorted(listed, key=canonical)}


def holding_digest(content: Mapping[str, Any]) -> str:
    return digest(canonical(content))


def holding_fact(holding: Holding) -> f.Holding:
    """Returns a stored holding as `resolve` reads it."""
    overrides = []
    for data in holding.overrides:
        feature = f.FeatureDef.from_json(data["feature"], data["definition"])
        given = data["given"]
        value = None if given is None else feature.behaviour.from_json(given, feature.choice_codes)
        overrides.append(f.Override(feature, f.Mode(data["mode"]), value, "user"))
    return f.Holding(f.HolderKind(holding.kind), frozenset(holding.modules), tuple(overrides))


def seats_held(users: Iterable[CustomerUser | int], at: datetime | None = None) -> dict[int, dict[str, Seat]]:
    """Returns per user id the seats held (at `at`: then), by `owner.module`, in one query."""
    ids = [user if isinstance(user, int) else user.pk for user in users]
    held: dict[int, dict[str, Seat]] = {pk: {} for pk in ids}
    seats = Seat.objects.filter(user__in=ids)
    for seat in (seats.held() if at is None else seats.held_at(at)).select_related("owner", "assigned_in"):
        held[seat.user_id][seat.full_name] = seat
    return held


def seats_leaving(users: Sequence[int], at: datetime) -> dict[int, dict[str, datetime | None]]:
    """Returns per user id the seats held at `at`, by `owner.module`: when a scheduled package takes it, if one does."""
    held: dict[int, dict[str, datetime | None]] = {pk: {} for pk in users}
    rows = Seat.objects.filter(AnyOf("user_id", users)).held_at(at).order_by()
    for user, owner, module, leaves in rows.values_list("user_id", "owner__code", "module_name", "leaves_at"):
        held[user][f.full_name(owner, module)] = leaves
    return held


def overrides_of(customer: Customer, users: Collection[int], at: datetime) -> list[Override]:
    """Returns the overrides of these users (ids) that aren't over, oldest first. Two queries at most.

    Few customers have any: of many users, none is asked about where nobody has one.
    """
    live = Override.objects.filter(customer=customer, user__isnull=False).not_over(at)
    if len(users) > _FEW and not live.exists():
        return []
    return list(live.filter(AnyOf("user_id", users)).select_related("feature").order_by("pk"))


def seats_in_order(customer: Customer, module: str, at: datetime | None = None) -> QuerySet[Seat]:
    """Returns the seats held of a module (`owner.module`) in the order in which to give them up: of users unseen for
    longest first, then the newest."""
    owner, _, name = module.partition(".")
    held = Seat.objects.held(at).filter(customer=customer, owner__code=owner.upper(), module_name=name)
    unseen = F("user__last_seen_at").asc(nulls_first=True)
    ordered: QuerySet[Seat] = held.select_related("user", "owner").order_by(unseen, "-assigned_at", "-pk")
    return ordered


def longest_unseen(customer: Customer, module: str) -> QuerySet[Seat]:
    """Returns the seats held now of a module (`owner.module`), of users never seen first, then of those unseen longest.

    An index serves the order, so the first few of 100,000 cost as much as of ten.
    """
    held = seats_in_order(customer, module).filter(user__customer=customer)
    ordered: QuerySet[Seat] = held.order_by(F("user__last_seen_at").asc(nulls_first=True), "user_id", "pk")
    return ordered


def users_per_module(customer: Customer, at: datetime | None = None) -> dict[str, int]:
    """Returns how many distinct users have each user module in use (at `at`: then), by `owner.module`.

    Visible ones are held by seat; hidden ones come with the plans whose `set=` names them (C-22). Two queries;
    memory grows with distinct combinations, not with users.
    """
    packages = Package.objects.filter(customer=customer)
    packages = packages.active() if at is None else packages.in_force(at)
    plans = ModuleLicense.objects.filter(package__in=packages, is_plan=True).select_related("package__owner")
    switched_on = {plan.full_name: _switched_on(plan) for plan in plans.defer("grants")}
    seats = Seat.objects.filter(customer=customer)
    seats = seats.held() if at is None else seats.held_at(at)
    combinations: Counter[tuple[str, ...]] = Counter()
    rows = seats.order_by("user_id").values_list("user_id", "owner__code", "module_name")
    for _, group in groupby(rows.iterator(), key=lambda row: row[0]):
        combinations[tuple(sorted(f.full_name(owner, name) for _, owner, name in group))] += 1
    counts: Counter[str] = Counter()
    for modules, users in combinations.items():
        for module in {*modules, *(hidden for m in modules for hidden in switched_on.get(m, ()))}:
            counts[module] += users
    return dict(counts)


def users_per_holding(customers: Collection[int], at: datetime) -> Counter[int]:
    """Returns how many users have each holding at `at`, by holding id. Two queries, which read indexes and no users."""
    counts: Counter[int] = Counter()
    for periods in periods_at(customers, at):
        counts.update(dict(periods.order_by().values_list("holding").annotate(Count("pk"))))
    return counts


def periods_at(customers: Collection[int], at: datetime) -> tuple[QuerySet[UserPeriod], QuerySet[UserPeriod]]:
    """Returns the users' periods that cover `at`: open ones and those with an end apart, as their indexes are."""
    begun = UserPeriod.objects.filter(customer__in=customers, starts_at__lte=at)
    return begun.filter(ends_at=None), begun.filter(ends_at__gt=at)


def period_at(user: CustomerUser, at: datetime) -> UserPeriod | None:
    """Returns the user's period that covers `at`, with its holding."""
    periods = UserPeriod.objects.filter(user=user, starts_at__lte=at).select_related("holding")
    period: UserPeriod | None = periods.order_by("-starts_at").first()
    return period if period is not None and (period.ends_at is None or period.ends_at > at) else None


def holding_period_at(holding: Holding, at: datetime) -> HoldingPeriod | None:
    """Returns the holding's period that covers `at`, with its set."""
    periods = HoldingPeriod.objects.filter(holding=holding, starts_at__lte=at).select_related("set")
    period: HoldingPeriod | None = periods.order_by("-starts_at").first()
    return period if period is not None and (period.ends_at is None or period.ends_at > at) else None


def items_of(offer: int, cohort: Cohort, at: datetime, *, target: int | None = None) -> QuerySet[SubscriptionItem]:
    """Returns the items in force at `at` by which customers of a plan or add-on (its id) belong to the cohort.

    With a `target` (a version's id), those who are on it already do not belong.
    """
    items = SubscriptionItem.objects.in_force(at).filter(version__offer=offer)
    if target is not None:
        items = items.exclude(version=target)
    if cohort.versions:
        items = items.filter(version__number__in=cohort.versions)
    if cohort.billing_months:
        items = items.filter(subscription__billing_months__in=cohort.billing_months)
    if cohort.search:
        items = items.filter(customer__in=Customer.objects.search(cohort.search))
    if cohort.codes:
        lowered = Customer.objects.alias(lower_code=Lower("code"))
        items = items.filter(customer__in=lowered.filter(lower_code__in=cohort.codes))
    found: QuerySet[SubscriptionItem] = items
    return found


def customers_of(offer: int, cohort: Cohort, at: datetime, *, target: int | None = None) -> QuerySet[Any, Any]:
    """Returns the ids of the customers that `items_of` is about, each once and in no order, as `{"customer": id}`."""
    return items_of(offer, cohort, at, target=target).order_by().values("customer").distinct()
