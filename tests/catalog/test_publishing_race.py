"""Many people, one draft, at the same instant."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from catalog.errors import AlreadyApproved, AlreadyRetired, ApprovalOutdated, NotApproved, NotInReview, VersionFrozen
from catalog.models import Version
from catalog.services import drafting, publishing, rebasing
from customers.actor import SYSTEM, Actor
from customers.errors import Refusal
from customers.models import AuditEvent
from tests.factories.catalog import NOON, Shop
from tests.factories.customers import AccountFactory

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time by itself"),
]
LATER: Any = NOON + timedelta(hours=1)
BY_SYSTEM: Any = {"actor": SYSTEM, "at": LATER}


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    return Shop()


@pytest.fixture
def in_review(shop: Shop) -> Version:
    return drafting.submit(version=shop.draft(shop.common, grants={"email-limit": 900}), actor=SYSTEM, at=NOON)


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Makes all calls in the same moment; returns what each returned, or how it was refused."""
    ready = threading.Barrier(len(calls))
    outcomes: list[object] = [None] * len(calls)

    def make(place: int) -> None:
        ready.wait()
        try:
            outcomes[place] = calls[place]()
        except Refusal as refusal:
            outcomes[place] = type(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=make, args=[place]) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def stale(version: Version) -> Version:
    """Returns the row as somebody else read it."""
    row: Version = Version.objects.select_related("offer").get(pk=version.pk)
    return row


def test_of_many_publishers_one_wins(shop: Shop, in_review: Version) -> None:
    rows = [stale(in_review) for _ in range(8)]
    outcomes = at_once(*(lambda row=row: publishing.publish(version=row, **BY_SYSTEM).number for row in rows))
    assert Counter(outcomes) == Counter({2: 1, VersionFrozen: 7})
    assert Version.objects.filter(offer=shop.common).count() == 2


def test_of_many_approvals_one_counts(in_review: Version) -> None:
    accounts = [AccountFactory() for _ in range(6)]
    rows = [(stale(in_review), Actor(account=account)) for account in accounts]
    outcomes = at_once(
        *(lambda row=row, by=by: publishing.approve(version=row, actor=by, at=LATER).approved_by for row, by in rows)
    )
    winners = [outcome for outcome in outcomes if outcome in accounts]
    assert (len(winners), outcomes.count(AlreadyApproved)) == (1, 5)
    in_review.refresh_from_db()
    assert in_review.approved_by == winners[0]
    assert AuditEvent.objects.filter(action="draft.approved").count() == 1


@pytest.mark.parametrize("attempt", range(3))
def test_an_edit_and_a_publication(attempt: int, in_review: Version, settings: Any) -> None:
    """With four eyes on nothing is published that was edited after its approval, whoever is faster."""
    settings.FOUR_EYES = True
    petra = Actor(account=AccountFactory())
    approved = publishing.approve(version=in_review, actor=petra, at=LATER)
    rows = [stale(approved) for _ in range(4)]

    def publish(row: Version) -> object:
        return publishing.publish(version=row, actor=petra, at=LATER).digest

    def edit(row: Version, limit: int) -> object:
        drafting.set_grants(version=row, grants={"email-limit": limit}, **BY_SYSTEM)
        return "edited"

    outcomes = at_once(
        lambda: publish(rows[0]), lambda: publish(rows[1]), lambda: edit(rows[2], 1), lambda: edit(rows[3], 2)
    )
    version = stale(approved)
    if version.is_frozen:
        assert (version.digest, version.approved_by) == (approved.digest, petra.account)
        assert Counter(outcomes) == Counter({approved.digest: 1, VersionFrozen: 3})
    else:
        assert (version.state, version.approved_at, version.digest) == ("draft", None, "")
        assert Counter(outcomes) == Counter({NotInReview: 2, "edited": 2})


@pytest.mark.parametrize("attempt", range(3))
def test_sending_back_and_publishing(attempt: int, in_review: Version, settings: Any) -> None:
    settings.FOUR_EYES = True
    petra = Actor(account=AccountFactory())
    approved = publishing.approve(version=in_review, actor=petra, at=LATER)
    one, other = stale(approved), stale(approved)
    sent, published = at_once(
        lambda: drafting.send_back(version=one, comment="Wait.", **BY_SYSTEM).state,
        lambda: publishing.publish(version=other, actor=petra, at=LATER).state,
    )
    assert (sent, published) in {("draft", NotInReview), (VersionFrozen, "published")}
    assert stale(approved).state == ("draft" if sent == "draft" else "published")


@pytest.mark.parametrize("attempt", range(3))
def test_a_moved_include_and_a_publication(attempt: int, shop: Shop) -> None:
    """What is frozen is what was approved, whether Common v2 came before or after it."""
    draft = shop.draft(shop.sales_essentials, grants={"sales": True}, includes=["common"])
    approved = publishing.approve(version=drafting.submit(version=draft, actor=SYSTEM, at=NOON), actor=SYSTEM, at=LATER)
    common = stale(shop.draft(shop.common, grants={"email-limit": 900}, extra_modules=["user", "web"]))
    row = stale(approved)
    moved, published = at_once(
        lambda: publishing.publish(version=common, **BY_SYSTEM).number,
        lambda: publishing.publish(version=row, **BY_SYSTEM).digest,
    )
    assert moved == 2
    assert published in {approved.digest, ApprovalOutdated}
    version: Any = stale(approved)
    if published == approved.digest:
        assert version.content["features"]["email-limit"]["value"] == 500
    else:
        assert (version.state, version.content) == ("in_review", None)


def test_of_many_who_retire_it_one_does(shop: Shop) -> None:
    rows = [stale(Version.objects.get(offer=shop.common)) for _ in range(5)]
    outcomes = at_once(*(lambda row=row: publishing.retire(version=row, **BY_SYSTEM).state for row in rows))
    assert Counter(outcomes) == Counter({"retired": 1, AlreadyRetired: 4})


def test_of_many_who_begin_again_one_draft_stays(shop: Shop) -> None:
    shop.publish(shop.common, grants={"email-limit": 900})
    first = Version.objects.get(offer=shop.common, number=1)
    draft = drafting.draft_from(offer=shop.common, base=first, actor=SYSTEM, at=NOON)
    rows = [stale(draft) for _ in range(5)]
    outcomes = at_once(*(lambda row=row: rebasing.begin_again(version=row, **BY_SYSTEM).pk for row in rows))
    made = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert len(made) == 1
    assert Version.objects.drafts().get(offer=shop.common).pk == made[0]


def test_nobody_approves_and_another_publishes_what_is_not_approved(in_review: Version, settings: Any) -> None:
    settings.FOUR_EYES = True
    petra, paul = Actor(account=AccountFactory()), Actor(account=AccountFactory())
    one, other = stale(in_review), stale(in_review)
    approved, published = at_once(
        lambda: publishing.approve(version=one, actor=petra, at=LATER).is_approved,
        lambda: publishing.publish(version=other, actor=paul, at=LATER).approved_by,
    )
    assert (approved, published) in {(True, petra.account), (True, NotApproved)}
