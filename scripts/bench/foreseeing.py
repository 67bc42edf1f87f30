"""The impact report that the benchmark times: of a draft of Sales Premium that leaves one feature out."""

from __future__ import annotations

import time
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from catalog.models import Offer
from catalog.services import drafting
from customers.actor import SYSTEM
from customers.models import CustomerUser
from licensing.services.impacting import request_impact, run_impact
from scripts.bench.population import Population

PLAN: Final = "sales-premium"


@transaction.atomic
def foresee(population: Population) -> dict[str, Any]:
    """Returns the customers looked at, all their users, and the seconds it took; nothing of it stays."""
    at = timezone.now()
    draft = drafting.draft_from(offer=Offer.objects.get(code=PLAN), actor=SYSTEM, at=at)
    granted = {grant.feature.code: "unlimited" if grant.unlimited else grant.value for grant in draft.grants.all()}
    granted.pop(min(granted))
    drafting.set_grants(version=draft, grants=granted, actor=SYSTEM, at=at)
    draft = drafting.update_draft(version=draft, actor=SYSTEM, at=at, changelog="One feature less.")
    report = request_impact(version=draft, actor=SYSTEM, at=at)
    started = time.perf_counter()
    run_impact(report)
    seconds = time.perf_counter() - started
    report.refresh_from_db()
    users = CustomerUser.objects.filter(customer__in=report.customers.values("customer")).count()
    transaction.set_rollback(True)
    return {"customers": report.done, "users": users, "seconds": seconds}
