"""An approval is of a content: what else the draft comes to, for whatever reason, was not approved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from catalog.errors import (
    AlreadyApproved,
    ApprovalOutdated,
    EffectiveInThePast,
    NotInReview,
    OtherThanPreviewed,
    PublishRefused,
    VersionFrozen,
)
from catalog.models import Feature, Module, Offer, Version
from catalog.services import drafting, publishing
from catalog.services.editing import save_row
from catalog.services.trail import steps_of
from customers.actor import SYSTEM, Actor
from customers.models import Account, AuditEvent
from tests.factories.catalog import NOON, Shop

LATER = NOON + timedelta(days=30)

pytestmark = pytest.mark.django_db


@pytest.fixture
def by_pia(pia: Account) -> dict[str, Any]:
    return {"actor": Actor(account=pia), "at": NOON}


@pytest.fixture
def by_paul(paul: Account) -> dict[str, Any]:
    return {"actor": Actor(account=paul), "at": NOON}


@pytest.fixture
def in_review(shop: Shop, by_pia: dict[str, Any]) -> Version:
    draft = shop.draft(shop.sales_essentials, by=by_pia["actor"], grants={"sales": True}, includes=["common"])
    return drafting.submit(version=draft, **by_pia)


@pytest.fixture
def approved(in_review: Version, by_paul: dict[str, Any]) -> Version:
    return publishing.approve(version=in_review, comment="Well done.", **by_paul)


class TestApproving:
    def test_it_names_the_content(self, approved: Version, paul: Account) -> None:
        preview = publishing.preview(version=approved, at=NOON)
        assert (approved.digest, approved.approved_by, approved.approved_at) == (preview.digest, paul, NOON)
        assert (approved.state, approved.stage(NOON), str(approved)) == (
            "in_review",
            "approved",
            "sales-essentials approved",
        )
        event = AuditEvent.objects.latest("pk")
        assert (event.action, event.reason) == ("draft.approved", "Well done.")
        assert event.changes == {"digest": preview.digest, "effective_from": None}

    def test_what_was_approved_is_published(self, approved: Version, by_pia: dict[str, Any], paul: Account) -> None:
        version = publishing.publish(version=approved, **by_pia)
        assert (version.approved_by, version.digest) == (paul, approved.digest)

    def test_only_what_is_in_review(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        with pytest.raises(NotInReview):
            publishing.approve(version=shop.draft(shop.common), **by_paul)
        with pytest.raises(VersionFrozen):
            publishing.approve(version=Version.objects.get(offer=shop.common, number=1), **by_paul)

    def test_only_what_was_shown(self, in_review: Version, by_paul: dict[str, Any]) -> None:
        shown = publishing.preview(version=in_review, at=NOON).digest
        with pytest.raises(OtherThanPreviewed):
            publishing.approve(version=in_review, expected_digest="other", **by_paul)
        assert publishing.approve(version=in_review, expected_digest=shown, **by_paul).is_approved

    def test_nothing_with_faults(self, in_review: Version, by_paul: dict[str, Any]) -> None:
        Module.objects.filter(name="user").update(prerequisite=Module.objects.get(name="dash-cal"))
        with pytest.raises(PublishRefused, match="dash-cal"):
            publishing.approve(version=in_review, **by_paul)

    def test_once(self, approved: Version, by_pia: dict[str, Any]) -> None:
        with pytest.raises(AlreadyApproved):
            publishing.approve(version=approved, **by_pia)

    def test_for_a_moment_to_come(self, shop: Shop, in_review: Version, by_paul: dict[str, Any]) -> None:
        with pytest.raises(EffectiveInThePast):
            publishing.approve(version=in_review, effective_from=NOON - timedelta(days=1), **by_paul)
        shop.publish(shop.common, grants={"email-limit": 900}, extra_modules=["user", "web"], effective_from=LATER)
        approved = publishing.approve(version=in_review, effective_from=LATER, **by_paul)
        assert approved.effective_from == LATER
        with pytest.raises(ApprovalOutdated):  # today it would come to less
            publishing.publish(version=approved, **by_paul)
        version = publishing.publish(version=approved, effective_from=LATER, **by_paul)
        assert version.is_scheduled(NOON)
        assert version.content["features"]["email-limit"]["value"] == 900


def edit_grants(draft: Version, who: dict[str, Any]) -> None:
    drafting.set_grants(version=draft, grants={"sales": True, "email-limit": 9}, **who)


def edit_includes(draft: Version, who: dict[str, Any]) -> None:
    drafting.set_includes(version=draft, codes=[], **who)


def edit_extra_modules(draft: Version, who: dict[str, Any]) -> None:
    drafting.set_extra_modules(version=draft, names=["dash"], **who)


def edit_rules(draft: Version, who: dict[str, Any]) -> None:
    drafting.set_rules(version=draft, needs=["common"], excludes=[], **who)


def edit_changelog(draft: Version, who: dict[str, Any]) -> None:
    drafting.update_draft(version=draft, changelog="Other words.", **who)


def edit_quantity(draft: Version, who: dict[str, Any]) -> None:
    drafting.update_draft(version=draft, max_quantity=3, **who)


class TestAnyEditVoidsIt:
    @pytest.mark.parametrize(
        "edit", [edit_grants, edit_includes, edit_extra_modules, edit_rules, edit_changelog, edit_quantity]
    )
    def test_and_takes_the_draft_out_of_review(
        self, edit: Callable[[Version, dict[str, Any]], None], approved: Version, by_pia: dict[str, Any]
    ) -> None:
        edit(approved, by_pia)
        approved.refresh_from_db()
        assert (approved.state, approved.approved_by, approved.approved_at) == ("draft", None, None)
        assert (approved.digest, approved.effective_from, approved.is_approved) == ("", None, False)

    def test_but_one_that_changes_nothing(self, approved: Version, by_pia: dict[str, Any]) -> None:
        drafting.set_grants(version=approved, grants={"sales": True}, **by_pia)
        approved.refresh_from_db()
        assert approved.is_approved

    def test_so_does_sending_it_back(self, approved: Version, by_pia: dict[str, Any]) -> None:
        assert not drafting.send_back(version=approved, comment="Wait.", **by_pia).is_approved
        again = drafting.submit(version=approved, **by_pia)
        assert (again.state, again.is_approved, again.digest) == ("in_review", False, "")


def move_include(shop: Shop) -> None:
    shop.publish(shop.common, grants={"email-limit": 900}, extra_modules=["user", "web"])


def move_feature(shop: Shop) -> None:
    save_row(row=_renamed(Feature.objects.get(code="sales")), actor=SYSTEM, at=NOON)


def move_plan(shop: Shop) -> None:
    save_row(row=_renamed(Offer.objects.get(code="sales-essentials")), actor=SYSTEM, at=NOON)


def move_module(shop: Shop) -> None:
    module = Module.objects.get(name="sale-cal")
    module.description = "Other words"
    save_row(row=module, actor=SYSTEM, at=NOON)


def _renamed(row: Any) -> Any:
    row.name = "Other words"
    return row


class TestWhateverElseMovesIt:
    @pytest.mark.parametrize("move", [move_include, move_feature, move_plan, move_module])
    def test_is_noticed_when_it_is_published(
        self, move: Callable[[Shop], None], shop: Shop, approved: Version, by_paul: dict[str, Any]
    ) -> None:
        move(shop)
        with pytest.raises(ApprovalOutdated):
            publishing.publish(version=approved, **by_paul)
        approved.refresh_from_db()
        assert (approved.state, approved.content) == ("in_review", None)
        again = publishing.approve(version=approved, **by_paul)
        assert publishing.publish(version=again, **by_paul).digest == again.digest != approved.digest

    def test_moved_and_moved_back_it_holds(self, shop: Shop, approved: Version, by_paul: dict[str, Any]) -> None:
        feature = Feature.objects.get(code="sales")
        was = feature.name
        move_feature(shop)
        feature.name = was
        save_row(row=feature, actor=SYSTEM, at=NOON)
        assert publishing.publish(version=approved, **by_paul).number == 2


class TestCallingOff:
    def test_a_scheduled_version_never_takes_effect(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        scheduled = shop.publish(shop.common, grants={"email-limit": 900}, effective_from=LATER)
        assert scheduled.stage(NOON) == "scheduled"
        called_off = publishing.retire(version=scheduled, reason="Not this year", **by_paul)
        assert (called_off.was_called_off, called_off.stage(LATER)) == (True, "called off")
        event = AuditEvent.objects.latest("pk")
        assert (event.action, event.reason) == ("version.called_off", "Not this year")
        assert Version.objects.live(LATER).get(offer=shop.common).number == 1

    def test_one_that_has_begun_is_retired(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        version = shop.publish(shop.common, grants={"email-limit": 900}, effective_from=LATER)
        retired = publishing.retire(version=version, actor=by_paul["actor"], at=LATER)
        assert (retired.was_called_off, retired.stage(LATER)) == (False, "retired")

    def test_the_next_draft_begins_at_what_was_published_last(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        wrong = shop.publish(shop.common, grants={"email-limit": 900}, effective_from=LATER)
        publishing.retire(version=wrong, **by_paul)
        draft: Any = drafting.draft_from(offer=shop.common, **by_paul)
        assert draft.base.number == 1
        assert publishing.superseding(draft) is None
        assert publishing.preview(version=draft, at=NOON).previous == draft.base

    def test_what_took_it_in_is_told(self, shop: Shop) -> None:
        common = shop.publish(shop.common, grants={"email-limit": 900}, effective_from=LATER)
        plan = shop.publish(shop.sales_essentials, grants={"sales": True}, includes=["common"], effective_from=LATER)
        assert publishing.taken_in_by(common, at=NOON) == [plan]
        assert publishing.taken_in_by(plan, at=NOON) == []

    def test_what_will_take_over_is_told(self, shop: Shop) -> None:
        scheduled = shop.publish(shop.common, grants={"email-limit": 900}, effective_from=LATER)
        draft = shop.draft(shop.common, grants={"email-limit": 700})
        assert publishing.overtaking(draft, effective_from=NOON) == [scheduled]
        assert publishing.overtaking(draft, effective_from=LATER) == []


def test_the_steps_of_a_life_are_told_in_order(
    shop: Shop, in_review: Version, by_pia: dict[str, Any], by_paul: dict[str, Any]
) -> None:
    drafting.send_back(version=in_review, comment="Fewer.", **by_paul)
    edit_changelog(in_review, by_pia)
    drafting.submit(version=in_review, comment="So?", **by_pia)
    approved = publishing.approve(version=in_review, **by_paul)
    version = publishing.publish(version=approved, **by_paul)
    publishing.retire(version=version, reason="Enough.", **by_paul)
    said = [(step.what, step.actor, step.reason) for step in steps_of(version)]
    assert said[-7:] == [
        ("Begun", "Pia Product", ""),
        ("Submitted", "Pia Product", ""),
        ("Sent back", "Paul Publisher", "Fewer."),
        ("Submitted", "Pia Product", "So?"),
        ("Approved", "Paul Publisher", ""),
        ("Published", "Paul Publisher", ""),
        ("Retired", "Paul Publisher", "Enough."),
    ]
