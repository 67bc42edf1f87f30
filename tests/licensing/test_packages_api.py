"""Packages over the API: rules X-4, X-5, X-8, C-38; what a role may is in tests/project/test_permissions.py."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from licensing.models import Package
from licensing.package_xml import parse_package
from tests.factories.customers import api_with
from tests.licensing.issuing import sound_package, with_row
from tests.licensing.market import Town, hours
from tests.licensing.partners import Partner

BASE = "/api/v1/customers/fjordlys/packages/"


@pytest.fixture
def sold(town: Town) -> Town:
    town.buys(sales_premium=2, at=hours(1))
    return town


@pytest.fixture
def acme(sold: Town) -> Partner:
    return Partner()


def send(http: APIClient, data: bytes, query: str = "", **headers: str) -> Any:
    return http.generic("POST", f"{BASE}{query}", data, content_type="application/xml", **headers)


def test_packages_are_listed_with_all_that_they_say(api: APIClient, sold: Town) -> None:
    (row,) = api.get(BASE).json()["results"]
    package = Package.objects.get()
    assert (row["owner"], row["number"], row["state"], row["status"]) == ("SUPEROFFICE", 1, "active", "active")
    assert (row["key_id"], row["signature"]) == (package.seal.key_id, package.seal.signature)
    assert (row["is_intact"], row["is_imported"], row["damage"]) == (True, False, [])
    assert api.get(BASE, {"state": "pending"}).json()["results"] == []
    assert api.get(BASE, {"owner": "superoffice"}).json()["results"] == [row]
    assert api.get(BASE, {"state": "lost"}).status_code == 400


def test_a_list_costs_the_same_for_many(api: APIClient, sold: Town, django_assert_max_num_queries: Any) -> None:
    api.get(BASE)
    with django_assert_max_num_queries(4):  # key, customer, packages with their seals, rows of all
        api.get(BASE)
    for number in range(3, 8):
        sold.buys(sales_premium=number, at=hours(number))
    with django_assert_max_num_queries(4):
        assert len(api.get(BASE).json()["results"]) == 6


def test_one_is_read_as_json_and_as_xml(api: APIClient, sold: Town) -> None:
    assert api.get(f"{BASE}1/").json()["number"] == 1
    by_format = api.get(f"{BASE}1/?format=xml")
    by_accept = api.get(f"{BASE}1/", HTTP_ACCEPT="application/xml")
    assert by_format.content == by_accept.content
    assert by_format["Content-Type"] == "application/xml; charset=utf-8"
    read = parse_package(by_format.content)
    assert read.form is not None
    assert (read.form.customer, read.form.number) == ("fjordlys", 1)
    assert api.get(f"{BASE}1/?format=yaml").status_code == 400
    for missing in (f"{BASE}9/", f"{BASE}1/?owner=acme", f"{BASE}99999999999/"):
        assert api.get(missing).json()["code"] == "not_found"
        assert api.get(missing, HTTP_ACCEPT="application/xml").json()["code"] == "not_found"


def test_a_package_is_taken_in(api: APIClient, acme: Partner) -> None:
    dry = send(api, acme.file(), "?dry_run=true")
    assert (dry.status_code, dry.json()["state"], dry.json()["dry_run"]) == (200, "active", True)
    assert not Package.objects.filter(owner=acme.owner).exists()
    made = send(api, acme.file())
    assert (made.status_code, made.json()["owner"], made.json()["number"]) == (201, "ACME", 1)
    (plan,) = [change for change in made.json()["changes"] if change["module"] == "acme.pad-plan"]
    assert plan == {
        "module": "acme.pad-plan",
        "total": 0,
        "new_total": 5,
        "added": 5,
        "in_use": 0,
        "new_free": 5,
        "superfluous": 0,
    }
    again = send(api, acme.file())
    assert (again.status_code, again.json()["is_known"]) == (200, True)
    assert api.get(f"{BASE}1/?owner=acme&format=xml").content == acme.file()


def test_a_repetition_is_harmless(api: APIClient, acme: Partner) -> None:
    first = send(api, acme.file(), HTTP_IDEMPOTENCY_KEY="once")
    again = send(api, acme.file(), HTTP_IDEMPOTENCY_KEY="once")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotent-Replay"] == "true"
    other = send(api, acme.file(sound_package(serial_number="1")), HTTP_IDEMPOTENCY_KEY="once")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_bad_files_tell_every_fault_with_line_and_element(api: APIClient, acme: Partner) -> None:
    wrong = with_row(with_row(sound_package(), "pad-site", license_number=0), "pad-cal", hidden=False)
    answer = send(api, acme.file(wrong))
    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, "bad_package")
    assert {(fault["field"], fault["line"] > 0) for fault in told["faults"]} == {
        ("NumberOfLicenses", True),
        ("ExtraInfo", True),
    }
    for nonsense in (b"", b"{}", b"<a/>", b"\xff"):
        assert send(api, nonsense).json()["code"] == "bad_package"
    assert api.post(BASE, {"a": 1}, format="json").status_code == 415
    assert send(api, b"<a/>", "?activate=perhaps").status_code == 400
    assert send(api, b" " * 6_000_000).json()["code"] == "body_too_large"
    assert not Package.objects.filter(owner=acme.owner).exists()


def test_what_does_not_fit_waits_and_says_who_holds_it(api: APIClient, acme: Partner, sold: Town) -> None:
    acme.issues_to(sold, at=hours(2))
    sold.gives("ola", "acme.pad-plan", at=hours(3))
    sold.gives("ida", "acme.pad-plan", at=hours(4))
    made = send(api, acme.file(with_row(sound_package(), "pad-plan", license_number=1))).json()
    assert made["state"] == "pending"
    (row,) = made["superfluous"]
    assert (row["module"], row["remove"], row["holders"]) == ("acme.pad-plan", 1, ["ida", "ola"])


def test_who_may_not_activate_takes_in_what_waits(acme: Partner) -> None:
    http = api_with("customers:write")
    assert send(http, acme.file(), "?activate=true").status_code == 403
    assert send(http, acme.file()).json()["state"] == "pending"
    other = api_with("customers:write", "packages:activate")
    bigger = acme.file(with_row(sound_package(), "pad-site", license_number=2))
    assert send(other, bigger, "?activate=false").json()["state"] == "pending"


def test_a_partners_licence_is_removed_and_ours_stays(api: APIClient, acme: Partner, sold: Town) -> None:
    """C-38."""
    acme.issues_to(sold, at=hours(2))
    sold.gives("ola", "acme.pad-plan", at=hours(3))
    address = "/api/v1/customers/fjordlys/licenses/{}/"
    dry = api.delete(f"{address.format('acme')}?dry_run=true").json()
    assert dry["losses"] == [{"user": "ola", "modules": ["acme.pad-plan"]}]
    assert sold.holds("ola") == {"pad-plan"}
    gone = api.delete(address.format("ACME"))
    assert (gone.status_code, gone.json()["packages"]) == (200, [1])
    assert sold.holds("ola") == set()
    assert api.delete(address.format("acme")).json()["code"] == "not_found"
    ours = api.delete(address.format("superoffice"))
    assert (ours.status_code, ours.json()["code"]) == (409, "own_license_stays")
