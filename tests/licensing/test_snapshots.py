"""A whole customer at once, and what changed since. Rules H-8, H-9, H-11 and H-12."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from customers.actor import SYSTEM
from customers.errors import Refusal
from licensing.changes import changes_after
from licensing.errors import ChangesGone
from licensing.facts import Mode
from licensing.models import CustomerRevision, RevisionEntry
from licensing.reading import forget_sets, read_user
from licensing.services.erasing import erase_user
from licensing.services.overrides import end_override
from licensing.services.people import create_user
from licensing.services.sweeping import sweep
from licensing.snapshots import Snapshot, State, read_snapshot, read_state
from tests.factories.customers import api_with
from tests.licensing.market import Market, Town, hours
from tests.licensing.test_periods import erasing, happen, override, step

DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"
SNAPSHOT = "/api/v1/customers/fjordlys/entitlements/snapshot/"
CHANGES = "/api/v1/customers/fjordlys/entitlements/changes/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_essentials=2, sales_premium=1, at=hours(1))
    town.gives("ola", "ten-sales-premium", at=hours(2))
    town.gives("ida", "ten-sales-essentials", at=hours(3))
    return town


def body(response: Any) -> Any:
    assert response.status_code == 200, response.content
    return json.loads(response.getvalue())


# ── Snapshots ───────────────────────────────────────────────────────────────
def test_a_snapshot_says_of_everybody_what_a_read_says(fjordlys: Town, api: APIClient) -> None:
    told = body(api.get(SNAPSHOT))
    assert list(told) == [
        "customer", "revision", "as_of", "valid_until", "status", "owners", "whole", "sets", "users",
    ]  # fmt: skip
    assert set(told["users"]) == {"ola", "ida", "per"}
    assert len(told["sets"]) == len({json.dumps(each) for each in told["sets"]}) == 4, "each once, and the customer's"
    for user, place in told["users"].items():
        single = api.get(f"/api/v1/customers/fjordlys/users/{user}/entitlements/").json()
        assert single | told["sets"][place] == single
        assert (single["revision"], single["status"], single["owners"]) == (
            told["revision"],
            told["status"],
            told["owners"],
        )
    whole = api.get("/api/v1/customers/fjordlys/entitlements/").json()
    assert whole | told["sets"][told["whole"]] == whole


def test_it_is_one_look_up_and_the_sets_and_unchanged_is_one(fjordlys: Town, api: APIClient) -> None:
    api.get(SNAPSHOT).getvalue()
    forget_sets()
    with CaptureQueriesContext(connection) as cold:
        first = api.get(SNAPSHOT)
        first.getvalue()
    assert len(cold) == 2, [query["sql"] for query in cold]
    with CaptureQueriesContext(connection) as warm:
        again = api.get(SNAPSHOT, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, len(warm)) == (304, b"", 1)
    assert first["Cache-Control"] == again["Cache-Control"] == "private, no-cache"
    fjordlys.gives("per", "ten-sales-essentials", at=hours(4))
    assert api.get(SNAPSHOT, headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_it_is_streamed_and_compressed(fjordlys: Town, api: APIClient) -> None:
    answer = api.get(SNAPSHOT, headers={"Accept-Encoding": "gzip"})
    assert answer.streaming
    assert answer["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.getvalue()))["customer"] == "fjordlys"


def test_a_signed_one_is_verified_with_a_published_key(fjordlys: Town, api: APIClient) -> None:
    answer = api.get(SNAPSHOT, {"signed": "true"})
    signed = answer.content
    published = api.get("/api/v1/signing-keys/").json()["keys"]
    (key,) = [key for key in published if key["key_id"] == answer["Planarium-Key-Id"]]
    # The very lines that docs/api.md shows.
    recipe = DOCS.read_text().partition("```python\n")[2].partition("```")[0]
    known: dict[str, Any] = {}
    exec(recipe, known)  # noqa: S102 - our own documentation
    known["verify"](signed, answer["Planarium-Signature"], key["public_key"])
    with pytest.raises(InvalidSignature):
        known["verify"](signed + b" ", answer["Planarium-Signature"], key["public_key"])
    assert json.loads(signed)["users"]["ola"] >= 0


def test_without_a_key_nothing_is_signed(fjordlys: Town, api: APIClient, settings: Any) -> None:
    settings.SIGNING_KEY = ""
    refused = api.get(SNAPSHOT, {"signed": "true"})
    assert (refused.status_code, refused.json()["code"]) == (503, "no_signing_key")


@pytest.mark.parametrize("address", [SNAPSHOT, "/api/v1/customers/fjordlys/users/ida/entitlements/"])
def test_what_is_to_come_is_sent_again_once_it_changes(fjordlys: Town, api: APIClient, address: str) -> None:
    """One commit more and one instant fewer: that day's revision has the same number, and tells something else."""
    begins, day = hours(24 * 4000), {"at": hours(24 * 5000).isoformat()}
    given = override(fjordlys, Mode.ADD, value=100, user=fjordlys.users["ida"], starts_at=begins, at=hours(4))
    first = api.get(address, day)
    told = body(first)
    end_override(customer=fjordlys.customer, actor=SYSTEM, override=given, at=hours(5))
    now = body(api.get(address, day, headers={"If-None-Match": first["ETag"]}))
    assert now["revision"] == told["revision"]
    assert now != told


