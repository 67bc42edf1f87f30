"""Lint where people meet it: at every step towards publication, and on a draft's page. Rules E-6 to E-12."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from catalog.errors import PublishRefused
from catalog.models import Version
from catalog.services import drafting, publishing
from catalog.services.linting import lint_version
from customers.actor import SYSTEM
from customers.models import Account
from tests.catalog.visiting import as_, page
from tests.factories.catalog import NOON, AddOnFactory, FeatureFactory, LimitFactory, Shop, TierFactory

WHO: Any = {"actor": SYSTEM, "at": NOON}


@pytest.fixture
def add_ons(shop: Shop) -> dict[str, Any]:
    """AI needs forms, which excludes the CEP; forms are sold."""
    made = {code: AddOnFactory(code=code, name=code.upper()) for code in ("cep", "ai", "forms")}
    for code in made:
        FeatureFactory(code=f"{code}-feature")
    shop.publish(made["forms"], grants={"forms-feature": True}, excludes=("cep",), max_quantity=1)
    shop.publish(made["ai"], grants={"ai-feature": True}, needs=("forms",), max_quantity=1)
    return made


def test_rules_that_nobody_can_meet_are_refused_at_every_step(shop: Shop, add_ons: dict[str, Any]) -> None:
    draft = shop.draft(add_ons["cep"], grants={"cep-feature": True}, needs=("ai",), max_quantity=1)
    story = "CEP needs AI, and AI needs FORMS, and FORMS excludes CEP. So nobody could ever buy CEP."
    (fault,) = publishing.check(version=draft, at=NOON)
    assert (fault.code, fault.path, fault.message) == ("rules_cannot_be_met", "rules.needs.ai", story)
    for step in (drafting.submit, publishing.publish):
        with pytest.raises(PublishRefused, match="nobody could ever buy"):
            step(version=draft, **WHO)

    drafting.set_rules(version=draft, needs=[], excludes=[], **WHO)
    publishing.publish(version=drafting.submit(version=draft, **WHO), **WHO)


def test_at_most_none_is_refused(shop: Shop, add_ons: dict[str, Any]) -> None:
    draft = shop.draft(add_ons["cep"], grants={"cep-feature": True}, max_quantity=0)
    with pytest.raises(PublishRefused, match="At most 0 of CEP"):
        publishing.publish(version=draft, **WHO)


def test_by_a_tier_too(shop: Shop, add_ons: dict[str, Any]) -> None:
    draft = shop.draft(
        add_ons["cep"],
        grants={"cep-feature": True},
        needs=("sales-premium",),
        excludes=("tier:premium",),
        max_quantity=1,
    )
    with pytest.raises(PublishRefused, match="CEP excludes Sales Premium, a plan of tier Premium"):
        publishing.publish(version=draft, **WHO)


def test_a_warning_refuses_nothing_and_stays_to_be_seen(shop: Shop, add_ons: dict[str, Any]) -> None:
    draft = shop.draft(add_ons["cep"], grants={"sales": True}, needs=("common",), max_quantity=1)
    wanted = ["need_not_sold"]
    assert [finding.code for finding in lint_version(version=draft, at=NOON)][:1] == wanted
    published = publishing.publish(version=draft, **WHO)
    assert [finding.code for finding in lint_version(version=published, at=NOON)][:1] == wanted


@pytest.mark.parametrize(
    ("what", "needs", "message"),
    [
        ("never published", ("fresh",), "CEP needs FRESH, but nothing of it has been published."),
        ("not for sale", ("common",), "CEP needs Common, but it is not for sale."),
        ("scheduled", ("soon",), "CEP needs SOON, but it is on sale only from 2026-01-06 12:00 UTC."),
        ("retired", ("forms",), "CEP needs FORMS, but all of it was retired."),
        (
            "of a tier that is not sold",
            ("tier:gold",),
            "CEP needs a plan of tier Gold or higher, and none is for sale.",
        ),
    ],
)
def test_why_nobody_can_buy_what_it_needs(
    shop: Shop, add_ons: dict[str, Any], what: str, needs: tuple[str, ...], message: str
) -> None:
    TierFactory(code="gold", rank=9)
    AddOnFactory(code="fresh", name="FRESH")
    soon = AddOnFactory(code="soon", name="SOON")
    shop.publish(soon, grants={"ai-feature": True}, effective_from=NOON + timedelta(days=1))
    publishing.retire(version=Version.objects.get(offer=add_ons["forms"]), **WHO)
    draft = shop.draft(add_ons["cep"], grants={"cep-feature": True}, needs=needs, max_quantity=1)
    assert message in [finding.message for finding in lint_version(version=draft, at=NOON)]


def test_the_page_of_a_draft_and_the_confirming_page_warn(
    shop: Shop, add_ons: dict[str, Any], pia: Account, paul: Account
) -> None:
    cap = LimitFactory(code="cap", name="Space", rule="min", unit="GB")
    shop.publish(shop.sales_premium, grants={"quotes": True, "cap": 50}, includes=("sales-essentials",))
    draft = shop.draft(add_ons["cep"], grants={cap.code: 5}, max_quantity=1)
    saying = "Space: the lowest counts (rule min), so 5 GB takes away from those who have Sales Premium"
    for account, name in ((pia, "version_change"), (paul, "version_publish")):
        html = as_(account).get(page(name, draft.pk)).content.decode()
        assert "1 warning: it can be published all the same" in html
        assert saying in html
    drafting.set_grants(version=draft, grants={"cep-feature": True}, **WHO)
    assert "it can be published all the same" not in as_(pia).get(page("version_change", draft.pk)).content.decode()


def test_a_draft_with_other_faults_is_linted_all_the_same(shop: Shop, add_ons: dict[str, Any], pia: Account) -> None:
    draft = shop.draft(add_ons["cep"], needs=("common",), max_quantity=1)  # it gives nothing, which is a fault
    html = as_(pia).get(page("version_change", draft.pk)).content.decode()
    assert "This version grants no feature" in html
    assert "CEP needs Common, but it is not for sale." in html


def test_queries_do_not_grow_with_the_shelf(
    shop: Shop, add_ons: dict[str, Any], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    published = Version.objects.get(offer=add_ons["ai"])

    def lint_it() -> None:
        # What is on offer, tiers, values of its features, what else was published, all plans and add-ons.
        with django_assert_num_queries(5):
            lint_version(version=published, at=NOON)

    lint_it()
    for _ in range(5):
        shop.publish(AddOnFactory(), grants={"ai-feature": True}, needs=("ai",))
    lint_it()
