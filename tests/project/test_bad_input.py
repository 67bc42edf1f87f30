"""Whatever anybody sends to any endpoint: an answer or a problem document, never a 500 and never HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.factories.customers import api_with
from tests.project.endpoints import WORLD, endpoints, open_world, root_of

# Every parameter that any endpoint takes, and one that none takes.
PARAMETERS = (
    *("at", "cursor", "dry_run", "explain", "feature", "hidden", "is_user_plan", "kind", "license_type", "limit"),
    *("actor", "code", "outcome", "since", "until", "user"),
    *("min_revision", "multi_plan", "owner", "plan", "search", "solution", "tier", "unheard_of"),
)
STRANGE_TEXT = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.datetimes().map(str),
    st.sampled_from(
        ["true", "0", "-1", "1e999", "null", "a\x00b", "٣", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"]
    ),
)
STRANGE_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["assign", "release", "accept_loss", "reason", "rows", "mode", "token", "user", "create"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
CODES = st.one_of(st.none(), st.none(), STRANGE_TEXT)  # none: the one that exists


@pytest.fixture(scope="module")
def _open_world(django_db_setup: Any, django_db_blocker: Any) -> Iterator[APIClient]:
    with django_db_blocker.unblock(), transaction.atomic():
        open_world()
        yield api_with()
        transaction.set_rollback(True)


@pytest.fixture
def asker(_open_world: APIClient, db: Any) -> APIClient:
    """An app whose key may do everything, so that nothing is refused before it is read."""
    return _open_world


@pytest.mark.parametrize("endpoint", sorted(f"{method} {route}" for method, route, _ in endpoints()))
def test_no_input_is_answered_by_500_or_a_page(asker: APIClient, endpoint: str) -> None:
    method, _, route = endpoint.partition(" ")
    folder = route.rpartition("/{code}/")[0]

    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    @given(
        codes=st.lists(CODES, min_size=4, max_size=4),
        query=st.dictionaries(st.sampled_from(PARAMETERS), STRANGE_TEXT, max_size=2),
        body=STRANGE_JSON.map(json.dumps) | st.text(max_size=20),
        key=st.none() | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=10),
    )
    def send(codes: list[str | None], query: dict[str, str], body: str, key: str | None) -> None:
        given_codes = iter(codes)

        def fill(name: re.Match[str]) -> str:
            strange = next(given_codes)
            return WORLD[folder if name[1] == "code" else name[1]] if strange is None else quote(strange, safe="")

        filled = re.sub(r"\{(\w+)\}", fill, route)
        address = f"{root_of(route)}{filled}?{urlencode(query)}"
        headers: Any = {"Idempotency-Key": key} if key is not None else {}
        with transaction.atomic():
            answer = asker.generic(method, address, body, content_type="application/json", headers=headers)
            transaction.set_rollback(True)
        assert answer.status_code < 500, (address, body, answer.content)
        if answer.status_code >= 400:
            # What can't be evaluated as a flag is told in the words of OpenFeature's protocol.
            is_flag = route.startswith("ofrep/") and answer["Content-Type"] == "application/json"
            assert is_flag == ("errorCode" in answer.json() and "type" not in answer.json())
            assert is_flag or answer["Content-Type"] == "application/problem+json"
        elif answer.status_code == 200:
            assert answer["Content-Type"] == "application/json"

    send()
