"""Pia drafts from an older version: what was published since is taken over, kept out, or begun from."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.errors import BaseIsCurrent, BaseSuperseded, DraftGone, RebaseUndecided, VersionFrozen
from catalog.models import Version
from catalog.services import drafting, publishing, rebasing
from customers.actor import Actor
from customers.errors import Invalid
from customers.models import Account, AuditEvent
from tests.catalog.visiting import as_, page, said
from tests.factories.catalog import NOON, FeatureFactory, Shop

pytestmark = pytest.mark.django_db

FIRST: Any = {"grants": {"sales": True, "dashboards": "default-tiles"}, "includes": ["common"]}
SECOND: Any = {
    "grants": {"sales": True, "dashboards": "custom-tiles", "email-limit": 900},
    "includes": ["common"],
    "extra_modules": ["dash"],
    "needs": ["service-essentials"],
    "max_quantity": 7,
}


@pytest.fixture
def by_pia(pia: Account) -> dict[str, Any]:
    return {"actor": Actor(account=pia), "at": NOON}


@pytest.fixture
def draft(shop: Shop, by_pia: dict[str, Any]) -> Version:
    """Begun from v1, which says FIRST, while v2 says SECOND; Pia wants other dashboards, and quotes."""
    shop.publish(shop.sales_essentials, **SECOND)
    first = Version.objects.get(offer=shop.sales_essentials, number=1)
    draft = drafting.draft_from(offer=shop.sales_essentials, base=first, **by_pia)
    grants = {"sales": True, "dashboards": "default-charts", "quotes": True}
    draft = drafting.set_grants(version=draft, grants=grants, **by_pia)
    return drafting.update_draft(version=draft, changelog="Quotes.", **by_pia)


class TestASupersededDraft:
    def test_shows_what_both_changed(self, draft: Version) -> None:
        found = rebasing.preview_rebase(version=draft)
        assert found is not None
        assert (str(found.newer), found.merge.taken) == (
            "sales-essentials v2",
            {
                "extra_modules.superoffice.dash": (None, True),
                "grants.email-limit": (None, 900),
                "max_quantity": (None, 7),
                "rules.service-essentials": (None, "needs"),
            },
        )
        conflict = found.merge.conflicts[0]
        assert (conflict.path, conflict.base, conflict.theirs, conflict.mine) == (
            "grants.dashboards",
            "default-tiles",
            "custom-tiles",
            "default-charts",
        )

    def test_goes_nowhere_before_that_is_decided(self, draft: Version, by_pia: dict[str, Any]) -> None:
        with pytest.raises(BaseSuperseded, match="sales-essentials was begun before sales-essentials v2"):
            drafting.submit(version=draft, **by_pia)
        with pytest.raises(BaseSuperseded):
            publishing.publish(version=draft, **by_pia)

    def test_in_review_neither(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = shop.draft(shop.sales_essentials, grants={"sales": True}, includes=["common"])
        draft = drafting.submit(version=draft, **by_pia)
        again: Any = publishing.publish(version=draft, **by_pia)
        first = Version.objects.get(offer=shop.sales_essentials, number=1)
        older = drafting.draft_from(offer=shop.sales_essentials, base=first, **by_pia)
        Version.objects.filter(pk=older.pk).update(state="in_review")
        with pytest.raises(BaseSuperseded) as refused:
            publishing.approve(version=older, **by_pia)
        assert refused.value.blocking == {"kind": "version", "code": str(again)}

    def test_is_rebased_as_decided(self, draft: Version, by_pia: dict[str, Any], pia: Account) -> None:
        rebased = rebasing.rebase(version=draft, choices={"grants.dashboards": "mine"}, **by_pia)
        assert rebasing.says(rebased) == {
            "grants.sales": True,
            "grants.dashboards": "default-charts",
            "grants.quotes": True,
            "grants.email-limit": 900,
            "includes.common": True,
            "extra_modules.superoffice.dash": True,
            "rules.service-essentials": "needs",
            "max_quantity": 7,
        }
        assert (str(rebased.base), rebased.changelog) == ("sales-essentials v2", "Quotes.")
        assert list(rebased.editors.all()) == [pia]
        event = AuditEvent.objects.latest("pk")
        assert (event.action, event.changes) == (
            "draft.rebased",
            {"base": ["sales-essentials v1", "sales-essentials v2"], "kept.grants.dashboards": "mine"},
        )
        assert drafting.submit(version=rebased, **by_pia).state == "in_review"

    def test_or_as_the_newer_one_has_it(self, draft: Version, by_pia: dict[str, Any]) -> None:
        rebased = rebasing.rebase(version=draft, choices={"grants.dashboards": "theirs"}, **by_pia)
        assert rebasing.says(rebased)["grants.dashboards"] == "custom-tiles"

    def test_is_not_rebased_halfway(self, draft: Version, by_pia: dict[str, Any]) -> None:
        before = rebasing.says(draft)
        with pytest.raises(RebaseUndecided) as refused:
            rebasing.rebase(version=draft, choices={}, **by_pia)
        assert refused.value.details == {
            "conflicts": [
                {
                    "path": "grants.dashboards",
                    "base": "default-tiles",
                    "theirs": "custom-tiles",
                    "mine": "default-charts",
                }
            ]
        }
        wrong: Any = {"grants.dashboards": "ours", "grants.sales": "mine"}
        with pytest.raises(Invalid) as invalid:
            rebasing.rebase(version=draft, choices=wrong, **by_pia)
        assert [fault["field"] for fault in invalid.value.faults] == [
            "choices.grants.sales",
            "choices.grants.dashboards",
        ]
        draft.refresh_from_db()
        assert (rebasing.says(draft), str(draft.base)) == (before, "sales-essentials v1")

    def test_stays_as_drafted_for_who_goes_back_on_purpose(self, draft: Version, by_pia: dict[str, Any]) -> None:
        before = rebasing.says(draft)
        kept = rebasing.keep_as_drafted(version=draft, **by_pia)
        assert (rebasing.says(kept), str(kept.base)) == (before, "sales-essentials v2")
        assert publishing.publish(version=kept, **by_pia).number == 3

    def test_or_is_begun_again(self, draft: Version, by_pia: dict[str, Any]) -> None:
        again = rebasing.begin_again(version=draft, reason="Too much has changed", **by_pia)
        assert (again.pk != draft.pk, str(again.base)) == (True, "sales-essentials v2")
        assert rebasing.says(again)["grants.email-limit"] == 900
        assert not Version.objects.filter(pk=draft.pk).exists()
        assert AuditEvent.objects.get(action="draft.discarded").reason == "Too much has changed"

    def test_what_was_called_off_supersedes_nothing(self, draft: Version, by_pia: dict[str, Any]) -> None:
        publishing.retire(version=Version.objects.get(offer=draft.offer, number=2), **by_pia)
        assert publishing.superseding(draft) is None


class TestOthers:
    def test_a_draft_that_is_current_has_nothing_to_rebase(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        draft = drafting.draft_from(offer=shop.sales_essentials, **by_pia)
        assert rebasing.preview_rebase(version=draft) is None
        with pytest.raises(BaseIsCurrent):
            rebasing.rebase(version=draft, choices={}, **by_pia)
        before = AuditEvent.objects.count()
        assert rebasing.keep_as_drafted(version=draft, **by_pia).base == draft.base
        assert AuditEvent.objects.count() == before

    def test_nor_what_is_published_or_gone(self, shop: Shop, by_pia: dict[str, Any]) -> None:
        version = Version.objects.get(offer=shop.sales_essentials)
        draft = drafting.draft_from(offer=shop.sales_essentials, **by_pia)
        drafting.discard_draft(version=Version.objects.get(pk=draft.pk), **by_pia)
        for row, refusal in ((version, VersionFrozen), (draft, DraftGone)):
            with pytest.raises(refusal):
                rebasing.rebase(version=row, choices={}, **by_pia)
            with pytest.raises(refusal):
                rebasing.keep_as_drafted(version=row, **by_pia)
            with pytest.raises(refusal):
                rebasing.begin_again(version=row, **by_pia)


class TestThePage:
    def test_it_asks_what_is_to_be_decided_and_shows_the_rest(self, draft: Version, pia: Account) -> None:
        client = as_(pia)
        text = client.get(page("version_change", draft.pk)).text
        assert "sales-essentials v2 is newer than sales-essentials v1" in text
        assert "Submit for review" not in text
        text = client.get(page("version_rebase", draft.pk)).text
        for words in (
            "In sales-essentials v1: Default tiles. Both changed it.",
            "As in the draft: Default charts",
            "As in sales-essentials v2: Custom tiles",
            "900 recipients",
            "Rule service-essentials",
        ):
            assert words in text

    def test_undecided_it_asks_again(self, draft: Version, pia: Account) -> None:
        response = as_(pia).post(page("version_rebase", draft.pk), {"choice:grants.sales": "mine"})
        assert "Nothing is to be decided about" in said(response)
        response = as_(pia).post(page("version_rebase", draft.pk))
        assert "both changed grants.dashboards. Choose mine or theirs for each." in said(response)
        assert "As in the draft: Default charts" in response.text

    def test_decided_it_is_rebased(self, draft: Version, pia: Account) -> None:
        answers = {"choice:grants.dashboards": "theirs"}
        response = as_(pia).post(page("version_rebase", draft.pk), answers, follow=True)
        assert "The draft of Sales Essentials stands on the newest version." in said(response)
        assert "is newer than" not in response.text
        draft.refresh_from_db()
        assert rebasing.says(draft)["grants.dashboards"] == "custom-tiles"

    def test_or_kept(self, draft: Version, pia: Account) -> None:
        before = rebasing.says(draft)
        as_(pia).post(page("version_rebase", draft.pk), {"keep": "1"})
        draft.refresh_from_db()
        assert (rebasing.says(draft), str(draft.base)) == (before, "sales-essentials v2")

    def test_or_begun_again_after_a_question(self, draft: Version, pia: Account) -> None:
        client = as_(pia)
        assert "gone for good, and a new one begins" in client.get(page("version_begin_again", draft.pk)).text
        response = client.post(page("version_begin_again", draft.pk), {"reason": "Anew"})
        again = Version.objects.drafts().get(offer=draft.offer)
        assert response.url == page("version_change", again.pk)
        assert again.pk != draft.pk

    def test_a_current_draft_has_no_such_step(self, shop: Shop, pia: Account) -> None:
        draft = shop.draft(shop.common)
        for step in ("version_rebase", "version_begin_again"):
            response = as_(pia).post(page(step, draft.pk), follow=True)
            assert "this is not its next step" in said(response)
        assert Version.objects.filter(pk=draft.pk).exists()

    def test_who_only_reads_does_not_rebase(self, draft: Version, aud: Account) -> None:
        assert as_(aud).get(page("version_rebase", draft.pk)).status_code == 403
        assert as_(aud).post(page("version_begin_again", draft.pk)).status_code == 403

    def test_it_asks_the_database_as_often_for_many_changes(
        self, draft: Version, shop: Shop, pia: Account, django_assert_max_num_queries: Any
    ) -> None:
        more = {FeatureFactory(code=f"more-{n}").code: True for n in range(30)}
        drafting.discard_draft(version=draft, actor=Actor(account=pia), at=NOON)
        shop.publish(shop.sales_essentials, **(SECOND | {"grants": SECOND["grants"] | more}))
        first = Version.objects.get(offer=shop.sales_essentials, number=1)
        begun = drafting.draft_from(offer=shop.sales_essentials, base=first, actor=Actor(account=pia), at=NOON)
        client = as_(pia)
        client.get(page("version_rebase", begun.pk))
        with django_assert_max_num_queries(24):
            assert "More 29" in client.get(page("version_rebase", begun.pk)).text
