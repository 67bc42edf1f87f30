"""Words for tests of previews: a town whose people are changed many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from customers.outbox import deliver_due
from licensing.bulk_plan import BulkWish
from licensing.models import ChangePreview
from licensing.services.bulk import apply_preview, find_preview, preview_changes, preview_undo
from tests.licensing.market import Town

SALES, SERVICE, BOTH = "ten-sales-premium", "ten-service-premium", "ten-sales-service-premium"
ESSENTIALS = "ten-sales-essentials"


def gives(user: str, *assign: str, release: Sequence[str] = (), **how: Any) -> tuple[str, dict[str, Any]]:
    return user, {"assign": assign, "release": tuple(release), **how}


def takes(user: str, *release: str) -> tuple[str, dict[str, Any]]:
    return gives(user, release=release)


def previews(town: Town, *wishes: tuple[str, dict[str, Any]], at: datetime | None = None, **how: Any) -> ChangePreview:
    """`previews(town, gives("ola", SALES), takes("ida", SALES), mode="as_many")`"""
    numbered = [BulkWish(n, user, **wish) for n, (user, wish) in enumerate(wishes, 1)]
    return preview_changes(customer=town.customer, actor=town.actor, wishes=numbered, at=at, **how)


def applies(town: Town, preview: ChangePreview, at: datetime | None = None, **how: Any) -> ChangePreview:
    return apply_preview(customer=town.customer, actor=town.actor, token=preview.token, at=at, **how)


def undoes(town: Town, number: int, at: datetime | None = None, **how: Any) -> ChangePreview:
    return preview_undo(customer=town.customer, actor=town.actor, number=number, at=at, **how)


def again(town: Town, preview: ChangePreview) -> ChangePreview:
    """The preview as it is now."""
    return find_preview(customer=town.customer, token=preview.token)


def works(town: Town, preview: ChangePreview) -> ChangePreview:
    """Lets the worker do what waits, and returns the preview thereafter."""
    deliver_due(now=timezone.now())
    return again(town, preview)


def outcomes(preview: ChangePreview) -> list[tuple[str, str, str]]:
    """Returns (user, outcome, code) of every row."""
    return list(preview.rows.values_list("user_code", "outcome", "code"))
