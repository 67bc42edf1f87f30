"""Many users at once through the portal: lists handed in, previewed, applied, mended, handed in again.

Fjordlys has two seats of Sales Premium, five of Sales Essentials and two of Service Premium; Ola, Ida and Per work
there. Kari administers it, Vera may look.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.models import CustomerUser, Membership
from licensing.intake import MOST_BYTES
from licensing.models import ChangePreview, ChangeSet, UserList
from licensing.services.bulk import AT_ONCE
from licensing.services.people import create_user, edit_user
from licensing.services.user_lists import prune_lists
from tests.licensing.market import Market, Town
from tests.licensing.test_portal import CALENDAR, ESSENTIALS, PREMIUM, SERVICE, member, said, visitor

BULK, USERS = "/portal/fjordlys/bulk/", "/portal/fjordlys/users/"


@pytest.fixture
def fjordlys(town: Town) -> Town:
    town.buys(sales_essentials=5, sales_premium=2, service_premium=2, calendar=2)
    return town


@pytest.fixture
def kari(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.ADMIN, "Kari Nordmann")


@pytest.fixture
def vera(fjordlys: Town) -> Client:
    return member(fjordlys, Membership.Role.VIEWER, "Vera Vik")


def hands_in(client: Client, text: str | bytes, **more: str) -> Any:
    """Pastes text, or uploads bytes; returns the page that asks what to do."""
    sent: dict[str, Any] = {"text": text, **more}
    if isinstance(text, bytes):
        sent = {"file": SimpleUploadedFile("people.csv", text, "text/csv"), **more}
    return client.post(BULK, sent, follow=True)


def asks(client: Client, page: Any, what: str = "listed", mode: str = "all_or_nothing", **more: Any) -> Any:
    """Confirms the columns as they were guessed, says what to do, and returns the preview."""
    guessed = {select.html_name: select.value() for select in page.context["columns"].selects}
    header = {"header": "on"} if page.context["listing"].header else {}
    sent = {**guessed, **header, "what": what, "mode": mode, **more}
    return client.post(page.request["PATH_INFO"], sent, follow=True)


def previews(client: Client, text: str | bytes, **how: Any) -> Any:
    return asks(client, hands_in(client, text), **how)


def applies(client: Client, preview: Any) -> Any:
    return client.post(preview.request["PATH_INFO"], follow=True)


def outcomes(page: Any) -> dict[str, str]:
    """Returns the rows of a preview: user → outcome as it stands in the page."""
    return {row.user_code: row.outcome for row in page.context["table"].page}


def why(page: Any, user: str) -> str:
    (row,) = [row for row in page.context["table"].page if row.user_code == user]
    return f"{row.message} {row.next_action}".strip()


# ── Handing in ──────────────────────────────────────────────────────────────
def test_a_pasted_list_becomes_a_change_and_a_second_time_nothing(kari: Client, fjordlys: Town) -> None:
    """N-7, N-10."""
    asked = hands_in(kari, "ola\nida\n")
    assert "What to do with 2 users" in asked.text
    preview = asks(kari, asked, what="assign", plans=[PREMIUM], reason="New team")
    assert outcomes(preview) == {"ola": "changes", "ida": "changes"}
    assert fjordlys.holds("ola") == set(), "a preview changes nothing"
    done = applies(kari, preview)
    assert "It is <a" in done.text
    assert fjordlys.holds("ola") == fjordlys.holds("ida") == {"ten-sales-premium"}
    change = ChangeSet.objects.get(customer=fjordlys.customer)
    assert (change.reason, change.actor, change.rows.count()) == ("New team", "Kari Nordmann", 2)
    assert not UserList.objects.exists(), "a list goes when it is applied"

    again = previews(kari, "ola\nida\n", what="assign", plans=[PREMIUM])
    assert outcomes(again) == {"ola": "unchanged", "ida": "unchanged"}
    assert "This changes nothing: everybody has already what the list asks for." in again.text
    assert "Change 2 users" not in again.text
    assert ChangeSet.objects.count() == 1


def test_a_file_says_in_its_columns_who_gets_and_gives_what(kari: Client, fjordlys: Town) -> None:
    """N-3, N-5."""
    fjordlys.gives("per", "ten-sales-essentials", "ten-service-premium")
    file = "E-post;Navn;Plan;Release\r\nola;=cmd();TEN Sales Premium;\r\n"
    file += "per;Per;Ten Sales Premium;Ten Sales Essentials\r\n"
    page = hands_in(kari, b"\xff\xfe" + file.encode("utf-16-le"))
    assert "people.csv: 2 rows, semicolon between cells, read as utf-16-le." in page.text
    assert "=cmd()" in page.text
    preview = asks(kari, page, **{"column-0": "user"})
    assert outcomes(preview) == {"ola": "changes", "per": "changes"}
    applies(kari, preview)
    assert fjordlys.holds("ola") == {"ten-sales-premium"}
    assert fjordlys.holds("per") == {"ten-sales-premium", "ten-service-premium"}


def test_every_row_that_cant_be_met_is_named_with_its_reason(kari: Client, fjordlys: Town) -> None:
    """N-4."""
    edit_user(customer=fjordlys.customer, actor=fjordlys.actor, user=fjordlys.users["per"], is_former_employee=True)
    text = (
        "user,email,plan\n"
        "ola,,Ten Sales Premium\n"
        "\n"
        "nobody,,Ten Sales Premium\n"
        ",lost@fjordlys.example,Ten Sales Premium\n"
        ",,Ten Sales Premium\n"
        "ida,,Sales Deluxe\n"
        "per,,Ten Sales Premium\n"
        "ola,,Ten Sales Essentials\n"
        f"eva,{'x' * 1_000_000},Ten Sales Premium\n"
    )
    page = hands_in(kari, text.encode())
    assert "Row 10: Cell 2 has 1,000,000 characters" in page.text
    preview = asks(kari, page, mode="as_many")
    told = {row.position: (row.outcome, row.message) for row in preview.context["table"].page}
    assert {row: outcome for row, (outcome, _) in told.items()} == {
        2: "changes", 4: "blocked", 5: "blocked", 6: "blocked", 7: "blocked", 8: "blocked", 9: "blocked", 10: "blocked"
    }  # fmt: skip
    assert "'nobody'" in told[4][1]
    assert "e-mail address 'lost@fjordlys.example'" in told[5][1]
    assert told[6][1] == "The row names no user."
    assert told[7][1] == "There is no plan or module called 'Sales Deluxe' here."
    assert "row 2" in told[9][1]
    assert "1,000,000 characters" in told[10][1]
    problems = kari.get(preview.request["PATH_INFO"], {"outcome": "blocked"})
    assert len(outcomes(problems)) == 7
    assert kari.get(preview.request["PATH_INFO"], {"search": "Deluxe"}).context["table"].page.paginator.count == 1


def test_unknown_users_are_created_when_asked_to(kari: Client, fjordlys: Town) -> None:
    """N-8."""
    text = "name,email,plan\nEva Berg,eva@fjordlys.example,Ten Sales Premium\n"
    text += ",nameless@fjordlys.example,\nOla,ola@x.example,\n"
    left = previews(kari, text, mode="as_many")
    assert {row.outcome for row in left.context["table"].page} == {"blocked"}
    preview = previews(kari, text, mode="as_many", creates="on")
    assert outcomes(preview) == {"eva": "changes", "nameless@fjordlys.example": "blocked", "ola@x.example": "blocked"}
    assert "without a name" in why(preview, "nameless@fjordlys.example")
    assert "Somebody else has the code 'ola'" in why(preview, "ola@x.example")
    applies(kari, preview)
    eva = CustomerUser.objects.get(customer=fjordlys.customer, code="eva")
    assert (eva.name, eva.email, eva.seats.held().count()) == ("Eva Berg", "eva@fjordlys.example", 1)


@pytest.mark.parametrize(
    ("sent", "says", "status"),
    [
        ({"text": " \n"}, "There is nothing in this list.", 400),
        ({"file": b"PK\x03\x04"}, "This is a workbook, not text.", 400),
        ({"file": b"a" * (MOST_BYTES + 1)}, "8,000,000 can be taken.", 413),
        ({"text": "x\n" * 10_001}, "10,000 can be taken at once.", 413),
    ],
)
def test_a_list_that_cant_be_taken_says_why(sent: dict[str, Any], says: str, status: int, kari: Client) -> None:
    """N-1."""
    answer = hands_in(kari, sent.get("text") or sent["file"])
    assert (answer.status_code, says in answer.text) == (status, True)
    assert not UserList.objects.exists()


def test_columns_are_confirmed_before_anything_is_previewed(kari: Client) -> None:
    page = hands_in(kari, "ola,ida\nper,eva\n")
    answer = asks(kari, page, what="assign", plans=[PREMIUM], **{"column-1": "user"})
    assert answer.status_code == 422
    assert "Two columns can&#x27;t both be the user code." in answer.text
    answer = asks(kari, page, what="assign", **{"column-0": "name", "column-1": "ignored"})
    assert "Choose at least one." in answer.text
    answer = asks(kari, page, what="swap", swap_from=PREMIUM, swap_to=PREMIUM)
    assert "That is the same." in answer.text
    assert not ChangePreview.objects.exists()


# ── Selecting ───────────────────────────────────────────────────────────────
def test_ticked_users_and_all_of_a_filter_are_taken(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-premium")
    page = kari.get(USERS)
    assert 'form="selection"' in page.text
    ticked = kari.post(f"{BULK}selection/", {"user": ["ola", "IDA", "nobody"]}, follow=True)
    assert "What to do with 2 users" in ticked.text
    assert "ida, ola" in ticked.text
    all_of_filter = kari.post(f"{BULK}selection/?plan={PREMIUM}", {"all": "1"}, follow=True)
    assert "What to do with 1 user" in all_of_filter.text
    preview = asks(kari, all_of_filter, what="release", plans=[PREMIUM])
    applies(kari, preview)
    assert fjordlys.holds("ola") == set()
    none = kari.post(f"{BULK}selection/?plan=none", follow=True)
    assert (none.request["QUERY_STRING"], "Tick the users first." in none.text) == ("plan=none", True)


def test_a_swap_touches_nothing_else(kari: Client, fjordlys: Town) -> None:
    """N-7."""
    fjordlys.gives("ola", "ten-sales-premium", "ten-service-premium", "nebula")
    fjordlys.gives("ida", "ten-service-premium")
    preview = previews(kari, "ola\nida\n", what="swap", swap_from=PREMIUM, swap_to=ESSENTIALS, mode="as_many")
    assert outcomes(preview) == {"ola": "changes", "ida": "blocked"}
    applies(kari, preview)
    assert fjordlys.holds("ola") == {"ten-sales-essentials", "ten-service-premium", "nebula"}
    assert fjordlys.holds("ida") == {"ten-service-premium"}


# ── Previews ────────────────────────────────────────────────────────────────
def test_a_preview_tells_seats_and_features(kari: Client, fjordlys: Town) -> None:
    fjordlys.gives("ola", "ten-sales-essentials")
    preview = previews(kari, "ola\nida\n", what="assign", plans=[PREMIUM])
    text = re.sub(r"<[^>]+>|\s+", " ", preview.text)
    text = re.sub(r"\s+", " ", text)
    assert "Ten Sales Premium +2 0 → 2 / 2" in text
    assert "Ten Sales Essentials −1 1 → 0 / 5" in text
    assert "Features that people gain" in text
    assert "2 users" in text
    told = kari.get(preview.request["PATH_INFO"], {"format": "csv"})
    lines = list(csv.reader(io.StringIO(b"".join(told.streaming_content).decode("utf-8-sig"))))
    assert lines[0][:5] == ["User", "Row", "Outcome", "Assigned", "Released"]
    assert lines[1][:5] == ["ola", "1", "Changes", "Ten Sales Premium", "Ten Sales Essentials"]


def test_all_or_nothing_stops_at_one_problem_and_as_many_goes_on(kari: Client, fjordlys: Town) -> None:
    """N-7."""
    preview = previews(kari, "ola\nida\nper\n", what="assign", plans=[PREMIUM])
    assert outcomes(preview) == {"ola": "changes", "ida": "changes", "per": "blocked"}
    assert "1 row is in the way" in preview.text
    assert applies(kari, preview).status_code == 409
    assert fjordlys.holds("ola") == set()
    again = kari.post(f"{preview.request['PATH_INFO']}again/", {"mode": "as_many"}, follow=True)
    assert "Change 2 users" in again.text
    applies(kari, again)
    assert fjordlys.holds("ola") == fjordlys.holds("ida") == {"ten-sales-premium"}
    assert fjordlys.holds("per") == set()


def test_when_the_state_moved_it_says_so_and_shows_the_difference(kari: Client, fjordlys: Town) -> None:
    """N-10."""
    preview = previews(kari, "ola\nida\n", what="assign", plans=[PREMIUM])
    fjordlys.gives("per", "ten-sales-premium")
    stale = applies(kari, preview)
    assert "Something moved since this was previewed, so nothing was changed" in stale.text
    ((user, previewed, now),) = stale.context["difference"]
    assert (user, previewed) == ("ida", "nothing → Ten Sales Premium")
    assert now == "blocked: no seat left"
    assert fjordlys.holds("ola") == set()
    again = kari.post(f"{preview.request['PATH_INFO']}again/", follow=True)
    assert outcomes(again) == {"ola": "changes", "ida": "blocked"}


def test_failures_are_taken_along_mended_and_retried_alone(kari: Client, fjordlys: Town) -> None:
    """N-9."""
    text = "user,name,plan\nola,,Ten Sales Premium\nida,,Sales Delux\n=eva,=Eva,Ten Sales Premium\n"
    preview = previews(kari, text, mode="as_many")
    applies(kari, preview)
    page = preview.request["PATH_INFO"]
    download = kari.get(f"{page}failures/")
    assert download["Content-Disposition"] == 'attachment; filename="to-mend.csv"'
    lines = list(csv.reader(io.StringIO(download.content.decode("utf-8-sig"))))
    assert lines[0] == ["User code", "Name", "E-mail address", "Assign", "Release", "Problem"]
    assert lines[1] == ["ida", "", "", "Sales Delux", "", "There is no plan or module called 'Sales Delux' here."]
    assert lines[2][:4] == ["'=eva", "'=Eva", "", "Ten Sales Premium"]
    assert len(lines) == 3
    mending = kari.get(f"{page}mend/")
    assert "Mend 2 rows" in mending.text
    mended = mending.context["text"].replace("Sales Delux,", "Ten Sales Essentials,").replace("'=eva", "per")
    applies(kari, previews(kari, mended))
    assert fjordlys.holds("ida") == {"ten-sales-essentials"}
    assert fjordlys.holds("per") == {"ten-sales-premium"}


def test_more_than_a_page_is_worked_out_in_the_background(kari: Client, fjordlys: Town) -> None:
    text = "".join(f"user-{number}\n" for number in range(AT_ONCE + 1))
    preview = previews(kari, text, what="assign", plans=[PREMIUM])
    assert f'<progress max="{AT_ONCE + 1}"' in preview.text
    assert "hx-trigger" in preview.text
    assert "Look again" in preview.text


def test_the_preview_page_asks_as_much_for_many_rows_as_for_few(
    kari: Client, fjordlys: Town, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    few = previews(kari, "ola\n", what="assign", plans=[ESSENTIALS]).request["PATH_INFO"]
    names = [f"user{number}" for number in range(60)]
    for name in names:
        create_user(customer=fjordlys.customer, actor=fjordlys.actor, code=name, name=name.title())
    many = previews(kari, "\n".join(names), what="assign", plans=[ESSENTIALS]).request["PATH_INFO"]
    for page in (few, many):
        with django_assert_num_queries(11):
            # session, account, memberships, staff roles, customer; preview; packages and their rows, solutions;
            # its list; its rows with their users; what the menu may show
            assert kari.get(page).status_code == 200


# ── Who may, and for how long ───────────────────────────────────────────────
def test_only_the_admin_changes_many_and_strangers_may_not_know(kari: Client, vera: Client, fjordlys: Town) -> None:
    """N-13."""
    fjordlys.gives("ola", "ten-sales-premium")
    asked = hands_in(kari, "ola\n")
    preview = asks(kari, asked, what="assign", plans=[SERVICE])
    page = preview.request["PATH_INFO"]
    nils = member(Town("nordvik", []), Membership.Role.ADMIN, "Nils Nordvik")
    pia = visitor(name="Pia Product", roles=["product_manager"])
    reading = [BULK, asked.request["PATH_INFO"], page, f"{page}failures/", f"{page}mend/"]
    writing = [BULK, f"{BULK}selection/", asked.request["PATH_INFO"], page, f"{page}again/"]
    changes = ["/portal/fjordlys/changes/", "/portal/fjordlys/changes/1/"]
    for address in [*reading, *changes]:
        assert nils.get(address).status_code == 404
        own = address.replace("fjordlys", "nordvik")
        assert nils.get(own).status_code == (
            200 if own in ("/portal/nordvik/bulk/", "/portal/nordvik/changes/") else 404
        )
        assert Client().get(address)["Location"] == f"/account/login/?next={address}"
    for address in [*writing, f"{changes[1]}undo/"]:
        assert nils.post(address).status_code == 404
        assert vera.post(address).status_code == 403
    for address in reading:
        assert vera.get(address).status_code == 403
    for address in changes:
        assert vera.get(address).status_code == 200
        assert "Preview the undoing" not in vera.get(address).text
        assert pia.get(address).status_code == 403


def test_a_list_is_forgotten_after_a_day(kari: Client) -> None:
    """N-6."""
    page = hands_in(kari, "ola\n").request["PATH_INFO"]
    now = timezone.now()
    assert prune_lists(now=now + timedelta(hours=23)) == 0
    UserList.objects.update(created_at=now - timedelta(hours=25))
    assert kari.get(page).status_code == 404
    assert prune_lists(now=now) == 1


def test_people_are_told_what_they_may_be_called(kari: Client, market: Market) -> None:
    assert "Ten Sales Premium" in kari.get(BULK).text
    assert said(kari.get(BULK)) == []
    assert CALENDAR


# ── What is not to be taken for something else ──────────────────────────────
def test_two_new_people_whose_addresses_begin_alike_are_told_apart(kari: Client, fjordlys: Town) -> None:
    file = "name;email\nOla Berg;nils@berg.example\nNils Vik;nils@vik.example\n"
    page = previews(kari, file, what="assign", plans=[ESSENTIALS], creates="on", mode="as_many")
    assert [row.outcome for row in page.context["table"].page] == ["changes", "blocked"]


def test_a_code_and_an_address_of_two_people_are_one_fault(kari: Client, fjordlys: Town) -> None:
    edit_user(customer=fjordlys.customer, actor=fjordlys.actor, user=fjordlys.users["ida"], email="ida@x.example")
    page = previews(kari, "code;email\nola;ida@x.example\nida;ida@x.example\n", what="assign", plans=[ESSENTIALS])
    assert outcomes(page) == {"ola": "blocked", "ida": "changes"}
    assert "is somebody else’s here" in why(page, "ola")


def test_what_stopped_half_way_says_what_was_done(kari: Client, fjordlys: Town) -> None:
    done = applies(kari, previews(kari, "ola\n", what="assign", plans=[ESSENTIALS]))
    ChangePreview.objects.update(state="failed")
    told = kari.get(done.request["PATH_INFO"]).text
    assert "This stopped half-way" in told
    assert "Nothing has changed yet" not in told
    assert f"change {ChangeSet.objects.get().number}</a>, which can be undone" in told


def test_undoing_says_that_who_was_created_stays(kari: Client, fjordlys: Town) -> None:
    file = "code;name\nzoe;Zoe Lund\n"
    done = applies(kari, previews(kari, file, what="assign", plans=[ESSENTIALS], creates="on"))
    assert "who was created stays, without seats" in done.text
    number = ChangeSet.objects.get().number
    undo = kari.post(f"/portal/fjordlys/changes/{number}/undo/", {"mode": "all_or_nothing"}, follow=True)
    assert "That change created 1 user, who stays" in undo.text


@pytest.mark.parametrize("address", ["/portal/fjordlys/changes/", "/audit/"])
def test_the_last_day_there_is_can_be_asked_for(kari: Client, address: str) -> None:
    assert kari.get(address, {"until": "9999-12-31"}).status_code == 200
    assert kari.get(address, {"since": "0001-01-01"}).status_code == 200


def test_too_many_rows_to_come_back_in_a_form_are_mended_in_a_file(
    kari: Client, fjordlys: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("licensing.portal.previews.MENDED_IN_PAGE", 1)
    page = previews(kari, "nobody\nnoone\n", what="assign", plans=[ESSENTIALS], mode="as_many")
    address = page.request["PATH_INFO"]
    assert "Download them to mend" in page.text
    assert "rows here" not in page.text
    assert kari.get(f"{address}mend/")["Location"] == address


def test_a_pasted_list_as_long_as_a_list_may_be_is_read(kari: Client) -> None:
    """With long names and addresses."""
    lines = [f"{'x' * 30}{n};{'Å' * 60};{'y' * 50}{n}@{'z' * 60}.example" for n in range(9_999)]
    page = hands_in(kari, "\n".join(["code;name;email", *lines]))
    assert page.status_code == 200
    assert "What to do with 9999 users" in page.text
