"""The life of a version: drafted by Pia, handed in, sent back, published by Paul, retired; and who may not do what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.content import VersionContent, digest
from catalog.errors import (
    AlreadyInReview,
    AlreadyRetired,
    DraftExists,
    DraftGone,
    EffectiveInThePast,
    ForeignBase,
    NotApproved,
    NotFrozen,
    NotInReview,
    PublishRefused,
    SecondPairOfEyesNeeded,
    VersionFrozen,
)
from catalog.models import Feature, LevelChoice, Module, Offer, Version, VersionFeature
from catalog.services import drafting, publishing
from catalog.services.editing import save_row
from catalog.services.mapping import draft_facts
from customers.actor import SYSTEM, Actor
from customers.errors import Invalid
from customers.models import Account, AuditEvent
from tests.factories.catalog import NOON, AddOnFactory, FeatureFactory, ModuleFactory, PlanFactory, Shop
from tests.factories.customers import AccountFactory

LATER = NOON + timedelta(days=30)

pytestmark = pytest.mark.django_db


@pytest.fixture
def by_pia(pia: Account) -> dict[str, Any]:
    return {"actor": Actor(account=pia), "at": NOON}


@pytest.fixture
def by_petra() -> dict[str, Any]:
    """Petra publishes too."""
    return {"actor": Actor(account=AccountFactory(name="Petra Press", roles=["publisher"])), "at": NOON}


@pytest.fixture
def by_paul(paul: Account) -> dict[str, Any]:
    return {"actor": Actor(account=paul), "at": NOON}


def says(version: Version) -> dict[str, Any]:
    """Returns everything a version's rows say."""
    rows: Any = version
    return {
        "grants": {g.feature.code: "unlimited" if g.unlimited else g.value for g in rows.grants.all()},
        "includes": [row.offer.code for row in rows.includes.all()],
        "extra": sorted(row.module.name for row in rows.extra_modules.all()),
        "rules": {row.names: row.verb for row in rows.rules.all()},
        "max_quantity": rows.max_quantity,
    }


def last_event() -> AuditEvent:
    event: AuditEvent = AuditEvent.objects.latest("pk")
    return event


