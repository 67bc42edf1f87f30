"""A second version of Sales Premium, customers on the first one, and a clock that runs migrations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from catalog.models import Version
from catalog.services import drafting, publishing
from customers.actor import SYSTEM, Actor
from licensing.cohort import Cohort
from licensing.models import ImpactReport, Migration, MigrationCustomer
from licensing.services import migrating, moving
from licensing.services.impacting import run_impact
from tests.licensing.market import Market, Town, hours


def drafted(market: Market, *, offer: Any = None, **grants: object) -> Version:
    """Begins a draft of Sales Premium (or another plan) that grants something else than the version before."""
    version = drafting.draft_from(offer=offer or market.sales_premium, actor=SYSTEM, at=hours(20))
    granted = {grant.feature.code: "unlimited" if grant.unlimited else grant.value for grant in version.grants.all()}
    wanted = {code: value for code, value in (granted | grants).items() if value is not None}
    drafting.set_grants(version=version, grants=wanted, actor=SYSTEM, at=hours(21))
    return drafting.update_draft(version=version, actor=SYSTEM, at=hours(21), changelog="Another one.")


def published(version: Version, at: datetime | None = None, effective_from: datetime | None = None) -> Version:
    return publishing.publish(
        version=version, actor=SYSTEM, at=at or hours(40), effective_from=effective_from, four_eyes=False
    )


def proposed(target: Version, *, by: Actor = SYSTEM, at: datetime | None = None, **says: Any) -> Migration:
    """Returns a proposal with its preview worked out; `says` are fields of the cohort and of `propose`."""
    cohort = Cohort(**{name: says.pop(name) for name in list(says) if name in Cohort.__slots__})
    says.setdefault("reason", "Premium grew up.")
    migration = migrating.propose(target=target, actor=by, at=at or hours(50), cohort=cohort, **says)
    assert migration.preview is not None
    run_impact(migration.preview)
    migration.refresh_from_db()
    return migration


def preview_of(migration: Migration) -> ImpactReport:
    assert migration.preview is not None
    return migration.preview


def started(target: Version, *, by: Actor = SYSTEM, at: datetime | None = None, **says: Any) -> Migration:
    migration = proposed(target, by=by, at=at, **says)
    return migrating.start(migration=migration, actor=by, at=at or hours(50))


def runs(migration: Migration, at: datetime | None = None, most: int = moving.BATCH) -> dict[str, str]:
    """Lets the worker come round once; returns each customer's state, by code."""
    migration.refresh_from_db()
    moving.run_batch(migration=migration, at=at or hours(51), most=most)
    migration.refresh_from_db()
    return states(migration)


def states(migration: Migration) -> dict[str, str]:
    return dict(migration.rows.values_list("customer__code", "state"))


def row_of(migration: Migration, town: Town) -> MigrationCustomer:
    row: MigrationCustomer = migration.rows.get(customer=town.customer)
    return row


def on_version(town: Town, offer: str = "sales-premium", at: datetime | None = None) -> set[int]:
    """Returns the numbers of the versions that the customer has of a plan."""
    items = town.customer.items.in_force(at or hours(10_000)).filter(version__offer__code=offer)
    return set(items.values_list("version__number", flat=True))
