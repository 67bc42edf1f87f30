"""The catalog in the admin: who sees and does what, definitions, nonsense, and how often the database is asked."""

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

from catalog.models import AddOn, Feature, Module, Offer, Plan, Solution, Version
from catalog.services import drafting
from customers.actor import SYSTEM
from customers.models import Account, AuditEvent
from tests.catalog.filling import FormReader, add_row, filled
from tests.catalog.visiting import as_, page, said
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
        assert list(feature.choices.values_list("code", flat=True))[-1] == "shared"
        actions = AuditEvent.objects.order_by("-pk").values_list("action", "object_code")[:2]
        assert list(actions) == [("level_choice.created", "dashboards.shared"), ("feature.changed", "dashboards")]
        data = filled(client.get(page("feature_change", feature.pk)), "feature_form")
        data["choices-0-DELETE"] = "on"
        assert client.post(page("feature_change", feature.pk), data).status_code == 302
        assert feature.choices.count() == 3

    def test_a_published_feature_shows_what_is_for_good(self, shop: Shop, pia: Account) -> None:
        feature = Feature.objects.get(code="email-limit")
        data = filled(as_(pia).get(page("feature_change", feature.pk)), "feature_form")
        assert data.keys().isdisjoint({"code", "kind", "rule", "unit", "counts", "resets"})
        assert {"name", "read_only_without_seat"} <= data.keys()

    def test_a_delete_that_cannot_be_says_what_hangs_on_it(self, shop: Shop, pia: Account) -> None:
        client = as_(pia)
        standing: tuple[tuple[str, Any], ...] = (
            ("feature", Feature.objects.get(code="quotes")),
            ("module", Module.objects.get(name="quote-cal")),
            ("plan", shop.common),
        )
        for name, row in standing:
            response = client.get(page(f"{name}_delete", row.pk))
            assert "First delete or change what is listed here" in response.content.decode()
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
            "more rows than there are": lambda: data | {"grants-TOTAL_FORMS": "30", "grants-INITIAL_FORMS": "20"},
            "a count that is none": lambda: data | {"grants-TOTAL_FORMS": "many"},
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
        # Session, account, staff roles, memberships, all rows counted, the matching rows counted, one page of them …
        every = 7
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
