"""Why the catalog refuses something. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypeAlias

from customers.errors import Refusal

Said: TypeAlias = bool | int | str  # what a draft says by itself at one place


@dataclass(frozen=True, slots=True)
class Conflict:
    """What a draft and a newer version both changed since the base, differently. None: it is not said there."""

    path: str
    base: Said | None
    theirs: Said | None
    mine: Said | None


@dataclass(frozen=True, slots=True)
class PublishFault:
    """Why a draft can't be published: a stable code, where in the draft, and a sentence that says what would help."""

    code: str
    path: str
    message: str


class DraftExists(Refusal):
    code = "draft_exists"
    title = "There is a draft already"

    def __init__(self, offer: str) -> None:
        super().__init__(
            f"{offer} has a draft already.",
            blocking={"kind": "draft", "code": offer},
            next_action="Edit that draft, or discard it first.",
        )


class VersionFrozen(Refusal):
    code = "version_frozen"
    title = "The version is published"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"{label} is published, so it stays as it is.",
            blocking={"kind": "version", "code": label},
            next_action="Draft from it, and publish that.",
        )


class DraftGone(Refusal):
    code = "draft_gone"
    title = "The draft is gone"

    def __init__(self, offer: str) -> None:
        super().__init__(
            f"The draft of {offer} has been discarded.",
            blocking={"kind": "draft", "code": offer},
            next_action="Start a new draft.",
        )


class NotFrozen(Refusal):
    code = "version_not_published"
    title = "The version is a draft"

    def __init__(self, label: str, next_action: str) -> None:
        super().__init__(
            f"{label} is not published.", blocking={"kind": "version", "code": label}, next_action=next_action
        )


class ForeignBase(Refusal):
    code = "base_of_another_offer"
    title = "That is a version of something else"

    def __init__(self, label: str, offer: str) -> None:
        super().__init__(
            f"{label} is no version of {offer}.",
            blocking={"kind": "version", "code": label},
            next_action=f"Draft from a version of {offer}, or include the other plan.",
        )


class NotInReview(Refusal):
    code = "not_in_review"
    title = "The draft is not in review"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"{label} is not in review.",
            blocking={"kind": "version", "code": label},
            next_action="Submit the draft for review first.",
        )


class NotApproved(Refusal):
    code = "not_approved"
    title = "The draft is not approved"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"Nobody has approved {label}.",
            blocking={"kind": "version", "code": label},
            next_action="Have a publisher who did not edit it approve it first.",
        )


class AlreadyApproved(Refusal):
    code = "already_approved"
    title = "The draft is approved already"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"{label} is approved as it is.",
            blocking={"kind": "version", "code": label},
            next_action="Publish it, or send it back.",
        )


class ApprovalOutdated(Refusal):
    code = "approval_outdated"
    title = "Something else was approved"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"{label} would come to something else than what was approved.",
            blocking={"kind": "version", "code": label},
            next_action="Look at what it comes to now, and approve that.",
        )


class BaseSuperseded(Refusal):
    code = "base_superseded"
    title = "The draft stands on an older version"

    def __init__(self, label: str, newer: str) -> None:
        super().__init__(
            f"{label} was begun before {newer} was published.",
            blocking={"kind": "version", "code": newer},
            next_action=f"Rebase the draft on {newer}, or discard it and begin again.",
        )


class BaseIsCurrent(Refusal):
    code = "base_is_current"
    title = "There is nothing to rebase on"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"Nothing newer than what {label} was begun from is published.",
            blocking={"kind": "version", "code": label},
            next_action="Go on with the draft as it is.",
        )


class RebaseUndecided(Refusal):
    """Both sides changed the same; `details["conflicts"]` lists each `path` with `base`, `theirs` and `mine`."""

    code = "rebase_undecided"
    title = "It is to be decided which change stays"

    def __init__(self, label: str, conflicts: Sequence[Conflict]) -> None:
        paths = ", ".join(conflict.path for conflict in conflicts)
        super().__init__(
            f"{label} and what was published meanwhile both changed {paths}.",
            blocking={"kind": "draft", "code": label},
            next_action="Choose mine or theirs for each.",
            details={"conflicts": [asdict(conflict) for conflict in conflicts]},
        )