def test_until_when_that_holds_is_sent_again_too(fjordlys: Town, api: APIClient) -> None:
    """Two instants of Ola's fewer, two commits more, and the period that Ida is in then ends one day."""
    address, day = "/api/v1/customers/fjordlys/users/ida/entitlements/", {"at": hours(24 * 3000).isoformat()}
    ola, ida = fjordlys.users["ola"], fjordlys.users["ida"]
    between = {"starts_at": hours(24 * 1000), "ends_at": hours(24 * 2000)}
    given = override(fjordlys, Mode.ADD, value=100, user=ola, **between, at=hours(4))
    first = api.get(address, day)
    end_override(customer=fjordlys.customer, actor=SYSTEM, override=given, at=hours(5))
    override(fjordlys, Mode.ADD, value=100, user=ida, starts_at=hours(24 * 4000), at=hours(6))
    now = body(api.get(address, day, headers={"If-None-Match": first["ETag"]}))
    assert now["revision"] == first.json()["revision"]
    assert (first.json()["valid_until"], now["valid_until"]) == (None, "2036-12-18T12:00:00.000000Z")


def test_the_past_has_snapshots_too(fjordlys: Town, api: APIClient) -> None:
    then = body(api.get(SNAPSHOT, {"at": "2026-01-05T14:30:00Z"}))
    assert then["sets"][then["users"]["ola"]]["plans"][0]["code"] == "sales-premium"
    assert then["sets"][then["users"]["ida"]]["plans"] == []
    before = api.get(SNAPSHOT, {"at": "2020-01-01T00:00:00Z"})
    assert (before.status_code, before.json()["code"]) == (404, "not_recorded")


def test_a_customer_without_users_has_one(market: Market, api: APIClient) -> None:
    Town("nordvik", people=())
    told = body(api.get("/api/v1/customers/nordvik/entitlements/snapshot/"))
    assert (told["users"], told["status"], told["whole"], len(told["sets"])) == ({}, "none", 0, 1)


def test_whom_it_is_not_for(fjordlys: Town) -> None:
    bound = api_with("entitlements:read", customer=Town("nordvik", people=()).customer)
    for address in (SNAPSHOT, f"{CHANGES}?after=0"):
        foreign = bound.get(address)
        unknown = bound.get(address.replace("fjordlys", "nowhere"))
        assert foreign.status_code == 404
        assert foreign.content == unknown.content.replace(b"nowhere", b"fjordlys")


# ── Changes ─────────────────────────────────────────────────────────────────
def test_changes_name_whoever_has_another_set_now(fjordlys: Town, api: APIClient) -> None:
    after = body(api.get(SNAPSHOT))["revision"]
    fjordlys.gives("per", "ten-sales-essentials", at=hours(4))
    create_user(customer=fjordlys.customer, actor=SYSTEM, code="nina", name="Nina", at=hours(5))
    override(fjordlys, Mode.AT_LEAST, value=2000, at=hours(6))

    told = api.get(CHANGES, {"after": after}).json()

    assert [change["revision"] for change in told["changes"]] == [after + 1, after + 2, after + 3]
    assert [set(change["users"]) for change in told["changes"]] == [
        {"per"},
        {"nina"},
        {"ida", "ola", "per", "nina"},
    ]
    assert (told["revision"], told["has_more"]) == (after + 3, False)
    place = told["changes"][2]["users"]["ola"]
    assert told["sets"][place]["features"]["email-limit"]["value"] == 2000


