"""Demo customers on the move: a site add-on of the demo's own in three versions, one migration done and one proposed.

The add-on stands in no file of the catalog, so that applying the catalog again changes nothing of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from catalog.models import Offer, Version
from catalog.services import drafting, publishing
from catalog.services.applying import apply_document
from catalog.services.documents import read_contents
from customers.actor import Actor
from customers.models import Customer
from licensing.models import Migration
from licensing.services import migrating, moving
from licensing.services.impacting import run_impact
from licensing.services.subscriptions import change_items

CODE: Final = "team-board"
CATALOG: Final = b"""
planarium-catalog: 1
modules:
  team-board: {type: site, description: Team board}
groups:
  teamwork: {name: Teamwork}
features:
  boards: {name: Boards, group: teamwork, site: team-board}
  board-history: {name: Board history, group: teamwork, site: team-board}
  cards-per-board: {name: Cards per board, group: teamwork, kind: limit, unit: cards, counts: customer}
add_ons:
  team-board:
    name: Team board
    description: Boards for the whole company, with a card for everything that somebody has to see to.
    scope: site
    module: team-board
    max_quantity: 1
    features: {boards: true, board-history: true, cards-per-board: 50}
"""
BUYERS: Final = ("fjordlys", "nordvik", "havbris")
CANNOT_FOLLOW: Final = "expander-services"  # Fjordlys doesn't have it


def make_demo_migrations(*, proposer: Actor, runner: Actor, at: datetime) -> list[Migration]:
    """Makes both migrations, unless the add-on is there already; `proposer` and `runner` are who did it."""
    if Offer.objects.filter(code=CODE).exists() or Customer.objects.filter(code__in=BUYERS).count() < len(BUYERS):
        return []
    with transaction.atomic():
        apply_document(read_contents([("team-board.yaml", CATALOG)]), actor=runner, publish=False, at=at)
        _publish(Version.objects.drafts().get(offer__code=CODE), proposer, at, "Boards for the whole company.")
        for code in BUYERS:
            change_items(customer=Customer.objects.get(code=code), actor=runner, items={CODE: 1}, at=at)
        second = _next({"boards": True, "cards-per-board": 200}, proposer, at, "Larger boards, without history.")
        done = _moved(second, proposer, runner, at)
        grants: dict[str, object] = {"boards": True, "board-history": True, "cards-per-board": 500}
        third = _next(grants, proposer, at, "History is back.", needs=False)
        proposed = migrating.propose(
            target=third,
            actor=proposer,
            at=at,
            reason="Larger boards, and the history of every card again.",
            moment=Migration.Moment.RENEWAL,
            deadline=at + timedelta(days=120),
        )
        if proposed.preview is not None:
            run_impact(proposed.preview)
    return [done, proposed]


def _next(grants: dict[str, object], actor: Actor, at: datetime, changelog: str, needs: bool = True) -> Version:
    draft = drafting.draft_from(offer=Offer.objects.get(code=CODE), actor=actor, at=at)
    drafting.set_grants(version=draft, grants=grants, actor=actor, at=at)
    drafting.set_rules(version=draft, needs=[CANNOT_FOLLOW] if needs else [], excludes=[], actor=actor, at=at)
    return _publish(draft, actor, at, changelog)


def _publish(draft: Version, actor: Actor, at: datetime, changelog: str) -> Version:
    draft = drafting.update_draft(version=draft, actor=actor, at=at, changelog=changelog)
    return publishing.publish(version=draft, actor=actor, at=at, four_eyes=False)


def _moved(target: Version, proposer: Actor, runner: Actor, at: datetime) -> Migration:
    """Returns a migration that is done: two moved, and one overdue, which can't follow."""
    soon = at + timedelta(seconds=1)
    reason = "Boards hold four times as many cards."
    migration = migrating.propose(target=target, actor=proposer, at=at, reason=reason, deadline=soon)
    if migration.preview is not None:
        run_impact(migration.preview)
    migration.refresh_from_db()
    migration = migrating.start(migration=migration, actor=runner, at=at)
    moving.run_batch(migration=migration, at=soon)
    migration.refresh_from_db()
    return migration
