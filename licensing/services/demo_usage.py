"""Demo customers that use up what they have: an add-on whose limits are counted, for everybody and per user and month.

The add-on stands in no file of the catalog, so that applying the catalog again changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.db import transaction

from catalog.models import Offer, Version
from catalog.services import drafting, publishing
from catalog.services.applying import apply_document
from catalog.services.documents import read_contents
from customers.actor import Actor
from customers.models import Customer
from licensing.services.metering import counted, set_usage
from licensing.services.subscriptions import change_items

CODE: Final = "archive"
LARGER: Final = "archive-plus"
CATALOG: Final = b"""
planarium-catalog: 1
modules:
  archive: {type: site, description: Archive}
  archive-plus: {type: site, description: Archive Plus}
groups:
  archive: {name: Archive}
features:
  archive-space:
    {name: Archive space, group: archive, kind: limit, rule: sum, unit: GB, counts: customer, site: archive}
  archive-exports:
    {name: Archive exports, group: archive, kind: limit, unit: exports, counts: user, resets: calendar_month}
add_ons:
  archive:
    name: Archive
    description: Keeps what was closed, and hands it out again.
    scope: site
    module: archive
    features: {archive-space: 100, archive-exports: 20}
  archive-plus:
    name: Archive Plus
    description: Ten times the archive, and exports without end.
    scope: site
    module: archive-plus
    max_quantity: 1
    extra_modules: [archive]
    features: {archive-space: 1000, archive-exports: unlimited}
"""
SPACE: Final[Mapping[str, int]] = {"fjordlys": 91, "nordvik": 37}
EXPORTS: Final = (20, 18, 17, 9, 4, 3, 1)


def make_demo_usage(*, publisher: Actor, runner: Actor, at: datetime) -> int:
    """Sells the add-on and reports what is used of it, unless it is there already; returns how many are counted."""
    customers = list(Customer.objects.filter(code__in=SPACE))
    if Offer.objects.filter(code=CODE).exists() or len(customers) < len(SPACE):
        return 0
    with transaction.atomic():
        apply_document(read_contents([("archive.yaml", CATALOG)]), actor=runner, publish=False, at=at)
        for draft in Version.objects.drafts().filter(offer__code__in=(CODE, LARGER)).order_by("pk"):
            told = drafting.update_draft(version=draft, actor=publisher, at=at, changelog="An archive with limits.")
            publishing.publish(version=told, actor=publisher, at=at, four_eyes=False)
        return sum(_use(customer, runner, at) for customer in customers)


def _use(customer: Customer, actor: Actor, at: datetime) -> int:
    change_items(customer=customer, actor=actor, items={CODE: 1}, at=at)
    set_usage(subject=counted(customer, None, "archive-space"), used=SPACE[customer.code])
    people = customer.users.filter(is_former_employee=False, can_log_in=True).order_by("code")
    for user, exports in zip(people, EXPORTS, strict=False):
        set_usage(subject=counted(customer, user, "archive-exports"), used=exports)
    return 1 + min(len(people), len(EXPORTS))
