"""Publishing and retiring versions. Rules V-21 to V-25 of docs/rules.md. Publishing touches no customer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from catalog.content import Diff, VersionContent, diff, digest, flatten
from catalog.errors import (
    AlreadyRetired,
    EffectiveInThePast,
    NotFrozen,
    NotInReview,
    OtherThanPreviewed,
    PublishFault,
    PublishRefused,
    SecondPairOfEyesNeeded,
)
from catalog.models import Feature, Version, VersionFeature
from catalog.services.locking import lock_draft, lock_version
from catalog.services.mapping import draft_facts, frozen_content
from catalog.services.trail import audit
from customers.actor import Actor


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing a draft would freeze: faults, or the content and how it differs from the `previous` version."""

    faults: tuple[PublishFault, ...]
    content: VersionContent | None
    previous: Version | None
    diff: Diff | None

    @property
    def digest(self) -> str:
        """Names the content, for `publish`; empty when there are faults."""
        return digest(self.content.to_json()) if self.content is not None else ""


def check(*, version: Version, at: datetime) -> list[PublishFault]:
    """Returns everything that keeps the draft from being published with effect from `at`."""
    return flatten(draft_facts(version, at=at))[1]


def preview(*, version: Version, at: datetime) -> Preview:
    """Returns what publishing the draft with effect from `at` would come to."""
    frozen, faults = flatten(draft_facts(version, at=at))
    published = Version.objects.frozen().filter(offer=version.offer_id).select_related("offer")
    previous = published.order_by("-number").first()
    content = VersionContent.from_json(frozen) if frozen is not None else None
    changes = diff(frozen_content(previous), content) if content is not None else None
    return Preview(tuple(faults), content, previous, changes)


@transaction.atomic
def publish(
    *,
    version: Version,
    actor: Actor,
    at: datetime,
    effective_from: datetime | None = None,
    four_eyes: bool | None = None,
    expected_digest: str = "",
) -> Version:
    """Returns the version, published and frozen for good, in force from `effective_from` (none: from `at`).

    `four_eyes` (none: as the setting says) demands a review, and a publisher who did not work on the draft;
    `expected_digest` is that of the content that the publisher was shown. Raises VersionFrozen (somebody was faster),
    DraftGone, EffectiveInThePast, NotInReview, SecondPairOfEyesNeeded, PublishRefused with all faults or
    OtherThanPreviewed.
    """
    draft = lock_draft(version)
    effective_from = effective_from or at
    if effective_from < at:
        raise EffectiveInThePast(f"{effective_from:%Y-%m-%d %H:%M} UTC")
    if settings.FOUR_EYES if four_eyes is None else four_eyes:
        _demand_second_pair_of_eyes(draft, actor)
    content, faults = flatten(draft_facts(draft, at=effective_from))
    if content is None:
        raise PublishRefused(draft.offer.code, faults)
    if expected_digest and expected_digest != digest(content):
        raise OtherThanPreviewed(draft.offer.code)
    _freeze(draft, content, actor, at, effective_from)
    changes = {"digest": draft.digest, "effective_from": effective_from.isoformat(), "changelog": draft.changelog}
    audit(draft, "version.published", actor=actor, at=at, changes=changes)
    published: Version = draft
    return published


def _demand_second_pair_of_eyes(draft: Any, actor: Actor) -> None:
    if draft.state != Version.State.IN_REVIEW:
        raise NotInReview(draft.offer.code)
    account = actor.account
    if account is None or draft.drafted_by_id == account.pk or draft.editors.filter(pk=account.pk).exists():
        raise SecondPairOfEyesNeeded(actor.label, draft.offer.code)


def _freeze(draft: Any, content: dict[str, Any], actor: Actor, at: datetime, effective_from: datetime) -> None:
    # The index of its features comes first: once the state flips, the database lets nobody touch it.
    features = Feature.objects.filter(code__in=content["features"])
    VersionFeature.objects.bulk_create(VersionFeature(version=draft, feature=feature) for feature in features)
    newest = Version.objects.frozen().filter(offer=draft.offer).order_by("-number").first()
    draft.number = newest.number + 1 if newest else 1
    draft.state = Version.State.PUBLISHED
    draft.content = content
    draft.digest = digest(content)
    draft.effective_from = effective_from
    draft.published_at = at
    draft.approved_by = draft.published_by = actor.account
    draft.full_clean()
    draft.save()


@transaction.atomic
def retire(*, version: Version, actor: Actor, at: datetime, reason: str = "") -> Version:
    """Returns the version, no longer sold; customers who have it keep it. Raises NotFrozen or AlreadyRetired."""
    current = lock_version(version)
    if current.state == Version.State.RETIRED:
        raise AlreadyRetired(str(current))
    if not current.is_frozen:
        raise NotFrozen(str(current), "Discard the draft instead.")
    current.state = Version.State.RETIRED
    current.retired_by = actor.account
    current.retired_at = at
    current.full_clean()
    current.save(update_fields=["state", "retired_by", "retired_at"])
    audit(current, "version.retired", actor=actor, at=at, reason=reason)
    retired: Version = current
    return retired