def test_they_come_in_pages_that_join(fjordlys: Town, api: APIClient) -> None:
    everything = api.get(CHANGES, {"after": 0}).json()["changes"]
    after, found = 0, []
    for _ in range(20):
        page = api.get(CHANGES, {"after": after, "limit": 1}).json()
        found += page["changes"]
        after = page["revision"]
        if not page["has_more"]:
            break
    assert [change["users"].keys() for change in found] == [change["users"].keys() for change in everything]
    assert [change["revision"] for change in found] == list(range(1, fjordlys.revision() + 1))


def test_nothing_new_is_one_query_and_so_is_unchanged(fjordlys: Town, api: APIClient) -> None:
    after = fjordlys.revision()
    first = api.get(CHANGES, {"after": after})
    assert first.json()["changes"] == []
    with CaptureQueriesContext(connection) as queries:
        api.get(CHANGES, {"after": after})
        again = api.get(CHANGES, {"after": after}, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, len(queries)) == (304, 2)


def test_they_cost_the_same_for_any_number_of_users(fjordlys: Town, api: APIClient) -> None:
    """State, revision row, entries, holdings' periods, users' periods, sets."""
    after = fjordlys.revision()
    api.get(CHANGES, {"after": after})  # so that the key is known
    costs = []
    for number in range(2):
        for n in range(1 + 20 * number):
            create_user(customer=fjordlys.customer, actor=SYSTEM, code=f"new{number}-{n}", name="New")
        forget_sets()
        with CaptureQueriesContext(connection) as queries:
            assert api.get(CHANGES, {"after": after}).status_code == 200
        costs.append(len(queries))
    assert costs == [6, 6]


def test_an_erasure_can_not_be_followed_as_the_old_code_can_not_be_told(fjordlys: Town, api: APIClient) -> None:
    """A copy that kept it would keep all that the person had (U-7, H-12)."""
    before = fjordlys.revision()
    erase_user(customer=fjordlys.customer, actor=SYSTEM, user=fjordlys.users["ola"], confirm="ola", at=hours(4))
    gone = api.get(CHANGES, {"after": before})
    assert (gone.status_code, gone.json()["code"], gone.json()["reset"]) == (410, "changes_gone", True)
    assert gone.json()["detail"] == (
        f"The changes of fjordlys after revision {before} can't be followed: a user was erased since, "
        "and whoever was is named nowhere any more."
    )
    assert "ola" not in body(api.get(SNAPSHOT))["users"]
    assert api.get(CHANGES, {"after": before + 1}).json()["changes"] == []
    fjordlys.gives("per", "ten-sales-premium", at=hours(5))
    assert [set(c["users"]) for c in api.get(CHANGES, {"after": before + 1}).json()["changes"]] == [{"per"}]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"after": "-1"}, 400, "invalid"),
        ({"after": "0", "limit": "0"}, 400, "invalid"),
        ({"after": "9999"}, 409, "revision_not_reached"),
        ({"after": "0", "min_revision": "9999"}, 409, "revision_not_reached"),
    ],
)
def test_bad_questions(fjordlys: Town, api: APIClient, query: dict[str, str], status: int, code: str) -> None:
    refused = api.get(CHANGES, query)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    if code == "revision_not_reached":
        assert refused["Retry-After"] == "1"


def test_what_is_not_kept_can_not_be_followed(fjordlys: Town, api: APIClient) -> None:
    """The database keeps every revision; a customer brought over from elsewhere may have begun at a higher number."""
    last = fjordlys.revision()
    CustomerRevision.objects.filter(customer=fjordlys.customer).update(number=last + 2)
    for after in (0, last, last + 1):
        gone = api.get(CHANGES, {"after": after})
        assert (gone.status_code, gone.json()["code"], gone.json()["reset"]) == (410, "changes_gone", True)
    assert api.get(CHANGES, {"after": last + 2}).status_code == 200


# ── What the clock changes ──────────────────────────────────────────────────
def test_the_clock_counts_in_the_revision_before_anybody_writes_it_down(fjordlys: Town) -> None:
    """H-8: the number that it has then, it has already."""
    override(fjordlys, Mode.ADD, value=100, user=fjordlys.users["ola"], ends_at=hours(6), at=hours(4))
    override(fjordlys, Mode.AT_LEAST, value=700, ends_at=hours(7), at=hours(5))
    number = fjordlys.revision()

    def revisions() -> list[int]:
        found = []
        for at in (hours(5.5), hours(6), hours(6.5), hours(7), None):
            reading = read_user("fjordlys", "ola", at)
            state = read_state("fjordlys", at)
            assert reading is not None
            assert state is not None
            assert reading.revision == state.revision
            found.append(reading.revision)
        return found

    before = revisions()
    assert before == [number, number + 1, number + 1, number + 2, number + 2]
    sweep(now=hours(8))
    assert fjordlys.revision() == number + 2
    assert revisions() == before


