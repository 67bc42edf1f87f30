"""The API's description is committed, whole, and says how every call can fail."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

DOCS = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
REFRESH = "The API has changed. Read what changed; if it is what you want: make openapi"


@pytest.fixture(scope="module")
def described() -> str:
    """The description as it is made from the code; a warning or an invalid document fails."""
    out = StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=out)
    return out.getvalue().strip()


@pytest.fixture(scope="module")
def document(described: str) -> Any:
    return yaml.safe_load(described)


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [(path, method, said) for path, methods in document["paths"].items() for method, said in methods.items()]


def test_the_committed_description_is_current(described: str) -> None:
    assert DOCS.read_text().strip() == described, REFRESH


def test_every_operation_describes_itself_and_its_scope(document: Any) -> None:
    silent = [path for path, _, said in operations(document) if "Scope: `" not in said.get("description", "")]
    assert silent == []


def test_every_operation_has_a_name_of_its_own(document: Any) -> None:
    names = [said["operationId"] for _, _, said in operations(document)]
    assert len(names) == len(set(names))


def test_every_operation_can_be_refused_with_a_problem(document: Any) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, method, said in operations(document):
        refusals = {status: answer for status, answer in said["responses"].items() if status >= "400"}
        expected = {"400", "401", "403", "429"} | ({"404"} if "{" in path else set())
        expected |= {"409"} if method != "get" else set()
        assert refusals.keys() >= expected, f"{method} {path}"
        # OpenFeature's protocol has words of its own for what it can't evaluate.
        others = {"400", "404"} if path.startswith("/ofrep/") else set()
        told = [answer["content"] for status, answer in refusals.items() if status not in others]
        assert all(content == problem for content in told), f"{method} {path}"


def test_every_operation_takes_a_key(document: Any) -> None:
    assert all({"apiKey": []} in said["security"] for _, _, said in operations(document))
    assert document["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"


def test_nothing_in_it_names_the_machine_it_was_made_on(described: str) -> None:
    assert "localhost" not in described
    assert "127.0.0.1" not in described


@pytest.mark.django_db
def test_the_description_is_served_to_anybody(client: Client) -> None:
    answer = client.get("/api/schema/")
    assert answer.status_code == 200
    assert yaml.safe_load(answer.content)["info"]["title"] == "Planarium"


@pytest.mark.django_db
def test_the_docs_page_works_offline_and_relaxes_styles_only(client: Client) -> None:
    answer = client.get("/api/docs/")
    assert answer.status_code == 200
    assert b"https://" not in answer.content
    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))
    assert policy["style-src"] == "'self' 'unsafe-inline'"
    assert "unsafe" not in policy["script-src"]
    assert "unsafe" not in client.get("/api/schema/")["Content-Security-Policy"]
