"""A version's page: where it stands in its life, and which steps are offered to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog.models import Feature, Version
from catalog.services import drafting, publishing
from catalog.services.editing import save_row
from customers.actor import SYSTEM, Actor
from customers.models import Account, AuditEvent
from tests.catalog.visiting import as_, page, said
from tests.factories.catalog import NOON, Shop

pytestmark = pytest.mark.django_db

LATER = timezone.now() + timedelta(days=30)


BESIDE = {"comment", "impact", "move"}  # no steps of its life


def offered(account: Account, version: Version) -> set[str]:
    """Returns the steps offered on the page of a version; the one to take is marked with a star."""
    context = as_(account).get(page("version_change", version.pk)).context
    steps = {step for step, may in context["may"].items() if may} - BESIDE
    return {f"{step}*" if step == context["main"] else step for step in steps}


def beside(account: Account, version: Version) -> set[str]:
    """Returns what can be done beside those steps."""
    may = as_(account).get(page("version_change", version.pk)).context["may"]
    return {act for act in BESIDE if may[act]}


def stages(account: Account, version: Version) -> list[str]:
    """Returns the stages shown: those over, the one it is in (with a star), those to come (in brackets)."""
    shown = as_(account).get(page("version_change", version.pk)).context["stages"]
    marks = {"over": "{}", "now": "{}*", "next": "({})"}
    return [marks[stage.standing].format(stage.name) for stage in shown]


@pytest.fixture
def draft(shop: Shop, pia: Account) -> Version:
    return shop.draft(shop.common, by=Actor(account=pia), grants={"email-limit": 900})


@pytest.fixture
def in_review(draft: Version, pia: Account) -> Version:
    return drafting.submit(version=draft, actor=Actor(account=pia), at=NOON, comment="Please.")


class TestWhichStepsAreOffered:
    @pytest.fixture(autouse=True, params=[False, True], ids=["one-pair-of-eyes", "four-eyes"])
    def four_eyes(self, request: pytest.FixtureRequest, settings: Any) -> bool:
        settings.FOUR_EYES = request.param
        return bool(request.param)

    def test_of_a_draft(self, draft: Version, pia: Account, paul: Account, aud: Account, four_eyes: bool) -> None:
        assert offered(pia, draft) == {"submit*", "discard"}
        assert offered(paul, draft) == ({"submit*", "discard"} if four_eyes else {"submit", "publish*", "discard"})
        assert offered(aud, draft) == set()

    def test_in_review(self, in_review: Version, pia: Account, paul: Account, four_eyes: bool) -> None:
        assert offered(pia, in_review) == {"discard"}
        expected = {"approve*", "send_back", "discard"}
        assert offered(paul, in_review) == (expected if four_eyes else {*expected, "publish"})

    def test_once_it_is_approved(self, in_review: Version, paul: Account) -> None:
        publishing.approve(version=in_review, actor=Actor(account=paul), at=NOON)
        assert offered(paul, in_review) == {"publish*", "send_back", "discard"}

    def test_once_its_approval_is_outdated(self, in_review: Version, paul: Account, four_eyes: bool) -> None:
        publishing.approve(version=in_review, actor=Actor(account=paul), at=NOON)
        feature = Feature.objects.get(code="email-limit")
        feature.name = "Mails"
        save_row(row=feature, actor=SYSTEM, at=NOON)
        expected = {"approve*", "send_back", "discard"}
        assert offered(paul, in_review) == (expected if four_eyes else {*expected, "publish"})
        assert "so that approval is void" in as_(paul).get(page("version_change", in_review.pk)).text

    def test_to_who_had_a_hand_in_it(self, in_review: Version, paul: Account, four_eyes: bool) -> None:
        in_review.editors.add(paul)
        steps = {"send_back", "discard"}
        assert offered(paul, in_review) == (steps if four_eyes else {*steps, "approve*", "publish"})
        text = as_(paul).get(page("version_change", in_review.pk)).text
        assert ("somebody else approves and publishes it" in text) == four_eyes

    def test_of_one_on_an_older_version(self, shop: Shop, pia: Account, paul: Account) -> None:
        shop.publish(shop.common, grants={"email-limit": 900})
        first = Version.objects.get(offer=shop.common, number=1)
        draft = drafting.draft_from(offer=shop.common, base=first, actor=SYSTEM, at=NOON)
        for account in (pia, paul):
            assert offered(account, draft) == {"rebase*", "begin_again", "discard"}

    def test_of_what_is_published(self, shop: Shop, pia: Account, paul: Account) -> None:
        version = Version.objects.get(offer=shop.common)
        assert offered(pia, version) == {"draft"}
        assert offered(paul, version) == {"draft", "retire"}

    def test_what_it_would_do_to_customers(self, shop: Shop, draft: Version, pia: Account, aud: Account) -> None:
        assert beside(pia, draft) == {"comment", "impact"}
        assert beside(pia, Version.objects.get(offer=shop.common, number=1)) == {"impact", "move"}
        assert beside(aud, draft) == set()


class TestWhereItStands:
    def test_on_its_way(self, draft: Version, pia: Account) -> None:
        assert stages(pia, draft) == ["Draft*", "(In review)", "(Approved)", "(Published)", "(In force)"]
        drafting.submit(version=draft, actor=SYSTEM, at=NOON)
        assert stages(pia, draft) == ["Draft", "In review*", "(Approved)", "(Published)", "(In force)"]
        publishing.approve(version=draft, actor=SYSTEM, at=NOON)
        assert stages(pia, draft) == ["Draft", "In review", "Approved*", "(Published)", "(In force)"]

    def test_published(self, draft: Version, pia: Account) -> None:
        publishing.publish(version=draft, actor=SYSTEM, at=NOON)
        assert stages(pia, draft) == ["Draft", "Approved", "Published", "In force*"]
        publishing.retire(version=draft, actor=SYSTEM, at=timezone.now())
        assert stages(pia, draft) == ["Draft", "Approved", "Published", "In force", "Retired*"]

    def test_scheduled_and_called_off(self, draft: Version, pia: Account) -> None:
        publishing.publish(version=draft, actor=SYSTEM, at=NOON, effective_from=LATER)
        assert stages(pia, draft) == ["Draft", "Approved", "Scheduled*", "(In force)"]
        publishing.retire(version=draft, actor=SYSTEM, at=timezone.now())
        assert stages(pia, draft) == ["Draft", "Approved", "Published", "Called off*"]

    def test_with_everything_that_was_said(self, in_review: Version, paul: Account) -> None:
        client = as_(paul)
        assert "Submitted by Pia Product" in client.get(page("version_change", in_review.pk)).text
        client.post(page("version_send_back", in_review.pk), {"reason": "Fewer,\nplease."})
        text = client.get(page("version_change", in_review.pk)).text
        assert "Sent back by Paul Publisher" in text
        assert "Fewer,<br>please." in text

    def test_it_asks_as_often_after_a_long_life(self, draft: Version, pia: Account) -> None:
        def queries() -> int:
            client = as_(pia)
            client.get(page("version_change", draft.pk))
            with CaptureQueriesContext(connection) as captured:
                client.get(page("version_change", draft.pk))
            return len(captured)

        few = queries()
        for turn in range(5):
            drafting.submit(version=draft, actor=Actor(account=pia), at=NOON + timedelta(minutes=turn), comment="Now?")
            drafting.send_back(version=draft, actor=SYSTEM, at=NOON + timedelta(minutes=turn), comment="No.")
        assert queries() == few


class TestTakingAStep:
    def test_sending_back_wants_a_comment(self, in_review: Version, paul: Account) -> None:
        response = as_(paul).post(page("version_send_back", in_review.pk), {"reason": "  "})
        assert "This field is required." in response.text
        in_review.refresh_from_db()
        assert in_review.state == "in_review"

    def test_approving_shows_what_is_approved(self, in_review: Version, paul: Account) -> None:
        client = as_(paul)
        shown = client.get(page("version_approve", in_review.pk))
        assert "Raised: Email limit" in shown.text
        data = {"digest": shown.context["preview"].digest, "comment": "Good.", "effective_from": ""}
        assert "Common is approved." in said(client.post(page("version_approve", in_review.pk), data, follow=True))
        event = AuditEvent.objects.latest("pk")
        assert (event.action, event.reason, event.account) == ("draft.approved", "Good.", paul)

    @pytest.mark.parametrize("sent", ["", "x" * 5000])
    def test_nothing_else_is_approved(self, sent: str, in_review: Version, paul: Account) -> None:
        response = as_(paul).post(page("version_approve", in_review.pk), {"digest": sent})
        assert "would come to something else than what was shown before" in said(response)
        in_review.refresh_from_db()
        assert not in_review.is_approved

    def test_for_a_moment_that_has_passed_it_is_not_approved(self, in_review: Version, paul: Account) -> None:
        client = as_(paul)
        digest = client.get(page("version_approve", in_review.pk)).context["preview"].digest
        data = {"digest": digest, "effective_from": "2020-01-01T00:00"}
        response = client.post(page("version_approve", in_review.pk), data)
        assert "can't take effect at 2020-01-01 00:00 UTC" in said(response)

    def test_with_faults_they_are_listed(self, in_review: Version, paul: Account) -> None:
        Version.objects.filter(pk=in_review.pk).update(changelog="")
        response = as_(paul).get(page("version_approve", in_review.pk))
        assert "Say in one line what is new" in response.text
        assert 'name="digest"' not in response.text
        assert as_(paul).post(page("version_approve", in_review.pk), {"digest": "x"}).status_code == 200

    def test_a_planned_moment_is_proposed_when_it_is_published(self, in_review: Version, paul: Account) -> None:
        publishing.approve(version=in_review, actor=SYSTEM, at=NOON, effective_from=LATER)
        form = as_(paul).get(page("version_publish", in_review.pk)).context["form"]
        assert form.initial["effective_from"] == LATER

    def test_what_will_take_over_is_told_before(self, shop: Shop, paul: Account) -> None:
        shop.publish(shop.common, grants={"email-limit": 700}, effective_from=LATER)
        draft = shop.draft(shop.common, grants={"email-limit": 900})
        assert "common v2 is scheduled and takes over" in as_(paul).get(page("version_publish", draft.pk)).text

    def test_calling_off_says_what_stays(self, shop: Shop, paul: Account) -> None:
        version = shop.publish(shop.common, grants={"email-limit": 700}, effective_from=LATER)
        shop.publish(shop.sales_essentials, grants={"sales": True}, includes=["common"], effective_from=LATER)
        client = as_(paul)
        text = client.get(page("version_retire", version.pk)).text
        assert "Call off common v2" in text
        assert "common v1 stays on sale." in text
        assert "sales-essentials v2</a>, scheduled too, has taken it in" in text
        response = client.post(page("version_retire", version.pk), {"reason": "Wrong"}, follow=True)
        assert "Call off: done." in said(response)
        assert AuditEvent.objects.latest("pk").action == "version.called_off"

    def test_retiring_says_what_is_sold_instead(self, shop: Shop, paul: Account) -> None:
        first = Version.objects.get(offer=shop.common)
        assert "Nothing of Common is on sale after that." in as_(paul).get(page("version_retire", first.pk)).text
        shop.publish(shop.common, grants={"email-limit": 700})
        assert "New sales take common v2." in as_(paul).get(page("version_retire", first.pk)).text

    @pytest.mark.parametrize("step", ["approve", "publish", "send_back", "retire"])
    def test_who_only_drafts_does_not_decide(self, step: str, in_review: Version, pia: Account) -> None:
        address = page(f"version_{step}", in_review.pk)
        assert as_(pia).get(address).status_code == 403
        assert as_(pia).post(address, {"digest": "x", "reason": "Mine"}).status_code == 403
