"""The seed catalog says what the concept promises, to the bullet; and another company's catalog works just as well."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from catalog.content import FeatureContent, VersionContent
from catalog.kinds import UNLIMITED
from catalog.models import Version
from catalog.services.applying import apply_document
from catalog.services.documents import read_catalog
from catalog.services.mapping import frozen_content
from customers.actor import SYSTEM

SEED = Path(__file__).parents[2] / "catalog" / "seed"
HOSTING = Path(__file__).parent / "fixtures" / "hosting"
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

Contents = Mapping[str, VersionContent]

pytestmark = pytest.mark.django_db  # or no test database would be made for the fixtures below


def load(folder: Path) -> Contents:
    """Applies and publishes a folder, and takes it all back. Returns what was published, by code."""
    with transaction.atomic():
        apply_document(read_catalog([folder]), actor=SYSTEM, publish=True, at=NOON)
        versions = list(Version.objects.live(NOON).select_related("offer"))
        transaction.set_rollback(True)
    return {row.offer.code: content for row in versions if (content := frozen_content(row)) is not None}


@pytest.fixture(scope="module")
def seed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Contents:
    with django_db_blocker.unblock():
        return load(SEED)


def names(*codes: str, contents: Contents) -> list[list[str]]:
    """Returns the names of the features that each of the contents adds to what it includes."""
    return [[f.definition.name for f in contents[code].ordered_features if f.depth == 0] for code in codes]


# ── The seed ────────────────────────────────────────────────────────────────

COUNTS = {
    "common": 21,
    "sales-essentials": 25,
    "sales-premium": 33,
    "service-essentials": 26,
    "service-premium": 33,
    "marketing-essentials": 41,
    "marketing-premium": 42,
    "sales-service-marketing-premium": 61,
}
PREMIUM = ("sales-premium", "service-premium", "marketing-premium")

SALES_PREMIUM_SET = (
    "user,web,pocket-crm-cal,selection-cal,relation-cal,report-cal,chat-cal,forms-cal,sale-cal,t2,saint-cal,target-cal,"
    "project-cal,quote-cal,guide-cal,stakeholder-cal,dash-cal,selection-combined-cal"
)
ALL_PREMIUM_SET = {*SALES_PREMIUM_SET.split(","), "mail-merge-cal", "ej-client", "ej-mod-spm-cal", "mktg-auto-cal"}


def test_every_plan_has_as_many_features_as_promised(seed: Contents) -> None:
    plans = {code: len(content.features) for code, content in seed.items() if content.offer.type == "plan"}
    assert plans == COUNTS


def test_the_three_premium_plans_have_together_what_their_combined_plan_has(seed: Contents) -> None:
    together = {code for plan in PREMIUM for code in seed[plan].features}
    assert together == set(seed["sales-service-marketing-premium"].features)


def test_the_common_set_is_listed_bullet_by_bullet(seed: Contents) -> None:
    assert names("common", contents=seed) == [
        [
            "Companies and contacts",
            "Relations",
            "Custom fields",
            "Consent management",
            "Diary and Invitations",
            "Video meeting integration",
            "Mobile CRM",
            "Documents and templates",
            "Language support",
            "MS SharePoint documents",
            "Google Workplace documents",
            "SuperOffice inbox",
            "SuperOffice for Outlook 365",
            "SuperOffice for Google",
            "Static Selections",
            "Dynamic selections",
            "Selection tasks",
            "Send email to",
            "Dashboards",
            "Standard reports",
            "Print",
        ]
    ]


def test_tiers_are_listed_bullet_by_bullet(seed: Contents) -> None:
    essentials, premium = names("sales-essentials", "sales-premium", contents=seed)
    assert essentials == [
        "Dashboards",
        "Sales and opportunity management",
        "Sales forecasting",
        "Currency support",
        "Sales secretary",
    ]
    assert premium == [
        "Combined selections",
        "Dashboards",
        "Activity Monitors (SAINT)",
        "Project management",
        "Sales guide",
        "Sales forecasting on product level",
        "Stakeholders",
        "Sale targets and KPIs",
        "Quote Management",
    ]
    essentials, premium = names("service-essentials", "service-premium", contents=seed)
    assert essentials == [
        "Dashboards",
        "Request / Ticket management",
        "Categorization",
        "Auto reply and reply templates",
        "Mobile CRM Request management",
        "Standard Service reports",
    ]
    assert premium == [
        "Combined selections",
        "Dashboards",
        "Activity Monitors (SAINT)",
        "Project management",
        "Automated rule-based escalation",
        "Auto-assign to agent",
        "Warnings and notifications – Time limits",
        "Knowledge base (FAQs)",
    ]
    essentials, premium = names("marketing-essentials", "marketing-premium", contents=seed)
    assert len(essentials) == 21
    assert premium == ["Marketing automation (flows)"]


def test_dashboards_rise_with_the_plan(seed: Contents) -> None:
    levels = {code: seed[code].features["dashboards"].value for code in COUNTS}
    assert levels == {
        "common": "default-charts",
        "sales-essentials": "default-tiles",
        "sales-premium": "custom-tiles",
        "service-essentials": "default-tiles",
        "service-premium": "custom-tiles",
        "marketing-essentials": "custom-tiles",
        "marketing-premium": "custom-tiles",
        "sales-service-marketing-premium": "custom-tiles",
    }
    custom = seed["sales-premium"].features["dashboards"].granted_choices[-1]
    assert (custom.site_module, custom.user_module) == ("superoffice.dash", "superoffice.dash-cal")


def test_email_goes_to_500_recipients_a_call(seed: Contents) -> None:
    email = seed["sales-essentials"].features["send-email-to"]
    assert (email.value, email.definition.unit, email.definition.counts) == (500, "recipients", "call")
    assert (email.definition.rule, email.origin, email.origin_version, email.depth) == ("max", "common", 1, 1)


def test_the_set_of_sales_premium_is_the_published_one_name_by_name(seed: Contents) -> None:
    assert seed["sales-premium"].extra_info == f"set={SALES_PREMIUM_SET}"
    assert len(seed["sales-premium"].set_names) == 18


def test_the_sets_of_all_premium_plans_are_together_the_published_ones(seed: Contents) -> None:
    assert {name for plan in PREMIUM for name in seed[plan].set_names} == ALL_PREMIUM_SET
    assert set(seed["sales-service-marketing-premium"].set_names) == ALL_PREMIUM_SET
    assert len(ALL_PREMIUM_SET) == 22


def carriers(feature: FeatureContent) -> list[tuple[str | None, str | None]]:
    """Returns site and user module of a feature, and of the choice it is granted at."""
    definition, choices = feature.definition, feature.granted_choices
    pairs = [(definition.site_module, definition.user_module)]
    return pairs + [(choice.site_module, choice.user_module) for choice in choices[-1:]]


@pytest.mark.parametrize("code", COUNTS)
def test_a_user_of_a_plan_has_all_modules_that_carry_its_features(seed: Contents, code: str) -> None:
    content = seed[code]
    held = {f"superoffice.{name}" for name in content.set_names}
    for feature in content.features.values():
        for site, user in carriers(feature):
            assert site is None or content.modules[site].type == 1
            assert user is None or user in held


def test_markers_say_what_was_sold(seed: Contents) -> None:
    markers = {
        code: {module.name for module in content.modules.values() if module.role == "marker"}
        for code, content in seed.items()
        if content.offer.type == "plan"
    }
    assert markers == {
        "common": set(),
        "sales-essentials": {"t1", "sales-t1"},
        "sales-premium": {"t2", "sales-t2"},
        "service-essentials": {"t1", "service-t1"},
        "service-premium": {"t2", "service-t2"},
        "marketing-essentials": {"t1", "marketing-t1"},
        "marketing-premium": {"t2", "marketing-t2"},
        "sales-service-marketing-premium": {"t2", "sales-t2", "service-t2", "marketing-t2"},
    }


def test_every_plan_for_sale_has_a_module_of_its_own_that_can_be_given(seed: Contents) -> None:
    own = {code: content.own_module for code, content in seed.items() if content.offer.type == "plan"}
    assert {code: module.name for code, module in own.items() if module} == {
        "sales-essentials": "ten-sales-essentials",
        "sales-premium": "ten-sales-premium",
        "service-essentials": "ten-service-essentials",
        "service-premium": "ten-service-premium",
        "marketing-essentials": "ten-marketing-essentials",
        "marketing-premium": "ten-marketing-premium",
        "sales-service-marketing-premium": "ten-salesservicemarketing-premium",
    }
    assert not any(module.hidden or module.unrestricted for module in own.values() if module)
    assert seed["common"].module is None


def test_confidential_activities_come_with_every_plan_but_are_given_by_hand(seed: Contents) -> None:
    for code in COUNTS:
        module = seed[code].modules["superoffice.visible-for"]
        assert (module.role, module.hidden, module.unrestricted) == ("extra", False, True)
        assert "visible-for" not in seed[code].set_names


def test_chat_forms_and_flows_are_hidden_from_those_without_their_module(seed: Contents) -> None:
    features = {feature for content in seed.values() for feature in content.features.values()}
    hiding = {"superoffice.chat-cal", "superoffice.forms-cal", "superoffice.mktg-auto-cal"}
    named = {feature.definition.user_module for feature in features}
    assert hiding <= named
    for feature in features:
        assert feature.definition.read_only_without_seat is (feature.definition.user_module not in hiding)


def test_three_add_ons_are_for_the_site_and_one_is_for_users(seed: Contents) -> None:
    add_ons = {c.offer.name: (c.offer.scope, c.module) for c in seed.values() if c.offer.type == "addon"}
    assert add_ons == {
        "Customer Engagement Platform (CEP)": ("site", "superoffice.cep"),
        "SuperOffice AI": ("site", "superoffice.aiplatform"),
        "Expander Services": ("site", "superoffice.expander-services"),
        "Calendar synchronization": ("user", "superoffice.nebula"),
    }
    assert all(content.features for content in seed.values())
    assert seed["cep"].set_names == ()


def test_every_user_of_a_plan_can_take_part_in_the_customer_engagement_platform(seed: Contents) -> None:
    needed = {user for f in seed["cep"].features.values() if (user := f.definition.user_module)}
    for code in COUNTS:
        assert needed <= {f"superoffice.{name}" for name in seed[code].set_names}


def test_everything_is_described_for_customers(seed: Contents) -> None:
    for content in seed.values():
        assert content.offer.description.endswith(".")
        for feature in content.features.values():
            assert feature.definition.description.endswith("."), feature.code


# ── Another company ─────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def hosting(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Contents:
    with django_db_blocker.unblock(), override_settings(OWN_OWNER="CLOUDNEST"):
        return load(HOSTING)


def test_a_hosting_company_sells_quite_other_things(hosting: Contents) -> None:
    shown = {f.code: f.shown for f in hosting["web-dedicated"].ordered_features}
    assert shown == {
        "disk-space": "50 GB",
        "traffic": "Unlimited GB",
        "upload-size": "Unlimited MB",
        "backup": "Every day",
        "support": "By phone",
    }
    assert hosting["mail-nano"].features["mailboxes"].value == 5
    assert hosting["agency"].features["mailboxes"].value is UNLIMITED
    assert hosting["extra-disk"].max_quantity == 20
    assert (hosting["extra-disk"].excludes, hosting["git-deployment"].needs) == (("web-dedicated",), ("web-standard",))


def test_a_plan_without_a_tier_is_sold_as_the_highest_it_includes(hosting: Contents) -> None:
    assert (hosting["agency"].offer.tier, hosting["agency"].offer.tier_name) == ("standard", "Standard")
    assert hosting["agency"].modules["cloudnest.rack-shared"].role == "marker"


def test_a_level_brings_the_modules_of_its_choices_up_to_the_one_granted(hosting: Contents) -> None:
    assert hosting["web-standard"].set_names == ("panel", "desk-mail", "site-builder-edit")
    assert hosting["web-dedicated"].set_names == ("panel", "shell", "desk-mail", "desk-phone")
    assert "cloudnest.vault-day" not in hosting["web-standard"].modules
    assert {"cloudnest.vault-week", "cloudnest.vault-day"} <= set(hosting["web-dedicated"].modules)
