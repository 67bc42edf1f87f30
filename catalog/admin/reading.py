"""What a version says and how it stands, arranged for reading: its life, features by group, modules, what is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any, Final, Literal

from catalog.content import FeatureContent, VersionContent, diff, tell
from catalog.models import Version
from catalog.services.linting import lint_draft
from catalog.services.mapping import frozen_content
from catalog.services.publishing import overtaking, preview, superseding, taken_in_by
from catalog.services.trail import steps_of
from catalog.targets import in_words

Context = dict[str, Any]

# The stages to come after each; after those not named there is none.
_NEXT: Final[Mapping[str, tuple[str, ...]]] = {
    "Draft": ("In review", "Approved", "Published", "In force"),
    "In review": ("Approved", "Published", "In force"),
    "Approved": ("Published", "In force"),
    "Scheduled": ("In force",),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage in a version's life: over, the one it is in, or to come; who brought it there, and when that was."""

    name: str
    standing: Literal["over", "now", "next"]
    who: Any = None
    at: datetime | None = None


def content_context(version: Any, *, at: datetime) -> Context:
    """Returns what a published version froze, and how that differs from the version before it."""
    content = frozen_content(version)
    older = Version.objects.frozen().filter(offer=version.offer_id, number__lt=version.number)
    previous = older.select_related("offer").newest()
    return {
        "content": content,
        "groups": _by_group(content),
        **_rules(content),
        "lines": _lines(previous, content, version),
        "previous": previous,
        "scheduled": version.is_scheduled(at),
        **_life(version, at),
    }


def preview_context(version: Any, *, at: datetime, now: datetime) -> Context:
    """Returns what publishing a draft with effect from `at` would come to: its faults, or content and differences."""
    seen = preview(version=version, at=at)
    return {
        "preview": seen,
        "faults": seen.faults,
        "warnings": [found for found in lint_draft(seen.facts, at=at) if found.severity == "warning"],
        "content": seen.content,
        "groups": _by_group(seen.content),
        **_rules(seen.content),
        "lines": _lines(seen.previous, seen.content, version),
        "previous": seen.previous,
        "newer": superseding(version),
        "is_outdated": version.is_approved and version.digest != seen.digest,
        **_life(version, now),
    }


def _rules(content: VersionContent | None) -> Context:
    rules = (("needs", content.needs), ("excludes", content.excludes)) if content else ()
    return {verb: [in_words(target, verb) for target in targets] for verb, targets in rules}


def planned(version: Any, at: datetime) -> datetime:
    """Returns the moment for which the draft was approved, if that is to come; else `at`."""
    return max(at, version.effective_from or at)


def consequences(version: Any, at: datetime) -> Context:
    """Returns what retiring a version at `at`, or calling it off, would lead to."""
    then = Version.objects.in_effect(at).filter(offer=version.offer_id).exclude(pk=version.pk)
    is_scheduled = version.is_scheduled(at)
    return {
        "scheduled": is_scheduled,
        "instead": then.select_related("offer").order_by("-effective_from", "-number").first(),
        "coming": [] if is_scheduled else overtaking(version, effective_from=at),
        "taken_in_by": taken_in_by(version, at=at) if is_scheduled else [],
    }


def _lines(previous: Any, content: VersionContent | None, version: Any) -> Any:
    """Returns what differs from the version before as lines; None without one, or while nobody knows."""
    old = frozen_content(previous)
    if old is None or content is None:
        return None
    return tell(diff(old, content), old, content, changelogs=(previous.changelog, version.changelog))


def _life(version: Any, at: datetime) -> Context:
    steps = steps_of(version)
    said = next((step for step in reversed(steps) if step.reason), None)
    comments = list(version.comments.all())
    return {"steps": steps, "comments": comments, "last_said": said, "stages": stages(version, steps, at)}


def stages(version: Any, steps: Sequence[Any], at: datetime) -> list[Stage]:
    """Returns the stages that a version went through until `at`, the last of them as *now*, and those to come."""
    gone = [Stage("Draft", "over", version.drafted_by, version.created_at)]
    if version.state == "in_review" or version.submitted_by_id is not None:
        submitted = next((step.at for step in reversed(steps) if step.action == "draft.submitted"), None)
        gone.append(Stage("In review", "over", version.submitted_by, submitted))
    if version.approved_at is not None:
        gone.append(Stage("Approved", "over", version.approved_by, version.approved_at))
    if version.is_frozen:
        name = "Scheduled" if version.is_scheduled(at) else "Published"
        gone.append(Stage(name, "over", version.published_by, version.published_at))
        if version.effective_from <= at and not version.was_called_off:
            gone.append(Stage("In force", "over", None, version.effective_from))
    if version.state == "retired":
        name = "Called off" if version.was_called_off else "Retired"
        gone.append(Stage(name, "over", version.retired_by, version.retired_at))
    *gone, last = gone
    coming = _NEXT.get(last.name, ())
    begins = {"In force": version.effective_from}
    return [*gone, replace(last, standing="now"), *(Stage(name, "next", None, begins.get(name)) for name in coming)]


def _by_group(content: VersionContent | None) -> list[tuple[str, list[FeatureContent]]]:
    features = content.ordered_features if content else []
    return [(name, list(rows)) for name, rows in groupby(features, lambda feature: feature.definition.group_name)]
