"""The demo's own add-ons beside the catalog that ships: one scheduled, one in review with a word on it, one begun.

They stand in no file of the catalog, so that applying the catalog again changes nothing of them; their rules give the
screen of what goes with what something to show.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from catalog.models import Offer, Version
from catalog.services import commenting, drafting, publishing
from catalog.services.applying import apply_document
from catalog.services.documents import read_contents
from customers.actor import Actor

CATALOG: Final = b"""
planarium-catalog: 1
modules:
  sandbox-copy: {type: site, description: Sandbox}
  board-starter: {type: site, description: Board starter}
  audit-export: {type: site, description: Audit export}
groups:
  operations: {name: Operations}
features:
  sandboxes: {name: Sandboxes, group: operations, kind: limit, unit: sandboxes, counts: customer, rule: sum}
  board-templates: {name: Board templates, group: operations, site: board-starter}
  audit-export: {name: Export of the audit trail, group: operations, site: audit-export}
add_ons:
  sandbox:
    name: Sandbox
    description: A copy of the database to try things in.
    scope: site
    module: sandbox-copy
    needs: [expander-services]
    max_quantity: 3
    features: {sandboxes: 1}
  board-starter:
    name: Board starter
    description: Ready-made boards for those who begin.
    scope: site
    module: board-starter
    excludes: ["tier:premium"]
    features: {board-templates: true}
  audit-export:
    name: Audit export
    description: The audit trail, every night, to the storage of one's choice.
    scope: site
    module: audit-export
    needs: ["tier:premium"]
    features: {audit-export: true}
"""
FIRST: Final = "sandbox"


def make_demo_drafts(*, editor: Actor, approver: Actor, at: datetime) -> list[Version]:
    """Makes the add-ons and their versions, unless they are there already; returns what is not in effect yet."""
    if Offer.objects.filter(code=FIRST).exists():
        return []
    with transaction.atomic():
        apply_document(read_contents([("demo-add-ons.yaml", CATALOG)]), actor=editor, publish=False, at=at)
        for code in (FIRST, "board-starter"):
            _publish(Version.objects.drafts().get(offer__code=code), approver, at)
        scheduled = _next(FIRST, {"sandboxes": 2}, "Two sandboxes for the price of one.", editor, at)
        scheduled = _publish(scheduled, approver, at, begins=at + timedelta(days=36))
        begun = _next("board-starter", {"board-templates": True, "sandboxes": 1}, "", editor, at)
        review = Version.objects.drafts().get(offer__code="audit-export")
        drafting.submit(version=review, actor=editor, at=at, comment="Asked for by three customers.")
        commenting.comment(version=review, text="Who keeps the exports, and for how long?", actor=approver, at=at)
        answer = "The customer, in a storage of its own. We keep nothing."
        commenting.comment(version=review, text=answer, actor=editor, at=at)
    return [scheduled, begun, review]


def _next(code: str, grants: dict[str, object], changelog: str, actor: Actor, at: datetime) -> Version:
    draft = drafting.draft_from(offer=Offer.objects.get(code=code), actor=actor, at=at)
    drafting.set_grants(version=draft, grants=grants, actor=actor, at=at)
    return drafting.update_draft(version=draft, actor=actor, at=at, changelog=changelog)


def _publish(draft: Version, actor: Actor, at: datetime, begins: datetime | None = None) -> Version:
    return publishing.publish(version=draft, actor=actor, at=at, effective_from=begins, four_eyes=False)
