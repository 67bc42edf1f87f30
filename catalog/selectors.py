"""What is read of the catalog for people's lists."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, F

from catalog.models import Tier, Version


def drafts() -> Any:
    """Returns the drafts, those in review first and the oldest of them at the top, with `grant_count`."""
    rows = Version.objects.drafts().select_related("offer", "drafted_by", "submitted_by")
    return rows.annotate(grant_count=Count("grants")).order_by(F("state").desc(), "created_at", "pk")


def tier_ranks() -> dict[str, int]:
    """Returns the rank of every tier by code. One query."""
    return dict(Tier.objects.order_by().values_list("code", "rank"))
