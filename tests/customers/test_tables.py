"""Lists for people: sorting, pages, columns that are remembered, and CSV that no spreadsheet can be tricked with."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from customers.models import Customer
from customers.tables import ROWS_PER_PAGE, Column, Table, in_csv
from tests.factories.customers import CustomerFactory

COLUMNS = (
    Column("name", "Customer", attrgetter("name"), order=("name",), is_fixed=True),
    Column("code", "Code", attrgetter("code"), order=("code",)),
    Column("serial", "Serial number", attrgetter("serial_number"), is_shown=False),
)


def table(query: str = "", cookie: str | None = None, **options: Any) -> Table:
    request = RequestFactory().get(f"/list/?{query}")
    if cookie is not None:
        request.COOKIES["columns-customers"] = cookie
    return Table(request, "customers", Customer.objects.all(), COLUMNS, sort="name", **options)


def names(shown: Table) -> list[str]:
    return [customer.name for customer in shown.page]


@pytest.fixture
def customers(db: Any) -> list[Customer]:
    return [CustomerFactory(code=code, name=name) for code, name in (("c", "Alfa"), ("a", "Bravo"), ("b", "Charlie"))]


@pytest.mark.usefixtures("customers")
class TestSorting:
    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ("", ["Alfa", "Bravo", "Charlie"]),
            ("sort=-name", ["Charlie", "Bravo", "Alfa"]),
            ("sort=code", ["Bravo", "Charlie", "Alfa"]),
            ("sort=serial", ["Alfa", "Bravo", "Charlie"]),  # nothing to sort by
            ("sort=customer__password", ["Alfa", "Bravo", "Charlie"]),
        ],
    )
    def test_by_what_is_offered_and_nothing_else(self, asked: str, expected: list[str]) -> None:
        assert names(table(asked)) == expected

    def test_a_head_says_how_and_turns_it_round(self) -> None:
        by_name, by_code = table("search=a&page=3").heads
        assert (by_name.sorting, by_name.address) == ("ascending", "?search=a&sort=-name")
        assert (by_code.sorting, by_code.address) == ("", "?search=a&sort=code")
        assert table("sort=-name").heads[0].sorting == "descending"
        assert table("choose=1&columns=serial").heads[1].address == ""


@pytest.mark.django_db
class TestColumns:
    def test_as_they_come_as_chosen_and_as_remembered(self) -> None:
        assert [column.key for column in table().columns] == ["name", "code"]
        assert [column.key for column in table("choose=1&columns=serial").columns] == ["name", "serial"]
        assert [column.key for column in table("choose=1").columns] == ["name"]
        assert [column.key for column in table(cookie="serial.nonsense").columns] == ["name", "serial"]
        assert [column.key for column in table("choose=1&columns=code", cookie="serial").columns] == ["name", "code"]

    def test_a_choice_is_kept_for_the_next_visit(self) -> None:
        kept = table("choose=1&columns=serial&columns=unknown").remember(HttpResponse()).cookies["columns-customers"]
        assert (kept.value, kept["httponly"], kept["samesite"]) == ("serial", True, "Lax")
        assert not table().remember(HttpResponse()).cookies

    def test_the_form_keeps_search_and_sorting(self) -> None:
        assert table("search=a&sort=code&page=2&choose=1&columns=code").kept == [("search", "a"), ("sort", "code")]


class TestPages:
    def test_a_page_is_two_queries_and_every_row_is_reached_once(
        self, db: Any, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        CustomerFactory.create_batch(ROWS_PER_PAGE + 3, name="All alike")
        with django_assert_num_queries(2):  # the count, the page
            first = {customer.pk for customer in table().page}
        second = {customer.pk for customer in table("page=2").page}
        assert (len(first), len(second), len(first | second)) == (ROWS_PER_PAGE, 3, ROWS_PER_PAGE + 3)
        assert table("page=99").page.number == 2
        assert table("page=2&search=a").query == "search=a&"

    def test_what_cells_need_is_added_to_the_page_in_one_go(self, customers: list[Customer]) -> None:
        seen = []

        def prepare(rows: Any) -> Any:
            seen.append(len(rows))
            return rows

        shown = table(prepare=prepare)
        assert [[cell for _, cell in row] for row in shown.body] == [["Alfa", "c"], ["Bravo", "a"], ["Charlie", "b"]]
        assert seen == [3]


class TestCsv:
    def test_all_rows_with_the_columns_shown(self, customers: list[Customer]) -> None:
        answer = table("format=csv&sort=code&choose=1&columns=code").csv()
        text = b"".join(answer.streaming_content).decode()
        assert text.startswith("\ufeff")
        rows = list(csv.reader(io.StringIO(text[1:])))
        assert rows == [["Customer", "Code"], ["Bravo", "a"], ["Charlie", "b"], ["Alfa", "c"]]
        assert answer["Content-Disposition"] == 'attachment; filename="customers.csv"'

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("=1+1", "'=1+1"),
            ("+47 22", "'+47 22"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            (-2, "-2"),
            (None, ""),
            (True, "yes"),
            (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01 12:00:00+00:00"),
            ("Fjordlys", "Fjordlys"),
        ],
    )
    def test_a_cell(self, value: object, expected: str) -> None:
        assert in_csv(value) == expected

    @given(st.text())
    def test_no_text_begins_a_formula(self, text: str) -> None:
        assert not in_csv(text).startswith(("=", "+", "-", "@", "\t", "\r"))
