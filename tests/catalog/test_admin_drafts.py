"""A draft in the admin: Pia edits its rows, hands it in, gets it back, discards it."""

from __future__ import annotations

import pytest

from catalog.models import Feature, LevelChoice, Module, Tier, Version
from catalog.services import drafting, publishing
from customers.actor import SYSTEM
from customers.models import Account, AuditEvent
from tests.catalog.filling import FormReader, add_row, filled, row_of
from tests.catalog.visiting import as_, page, said
from tests.factories.catalog import (
    NOON,
    AddOnFactory,
    FeatureFactory,
    PlanFactory,
    Shop,
)

pytestmark = pytest.mark.django_db


class TestEditingADraft:
    @pytest.fixture
    def draft(self, shop: Shop, pia: Account) -> Version:
        as_(pia).post(page("version_draft", Version.objects.get(offer=shop.sales_premium).pk))
        draft: Version = Version.objects.drafts().get()
        return draft

    def test_it_begins_at_a_published_version(self, draft: Version, shop: Shop, pia: Account) -> None:
        assert (draft.offer, draft.drafted_by) == (shop.sales_premium, pia)
        assert {grant.feature.code for grant in draft.grants.all()} == {"quotes", "dashboards"}

    def test_a_second_one_is_refused_with_the_way_on(self, draft: Version, shop: Shop, pia: Account) -> None:
        published = Version.objects.get(offer=shop.sales_premium, number=1)
        response = as_(pia).post(page("version_draft", published.pk), follow=True)
        assert "sales-premium has a draft already. Edit that draft" in said(response)

    def test_it_begins_at_a_plan_too(self, pia: Account) -> None:
        plan = PlanFactory()
        response = as_(pia).post(page("plan_draft", plan.pk))
        draft = Version.objects.get(offer=plan)
        assert response.url == page("version_change", draft.pk)
        assert as_(pia).post(page("plan_draft", plan.pk)).url == response.url

    def test_each_kind_has_its_input(self, draft: Version, pia: Account, shop: Shop) -> None:
        drafting.set_grants(
            version=draft,
            grants={"quotes": True, "sales": False, "dashboards": "default-tiles", "email-limit": 700},
            actor=SYSTEM,
            at=NOON,
        )
        client = as_(pia)
        response = client.get(page("version_change", draft.pk))
        data = filled(response)
        quotes, sales = row_of(data, response, "Quotes"), row_of(data, response, "Sales")
        mail, dashboards = row_of(data, response, "Email limit"), row_of(data, response, "Dashboards")
        assert (data[f"{quotes}-value"], f"{sales}-value" in data) == ("on", False)
        assert (data[f"{mail}-value_number"], f"{mail}-value_unlimited" in data) == ("700", False)
        assert data[f"{dashboards}-value"] == "default-tiles"
        data |= {f"{sales}-value": "on", f"{mail}-value_unlimited": "on", f"{dashboards}-value": "custom-tiles"}
        del data[f"{quotes}-value"]
        assert client.post(page("version_change", draft.pk), data).status_code == 302
        assert {grant.feature.code: (grant.value, grant.unlimited) for grant in draft.grants.all()} == {
            "quotes": (False, False),
            "sales": (True, False),
            "email-limit": (None, True),
            "dashboards": ("custom-tiles", False),
        }
        data = filled(client.get(page("version_change", draft.pk)))
        assert (data[f"{mail}-value_number"], data[f"{mail}-value_unlimited"]) == ("", "on")

    @pytest.mark.parametrize(
        ("code", "text", "value"),
        [
            ("sales", "", True),
            ("sales", "Yes", True),
            ("sales", "off", False),
            ("email-limit", "1,500", 1500),
            ("email-limit", "0", 0),
            ("email-limit", " Unlimited ", None),
            ("dashboards-2", "full", "full"),
            ("dashboards-2", "Full view", "full"),
        ],
    )
    def test_a_new_row_reads_what_was_typed(
        self, code: str, text: str, value: object, draft: Version, pia: Account
    ) -> None:
        level = FeatureFactory(code="dashboards-2", kind="level", rule="highest")
        LevelChoice.objects.create(feature=level, code="full", name="Full view", rank=1)
        client = as_(pia)
        data = filled(client.get(page("version_change", draft.pk)))
        add_row(data, "grants", feature=Feature.objects.get(code=code).pk, value=text)
        assert client.post(page("version_change", draft.pk), data).status_code == 302
        grant = draft.grants.get(feature__code=code)
        assert (grant.value, grant.unlimited) == (value, value is None)

    @pytest.mark.parametrize(
        ("code", "text", "answer"),
        [
            ("sales", "perhaps", "A switch is true or false"),
            ("email-limit", "", "A limit is a whole number from 0, or unlimited"),
            ("email-limit", "-5", "A limit is a whole number from 0, or unlimited"),
            ("email-limit", "9" * 40, "A limit is a whole number from 0, or unlimited"),
            ("email-limit", "٣", "A limit is a whole number from 0, or unlimited"),
            ("dashboards", "huge", "is none of the choices: default-charts, default-tiles, custom-tiles"),
            ("quotes", "yes", "Please correct the duplicate"),
        ],
    )
    def test_a_value_that_makes_no_sense_is_said_beside_it(
        self, code: str, text: str, answer: str, draft: Version, pia: Account
    ) -> None:
        drafting.set_grants(version=draft, grants={"quotes": True}, actor=SYSTEM, at=NOON)
        client = as_(pia)
        data = filled(client.get(page("version_change", draft.pk)))
        add_row(data, "grants", feature=Feature.objects.get(code=code).pk, value=text)
        response = client.post(page("version_change", draft.pk), data)
        assert response.status_code == 200
        assert answer in response.content.decode()
        assert {grant.feature.code for grant in draft.grants.all()} == {"quotes"}

    def test_rows_come_and_go(self, draft: Version, shop: Shop, pia: Account) -> None:
        client = as_(pia)
        response = client.get(page("version_change", draft.pk))
        data = filled(response)
        data |= {
            "changelog": "Without custom dashboards.",
            "max_quantity": "5",
            f"{row_of(data, response, 'Dashboards')}-DELETE": "on",
            f"{row_of(data, response, 'Sales Essentials')}-DELETE": "on",
        }
        add_row(data, "includes", offer=shop.common.pk)
        add_row(data, "extra_modules", module=Module.objects.get(name="sale-cal").pk)
        add_row(data, "rules", verb="needs", offer=shop.service_essentials.pk)
        assert client.post(page("version_change", draft.pk), data).status_code == 302
        draft.refresh_from_db()
        assert (draft.changelog, draft.max_quantity) == ("Without custom dashboards.", 5)
        assert [grant.feature.code for grant in draft.grants.all()] == ["quotes"]
        assert [row.offer.code for row in draft.includes.all()] == ["common"]
        assert [row.module.name for row in draft.extra_modules.all()] == ["sale-cal"]
        assert [str(row) for row in draft.rules.all()] == ["needs service-essentials"]
        response = client.get(page("version_change", draft.pk))
        data = filled(response)
        data[f"{row_of(data, response, 'Service Essentials')}-verb"] = "excludes"
        client.post(page("version_change", draft.pk), data)
        assert [str(row) for row in draft.rules.all()] == ["excludes service-essentials"]

    def test_a_rule_names_a_tier_or_something_sold_not_both(self, draft: Version, shop: Shop, pia: Account) -> None:
        premium = Tier.objects.get(code="premium")
        client, address = as_(pia), page("version_change", draft.pk)
        data = filled(client.get(address))
        add_row(data, "rules", verb="excludes", tier=premium.pk)
        for wrong in ({"offer": shop.common.pk, "tier": premium.pk}, {}):
            wrongly = dict(data)
            add_row(wrongly, "rules", verb="needs", **wrong)
            assert "not both, not neither" in client.post(address, wrongly).content.decode()
            assert not draft.rules.exists()

        assert client.post(address, data).status_code == 302
        assert [str(row) for row in draft.rules.all()] == ["excludes tier:premium"]

        response = client.get(address)
        data = filled(response)
        row = row_of(data, response, "Premium")
        client.post(address, data | {f"{row}-verb": "needs"})
        assert [str(row) for row in draft.rules.all()] == ["needs tier:premium"]
        client.post(address, data | {f"{row}-DELETE": "on"})
        assert not draft.rules.exists()

    def test_every_edit_is_audited_and_an_unchanged_page_leaves_no_trace(self, draft: Version, pia: Account) -> None:
        client = as_(pia)
        data = filled(client.get(page("version_change", draft.pk)))
        before = AuditEvent.objects.count()
        assert client.post(page("version_change", draft.pk), data).status_code == 302
        assert AuditEvent.objects.count() == before
        client.post(page("version_change", draft.pk), data | {"changelog": "More."})
        event = AuditEvent.objects.latest("pk")
        assert (event.account, event.action, event.object_code) == (pia, "draft.edited", "sales-premium")
        assert event.changes == {"changelog": ["", "More."]}

    def test_what_somebody_else_added_meanwhile_stays(self, draft: Version, pia: Account) -> None:
        client = as_(pia)
        opened = client.get(page("version_change", draft.pk))
        data = filled(opened)
        drafting.set_grants(
            version=draft, grants={"quotes": True, "dashboards": "custom-tiles", "sales": True}, actor=SYSTEM, at=NOON
        )
        drafting.set_extra_modules(version=draft, names=["web"], actor=SYSTEM, at=NOON)
        data[f"{row_of(data, opened, 'Dashboards')}-value"] = "default-tiles"
        client.post(page("version_change", draft.pk), data)
        assert {grant.feature.code: grant.value for grant in draft.grants.all()} == {
            "quotes": True,
            "dashboards": "default-tiles",
            "sales": True,
        }
        assert draft.extra_modules.count() == 1

    def test_a_draft_published_meanwhile_is_refused_and_nothing_is_half_done(
        self, draft: Version, pia: Account
    ) -> None:
        client = as_(pia)
        data = filled(client.get(page("version_change", draft.pk)))
        drafting.update_draft(version=draft, changelog="Quick.", actor=SYSTEM, at=NOON)
        publishing.publish(version=draft, actor=SYSTEM, at=NOON)
        response = client.post(page("version_change", draft.pk), data | {"changelog": "Slow."})
        assert response.status_code == 403
        draft.refresh_from_db()
        assert draft.changelog == "Quick."

    def test_an_add_on_is_no_include(self, draft: Version, pia: Account) -> None:
        client = as_(pia)
        data = filled(client.get(page("version_change", draft.pk)))
        add_row(data, "includes", offer=AddOnFactory().pk)
        response = client.post(page("version_change", draft.pk), data)
        assert "Select a valid choice" in response.content.decode()

    def test_every_input_has_a_name_for_those_who_do_not_see_it(self, draft: Version, shop: Shop, pia: Account) -> None:
        drafting.set_extra_modules(version=draft, names=["web"], actor=SYSTEM, at=NOON)
        drafting.set_rules(version=draft, needs=["common"], excludes=[], actor=SYSTEM, at=NOON)
        response = as_(pia).get(page("version_change", draft.pk))
        reader = FormReader(response.content.decode(), "version_form")
        assert len(reader.data) > 20
        assert reader.nameless == []

    def test_the_page_lists_every_fault_as_saved(self, draft: Version, pia: Account) -> None:
        drafting.set_extra_modules(version=draft, names=["t1"], actor=SYSTEM, at=NOON)
        text = as_(pia).get(page("version_change", draft.pk)).content.decode()
        assert "2 faults" in text
        assert "Say in one line what is new" in text
        assert "t1 marks a tier" in text


