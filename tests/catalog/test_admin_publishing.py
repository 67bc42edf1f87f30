"""The way to a published version in the admin: Paul looks at what changes, and confirms it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from catalog.content import VersionContent
from catalog.models import Version
from catalog.services import drafting, publishing
from customers.actor import SYSTEM, Actor
from customers.models import Account
from tests.catalog.visiting import as_, page, said
from tests.factories.catalog import (
    NOON,
    Shop,
)

pytestmark = pytest.mark.django_db


class TestPublishing:
    @pytest.fixture
    def draft(self, shop: Shop) -> Version:
        return shop.draft(shop.sales_premium, grants={"quotes": True}, includes=["sales-essentials"])

    def publish(self, draft: Version, paul: Account, **data: Any) -> Any:
        client = as_(paul)
        shown = client.get(page("version_publish", draft.pk))
        digest = shown.context["preview"].digest
        return client.post(page("version_publish", draft.pk), {"digest": digest, **data}, follow=True)

    def test_the_page_shows_what_changes_and_asks(self, draft: Version, paul: Account) -> None:
        text = as_(paul).get(page("version_publish", draft.pk)).content.decode()
        assert "What changes since sales-premium v1" in text
        assert "Lowered: Dashboards" in text
        assert "dash-cal" in text
        assert Version.objects.get(pk=draft.pk).state == "draft"

    def test_confirmed_it_is_published(self, draft: Version, paul: Account) -> None:
        response = self.publish(draft, paul)
        assert "sales-premium v2 is published." in said(response)
        draft.refresh_from_db()
        assert (draft.state, draft.published_by) == ("published", paul)
        text = response.content.decode()
        assert "What it gives" in text
        assert "sales-essentials v1" in text

    def test_for_a_moment_to_come(self, draft: Version, paul: Account) -> None:
        moment = (timezone.now() + timedelta(days=3)).replace(second=0, microsecond=0)
        self.publish(draft, paul, effective_from=moment.strftime("%Y-%m-%dT%H:%M"))
        draft.refresh_from_db()
        assert draft.effective_from == moment
        assert draft.is_scheduled(timezone.now())

    @pytest.mark.parametrize(
        ("moment", "answer"),
        [
            ("2020-01-01T00:00", "A version can&#x27;t take effect at 2020-01-01 00:00 UTC"),
            ("yesterday", "Enter a valid date/time"),
            ("9" * 300, "Enter a valid date/time"),
        ],
    )
    def test_not_for_one_that_is_none_or_has_passed(
        self, moment: str, answer: str, draft: Version, paul: Account
    ) -> None:
        response = self.publish(draft, paul, effective_from=moment)
        assert answer in response.content.decode()
        assert Version.objects.get(pk=draft.pk).state == "draft"

    def test_all_faults_are_listed_and_nothing_is_asked(self, shop: Shop, paul: Account) -> None:
        draft = shop.draft(shop.sales_premium, changelog="", extra_modules=["web", "t1"], needs=["sales-premium"])
        client = as_(paul)
        for response in (
            client.get(page("version_publish", draft.pk)),
            client.post(page("version_publish", draft.pk), {"digest": "x"}),
        ):
            text = response.content.decode()
            assert "4 faults" in text
            for path in ("changelog", "modules.superoffice.web", "modules.superoffice.t1", "rules.needs.sales-premium"):
                assert f"<strong>{path}</strong>" in text
            assert 'name="digest"' not in text

    def test_what_was_edited_since_it_was_shown_is_shown_again(self, draft: Version, paul: Account) -> None:
        client = as_(paul)
        digest = client.get(page("version_publish", draft.pk)).context["preview"].digest
        drafting.set_grants(version=draft, grants={"quotes": True, "email-limit": 1}, actor=SYSTEM, at=NOON)
        for sent in (digest, "", "x" * 5000):
            response = client.post(page("version_publish", draft.pk), {"digest": sent})
            assert "would come to something else than what was shown before" in said(response)
            assert "Lowered: Email limit" in response.content.decode()
        assert Version.objects.get(pk=draft.pk).state == "draft"

    def test_with_four_eyes_not_by_who_edited_it(self, draft: Version, paul: Account, settings: Any) -> None:
        settings.FOUR_EYES = True
        response = self.publish(draft, paul)
        assert "is not in review. Submit the draft for review first." in said(response)
        drafting.submit(version=draft, actor=SYSTEM, at=NOON)
        draft.editors.add(paul)
        assert "somebody else must publish it" in said(self.publish(draft, paul))
        draft.editors.clear()
        assert "Nobody has approved sales-premium." in said(self.publish(draft, paul))
        publishing.approve(version=draft, actor=Actor(account=paul), at=NOON)
        assert "is published" in said(self.publish(draft, paul))

    def test_a_published_version_reads_well(self, shop: Shop, aud: Account) -> None:
        version = Version.objects.get(offer=shop.sales_premium)
        text = as_(aud).get(page("version_change", version.pk)).content.decode()
        content = VersionContent.from_json(version.content)
        for feature in content.features.values():
            assert feature.definition.name in text
            assert feature.shown in text
        assert f"<code>set={','.join(content.set_names)}</code>" in text
        for name in content.modules:
            assert name in text
        assert "common v1" in text

    def test_retiring(self, shop: Shop, paul: Account) -> None:
        version = Version.objects.get(offer=shop.common)
        response = as_(paul).post(page("version_retire", version.pk), {"reason": "Replaced"}, follow=True)
        assert "Retire: done." in said(response)
        version.refresh_from_db()
        assert (version.state, version.retired_by) == ("retired", paul)
