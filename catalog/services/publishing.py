"""Approving, publishing, calling off and retiring. Rules V-21 to V-31 of docs/rules.md. Publishing touches no customer.

An approval is of a content, named by its digest: who edits the draft takes it away, and when anything else moves what
the draft comes to (a plan it includes, a feature, a module), publishing notices and refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from catalog.content import Diff, DraftFacts, VersionContent, diff, digest, flatten
from catalog.errors import (
    AlreadyApproved,
    AlreadyRetired,
    ApprovalOutdated,
    BaseSuperseded,
    EffectiveInThePast,
    NotApproved,
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
from catalog.services.trail import audit, worked_on
from customers.actor import Actor
from customers.events import emit, listeners


@dataclass(frozen=True, slots=True)
class Preview:
    """What publishing a draft would freeze: faults, or the content and how it differs from the `previous` version."""

    faults: tuple[PublishFault, ...]
    content: VersionContent | None
    previous: Version | None
    diff: Diff | None
    facts: DraftFacts = field(repr=False)  # for whoever looks closer, as `lint_draft` does

    @property
    def digest(self) -> str:
        """Names the content, for `publish`; empty when there are faults."""
        return digest(self.content.to_json()) if self.content is not None else ""


def check(*, version: Version, at: datetime) -> list[PublishFault]:
    """Returns everything that keeps the draft from being published with effect from `at`."""
    return flatten(draft_facts(version, at=at))[1]


def preview(*, version: Version, at: datetime) -> Preview:
    """Returns what publishing the draft with effect from `at` would come to."""
    facts = draft_facts(version, at=at)
    frozen, faults = flatten(facts)
    previous = Version.objects.frozen().filter(offer=version.offer_id).select_related("offer").newest()
    content = VersionContent.from_json(frozen) if frozen is not None else None
    changes = diff(frozen_content(previous), content) if content is not None else None
    return Preview(tuple(faults), content, previous, changes, facts)


def superseding(version: Version) -> Version | None:
    """Returns the newest published version of the draft's offer if it is newer than the draft's base."""
    base = version.base.number if version.base is not None else 0
    newer: Any = Version.objects.filter(offer=version.offer_id, state=Version.State.PUBLISHED, number__gt=base)
    found: Version | None = newer.select_related("offer").order_by("-number").first()
    return found


def demand_current_base(draft: Any) -> None:
    """Raises BaseSuperseded when a version is published that is newer than what the draft was begun from."""
    newer = superseding(draft)
    if newer is not None:
        raise BaseSuperseded(draft.offer.code, str(newer))


def overtaking(version: Version, *, effective_from: datetime) -> list[Version]:
    """Returns the versions that are scheduled to take over from one in force from `effective_from`, the next first."""
    later: Any = Version.objects.filter(offer=version.offer_id, state=Version.State.PUBLISHED)
    return list(later.filter(effective_from__gt=effective_from).select_related("offer").order_by("effective_from"))


def taken_in_by(version: Version, *, at: datetime) -> list[Version]:
    """Returns the versions scheduled at `at` that have taken this one in, and keep it whatever becomes of it."""
    scheduled = Version.objects.scheduled(at).select_related("offer").order_by("offer__code", "number")
    taken = {"code": version.offer.code, "version": version.number}
    return [other for other in scheduled if taken in other.content["includes"]]


def waits_for_others(version: Version, account: Any, content: VersionContent | None) -> bool:
    """Whether four eyes are on and `account` worked on the draft, so that others approve and publish it."""
    made_of = {*content.features, *content.modules} if content is not None else set()
    return bool(settings.FOUR_EYES) and worked_on(version, account, made_of)


@transaction.atomic
def approve(
    *,
    version: Version,
    actor: Actor,
    at: datetime,
    expected_digest: str = "",
    effective_from: datetime | None = None,
    comment: str = "",
    four_eyes: bool | None = None,
) -> Version:
    """Returns the draft in review, approved as what it comes to at `effective_from` (none: `at`).

    `expected_digest` is that of the content that was shown; `four_eyes` (none: as the setting says) demands somebody
    who did not work on the draft. Raises VersionFrozen, DraftGone, NotInReview, EffectiveInThePast, BaseSuperseded,
    SecondPairOfEyesNeeded, PublishRefused with all faults, OtherThanPreviewed or AlreadyApproved.
    """
    draft = lock_draft(version)
    if draft.state != Version.State.IN_REVIEW:
        raise NotInReview(draft.offer.code)
    demand_current_base(draft)
    content, found = _content(draft, _moment(at, effective_from), expected_digest)
    if _demands_four_eyes(four_eyes):
        _demand_fresh_eyes(draft, content, actor.account, actor.label, "approve")
    if draft.is_approved and draft.digest == found:
        raise AlreadyApproved(draft.offer.code)
    draft.approved_by, draft.approved_at, draft.digest = actor.account, at, found
    draft.effective_from = effective_from
    draft.full_clean()
    draft.save(update_fields=["approved_by", "approved_at", "digest", "effective_from"])
    changes = {"digest": found, "effective_from": effective_from.isoformat() if effective_from else None}
    audit(draft, "draft.approved", actor=actor, at=at, changes=changes, reason=comment)
    approved: Version = draft
    return approved


def _moment(at: datetime, effective_from: datetime | None) -> datetime:
    moment = effective_from or at
    if moment < at:
        raise EffectiveInThePast(f"{moment:%Y-%m-%d %H:%M} UTC")
    return moment


def _content(draft: Any, moment: datetime, expected_digest: str) -> tuple[dict[str, Any], str]:
    """Returns what the draft comes to at `moment`, and its digest."""
    content, faults = flatten(draft_facts(draft, at=moment))
    if content is None:
        raise PublishRefused(draft.offer.code, faults)
    found = digest(content)
    if expected_digest and expected_digest != found:
        raise OtherThanPreviewed(draft.offer.code)
    return content, found


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

    `four_eyes` (none: as the setting says) demands an approval, and that neither who approved nor who publishes worked
    on the draft; False sets an approval aside. Where nobody approved, the publisher does. `expected_digest` is that of
    the content that the publisher was shown. Raises VersionFrozen (somebody was faster), DraftGone,
    EffectiveInThePast, BaseSuperseded, NotInReview, NotApproved, SecondPairOfEyesNeeded, PublishRefused with all
    faults, OtherThanPreviewed or ApprovalOutdated.
    """
    draft = lock_draft(version)
    moment = _moment(at, effective_from)
    demand_current_base(draft)
    if _demands_four_eyes(four_eyes) and draft.state != Version.State.IN_REVIEW:
        raise NotInReview(draft.offer.code)
    content, found = _content(draft, moment, expected_digest)
    if _demands_four_eyes(four_eyes):
        _demand_approval(draft, content, actor)
    if draft.is_approved and draft.digest != found and four_eyes is not False:
        raise ApprovalOutdated(draft.offer.code)
    if not draft.is_approved or draft.digest != found:
        draft.approved_by, draft.approved_at, draft.digest = actor.account, at, found
    _freeze(draft, content, actor, at, moment)
    changes = {"digest": draft.digest, "effective_from": moment.isoformat(), "changelog": draft.changelog}
    audit(draft, "version.published", actor=actor, at=at, changes=changes)
    told = {"offer": draft.offer.code, "version": draft.number, "effective_from": draft.effective_from}
    emit(listeners(None), "catalog.version.published", told | {"changelog": draft.changelog}, at=at)
    published: Version = draft
    return published