class TestBeginning:
    def test_a_draft_says_what_the_newest_version_says(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        everything: Any = {
            "grants": {"sales": True, "email-limit": "unlimited", "dashboards": "default-tiles"},
            "includes": ["service-essentials"],
            "extra_modules": ["web", "user"],
            "needs": ["common"],
            "excludes": ["sales-premium", "tier:premium"],
            "max_quantity": 4,
        }
        second = shop.publish(shop.sales_essentials, **everything)
        draft = drafting.draft_from(offer=shop.sales_essentials, **by_pia)
        assert says(draft) == says(second)
        assert says(draft)["rules"] == {"common": "needs", "sales-premium": "excludes", "tier:premium": "excludes"}
        assert (draft.state, draft.number, draft.base, draft.changelog) == ("draft", None, second, "")
        assert draft.drafted_by == by_pia["actor"].account
        assert (last_event().action, last_event().object_code) == ("draft.begun", "sales-essentials")

    def test_or_what_an_older_one_says(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        first = Version.objects.get(offer=shop.sales_essentials)
        shop.publish(shop.sales_essentials, grants={"sales": True})
        draft = drafting.draft_from(offer=shop.sales_essentials, base=first, **by_pia)
        assert says(draft)["grants"] == {"sales": True, "dashboards": "default-tiles"}

    def test_the_first_draft_of_something_new_is_empty(self, by_pia: dict[str, Any]) -> None:
        draft = drafting.draft_from(offer=PlanFactory(), **by_pia)
        assert (draft.base, says(draft)["grants"]) == (None, {})

    def test_one_draft_at_a_time(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        drafting.draft_from(offer=shop.sales_premium, **by_pia)
        with pytest.raises(DraftExists) as refused:
            drafting.draft_from(offer=shop.sales_premium, **by_pia)
        assert refused.value.blocking == {"kind": "draft", "code": "sales-premium"}

    def test_the_base_is_a_published_version_of_the_same_plan(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        common = Version.objects.get(offer=shop.common)
        with pytest.raises(ForeignBase):
            drafting.draft_from(offer=shop.sales_premium, base=common, **by_pia)
        draft = drafting.draft_from(offer=shop.common, **by_pia)
        drafting.discard_draft(version=draft, **by_pia)
        with pytest.raises(NotFrozen):
            drafting.draft_from(offer=shop.common, base=draft, **by_pia)


class TestEditing:
    def test_an_edit_tells_who_and_what(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium, grants={"quotes": True, "email-limit": 500})
        drafting.set_grants(version=draft, grants={"email-limit": 900, "sales": False}, **by_pia)
        assert says(draft)["grants"] == {"email-limit": 900, "sales": False}
        assert last_event().changes == {
            "grants.email-limit": [500, 900],
            "grants.quotes": [True, None],
            "grants.sales": [None, False],
        }
        assert list(draft.editors.all()) == [by_pia["actor"].account]

    def test_an_edit_that_changes_nothing_leaves_no_trace(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium, grants={"quotes": True}, extra_modules=["web"], needs=["common"])
        before = AuditEvent.objects.count()
        drafting.set_grants(version=draft, grants={"quotes": True}, **by_pia)
        drafting.set_extra_modules(version=draft, names=["superoffice.web"], **by_pia)
        drafting.set_rules(version=draft, needs=["common"], excludes=[], **by_pia)
        drafting.set_includes(version=draft, codes=[], **by_pia)
        drafting.update_draft(version=draft, changelog="What is new.", **by_pia)
        assert AuditEvent.objects.count() == before
        assert not draft.editors.exists()

    def test_unlimited_and_numbers_are_told_apart(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium, grants={"email-limit": "unlimited"})
        assert says(draft)["grants"] == {"email-limit": "unlimited"}
        drafting.set_grants(version=draft, grants={"email-limit": 1}, **by_pia)
        assert says(draft)["grants"] == {"email-limit": 1}

    def test_every_bad_grant_is_told_and_nothing_changes(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium, grants={"quotes": True})
        wrong = {"sales": 1, "email-limit": -1, "dashboards": "huge", "nonsense": True, "quotes": False}
        with pytest.raises(Invalid) as refused:
            drafting.set_grants(version=draft, grants=wrong, **by_pia)
        assert {fault["field"] for fault in refused.value.faults} == {
            "grants.sales",
            "grants.email-limit",
            "grants.dashboards",
            "grants.nonsense",
        }
        assert says(draft)["grants"] == {"quotes": True}

    def test_unknown_names_are_told(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium)
        AddOnFactory(code="cep")
        with pytest.raises(Invalid, match="There is no plan 'cep'"):
            drafting.set_includes(version=draft, codes=["common", "cep"], **by_pia)
        with pytest.raises(Invalid, match="There is no module 'nonsense'"):
            drafting.set_extra_modules(version=draft, names=["web", "nonsense"], **by_pia)
        with pytest.raises(Invalid, match="There is no plan or add-on 'nonsense'"):
            drafting.set_rules(version=draft, needs=["nonsense"], excludes=[], **by_pia)
        with pytest.raises(Invalid, match="There is no tier 'gold'"):
            drafting.set_rules(version=draft, needs=["tier:gold"], excludes=[], **by_pia)
        for both in ("common", "tier:premium"):
            with pytest.raises(Invalid, match=f"{both} can't be both"):
                drafting.set_rules(version=draft, needs=[both], excludes=[both], **by_pia)

    def test_a_module_of_another_owner_is_named_in_full(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        ModuleFactory(name="map", owner__code="MAPS")
        draft = shop.draft(shop.sales_premium)
        drafting.set_extra_modules(version=draft, names=["maps.map", "web"], **by_pia)
        assert says(draft)["extra"] == ["map", "web"]
        with pytest.raises(Invalid, match="There is no module 'map'"):
            drafting.set_extra_modules(version=draft, names=["map"], **by_pia)

    def test_a_rule_can_turn_round(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium, needs=["common"])
        drafting.set_rules(version=draft, needs=[], excludes=["common"], **by_pia)
        assert says(draft)["rules"] == {"common": "excludes"}
        assert last_event().changes == {"rules.common": ["needs", "excludes"]}

    def test_a_rule_about_a_tier_comes_and_goes(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium)
        drafting.set_rules(version=draft, needs=["tier:essentials"], excludes=["tier:premium"], **by_pia)
        assert says(draft)["rules"] == {"tier:essentials": "needs", "tier:premium": "excludes"}
        drafting.set_rules(version=draft, needs=["tier:premium"], excludes=[], **by_pia)
        assert last_event().changes == {
            "rules.tier:essentials": ["needs", None],
            "rules.tier:premium": ["excludes", "needs"],
        }

    def test_a_changelog_is_one_line_that_fits(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        with pytest.raises(ValidationError, match="at most 500 characters"):
            drafting.update_draft(version=shop.draft(shop.common), changelog="x" * 501, **by_pia)

    def test_a_published_version_is_not_edited(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        version = Version.objects.get(offer=shop.sales_premium)
        with pytest.raises(VersionFrozen):
            drafting.set_grants(version=version, grants={}, **by_pia)
        with pytest.raises(VersionFrozen):
            drafting.update_draft(version=version, changelog="Other", **by_pia)
        with pytest.raises(VersionFrozen):
            drafting.discard_draft(version=version, **by_pia)

    def test_a_discarded_draft_is_gone(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium)
        stale = Version.objects.get(pk=draft.pk)
        drafting.discard_draft(version=draft, reason="Not this year", **by_pia)
        assert (last_event().action, last_event().reason) == ("draft.discarded", "Not this year")
        with pytest.raises(DraftGone):
            drafting.set_grants(version=stale, grants={}, **by_pia)


class TestReview:
    def test_a_draft_is_handed_in_and_sent_back(
        self, shop: Shop, by_pia: dict[str, Any], by_paul: dict[str, Any]
    ) -> None:
        draft = drafting.submit(version=shop.draft(shop.sales_premium, grants={"quotes": True}), **by_pia)
        assert (draft.state, draft.submitted_by) == ("in_review", by_pia["actor"].account)
        with pytest.raises(AlreadyInReview):
            drafting.submit(version=draft, **by_pia)
        draft = drafting.send_back(version=draft, comment="Quotes belong to Service.", **by_paul)
        assert (draft.state, draft.submitted_by) == ("draft", None)
        assert (last_event().action, last_event().reason) == ("draft.sent_back", "Quotes belong to Service.")
        with pytest.raises(NotInReview):
            drafting.send_back(version=draft, **by_paul)

    def test_an_edit_takes_it_out_of_review(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = drafting.submit(version=shop.draft(shop.sales_premium, grants={"quotes": True}), **by_pia)
        draft = drafting.set_grants(version=draft, grants={"quotes": True, "sales": True}, **by_pia)
        assert (draft.state, draft.submitted_by) == ("draft", None)
        draft = drafting.submit(version=draft, **by_pia)
        assert drafting.set_grants(version=draft, grants={"quotes": True, "sales": True}, **by_pia).state == "in_review"

    def test_a_draft_with_faults_is_not_handed_in(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium, changelog="", extra_modules=["t1"])
        with pytest.raises(PublishRefused) as refused:
            drafting.submit(version=draft, **by_pia)
        assert {fault["code"] for fault in refused.value.details["faults"]} == {"changelog_missing", "marker_misused"}

    def test_a_family_of_new_plans_goes_into_review_together(self, by_pia: dict[str, Any]) -> None:
        base, top = PlanFactory(code="base"), PlanFactory(code="top")
        drafting.draft_from(offer=base, **by_pia)
        draft = drafting.draft_from(offer=top, **by_pia)
        drafting.set_includes(version=draft, codes=["base"], **by_pia)
        assert drafting.submit(version=draft, **by_pia).state == "in_review"
        with pytest.raises(PublishRefused, match="base has no published version"):
            publishing.publish(version=draft, **by_pia)


class TestPublishing:
    def test_it_is_numbered_frozen_and_signed(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium, grants={"quotes": True}, includes=["sales-essentials"])
        version = publishing.publish(version=draft, **by_paul)
        version.refresh_from_db()
        paul = by_paul["actor"].account
        assert (version.number, version.state) == (2, "published")
        assert (version.published_by, version.approved_by, version.published_at) == (paul, paul, NOON)
        assert version.effective_from == NOON
        assert version.digest == digest(version.content)
        content = VersionContent.from_json(version.content)
        assert (
            list(content.features) == ["dashboards", "email-limit", "sales", "quotes"] or connection.vendor != "sqlite"
        )
        assert {row.feature.code for row in VersionFeature.objects.filter(version=version)} == content.features.keys()
        assert last_event().action == "version.published"
        assert last_event().changes["version"] == 2

    def test_an_include_is_frozen_as_it_was_live(self, shop: Shop) -> None:
        shop.publish(shop.common, grants={"email-limit": 900}, extra_modules=["user", "web"])
        again = shop.publish(shop.sales_essentials, grants={"sales": True}, includes=["common"])
        assert again.content["includes"] == [{"code": "common", "version": 2}]
        first = Version.objects.get(offer=shop.sales_essentials, number=1)
        assert first.content["features"]["email-limit"]["value"] == 500

    def test_what_takes_effect_later_includes_what_is_live_then(self, shop: Shop) -> None:
        shop.publish(shop.common, grants={"email-limit": 900}, effective_from=LATER)
        now = shop.publish(shop.sales_essentials, grants={"sales": True}, includes=["common"])
        then = shop.publish(
            shop.service_essentials, grants={"requests": True}, includes=["common"], effective_from=LATER
        )
        assert now.content["includes"] == [{"code": "common", "version": 1}]
        assert then.content["includes"] == [{"code": "common", "version": 2}]

    def test_a_scheduled_version_takes_over_at_its_instant(self, shop: Shop) -> None:
        second = shop.publish(shop.common, grants={"email-limit": 900}, effective_from=LATER)
        live = Version.objects.filter(offer=shop.common)
        assert live.live(LATER - timedelta(microseconds=1)).get().number == 1
        assert live.live(LATER).get() == second
        assert second.is_scheduled(NOON)
        assert not second.is_scheduled(LATER)

    def test_it_does_not_take_effect_in_the_past(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        draft = shop.draft(shop.common, grants={"email-limit": 900})
        with pytest.raises(EffectiveInThePast):
            publishing.publish(version=draft, effective_from=NOON - timedelta(microseconds=1), **by_paul)

    def test_all_faults_at_once_and_nothing_half_done(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_premium, changelog="", extra_modules=["web", "t2"], needs=["sales-premium"])
        with pytest.raises(PublishRefused) as refused:
            publishing.publish(version=draft, **by_paul)
        assert {fault.code for fault in refused.value.faults} == {
            "changelog_missing",
            "prerequisite_missing",
            "marker_misused",
            "rule_names_itself",
        }
        draft.refresh_from_db()
        assert (draft.state, draft.number, draft.content) == ("draft", None, None)
        assert not draft.published_features.exists()

    def test_check_says_the_same_beforehand(self, shop: Shop) -> None:
        draft = shop.draft(shop.sales_premium, changelog="")
        assert {fault.code for fault in publishing.check(version=draft, at=NOON)} == {
            "changelog_missing",
            "empty_version",
        }

    def test_the_preview_is_what_publishing_then_freezes(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        draft = shop.draft(
            shop.sales_premium, grants={"quotes": True, "email-limit": 900}, includes=["sales-essentials"]
        )
        preview = publishing.preview(version=draft, at=NOON)
        assert preview.faults == ()
        assert preview.diff is not None
        assert preview.content is not None
        assert [(c.code, c.was, c.now) for c in preview.diff.raised] == [
            ("email-limit", "500 recipients", "900 recipients")
        ]
        assert [c.code for c in preview.diff.lowered] == ["dashboards"]
        assert preview.diff.set_out == ("dash-cal",)
        assert preview.previous == Version.objects.get(offer=shop.sales_premium, number=1)
        assert publishing.publish(version=draft, **by_paul).digest == digest(preview.content.to_json())

    def test_of_two_publishers_at_once_one_wins(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        draft = shop.draft(shop.common, grants={"email-limit": 900})
        stale = Version.objects.get(pk=draft.pk)
        publishing.publish(version=draft, **by_paul)
        with pytest.raises(VersionFrozen, match="common v2 is published"):
            publishing.publish(version=stale, **by_paul)
        assert Version.objects.filter(offer=shop.common).count() == 2

    def test_what_was_published_of_a_feature_stays_so_in_what_follows(self, shop: Shop) -> None:
        Feature.objects.get(code="dashboards").choices.filter(code="default-tiles").delete()
        draft = shop.draft(shop.sales_premium, grants={"dashboards": "custom-tiles"})
        faults = publishing.check(version=draft, at=NOON)
        assert [(fault.code, fault.path) for fault in faults] == [("definition_changed", "features.dashboards")]
        assert "its choice default-tiles is gone since" in faults[0].message

    def test_numbers_go_on_after_a_retired_version(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        publishing.retire(version=Version.objects.get(offer=shop.common), **by_paul)
        assert shop.publish(shop.common, grants={"email-limit": 900}).number == 2

    def test_publishing_asks_the_same_number_of_questions_of_a_large_draft(self, shop: Shop) -> None:
        def queries(draft: Version) -> int:
            with CaptureQueriesContext(connection) as captured:
                draft_facts(draft, at=NOON)
            return len(captured)

        features = [FeatureFactory(code=f"more-{n}") for n in range(30)]
        small = shop.draft(shop.sales_premium, grants={"quotes": True}, includes=["common"])
        few = queries(small)
        large = drafting.set_grants(
            version=small, grants={"quotes": True} | {f.code: True for f in features}, actor=SYSTEM, at=NOON
        )
        large = drafting.set_includes(
            version=large, codes=["common", "service-essentials", "sales-essentials"], actor=SYSTEM, at=NOON
        )
        assert queries(large) == few


class TestFourEyes:
    @pytest.fixture(autouse=True)
    def _four_eyes(self, settings: Any) -> None:
        settings.FOUR_EYES = True

    def in_review(self, shop: Shop, by: dict[str, Any]) -> Version:
        draft = drafting.draft_from(offer=shop.common, **by)
        draft = drafting.set_grants(version=draft, grants={"email-limit": 900, "dashboards": "default-charts"}, **by)
        draft = drafting.update_draft(version=draft, changelog="More mail.", **by)
        return drafting.submit(version=draft, **by)

    def test_somebody_else_publishes_what_is_in_review(
        self, shop: Shop, by_pia: dict[str, Any], by_paul: dict[str, Any]
    ) -> None:
        approved = publishing.approve(version=self.in_review(shop, by_pia), **by_paul)
        assert publishing.publish(version=approved, **by_paul).number == 2

    def test_not_without_an_approval(self, shop: Shop, by_pia: dict[str, Any], by_paul: dict[str, Any]) -> None:
        with pytest.raises(NotApproved):
            publishing.publish(version=self.in_review(shop, by_pia), **by_paul)

    def test_not_without_a_review(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        with pytest.raises(NotInReview):
            publishing.publish(version=shop.draft(shop.common, grants={"email-limit": 900}), **by_paul)

    def test_not_who_drafted_it(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        draft = self.in_review(shop, by_paul)
        for step in (publishing.approve, publishing.publish):
            with pytest.raises(SecondPairOfEyesNeeded, match="Paul Publisher worked on common"):
                step(version=draft, **by_paul)

    def test_not_who_edited_it(self, shop: Shop, by_pia: dict[str, Any], by_paul: dict[str, Any]) -> None:
        draft = self.in_review(shop, by_pia)
        drafting.update_draft(version=draft, changelog="More mail for all.", **by_paul)
        draft = drafting.submit(version=draft, **by_pia)
        for step in (publishing.approve, publishing.publish):
            with pytest.raises(SecondPairOfEyesNeeded):
                step(version=draft, **by_paul)

    def test_not_who_edited_it_though_somebody_else_approved(
        self, shop: Shop, by_pia: dict[str, Any], by_paul: dict[str, Any], by_petra: dict[str, Any]
    ) -> None:
        draft = self.in_review(shop, by_pia)
        drafting.update_draft(version=draft, changelog="More mail for all.", **by_paul)
        draft = drafting.submit(version=draft, **by_pia)
        draft = publishing.approve(version=draft, **by_petra)
        with pytest.raises(SecondPairOfEyesNeeded, match="must publish it"):
            publishing.publish(version=draft, **by_paul)
        assert publishing.publish(version=draft, **by_petra).approved_by == by_petra["actor"].account

    def test_not_as_approved_before_four_eyes_were_on(
        self, shop: Shop, by_pia: dict[str, Any], by_paul: dict[str, Any], settings: Any
    ) -> None:
        settings.FOUR_EYES = False
        draft = publishing.approve(version=self.in_review(shop, by_pia), **by_pia)
        settings.FOUR_EYES = True
        with pytest.raises(SecondPairOfEyesNeeded, match="Pia Product worked on common, so somebody else must approve"):
            publishing.publish(version=draft, **by_paul)

    @pytest.mark.parametrize("row", ["plan", "feature", "choice", "module"])
    def test_not_who_changed_what_it_comes_with(
        self, row: str, shop: Shop, by_pia: dict[str, Any], by_paul: dict[str, Any]
    ) -> None:
        rows: dict[str, Any] = {
            "plan": Offer.objects.get(code="common"),
            "feature": Feature.objects.get(code="email-limit"),
            "choice": LevelChoice.objects.get(code="default-charts"),
            "module": Module.objects.get(name="web"),
        }
        words = "description" if row in {"plan", "module"} else "name"
        setattr(rows[row], words, "Other words")
        draft = self.in_review(shop, by_pia)
        save_row(row=rows[row], actor=by_paul["actor"], at=NOON + timedelta(seconds=1))
        later = {"actor": by_paul["actor"], "at": NOON + timedelta(seconds=2)}
        for step in (publishing.approve, publishing.publish):
            with pytest.raises(SecondPairOfEyesNeeded):
                step(version=draft, **later)

    def test_but_who_changed_something_else(self, shop: Shop, by_pia: dict[str, Any], by_paul: dict[str, Any]) -> None:
        quotes = Feature.objects.get(code="quotes")
        quotes.name = "Offers"
        save_row(row=quotes, actor=by_paul["actor"], at=NOON + timedelta(seconds=1))
        draft = publishing.approve(version=self.in_review(shop, by_pia), **by_paul)
        assert publishing.publish(version=draft, **by_paul).number == 2

    def test_not_nobody_in_particular(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        with pytest.raises(SecondPairOfEyesNeeded):
            publishing.approve(version=self.in_review(shop, by_pia), actor=SYSTEM, at=NOON)

    def test_after_a_publication_one_starts_afresh(
        self, shop: Shop, by_pia: dict[str, Any], by_paul: dict[str, Any]
    ) -> None:
        draft = self.in_review(shop, by_pia)
        drafting.update_draft(version=draft, changelog="More mail for all.", **by_paul)
        publishing.publish(version=draft, four_eyes=False, **by_pia)
        draft = drafting.draft_from(offer=shop.common, **by_pia)
        draft = drafting.update_draft(version=draft, changelog="Again.", **by_pia)
        draft = publishing.approve(version=drafting.submit(version=draft, **by_pia), **by_paul)
        assert publishing.publish(version=draft, **by_paul).number == 3


class TestRetiring:
    def test_a_retired_version_is_not_sold_and_stays_as_it_is(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        version = Version.objects.get(offer=shop.common)
        retired = publishing.retire(version=version, reason="Too generous", **by_paul)
        assert (retired.state, retired.retired_by, retired.retired_at) == (
            "retired",
            by_paul["actor"].account,
            NOON,
        )
        assert retired.content == version.content
        assert not Version.objects.live(LATER).filter(offer=shop.common).exists()
        assert (last_event().action, last_event().reason) == ("version.retired", "Too generous")

    def test_the_version_before_is_sold_again(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        second = shop.publish(shop.common, grants={"email-limit": 900})
        publishing.retire(version=second, **by_paul)
        assert Version.objects.live(LATER).get(offer=shop.common).number == 1

    def test_a_draft_is_not_retired_nor_a_retired_version_again(self, shop: Shop, by_paul: dict[str, Any]) -> None:
        with pytest.raises(NotFrozen):
            publishing.retire(version=shop.draft(shop.common), **by_paul)
        retired = publishing.retire(version=Version.objects.get(offer=shop.common, number=1), **by_paul)
        with pytest.raises(AlreadyRetired):
            publishing.retire(version=retired, **by_paul)


class TestDefinitionsOnceTheyArePublished:
    def test_a_published_feature_keeps_what_it_is(self, shop: Shop) -> None:
        feature = Feature.objects.get(code="email-limit")
        feature.name, feature.unit, feature.rule = "Mails per call", "messages", "sum"
        with pytest.raises(ValidationError) as refused:
            feature.full_clean()
        assert refused.value.message_dict.keys() == {"unit", "rule"}

    def test_a_published_module_keeps_its_name(self, shop: Shop) -> None:
        module = Module.objects.get(name="sale-cal")
        module.description, module.name = "Sales", "sales-cal"
        with pytest.raises(ValidationError) as refused:
            module.full_clean()
        assert refused.value.message_dict.keys() == {"name"}
        module.name = "sale-cal"
        module.full_clean()

    def test_what_nobody_has_published_may_still_be_mended(self) -> None:
        feature, module = FeatureFactory(), ModuleFactory()
        feature.kind, feature.rule, feature.counts = "limit", "sum", "user"
        module.name = "other-name"
        feature.full_clean()
        module.full_clean()
