"""Whatever anybody sends, in any role, is answered as the API's description says; nothing ends in a 500 (rule A-13).

Schemathesis makes requests from the description, good and bad ones; half of them ask about what there is. FUZZ=50 makes
that many of each kind for each operation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, Final

import pytest
import requests
import schemathesis
import yaml
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.factories.customers import CustomerFactory
from tests.project.endpoints import WORLD, open_world
from tests.project.test_permissions import ROLES

EXAMPLES: Final = int(os.environ.get("FUZZ", "2"))
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# By the name in a path; where several have one name, by what stands before it.
NAMED: Final = (
    "customer",
    "user",
    "feature",
    "module",
    "offer",
    "owner",
    "key",
    "migration",
    "override",
    "associate_id",
)
HOST: Final = "http://testserver"


def described() -> Any:
    """Returns the description that the code gives now."""
    written = StringIO()
    call_command("spectacular", stdout=written)
    return yaml.safe_load(written.getvalue())


SCHEMA: Final = schemathesis.openapi.from_dict(described())
OPERATIONS: Final = {each.ok().label: each.ok() for each in SCHEMA.get_all_operations() if isinstance(each, Ok)}


@pytest.fixture(scope="module")
def _open_world(django_db_setup: Any, django_db_blocker: Any) -> Iterator[Mapping[str, APIClient]]:
    with django_db_blocker.unblock(), transaction.atomic():
        own, other = open_world(), CustomerFactory(code="nordvik")
        yield {role: comes(own, other) for role, comes in ROLES.items()}
        transaction.set_rollback(True)


@pytest.fixture
def everybody(_open_world: Mapping[str, APIClient], db: Any) -> Mapping[str, APIClient]:
    return _open_world


def known(label: str) -> dict[str, str]:
    """Returns the path's parameters that name what there is."""
    names = OPERATIONS[label].path_parameters
    return {each.name: WORLD[each.name] for each in names if each.name in NAMED}


def asked(http: APIClient, case: Case[Any]) -> schemathesis.Response | None:
    """Returns the answer to a request that leaves no trace; None for what no client could send."""
    kwargs = case.as_transport_kwargs(base_url=HOST)
    kwargs["headers"] = {name: value for name, value in kwargs["headers"].items() if name.lower() != "authorization"}
    try:
        request = requests.Request(**{name: kwargs[name] for name in kwargs if name in SENT}).prepare()
    except (requests.exceptions.RequestException, UnicodeError, ValueError):
        return None
    content = request.body.encode() if isinstance(request.body, str) else request.body or b""
    address = str(request.url).removeprefix(HOST)
    sent = {name: value for name, value in request.headers.items() if name.lower() not in OWN}
    with transaction.atomic():
        answer = http.generic(
            str(request.method), address, content, request.headers.get("Content-Type", ""), headers=sent
        )
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        transaction.set_rollback(True)
    headers = {name: [value] for name, value in answer.items()}
    return schemathesis.Response(answer.status_code, headers, body, request, 0.0, verify=False)


SENT: Final = {"method", "url", "headers", "params", "data", "json", "files", "cookies"}
OWN: Final = {"accept-encoding", "content-type", "content-length", "cookie", "host"}


@pytest.mark.parametrize("label", OPERATIONS)
def test_any_request_is_answered_as_described(everybody: Mapping[str, APIClient], label: str) -> None:
    operation, named = OPERATIONS[label], known(label)
    of_what_there_is = [operation.as_strategy(mode, path_parameters=named) for mode in GenerationMode]
    cases = st.one_of(*of_what_there_is, operation.as_strategy())

    @settings(
        max_examples=3 * EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=cases)
    def answered(case: Case[Any]) -> None:
        for role, http in everybody.items():
            answer = asked(http, case)
            if answer is not None:
                try:
                    case.validate_response(answer, checks=CHECKS)
                except Exception as fault:
                    fault.add_note(f"asked by: {role}")
                    raise

    answered()
