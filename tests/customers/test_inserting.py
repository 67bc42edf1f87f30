"""Many rows written at once, and asked for by array: the same as one by one, on either database."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from customers.conditions import AnyOf
from customers.inserting import FEW, insert_rows
from customers.models import AuditEvent, Customer, CustomerUser, IdempotencyRecord
from tests.factories.customers import NOON, CustomerFactory

pytestmark = pytest.mark.django_db
MANY = FEW + 1
USERS = ("customer_id", "code", "name", "email", "created_at")
ODD = ["tab\tand\nnewline", "back\\slash \\N \\.", "quote ' \" and ö ✓ 🚀", "", "{}"]


@pytest.fixture
def fjordlys() -> Customer:
    found: Customer = CustomerFactory(code="fjordlys")
    return found


def users(customer: Customer, count: int, first: int = 0) -> list[tuple[Any, ...]]:
    numbers = range(first, first + count)
    return [(customer.pk, f"u{n}", ODD[n % len(ODD)] or "Nobody", "", NOON) for n in numbers]


@pytest.mark.parametrize("count", [1, FEW, MANY])
def test_few_and_many_are_written_alike(fjordlys: Customer, count: int) -> None:
    insert_rows(CustomerUser, USERS, iter(users(fjordlys, count)))
    assert sorted(CustomerUser.objects.values_list(*USERS)) == sorted(users(fjordlys, count))
    # What isn't named has the model's defaults, not the database's.
    assert set(CustomerUser.objects.values_list("can_log_in", "is_former_employee", "account")) == {(True, False, None)}


def test_nothing_is_nothing() -> None:
    insert_rows(CustomerUser, USERS, [])
    assert not CustomerUser.objects.exists()


@pytest.mark.parametrize("count", [1, MANY])
def test_json_comes_back_as_it_was_and_none_is_none(count: int) -> None:
    bodies: list[Any] = [None, {"ö": ["✓", 1, None, True]}, [], {"text": ODD}]
    rows = [("client:1", f"key-{n}", "0" * 64, bodies[n % len(bodies)]) for n in range(count)]
    insert_rows(IdempotencyRecord, ("caller", "key", "request_digest", "body"), rows)
    written = dict(IdempotencyRecord.objects.values_list("key", "body"))
    assert written == {key: body for _, key, _, body in rows}
    empty = IdempotencyRecord.objects.filter(body__isnull=True).count()
    assert empty == sum(body is None for *_, body in rows)


@pytest.mark.parametrize("count", [2, MANY])
def test_what_the_database_refuses_is_refused_as_ever_and_leaves_nothing(fjordlys: Customer, count: int) -> None:
    twice = [*users(fjordlys, count - 1), users(fjordlys, 1)[0]]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(CustomerUser, USERS, twice)
    assert not CustomerUser.objects.exists()


def test_text_that_can_not_be_kept_is_no_other_fault_for_many(fjordlys: Customer) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite keeps NUL")
    rows = [*users(fjordlys, MANY), (fjordlys.pk, "nul", "a\x00b", "", NOON)]
    with pytest.raises(DataError), transaction.atomic():
        insert_rows(CustomerUser, USERS, rows)


def test_any_of_finds_what_in_does(fjordlys: Customer) -> None:
    insert_rows(CustomerUser, USERS, users(fjordlys, 20))
    everybody = CustomerUser.objects.order_by("pk")
    for codes in ([], ["u3"], ["u3", "u19", "u3", "u77"], [*ODD, "u1"]):
        assert list(everybody.filter(AnyOf("code", codes))) == list(everybody.filter(code__in=codes))
    ids = list(everybody.values_list("pk", flat=True))[5:9]
    assert list(everybody.filter(AnyOf("pk", ids)).values_list("pk", flat=True)) == ids
    assert everybody.filter(AnyOf("pk", ids), customer=fjordlys).update(name="Changed") == 4
    assert everybody.filter(AnyOf("customer_id", {fjordlys.pk})).count() == 20
    assert not AuditEvent.objects.filter(AnyOf("customer_id", [fjordlys.pk])).exists()
