"""What the API's description shows is what is answered, and every operation tells its problems. Rule A-12."""

from __future__ import annotations

import json
import re
from functools import reduce
from io import StringIO
from operator import getitem
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from config.described import CODES, in_order, operations, shown
from customers.actor import SYSTEM
from customers.scopes import SCOPES
from customers.services import keys
from licensing.services.demo import make_demo_customers
from licensing.services.demo_usage import make_demo_usage
from tests.factories.customers import api_with_key
from tests.project.demo_app import app_key
from tests.project.test_problem_codes import codes_in_use

# Rare, or of data that these customers have none of: a licence of a partner, a change that would leave too many seats
# in use, a migration, a subscription made from nothing; and what only says what another example says.
UNSHOWN = {
    *("deleteItemDetail", "deleteMemberDetail", "patchMemberDetail", "deleteSeatRequestDetail"),
    *("deletePartnerLicense", "postPackageList", "postActivate", "getSuperfluousSeats", "postSuperfluousSeats"),
    *("putSubscriptionDetail", "postSubscriptionResume"),
    *("getMigrationList", "getMigrationDetail", "getMigrationCustomerList"),
    *("getLicenseOfAllOwners", "getLicenseOfModule", "getLicenseOfUser", "getCurrentPrincipal"),
}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
# What is another each time; and what depends on the day.
PASSING = {"revision", "valid_until", "key_id", "public_key", "module_license_id", "id", "event", "reservation"}
PASSING |= {"signature", "encrypted_check", "digest", "token", "address", "secret", "key", "prefix", "next"}


@pytest.fixture(scope="module")
def document() -> Any:
    out = StringIO()
    call_command("spectacular", "--fail-on-warn", stdout=out)
    return yaml.safe_load(out.getvalue())


@pytest.fixture
def app(db: None) -> APIClient:
    app_key()
    make_demo_customers(at=timezone.now(), only=("nordvik",))
    make_demo_usage(publisher=SYSTEM, runner=SYSTEM, at=timezone.now())
    scopes = sorted(SCOPES)
    client = keys.create_client(actor=SYSTEM, name="Everything", scopes=scopes, at=timezone.now())
    return api_with_key(keys.issue_key(actor=SYSTEM, client=client, at=timezone.now())[1])


def shows(said: Any, found: Any, name: str = "") -> list[str]:
    """Returns where an example says something else than the answer; it may leave out, and days pass."""
    if isinstance(said, dict) and isinstance(found, dict):
        missing = [f"{name}.{member} is not there" for member in said.keys() - found.keys()]
        known = said.keys() & found.keys() - PASSING
        return missing + [fault for member in known for fault in shows(said[member], found[member], f"{name}.{member}")]
    if isinstance(said, list) and isinstance(found, list):
        return [f"{name}: no {one}" for one in said if all(shows(one, other) for other in found)]
    if isinstance(said, str) and isinstance(found, str) and DAY.match(said) and DAY.match(found):
        return []
    return [] if said == found and type(said) is type(found) else [f"{name} is {found!r}, not {said!r}"]


def test_examples_are_what_is_answered(app: APIClient, subtests: pytest.Subtests) -> None:
    """One after the other, as they stand: what an answer calls a thing goes into the addresses of later ones."""
    kept: dict[str, str] = {}

    def filled(text: str) -> str:
        return re.sub(r"{(\w+)}", lambda found: kept[found[1]], text)

    for example in in_order():
        with subtests.test(operation=example["operation"]):
            method, address = filled(example["ask"]).split(" ")
            body = {name: filled(v) if isinstance(v, str) else v for name, v in example.get("body", {}).items()}
            asked = {"data": json.dumps(body)} if "body" in example else {}
            answer = app.generic(method, address, content_type="application/json", **asked)
            assert answer.status_code == example.get("status", 200), answer.content
            told = json.loads(answer.getvalue())
            assert shows(example["answer"], told) == []
            for name, member in example.get("keep", {}).items():
                kept[name] = str(reduce(getitem, member.split("."), told))


def test_an_example_that_is_no_longer_so_is_caught() -> None:
    assert shows({"value": 1}, {"value": 1, "more": 2}) == []
    assert shows({"at": "2026-01-01"}, {"at": "2027-02-03"}) == []
    assert shows({"value": 1}, {"value": True})
    assert shows({"value": 1}, {})
    assert shows([1, 3], [1, 2])


def test_examples_and_codes_are_of_operations_that_there_are(document: Any) -> None:
    there = {operation["operationId"] for _, operation in operations(document)}
    assert (shown().keys() | CODES.keys()) - there == set()


def test_the_reads_and_writes_that_apps_live_on_have_examples(document: Any) -> None:
    without = set()
    for _, operation in operations(document):
        answer = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
        if not answer.get("content", {}).get("application/json", {}).get("examples"):
            without.add(operation["operationId"])
    assert without == UNSHOWN


def test_every_problem_tells_its_codes_and_each_is_documented(document: Any) -> None:
    known = codes_in_use()
    for method, operation in operations(document):
        for status, answer in operation["responses"].items():
            if "application/problem+json" in answer.get("content", {}):
                codes = answer["x-problem-codes"]
                assert codes, f"{method} {operation['operationId']} {status}"
                assert {code: known.get(code) for code in codes} == dict.fromkeys(codes, int(status))
