"""What the database itself refuses: edits of what was published by any path, and rows that make no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from catalog.models import (
    AddOn,
    Feature,
    Grant,
    LevelChoice,
    Module,
    Offer,
    Plan,
    Tier,
    Version,
    VersionFeature,
    VersionInclude,
    VersionModule,
    VersionRule,
)
from catalog.services import drafting, publishing
from customers.actor import SYSTEM, Actor
from customers.audit import record
from customers.models import Account, AuditEvent
from tests.factories.catalog import (
    NOON,
    AddOnFactory,
    FeatureFactory,
    FeatureGroupFactory,
    LimitFactory,
    ModuleFactory,
    PlanFactory,
    Shop,
    SiteModuleFactory,
    SolutionFactory,
    TierFactory,
)

pytestmark = pytest.mark.django_db


def sql(statement: str, *parameters: object) -> None:
    """Runs raw SQL in a savepoint."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def refused(statement: str, *parameters: object, saying: str) -> None:
    with pytest.raises(IntegrityError, match=saying):
        sql(statement, *parameters)


class TestPublishedVersions:
    """Raw SQL against version 1 of Sales Premium, and against its draft, where the same is allowed."""

    @pytest.fixture(autouse=True)
    def _versions(self, shop: Shop, pia: Account) -> None:
        self.shop = shop
        self.shop.publish(
            self.shop.sales_premium,
            grants={"quotes": True},
            includes=["sales-essentials"],
            extra_modules=["user"],
            needs=["common"],
            by=Actor(account=pia),
        )
        self.version = Version.objects.get(offer=self.shop.sales_premium, number=2)
        self.draft = self.shop.draft(
            self.shop.sales_premium,
            grants={"quotes": True},
            includes=["sales-essentials"],
            extra_modules=["user"],
            needs=["common"],
            by=Actor(account=pia),
        )

    @pytest.mark.parametrize(
        "change",
        [
            "content = '{}'",
            "content = NULL",
            "digest = 'x'",
            "number = 9",
            "state = 'draft'",
            "state = 'in_review'",
            "changelog = 'Other words'",
            "max_quantity = 3",
            "effective_from = '2030-01-01 00:00:00+00:00'",
            "published_at = '2030-01-01 00:00:00+00:00'",
            "published_by_id = NULL",
            "drafted_by_id = NULL",
            "offer_id = (SELECT id FROM catalog_offer WHERE code = 'common')",
            "base_id = NULL",
        ],
    )
    def test_nothing_of_it_can_be_updated(self, change: str) -> None:
        refused(f"UPDATE catalog_version SET {change} WHERE id = %s", self.version.pk, saying="stays as it is")

    def test_it_can_be_retired_and_nothing_else(self) -> None:
        pk = self.version.pk
        refused("UPDATE catalog_version SET retired_at = published_at WHERE id = %s", pk, saying="retired, once")
        sql("UPDATE catalog_version SET state = 'retired', retired_at = published_at WHERE id = %s", pk)
        refused("UPDATE catalog_version SET state = 'published' WHERE id = %s", pk, saying="retired, once")
        refused("UPDATE catalog_version SET retired_at = NULL WHERE id = %s", pk, saying="retired, once")
        refused("UPDATE catalog_version SET digest = 'x' WHERE id = %s", pk, saying="stays as it is")
        refused("DELETE FROM catalog_version WHERE id = %s", pk, saying="stays as it is")

    def test_saving_it_unchanged_is_harmless(self) -> None:
        self.version.save()

    def test_it_cannot_be_deleted(self) -> None:
        refused("DELETE FROM catalog_version WHERE id = %s", self.version.pk, saying="stays as it is")
        self.draft.delete()  # which points to it as its base
        with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
            self.version.delete()

    @pytest.mark.parametrize(
        ("table", "column"),
        [
            ("catalog_grant", "value"),
            ("catalog_versioninclude", "offer_id"),
            ("catalog_versionmodule", "module_id"),
            ("catalog_versionrule", "verb"),
            ("catalog_versionfeature", "feature_id"),
            ("catalog_version_editors", "account_id"),
        ],
    )
    def test_what_belongs_to_it_stays(self, table: str, column: str) -> None:
        frozen, draft = self.version.pk, self.draft.pk
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table} WHERE version_id = %s", [frozen])
            assert cursor.fetchone()[0] > 0
        saying = "belongs to a published version stays"
        refused(f"UPDATE {table} SET {column} = {column} WHERE version_id = %s", frozen, saying=saying)
        refused(f"UPDATE {table} SET version_id = %s WHERE version_id = %s", draft, frozen, saying=saying)
        refused(f"DELETE FROM {table} WHERE version_id = %s", frozen, saying=saying)
        if table != "catalog_versionfeature":  # a draft has none
            refused(f"UPDATE {table} SET version_id = %s WHERE version_id = %s", frozen, draft, saying=saying)
            sql(f"UPDATE {table} SET {column} = {column} WHERE version_id = %s", draft)
            sql(f"DELETE FROM {table} WHERE version_id = %s", draft)

    def test_nothing_is_added_to_it(self) -> None:
        feature, module = FeatureFactory(), ModuleFactory()
        added: list[Callable[[Version], Any]] = [
            lambda version: Grant(version=version, feature=feature, value=True),
            lambda version: VersionInclude(version=version, offer=self.shop.service_essentials),
            lambda version: VersionModule(version=version, module=module),
            lambda version: VersionRule(version=version, verb="excludes", offer=self.shop.service_essentials),
            lambda version: VersionRule(version=version, verb="excludes", tier=self.shop.sales_premium.tier),
            lambda version: VersionFeature(version=version, feature=feature),
        ]
        for make in added:
            with pytest.raises(IntegrityError, match="belongs to a published version"), transaction.atomic():
                make(self.version).save()
            make(self.draft).save()

    def test_bulk_calls_pass_by_no_trigger(self) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            Version.objects.filter(pk=self.version.pk).update(changelog="Other words")
        with pytest.raises(IntegrityError), transaction.atomic():
            self.version.grants.all().delete()
        with pytest.raises(IntegrityError), transaction.atomic():
            Grant.objects.bulk_create([Grant(version=self.version, feature=FeatureFactory(), value=True)])

    @pytest.mark.parametrize(
        "change", ["code = 'other'", "kind = 'limit'", "rule = 'sum'", "unit = 'x'", "counts = 'user'"]
    )
    def test_a_feature_it_names_keeps_what_it_is(self, change: str) -> None:
        unknown = FeatureFactory(code="unknown")
        statement = f"UPDATE catalog_feature SET {change} WHERE code = %s"
        refused(statement, "quotes", saying="a published version names this feature")
        sql(statement, unknown.code)

    def test_a_feature_it_names_may_be_called_otherwise(self) -> None:
        sql("UPDATE catalog_feature SET name = 'Offers', read_only_without_seat = %s WHERE code = 'quotes'", False)

    @pytest.mark.parametrize("row", ["feature", "module", "offer", "solution owner"])
    def test_what_it_stands_on_cannot_be_deleted(self, row: str) -> None:
        rows: dict[str, Callable[[], Any]] = {
            "feature": lambda: Feature.objects.get(code="quotes"),
            "module": lambda: Module.objects.get(name="quote-cal"),
            "offer": lambda: Offer.objects.get(code="common"),
            "solution owner": lambda: Module.objects.get(name="quote-cal").owner,
        }
        with pytest.raises(ProtectedError):
            rows[row]().delete()


