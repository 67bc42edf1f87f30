"""The shop is built once per module; every test gets it as it was built, and rolls back what it does to it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.db import transaction
from pytest_django.plugin import DjangoDbBlocker

from tests.factories.catalog import Shop


@pytest.fixture(scope="module")
def shop_as_built(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Shop]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield Shop()
        transaction.set_rollback(True)


@pytest.fixture
def shop(shop_as_built: Shop, db: Any) -> Shop:
    return deepcopy(shop_as_built)