class AlreadyInReview(Refusal):
    code = "already_in_review"
    title = "The draft is in review already"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"{label} was submitted for review already.",
            blocking={"kind": "version", "code": label},
            next_action="Wait for a publisher, or edit the draft to take it back.",
        )


class AlreadyRetired(Refusal):
    code = "already_retired"
    title = "The version is retired"

    def __init__(self, label: str) -> None:
        super().__init__(f"{label} is retired already.", blocking={"kind": "version", "code": label})


class PublishRefused(Refusal):
    """A draft with faults; `details["faults"]` lists them all, each with `code`, `path` and `message`."""

    code = "draft_has_faults"
    title = "The draft has faults"

    def __init__(self, offer: str, faults: Sequence[PublishFault]) -> None:
        super().__init__(
            f"{offer} can't be published: {' '.join(fault.message for fault in faults)}",
            blocking={"kind": "draft", "code": offer},
            next_action="Mend what is listed.",
            details={"faults": [asdict(fault) for fault in faults]},
        )
        self.faults = tuple(faults)


class OtherThanPreviewed(Refusal):
    code = "draft_changed_since"
    title = "The draft says something else by now"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"{label} would come to something else than what was shown before.",
            blocking={"kind": "version", "code": label},
            next_action="Look at what it comes to now, and confirm that.",
        )


class CatalogChangedSince(Refusal):
    code = "catalog_changed_since"
    title = "The catalog has changed meanwhile"

    def __init__(self) -> None:
        super().__init__(
            "The catalog has changed since these files were compared with it, so nothing was applied.",
            blocking={"kind": "catalog", "code": "catalog"},
            next_action="Look at what they would change now, and confirm that.",
        )


class EffectiveInThePast(Refusal):
    code = "effective_in_the_past"
    status = 400
    title = "That moment has passed"

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"A version can't take effect at {wanted}, which has passed.",
            blocking={"kind": "field", "code": "effective_from"},
            next_action="Choose a moment to come, or none for now.",
        )


class SecondPairOfEyesNeeded(Refusal):
    code = "four_eyes"
    status = 403
    title = "A second pair of eyes is needed"

    def __init__(self, who: str, label: str, verb: str) -> None:
        super().__init__(
            f"{who} worked on {label}, so somebody else must {verb} it.",
            blocking={"kind": "version", "code": label},
            next_action="Ask another publisher.",
        )


class PublishingNeedsReview(Refusal):
    code = "four_eyes"
    status = 403
    title = "Somebody else must publish this"

    def __init__(self) -> None:
        super().__init__(
            "With four-eyes on, files fill an empty catalog only; after that every draft is reviewed.",
            blocking={"kind": "setting", "code": "FOUR_EYES"},
            next_action="Apply without publishing, and have another publisher review the drafts.",
        )


@dataclass(frozen=True, slots=True)
class CellConflict:
    """A cell that somebody else changed: what was seen, what is recorded (`theirs`), what was wanted (`mine`)."""

    offer: str
    feature: str
    seen: Said | None
    theirs: Said | None
    mine: Said | None
    who: str = ""
    at: datetime | None = None
    action: str = ""


@dataclass(frozen=True, slots=True)
class ColumnConflict:
    """A plan or add-on whose draft was published or discarded: `version` (primary key, or none) is edited now."""

    offer: str
    version: int | None
    is_draft: bool
    stage: str
    who: str = ""
    at: datetime | None = None
    action: str = ""


class CellsChangedSince(Refusal):
    """Somebody else was faster; `details["columns"]` and `details["cells"]` list where, and nothing is saved."""

    code = "cells_changed_since"
    title = "Somebody else changed the same"

    def __init__(self, columns: Sequence[ColumnConflict], cells: Sequence[CellConflict]) -> None:
        count = len(cells)
        offers = list(dict.fromkeys([*(each.offer for each in columns), *(each.offer for each in cells)]))
        super().__init__(
            f"{count} cell{'s' * (count != 1)} of {', '.join(offers)} changed since you saw them. Nothing was saved.",
            blocking={"kind": "draft", "code": offers[0]},
            next_action="Choose theirs or yours for each, and save again.",
            details={"columns": [asdict(each) for each in columns], "cells": [asdict(each) for each in cells]},
        )
