"""The history of a customer's seats: who gave what to whom, when and why; and how it is undone."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.models import Membership
from licensing.models import ChangeSet
from licensing.portal.recent import recent_changes
from tests.licensing.market import Town
from tests.licensing.test_portal import member

CHANGES = "/portal/fjordlys/changes/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    """Ola got Sales Essentials, then Premium instead; Ida got the second seat of it."""
    town.buys(sales_essentials=5, sales_premium=2)
    town.gives("ola", "ten-sales-essentials", reason="First team")
    town.gives("ola", "ten-sales-premium", reason="Promoted")
    town.gives("ida", "ten-sales-premium")
    return town


@pytest.fixture
def kari(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.ADMIN, "Kari Nordmann")


def listed(client: Client, **asked: str) -> list[int]:
    return [told.change.number for told in client.get(CHANGES, asked).context["table"].page]


def undoes(client: Client, number: int, **more: str) -> Any:
    """Previews the undoing of a change set, and applies it if that can be; returns the page."""
    preview = client.post(f"{CHANGES}{number}/undo/", more, follow=True)
    if preview.context and preview.context.get("can_apply"):
        return client.post(preview.request["PATH_INFO"], follow=True)
    return preview


def test_every_change_says_who_when_why_and_what(kari: Client, fjordlys: Town) -> None:
    """N-11."""
    page = kari.get(CHANGES)
    assert listed(kari) == [3, 2, 1]
    assert "Promoted" in page.text
    one = kari.get(f"{CHANGES}2/")
    assert "1 user changed: Promoted" in one.text
    told = kari.get(f"{CHANGES}2/", {"format": "csv"})
    lines = list(csv.reader(io.StringIO(b"".join(told.streaming_content).decode("utf-8-sig"))))
    assert lines == [["User", "Code", "Before", "After"], ["Ola", "ola", "Ten Sales Essentials", "Ten Sales Premium"]]


def test_changes_are_searched_and_narrowed(kari: Client, fjordlys: Town) -> None:
    """N-11."""
    assert listed(kari, search="first team") == [1]
    assert listed(kari, search="3") == [3]
    assert listed(kari, user="OLA") == [2, 1]
    assert listed(kari, only="many") == []
    assert listed(kari, since="2999-01-01") == []
    assert listed(kari, until="2000-01-01") == []
    assert listed(kari, since="nonsense") == [3, 2, 1]
    undoes(kari, 1 + 1)
    assert listed(kari, only="undo") == [4, 2]


def test_a_change_is_undone_by_the_same_preview(kari: Client, fjordlys: Town) -> None:
    """N-12."""
    done = undoes(kari, 2, reason="Not yet")
    assert "Done" in done.text
    assert fjordlys.holds("ola") == {"ten-sales-essentials"}
    undo = ChangeSet.objects.get(customer=fjordlys.customer, number=4)
    assert undo.undoes is not None
    assert (undo.undoes.number, undo.reason, undo.actor) == (2, "Not yet", "Kari Nordmann")
    assert "Undone by" in kari.get(f"{CHANGES}2/").text
    assert "Preview the undoing" not in kari.get(f"{CHANGES}2/").text
    again = kari.post(f"{CHANGES}2/undo/")
    assert (again.status_code, "was undone by change set 4 already" in again.text) == (409, True)


def test_an_undo_names_what_is_in_the_way(kari: Client, fjordlys: Town) -> None:
    """N-12."""
    fjordlys.takes("ola", "ten-sales-premium")
    preview = undoes(kari, 2)
    assert preview.context["totals"]["blocked"] == 1
    (row,) = preview.context["table"].page
    assert (row.user_code, row.outcome) == ("ola", "blocked")
    assert row.message == "ola's seats were changed in the meantime: ola holds nothing now."
    assert fjordlys.holds("ola") == set()


def test_after_thirty_days_it_is_too_late(kari: Client, fjordlys: Town) -> None:
    """N-12."""
    told = recent_changes(fjordlys.customer, timezone.now() + timedelta(days=31))
    assert [each.can_be_undone for each in told] == [False, False, False]
    told = recent_changes(fjordlys.customer, timezone.now() + timedelta(days=29))
    assert [each.can_be_undone for each in told] == [True, True, True]


def test_the_history_asks_as_much_for_many_changes_as_for_few(
    kari: Client, fjordlys: Town, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def ask() -> None:
        with django_assert_num_queries(9):
            # session, account, memberships, staff roles, customer;
            # how many changes, the page of them; users of each, which are undone
            assert kari.get(CHANGES).status_code == 200

    ask()
    for _ in range(15):
        fjordlys.gives("per", "ten-sales-essentials")
        fjordlys.takes("per", "ten-sales-essentials")
    ask()
