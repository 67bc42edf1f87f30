"""Works out what a version would do to a cohort of its plan's or add-on's customers, in the background (I-1 to I-9).

The report is written batch by batch, each in a transaction with the place it has come to, so that an interrupted run
goes on where it stopped. Nothing of any customer is changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from catalog.content import digest
from catalog.models import Owner, Version
from catalog.selectors import tier_ranks
from catalog.services.publishing import preview
from customers import outbox
from customers.actor import Actor
from licensing.cohort import Cohort
from licensing.differences import Effect
from licensing.errors import NothingToCompare
from licensing.facts import Holding as HoldingFact
from licensing.impact import Impact
from licensing.models import (
    Holding,
    ImpactCustomer,
    ImpactFeature,
    ImpactProblem,
    ImpactReport,
    ImpactVersion,
    SubscriptionItem,
)
from licensing.selectors import customers_of, holding_fact, load_timelines, users_per_holding
from licensing.services.outlook import At, Outlook, Seer, Step

BATCH: Final = 100  # customers
TOPIC: Final = "impact"


def request_impact(
    *, version: Version, actor: Actor, at: datetime, cohort: Cohort | None = None, leaves_out_target: bool = False
) -> ImpactReport:
    """Returns a report that the worker fills in: the impact of what `version` says, or would say if published now.

    A cohort narrows the customers that are looked at; `leaves_out_target` leaves out those who are on the version
    already. Raises NothingToCompare for a draft that can't be published as it is.
    """
    content = version.content
    if content is None:
        looked = preview(version=version, at=at)
        if looked.content is None:
            raise NothingToCompare(str(version), [fault.message for fault in looked.faults])
        content = looked.content.to_json()
    report = ImpactReport(
        version=version,
        digest=digest(content),
        content=content,
        cohort_data=(cohort or Cohort()).to_json(),
        leaves_out_target=leaves_out_target,
        at=at,
        account=actor.account,
    )
    report.total = _customers(report).count()
    with transaction.atomic():
        report.save()
        outbox.enqueue(topic=TOPIC, payload={"report": report.pk}, at=at)
    return report


def deliver_impact(payload: Mapping[str, Any]) -> None:
    """Delivers the topic `impact`: fills the report in, or goes on with one that was interrupted."""
    report = ImpactReport.objects.select_related("version").filter(pk=payload["report"]).first()
    if report is not None and report.state != ImpactReport.State.DONE:
        run_impact(report)


def run_impact(report: ImpactReport) -> None:
    """Looks at every customer that isn't in the report yet, in batches; queries grow with batches (rule I-8)."""
    ImpactReport.objects.filter(pk=report.pk).update(state=ImpactReport.State.RUNNING)
    seer = seer_of(step_of(report))
    while True:
        report.refresh_from_db()
        found = _customers(report).filter(customer__gt=report.last_customer)
        customers = list(found.order_by("customer").values_list("customer", flat=True)[:BATCH])
        if not customers:
            break
        _write(report, look_at(seer, customers, report.at))
    ImpactReport.objects.filter(pk=report.pk).update(state=ImpactReport.State.DONE)


def seer_of(step: Step) -> Seer:
    """Returns who foresees a step in the own owner's packages."""
    return Seer(step, Owner.objects.get(code=settings.OWN_OWNER), tier_ranks())


def look_at(seer: Seer, customers: Sequence[int], at: datetime) -> list[Outlook]:
    """Returns what the step would do to each of the customers (ids). Seven queries, whatever their number."""
    timelines = load_timelines(customers, at)
    counts = users_per_holding(customers, at)
    holdings: dict[int, list[tuple[HoldingFact, int]]] = defaultdict(list)
    for holding in Holding.objects.filter(pk__in=counts):
        holdings[holding.customer_id].append((holding_fact(holding), counts[holding.pk]))
    items: dict[int, list[SubscriptionItem]] = defaultdict(list)
    rows = SubscriptionItem.objects.in_force(at).filter(customer__in=customers).order_by("pk")
    for item in rows.select_related("version"):
        items[item.customer_id].append(item)
    return [seer.outlook(At(pk, at, timelines[pk], holdings[pk], items[pk])) for pk in customers]


def _customers(report: ImpactReport) -> Any:
    target = report.version_id if report.leaves_out_target else None
    return customers_of(report.version.offer_id, report.cohort, report.at, target=target)


def step_of(report: ImpactReport) -> Step:
    """Returns what the report is about."""
    return Step(report.version_id, report.version.number or 0, report.content)


@transaction.atomic
def _write(report: ImpactReport, looked: Sequence[Outlook]) -> None:
    total = Impact()
    for each in looked:
        total.add(each.impact)
    ImpactCustomer.objects.bulk_create(_row(report, each) for each in looked)
    ImpactProblem.objects.bulk_create(
        ImpactProblem(report=report, customer_id=each.customer, **problem.fields)
        for each in looked
        for problem in each.problems
    )
    _add_features(report, total)
    _add_versions(report, looked)
    ImpactReport.objects.filter(pk=report.pk).update(
        # Whoever is found by a name given only now comes on top of those counted when the report was asked for.
        total=Greatest(F("total"), F("done") + len(looked)),
        done=F("done") + len(looked),
        last_customer=looked[-1].customer,
        users=F("users") + total.users,
        changed=F("changed") + total.changed,
        worse=F("worse") + total.worse,
        others=F("others") + total.others,
        stopped=F("stopped") + sum(1 for each in looked if each.is_stopped),
    )


def _row(report: ImpactReport, looked: Outlook) -> ImpactCustomer:
    found = looked.impact
    return ImpactCustomer(
        report=report,
        customer_id=looked.customer,
        versions=looked.versions,
        users=found.users,
        changed=found.changed,
        worse=found.worse,
        problems_count=len(looked.problems),
        **{effect.value: found.effects[effect] for effect in Effect},
    )


def _add_features(report: ImpactReport, total: Impact) -> None:
    rows = {row.code: row for row in ImpactFeature.objects.filter(report=report, code__in=total.names)}
    new = {
        code: ImpactFeature(report=report, code=code, name=name)
        for code, name in total.names.items()
        if code not in rows
    }
    for (code, effect), users in total.features.items():
        row = rows.get(code) or new[code]
        setattr(row, effect.value, getattr(row, effect.value) + users)
    ImpactFeature.objects.bulk_create(new.values())
    ImpactFeature.objects.bulk_update(rows.values(), [effect.value for effect in Effect])


def _add_versions(report: ImpactReport, looked: Sequence[Outlook]) -> None:
    customers: Counter[int] = Counter()
    users: Counter[int] = Counter()
    for each in looked:
        for number in each.versions:
            customers[number] += 1
            users[number] += each.impact.users
    rows = {row.number: row for row in ImpactVersion.objects.filter(report=report)}
    new = {n: ImpactVersion(report=report, number=n) for n in customers if n not in rows}
    for number, count in customers.items():
        row = rows.get(number) or new[number]
        row.customers += count
        row.users += users[number]
    ImpactVersion.objects.bulk_create(new.values())
    ImpactVersion.objects.bulk_update(rows.values(), ["customers", "users"])
