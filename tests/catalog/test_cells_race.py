"""Many people, the same cell, at the same instant: one is first, all others are told."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from catalog.errors import CellsChangedSince
from catalog.models import Grant, Version
from catalog.services.cells import CellEdit, ColumnEdit, save_cells
from customers.actor import SYSTEM
from customers.models import AuditEvent
from tests.factories.catalog import NOON, Shop

PEOPLE = 8


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time by itself")
def test_of_many_who_save_the_same_cell_one_is_first_and_the_others_are_told() -> None:
    """Each also edits a cell of their own, in columns named in either order: no deadlock, and nothing half done."""
    shop = Shop()
    versions = {offer.code: Version.objects.get(offer=offer).pk for offer in (shop.common, shop.service_essentials)}
    events = AuditEvent.objects.count()
    ready = threading.Barrier(PEOPLE)
    outcomes: dict[int, object] = {}

    def save(person: int) -> None:
        common = ColumnEdit("common", versions["common"], False, [CellEdit("email-limit", 500, 1000 + person)])
        service = ColumnEdit(
            "service-essentials", versions["service-essentials"], False, [CellEdit("quotes", None, True)]
        )
        ready.wait()
        try:
            columns = [common, service] if person % 2 else [service, common]
            outcomes[person] = save_cells(columns=columns, actor=SYSTEM, at=NOON).cells
        except CellsChangedSince as refusal:
            outcomes[person] = [(cell["feature"], cell["theirs"]) for cell in refusal.details["cells"]]
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=(person,)) for person in range(PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [winner] = [person for person, outcome in outcomes.items() if outcome == 2]
    told = [("email-limit", 1000 + winner)]
    assert [outcome for person, outcome in sorted(outcomes.items()) if person != winner] == [told] * (PEOPLE - 1)
    limit = Grant.objects.get(version__offer=shop.common, version__state="draft", feature__code="email-limit")
    assert limit.value == 1000 + winner
    assert Version.objects.drafts().count() == 2
    assert AuditEvent.objects.count() == events + 4  # two drafts begun, two edited
