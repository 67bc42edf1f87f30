"""Many publishers, one draft, at the same instant."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from catalog.errors import VersionFrozen
from catalog.models import Version
from catalog.services import publishing
from customers.actor import SYSTEM
from customers.errors import Refusal
from tests.factories.catalog import NOON, Shop


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time by itself")
def test_of_many_publishers_at_once_one_wins() -> None:
    shop = Shop()
    draft = shop.draft(shop.common, grants={"email-limit": 900})
    ready = threading.Barrier(8)
    outcomes: list[object] = []

    def publish() -> None:
        stale = Version.objects.get(pk=draft.pk)
        ready.wait()
        try:
            outcomes.append(publishing.publish(version=stale, actor=SYSTEM, at=NOON).number)
        except Refusal as refusal:
            outcomes.append(type(refusal))
        finally:
            connection.close()

    threads = [threading.Thread(target=publish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == sorted(map(str, [2, *[VersionFrozen] * 7]))
    assert Version.objects.filter(offer=shop.common).count() == 2
