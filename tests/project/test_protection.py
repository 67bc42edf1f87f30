"""What migrations forbid by `refuse(...)` is forbidden in the database as it stands after the last of them."""

import pytest
from django.db import IntegrityError, connection, transaction

from catalog.services.commenting import comment
from catalog.services.publishing import publish
from customers.actor import Actor
from customers.models import Account
from customers.protection import Protection
from licensing.facts import Mode
from licensing.services.overrides import grant_override
from tests.factories.catalog import AddOnFactory
from tests.licensing.market import Market, Town, hours
from tests.project.test_migrations import flatten, own_migrations

# An UPDATE that contradicts each protected table; for most of them, any does.
ANY = "id = id"
EDITS = {
    "catalog_feature": "kind = 'limit'",
    "catalog_grant": ANY,
    "catalog_versioncomment": ANY,
    "catalog_version": "changelog = 'nothing new'",
    "catalog_version_editors": ANY,
    "catalog_versionfeature": ANY,
    "catalog_versioninclude": ANY,
    "catalog_versionmodule": ANY,
    "catalog_versionrule": ANY,
    "customers_auditevent": ANY,
    "licensing_changeset": ANY,
    "licensing_changesetrow": ANY,
    "licensing_entitlementset": ANY,
    "licensing_modulelicense": ANY,
    "licensing_ownerkey": "public_key = 'another'",
    "licensing_packageseal": ANY,
    "licensing_override": "reason = 'none'",
    "licensing_package": "company_name = 'Another AS'",
    "licensing_revisionentry": ANY,
    "licensing_seat": "module_name = 'another'",
}


def refusals() -> list[Protection]:
    operations = [operation for migration in own_migrations() for operation in flatten(list(migration.operations))]
    return [operation for operation in operations if isinstance(operation, Protection)]


def triggers_wanted() -> set[tuple[str, str]]:
    return {(refusal.name, refusal.table) for refusal in refusals()}


def triggers_there() -> set[tuple[str, str]]:
    """Returns (trigger, table) as the database has them."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute(
                "SELECT tgname, relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE NOT tgisinternal"
            )
        return {(str(name), str(table)) for name, table in cursor.fetchall()}


@pytest.mark.django_db
def test_every_refusal_stands_in_the_database() -> None:
    assert triggers_wanted()
    assert triggers_wanted() - triggers_there() == set()


@pytest.fixture
def busy_house(pia: Account) -> None:
    """Leaves at least one row in every protected table."""
    by_pia = Actor(account=pia)
    market = Market()
    needy = AddOnFactory(code="needy")
    said = {"grants": {"chat": True}, "needs": ["sales-premium"]}
    comment(version=market.draft(needy, by=by_pia, **said), text="Who needs this?", actor=by_pia, at=hours(0))
    publish(version=needy.versions.get(), actor=by_pia, at=hours(0), four_eyes=False)
    town = Town(actor=by_pia)
    town.buys(sales_premium=2, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    grant_override(
        customer=town.customer, actor=by_pia, feature="requests", mode=Mode.SET, value=True, reason="trial", at=hours(3)
    )


@pytest.mark.usefixtures("busy_house")
def test_raw_sql_can_neither_edit_nor_delete_what_is_protected() -> None:
    edited = {refusal.table for refusal in refusals() if refusal.event == "UPDATE"}
    deleted = {refusal.table for refusal in refusals() if refusal.event == "DELETE"}
    assert edited == EDITS.keys()
    attempts = {table: f"UPDATE {table} SET {EDITS[table]}" for table in edited}
    for table, statement in [*attempts.items(), *((table, f"DELETE FROM {table}") for table in deleted)]:
        sentences = {refusal.message for refusal in refusals() if refusal.table == table}
        with pytest.raises(IntegrityError) as refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        assert any(sentence in str(refused.value) for sentence in sentences), (statement, refused.value)


@pytest.mark.django_db(transaction=True)
class TestEmptyingTheDatabaseBetweenTests:
    """Transactional tests leave the protection as they found it; the second of these runs after a flush."""

    def test_protection_before(self) -> None:
        assert triggers_wanted() - triggers_there() == set()

    def test_protection_after(self) -> None:
        assert triggers_wanted() - triggers_there() == set()
