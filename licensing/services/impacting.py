"""Works out what a draft would do to everybody who has its plan or add-on, customer by customer, in the background.

The report is written batch by batch, each in a transaction with the place it has come to, so that an interrupted run
goes on where it stopped. Nothing of any customer is changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F

from catalog.content import digest
from catalog.models import Owner, Version
from catalog.services.publishing import preview
from customers import outbox
from customers.actor import Actor
from licensing.compiling import CompiledItem, compile_rows
from licensing.differences import Effect
from licensing.errors import NothingToCompare
from licensing.facts import HolderKind
from licensing.facts import Holding as HoldingFact
from licensing.impact import Impact, impact
from licensing.models import Holding, ImpactCustomer, ImpactFeature, ImpactReport, Package, SubscriptionItem
from licensing.selectors import Timeline, holding_fact, load_timelines, users_per_holding
from licensing.services.packages import compiled_items, license_of
from licensing.services.subscriptions import content_faults

BATCH: Final = 100  # customers
TOPIC: Final = "impact"


def request_impact(*, version: Version, actor: Actor, at: datetime) -> ImpactReport:
    """Returns a report that the worker fills in: the impact of what `version` says, or would say if published now.

    Raises NothingToCompare for a draft that can't be published as it is.
    """
    content = version.content
    if content is None:
        looked = preview(version=version, at=at)
        if looked.content is None:
            raise NothingToCompare(str(version), [fault.message for fault in looked.faults])
        content = looked.content.to_json()
    with transaction.atomic():
        report = ImpactReport.objects.create(
            version=version,
            digest=digest(content),
            content=content,
            at=at,
            account=actor.account,
            total=_customers(version, at).count(),
        )
        outbox.enqueue(topic=TOPIC, payload={"report": report.pk}, at=at)
    return report


def deliver_impact(payload: Mapping[str, Any]) -> None:
    """Delivers the topic `impact`: fills the report in, or goes on with one that was interrupted."""
    report = ImpactReport.objects.select_related("version").filter(pk=payload["report"]).first()
    if report is not None and report.state != ImpactReport.State.DONE:
        run_impact(report)


def run_impact(report: ImpactReport) -> None:
    """Looks at every customer that isn't in the report yet, in batches; queries grow with batches."""
    ImpactReport.objects.filter(pk=report.pk).update(state=ImpactReport.State.RUNNING)
    while True:
        report.refresh_from_db()
        found = _customers(report.version, report.at).filter(customer__gt=report.last_customer)
        customers = list(found.order_by("customer").values_list("customer", flat=True)[:BATCH])
        if not customers:
            break
        _write(report, _look_at(report, customers))
    ImpactReport.objects.filter(pk=report.pk).update(state=ImpactReport.State.DONE)


def _customers(version: Version, at: datetime) -> Any:
    """Returns the customers with items of the plan or add-on in force."""
    items = SubscriptionItem.objects.in_force(at).filter(version__offer=version.offer_id)
    return items.order_by().values("customer").distinct()


@dataclass(frozen=True, slots=True)
class _Looked:
    customer: int
    versions: list[int]
    impact: Impact
    faults: list[str]


def _look_at(report: ImpactReport, customers: Sequence[int]) -> list[_Looked]:
    """Returns what would come of each customer. Seven queries, whatever their number."""
    timelines = load_timelines(customers, report.at)
    counts = users_per_holding(customers, report.at)
    holdings: dict[int, list[tuple[HoldingFact, int]]] = defaultdict(list)
    for holding in Holding.objects.filter(pk__in=counts):
        holdings[holding.customer_id].append((holding_fact(holding), counts[holding.pk]))
    items: dict[int, list[SubscriptionItem]] = defaultdict(list)
    rows = SubscriptionItem.objects.in_force(report.at).filter(customer__in=customers)
    for item in rows.select_related("version").order_by("pk"):
        items[item.customer_id].append(item)
    owner = Owner.objects.get(code=settings.OWN_OWNER)
    return [_look_at_one(report, pk, timelines[pk], holdings[pk], items[pk], owner) for pk in customers]


def _look_at_one(
    report: ImpactReport,
    customer: int,
    timeline: Timeline,
    holdings: Sequence[tuple[HoldingFact, int]],
    items: Sequence[SubscriptionItem],
    owner: Owner,
) -> _Looked:
    now = compiled_items(items)
    moved = [_moved(item, report) for item in now]
    after = _with_package(timeline, moved, owner, customer, report.at)
    module = report.content["module"]
    of_users = report.content["offer"]["scope"] == "user"
    concerned = [
        (holding, users)
        for holding, users in holdings
        if holding.kind is HolderKind.USER and (not of_users or module in holding.modules)
    ]
    found = impact(timeline.facts(report.at), after.facts(report.at), concerned)
    versions = sorted(item.number for item in now if item.code == report.content["offer"]["code"])
    return _Looked(customer, versions, found, [*_missing(moved), *_too_few(after, holdings)])


def _moved(item: CompiledItem, report: ImpactReport) -> CompiledItem:
    if item.code != report.content["offer"]["code"]:
        return item
    return replace(item, version_id=report.version_id, number=report.version.number or 0, content=report.content)


def _with_package(
    timeline: Timeline, items: Sequence[CompiledItem], owner: Owner, customer: int, at: datetime
) -> Timeline:
    """Returns the timeline with the own owner's package compiled from other items; the others' stay."""
    own = next((p for p in timeline.packages if p.owner_id == owner.pk and p.is_in_force(at)), None)
    package = own or Package(customer_id=customer, owner=owner)
    kept = [row for row in timeline.rows if row.package.owner_id != owner.pk]
    new = [license_of(package, row, at) for row in compile_rows(items)]
    return replace(timeline, rows=(*kept, *new)) if own else timeline


def _missing(items: Sequence[CompiledItem]) -> list[str]:
    faults = content_faults({item.code: (item.content, item.quantity) for item in items})
    return [fault["message"] for fault in faults]


def _too_few(after: Timeline, holdings: Sequence[tuple[HoldingFact, int]]) -> list[str]:
    """Returns a sentence per module of which more seats are held than the new package would have."""
    used: dict[str, int] = defaultdict(int)
    for holding, users in holdings:
        for module in holding.modules:
            used[module] += users
    rows = {row.full_name: row for row in after.rows if row.assignable}
    found = []
    for module, in_use in sorted(used.items()):
        row = rows.get(module)
        total = row.license_number if row is not None else 0
        if in_use > total and not (row is not None and row.unrestricted):
            found.append(f"{module}: {in_use} in use, {total} in the new package.")
    return found


@transaction.atomic
def _write(report: ImpactReport, looked: Sequence[_Looked]) -> None:
    total = Impact()
    for each in looked:
        total.add(each.impact)
    ImpactCustomer.objects.bulk_create(
        ImpactCustomer(
            report=report,
            customer_id=each.customer,
            versions=each.versions,
            users=each.impact.users,
            changed=each.impact.changed,
            worse=each.impact.worse,
            faults=each.faults,
        )
        for each in looked
    )
    _add_features(report, total)
    ImpactReport.objects.filter(pk=report.pk).update(
        done=F("done") + len(looked),
        last_customer=looked[-1].customer,
        users=F("users") + total.users,
        changed=F("changed") + total.changed,
        worse=F("worse") + total.worse,
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