class TestApprovals:
    @pytest.fixture
    def approved(self, shop: Shop) -> Version:
        draft = shop.draft(shop.common, grants={"email-limit": 900})
        return publishing.approve(version=drafting.submit(version=draft, actor=SYSTEM, at=NOON), actor=SYSTEM, at=NOON)

    @pytest.mark.parametrize("change", ["state = 'draft'", "digest = ''"])
    def test_one_names_a_content_in_review(self, change: str, approved: Version) -> None:
        refused(f"UPDATE catalog_version SET {change} WHERE id = %s", approved.pk, saying="of a content, in review")
        sql(f"UPDATE catalog_version SET {change}, approved_at = NULL WHERE id = %s", approved.pk)

    def test_nothing_else_is_published_under_it(self, approved: Version) -> None:
        approved.state, approved.number, approved.content = Version.State.PUBLISHED, 2, {}
        approved.published_at = approved.effective_from = NOON
        was, approved.digest = approved.digest, "0" * 64
        with pytest.raises(IntegrityError, match="what was approved is published"), transaction.atomic():
            approved.save()
        approved.digest = was
        approved.save()
        refused("UPDATE catalog_version SET approved_at = NULL WHERE id = %s", approved.pk, saying="stays as it is")


class TestAuditTrail:
    def test_it_is_append_only(self) -> None:
        record(actor=SYSTEM, action="test", object_type="plan", object_code="sales", at=NOON)
        before = AuditEvent.objects.count()
        refused("UPDATE customers_auditevent SET reason = 'other'", saying="append-only")
        refused("DELETE FROM customers_auditevent", saying="append-only")
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            AuditEvent.objects.all().delete()
        assert AuditEvent.objects.count() == before