class TestStepsOfADraft:
    @pytest.fixture
    def draft(self, shop: Shop) -> Version:
        return shop.draft(shop.sales_premium, grants={"quotes": True}, includes=["sales-essentials"])

    def test_handing_in(self, draft: Version, pia: Account) -> None:
        response = as_(pia).post(page("version_submit", draft.pk), follow=True)
        assert "Sales Premium is in review." in said(response)
        assert Version.objects.get(pk=draft.pk).submitted_by == pia

    def test_handing_in_many_from_the_list(self, draft: Version, shop: Shop, pia: Account) -> None:
        bad = shop.draft(shop.common, changelog="")
        response = as_(pia).post(
            page("version_changelist"),
            {"action": "submit_chosen", "_selected_action": [draft.pk, bad.pk]},
            follow=True,
        )
        assert "Sales Premium is in review." in said(response)
        assert "Say in one line what is new in this version." in said(response)
        assert set(Version.objects.drafts().values_list("state", flat=True)) == {"draft", "in_review"}

    def test_a_draft_with_faults_stays_and_tells_them_all(self, shop: Shop, pia: Account) -> None:
        draft = shop.draft(shop.sales_premium, changelog="")
        response = as_(pia).post(page("version_submit", draft.pk), follow=True)
        assert "Say in one line what is new in this version." in said(response)
        assert "grants no feature" in said(response)

    def test_sending_back_with_a_comment(self, draft: Version, paul: Account) -> None:
        drafting.submit(version=draft, actor=SYSTEM, at=NOON)
        as_(paul).post(page("version_send_back", draft.pk), {"reason": "Too much."})
        assert Version.objects.get(pk=draft.pk).state == "draft"
        assert AuditEvent.objects.latest("pk").reason == "Too much."

    def test_discarding(self, draft: Version, pia: Account) -> None:
        response = as_(pia).post(page("version_discard", draft.pk), {"reason": "Not now"}, follow=True)
        assert response.redirect_chain[-1][0] == page("version_changelist")
        assert not Version.objects.drafts().exists()

    def test_a_step_that_is_not_the_next_one(self, draft: Version, paul: Account) -> None:
        response = as_(paul).post(page("version_send_back", draft.pk), {"reason": ""}, follow=True)
        assert "sales-premium draft is draft: this is not its next step." in said(response)
