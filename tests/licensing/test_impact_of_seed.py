"""The catalog that ships, through the API: what removing a feature from Sales Premium would do is what it then does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from catalog.models import Offer, Version
from catalog.services import drafting, publishing
from catalog.services.applying import apply_document
from catalog.services.documents import read_catalog
from customers.actor import SYSTEM
from licensing.models import ImpactReport
from licensing.services import migrating, moving
from licensing.services.impacting import request_impact, run_impact
from tests.factories.customers import NOON
from tests.licensing.market import Town, hours

SEED = Path(__file__).parents[2] / "catalog" / "seed"
REMOVED = "quote-management"
ALL = "sales-service-marketing-premium"

pytestmark = pytest.mark.django_db


@pytest.fixture
def towns(db: Any) -> list[Town]:
    """Fjordlys has Premium beside Essentials, Nordvik Premium beside the plan for all, Tindra Essentials only."""
    apply_document(read_catalog([SEED]), actor=SYSTEM, publish=True, at=NOON - timedelta(hours=1))
    modules = dict(Offer.objects.exclude(module=None).values_list("code", "module__name"))
    fjordlys, nordvik = Town(), Town("nordvik", ["uma", "ulf", "una"])
    tindra = Town("tindra", ["tor"])
    fjordlys.buys(sales_premium=2, sales_essentials=1, at=hours(1))
    nordvik.buys(**{"sales_premium": 1, ALL.replace("-", "_"): 1}, at=hours(1))
    tindra.buys(sales_essentials=1, at=hours(1))
    fjordlys.gives("ola", modules["sales-premium"], at=hours(2))
    fjordlys.gives("ida", modules["sales-essentials"], at=hours(2))
    nordvik.gives("uma", modules["sales-premium"], at=hours(2))
    nordvik.gives("ulf", modules[ALL], at=hours(2))
    tindra.gives("tor", modules["sales-essentials"], at=hours(2))
    return [fjordlys, nordvik, tindra]


def asked(api: APIClient, towns: list[Town], at: datetime) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields (customer, user, feature code → what the API says of it)."""
    for town in towns:
        for user in town.users:
            address = f"/api/v1/customers/{town.customer.code}/users/{user}/entitlements/"
            answer = api.get(address, {"at": at.isoformat()})
            assert answer.status_code == 200
            yield town.customer.code, user, answer.json()["features"]


def without(code: str) -> Version:
    draft = drafting.draft_from(offer=Offer.objects.get(code="sales-premium"), actor=SYSTEM, at=hours(20))
    granted = {grant.feature.code: "unlimited" if grant.unlimited else grant.value for grant in draft.grants.all()}
    assert granted.pop(code) is not None
    drafting.set_grants(version=draft, grants=granted, actor=SYSTEM, at=hours(20))
    return drafting.update_draft(version=draft, actor=SYSTEM, at=hours(20), changelog="Quotes are an add-on.")


def looked_at(version: Version) -> ImpactReport:
    report = request_impact(version=version, actor=SYSTEM, at=hours(30))
    run_impact(report)
    report.refresh_from_db()
    return report


def test_removing_one_feature_does_what_its_impact_said(towns: list[Town], api: APIClient) -> None:
    draft = without(REMOVED)
    report = looked_at(draft)
    told = {
        row.code: Counter(gained=row.gained, raised=row.raised, lowered=row.lowered, lost=row.lost)
        for row in report.features.all()
    }
    before = {(customer, user): features for customer, user, features in asked(api, towns, hours(30))}

    version = publishing.publish(version=draft, actor=SYSTEM, at=hours(40), four_eyes=False)
    migration = migrating.propose(target=version, actor=SYSTEM, at=hours(41), reason="Quotes are an add-on now.")
    assert migration.preview is not None
    run_impact(migration.preview)
    migration.refresh_from_db()
    moving.run_batch(migration=migrating.start(migration=migration, actor=SYSTEM, at=hours(42)), at=hours(43))
    assert set(migration.rows.values_list("customer__code", "state")) == {("fjordlys", "moved"), ("nordvik", "moved")}

    really: dict[str, Counter[str]] = {}
    changed = set()
    for customer, user, features in asked(api, towns, hours(50)):
        for code in before[customer, user].keys() | features.keys():
            was, now = (answers.get(code, {"access": "none"}) for answers in (before[customer, user], features))
            if was != now:
                changed.add((customer, user))
                rank = ["none", "view", "edit"]
                assert rank.index(now["access"]) < rank.index(was["access"])
                kind = "lost" if now["access"] == "none" else "lowered"
                really.setdefault(code, Counter())[kind] += 1
    assert really.keys() == {REMOVED}
    assert {code: +counts for code, counts in told.items()} == really
    assert (report.total, report.changed) == (2, len(changed))
    # At Nordvik the plan for everything carries quotes on, so colleagues may still look at them.
    assert really[REMOVED] == Counter(lost=3, lowered=1)