def _version(**fields: Any) -> Version:
    return Version(offer=PlanFactory(), **fields)


def _second_draft() -> Version:
    offer = PlanFactory()
    Version.objects.create(offer=offer, state="in_review")
    return Version(offer=offer)


def _again(row: Any) -> Any:
    """Returns an unsaved copy of a saved row."""
    row.pk, row._state.adding = None, True
    return row


NONSENSE: dict[str, Callable[[], Any]] = {
    "two drafts of one plan": _second_draft,
    "published without content": lambda: _version(state="published", number=1, effective_from=NOON, published_at=NOON),
    "a draft with a number": lambda: _version(number=1),
    "for sale without a module": lambda: Plan(code="x", name="X"),
    "a plan for a whole site": lambda: Plan(code="x", name="X", scope="site", module=ModuleFactory()),
    "one module for two plans": lambda: Plan(code="x", name="X", module=PlanFactory().module),
    "one code for two plans": lambda: AddOn(code=PlanFactory().code, name="X", module=ModuleFactory()),
    "a module of unknown type": lambda: Module(owner=ModuleFactory().owner, name="x", type=4),
    "a module twice, in another case": lambda: Module(owner=ModuleFactory(name="x").owner, name="X", type=3),
    "a feature code twice": lambda: _again(FeatureFactory()),
    "two tiers of one rank": lambda: Tier(code="x", name="X", rank=TierFactory().rank),
    "a choice called none": lambda: LevelChoice(feature=FeatureFactory(), code="none", name="None", rank=0),
    "a rule about nothing": lambda: VersionRule(version=_draft(), verb="needs"),
    "a rule about a plan and a tier": lambda: VersionRule(
        version=_draft(), verb="needs", offer=PlanFactory(), tier=TierFactory()
    ),
    "two rules about one tier": lambda: _again(
        VersionRule.objects.create(version=_draft(), verb="needs", tier=TierFactory())
    ),
    "a grant of nothing": lambda: Grant(version=_draft(), feature=LimitFactory(), value=None),
    "a grant of a number and unlimited": lambda: Grant(
        version=_draft(), feature=LimitFactory(), value=5, unlimited=True
    ),
}


def _draft() -> Version:
    version: Version = Version.objects.create(offer=PlanFactory())
    return version


@pytest.mark.parametrize("what", NONSENSE)
def test_the_database_refuses(what: str) -> None:
    row = NONSENSE[what]()
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_a_module_is_not_its_own_prerequisite() -> None:
    module = ModuleFactory()
    refused("UPDATE catalog_module SET prerequisite_id = id WHERE id = %s", module.pk, saying="prerequisite")


def test_what_makes_sense_is_let_in() -> None:
    AddOnFactory(module=SiteModuleFactory(), scope="site")
    PlanFactory(module=None, for_sale=False, solutions=[SolutionFactory().code])
    FeatureGroupFactory(code="x").full_clean()
    AddOn(code="cep", name="CEP", scope="site", module=SiteModuleFactory()).full_clean()
    Plan(code="crm", name="CRM", module=ModuleFactory()).full_clean()
