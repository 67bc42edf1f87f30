"""The catalog in the admin: Pia drafts and edits, Paul publishes, Cara and Aud read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from catalog.content import VersionContent
from catalog.models import AddOn, Feature, LevelChoice, Module, Offer, Plan, Solution, Version
from catalog.services import drafting, publishing
from customers.actor import SYSTEM
from customers.models import Account, AuditEvent
from tests.catalog.filling import FormReader, add_row, filled, row_of
from tests.factories.catalog import (
    NOON,
    AddOnFactory,
    FeatureFactory,
    ModuleFactory,
    PlanFactory,
    Shop,
    SiteModuleFactory,
)

pytestmark = pytest.mark.django_db

MODELS = [
    "owner",
    "module",
    "solution",
    "tier",
    "featuregroup",
    "feature",
    "plan",
    "addon",
    "offer",
    "version",
    "versionfeature",
]
EDITED = ["owner", "module", "solution", "tier", "featuregroup", "feature", "plan", "addon"]


def as_(account: Account) -> Client:
    client = Client()
    client.force_login(account)
    return client


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:catalog_{name}", args=args)


def said(response: Any) -> str:
    """Returns every message on the page that a request led to."""
    return " ".join(str(message) for message in response.context["messages"])


class TestWhoMayWhat:
    """The role table of the catalog (docs/rules.md, "Who may do what")."""

    READERS = ("pia", "paul", "cara", "aud", "root")

    @pytest.mark.parametrize("who", READERS)
    def test_all_of_us_read_everything(self, who: str, shop: Shop, request: pytest.FixtureRequest) -> None:
        AddOnFactory()
        client = as_(request.getfixturevalue(who))
        assert client.get("/admin/").status_code == 200
        rows: dict[str, Any] = {name: Offer.objects.model._meta.apps.get_model("catalog", name) for name in MODELS}
        for name, model in rows.items():
            assert client.get(page(f"{name}_changelist"), {"q": "sales"}).status_code == 200, name
            assert client.get(page(f"{name}_change", model.objects.first().pk)).status_code == 200, name

    @pytest.mark.parametrize("who", ["kari", "vera"])
    def test_people_of_customers_see_nothing_of_it(self, who: str, shop: Shop, request: pytest.FixtureRequest) -> None:
        client = as_(request.getfixturevalue(who))
        for name in MODELS:
            assert client.get(page(f"{name}_changelist")).status_code == 302, name  # to the sign-in of the admin

    @pytest.mark.parametrize(
        ("who", "status"), [("pia", 200), ("paul", 200), ("cara", 403), ("aud", 403), ("root", 200)]
    )
    def test_who_edits_definitions(self, who: str, status: int, shop: Shop, request: pytest.FixtureRequest) -> None:
        client = as_(request.getfixturevalue(who))
        for name in EDITED:
            assert client.get(page(f"{name}_add")).status_code == status, name
        assert client.get(page("feature_delete", FeatureFactory().pk)).status_code == status

    def test_nobody_adds_or_deletes_versions_by_hand(self, shop: Shop, root: Account) -> None:
        draft = shop.draft(shop.common)
        client = as_(root)
        assert client.get(page("version_add")).status_code == 403
        assert client.get(page("version_delete", draft.pk)).status_code == 403
        assert client.get(page("offer_add")).status_code == 403
        assert client.get(page("versionfeature_add")).status_code == 403

    # (step, state it fits) × who may
    STEPS = {
        "draft": ("published", {"pia", "paul", "root"}),
        "submit": ("draft", {"pia", "paul", "root"}),
        "discard": ("draft", {"pia", "paul", "root"}),
        "publish": ("draft", {"paul", "root"}),
        "send_back": ("in_review", {"paul", "root"}),
        "retire": ("published", {"paul", "root"}),
    }

    @pytest.mark.parametrize("who", READERS)
    @pytest.mark.parametrize("step", STEPS)
    def test_who_takes_which_step(self, step: str, who: str, shop: Shop, request: pytest.FixtureRequest) -> None:
        state, may = self.STEPS[step]
        version = Version.objects.get(offer=shop.common)
        if state != "published":
            version = shop.draft(shop.common, grants={"email-limit": 900})
        if state == "in_review":
            version = drafting.submit(version=version, actor=SYSTEM, at=NOON)
        client = as_(request.getfixturevalue(who))
        shown = client.get(page("version_change", version.pk))
        assert (page(f"version_{step}", version.pk) in shown.content.decode()) == (who in may)
        allowed = client.get(page(f"version_{step}", version.pk)).status_code
        assert (allowed in {200, 302}) == (who in may)
        if who not in may:
            assert client.post(page(f"version_{step}", version.pk)).status_code == 403
            version.refresh_from_db()
            assert version.state == state

    @pytest.mark.parametrize(("who", "edits"), [("pia", True), ("paul", True), ("cara", False), ("aud", False)])
    def test_who_edits_a_draft(self, who: str, edits: bool, shop: Shop, request: pytest.FixtureRequest) -> None:
        draft = shop.draft(shop.common, grants={"email-limit": 900, "dashboards": "custom-tiles"})
        client = as_(request.getfixturevalue(who))
        response = client.get(page("version_change", draft.pk))
        assert ("_save" in response.content.decode()) == edits
        assert any(name.startswith("grants-0-value") for name in filled(response)) == edits
        if not edits:
            assert "900 recipients" in response.content.decode()
            assert "Custom tiles" in response.content.decode()
            assert client.post(page("version_change", draft.pk), {"changelog": "x"}).status_code == 403

    def test_nobody_edits_a_published_version(self, shop: Shop, root: Account) -> None:
        version = Version.objects.get(offer=shop.common)
        client = as_(root)
        assert "_save" not in client.get(page("version_change", version.pk)).content.decode()
        assert client.post(page("version_change", version.pk), {"changelog": "x"}).status_code == 403


class TestEditingADraft:
    @pytest.fixture
    def draft(self, shop: Shop, pia: Account) -> Version:
        as_(pia).post(page("version_draft", Version.objects.get(offer=shop.sales_premium).pk))
        return Version.objects.drafts().get()

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
        assert [(row.verb, row.offer.code) for row in draft.rules.all()] == [("needs", "service-essentials")]
        response = client.get(page("version_change", draft.pk))
        data = filled(response)
        data[f"{row_of(data, response, 'Service Essentials')}-verb"] = "excludes"
        client.post(page("version_change", draft.pk), data)
        assert [(row.verb, row.offer.code) for row in draft.rules.all()] == [("excludes", "service-essentials")]

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
        assert "is published" in said(self.publish(draft, paul))

    def test_a_published_version_reads_well(self, shop: Shop, aud: Account) -> None:
        version = Version.objects.get(offer=shop.sales_premium)
        text = as_(aud).get(page("version_change", version.pk)).content.decode()
        content = VersionContent.from_json(version.content)
        for feature in content.features.values():
            assert feature.definition.name in text
            assert feature.shown in text
        assert f"<strong>set=</strong>{','.join(content.set_names)}" in text
        for name in content.modules:
            assert name in text
        assert "common v1" in text

    def test_retiring(self, shop: Shop, paul: Account) -> None:
        version = Version.objects.get(offer=shop.common)
        response = as_(paul).post(page("version_retire", version.pk), {"reason": "Replaced"}, follow=True)
        assert "Retire: done." in said(response)
        version.refresh_from_db()
        assert (version.state, version.retired_by) == ("retired", paul)


class TestDefinitions:
    def test_plans_show_their_live_version_and_draft(self, shop: Shop, aud: Account) -> None:
        shop.publish(shop.common, grants={"email-limit": 900}, effective_from=timezone.now() + timedelta(days=1))
        drafting.submit(version=shop.draft(shop.sales_premium, grants={"quotes": True}), actor=SYSTEM, at=NOON)
        rows = {row.code: row for row in as_(aud).get(page("plan_changelist")).context["cl"].result_list}
        assert (rows["common"].live_number, rows["common"].draft_state) == (1, None)
        assert (rows["sales-premium"].live_number, rows["sales-premium"].draft_state) == (1, "in_review")

    def test_a_plan_is_made_edited_and_audited(self, shop: Shop, pia: Account) -> None:
        client = as_(pia)
        sales, service = Solution.objects.get(code="sales"), Solution.objects.get(code="service")
        module = ModuleFactory()
        data = {"code": "crm", "name": "CRM", "for_sale": "on", "solutions": [sales.pk], "module": module.pk}
        data |= {"position": 7}
        assert client.post(page("plan_add"), data).status_code == 302
        plan = Plan.objects.get(code="crm")
        assert (plan.type, plan.scope, list(plan.solutions.all())) == ("plan", "user", [sales])
        shown = filled(client.get(page("plan_change", plan.pk)), "plan_form")
        data = shown | {"name": "CRM plus", "solutions": [sales.pk, service.pk], "code": "other"}
        assert client.post(page("plan_change", plan.pk), data).status_code == 302
        plan = Plan.objects.get(pk=plan.pk)
        assert (plan.code, plan.name, plan.solutions.count()) == ("crm", "CRM plus", 2)
        events = AuditEvent.objects.filter(object_type="plan", object_code="crm", account=pia).order_by("pk")
        assert [(event.action, event.changes) for event in events[1:]] == [
            ("plan.changed", {"solutions": [[], ["sales"]]}),
            ("plan.changed", {"name": ["CRM", "CRM plus"]}),
            ("plan.changed", {"solutions": [["sales"], ["sales", "service"]]}),
        ]
        assert events[0].action == "plan.created"
        assert events[0].changes["module"] == [None, module.name]

    def test_an_add_on_is_made(self, pia: Account) -> None:
        data = {"code": "cep", "name": "CEP", "scope": "site", "for_sale": "on", "position": 0}
        client = as_(pia)
        response = client.post(page("addon_add"), data)
        assert "What is for sale needs a module of its own." in response.content.decode()
        wrong = client.post(page("addon_add"), data | {"module": ModuleFactory(name="cep-cal").pk})
        assert "cep-cal is not a site module." in wrong.content.decode()
        assert client.post(page("addon_add"), data | {"module": SiteModuleFactory().pk}).status_code == 302
        assert AddOn.objects.get().type == "addon"

    def test_choices_are_edited_with_their_feature(self, shop: Shop, pia: Account) -> None:
        feature = Feature.objects.get(code="dashboards")
        client = as_(pia)
        response = client.get(page("feature_change", feature.pk))
        assert FormReader(response.content.decode(), "feature_form").nameless == []
        data = filled(response, "feature_form") | {"name": "Dashboards and tiles"}
        add_row(data, "choices", rank="9", code="shared", name="Shared", site_module="", user_module="")
        assert client.post(page("feature_change", feature.pk), data).status_code == 302
        assert feature.choices.last().code == "shared"
        actions = AuditEvent.objects.order_by("-pk").values_list("action", "object_code")[:2]
        assert list(actions) == [("level_choice.created", "dashboards.shared"), ("feature.changed", "dashboards")]
        data = filled(client.get(page("feature_change", feature.pk)), "feature_form")
        data["choices-0-DELETE"] = "on"
        assert client.post(page("feature_change", feature.pk), data).status_code == 302
        assert feature.choices.count() == 3

    def test_a_published_feature_shows_what_is_for_good(self, shop: Shop, pia: Account) -> None:
        feature = Feature.objects.get(code="email-limit")
        data = filled(as_(pia).get(page("feature_change", feature.pk)), "feature_form")
        assert data.keys().isdisjoint({"code", "kind", "rule", "unit", "counts"})
        assert {"name", "read_only_without_seat"} <= data.keys()

    def test_a_delete_that_cannot_be_says_what_hangs_on_it(self, shop: Shop, pia: Account) -> None:
        client = as_(pia)
        for name, row in (
            ("feature", Feature.objects.get(code="quotes")),
            ("module", Module.objects.get(name="quote-cal")),
            ("plan", shop.common),
        ):
            response = client.get(page(f"{name}_delete", row.pk))
            assert "would require deleting the following protected related objects" in response.content.decode()
            client.post(page(f"{name}_delete", row.pk), {"post": "yes"})
            assert type(row).objects.filter(pk=row.pk).exists()

    def test_what_nothing_hangs_on_is_deleted_and_audited(self, pia: Account) -> None:
        one, two, three = FeatureFactory(code="one"), FeatureFactory(code="two"), FeatureFactory(code="three")
        client = as_(pia)
        client.post(page("feature_delete", one.pk), {"post": "yes"})
        chosen = {"action": "delete_selected", "_selected_action": [two.pk, three.pk], "post": "yes"}
        client.post(page("feature_changelist"), chosen)
        assert not Feature.objects.filter(code__in=["one", "two", "three"]).exists()
        assert AuditEvent.objects.filter(action="feature.deleted", account=pia).count() == 3

    @pytest.mark.parametrize("field", ["offer", "feature", "module"])
    def test_names_are_completed(self, field: str, shop: Shop, pia: Account) -> None:
        model = {"offer": "versioninclude", "feature": "grant", "module": "versionmodule"}[field]
        terms = {"offer": ("sales", "Sales Premium"), "feature": ("quot", "Quotes"), "module": ("dash", "dash-cal")}
        AddOnFactory(name="Sales add-on")
        response = as_(pia).get(
            reverse("admin:autocomplete"),
            {"app_label": "catalog", "model_name": model, "field_name": field, "term": terms[field][0]},
        )
        names = [row["text"] for row in response.json()["results"]]
        assert terms[field][1] in names
        assert "Sales add-on" not in names


class TestBadInput:
    @pytest.mark.parametrize("key", ["0", "999999999999999999999999", "abc", "1/2", "%00", "' OR 1=1"])
    @pytest.mark.parametrize("step", ["change", "publish", "submit", "draft", "discard", "retire", "send_back"])
    def test_a_version_that_is_none(self, key: str, step: str, root: Account) -> None:
        path = page("version_change", "KEY").replace("KEY/change/", f"{key}/{step.replace('_', '-')}/")
        client = as_(root)
        for response in (client.get(path, follow=True), client.post(path, {"digest": "x"}, follow=True)):
            assert response.status_code == 200
            assert "doesn’t exist" in said(response) or "There is no version" in said(response)

    def test_a_plan_that_is_none(self, root: Account) -> None:
        response = as_(root).post(page("plan_draft", "999"), follow=True)
        assert "There is no plan '999'" in said(response)

    def tampered(self, data: dict[str, Any]) -> dict[str, Callable[[], dict[str, Any]]]:
        without = {name: value for name, value in data.items() if not name.startswith("grants-")}
        return {
            "no rows at all": lambda: {"changelog": "x"},
            "no grants": lambda: without,
            "more rows than there are": lambda: data | {"grants-TOTAL_FORMS": "900", "grants-INITIAL_FORMS": "800"},
            "a count that is none": lambda: data | {"grants-TOTAL_FORMS": "many"},
            "a huge count": lambda: data | {"grants-TOTAL_FORMS": "9" * 30},
            "a row of another draft": lambda: data | {"grants-0-id": "999999"},
            "a row that is no number": lambda: data | {"grants-0-id": "x"},
            "a quantity below zero": lambda: data | {"max_quantity": "-1"},
            "a quantity beyond all": lambda: data | {"max_quantity": "9" * 40},
            "a changelog beyond all": lambda: data | {"changelog": "x" * 100_000},
            "a null byte": lambda: data | {"changelog": "a\x00b"},
        }

    def test_a_form_that_was_tampered_with(self, shop: Shop, root: Account) -> None:
        draft = shop.draft(shop.sales_premium, grants={"quotes": True}, includes=["common"])
        client = as_(root)
        data = filled(client.get(page("version_change", draft.pk)))
        for what, make in self.tampered(data).items():
            response = client.post(page("version_change", draft.pk), make())
            assert response.status_code == 200, what
            assert response.context["errors"], what
        draft.refresh_from_db()
        assert (draft.changelog, draft.grants.count()) == ("What is new.", 1)

    @pytest.mark.parametrize("name", MODELS)
    def test_lists_with_nonsense_in_the_address(self, name: str, shop: Shop, root: Account) -> None:
        client = as_(root)
        for query in ({"q": "\x00'%"}, {"p": "99999"}, {"o": "99.-99.x"}, {"nonsense__exact": "1"}, {"id__exact": "x"}):
            assert client.get(page(f"{name}_changelist"), query, follow=True).status_code == 200, query


class TestQueries:
    """Every list and page asks the database a number of questions that doesn't grow with its rows."""

    def queries(self, client: Client, path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    def grow(self, shop: Shop) -> None:
        for number in range(5):
            solution = ("sales", "service", f"solution-{number}")
            plan = PlanFactory(code=f"more-{number}", solutions=solution, tier=shop.sales_premium.tier)
            feature = FeatureFactory(
                code=f"more-{number}",
                site_module=SiteModuleFactory(),
                user_module=ModuleFactory(name=f"more-{number}", hidden=True, owner__code=f"OWNER{number}"),
            )
            shop.publish(plan, grants={"sales": True}, includes=["common"])
            shop.draft(plan, grants={feature.code: True}, includes=["common", "sales-essentials"])
            shop.publish(AddOnFactory(), grants={"sales": True})

    def test_lists(self, shop: Shop, pia: Account) -> None:
        shop.publish(AddOnFactory(), grants={"sales": True})
        client = as_(pia)
        paths = {name: page(f"{name}_changelist") for name in MODELS}
        few = {name: self.queries(client, path) for name, path in paths.items()}
        self.grow(shop)
        many = {name: self.queries(client, path) for name, path in paths.items()}
        assert many == few
        # Session, account, staff roles, memberships, Django's own permissions (2) for the other packages' models in
        # the side bar, all rows counted, the matching rows counted, one page of them …
        every = 9
        # … and the filters that list rows: by owner, by group, by solution and tier; a plan's solutions are read, too.
        assert few == dict.fromkeys(MODELS, every) | {
            "module": every + 1,
            "feature": every + 1,
            "plan": every + 3,
            "addon": every + 3,
            "version": every + 2,
            "versionfeature": every + 1,
        }

    def test_a_draft_with_many_rows(self, shop: Shop, pia: Account) -> None:
        client = as_(pia)
        draft = shop.draft(shop.sales_premium, grants={"quotes": True}, includes=["common"], extra_modules=["web"])
        drafting.set_rules(version=draft, needs=["common"], excludes=[], actor=SYSTEM, at=NOON)
        few = self.queries(client, page("version_change", draft.pk))
        self.grow(shop)
        features = list(Feature.objects.values_list("code", flat=True))
        grants: dict[str, object] = {code: True for code in features if code not in {"dashboards", "email-limit"}}
        who: Any = {"version": draft, "actor": SYSTEM, "at": NOON}
        drafting.set_grants(**who, grants=grants | {"dashboards": "custom-tiles", "email-limit": 5})
        drafting.set_includes(**who, codes=["common", "sales-essentials", "service-essentials"])
        drafting.set_extra_modules(**who, names=["web", "user", "dash-cal"])
        drafting.set_rules(**who, needs=["more-1", "more-2"], excludes=["more-3", "more-4"])
        assert self.queries(client, page("version_change", draft.pk)) == few

    def test_a_published_version(self, shop: Shop, aud: Account) -> None:
        client = as_(aud)
        small = Version.objects.get(offer=shop.common)
        shop.publish(shop.common, grants={"email-limit": 500})
        large = shop.publish(shop.sales_premium, grants={"quotes": True}, includes=["sales-essentials"])
        assert self.queries(client, page("version_change", large.pk)) == self.queries(
            client, page("version_change", small.pk)
        )
