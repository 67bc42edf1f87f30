"""When the clock changed something at a customer since its last commit, which nobody has written down yet."""

from __future__ import annotations

from datetime import datetime

from licensing.models import HoldingPeriod, Package, Subscription, UserPeriod


def instants_passed(customer: int, since: datetime, until: datetime) -> list[datetime]:
    """Returns those instants after `since` and up to `until`, in order: each becomes a revision.

    `PASSED` in licensing/reading.py counts the same inside a statement. Four queries.
    """
    found: set[datetime] = set()
    for model in (HoldingPeriod, UserPeriod):
        ends = model.objects.filter(customer=customer, ends_at__gt=since, ends_at__lte=until).order_by()
        found |= {at for at in ends.values_list("ends_at", flat=True).distinct() if at is not None}
    packages = Package.objects.filter(customer=customer, activated_at__lte=until).scheduled()
    found |= set(packages.values_list("activated_at", flat=True))
    over = Subscription.objects.filter(customer=customer, ended_at=None, ends_at__lte=until)
    found |= {at for at in over.values_list("ends_at", flat=True) if at is not None}
    return sorted(found)