def _demands_four_eyes(wanted: bool | None) -> bool:
    return bool(settings.FOUR_EYES) if wanted is None else wanted


def _demand_approval(draft: Any, content: dict[str, Any], actor: Actor) -> None:
    _demand_fresh_eyes(draft, content, actor.account, actor.label, "publish")
    if not draft.is_approved:
        raise NotApproved(draft.offer.code)
    _demand_fresh_eyes(draft, content, draft.approved_by, Actor(account=draft.approved_by).label, "approve")


def _demand_fresh_eyes(draft: Any, content: dict[str, Any], account: Any, label: str, verb: str) -> None:
    """Refuses nobody in particular, and whoever worked on what would be published."""
    if account is None or worked_on(draft, account, {*content["features"], *content["modules"]}):
        raise SecondPairOfEyesNeeded(label, draft.offer.code, verb)


def _freeze(draft: Any, content: dict[str, Any], actor: Actor, at: datetime, effective_from: datetime) -> None:
    # The index of its features comes first: once the state flips, the database lets nobody touch it.
    features = Feature.objects.filter(code__in=content["features"])
    VersionFeature.objects.bulk_create(VersionFeature(version=draft, feature=feature) for feature in features)
    numbers = Version.objects.frozen().filter(offer=draft.offer).order_by("-number")
    draft.number = (numbers.values_list("number", flat=True).first() or 0) + 1
    draft.state = Version.State.PUBLISHED
    draft.content = content
    draft.effective_from = effective_from
    draft.published_at = at
    draft.published_by = actor.account
    draft.full_clean()
    draft.save()


@transaction.atomic
def retire(*, version: Version, actor: Actor, at: datetime, reason: str = "") -> Version:
    """Returns the version, no longer sold; customers who have it keep it. One that is scheduled is called off by it.

    Raises NotFrozen or AlreadyRetired.
    """
    current = lock_version(version)
    if current.state == Version.State.RETIRED:
        raise AlreadyRetired(str(current))
    if not current.is_frozen:
        raise NotFrozen(str(current), "Discard the draft instead.")
    is_called_off = current.is_scheduled(at)
    current.state = Version.State.RETIRED
    current.retired_by = actor.account
    current.retired_at = at
    current.full_clean()
    current.save(update_fields=["state", "retired_by", "retired_at"])
    changes = {"state": [Version.State.PUBLISHED, current.state]}
    action = "version.called_off" if is_called_off else "version.retired"
    audit(current, action, actor=actor, at=at, changes=changes, reason=reason)
    retired: Version = current
    return retired