def test_what_the_clock_changed_is_told_at_once(fjordlys: Town, api: APIClient) -> None:
    override(fjordlys, Mode.ADD, value=100, user=fjordlys.users["ola"], ends_at=hours(6), at=hours(4))
    after = fjordlys.revision()
    told = api.get(CHANGES, {"after": after}).json()
    assert [(change["revision"], set(change["users"])) for change in told["changes"]] == [(after + 1, {"ola"})]
    sweep(now=hours(8))
    again = api.get(CHANGES, {"after": after}).json()
    assert again["changes"] == told["changes"]


# ── Following ───────────────────────────────────────────────────────────────
Known = dict[str, Any]


def known_by(snapshot: Snapshot | None) -> Known:
    assert snapshot is not None
    users = {code: set_id for set_id, codes in snapshot.users.items() for code in codes}
    return {
        "users": users,
        "whole": snapshot.whole,
        "status": snapshot.status,
        "owners": json.loads(snapshot.owners),
    }


def follow(known: Known, after: int, state: State | None, most: int) -> tuple[Known, int]:
    """Returns what a client knows once it has followed the changes up to the state, a page at a time.

    Where somebody was erased it is told to begin anew, and only there.
    """
    assert state is not None
    while True:
        erased = RevisionEntry.objects.filter(number__gt=after, number__lte=state.revision, cause="user.erased")
        if erased.exists():
            with pytest.raises(ChangesGone):
                changes_after(state, after, most=most)
            return known_by(read_snapshot("fjordlys", state.as_of)), state.revision
        page = changes_after(state, after, most=most)
        for change in page.changes:
            known["users"] |= change.users
            known |= {"whole": change.whole, "status": change.status, "owners": change.owners}
        after = page.revision
        if after == state.revision:
            return known, after


def instants(of: int) -> Iterator[datetime]:
    for number in range(1, of + 6):
        yield from (hours(number), hours(number + 0.4), hours(number + 0.5))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.one_of(step, erasing), min_size=3, max_size=9),
    looks=st.sets(st.integers(0, 40), min_size=1, max_size=6),
    most=st.integers(1, 4),
    swept=st.booleans(),
)
def test_whoever_follows_knows_what_a_new_snapshot_says(
    town: Town, steps: list[tuple[str, Any, Any]], looks: set[int], most: int, swept: bool
) -> None:
    """Whatever happens, written down or only by the clock, and whenever the client looks."""
    with transaction.atomic():
        town.buys(
            sales_essentials=1, sales_premium=2, service_premium=1, sales_service_premium=1, calendar=1, at=hours(0.5)
        )
        first = read_snapshot("fjordlys", hours(0.6))
        assert first is not None
        known, after = known_by(first), first.revision
        for place, at in enumerate(instants(len(steps))):
            # On the hour something happens; what ends by the clock ends at half past.
            if place % 3 == 0 and place // 3 < len(steps):
                verb, who, what = steps[place // 3]
                with contextlib.suppress(Refusal):
                    happen(town, verb, who, what, at)
            if swept and place % 5 == 4:
                sweep(now=at)
            if place in looks:
                known, after = follow(known, after, read_state("fjordlys", at), most)
                assert known == known_by(read_snapshot("fjordlys", at))
        far = hours(len(steps) + 50)
        known, after = follow(known, after, read_state("fjordlys", far), most)
        assert known == known_by(read_snapshot("fjordlys", far))
        forget_sets()  # numbers of sets come again after a rollback
        transaction.set_rollback(True)


def test_a_client_that_looks_at_the_very_instant_misses_nothing(fjordlys: Town) -> None:
    """Something ends by the clock, and in the same microsecond somebody writes."""
    override(fjordlys, Mode.ADD, value=100, user=fjordlys.users["ola"], ends_at=hours(6), at=hours(4))
    first = read_snapshot("fjordlys", hours(6))
    assert first is not None
    fjordlys.gives("per", "ten-sales-essentials", at=hours(6))
    known, _ = follow(known_by(first), first.revision, read_state("fjordlys", hours(7)), 50)
    assert known == known_by(read_snapshot("fjordlys", hours(7) + timedelta(seconds=1)))
