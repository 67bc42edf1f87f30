"""Comments on drafts: who makes them, who reads them, and that none is lost. Rules T-5 and T-6.

Pia drafts Sales Premium, Paul approves it, Cara reads drafts for her customers, Aud audits.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from catalog.errors import DraftGone, VersionFrozen
from catalog.models import Version, VersionComment
from catalog.services import drafting, publishing
from catalog.services.commenting import comment
from customers.actor import Actor
from customers.errors import Invalid
from customers.models import Account, AuditEvent
from tests.catalog.visiting import as_, page, said
from tests.factories.catalog import NOON, Shop
from tests.factories.customers import AccountFactory

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def draft(shop: Shop, pia: Account) -> Version:
    return shop.draft(
        shop.sales_premium, by=Actor(account=pia), grants={"quotes": True}, includes=("sales-essentials",)
    )


def says(draft: Version, who: Account, text: str, at: Any = LATER) -> VersionComment:
    return comment(version=draft, text=text, actor=Actor(account=who), at=at)


def posts(who: Account, draft: Version, text: str) -> Any:
    return as_(who).post(page("version_comment", draft.pk), {"text": text}, follow=True)


def test_they_talk_about_a_draft(draft: Version, pia: Account, paul: Account, cara: Account, aud: Account) -> None:
    for who, text in (
        (paul, "Why no dashboards?"),
        (cara, "Fjordlys would miss them."),
        (pia, "They come next month."),
    ):
        assert "Your comment is there." in said(posts(who, draft, text))
    read = as_(aud).get(page("version_change", draft.pk)).text
    positions = [read.rindex(text) for text in ("Why no dashboards?", "Fjordlys would miss them.", "They come next")]
    assert positions == sorted(positions)
    assert "3 comments" in read
    assert str(draft.comments.first()) == "Paul Publisher: Why no dashboards?"


def test_who_only_reads_makes_none(draft: Version, aud: Account) -> None:
    assert 'id="comment-text"' not in as_(aud).get(page("version_change", draft.pk)).text
    assert as_(aud).post(page("version_comment", draft.pk), {"text": "Hm."}).status_code == 403
    nobody = AccountFactory(name="Nobody Yet")
    assert as_(nobody).post(page("version_comment", draft.pk), {"text": "Hm."}).status_code == 302  # to the door
    assert not VersionComment.objects.exists()


def test_looking_at_the_address_says_nothing(draft: Version, pia: Account) -> None:
    answer = as_(pia).get(page("version_comment", draft.pk))
    assert answer["Location"] == page("version_change", draft.pk) + "#comments"
    assert not VersionComment.objects.exists()


def test_what_is_said_is_text(draft: Version, pia: Account) -> None:
    evil = '<script>alert("x")</script><img src=x onerror=alert(1)>\nSecond line\0'
    read = posts(pia, draft, evil).text
    assert "<script>alert" not in read
    assert "<img src=x" not in read
    assert "&lt;script&gt;" in read
    assert VersionComment.objects.get().text == evil.replace("\0", "")


@pytest.mark.parametrize(("text", "told"), [("", "Say something."), (" \n ", "Say"), ("x" * 2001, "At most 2000")])
def test_neither_nothing_nor_a_novel(draft: Version, pia: Account, text: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        says(draft, pia, text)
    assert told in said(posts(pia, draft, text))
    assert not VersionComment.objects.exists()
    with pytest.raises(IntegrityError), transaction.atomic():
        VersionComment.objects.create(version=draft, at=LATER, actor="Pia", text="")


def test_a_comment_is_no_edit(shop: Shop, draft: Version, pia: Account, paul: Account) -> None:
    """Paul says something and approves; what he approved stays approved while they go on talking."""
    submitted = drafting.submit(version=draft, actor=Actor(account=pia), at=LATER)
    says(submitted, paul, "Looks good to me.")
    approved = publishing.approve(version=submitted, actor=Actor(account=paul), at=LATER, four_eyes=True)
    says(approved, pia, "Thank you!")
    now = Version.objects.get(pk=draft.pk)
    assert (now.is_approved, now.digest) == (True, approved.digest)
    assert set(now.editors.all()) == {pia}


def test_what_was_said_stays_with_what_is_published(draft: Version, pia: Account, paul: Account) -> None:
    says(draft, pia, "Ready?")
    published = publishing.publish(version=draft, actor=Actor(account=paul), at=LATER, four_eyes=False)
    read = as_(paul).get(page("version_change", published.pk)).text
    assert "Ready?" in read
    assert 'id="comment-text"' not in read
    with pytest.raises(VersionFrozen):
        says(published, pia, "Too late.")
    assert "not its next step" in said(posts(pia, published, "Too late."))
    with pytest.raises(IntegrityError), transaction.atomic():
        published.comments.all().delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        published.comments.update(text="Never said")


def test_what_was_said_about_a_discarded_draft_is_in_the_trail(draft: Version, pia: Account, paul: Account) -> None:
    says(draft, paul, "This would be too expensive.")
    drafting.discard_draft(version=draft, actor=Actor(account=pia), at=LATER + timedelta(hours=1))
    assert not VersionComment.objects.exists()
    told = AuditEvent.objects.get(action="draft.commented")
    assert (told.actor, told.object_type, told.object_code) == ("Paul Publisher", "plan", "sales-premium")
    assert (told.at, told.reason) == (LATER, "This would be too expensive.")
    with pytest.raises(DraftGone):
        says(draft, pia, "Anybody here?")
