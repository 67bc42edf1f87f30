"""What a version says, arranged for reading: features by group, modules, what is new."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Any

from catalog.content import FeatureContent, VersionContent, diff
from catalog.models import Version
from catalog.services.mapping import frozen_content
from catalog.services.publishing import preview, superseding
from catalog.services.trail import steps_of

Context = dict[str, Any]


def content_context(version: Any, *, at: datetime) -> Context:
    """Returns what a published version froze, and how that differs from the version before it."""
    content = frozen_content(version)
    older = Version.objects.frozen().filter(offer=version.offer_id, number__lt=version.number)
    previous = older.select_related("offer").order_by("-number").first()
    return {
        "content": content,
        "groups": _by_group(content),
        "diff": diff(frozen_content(previous), content) if content and previous else None,
        "previous": previous,
        "scheduled": version.is_scheduled(at),
        **_life(version),
    }


def preview_context(version: Any, *, at: datetime) -> Context:
    """Returns what publishing a draft with effect from `at` would come to: its faults, or content and differences."""
    seen = preview(version=version, at=at)
    return {
        "preview": seen,
        "faults": seen.faults,
        "content": seen.content,
        "groups": _by_group(seen.content),
        "diff": seen.diff if seen.previous else None,
        "previous": seen.previous,
        "newer": superseding(version),
        "is_outdated": version.is_approved and version.digest != seen.digest,
        **_life(version),
    }


def _life(version: Any) -> Context:
    steps = steps_of(version)
    said = next((step for step in reversed(steps) if step.reason), None)
    return {"steps": steps, "last_said": said, "comments": list(version.comments.all())}


def planned(version: Any, at: datetime) -> datetime:
    """Returns the moment for which the draft was approved, if that is to come; else `at`."""
    return max(at, version.effective_from or at)


def _by_group(content: VersionContent | None) -> list[tuple[str, list[FeatureContent]]]:
    features = content.ordered_features if content else []
    return [(name, list(rows)) for name, rows in groupby(features, lambda feature: feature.definition.group_name)]
