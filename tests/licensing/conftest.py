from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from licensing.reading import forget_sets
from tests.licensing.market import Market, Town, hours


@pytest.fixture(autouse=True)
def _no_sets_remembered() -> Iterator[None]:
    forget_sets()
    yield
    forget_sets()


@pytest.fixture(scope="module")
def _open_market(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Market]:
    """Publishes the market once per module, in a transaction that each test's own is nested in."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield Market()
        transaction.set_rollback(True)


@pytest.fixture
def market(_open_market: Market, db: Any) -> Market:
    return _open_market


@pytest.fixture
def town(market: Market) -> Town:
    """Fjordlys, with Ola, Ida and Per, and nothing bought yet."""
    return Town()


@pytest.fixture
def shop(town: Town) -> Town:
    """Two seats of each, at one o'clock."""
    town.buys(sales_premium=2, sales_essentials=2, service_premium=2, calendar=2, at=hours(1))
    return town
